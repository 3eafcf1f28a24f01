"""Is this audio what we think it is: header, length, masks. Pure: bytes in, findings out.

What FreeSWITCH writes, measured: a WAV of 16-bit PCM with 44 bytes of header (more with a LIST chunk). While
it records, RIFF size is 8 and data size 0; they are set at the close. It writes in blocks of 64 KiB, so a
crash leaves an open header and 44 + n × 65,536 bytes; a full disk leaves a closed header and less audio than
was reported.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from fsgov.errors import Damaged

HEAD = 65_536
"""Bytes from the start of a file in which its header is looked for."""
BLOCK = 65_536
"""Bytes FreeSWITCH gathers before it writes: what a crash can take."""
GATHERED_MS = 500
"""It gathers 25 frames of 20 ms before the first write, with `enable_file_write_buffering=false` as well."""
EDGE_MS = 60
"""Left out at both ends of a mask: audio in flight when the command was sent, measured 0-45 ms."""
TOLERANCE_MS = 60
"""By how much the length on disk may differ from the one reported: three frames of 20 ms."""
_PCM = 1


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a WAV file."""

    encoding: int
    """1 is PCM."""
    channels: int
    rate: int
    """Samples per second and channel."""
    bits: int
    frame: int
    """Bytes of one moment, all channels."""
    start: int
    """Where the audio begins: 44 where there is no other chunk."""
    declared: int
    """Bytes of audio that the header names; 0 in a file that was never closed."""
    riff: int

    def closed(self, size: int) -> bool:
        """Whether the writer of a file of `size` bytes came to its end and set the sizes."""
        return self.declared > 0 or (size == self.start and self.riff == size - 8)

    def milliseconds(self, frames: int) -> int:
        return frames * 1000 // self.rate


