"""What each part answers about itself; asked from the outside at any time, by any thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from fsgov.alarms import Alarms
from fsgov.health.spread import Spread

Labels = tuple[str, ...]
Readings = Mapping[str, Mapping[Labels, float | Spread]]
"""By name of the metric, then by the values of its labels; `()` where it has none."""


class Vitals(Protocol):
    """One part, seen from outside. Nothing here may block or raise."""

    part: str

    @property
    def alarms(self) -> Alarms:
        """Those that are up, with their reasons."""

    def turned(self) -> float:
        """Seconds since its loop was last seen going round."""

    def limit(self) -> float:
        """Seconds after which a loop that has not turned counts as dead."""

    def checks(self) -> Mapping[str, str]:
        """What the part needs for its work -> what is wrong with it, "" for nothing."""

    def readings(self) -> Readings:
        """Its own metrics now; those of every part are added elsewhere."""


def one(value: float) -> Mapping[Labels, float | Spread]:
    """The readings of a metric without labels."""
    return {(): float(value)}


def by(values: Mapping[str, float], known: Iterable[str] = ()) -> Mapping[Labels, float | Spread]:
    """The readings of a metric with one label; those `known` from the start are there as 0.

    A rule about the growth of a counter would not see its first count otherwise.
    """
    found = dict.fromkeys(known, 0.0) | {label: float(value) for label, value in values.items()}
    return {(label,): value for label, value in found.items()}
