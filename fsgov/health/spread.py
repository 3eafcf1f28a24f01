"""How long things took: counts by upper bound, cheap to add to, read when somebody scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

SWITCH = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0)
"""Upper bounds in seconds for what a switch answers within its deadline of 3 s."""
STEPS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
"""For the steps of shipping: from a short call to hours of audio."""


class Spread:
    """Durations in seconds. Adding costs less than a microsecond and allocates nothing."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulated(self) -> Iterator[tuple[str, float]]:
        """Bound and how many were within it, as a histogram is written down."""
        so_far = 0
        for bound, count in zip((*map(repr, self.bounds), "+Inf"), list(self.counts), strict=True):
            so_far += count
            yield bound, float(so_far)
