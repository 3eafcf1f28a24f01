"""What callers say in tests with real audio, and when a recording says that they said it.

A caller plays a sweep, 1000 Hz at the first moment and 50 Hz more with each second: the pitch in a recording
tells when a sound was spoken. The answering side may play anything below 700 Hz.
"""

from __future__ import annotations

import math
import struct
import wave
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

RATE, FIRST, PER_SECOND, LONG = 8000, 1000.0, 50.0, 40.0
WINDOW = RATE // 10


def speak(path: Path) -> None:
    """The sweep of a caller, as a file."""
    phase, samples = 0.0, []
    for n in range(int(LONG * RATE)):
        phase += 2 * math.pi * (FIRST + PER_SECOND * n / RATE) / RATE
        samples.append(round(12_000 * math.sin(phase)))
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))


@dataclass(frozen=True)
class Tenth:
    """A tenth of a second of a recording."""

    at: float
    """Seconds from the file's begin to its middle."""
    zero: bool
    loud: bool
    """Somebody or something is heard."""
    spoken: float | None
    """The moment of the caller's that is heard, None where he is not."""


@dataclass(frozen=True)
class Heard:
    """A recording: its tenths of a second, and what the caller's moment is at its first sample."""

    tenths: list[Tenth]
    first: float

    @classmethod
    def of(cls, audio: bytes) -> Heard:
        parts = tenths(audio)
        offsets = sorted(each.spoken - each.at for each in parts if each.spoken is not None)
        assert offsets, "the caller is not heard"
        return cls(parts, offsets[len(offsets) // 2])

    @property
    def straight(self) -> float:
        """Which share of the tenths tells the moment that the file's offset promises."""
        right = [
            each
            for each in self.tenths
            if each.spoken is not None and abs(each.spoken - each.at - self.first) < 0.2
        ]
        return len(right) / len(self.tenths)

    @property
    def moments(self) -> list[float]:
        """The caller's moments heard; a tenth alone, at an edge or in a key's tone, tells nothing."""
        said = [each.spoken for each in self.tenths]
        pairs = [
            (one, next_)
            for one, next_ in pairwise(said)
            if one is not None and next_ is not None and abs(next_ - one - 0.1) < 0.08
        ]
        return sorted({moment for pair in pairs for moment in pair})

    @property
    def last(self) -> float:
        return self.first + len(self.tenths) / 10

    @property
    def zeros(self) -> list[float]:
        """The caller's moments where not one sample is other than zero, by the file's offset."""
        return [each.at + self.first for each in self.tenths if each.zero]


def samples_of(audio: bytes) -> tuple[int, ...]:
    """One channel, 16 bit, 8 kHz; a header that was never finished counts as the rest of the file."""
    assert audio[:4] == b"RIFF"
    assert audio[8:16] == b"WAVEfmt "
    channels, rate = struct.unpack_from("<HI", audio, 22)
    assert (channels, rate) == (1, RATE)
    at = audio.index(b"data", 12) + 8
    return struct.unpack_from(f"<{(len(audio) - at) // 2}h", audio, at)


def tenths(audio: bytes) -> list[Tenth]:
    """What each tenth of a second of a recording tells."""
    samples = samples_of(audio)
    return [
        _tenth(samples[at : at + WINDOW], (at + WINDOW / 2) / RATE)
        for at in range(0, len(samples) - WINDOW + 1, WINDOW)
    ]


def _tenth(samples: tuple[int, ...], at: float) -> Tenth:
    loud = _rms(samples) > 300
    high = list(samples)
    for _ in range(3):  # a difference damps what is low: the answering side
        high = [b - a for a, b in pairwise(high)]
    crossings = [n for n in range(1, len(high)) if (high[n - 1] < 0) != (high[n] < 0)]
    if _rms(high) < 900 or len(crossings) < 3:
        return Tenth(at, not any(samples), loud, None)
    pitch = (len(crossings) - 1) / 2 * RATE / (crossings[-1] - crossings[0])
    spoken = (pitch - FIRST) / PER_SECOND
    return Tenth(at, False, loud, spoken if -0.5 < spoken < LONG else None)


def _rms(samples: tuple[int, ...] | list[int]) -> float:
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))
