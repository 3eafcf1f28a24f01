"""`fsgov recordings copy|move|drop|copies`: where recordings lie, and where else they are wanted.

People ask, keep does it: no desk needs the right to write into a vault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from fsgov.cli.frame import Frame, a_call, pass_frame
from fsgov.cli.inforce import DRY_RUN, YES
from fsgov.cli.proving import recordings
from fsgov.cli.recordings import segments_of
from fsgov.errors import BadConfiguration, Conflict, FsgovError

if TYPE_CHECKING:
    from fsgov.catalog.placing import Placing
    from fsgov.catalog.rows import SegmentRow

__all__ = ["recordings"]

Act = Callable[["SegmentRow"], str]
REASON = click.option("--reason", required=True, help="Why; kept beside the copy, not in the log.")


@contextmanager
def placing(frame: Frame) -> Iterator[Placing]:
    """This person's questions and acts."""
    from fsgov.catalog.placing import Placing

    with frame.database() as dsn, closing(Placing(dsn)) as person:
        yield person


@recordings.command(
    example="fsgov recordings copy 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab --to dr --reason 'second site'"
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--to", "vault", required=True, help="The vault that is to have it as well.")
@REASON
@DRY_RUN
@pass_frame
def copy(frame: Frame, ids: tuple[str, ...], vault: str, reason: str, dry_run: bool) -> None:
    """Ask for copies of recordings in another vault; keep makes them, and proves each by reading it back.

    keep refuses what residency forbids there, by the policy of the recording and by the one in force. A copy
    has the lock of its original, and is destroyed with it. For ops or privacy, of every tenant.
    """
    _asked(frame, ids, vault, reason, moving=False, dry_run=dry_run, yes=True)


@recordings.command(
    example="fsgov recordings move 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab --to eu2 --reason 'leaving eu' --yes"
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--to", "vault", required=True, help="The vault that is to have it instead.")
@REASON
@YES
@DRY_RUN
@pass_frame
def move(frame: Frame, ids: tuple[str, ...], vault: str, reason: str, yes: bool, dry_run: bool) -> None:
    """Ask that recordings are moved into another vault; the old place is emptied when the new one is proven.

    Where a lock or a hold is on what is left behind, that stays until it is over, and is told by `recordings
    copies`. Into a vault that has a copy already: that copy becomes the recording. For ops or privacy.
    """
    _asked(frame, ids, vault, reason, moving=True, dry_run=dry_run, yes=yes)


@recordings.command(
    example="fsgov recordings drop 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab --from dr --reason 'one site' --yes"
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--from", "vault", required=True, help="The vault whose copy is to go.")
@REASON
@YES
@DRY_RUN
@pass_frame
def drop(frame: Frame, ids: tuple[str, ...], vault: str, reason: str, yes: bool, dry_run: bool) -> None:
    """Remove copies, never the recording itself: keep proves that one whole before it removes a copy.

    For ops or privacy, of every tenant.
    """
    rows = _stored(frame, ids)
    if not _goes_on(f"remove {len(rows)} copies from {vault}", yes, dry_run):
        return
    with placing(frame) as person:
        _each(frame, rows, vault, lambda row: person.drop(row.segment, vault, reason), "leaves")


@recordings.command(
    example="fsgov recordings copies\nfsgov recordings copies 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01"
)
@click.argument("id_", metavar="[ID]", required=False)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_frame
def copies(frame: Frame, id_: str | None, limit: int) -> None:
    """In which vaults a recording lies, how it is locked there, and what is still to be done.

    Without ID: copies that are being made or removed, or were refused, and why.
    """
    with placing(frame) as person:
        found = person.copies(id_ and a_call(id_), limit)
    frame.rows(
        found,
        {
            "segment": lambda row: row.segment,
            "vault": lambda row: row.vault,
            "state": lambda row: f"{row.state}, to be the recording" if row.moving else row.state,
            "locked until": lambda row: None if row.until is None else f"{row.until:%Y-%m-%d} {row.mode}",
            "stored": lambda row: row.stored_at,
            "why": lambda row: row.said,
        },
        "no such copies",
    )


def _asked(
    frame: Frame, ids: tuple[str, ...], vault: str, reason: str, *, moving: bool, dry_run: bool, yes: bool
) -> None:
    if vault not in frame.settings.vaults:
        known = ", ".join(frame.settings.vaults) or "none"
        hint = "exports would not find it"
        raise BadConfiguration("The vault is not configured here", f"vault.{vault}, known: {known}", hint)
    rows = _stored(frame, ids)
    act = "move" if moving else "copy"
    if not _goes_on(f"{act} {len(rows)} recordings to {vault}", yes, dry_run):
        return
    with placing(frame) as person:
        _each(frame, rows, vault, lambda row: person.ask(row.segment, vault, moving, reason), "asked")


def _stored(frame: Frame, ids: tuple[str, ...]) -> list[SegmentRow]:
    """The recordings that there is audio of. Raises NotFound, Conflict where there is none."""
    with frame.desk() as desk:
        rows = [row for id_ in ids for row in segments_of(desk, id_) if row.object_key is not None]
    if not rows:
        raise Conflict("There was no audio to store", ", ".join(ids))
    return rows


def _goes_on(words: str, yes: bool, dry_run: bool) -> bool:
    if dry_run:
        click.echo(f"would {words}")
        return False
    if not yes:
        click.confirm(f"{words}?", abort=True)
    return True


def _each(frame: Frame, rows: list[SegmentRow], vault: str, act: Act, done: str) -> None:
    """Each on its own; what is refused holds up no other. Raises the first refusal, when all were tried."""
    told, faults = list[tuple[str, str, str]](), list[FsgovError]()
    for row in rows:
        try:
            told.append((row.segment, act(row), done))
        except FsgovError as fault:
            told.append((row.segment, "", str(fault)))
            faults.append(fault)
    if len(rows) == 1 and faults:
        raise faults[0]
    frame.rows(
        [
            {"segment": segment, "vault": vault, "copy": copy, "result": result}
            for segment, copy, result in told
        ],
        {
            "segment": lambda row: row["segment"],
            "vault": lambda row: row["vault"],
            "copy": lambda row: row["copy"],
            "result": lambda row: row["result"],
        },
    )
    if faults:
        first = faults[0]
        raise type(first)(f"{len(faults)} of {len(rows)} were refused", first.message, first.hint)
