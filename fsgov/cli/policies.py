"""`fsgov policy`: what the policy file says, whether it holds together, and what it would decide."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsgov.cli import completing, output
from fsgov.cli.frame import Frame, Group, a_path, pass_frame
from fsgov.cli.reviewing import Review
from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.policy import Policy

DIRECTIONS = ("inbound", "outbound", "internal")
FILE = click.argument("file", type=a_path(), required=False)


@click.group(cls=Group, example="fsgov policy check ./policy.toml")
def policy() -> None:
    """The policy: check it, show it, ask what it would decide.

    FILE is a policy document; without it, policy.file of the configuration.
    """


@policy.command(example="fsgov policy check --strict /etc/fsgov/policy.toml")
@FILE
@click.option("--strict", is_flag=True, help="Warnings fail as well.")
@pass_frame
def check(frame: Frame, file: Path | None, strict: bool) -> None:
    """Whether the document holds together and its own tests come out; every fault at once.

    Refused are rules that are never reached. Rules that contradict each other in some calls, and those whose
    question cannot obtain what a floor asks for, may be meant: they are warnings.
    """
    found = load(frame, file)
    tenants = frame.settings.tenants if file is None or frame.config is not None else {}
    told = Review.of(found, tenants or None)
    rules, tests = len(found.rules), len(found.trials)
    facts = {
        "version": found.version,
        "sha256": found.sha256,
        "rules": rules,
        "tests": tests,
        "failures": [str(failure) for failure in told.failures],
        "findings": told.findings,
        "laws": [{"name": law.name, "reviewed_on": law.reviewed_on} for law in found.laws.values()],
        "overrides": found.overrides,
    }
    if frame.json:
        output.print_json(facts)
    elif not strict:
        told.warn(output.print_line)
    told.raise_any(found.version, strict=strict)
    if not frame.json:
        for override in found.overrides:
            output.print_line(f"override: {override}")
        counted = f"{rules} rules, {tests} tests hold"
        if told.warnings:
            counted += f", {len(told.warnings)} warning{'s' * (len(told.warnings) != 1)}"
        output.print_line(f"version {found.version} ({found.sha256[:16]}): {counted}")


@policy.command(example="fsgov policy show")
@FILE
@pass_frame
def show(frame: Frame, file: Path | None) -> None:
    """Rules in their order, purposes and laws."""
    found = load(frame, file)
    if frame.json:
        output.print_json({"version": found.version, "sha256": found.sha256, "text": found.text})
        return
    output.print_facts(
        {
            "version": found.version,
            "sha256": found.sha256,
            "timezone": found.timezone,
            "laws": [
                f"{law.name} (reviewed {law.reviewed_on}, not legal advice)" for law in found.laws.values()
            ],
            "overrides": list(found.overrides),
        }
    )
    click.echo()
    output.print_rows(
        list(enumerate(found.rules, 1)),
        {
            "": lambda row: row[0],
            "rule": lambda row: row[1].name,
            "record": lambda row: row[1].record,
            "consent": lambda row: row[1].consent,
            "purposes": lambda row: row[1].purposes,
            "vault": lambda row: row[1].vault,
        },
    )
    click.echo()
    output.print_rows(
        list(found.purposes.values()),
        {
            "purpose": lambda row: row.name,
            "basis": lambda row: row.basis,
            "at least": lambda row: row.retain_min,
            "at most": lambda row: row.retain_max,
            "from": lambda row: row.anchor.event,
        },
    )


@policy.command(example="fsgov policy explain --caller +493012345 --dialled +4930901820")
@FILE
@click.option("--caller", default="", help="Who calls, E.164 or as dialled.")
@click.option("--dialled", required=True, help="What was dialled.")
@click.option("--direction", type=click.Choice(DIRECTIONS), default="inbound", show_default=True)
@click.option(
    "--tenant",
    default="",
    help="Default: by the number that was dialled.",
    shell_complete=completing.tenants,
)
@click.option("--variable", "variables", multiple=True, metavar="NAME=VALUE", help="A channel variable.")
@click.option(
    "--crm",
    multiple=True,
    metavar="NAME=VALUE",
    help="A CRM fact of the party outside; unreachable: the CRM could not be asked about it.",
)
@click.option("--queue", default="", help="The queue that the caller waits in.")
@click.option("--agent", default="", metavar="USER", help="Who of yours is on the call.")
@click.option("--tag", "tags", multiple=True, help="A tag that the call was given.")
@click.option(
    "--at", default="", metavar="'YYYY-MM-DD HH:MM'", help="When, in the policy's zone. Default: now."
)
@pass_frame
def explain(
    frame: Frame,
    file: Path | None,
    caller: str,
    dialled: str,
    direction: str,
    tenant: str,
    variables: tuple[str, ...],
    crm: tuple[str, ...],
    queue: str,
    agent: str,
    tags: tuple[str, ...],
    at: str,
) -> None:
    """What would be decided about a call, and why: every rule tried, every floor applied."""
    from fsgov.policy import CallDirection, describe, tenant_of
    from fsgov.policy import explain as trace_of
    from fsgov.policy.trials import UNREACHABLE

    found = load(frame, file)
    tenants = frame.settings.tenants if file is None else {}
    if tenant and file is None and tenant not in {*tenants, "default"}:
        raise BadUsage("There is no such tenant", tenant, f"one of {', '.join({*tenants, 'default'})}")
    whose = tenants.get(tenant) if tenant else tenant_of(tenants.values(), "", dialled)
    unreachable = crm == (UNREACHABLE,)
    inputs = describe(
        direction=CallDirection(direction),
        caller=caller,
        dialled=dialled,
        tenant=whose.name if whose else tenant or "default",
        region=whose.region if whose else "",
        variables=_pairs(variables, "--variable"),
        crm=_pairs(crm, "--crm") if crm and not unreachable else None,
        unreachable=unreachable,
        queue=queue,
        agent=agent,
        tags=tags,
        at=_moment(at, found.timezone),
        call="explain",
    )
    trace = trace_of(found, inputs)
    if frame.json:
        output.print_json(trace.to_json())
        return
    for line in trace.text(inputs).splitlines():
        output.print_line(line)


@policy.command("export-dialplan", example="fsgov policy export-dialplan")
@FILE
@pass_frame
def export_dialplan(frame: Frame, file: Path | None) -> None:
    """What the switch does at the gate when fsgov does not answer, by number, as a dialplan.

    Of a rule counts on_failure: hangup turns the call away, everything else lets it go on unrecorded. Include
    the file in the switch's dialplan beside gate.xml, and write it anew when the policy changes.
    """
    from fsgov.policy.failing import dialplan, failures

    found = load(frame, file)
    tenants = frame.settings.tenants if file is None or frame.config is not None else {}
    regions = [tenant.region for tenant in tenants.values()]
    if frame.json:
        modes = [
            {"rule": each.rule, "mode": each.mode, "expression": each.expression}
            for each in failures(found, regions)
        ]
        output.print_json({"version": found.version, "sha256": found.sha256, "failures": modes})
        return
    click.echo(dialplan(found, regions), nl=False)


def load(frame: Frame, file: Path | None) -> Policy:
    """The policy of a file, or of the configuration. Raises BadConfiguration."""
    from fsgov import config

    if file is not None:
        return config.load_policy(file)
    settings = frame.settings
    found = config.load_policy(settings.policy.file, settings.regions)
    config.check_keeping(found, settings.vaults)
    return found


def _moment(text: str, timezone: str) -> int:
    """When the call begins, µs since the epoch."""
    from fsgov.policy.windows import instant

    if not text:
        return time.time_ns() // 1_000
    at = instant(text, timezone)
    if at is None:
        raise BadUsage("--at takes 'YYYY-MM-DD HH:MM'", text)
    return at


def _pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise BadUsage(f"{option} takes NAME=VALUE", text)
        pairs[name] = value
    return pairs
