"""What must be in the vault, by the switch's own account, and what the vault's audio says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsgov.simulator import timecode
from fsgov.simulator.timecode import Moment
from tests.acceptance.crash.evidence import Evidence

Heard = tuple[int, int] | str
"""A frame: the leg and its moment, or `masked`, or `unknown` where nobody encoded it."""


def written(evidence: Evidence) -> dict[str, list[Heard]]:
    """By segment: the frames of each file that the switch closed; it keeps no file without any."""
    found: dict[str, list[Heard]] = {}
    for closed in evidence.happened("closed"):
        segment = Path(closed["file"]).stem
        assert segment not in found, f"the switch was told to write {segment} twice"
        if closed["frames"]:
            found[segment] = _frames(closed)
    return found


def _frames(closed: Mapping[str, Any]) -> list[Heard]:
    return [
        "masked" if masked else (closed["leg"], index)
        for first, last, masked in closed["spans"]
        for index in range(first, last + 1)
    ]


def spoken(wav: bytes) -> list[Heard]:
    """The frames of a file."""
    return [
        (frame.leg, frame.index)
        if isinstance(frame, Moment)
        else "masked"
        if frame == timecode.ZERO
        else "unknown"
        for frame in timecode.decode(wav)
    ]


def twice(vault: Mapping[str, bytes]) -> list[tuple[int, int]]:
    """Moments of a leg that are in the vault more than once."""
    counted = Counter(moment for wav in vault.values() for moment in timecode.moments(wav))
    return [moment for moment, count in counted.items() if count > 1]


def conversations(evidence: Evidence) -> set[str]:
    """Every call that the switch had."""
    return {leg["call"] for leg in evidence.happened("leg")}
