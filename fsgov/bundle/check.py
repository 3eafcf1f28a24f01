"""Whether a bundle is what the log has signed: every file, every line, the signature. Then what it proves.

The chain: a key from elsewhere → the signed checkpoint → its root → the line of the log that has the digest
of SHA256SUMS → the digest of every file. The other lines are proven to be under the same root one by one.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsgov.bundle import acts, audio, facts, layout
from fsgov.bundle.layout import damaged
from fsgov.bundle.told import Bundle, Line, Proven
from fsgov.errors import Damaged
from fsgov.merkle import Checkpoint, PublicKey, Signers, alone, leaf_hash, open_note, stated, verify_inclusion
from fsgov.verify import read_notes

Seen = Callable[[int], None]
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Report:
    """What a bundle proves. time: of the signature, by the signer's clock. seq: of the bundle's line."""

    call: str
    segments: tuple[str, ...]
    log_id: str
    size: int
    seq: int
    time: str
    files: int
    lines: int
    proven: tuple[Proven, ...]


def verify(directory: Path, keys: Sequence[PublicKey], seen: Seen = lambda _: None) -> Report:
    """What the bundle in `directory` proves. Nothing but its files and `keys` is asked.

    Raises Damaged at the first thing that is not what was signed, NotFound where it is no bundle.
    seen: is told how many bytes were read since it was told last.
    """
    files = layout.files_of(directory)
    for name in (*layout.PROOF, layout.LINES, layout.ROWS, layout.KEY):
        if name not in files:
            raise damaged(name, "it is missing")
    checkpoint = _signed(files, keys)
    paths = layout.read_paths(_text(files[layout.PATHS]), checkpoint.size)
    lines = _lines(files[layout.LINES])
    anchors = _lines(files[layout.ANCHOR])
    if len(anchors) != 1:
        raise damaged(layout.ANCHOR, "it is not one line")
    _under(layout.LINES, [*lines, *anchors], paths, checkpoint)
    digests = _digests(files, anchors[0], seen)
    bundle = Bundle(
        directory=directory,
        digests=digests,
        about=_json(files[layout.MANIFEST]),
        rows=_json(files[layout.ROWS]),
        lines=(
            *_former(files, keys),
            *(Line(path.seq, _entry(line)) for path, line in zip(paths, lines, strict=False)),
        ),
    )
    try:
        about = facts.checked_manifest(bundle, _entry(anchors[0]), checkpoint)
        proven = (*facts.proven(bundle), *acts.proven(bundle), *audio.proven(bundle, seen))
    except (LookupError, TypeError, ValueError, AttributeError) as fault:
        why = f"its rows or lines are not those of fsgov ({type(fault).__name__}: {fault})"
        raise damaged(layout.ROWS, why[:200]) from None
    return Report(
        call=about.call,
        segments=about.segments,
        log_id=checkpoint.log_id,
        size=checkpoint.size,
        seq=paths[-1].seq,
        time=checkpoint.time,
        files=len(digests),
        lines=len(bundle.lines),
        proven=proven,
    )


def _under(name: str, lines: Sequence[bytes], ways: Sequence[layout.Way], checkpoint: Checkpoint) -> None:
    """Each line is in the log of the checkpoint, and they are in its order. Raises Damaged."""
    if len(ways) != len(lines):
        raise damaged(name, "there is not one way for each line")
    for way, line in zip(ways, lines, strict=True):
        if not verify_inclusion(leaf_hash(line), way.seq, checkpoint.size, way.hashes, checkpoint.root):
            raise damaged(name, f"line {way.seq} is not in the log")
    numbers = [way.seq for way in ways]
    if numbers != sorted(set(numbers)):
        raise damaged(name, "its lines are not in the order of the log")


def _former(files: dict[str, Path], keys: Sequence[PublicKey]) -> Iterator[Line]:
    """The lines of logs that ended with a restore; their checkpoints may have other signatures as well."""
    for name, path in files.items():
        if not name.startswith(layout.FORMER) or path.suffix != ".jsonl":
            continue
        log_id = name.removeprefix(layout.FORMER).removesuffix(".jsonl")
        beside = [files.get(f"{layout.FORMER}{log_id}.{suffix}") for suffix in ("paths", "checkpoint")]
        if beside[0] is None or beside[1] is None:
            raise damaged(name, "its proof is missing")
        try:
            checkpoint = Checkpoint.parse(open_note(_bytes(beside[1]), keys))
        except Damaged as fault:
            raise damaged(name, fault.detail) from None
        if checkpoint.log_id != log_id:
            raise damaged(name, "its checkpoint is of another log")
        lines = _lines(path)
        ways = layout.read_paths(_text(beside[0]), checkpoint.size)
        _under(name, lines, ways, checkpoint)
        yield from (Line(way.seq, _entry(line)) for way, line in zip(ways, lines, strict=True))


def _signed(files: dict[str, Path], keys: Sequence[PublicKey]) -> Checkpoint:
    """The checkpoint, signed by one key and nobody else; the bundle's own key is that one.

    It is one of `keys`, or one that they have handed over to.
    """
    note = _bytes(files[layout.NOTE])
    fault: Damaged | None = None
    for key in _entitled(files, note, keys):
        try:
            text, signature = alone(note, key)
        except Damaged as error:
            fault = error
            continue
        expected = {
            layout.SIGNED: text,
            layout.SIGNATURE: signature,
            layout.KEY: f"{key}\n".encode(),
            layout.KEY_PEM: layout.pem(key).encode(),
        }
        for name, content in expected.items():
            if name not in files or _bytes(files[name]) != content:
                raise damaged(name, "it is not what signed the checkpoint, or not what was signed")
        return Checkpoint.parse(text.decode())
    assert fault is not None, "no key to check with"
    raise damaged(layout.NOTE, fault.detail)


def _entitled(files: dict[str, Path], note: bytes, keys: Sequence[PublicKey]) -> Sequence[PublicKey]:
    """Who may have signed this checkpoint."""
    if layout.HANDOVERS not in files:
        return keys
    signers = Signers(keys)
    try:
        signers.follow(read_notes(io.BytesIO(_bytes(files[layout.HANDOVERS]))), stated(note))
    except Damaged as fault:
        raise damaged(layout.HANDOVERS, fault.detail) from None
    return signers.entitled


def _digests(files: dict[str, Path], anchor: bytes, seen: Seen) -> dict[str, str]:
    """Digest of every file that was signed. Raises Damaged where one is another, missing, or too many."""
    sums = _bytes(files[layout.SUMS])
    if _entry(anchor)["data"].get("sha256") != hashlib.sha256(sums).hexdigest():
        raise damaged(layout.SUMS, "it is not the list that the log tells")
    listed = layout.read_sums(sums.decode("ascii", "replace"))
    there = set(files) - layout.PROOF - {layout.SUMS}
    for name in sorted(there ^ set(listed)):
        raise damaged(name, "it is missing" if name in listed else "nobody signed it")
    for name, digest in listed.items():
        found = hashlib.sha256()
        with files[name].open("rb") as file:
            while piece := file.read(PIECE):
                found.update(piece)
                seen(len(piece))
        if found.hexdigest() != digest:
            raise damaged(name, "its digest is another")
    return listed


def _lines(path: Path) -> list[bytes]:
    """The exact lines of a file, each ended by a newline."""
    content = _bytes(path)
    lines = content.split(b"\n")
    if lines.pop() != b"" or b"" in lines:
        raise damaged(path.name, "a line of it is not whole")
    return lines


def _entry(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
        if isinstance(found["data"], dict) and isinstance(found["type"], str):
            return dict(found)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise damaged(layout.LINES, "a line of it is no entry of a log")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(path))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise damaged(path.name, "it is no JSON object")
    return found


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("ascii")
    except UnicodeDecodeError:
        raise damaged(path.name, "it is not ASCII") from None


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > layout.SMALL:
        raise damaged(path.name, "it is too large to be what it should be")
    return path.read_bytes()
