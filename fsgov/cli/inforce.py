"""`fsgov policy activate|approve|rollback|history|diff|test`: what is in force, since when, by whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsgov.cli import completing, output
from fsgov.cli.frame import Frame, a_path, pass_frame
from fsgov.cli.policies import FILE, load, policy
from fsgov.cli.reviewing import Review, tests_fail
from fsgov.errors import Conflict, NotFound

if TYPE_CHECKING:
    from fsgov.catalog.inforce import Acting, ActivationRow
    from fsgov.policy import Policy
    from fsgov.policy.difference import Change

__all__ = ["acting", "policy"]

YES = click.option("--yes", is_flag=True, help="Do not ask.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@contextmanager
def acting(frame: Frame) -> Iterator[Acting]:
    """This person's acts in the catalog."""
    from fsgov.catalog.inforce import Acting

    with frame.database() as dsn, closing(Acting(dsn)) as person:
        yield person


# -- looking -----------------------------------------------------------------------------------------------


@policy.command(example="fsgov policy test /etc/fsgov/policy.toml")
@FILE
@pass_frame
def test(frame: Frame, file: Path | None) -> None:
    """Run the document's own [[test]] tables, and tell each; 3 where one does not come out."""
    from fsgov.policy import run_tests

    found = load(frame, file)
    failures = run_tests(found)
    results = [
        {
            "test": trial.name,
            "holds": not any(failure.test == trial.name for failure in failures),
            "failures": [
                f"{failure.of} is {failure.decided}, expected {failure.expected}"
                for failure in failures
                if failure.test == trial.name
            ],
        }
        for trial in found.trials
    ]
    frame.rows(
        results,
        {
            "test": lambda row: row["test"],
            "": lambda row: "holds" if row["holds"] else "FAILS",
            "why": lambda row: row["failures"],
        },
        "the document has no [[test]]",
    )
    if failures:
        raise tests_fail(failures)


@policy.command(example="fsgov policy diff in-force /etc/fsgov/policy.toml")
@click.argument("old", shell_complete=completing.policies)
@click.argument("new", shell_complete=completing.policies)
@pass_frame
def diff(frame: Frame, old: str, new: str) -> None:
    """What changes between two policies, by key; rules are compared by their names.

    OLD and NEW are files, versions or beginnings of digests of the catalog, or in-force.
    """
    from fsgov.policy.difference import difference

    changes = difference(text_of(frame, old), text_of(frame, new))
    tell(frame, changes)


@policy.command(example="fsgov policy history")
@pass_frame
def history(frame: Frame) -> None:
    """Every policy that was proposed or in force, the newest first; who and when."""
    with acting(frame) as person:
        rows = person.history()
    frame.rows(
        rows,
        {
            "version": lambda row: row.version,
            "sha256": lambda row: row.sha256[:16],
            "state": lambda row: row.state,
            "since": lambda row: row.activated_at,
            "proposed by": lambda row: row.proposed_by,
            "proposed": lambda row: row.proposed_at,
            "approved by": lambda row: row.approved_by,
        },
        "none was activated: each host has its own policy.file in force",
    )


# -- acting ------------------------------------------------------------------------------------------------


@policy.command(example="fsgov policy activate /etc/fsgov/policy.toml")
@click.argument("file", type=a_path())
@YES
@DRY_RUN
@pass_frame
def activate(frame: Frame, file: Path, yes: bool, dry_run: bool) -> None:
    """Put a policy in force on every host, for new calls; what changes is shown first.

    Refused where `policy check` refuses it. Where the document or the one in force says approval =
    "two_persons", it waits for somebody else's `policy approve`. For the role privacy, of every tenant.
    """
    from fsgov import config

    found = config.load_policy(file, frame.settings.regions or None)
    config.check_keeping(found, frame.settings.vaults)
    _reviewed(frame, found)
    with acting(frame) as person:
        _activate(frame, person, found, yes, dry_run)


