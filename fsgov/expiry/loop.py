"""A thread of keep: periods of new policies at once, the count of all recordings and old rows each hour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from fsgov import entries
from fsgov.catalog.expiring import Expiring
from fsgov.catalog.periods import read
from fsgov.catalog.retaining import Retaining
from fsgov.errors import Conflict, Damaged, FsgovError
from fsgov.events import Instant
from fsgov.retention import Tally, tally

log = structlog.get_logger()

IDLE = 10.0
"""Seconds between two looks for policies whose periods the database does not know yet."""
EVERY = 3600.0
"""Seconds between two counts, and between two looks for old rows."""
BATCH = 1000
"""Calls that one transaction looks at."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long something may be overdue before that is an alarm, and how long a call's rows name people."""

    overdue_after: timedelta
    numbers: timedelta


class Expiry:
    """Counts and forgets until it is stopped. `troubles`, `found` and the counters may be read by any thread.

    leading: whether this keep is the one.
    """

    def __init__(
        self,
        retaining: Retaining,
        expiring: Expiring,
        terms: Terms,
        host: str,
        now: Callable[[], Instant],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        """Alarm -> why, for keep to follow."""
        self.leading = False
        self.found: Tally | None = None
        """Of the last count; None before the first of this process."""
        self.counted_at: Instant = 0
        self.forgotten = 0
        """Calls, in the life of this process."""
        self._retaining = retaining
        self._expiring = expiring
        self._terms = terms
        self._host = host
        self._now = now
        self._clock = clock
        self._next = 0.0
        self._unreadable: set[str] = set()
        self._origin = f"{host}.keep.{now() // 1000 + 3}"  # others of this keep have the milliseconds before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expiry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._retaining.close()
        self._expiring.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self.leading:
                try:
                    self.turn()
                except FsgovError as fault:  # PostgreSQL: keep's own alarm tells of that
                    log.warning("expiry.failed", why=fault.message, detail=fault.detail)
                except Exception:
                    log.exception("expiry.broken")
                    broken = Damaged("fsgov itself is wrong here", "expiry", "Report it with the log.")
                    self.troubles = {**self.troubles, "overdue": broken}
            self._stop.wait(IDLE)

    def turn(self) -> None:
        """One round. Raises what the catalog raises; then the next one begins anew."""
        self.enter_periods()
        if self._clock() >= self._next:
            self.count()
            self.forget()
            self._next = self._clock() + EVERY

    def enter_periods(self) -> None:
        """What new policies say about how long; one that cannot be read is told once."""
        for sha256, text in self._retaining.unread(self._unreadable):
            policy = read(sha256, text)
            if policy is None or not policy.purposes:
                self._unreadable.add(sha256)
                if policy is None:
                    log.error("periods.unreadable", policy=sha256)
                continue
            try:
                self._retaining.enter_periods(policy)
            except Damaged as fault:
                self._unreadable.add(sha256)
                log.error("periods.refused", policy=sha256, why=fault.message, detail=fault.detail)

    def count(self) -> None:
        """Judge every recording."""
        now, grace = self._now(), self._terms.overdue_after // timedelta(microseconds=1)
        began = time.monotonic()
        with self._retaining.judged(now, grace=grace) as judged:
            found = tally(judged)
        self.found, self.counted_at = found, now
        self.troubles = self._told(found)
        log.info(
            "retention.counted",
            **{verdict.value: group.recordings for verdict, group in found.verdicts.items()},
            overdue=found.overdue.recordings,
            unjudged=found.unjudged.recordings,
            seconds=round(time.monotonic() - began, 1),
        )

    def _told(self, found: Tally) -> dict[str, FsgovError]:
        troubles: dict[str, FsgovError] = {}
        if found.overdue.recordings:
            troubles["overdue"] = Conflict(
                f"{found.overdue.recordings} recordings are past their time", hint="fsgov purge plan"
            )
        if found.unjudged.recordings:
            troubles["unjudged"] = Damaged(
                f"nobody can say how long {found.unjudged.recordings} recordings are to be kept",
                hint="fsgov retention list --unjudged",
            )
        return troubles

    def forget(self) -> None:
        """Null what names people in the rows of calls that ended long ago and that nothing needs any more."""
        before = datetime.fromtimestamp(self._now() / 1e6, UTC) - self._terms.numbers
        last: str | None = ""
        while last is not None and not self._stop.is_set():
            calls, last = self._expiring.forget(before, last, BATCH, self._origin, self._line)
            self.forgotten += calls
            if calls:
                log.info("calls.forgotten", calls=calls)

    def _line(self, n: int, calls: int, before: datetime) -> bytes:
        return entries.line(
            origin=self._origin,
            n=n,
            host=self._host,
            type_="calls.forgotten",
            subject=self._host,
            time=self._now(),
            facts={"calls": calls, "before": before.strftime("%Y-%m-%dT%H:%M:%SZ")},
        )
