"""Whether the audio in a bundle is what the log tells of, is what was sealed, and is silent where paused."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from fsgov import media
from fsgov.bundle.layout import ROWS, damaged
from fsgov.bundle.told import Bundle, Proven, Row
from fsgov.envelope import parse_identities, unseal
from fsgov.errors import FsgovError

PIECE = 1 << 20


def proven(bundle: Bundle, seen: Callable[[int], None]) -> Iterator[Proven]:
    """What the files of each recording prove. Raises Damaged where they contradict row or line."""
    for row in bundle.table("segments"):
        yield from _of(bundle, row, seen)


def _of(bundle: Bundle, row: Row, seen: Callable[[int], None]) -> Iterator[Proven]:
    name = str(row["segment"])
    wav, sealed, key = f"recordings/{name}.wav", f"recordings/{name}.age", f"keys/{name}.txt"
    if sealed in bundle.digests and bundle.digests[sealed] != row.get("sealed_sha256"):
        raise damaged(sealed, "it is not the object that was stored")
    if wav not in bundle.digests:
        if row["state"] == "missing":
            says = "there was none to store"
        elif row["state"] in ("destroying", "destroyed"):
            says = "destroyed"
        else:
            says = "sealed, not opened" if sealed in bundle.digests else "not in this bundle"
        yield Proven(f"audio of {name}", says)
        return
    if row.get("audio_sha256") not in (None, bundle.digests[wav]):
        raise damaged(wav, "it is not the audio that was recorded")
    says = "as the switch wrote it"
    if sealed in bundle.digests and key in bundle.digests:
        if _opened(bundle.directory / sealed, bundle.directory / key, seen) != bundle.digests[wav]:
            raise damaged(wav, "it is not what the sealed object holds")
        says += ", and what the sealed object holds"
    yield Proven(f"audio of {name}", says)
    result, said = _masks(bundle, row, bundle.directory / wav)
    if row.get("mask_proof") == "proven" and result != "proven":
        raise damaged(ROWS, f"the pauses of {name} are not silent")
    if result != "none":
        yield Proven(f"pauses of {name}", "silent in the audio" if result == "proven" else "; ".join(said))


def _opened(sealed: Path, key: Path, seen: Callable[[int], None]) -> str:
    """SHA-256 of what the sealed object holds; "" where its key does not open it."""
    try:
        identities = parse_identities(key.read_text(encoding="ascii"))
        with sealed.open("rb") as file:
            return unseal(file, _Counted(seen), identities).sha256
    except (FsgovError, UnicodeDecodeError):
        return ""


class _Counted(io.BytesIO):
    """Keeps nothing of what is written to it, and tells how much it was."""

    def __init__(self, seen: Callable[[int], None]) -> None:
        super().__init__()
        self._seen = seen

    def write(self, part: Any) -> int:
        self._seen(len(part))
        return len(part)


def _masks(bundle: Bundle, row: Row, wav: Path) -> tuple[str, tuple[str, ...]]:
    """What the audio says of the pauses in it."""
    masks = [
        media.Mask(mask["by"], mask["from_ms"], mask["to_ms"], mask["acknowledged_at"] is not None)
        for mask in bundle.table("masks")
        if mask["segment"] == row["segment"]
    ]
    with wav.open("rb") as file:
        head = file.read(media.HEAD)
        examined = media.examine(head, wav.stat().st_size, row.get("reported_ms"), row.get("reported_size"))
        found = media.prove(lambda due: _pieces(file, due), masks, examined)
    return found.result, found.findings


def _pieces(file: IO[bytes], due: Sequence[media.Span]) -> Iterator[tuple[int, bytes]]:
    for span in due:
        file.seek(span.first)
        at = span.first
        while at < span.last and (piece := file.read(min(PIECE, span.last - at))):
            yield at, piece
            at += len(piece)
