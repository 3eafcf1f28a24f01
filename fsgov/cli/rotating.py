"""`fsgov keys rotate|approve|rewrap|confirm|undo|rotations`: old recordings for other recipients."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsgov.cli.frame import Frame, a_path, pass_frame
from fsgov.cli.keyring import identities_of, key_buckets, opened, recipients_of, vault_of
from fsgov.cli.keys import keys
from fsgov.errors import BadUsage, Conflict, Damaged, NotFound

if TYPE_CHECKING:
    from fsgov.catalog.rotating import Rotating, RotationRow
    from fsgov.rotation import Outcome

__all__ = ["keys"]

YES = click.option("--yes", is_flag=True, help="Do not ask.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
IDENTITIES = click.option(
    "--identity",
    type=a_path(),
    multiple=True,
    help="File with age identities; may be repeated. Else FSGOV_IDENTITY.",
)
ID = re.compile(r"r-[a-z]{8,20}")
FAULTS = 20
"""Faults that are told one by one; --json has them all."""


@contextmanager
def rotating(frame: Frame) -> Iterator[Rotating]:
    """This person's part in rotations."""
    from fsgov.catalog.rotating import Rotating

    with frame.database() as dsn, closing(Rotating(dsn)) as person:
        yield person


@keys.command(example="fsgov keys rotate --vault eu --reason 'bob has left'")
@click.option("--vault", "name", metavar="NAME", help="Whose keys; not needed where there is one vault.")
@click.option("--reason", required=True, help="Why; kept in the row, never in the log.")
@YES
@DRY_RUN
@pass_frame
def rotate(frame: Frame, name: str | None, reason: str, yes: bool, dry_run: bool) -> None:
    """Ask that the keys of a vault's recordings be sealed to the recipients that its configuration names now.

    No key leaves the database before another login has approved (keys approve); then keys rewrap does it. For
    the role privacy, of every tenant. It undoes no compromise: who had the old identity and a wrapped key has
    the audio.
    """
    if not reason.strip():
        raise BadUsage("A rotation needs a reason", "--reason is empty", "say why; it stays in the row")
    vault = vault_of(frame.settings, name)
    wanted = sorted(recipient.fingerprint for recipient in recipients_of(vault))
    with rotating(frame) as person:
        counts = [row for row in person.counts() if row.vault == vault.name and not row.prior]
        other = sum(row.keys for row in counts if sorted(row.recipients) != wanted)
        facts = {"vault": vault.name, "recipients": wanted, "keys": sum(row.keys for row in counts)}
        facts |= {"to_wrap": other, "rotation": None, "done": False}
        told = f"{other} of {facts['keys']} keys of vault.{vault.name} to {', '.join(wanted)}"
        if dry_run:
            frame.said(f"would seal {told}", facts)
            return
        if not yes:
            click.confirm(f"Ask to seal {told}?", abort=True, err=True)
        id_ = person.ask_for(vault.name, wanted, reason)
    frame.said(
        f"{id_} waits for another login: fsgov keys approve {id_}", facts | {"rotation": id_, "done": True}
    )


@keys.command(example="fsgov keys approve r-mafbbkhlknck")
@click.argument("rotation")
@YES
@DRY_RUN
@pass_frame
def approve(frame: Frame, rotation: str, yes: bool, dry_run: bool) -> None:
    """Let somebody else's rotation begin: who asked for it may then have every wrapped key of the vault.

    Compare the fingerprints with those of the identities that shall open recordings from now on (keys list).
    For the roles privacy and supervisor, of every tenant; never for the login that asked.
    """
    with rotating(frame) as person:
        asked = person.rotation(checked(rotation))
        told = f"{asked.to_wrap} keys of vault.{asked.vault} to {', '.join(asked.recipients)}"
        if not dry_run:
            if not yes:
                click.confirm(f"Let {asked.asked_by} seal {told} ({asked.reason})?", abort=True, err=True)
            person.approve(asked.id)
    said = (
        f"would approve {asked.id}: {told}"
        if dry_run
        else f"{asked.asked_by} may now: fsgov keys rewrap {asked.id}"
    )
    frame.said(said, {"rotation": asked.id, "recipients": asked.recipients, "done": not dry_run})


@keys.command(example="fsgov keys rewrap r-mafbbkhlknck --identity ./old.txt --identity ./new.txt")
@click.argument("rotation")
@IDENTITIES
@pass_frame
def rewrap(frame: Frame, rotation: str, identity: tuple[Path, ...]) -> None:
    """Open the wrapped keys with the old identity, and seal them to the rotation's recipients.

    On the machine that has the old identity; it needs one of the new identities as well, to open what it has
    sealed, and a login for the key bucket (vault.NAME.keys, credentials: put, read, lock). Each batch is in
    the log before its keys leave the database. Run it again after any interruption: it goes on. What each key
    was before is kept until keys confirm.
    """
    from fsgov.rotation import wrap

    identities = identities_of(identity)
    with rotating(frame) as person:
        row = person.rotation(checked(rotation))
        settings = vault_of(frame.settings, row.vault)
        recipients = recipients_of(settings)
        if sorted(recipient.fingerprint for recipient in recipients) != sorted(row.recipients):
            raise Conflict(
                "The configuration names other recipients than the rotation",
                f"vault.{row.vault}.recipients; the rotation is to {', '.join(row.recipients)}",
                "what was approved is what is done: configure those, or undo and ask again",
            )
        with opened(settings) as vault, frame.bar("sealing anew", row.to_wrap, "lines") as seen:
            done = wrap(person, vault, row.id, identities, recipients, os.urandom, seen)
        left = person.rotation(row.id)
    _told(frame, left, done, f"{done.keys} keys sealed anew", "another login: fsgov keys confirm " + row.id)


