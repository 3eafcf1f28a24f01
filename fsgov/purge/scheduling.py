"""Schedules that are due become approved plans: the same walk and the same judge as of a plan by hand."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from fsgov import entries
from fsgov.catalog.retaining import Retaining
from fsgov.catalog.scheduling import Open, Run, Standing
from fsgov.errors import Conflict, FsgovError, Unreachable
from fsgov.events import Instant
from fsgov.purge.failing import Failing
from fsgov.purge.planning import fill
from fsgov.retention import Disposition, Facts

log = structlog.get_logger()

LOOK = 10.0
"""Seconds between two looks for schedules that are due."""
DAY: Instant = 86_400_000_000
CAME = ("planned", "nothing", "refused", "busy", "failed")


class Scheduling:
    """Not for threads, but `troubles`, `runs` and `late` may be read by any."""

    def __init__(
        self,
        catalog: Standing,
        retaining: Retaining,
        host: str,
        now: Callable[[], Instant],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        """Alarm -> why, for keep to follow."""
        self.runs = Counter[str](dict.fromkeys(CAME, 0))
        """Runs by what came of them, in the life of this process."""
        self.late = 0.0
        """Seconds that the oldest run which is due waits."""
        self._catalog, self._retaining = catalog, retaining
        self._host, self._now, self._clock = host, now, clock
        self._origin = f"{host}.keep.{now() // 1000 + 6}"  # others of this keep have those before
        self._failing = Failing(clock)
        self._next = 0.0

    def close(self) -> None:
        self._catalog.close()
        self._retaining.close()

    def turn(self) -> None:
        """Run what is due, where it was not looked at a moment ago. Raises what the catalog raises."""
        if self._clock() < self._next:
            return
        rows = self._catalog.open()
        self._next = self._clock() + LOOK
        for row in rows:
            if row.due_at is None:
                self._failing.over(row.schedule)
            elif not self._failing.rests(row.schedule):
                self._tried(row)
        if any(row.due_at for row in rows):
            rows = self._catalog.open()
        waiting = [row.due_at.timestamp() for row in rows if row.due_at is not None]
        self.late = max(self._now() / 1e6 - min(waiting), 0.0) if waiting else 0.0
        self.troubles = self._told(rows)

    def _tried(self, row: Open) -> None:
        try:
            came = self._run(row)
        except FsgovError as fault:
            if not isinstance(fault, Unreachable):
                self.runs["failed"] += 1
            log.warning("schedule.failed", schedule=row.schedule, why=fault.message, detail=fault.detail)
            self._failing.add(row.schedule, None, fault)
            return
        self._failing.over(row.schedule)
        self.runs[came] += came in CAME
        log.info("schedule.ran", schedule=row.schedule, came=came)

    def _run(self, row: Open) -> str:
        """What came of it: planned, nothing, refused, busy; elsewhere, where another keep is at it."""
        assert row.due_at is not None
        with self._catalog.running(row.schedule, row.due_at) as run:
            if run.came is not None:
                if run.came == "busy":
                    run.tell(self._origin, self._line(row, run.came, 0))
                return run.came
            return self._planned(row, run)

    def _planned(self, row: Open, run: Run) -> str:
        assert row.due_at is not None
        causes = frozenset(row.causes)

        def due(facts: Facts, found: Disposition) -> bool:
            """Past its time by the grace, for one of these causes, and in no plan already."""
            return found.overdue and found.reasons[0].cause.value in causes and not facts.planned

        with self._retaining.judged(self._now(), grace=row.grace_days * DAY) as judged:
            tally = fill(judged, row.tenant, run.add, row.most, due)
        came, sha256 = run.made(row.due_at, tally.destroy, tally.facts())
        run.tell(self._origin, self._line(row, came, tally.destroy, run.plan if sha256 else None, sha256))
        return came

    def _line(
        self, row: Open, came: str, found: int, plan: str | None = None, sha256: str | None = None
    ) -> Callable[[int], bytes]:
        assert row.due_at is not None
        due = entries.iso(int(row.due_at.timestamp()) * 1_000_000)
        facts: dict[str, entries.Fact] = {"due": due, "came": came, "found": found, "most": row.most,
                                         "plan": plan, "sha256": sha256}  # fmt: skip
        return lambda n: entries.line(
            origin=self._origin, n=n, host=self._host, type_="purge.scheduled", subject=row.schedule,
            time=self._now(), facts=facts,
        )  # fmt: skip

    def _told(self, rows: list[Open]) -> dict[str, FsgovError]:
        found: dict[str, FsgovError] = {}
        if fault := self._failing.trouble():
            found["schedule.stuck"] = fault
        for row in rows:
            if row.refused is not None:
                found["schedule.refused"] = Conflict(
                    "A schedule of destruction found more than it may destroy, and destroys nothing",
                    f"{row.schedule}: {row.refused} recordings, at most {row.most}",
                    "fsgov purge plan --dry-run; fsgov retention history",
                )
            if row.ending:
                found["schedule.ending"] = Conflict(
                    "A schedule of destruction ends, and no other follows",
                    row.schedule,
                    "fsgov purge schedule propose makes the next; purge schedule end, if there is to be none",
                )
        return found