@policy.command(example="fsgov policy approve 2026-11-21")
@click.argument("version")
@YES
@DRY_RUN
@pass_frame
def approve(frame: Frame, version: str, yes: bool, dry_run: bool) -> None:
    """Put a policy in force that somebody else has proposed; what changes is shown first.

    VERSION is its version or the beginning of its digest. For the roles privacy and supervisor, of every
    tenant; never for the login that proposed it.
    """
    from fsgov.policy import parse

    with acting(frame) as person:
        rows = person.history()
        waiting = next(
            (
                row
                for row in rows
                if row.state == "proposed" and (row.version == version or _begins(row.sha256, version))
            ),
            None,
        )
        if waiting is None:
            raise NotFound("No such policy waits for approval", version, "fsgov policy history")
        before = in_force(rows)
        text = person.stored(waiting.sha256)[1]
        parse(text, f"version {waiting.version}")
        facts = {"version": waiting.version, "sha256": waiting.sha256, "state": "in force"}
        question = f"Put {waiting.version} ({waiting.sha256[:16]}) of {waiting.proposed_by} in force?"
        if _agreed(frame, person, before, text, question, facts, yes, dry_run):
            person.approve(waiting.sha256, before.sha256 if before else None)
            frame.said(f"{waiting.version} is in force for new calls", facts)


@policy.command(example="fsgov policy rollback 2026-10-01")
@click.argument("version", required=False)
@YES
@DRY_RUN
@pass_frame
def rollback(frame: Frame, version: str | None, yes: bool, dry_run: bool) -> None:
    """Put an older policy in force again: a new activation, under the same rule of approval.

    VERSION is a version or the beginning of a digest; without it, what was in force before.
    """
    from fsgov.policy import parse

    with acting(frame) as person:
        if version is None:
            rows = person.history()
            now = in_force(rows)
            former = [row for row in rows if row.state == "replaced" and now and row.sha256 != now.sha256]
            if not former:
                raise Conflict("There is no policy to go back to", "", "fsgov policy history")
            version = former[0].sha256
        sha256, text = person.stored(version)
        found = parse(text, f"stored as {sha256[:16]}")
        _reviewed(frame, found)
        _activate(frame, person, found, yes, dry_run)


def _activate(frame: Frame, person: Acting, found: Policy, yes: bool, dry_run: bool) -> None:
    before = in_force(person.history())
    facts = {"version": found.version, "sha256": found.sha256, "state": "in force"}
    question = f"Activate {found.version} ({found.sha256[:16]})?"
    if not _agreed(frame, person, before, found.text, question, facts, yes, dry_run):
        return
    instead_of = before.sha256 if before else None
    _, activated = person.activate(found.version, found.text, found.approval.value, instead_of)
    if activated:
        frame.said(f"{found.version} is in force for new calls", facts)
        return
    facts["state"] = "proposed"
    frame.said(f"{found.version} waits for somebody else: fsgov policy approve {found.version}", facts)


def _agreed(
    frame: Frame,
    person: Acting,
    before: ActivationRow | None,
    text: str,
    question: str,
    facts: dict[str, str],
    yes: bool,
    dry_run: bool,
) -> bool:
    """The changes are shown, and this person wants them. Aborts where they say no."""
    from fsgov.policy.difference import difference

    if before is None:
        click.echo("The first activation: until now each host has its own policy.file in force.", err=True)
    else:
        for change in difference(person.stored(before.sha256)[1], text):
            click.echo(output.clean(str(change)), err=True)
    if dry_run:
        state = {**facts, "state": "not done"}
        frame.said(f"would put {facts['version']} ({facts['sha256'][:16]}) in force", state)
        return False
    if not yes:
        click.confirm(question, abort=True, err=True)
    return True


def _reviewed(frame: Frame, found: Policy) -> None:
    told = Review.of(found, frame.settings.tenants or None)
    told.warn(lambda line: click.echo(output.clean(line), err=True))
    told.raise_any(found.version)


def in_force(rows: Sequence[ActivationRow]) -> ActivationRow | None:
    """The activation that counts now."""
    return next((row for row in rows if row.state == "in force"), None)


def tell(frame: Frame, changes: list[Change]) -> None:
    """The changes, a line each."""
    if frame.json:
        output.print_json(changes)
        return
    for change in changes:
        output.print_line(str(change))
    if not changes:
        output.print_line("they say the same")


def _begins(sha256: str, name: str) -> bool:
    return len(name) >= 8 and sha256.startswith(name)


def text_of(frame: Frame, name: str) -> str:
    """The complete text that a file, a version, a digest or in-force means."""
    from fsgov import config

    if Path(name).is_file():
        return config.load_policy(Path(name)).text
    with acting(frame) as person:
        if name != completing.IN_FORCE:
            return person.stored(name)[1]
        now = in_force(person.history())
        if now is None:
            raise NotFound("No policy was activated", "each host has its own policy.file in force", "")
        return person.stored(now.sha256)[1]
