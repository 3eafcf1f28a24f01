"""Whether ship and keep do their work, as govern sees it: who is dead cannot say so.

ship        its sign of life in the spool (Spool.alive)
keep        its sign of life in the database (catalog `keepers`), while the database answers
fsgov run   writes down how either of them ended (spool/parts.json); under systemd its journal has that
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import gevent

from fsgov.catalog.inforce import Look
from fsgov.errors import FsgovError, Unreachable
from fsgov.events import Instant
from fsgov.spool.layout import ENDS

SILENT = 60.0
"""Seconds without a sign of life. ship gives one every 5 s, keep every 10 s while PostgreSQL answers it."""
LATELY: Instant = 600_000_000
LOOK_EVERY = 5.0


class Sign:
    """A value that changes as long as somebody lives; their clock does not matter."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._value: object = None
        self._changed = clock()

    def silent(self, value: object) -> bool:
        """It is this now: has it been for too long?"""
        if value != self._value:
            self._value, self._changed = value, self._clock()
        return self._clock() - self._changed > SILENT


class Others:
    """What troubles the other parts. `look` blocks: a thread's work.

    heard: when ship gave its last sign of life, in whatever unit. seen: what the database said last.
    """

    def __init__(
        self,
        directory: Path,
        heard: Callable[[], int | None],
        seen: Callable[[], Look | None],
        now: Callable[[], Instant],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ends = directory / ENDS
        self._heard = heard
        self._seen = seen
        self._now = now
        self._ship = Sign(clock)
        self._keep = Sign(clock)
        self._clock = clock
        self._found: Mapping[str, FsgovError] = {}

    def troubles(self) -> Mapping[str, FsgovError]:
        """By name of the alarm, as it was at the last look."""
        return self._found

    def run(self) -> None:
        """Look for ever: a greenlet's work."""
        while True:
            gevent.get_hub().threadpool.apply(self.look)
            gevent.sleep(LOOK_EVERY)

    def look(self) -> None:
        """See who is silent, and who has ended lately."""
        found: dict[str, FsgovError] = {}
        for part, times in self._ended().items():
            how = "once" if times == 1 else f"{times} times"
            found[f"part.{part}"] = Unreachable(f"{part} has ended {how} without being told to")
        if self._ship.silent(self._heard()):
            found["part.ship"] = Unreachable("ship gives no sign of life; recordings wait in the spool")
        seen = self._seen()
        # nobody can tell while the database is away: a sign of its own, so that the minute begins anew
        if self._keep.silent(seen.keep_heard if seen else self._clock()):
            found["part.keep"] = Unreachable("keep gives no sign of life; the event log does not grow")
        self._found = found

    def _ended(self) -> Mapping[str, int]:
        """How often each part has ended lately."""
        since = self._now() - LATELY
        try:
            told = json.loads(self._ends.read_bytes())
            counted = {str(part): sum(int(at) > since for at in ends) for part, ends in told.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
        return {part: times for part, times in counted.items() if times and part in ("ship", "keep")}
