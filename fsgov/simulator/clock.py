"""The world's time: seconds since the simulator began, as fast as wanted.

Everything the simulator does later is a timer here, so a test may run the world `speed` times as
fast as the wall, or stop it and turn the hands itself (`ManualClock`).
"""

from __future__ import annotations

import heapq
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event as Flag


@dataclass(order=True, slots=True)
class Timer:
    """Something to do at `at`; `cancel()` forgets it."""

    at: float
    order: int
    do: Callable[[], Any] | None = field(compare=False)

    def cancel(self) -> None:
        self.do = None


class ManualClock:
    """Time that moves by `advance` only: nothing happens on its own."""

    speed = 0.0

    def __init__(self, epoch: float | None = None) -> None:
        self.started = time.time() if epoch is None else epoch
        self._now = 0.0
        self._timers: list[Timer] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Seconds since the world began."""
        return self._now

    def epoch(self) -> float:
        """The world's unix time, in seconds."""
        return self.started + self.now()

    def call_later(self, delay: float, do: Callable[[], Any]) -> Timer:
        """Do something `delay` seconds from now; what is due at one moment runs in order of asking."""
        timer = Timer(self.now() + max(0.0, delay), next(self._order), do)
        heapq.heappush(self._timers, timer)
        return timer

    def next_at(self) -> float | None:
        """When the next timer is due, or None."""
        while self._timers and self._timers[0].do is None:
            heapq.heappop(self._timers)
        return self._timers[0].at if self._timers else None

    def advance(self, seconds: float) -> None:
        """Move time on and do all that falls due on the way, each at its own moment."""
        end = self._now + seconds
        while (at := self.next_at()) is not None and at <= end + 1e-9:
            self._now = max(self._now, at)
            self._take()
        self._now = end

    def skip(self, seconds: float) -> None:
        """That much later it is; what fell due meanwhile is done late."""
        self.advance(seconds)

    def settle(self) -> None:
        """Do all that is due now."""
        self.advance(0.0)

    def _take(self) -> None:
        timer = heapq.heappop(self._timers)
        if timer.do is not None:
            timer.do()

    def close(self) -> None:
        self._timers.clear()


class Clock(ManualClock):
    """Time that runs on its own, `speed` world seconds in one second of the wall."""

    def __init__(self, speed: float = 1.0, epoch: float | None = None) -> None:
        super().__init__(epoch)
        self.speed = speed
        self._wall = time.monotonic()
        self._flag = Flag()
        self._driver = gevent.spawn(self._drive)

    def now(self) -> float:
        return (time.monotonic() - self._wall) * self.speed

    def call_later(self, delay: float, do: Callable[[], Any]) -> Timer:
        timer = super().call_later(delay, do)
        if self._timers[0] is timer:
            self._flag.set()
        return timer

    def advance(self, seconds: float) -> None:
        """Wait that long (world seconds)."""
        gevent.sleep(seconds / self.speed)

    def skip(self, seconds: float) -> None:
        self._wall -= seconds / self.speed
        self._flag.set()

    def _drive(self) -> None:
        done = 0
        while True:
            self._flag.clear()
            at = self.next_at()
            wait = None if at is None else (at - self.now()) / self.speed
            if wait is None or wait > 0:
                self._flag.wait(wait)
                continue
            try:
                self._take()
            except Exception:  # one wrong step must not stop the world's time
                gevent.get_hub().handle_error(self._driver, *sys.exc_info())
            done += 1
            if done % 64 == 0:
                gevent.sleep(0)

    def close(self) -> None:
        super().close()
        self._driver.kill()
