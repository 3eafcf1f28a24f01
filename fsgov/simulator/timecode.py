"""Audio that tells its own moment: 20 ms frames of 8 kHz, 16 bit, mono.

A frame carries 160 bits, one a sample (+LOUD is 1, -LOUD is 0), so no sample of a frame that was
captured is zero, and a masked one is zero throughout:

    magic 1 byte · leg 3 · hears 3 · moment 6 · prompt 1 · spare 2 · CRC-32 4   (big endian)

*leg* is the recorded leg's number in the world, *hears* the number of the leg it hears (0: nobody),
*moment* counts 20 ms since 1970, *prompt* is not 0 while an announcement is played to the leg.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

FRAME_SECONDS = 0.02
FRAME_SAMPLES = 160
FRAME_BYTES = 320
LOUD = 8191
_MAGIC = 0xA7
_BYTES = [
    b"".join(struct.pack("<h", LOUD if byte >> bit & 1 else -LOUD) for bit in range(7, -1, -1))
    for byte in range(256)
]
_BITS = {_BYTES[i]: i for i in range(256)}
SILENCE = bytes(FRAME_BYTES)


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame that was captured."""

    leg: int
    index: int
    hears: int = 0
    prompt: int = 0


@dataclass(frozen=True, slots=True)
class Zero:
    """A frame whose samples are all zero: masked."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Twenty milliseconds (or a shorter rest) that nobody encoded like this."""


Decoded = Moment | Zero | Unknown
ZERO, UNKNOWN = Zero(), Unknown()


def moment(epoch: float) -> int:
    """The number of the frame that is being spoken at a unix time."""
    return int(epoch / FRAME_SECONDS + 1e-6)


def encode(leg: int, index: int, hears: int = 0, prompt: int = 0) -> bytes:
    """One frame, 320 bytes."""
    head = struct.pack(
        ">BBHBHHIBH",
        _MAGIC,
        leg >> 16 & 255,
        leg & 65535,
        hears >> 16 & 255,
        hears & 65535,
        index >> 32 & 65535,
        index & 0xFFFFFFFF,
        prompt & 255,
        0,
    )
    whole = head + struct.pack(">I", zlib.crc32(head))
    table = _BYTES
    return b"".join([table[b] for b in whole])


def decode_frame(pcm: bytes) -> Decoded:
    """What one frame of 320 bytes says."""
    if len(pcm) != FRAME_BYTES:
        return UNKNOWN
    if pcm == SILENCE:
        return ZERO
    try:
        whole = bytes(_BITS[pcm[i : i + 16]] for i in range(0, FRAME_BYTES, 16))
    except KeyError:
        return UNKNOWN
    fields = struct.unpack(">BBHBHHIBHI", whole)
    if fields[0] != _MAGIC or fields[9] != zlib.crc32(whole[:16]):
        return UNKNOWN
    return Moment(
        leg=fields[1] << 16 | fields[2],
        hears=fields[3] << 16 | fields[4],
        index=fields[5] << 32 | fields[6],
        prompt=fields[7],
    )


def decode(wav: bytes) -> list[Decoded]:
    """The frames of a WAV in order; of a stereo one the left channel (what the leg says).

    A header whose sizes were never set (the switch crashed) is read to the end of the bytes.
    """
    channels, pcm = _samples(wav)
    if channels == 2:
        pcm = channel(pcm, 0)
    return [decode_frame(pcm[i : i + FRAME_BYTES]) for i in range(0, len(pcm), FRAME_BYTES)]


def decode_right(wav: bytes) -> list[Decoded]:
    """The right channel of a stereo WAV: what the recorded leg hears."""
    channels, pcm = _samples(wav)
    if channels != 2:
        return []
    pcm = channel(pcm, 1)
    return [decode_frame(pcm[i : i + FRAME_BYTES]) for i in range(0, len(pcm), FRAME_BYTES)]


def moments(wav: bytes) -> list[tuple[int, int]]:
    """(leg, moment) of every frame that was captured, in order: the usual question of a test."""
    return [(f.leg, f.index) for f in decode(wav) if isinstance(f, Moment)]


def channel(pcm: bytes, which: int) -> bytes:
    """One channel of interleaved stereo samples."""
    view = memoryview(pcm[: len(pcm) // 4 * 4]).cast("h")
    return view[which::2].tobytes()


def _samples(wav: bytes) -> tuple[int, bytes]:
    if wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        return 1, b""
    at, channels = 12, 1
    while at + 8 <= len(wav):
        name, size = wav[at : at + 4], int.from_bytes(wav[at + 4 : at + 8], "little")
        if name == b"fmt ":
            channels = int.from_bytes(wav[at + 10 : at + 12], "little")
        if name == b"data":
            end = at + 8 + size if size else len(wav)
            return channels, wav[at + 8 : end]
        at += 8 + size + size % 2
    return channels, b""
