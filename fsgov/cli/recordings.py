"""`fsgov recordings`: what was recorded, exact copies of it, and whether the vault still has it."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, Group, a_call, a_path, pass_frame, write_new
from fsgov.errors import BadUsage, Conflict, FsgovError, NotFound

if TYPE_CHECKING:
    from fsgov.catalog.desk import Desk
    from fsgov.catalog.rows import SegmentRow
    from fsgov.cli.exporting import Copy, Need
    from fsgov.envelope import Identity

ARTEFACT = "d-"
"""How the id of an artefact begins."""
STATES = ("stored", "quarantined", "missing", "destroying", "destroyed")
IDENTITY = click.option(
    "--identity", type=a_path(), help="File with the age identity of a recipient; else FSGOV_IDENTITY."
)
CASE = click.option("--case", default="", help="With --purpose complaint: the open case that it is for.")


@click.group(cls=Group, example="fsgov recordings list --state stored")
def recordings() -> None:
    """What was recorded: find it, export it, verify it.

    ID is a segment, or a call and then each of its segments.
    """


@recordings.command("list", example="fsgov recordings list --state quarantined")
@click.option("--call", help="Of this call.")
@click.option("--state", type=click.Choice(STATES))
@click.option("--hold", help="That this hold keeps.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_frame
def list_(frame: Frame, call: str | None, state: str | None, hold: str | None, limit: int) -> None:
    """The newest recordings first."""
    with frame.desk() as desk:
        found = desk.segments(call=call and a_call(call), state=state, hold=hold, limit=limit)
    frame.rows(
        found,
        {
            "opened": lambda row: row.opened_at,
            "segment": lambda row: row.segment,
            "state": lambda row: f"{row.state}: {row.quarantine}" if row.quarantine else row.state,
            "length": lambda row: None if row.ms is None else f"{row.ms / 1000:.1f} s",
            "purposes": lambda row: row.purposes,
            "pauses": lambda row: row.mask_proof,
            "vault": lambda row: row.vault,
            "held": lambda row: row.held,
        },
        "no such recordings",
    )


@recordings.command(example="fsgov recordings show 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01")
@click.argument("id_", metavar="ID")
@pass_frame
def show(frame: Frame, id_: str) -> None:
    """Everything about a recording: what was checked, where it is sealed, what it may serve, when it ends.

    Kept, held or to be destroyed, as retention list judges it now, with every reason; anchors, locks of
    vaults, plans, and the certificate where it is destroyed.
    """
    from fsgov.cli.fates import fates_of, in_words

    with frame.desk() as desk:
        rows = segments_of(desk, id_)
    fates = fates_of(frame, [(row.segment, row.state) for row in rows])
    if frame.json:
        output.print_json([output.plain(row) | {"retention": fates[row.segment]} for row in rows])
        return
    for place, row in enumerate(rows):
        if place:
            click.echo()
        facts = {name.replace("_", " "): value for name, value in output.plain(row).items()}
        output.print_facts(facts | in_words(fates[row.segment]))


@recordings.command(
    example="fsgov recordings export 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab \\\n"
    "    --purpose evidence --reason 'complaint 17' --identity ./identity.txt --output ./calls"
)
@click.argument("id_", metavar="ID")
@click.option("--purpose", required=True, help="One of the recording's purposes; the log keeps it.")
@CASE
@click.option("--reason", required=True, help="Why it is needed; kept beside the access.")
@click.option(
    "--recipient", default="", help="Who gets the copy; else nobody but you. The manifest names them."
)
@click.option("--output", "target", type=a_path(), required=True, help="A directory, or a new .wav file.")
@IDENTITY
@click.option("--as-found", is_flag=True, help="Exactly as the switch wrote it, with a broken header too.")
@click.option("--evidence", is_flag=True, help="A bundle that proves its life, in a new directory.")
@click.option("--key", help="With --evidence: the log's public key, as its line or a file.")
@pass_frame
def export(
    frame: Frame,
    id_: str,
    purpose: str,
    case: str,
    reason: str,
    target: Path,
    identity: Path | None,
    as_found: bool,
    evidence: bool,
    recipient: str,
    key: str | None,
) -> None:
    """Write the exact audio to a file, and a manifest beside it.

    The access is in the log before the key is released; key and audio are opened here, with your identity.
    A file appears only when every byte of it was proven. A header that the switch could not close is
    repaired in the copy, and the manifest states both digests; --as-found leaves it.

    With --evidence: everything that proves the life of the recording, alive or destroyed, which recordings
    prove checks anywhere. Without an identity the recording is in it sealed, and nothing is opened.
    """
    from fsgov.cli import artefacts, bundling, exporting

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no half of a file is left
    need = exporting.Need(purpose, reason, recipient, case)
    if evidence:
        found = exporting.identities_of(identity)
        bundling.export(frame, id_, target, found, key, need)
        return
    identities = _needed(exporting.identities_of(identity))
    if id_.startswith(ARTEFACT):
        artefacts.export(frame, a_call(id_), need, target, identities)
        return
    settings = frame.settings
    copies = []
    with frame.desk() as desk:
        rows = segments_of(desk, id_)
        files = _files(rows, target)
        with frame.bar("exporting", exporting.sealed_size(row for row, _ in files), "bytes") as seen:
            for row, path in files:
                with exporting.audio_bucket(settings, row.vault) as bucket:
                    key, version, _, _ = exporting.stored_at(row)
                    bucket.stat(key, version)
                    access, released = exporting.release(desk, row.segment, need)
                    copy = exporting.export(bucket, row, released, identities, path, seen, as_found=as_found)
                manifest = _manifest(row, copy, access, need, desk.login)
                write_new(_beside(path), json.dumps(output.plain(manifest), indent=2) + "\n", 0o600)
                copies.append({**manifest, "file": path.absolute(), "manifest": _beside(path).absolute()})
    if frame.json:
        output.print_json(copies)
        return
    for told in copies:
        words = f"header repaired, as stored {told['stored_sha256']}" if told["repaired"] else "exact"
        output.print_line(f"{told['file']}  {told['size']} bytes  SHA-256 {told['sha256']}  ({words})")


def _needed(identities: tuple[Identity, ...]) -> tuple[Identity, ...]:
    if not identities:
        raise BadUsage(
            "No identity to open the recording with",
            "neither --identity nor FSGOV_IDENTITY names a file",
            "it is what `fsgov keys generate recipient` wrote",
        )
    return identities


def _files(rows: list[SegmentRow], target: Path) -> list[tuple[SegmentRow, Path]]:
    """Which recording goes where; those without audio go nowhere. Raises Conflict, BadUsage."""
    stored = [row for row in rows if row.state != "missing"]
    if not stored:
        raise Conflict("There was no audio to store", ", ".join(row.segment for row in rows))
    if target.suffix == ".wav" and not target.is_dir():
        if len(stored) > 1:
            raise BadUsage(
                "Several recordings do not fit one file", f"{len(stored)} segments", "--output a directory"
            )
        files = [(stored[0], target)]
    else:
        files = [(row, target / f"{row.segment}.wav") for row in stored]
    for _, path in files:
        for new in (path, _beside(path)):
            if new.exists():
                raise Conflict("The file is there already", str(new), "name another; none is overwritten")
    return files


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _manifest(row: SegmentRow, copy: Copy, access: str, need: Need, login: str) -> dict[str, Any]:
    """What this copy is, for whoever gets it."""
    return {
        "segment": row.segment,
        "call": row.call,
        "tenant": row.tenant,
        "access": access,
        "exported_by": login,
        "exported_at": datetime.now(UTC),
        **need.facts(),
        "recipient": need.recipient or login,
        "file": copy.file.name,
        "size": copy.size,
        "sha256": copy.sha256,
        "stored_sha256": copy.stored_sha256,
        "repaired": copy.repaired,
        "opened_at": row.opened_at,
        "closed_at": row.closed_at,
        "ms": row.ms,
        "truncated": row.truncated,
        "start_lost_ms": row.start_lost_ms,
        "lost_ms": row.lost_ms,
        "rule": row.rule,
        "policy_sha256": row.policy_sha256,
        "purposes": row.purposes,
        "basis": row.basis,
        "consents": row.consents,
        "evidence": row.evidence,
        "parties": row.parties,
        "mask_proof": row.mask_proof,
        "findings": row.findings,
        "sealed": {
            "vault": row.vault,
            "key": row.object_key,
            "version_id": row.version_id,
            "size": row.sealed_size,
            "sha256": row.sealed_sha256,
        },
    }


@recordings.command(example="fsgov recordings verify 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@IDENTITY
@click.option("--purpose", default="audit", show_default=True, help="With an identity: of the access.")
@CASE
@click.option(
    "--reason", default="integrity check", show_default=True, help="With an identity: of the access."
)
@pass_frame
def verify(
    frame: Frame, ids: tuple[str, ...], identity: Path | None, purpose: str, case: str, reason: str
) -> None:
    """Whether the vault has what the rows say: the stored version, its length, the SHA-256 of its bytes.

    And whether the consents it rests on are as they were when it was opened; and the same of what was made of
    it. With an identity it is opened too, and the audio's SHA-256 compared: that is an access, and logged.
    """
    from fsgov.cli import exporting, verifying

    identities = exporting.identities_of(identity)
    need = exporting.Need(purpose, reason, case=case)
    settings = frame.settings
    verdicts = []
    faults: list[FsgovError] = []
    with frame.desk() as desk:
        rows = [row for id_ in ids for row in segments_of(desk, id_)]
        with frame.bar("verifying", exporting.sealed_size(rows), "bytes") as seen:
            for row in rows:
                verdict = {"segment": row.segment, "object": "nothing was stored", "audio": "-"}
                at = "object"
                try:
                    if row.state != "missing":
                        verdict |= verifying.object_of(settings, desk, row, identities, need, seen)
                    at = "consents"
                    verdict[at] = verifying.consents_of(desk, row)
                except FsgovError as fault:
                    verdict[at] = str(fault)
                    faults.append(fault)
                verdicts.append(verdict)
            verdicts += verifying.children(settings, desk, rows, identities, need, seen, faults)
    names = ("segment", "artefact", "object", "audio", "consents")
    frame.rows(verdicts, {name: _field(name) for name in names})
    verifying.refuse(faults, len(rows), len(verdicts))


def _field(name: str) -> Any:
    return lambda row: row.get(name, "-")


def segments_of(desk: Desk, id_: str) -> list[SegmentRow]:
    """The segment of this id, or the segments of the call. Raises NotFound."""
    try:
        return [desk.segment(a_call(id_))]
    except NotFound:
        pass
    found = desk.segments(call=id_, limit=10_000)
    if found:
        return sorted(found, key=lambda row: row.n)
    desk.call(id_)
    raise NotFound("This call has no recording", id_, f"fsgov calls show {id_}")
