"""The time that govern goes by: the host's clock, but it never jumps while a call is up.

Deadlines of calls (a question, a pause's limit) are instants. An administrator or a time service that sets
the host's clock back by an hour would have a pause of three minutes last for sixty-three; set forward, it
would end every pause and every question at once. So the time goes on evenly, and takes up what the host's
clock says when no call is left to suffer from it, or at the next start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from fsgov.errors import Conflict, FsgovError
from fsgov.events import Instant

log = structlog.get_logger()

JUMP = 1_000_000
"""Microseconds between the two clocks that make a jump; less is taken for the way there and back."""


class Clock:
    """Microseconds since the epoch, evenly. `wall` and `even` are nanoseconds of the host's two clocks."""

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, even: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall, self._even = wall, even
        self._ahead = wall() - even()
        self._off: Instant = 0

    def __call__(self) -> Instant:
        return (self._even() + self._ahead) // 1000

    def compare(self, idle: bool) -> None:
        """See whether the host's clock has jumped; take it up where nobody's deadline depends on it."""
        off = (self._wall() - self._even() - self._ahead) // 1000
        if abs(off) < JUMP:
            self._off = 0
            return
        if idle:
            self._ahead = self._wall() - self._even()
        if idle or not self._off:
            log.warning("clock.jumped", seconds=round(off / 1e6, 1), taken_up=idle)
        self._off = 0 if idle else off

    def troubles(self) -> Mapping[str, FsgovError]:
        """The alarm `clock`, while a jump waits to be taken up."""
        if not self._off:
            return {}
        seconds = f"{self._off / 1e6:+.0f} s"
        return {"clock": Conflict("The host's clock was set while calls are up", seconds)}


wall_clock = Clock()
"""One for all of govern."""
