"""What goes into an evidence bundle: sealed objects, rows, policies, certificates, lines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsgov.bundle import layout
from fsgov.cli import exporting
from fsgov.cli.frame import Frame
from fsgov.errors import Damaged

if TYPE_CHECKING:
    from fsgov.catalog.bundling import Bundling, LoggedLine
    from fsgov.catalog.desk import Desk
    from fsgov.catalog.rows import CheckpointRow, SegmentRow
    from fsgov.envelope import Identity

GONE = ("missing", "destroying", "destroyed")
"""States of a recording without an object to put in."""
Rows = Mapping[str, list[Any] | None]


def recording(
    frame: Frame,
    desk: Desk,
    place: Path,
    row: SegmentRow,
    identities: Sequence[Identity],
    need: exporting.Need,
    seen: Callable[[int], None],
) -> None:
    """The sealed object; with an identity the audio too, and what opens it, after an access."""
    from fsgov.envelope import unseal, unwrap_identity
    from fsgov.vault import verified

    if row.state in GONE:
        return
    key, version, size, digest = exporting.stored_at(row)
    sealed = _new(place, f"recordings/{row.segment}.age")
    with exporting.audio_bucket(frame.settings, row.vault) as bucket, sealed.open("xb") as file:
        for block in verified(exporting.counted(bucket.get(key, version), seen), digest, size):
            file.write(block)
    if not identities:
        return
    _, released = exporting.release(desk, row.segment, need)
    own = unwrap_identity(released.wrapped_key, identities)
    with sealed.open("rb") as source, _new(place, f"recordings/{row.segment}.wav").open("xb") as audio:
        found = unseal(source, audio, [own])
    if row.audio_sha256 not in (found.sha256, None):
        raise Damaged("The recording is not the one that was sealed", row.segment)
    write(place, f"keys/{row.segment}.txt", f"{own}\n")


def artefacts(frame: Frame, desk: Desk, place: Path, rows: Sequence[SegmentRow]) -> None:
    from fsgov.vault import verified

    for made in desk.artefacts.of([row.segment for row in rows]):
        if made.state == "stored":
            with exporting.audio_bucket(frame.settings, made.vault) as bucket:
                blocks = bucket.get(made.object_key, made.version_id or "")
                content = b"".join(verified(blocks, made.sealed_sha256, made.sealed_size))
            write(place, f"artefacts/{made.artefact}.age", content)


def rows_of(desk: Desk, place: Path, rows: Sequence[SegmentRow]) -> Rows:
    """Rows, policies and certificates; the rows again, for what they name."""
    segments = [row.segment for row in rows]
    found = desk.bundling.rows(rows[0].call, segments)
    write(place, layout.ROWS, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    for policy in sorted(_policies(found)):
        write(place, f"policies/{policy}.toml", desk.policy(policy))
    for certificate in desk.bundling.certificates(segments):
        write(place, f"certificates/{certificate.segment}.json", certificate.body)
    return found


def _policies(rows: Rows) -> set[str]:
    """The digests of every policy that a decision rests on."""
    found = {
        row["policy_sha256"]
        for table in ("calls", "segments")
        for row in rows[table] or ()
        if row["policy_sha256"]
    }
    for call in rows["calls"] or ():
        pending = [call["inputs"]] if isinstance(call["inputs"], list) else []
        while pending:
            for ground in pending.pop():
                if isinstance(ground, list):
                    pending.append(ground)
                else:
                    found.add(ground["policy"])
    return found


def lines_of(frame: Frame, desk: Desk, place: Path, rows: Rows) -> tuple[str, list[LoggedLine]]:
    """Every line about the call, of the log (id and lines are the answer) and of those before it."""
    *former, (log_id, size) = desk.bundling.logs()
    words = [*words_of(rows), *(earlier for earlier, _ in former)]  # and the lines that name those logs
    with frame.bar("looking through the log", size + sum(each for _, each in former), "lines") as seen:
        lines = list(desk.bundling.lines(log_id, size, words, seen))
        for earlier, length in former:
            found = list(desk.bundling.lines(earlier, length, words, seen))
            checkpoint = desk.bundling.newest(earlier)
            covered = [line for line in found if checkpoint is not None and line.seq < checkpoint.size]
            if checkpoint is not None and covered:
                _former(desk.bundling, place, covered, checkpoint)
    write(place, layout.LINES, jsonl(lines))
    decided = [json.loads(each.line) for each in lines if b'"type":"fsgov.call.decided.v1"' in each.line]
    for policy in sorted({str(entry["data"]["policy"]) for entry in decided}):
        if not (place / f"policies/{policy}.toml").exists():
            write(place, f"policies/{policy}.toml", desk.policy(policy))
    return log_id, lines


def words_of(rows: Rows) -> list[str]:
    """What a line about the call has in it: the id of the call, or of something that is about it."""
    (call,) = {row["call"] for table in ("calls", "segments") for row in rows[table] or ()}
    words = {call, f"{call}-"}
    words |= {row["artefact"] for row in rows["artefacts"] or ()}
    words |= {row["plan"] for row in rows["plan_items"] or ()}
    words |= {row["id"] for row in rows["holds"] or ()}
    words |= {_digest(row["segments"]) for row in rows["rotation_batches"] or ()}
    words |= _policies(rows)
    return sorted(words)


def _digest(segments: Sequence[str]) -> str:
    """As a line tells which keys were given out together."""
    return hashlib.sha256("\n".join(segments).encode()).hexdigest()


def _former(bundling: Bundling, place: Path, lines: Sequence[LoggedLine], checkpoint: CheckpointRow) -> None:
    """Lines of a log that ended with a restore, with the proof by its last checkpoint."""
    name = f"{layout.FORMER}{checkpoint.log_id}"
    write(place, f"{name}.jsonl", jsonl(lines))
    write(place, f"{name}.paths", paths_text(bundling, checkpoint, [line.seq for line in lines]))
    write(place, f"{name}.checkpoint", checkpoint.note)


def paths_text(bundling: Bundling, checkpoint: CheckpointRow, numbers: Sequence[int]) -> str:
    """The ways of these lines to the root of the checkpoint. Raises Damaged where they lead elsewhere."""
    from fsgov.merkle import inclusion_proofs

    leaves = bundling.leaves(checkpoint.log_id, checkpoint.size)
    size, root, proofs = inclusion_proofs(leaves, set(numbers))
    if (size, root) != (checkpoint.size, checkpoint.root):
        raise Damaged("The log is not what was signed", checkpoint.log_id, "fsgov events verify --live")
    return layout.paths_text(size, [layout.Way(seq, tuple(proofs[seq])) for seq in numbers])


def _new(place: Path, name: str) -> Path:
    path = place / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    return path


def write(place: Path, name: str, content: str | bytes) -> None:
    with _new(place, name).open("xb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def jsonl(lines: Sequence[LoggedLine]) -> bytes:
    return b"".join(line.line + b"\n" for line in lines)
