"""Whether the CRM is asked at all: one that is down costs calls no deadline each.

After some failures in a row, of whatever kind, it is asked about one party now and then, whose call pays the
deadline for all; the first answer (also that it knows nobody) lets everybody be asked about again.
"""

from __future__ import annotations

from collections.abc import Callable

TRIP = 5
"""Failures without an answer between them."""
FIRST_PAUSE, LAST_PAUSE = 1.0, 10.0
"""Seconds until one is tried: twice as long after each that failed, up to the last."""


class Breaker:
    """Fed with what became of each look-up; `open` while look-ups are held back. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.open = False
        self._failed = 0
        self._pause = FIRST_PAUSE
        self._next = 0.0

    def lets_ask(self) -> bool:
        """Whether this one may be asked; while open, whoever may is the one that is tried."""
        if not self.open:
            return True
        now = self._clock()
        if now < self._next:
            return False
        self._pause = min(2 * self._pause, LAST_PAUSE)
        self._next = now + self._pause
        return True

    def answered(self) -> None:
        self.open, self._failed = False, 0

    def failed(self) -> None:
        self._failed += 1
        if self._failed >= TRIP and not self.open:
            self.open, self._pause = True, FIRST_PAUSE
            self._next = self._clock() + FIRST_PAUSE
