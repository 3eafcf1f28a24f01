"""`fsgov recordings export --evidence`: the bundle that proves the life of a recording.

The order is the proof: rows, lines and files are written; the digest of their list becomes a line of the log;
keep signs the log; the way from each line to the signed root is added; and the whole is verified as anybody
will, before it gets its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fsgov import bundle as bundles
from fsgov.bundle import layout, readme
from fsgov.cli import collecting, exporting
from fsgov.cli.collecting import jsonl, paths_text, write
from fsgov.cli.events import public_keys
from fsgov.cli.frame import Frame
from fsgov.cli.recordings import segments_of
from fsgov.errors import BadUsage, Conflict, Damaged, NotPermitted, Unreachable

if TYPE_CHECKING:
    from fsgov.catalog.bundling import Bundling, LoggedLine
    from fsgov.catalog.rows import CheckpointRow
    from fsgov.envelope import Identity
    from fsgov.merkle import PublicKey

Found = TypeVar("Found")
SIGNED_WITHIN = 180.0
"""Seconds in which keep moves a line into the log and signs it; it signs each minute."""
POLL = 0.25
WHO = "it is for privacy and auditor of every tenant"


def export(
    frame: Frame,
    id_: str,
    target: Path,
    identities: Sequence[Identity],
    key_text: str | None,
    need: exporting.Need,
) -> None:
    """Write the bundle of a recording, or of every recording of a call, into the new directory `target`."""
    if key_text is None or not need.recipient.strip() or not need.reason.strip():
        raise BadUsage(
            "Evidence is for somebody, for a reason, and signed by a known key",
            "--recipient, --reason or --key is missing",
            "--recipient 'regulator' --key log.key.pub",
        )
    keys = public_keys(key_text)
    if target.exists():
        raise Conflict("The directory is there already", str(target), "name another; none is overwritten")
    with frame.desk() as desk, _fresh(target) as place:
        who = desk.whoami()
        if "*" not in who.tenants or not {"privacy", "auditor"} & {*who.roles}:
            raise NotPermitted("Evidence is not for this login", who.login, WHO)
        rows = segments_of(desk, id_)
        key, handovers = _signing(desk.bundling, keys)
        with frame.bar("sealed objects", exporting.sealed_size(rows), "bytes") as seen:
            for row in rows:
                collecting.recording(frame, desk, place, row, identities, need, seen)
        collecting.artefacts(frame, desk, place, rows)
        told = collecting.rows_of(desk, place, rows)
        former = [log_id for log_id, _ in desk.bundling.logs()[:-1]]
        words = [*collecting.words_of(told), *former]
        _awaited(frame, lambda: desk.bundling.waiting(words) == 0, "lines about this call wait for the log")
        log_id, lines = collecting.lines_of(frame, desk, place, told)
        made_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        about = {
            "format": layout.FORMAT,
            "call": rows[0].call,
            "segments": [row.segment for row in rows],
            "log_id": log_id,
            "recipient": need.recipient,
            **need.facts(),
            "made_by": desk.login,
            "made_at": made_at,
            "random": os.urandom(16).hex(),
        }
        write(place, layout.MANIFEST, json.dumps(about, indent=2) + "\n")
        write(place, layout.KEY, f"{key}\n")
        write(place, layout.KEY_PEM, layout.pem(key))
        if handovers:
            write(place, layout.HANDOVERS, b"\n".join(handovers))
        _readme(place, about)
        digests = {name: _digest(path) for name, path in _files(place)}
        sums = layout.sums_text(digests).encode()
        write(place, layout.SUMS, sums)
        digest = hashlib.sha256(sums).hexdigest()
        segments = [row.segment for row in rows]
        bundle, own = desk.bundling.enter(rows[0].call, segments, digest, need.recipient, need.reason)
        _anchor(frame, desk.bundling, place, key, lines, own)
        report = bundles.verify(place, keys)
        place.rename(target)
    facts = {"bundle": bundle, "directory": target.absolute(), "call": report.call, "segments": segments,
             "sha256": digest, "files": report.files, "lines": report.lines, "log_id": report.log_id,
             "seq": report.seq}  # fmt: skip
    frame.said(f"{bundle}: {report.files} files and {report.lines} lines in {target}, signed", facts)


def _signing(bundling: Bundling, keys: Sequence[PublicKey]) -> tuple[PublicKey, list[bytes]]:
    """Who signs the log now: one of these, or whom they have handed over to; and all handovers of the log.

    Raises Damaged where it is somebody else.
    """
    from fsgov.merkle import Signers, stated

    newest = bundling.newest(bundling.logs()[-1][0])
    if newest is None:
        return keys[-1], []
    signers, note = Signers(keys), newest.note.encode()
    handovers = bundling.handovers(newest.log_id, newest.size)
    try:
        signers.follow(handovers, stated(note))
        hands_over = signers.open(note).successor is not None
    except Damaged as fault:
        detail = f"{newest.log_id}: {fault.detail}"
        raise Damaged("Another key signs the log", detail, "--key: what `fsgov keys list` shows") from None
    return signers.entitled[0], handovers + [note] * hands_over


@contextmanager
def _fresh(target: Path) -> Iterator[Path]:
    """A directory beside the target; nothing is left of it unless it was renamed."""
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as fault:
        raise BadUsage("The bundle cannot be written", f"{target}: {fault.strerror}") from None
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _readme(place: Path, about: dict[str, Any]) -> None:
    page = readme.text(
        call=about["call"],
        segments=about["segments"],
        recipient=about["recipient"],
        reason=about["reason"],
        made_by=about["made_by"],
        made_at=about["made_at"],
        files=[name for name, _ in _files(place)],
    )
    write(place, layout.README, page)


# -- the proof -------------------------------------------------------------------------------------------


def _anchor(
    frame: Frame,
    bundling: Bundling,
    place: Path,
    key: PublicKey,
    lines: Sequence[LoggedLine],
    own: tuple[str, int],
) -> None:
    """Wait until the bundle's own line is signed; then the way of each line to the signed root."""
    from fsgov.merkle import alone, only

    line = _awaited(frame, lambda: bundling.placed(*own), "the line of the bundle waits for the log")

    def covering() -> CheckpointRow | None:
        found = bundling.newest(line.log_id)
        return found if found is not None and found.size > line.seq else None

    checkpoint = _awaited(frame, covering, "the line of the bundle waits for its signature")
    note = only(checkpoint.note.encode(), key)
    text, signature = alone(note, key)
    write(place, layout.ANCHOR, jsonl([line]))
    write(place, layout.PATHS, paths_text(bundling, checkpoint, [*(each.seq for each in lines), line.seq]))
    write(place, layout.NOTE, note)
    write(place, layout.SIGNED, text)
    write(place, layout.SIGNATURE, signature)


def _awaited(frame: Frame, found: Callable[[], Found | None], what: str) -> Found:
    """What `found` answers, when it does. Raises Unreachable where keep takes too long."""
    until = time.monotonic() + SIGNED_WITHIN
    told = frame.json
    while not (answer := found()):
        if time.monotonic() > until:
            raise Unreachable(
                "keep does not sign the log",
                what,
                "a bundle needs keep at work: fsgov status; then try again",
            )
        if not told:
            click.echo(f"{what} (keep signs each minute)", err=True)
            told = True
        time.sleep(POLL)
    return answer


def _files(place: Path) -> list[tuple[str, Path]]:
    return sorted((path.relative_to(place).as_posix(), path) for path in place.rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