def parse_header(head: bytes) -> Header:
    """What the first bytes of a WAV file say; Damaged when they are no WAV header with fmt and data chunk."""
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise Damaged("this is no WAV file", f"it begins with {head[:12].hex()}")
    riff = int.from_bytes(head[4:8], "little")
    at = 12
    shape: tuple[int, int, int, int, int, int] | None = None
    while at + 8 <= len(head):
        name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        if name == b"data":
            if shape is None:
                raise Damaged("the WAV header has no format", "data comes before fmt")
            encoding, channels, rate, _, frame, bits = shape
            if not (channels and rate and bits and frame == channels * ((bits + 7) // 8)):
                raise Damaged(
                    "the WAV header contradicts itself", f"{channels} × {bits} bit is not {frame} bytes"
                )
            return Header(encoding, channels, rate, bits, frame, at + 8, size, riff)
        if name == b"fmt " and size >= 16 and at + 24 <= len(head):
            shape = struct.unpack_from("<HHIIHH", head, at + 8)
        at += 8 + size + size % 2
    raise Damaged("the WAV header has no audio", "no data chunk in its first 64 KiB")


class Verdict(Enum):
    """What a file on disk is, before its masks are looked at."""

    SOUND = "sound"
    TRUNCATED = "truncated"
    """A crash or a full disk took the tail; what is there is good."""
    EMPTY = "empty"
    """No audio, though there should be some."""
    BROKEN = "broken"
    """Nothing that FreeSWITCH leaves behind, neither by closing nor by crashing."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file's head and length tell."""

    verdict: Verdict
    header: Header | None
    frames: int
    ms: int
    lost_ms: int | None
    """How much of its end is missing: at most so much where nobody reported a length; None: nothing tells."""
    findings: tuple[str, ...]


def examine(
    head: bytes,
    size: int,
    reported_ms: int | None = None,
    reported_size: int | None = None,
    *,
    wall_ms: int | None = None,
    unbuffered: bool = False,
) -> Examined:
    """Compare a file (`head`: its first 64 KiB, `size` bytes long) with what the switch reported at its end.

    reported_*: from RECORD_STOP; None where it never came (a crash of the switch, or a lost event).
    wall_ms: how long it can have run at most. unbuffered: the switch was told to write each frame at once.
    """
    if size == 0:
        return Examined(Verdict.EMPTY, None, 0, 0, reported_ms, ("the file has no byte",))
    try:
        header = parse_header(head)
    except Damaged as fault:
        return Examined(Verdict.BROKEN, None, 0, 0, reported_ms, (str(fault),))
    there = size - header.start
    audio = min(header.declared, there) if header.declared else there
    frames = audio // header.frame
    ms = header.milliseconds(frames)
    lost = _lost(header, size, ms, reported_ms, wall_ms, unbuffered)
    findings = list(_findings(header, size, frames, lost, (reported_ms, reported_size)))
    if _foreign_tail(header, there):
        verdict = Verdict.BROKEN
    elif frames == 0:
        verdict = Verdict.TRUNCATED if reported_ms is None and not header.closed(size) else Verdict.EMPTY
    elif not header.closed(size) or header.declared > there or (lost or 0) > TOLERANCE_MS:
        verdict = Verdict.TRUNCATED
    else:
        verdict = Verdict.SOUND
    return Examined(verdict, header, frames, ms, lost, tuple(findings))


def _lost(
    header: Header, size: int, ms: int, reported_ms: int | None, wall_ms: int | None, unbuffered: bool
) -> int | None:
    """By the report; else by what the writer may have held back; else by the header."""
    if reported_ms is not None:
        return max(0, reported_ms - ms)
    if not header.closed(size):
        most = GATHERED_MS if unbuffered else header.milliseconds(BLOCK // header.frame)
        return most if wall_ms is None else min(most, max(0, wall_ms - ms))
    missing = header.declared - (size - header.start)
    return header.milliseconds(missing // header.frame) if missing > 0 else None


def _findings(
    header: Header, size: int, frames: int, lost_ms: int | None, reported: tuple[int | None, int | None]
) -> Iterator[str]:
    (reported_ms, reported_size), ms, there = reported, header.milliseconds(frames), size - header.start
    if not header.closed(size):
        if reported_ms is None:
            yield f"the writer never closed it: up to {lost_ms} ms at its end are lost"
        else:
            yield "the header was left open although the switch reported its end"
    if header.declared > there:
        yield f"{header.declared - there} bytes that the header names are missing"
    if _foreign_tail(header, there):
        yield f"{there - header.declared} bytes after the audio are no chunk of a WAV file"
    if frames == 0:
        yield (
            "no audio is in it"
            if reported_ms is None
            else f"no audio is in it, {reported_ms} ms were reported"
        )
    elif reported_ms is not None and abs(reported_ms - ms) > TOLERANCE_MS:
        yield f"{ms} ms are on disk, {reported_ms} ms were reported"
    if reported_size is not None and reported_size != size:
        yield f"{size} bytes are on disk, {reported_size} bytes were reported"


def _foreign_tail(header: Header, there: int) -> bool:
    """Whether audio follows the audio: the RIFF size of a closed file covers whatever chunks follow."""
    tail = there - header.declared
    return header.declared > 0 and tail > 1 and header.riff + 8 < header.start + there - 1


# -- masks --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mask:
    """One pause of a segment, in milliseconds of the file."""

    by: str
    """`mask` (the switch wrote zeros) or `cut` (it left the audio out)."""
    from_ms: int
    to_ms: int | None
    """None: until the end of the file."""
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of the file, from the first to before the last, that have to be zero."""

    first: int
    last: int


def spans(masks: Iterable[Mask], header: Header, frames: int) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """Which bytes prove the acknowledged masks, and what can be said of the others.

    Each interval loses 60 ms at both ends and is clipped at the end of the file.
    """
    due: list[Span] = []
    said: list[str] = []
    for mask in masks:
        if not mask.acknowledged:
            said.append(f"the {mask.by} at {mask.from_ms} ms was never acknowledged: nothing to prove")
        elif mask.by != "mask":
            said.append(f"the {mask.by} at {mask.from_ms} ms was acknowledged; zeros cannot prove it")
        else:
            first = -(-(mask.from_ms + EDGE_MS) * header.rate // 1000)
            last = frames
            if mask.to_ms is not None:
                last = min(frames, (mask.to_ms - EDGE_MS) * header.rate // 1000)
            if first < last:
                due.append(Span(header.start + first * header.frame, header.start + last * header.frame))
            else:
                said.append(f"the mask at {mask.from_ms} ms is too short, or lies beyond the end of the file")
    return tuple(sorted(due, key=lambda span: span.first)), tuple(said)


def leak(pieces: Iterable[tuple[int, bytes]], due: Sequence[Span]) -> int | None:
    """The first byte inside the spans that is not zero, None when all of them are silence.

    pieces: offset and bytes; together they cover the spans, in order, in pieces of any size. Constant memory.
    """
    for at, piece in pieces:
        for span in due:
            first, last = max(span.first, at), min(span.last, at + len(piece))
            if first < last:
                inside = piece[first - at : last - at]
                if inside != bytes(len(inside)):
                    return first + len(inside) - len(inside.lstrip(b"\0"))
    return None


@dataclass(frozen=True, slots=True)
class Proof:
    """What the audio says of the pauses in it."""

    result: str
    """`proven`, `failed`, or `none` where no acknowledged mask had to be proven."""
    findings: tuple[str, ...]


def prove(
    read: Callable[[Sequence[Span]], Iterable[tuple[int, bytes]]], masks: Sequence[Mask], examined: Examined
) -> Proof:
    """Whether every acknowledged mask is silence in the file.

    read: gives the bytes of spans in pieces, as `leak` takes them; what does not lie in a span is never read.
    """
    masked = any(mask.by == "mask" and mask.acknowledged for mask in masks)
    header = examined.header
    if masked and examined.verdict is Verdict.BROKEN:
        return Proof("failed", ("a mask in a file whose parts are unclear cannot be proven",))
    if header is None:
        return Proof("none", ())
    due, said = spans(masks, header, examined.frames)
    if not masked:
        return Proof("none", said)
    if (header.encoding, header.bits) != (_PCM, 16):
        return Proof(
            "failed", (f"a mask in encoding {header.encoding} of {header.bits} bit cannot be proven",)
        )
    where = leak(read(due), due)
    if where is None:
        return Proof("proven", said)
    ms = header.milliseconds((where - header.start) // header.frame)
    return Proof("failed", (*said, f"audio at {ms} ms, where a mask was acknowledged"))


# -- exported copies ----------------------------------------------------------------------------------


def repair_header(head: bytes, size: int) -> bytes:
    """A header of the same length whose sizes fit a file of `size` bytes; unchanged where they already do.

    For exported copies only; the stored audio stays as FreeSWITCH wrote it. Damaged when it is no WAV header.
    """
    header = parse_header(head)
    own = head[: header.start]
    there = size - header.start
    if header.closed(size) and header.declared <= there:
        return own
    audio = min(there - there % header.frame, 0xFFFF_FFFF - header.start)
    riff = header.start - 8 + audio
    return own[:4] + riff.to_bytes(4, "little") + own[8:-4] + audio.to_bytes(4, "little")
