"""Destructions that cannot go on: why, since when, and when each is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsgov.errors import FsgovError, Unreachable

SHORTEST, LONGEST = 5.0, 300.0
PATIENCE = 300.0
"""Seconds that a vault may be away before that is an alarm; every other fault is one at once."""


@dataclass(slots=True)
class _Failure:
    fault: FsgovError
    plan: str | None
    since: float
    again: float
    pause: float = SHORTEST


class Failing:
    """By segment. Not for threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_segment: dict[str, _Failure] = {}

    def add(self, segment: str, plan: str | None, fault: FsgovError) -> None:
        now = self._clock()
        known = self._by_segment.get(segment)
        since, pause = (known.since, min(2 * known.pause, LONGEST)) if known else (now, SHORTEST)
        self._by_segment[segment] = _Failure(fault, plan, since, now + pause, pause)

    def over(self, segment: str) -> None:
        self._by_segment.pop(segment, None)

    def rests(self, segment: str) -> bool:
        """Whether it failed a moment ago, and is not yet to be tried again."""
        known = self._by_segment.get(segment)
        return known is not None and self._clock() < known.again

    def of(self, plan: str) -> list[FsgovError]:
        """What fails of this plan now; what another try may help comes last."""
        faults = [known.fault for known in self._by_segment.values() if known.plan == plan]
        return sorted(faults, key=lambda fault: isinstance(fault, Unreachable))

    def trouble(self) -> FsgovError | None:
        """What a person has to know of: not what another try is soon to mend."""
        for known in self._by_segment.values():
            if not isinstance(known.fault, Unreachable) or self._clock() - known.since > PATIENCE:
                return known.fault
        return None

    def __len__(self) -> int:
        return len(self._by_segment)
