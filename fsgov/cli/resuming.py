"""`fsgov purge lost|settle|resume`: what a restore has lost of people's acts; then purge goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, pass_frame
from fsgov.cli.purging import YES
from fsgov.cli.scheduling import purge
from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.catalog.lost import Lost, RestoreRow

__all__ = ["purge"]
AN_ACT = re.compile(r"[0-9A-Za-z._-]{1,120}")


@contextmanager
def looking(frame: Frame) -> Iterator[Lost]:
    """What this person sees of it."""
    from fsgov.catalog.lost import Lost

    with frame.database() as dsn, closing(Lost(dsn)) as lost:
        yield lost


@purge.command(example="fsgov purge lost --open")
@click.option("--open", "only_open", is_flag=True, help="Only what purge still waits for.")
@pass_frame
def lost(frame: Frame, only_open: bool) -> None:
    """Acts at desks that a restored dump has lost, as the copy of the log tells them.

    Purge begins nothing until each that is open is settled and two persons have let it go on. For
    supervisor, privacy, auditor and ops of every tenant.
    """
    with looking(frame) as person:
        waiting = [row for row in person.restores() if row.resumed_at is None]
        acts = person.acts(only_open=only_open)
    if frame.json:
        output.print_json({"restores": waiting, "acts": acts})
        return
    if not waiting:
        output.print_line("purge does not wait: no restored dump has to be looked at")
        return
    output.print_rows(
        acts,
        {
            "act": lambda row: row.id,
            "type": lambda row: row.type,
            "of": lambda row: row.subject,
            "at": lambda row: row.at,
            "by": lambda row: row.actor,
            "state": lambda row: row.state,
            "said": _said,
        },
    )
    for row in waiting:
        output.print_line(_known(row))


def _said(row: Any) -> str:
    if row.why:
        return str(row.why)
    return ", ".join(f"{name} {output.cell(value)}" for name, value in sorted(row.facts.items()))


def _known(row: RestoreRow) -> str:
    """What no line tells of."""
    known = "no checkpoint" if row.known_to is None else output.cell(row.known_to)
    if not row.copied:
        what = "no copy of the lost lines is there: nobody knows what was done, ask who was at work"
    else:
        what = f"what was done after {known} is in no copy that is proven: ask who was at work"
    asked = f"; {row.asked_by} has asked that purge go on" if row.asked_by else ""
    return f"{row.id}, taken up {output.cell(row.taken_up_at)}: {what}{asked}"


@purge.command(example="fsgov purge settle p-abcdefghijkl.17 --reason 'the call is adopted, its anchor set'")
@click.argument("act", metavar="ACT")
@click.option(
    "--reason", required=True, help="What was done instead, or why nothing is; kept in the row alone."
)
@pass_frame
def settle(frame: Frame, act: str, reason: str) -> None:
    """Deal with an act that a restore has lost: it was done again, or is not needed any more.

    ACT is its id in `purge lost`. For supervisor and privacy of every tenant.
    """
    if not AN_ACT.fullmatch(act):
        raise BadUsage("This is no id of an act", repr(act[:60]), "fsgov purge lost shows ids")
    with looking(frame) as person:
        person.settle(act, reason)
    frame.said(f"{act} is settled", {"act": act})


@purge.command(
    example="fsgov purge resume --reason 'asked everybody who was at work'\nfsgov purge resume --approve"
)
@click.option("--reason", default="", help="What was done about the time that no line tells of.")
@click.option("--approve", is_flag=True, help="As another login: let purge go on.")
@YES
@pass_frame
def resume(frame: Frame, reason: str, approve: bool, yes: bool) -> None:
    """Let purge go on after a restore: one login asks, another approves.

    Asking is for supervisor and privacy, approving for privacy, of every tenant. Refused while an act of
    purge lost is open.
    """
    if approve == bool(reason):
        raise BadUsage("Ask with a reason, or approve", "", "--reason, or --approve as another login")
    with looking(frame) as person:
        if not yes:
            what = "Let purge go on" if approve else "Ask that purge go on"
            click.confirm(f"{what} after the restore?", abort=True, err=True)
        restore = person.approve() if approve else person.ask(reason)
    words = "purge goes on" if approve else "now somebody else: fsgov purge resume --approve"
    frame.said(f"{restore}: {words}", {"restore": restore, "resumed": approve})
