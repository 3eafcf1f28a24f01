"""`fsgov check`: whether this host or desk could work as it is configured, one line for each thing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from fsgov.cli import output
from fsgov.cli.frame import Command, Frame, pass_frame
from fsgov.errors import NotFound, NotPermitted

if TYPE_CHECKING:
    from fsgov.checks import Finding
    from fsgov.config import Settings

PARTS = ("govern", "ship", "keep")


@click.command(cls=Command, example="fsgov check\nfsgov check --part ship --json")
@click.option("--part", type=click.Choice(PARTS), help="Only what this part needs, as the user it runs as.")
@pass_frame
def check(frame: Frame, part: str | None) -> None:
    """Try every part for real: switch, database, vaults, keys, spool, policy, clock. One line each.

    The exit code is the first failure's. Vaults are tried with objects of fsgov's own below probe/, which are
    removed again where that is permitted; the spool with a file of its own; nothing else is written.
    On a desk (no [switch] password, no --part) only what a desk needs is looked at.
    """
    from fsgov.checks import Finding

    settings = frame.settings
    findings = []
    for finding in chain([Finding("configuration", "ok", str(settings.path))], looks(frame, settings, part)):
        findings.append(finding)
        if not frame.json:
            output.print_line(line(finding))  # at once: a part that is away takes its seconds
    if frame.json:
        output.print_json(findings)
    failed = [finding for finding in findings if finding.state == "failed"]
    if failed:
        raise click.exceptions.Exit(failed[0].code)


def line(finding: Finding) -> str:
    """A finding for people: what, how it is, the facts, and what to do."""
    detail = "; ".join(finding.detail.splitlines())
    words = f"{finding.message}: {detail}" if detail else finding.message
    hint = f"  (hint: {finding.hint})" if finding.hint else ""
    return f"{finding.state:<8} {finding.of:<18} {words}{hint}"


def looks(frame: Frame, settings: Settings, part: str | None) -> Iterator[Finding]:
    from fsgov.checks import gathered, on_host

    if part or settings.switch.password:
        yield from on_host(settings, part or "")
        return
    yield from gathered("desk", desk(frame))
    for name in settings.vaults:
        yield from gathered(f"vault.{name}", readable(settings, name))


def desk(frame: Frame) -> Iterator[Finding]:
    """Who this is to the database."""
    from fsgov.checks import ok

    with frame.desk() as desk:
        who = desk.whoami()
    if who.person is None:
        raise NotFound("this login is nobody fsgov knows", who.login, f"fsgov people add {who.login} …")
    roles = ", ".join(role.removeprefix("fsgov_") for role in who.roles) or "no role"
    yield ok("desk", f"{who.login} is {who.person}", f"{roles}; tenants {', '.join(who.tenants)}")


def readable(settings: Settings, name: str) -> Iterator[Finding]:
    """A desk can list the audio bucket; what it may read shows when it exports."""
    from fsgov.checks import ok, warning
    from fsgov.cli.exporting import audio_bucket

    of, url = f"vault.{name}", settings.vaults[name].url
    with audio_bucket(settings, name) as bucket:
        try:
            next(bucket.list("log/"), None)
        except NotPermitted:
            yield warning(of, f"{url} may not be listed", hint="exports only need to read objects")
            return
    yield ok(of, f"{url} can be listed")
