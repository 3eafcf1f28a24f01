"""Whether starts of recordings fail on this host as a whole, and when one more is tried.

A conversation by itself tries again after growing pauses. Where the switch cannot record at all (its disk is
full, a module is missing) each new call would add its tries to the storm, and after some of them be given up
for good. So when many starts in a row fail across conversations, none is sent but one probe now and then;
the first recording that comes about lets all of them go on.
"""

from __future__ import annotations

from collections import deque

from fsgov.call import Call, Capture
from fsgov.events import Instant

SECOND: Instant = 1_000_000
TRIP, ACROSS, WITHIN = 10, 3, 10 * SECOND
"""So many failures without a success between them, of so many conversations, in so short a time."""
FIRST_PROBE, LAST_PROBE = SECOND, 10 * SECOND


class Breaker:
    """Fed with each step of each conversation; `open` while starts are held back."""

    def __init__(self) -> None:
        self.open = False
        self.next_probe: Instant = 0
        self._pause: Instant = FIRST_PROBE
        self._failed: deque[tuple[Instant, str]] = deque(maxlen=TRIP)

    def saw(self, before: Call, after: Call, now: Instant) -> bool:
        """Take in one step; whether `open` has changed by it."""
        if (
            after.segment is not None
            and after.segment.opened
            and not (before.segment is not None and before.segment.opened)
        ):
            was, self.open, self._pause = self.open, False, FIRST_PROBE
            self._failed.clear()
            return was
        if not _failed(before, after):
            return False
        self._failed.append((now, after.id))
        if self.open or len(self._failed) < TRIP or now - self._failed[0][0] > WITHIN:
            return False
        if len({call for _, call in self._failed}) < ACROSS:
            return False
        self.open = True
        self.next_probe = now + self._pause
        return True

    def probed(self, now: Instant, *, tried: bool) -> None:
        """A probe was due: the next one later, where one was sent."""
        self._pause = min(2 * self._pause, LAST_PROBE) if tried else FIRST_PROBE
        self.next_probe = now + self._pause


def _failed(before: Call, after: Call) -> bool:
    """A start was refused, not answered, or ended at once by the switch."""
    doubtful = after.actual is Capture.UNKNOWN and before.actual is Capture.OFF and not after.adrift
    return after.failures > before.failures or doubtful