@keys.command(example="fsgov keys confirm r-mafbbkhlknck --identity ./new.txt")
@click.argument("rotation")
@IDENTITIES
@YES
@pass_frame
def confirm(frame: Frame, rotation: str, identity: tuple[Path, ...], yes: bool) -> None:
    """Open every key that was sealed anew, with its recording; then destroy what the keys were before.

    For another login than the one that did keys rewrap, with a new identity and a login that reads the audio
    bucket and lists and removes in the key bucket. Each identity that is named has to open every key: name
    that of the escrow, too, where it is at hand. A key that does not open its recording keeps both. When
    none is left the rotation has ended, and the old identity opens nothing any more but what copies have:
    dumps of the database, older versions under a lock, spools (spool.keep_sealed).
    """
    from fsgov.rotation import confirm as carry_out

    identities = identities_of(identity)
    with rotating(frame) as person:
        row = person.rotation(checked(rotation))
        if not yes:
            question = f"Destroy what {row.to_confirm} keys of vault.{row.vault} were before?"
            click.confirm(question, abort=True, err=True)
        settings = frame.settings
        with (
            opened(vault_of(settings, row.vault)) as vault,
            key_buckets(settings, row.vault) as others,
            frame.bar("opening", row.to_confirm, "lines") as seen,
        ):
            done = carry_out(person, vault, row.id, identities, seen, others)
        person.end(row.id)
        left = person.rotation(row.id)
    _told(frame, left, done, f"{done.keys} keys confirmed", "fsgov keys rewrap " + row.id)


@keys.command(example="fsgov keys undo r-mafbbkhlknck")
@click.argument("rotation")
@YES
@DRY_RUN
@pass_frame
def undo(frame: Frame, rotation: str, yes: bool, dry_run: bool) -> None:
    """End a rotation: keys that nobody has confirmed are sealed as they were before.

    No key leaves the database for it. For the role privacy, of every tenant.
    """
    with rotating(frame) as person:
        row = person.rotation(checked(rotation))
        if row.ended_as:
            raise Conflict(
                "This rotation has ended", f"{row.id}: {row.ended_as}", "fsgov keys rotate asks for another"
            )
        back = row.to_confirm
        if not dry_run:
            if not yes:
                click.confirm(f"Put {back} keys of vault.{row.vault} back?", abort=True, err=True)
            back = person.undo(row.id)
    said = f"{'would put' if dry_run else 'put'} {back} keys back"
    frame.said(said, {"rotation": row.id, "keys": back, "done": not dry_run})


@keys.command(example="fsgov keys rotations --all")
@click.option("--all", "all_", is_flag=True, help="Those that have ended, too.")
@pass_frame
def rotations(frame: Frame, all_: bool) -> None:
    """Rotations under way: to whom, by whom, and how many keys each has left.

    For the roles privacy, supervisor and auditor, of every tenant.
    """
    with rotating(frame) as person:
        found = person.rotations(ended=all_)
    frame.rows(
        found,
        {
            "id": lambda row: row.id,
            "vault": lambda row: row.vault,
            "state": lambda row: row.state,
            "to wrap": lambda row: row.to_wrap,
            "to confirm": lambda row: row.to_confirm,
            "recipients": lambda row: row.recipients,
            "by": lambda row: row.asked_by,
            "reason": lambda row: row.reason,
        },
        "no rotation is under way",
    )


def checked(rotation: str) -> str:
    """The same text, where it can be the id of a rotation. Raises BadUsage."""
    if not ID.fullmatch(rotation):
        raise BadUsage("This is no id of a rotation", repr(rotation[:40]), "fsgov keys rotations shows ids")
    return rotation


def _told(frame: Frame, row: RotationRow, done: Outcome, said: str, then: str) -> None:
    """What was done, what is left; ends with the fault of the keys that could not be dealt with."""
    facts = {
        "rotation": row.id,
        "state": row.state,
        "keys": done.keys,
        "changed": done.changed,
        "locked": done.locked,
        "to_wrap": row.to_wrap,
        "to_confirm": row.to_confirm,
        "faults": {segment: str(fault) for segment, fault in sorted(done.faults.items())},
    }
    words = [said, f"{row.to_wrap} left to wrap", f"{row.to_confirm} to confirm"]
    words += [f"{done.changed} changed meanwhile"] if done.changed else []
    words += [f"{done.locked} older versions are locked and stay"] if done.locked else []
    ended = f"{row.id} has ended" if row.ended_as else f"then {then}"
    frame.said(f"{', '.join(words)}; {ended}", facts)
    if done.faults:
        shown = [f"{segment}: {fault}" for segment, fault in sorted(done.faults.items())][:FAULTS]
        rest = len(done.faults) - len(shown)
        kind = NotFound if all(isinstance(fault, NotFound) for fault in done.faults.values()) else Damaged
        raise kind(
            f"{len(done.faults)} keys are as they were",
            "\n".join([*shown, *([f"and {rest} more (--json)"] if rest else [])]),
            "find the identity that opens them, and run it again; they hold up no other",
        )
