"""The scrub as a thread of keep: every object in turn, as slowly as it may be, from where it stopped.

What came of each look is in the catalog, so nothing is lost by a stop. Two keeps that both looked would do no
harm; still only the one that leads does. What a vault refuses says nothing of an object: it is tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from fsgov import entries
from fsgov.catalog.scrubbing import Due, Scrubbing
from fsgov.errors import Damaged, FsgovError, Unreachable
from fsgov.events import Instant
from fsgov.scrub.looking import INTACT, look
from fsgov.vault import Bucket

log = structlog.get_logger()

IDLE = 10.0
"""Seconds between two looks at what is due, where nothing was, or a vault or PostgreSQL is away."""
AGAIN = timedelta(hours=1)
"""What was wrong is looked at again after this."""
BATCH = 20
PATIENCE = 30
"""Failures in a row of a vault that does not answer before that is an alarm: five minutes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each object is read, and at most how fast, in bytes a second."""

    every: timedelta
    bytes_per_second: int


class Scrubber:
    """Looks at stored objects until it is stopped. `troubles` and the counters may be read by any thread.

    buckets: the audio bucket of each vault that this keep knows. leading: whether this keep is the one.
    """

    def __init__(
        self,
        catalog: Scrubbing,
        buckets: Mapping[str, Bucket],
        pace: Pace,
        host: str,
        now: Callable[[], Instant],
        idle: float = IDLE,
    ) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        """Alarm -> why, for keep to follow."""
        self.bytes = 0
        """Read in the life of this process."""
        self.objects = 0
        self.leading = False
        self._catalog = catalog
        self._buckets = buckets
        self._pace = pace
        self._host = host
        self._now = now
        self._idle = idle
        self._origin = (
            f"{host}.keep.{now() // 1000 + 1}"  # the alarms of this keep have the millisecond before
        )
        self._failures: dict[str, tuple[int, FsgovError]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scrub", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop, in the middle of an object if need be: it is looked at again by the next one."""
        self._stop.set()
        self._thread.join()
        self._catalog.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            looked = 0
            if self.leading:
                try:
                    looked = self.run_once()
                except FsgovError as fault:  # PostgreSQL: keep's own alarm tells of that
                    log.warning("scrub.failed", why=fault.message, detail=fault.detail)
                except Exception:
                    log.exception("scrub.broken")
                    broken = Damaged("fsgov itself is wrong here", "scrub", "Report it with the log.")
                    self.troubles = {**self.troubles, "scrub.unread": broken}
            if not looked:
                self._stop.wait(self._idle)

    def run_once(self) -> int:
        """Look at some of what is due in each vault; how many that were. Raises what the catalog raises."""
        looked = 0
        for name, bucket in self._buckets.items():
            for due in self._catalog.due(self._before(self._pace.every), self._before(AGAIN), [name], BATCH):
                if self._stop.is_set() or not self._looked(bucket, due):
                    break
                looked += 1
        self._follow()
        return looked

    def _looked(self, bucket: Bucket, due: Due) -> bool:
        """Look at one, and keep what came of it; False where its vault says nothing."""
        began, read = time.monotonic(), 0

        def told(size: int) -> None:
            nonlocal read
            read += size
            self.bytes += size
            ahead = read / self._pace.bytes_per_second - (time.monotonic() - began)
            if self._stop.wait(max(ahead, 0.0)):
                raise Unreachable("keep stops")

        try:
            found = look(bucket, due, self._before(timedelta()), told)
        except FsgovError as fault:
            if not self._stop.is_set():
                count = self._failures.get(due.vault, (0, fault))[0] + 1
                self._failures[due.vault] = (count, fault)
                log.warning("scrub.unread", vault=due.vault, why=fault.message, detail=fault.detail)
            return False
        self._failures.pop(due.vault, None)
        changed = found.verdict != (due.verdict or INTACT)
        self._catalog.looked(
            due, found.verdict, found.locked_until, found.lock_mode, self._origin,
            (lambda n: self._line(n, due, found.verdict)) if changed else None,
        )  # fmt: skip
        self.objects += 1
        if changed:
            level = log.info if found.verdict == INTACT else log.error
            level(
                "segment.scrubbed", segment=due.segment, artefact=due.artefact, verdict=found.verdict,
                before=due.verdict,
            )  # fmt: skip
        return True

    def _line(self, n: int, due: Due, verdict: str) -> bytes:
        facts: dict[str, entries.Fact] = {"call": due.call}
        if due.artefact:
            facts["segment"] = due.segment
        return entries.line(
            origin=self._origin, n=n, host=self._host, subject=due.artefact or due.segment, time=self._now(),
            type_="artefact.scrubbed" if due.artefact else "segment.scrubbed",
            facts={**facts, "verdict": verdict, "before": due.verdict or INTACT},
        )  # fmt: skip

    def _follow(self) -> None:
        """What keep is to raise, as of now."""
        troubles: dict[str, FsgovError] = {
            f"scrub.{verdict}": Damaged(
                f"{count} stored objects are {verdict}", hint="fsgov scrub names them"
            )
            for verdict, count in self._catalog.faults().items()
        }
        for count, fault in self._failures.values():
            if count >= PATIENCE or not isinstance(fault, Unreachable):
                troubles["scrub.unread"] = fault
        self.troubles = troubles

    def _before(self, span: timedelta) -> datetime:
        return datetime.fromtimestamp(self._now() / 1e6, UTC) - span
