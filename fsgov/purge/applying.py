"""Applies approved plans, a batch at a time.

A canary goes first: a few recordings, destroyed to the end, and a while to notice that they were the wrong
ones. Nothing of a plan is begun while something of it that was begun fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from fsgov.catalog.purging import Item, Plan, Purging, Unfinished
from fsgov.errors import Conflict, Damaged, FsgovError, Unreachable
from fsgov.events import Instant
from fsgov.purge.children import Children
from fsgov.purge.failing import Failing
from fsgov.purge.finishing import HELD_BY_VAULT, Finisher
from fsgov.purge.removing import Vaults, moment
from fsgov.purge.telling import Teller

log = structlog.get_logger()

BATCH = 50
THREADS = 4
JUDGED = ("retention", "quarantine")
"""Plans of what is due: an anchor or a reviewer may have decided since then that it is not."""
LOOK_AGAIN = 60.0
"""Seconds between two looks at a plan that waits for what is held or locked."""

Judge = Callable[[Sequence[str]], Collection[str]]
"""Which of these recordings are still due, by their periods as they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """rate: recordings a second. canary: how many go first, and how many seconds before the others.

    complete: microseconds after which the last copies of a key have aged out.
    """

    rate: float
    canary: int
    canary_wait: float
    complete: int


@dataclass(slots=True)
class _Course:
    """How far this process is with a plan."""

    plan: Plan
    after: str = ""
    rest_until: float = 0.0
    began: bool = False
    seen: bool = False
    """A person has looked at the canary."""


class Purge:
    """One batch per `turn`; not for threads. judge: for plans of what is due, asked again before each batch.

    pause: seconds to wait before the next turn, as the rate wants it.
    """

    def __init__(
        self,
        catalog: Purging,
        vaults: Vaults,
        limits: Limits,
        host: str,
        now: Callable[[], Instant],
        judge: Judge | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pause = 0.0
        self.leads = False
        """Whether it was the one who purges, at its last turn."""
        self.latched = False
        """Whether nothing could be begun then: an older dump was restored."""
        self.failing = Failing(clock)
        self.halted: dict[str, FsgovError] = {}
        """Plans that were stopped here, and why; of this process."""
        self.destroyed = 0
        self._catalog, self._vaults, self._limits = catalog, vaults, limits
        self._now, self._judge, self._clock = now, judge, clock
        # the alarms of this keep, and its scrub, have the milliseconds before
        self._teller = Teller(f"{host}.keep.{now() // 1000 + 2}", host, now)
        self._courses: dict[str, _Course] = {}
        self._pool = ThreadPoolExecutor(THREADS, "purge")
        self._finisher = Finisher(
            catalog, vaults, self.failing, self._teller, self._pool, now, limits.complete
        )

        self._children = Children(catalog, vaults, self.failing, self._teller)

    def close(self) -> None:
        """What is under way ends first."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._catalog.close()
        self._vaults.close()

    def turn(self, only: str | None = None) -> int:
        """One batch of what was begun, or else of the first plan that can go on; how many recordings.

        only: of this plan alone. 0: there is nothing to do now. Raises what the catalog raises.
        """
        self.pause = 0.0
        self.leads = self._catalog.lead()
        if not self.leads:
            return 0
        if rows := self._begun():
            done = self._finisher.finish(rows)
            self.destroyed += done
            self.pause = done / self._limits.rate
            return len(rows)
        self.look()
        if only is not None:
            return self._go_on(only)
        if not self.latched and (removed := self._children.remove()):
            return removed
        for plan in self._catalog.work():
            try:
                if begun := self._go_on(plan):
                    return begun
            except Conflict as fault:
                log.info("plan.left", plan=plan, why=fault.message)
        return 0

    def look(self) -> None:
        """Whether anything may be begun."""
        self.latched = self._catalog.latched()

    def counts(self, plan: str) -> dict[str, int]:
        """How many recordings of the plan are in which state."""
        return self._catalog.counts(plan)

    def canary_waits(self, plan: str) -> bool:
        """Whether the others of this plan wait for its canary to be old enough."""
        return plan in self._courses and self._canary_runs(self._courses[plan])

    def go_on(self, plan: str) -> None:
        """A person has seen its canary: wait no more."""
        self._courses[plan].seen = True

    def _begun(self) -> list[Unfinished]:
        """Some of what is being destroyed, without what has failed a moment ago."""
        after, found = "", list[Unfinished]()
        while len(found) < BATCH and (rows := self._catalog.unfinished(after, BATCH)):
            found += [row for row in rows if not self.failing.rests(row.segment)]
            after = rows[-1].segment
        return found[:BATCH]

    def _go_on(self, plan: str) -> int:
        """Begin the next of this plan; how many. 0: not now."""
        course = self._course(plan)
        if course is None or self._clock() < course.rest_until:
            return 0
        if faults := self.failing.of(plan):
            if course.plan.canary_at is None and not isinstance(faults[0], Unreachable):
                self._halt(plan, "canary", faults[0])
            return 0
        if course.began and course.plan.canary_at is None:
            self._catalog.canary_done(plan)
            course.plan = self._catalog.begin(plan)
            log.info("plan.canary", plan=plan)
        if self._canary_runs(course):
            return 0
        size = BATCH if course.plan.canary_at is not None else min(self._limits.canary, BATCH)
        items = self._catalog.next(plan, course.after, size)
        if not items:
            self._at_end(course)
            return 0
        due = {item.segment: item for item in self._due(course.plan, items)}
        try:
            found = self._catalog.destroying(
                plan, list(due), self._teller.origin,
                lambda each: self._teller.destroying(plan, due[each.segment].cause, each),
            )  # fmt: skip
        except Conflict:  # stopped or expired meanwhile
            self._courses.pop(plan)
            raise
        course.after, course.began = items[-1].segment, True
        for each in found:
            if each.verdict != "destroying":
                log.info("segment.spared", segment=each.segment, plan=plan, why=each.verdict)
        return len(items)

    def _course(self, plan: str) -> _Course | None:
        """How far it is; None where it is not what was approved. Raises Conflict: expired, stopped."""
        if plan not in self._courses:
            try:
                self._courses[plan] = _Course(self._catalog.begin(plan))
            except Damaged as fault:
                self._halt(plan, "changed", fault)
                return None
        return self._courses[plan]

    def _canary_runs(self, course: _Course) -> bool:
        """Whether its canary is not old enough yet; none is waited for where nothing else would follow."""
        plan = course.plan
        if course.seen or plan.canary_at is None or plan.items <= self._limits.canary:
            return False
        return plan.canary_at.timestamp() + self._limits.canary_wait > self._now() / 1e6

    def _due(self, plan: Plan, items: Sequence[Item]) -> list[Item]:
        """Of these, what is neither locked in a vault nor to be kept after all; the others are put off."""
        if plan.kind in JUDGED and self._judge is not None:
            still = set(self._judge([item.segment for item in items]))
            if kept := [item.segment for item in items if item.segment not in still]:
                self._catalog.put_off(plan.id, kept, "kept", "not due any more", None)
            items = [item for item in items if item.segment in still]
        places = self._finisher.places([item.segment for item in items])
        due = []
        locks = self._pool.map(lambda item: self._vaults.locked(places[item.segment]), items)
        for item, lock in zip(items, locks, strict=True):
            if lock is None:
                due.append(item)
                continue
            until = moment(self._now()) + HELD_BY_VAULT if lock.until is None else moment(lock.until)
            why = "legal hold" if lock.until is None else "locked"
            self._catalog.put_off(plan.id, [item.segment], "scheduled", f"{why} in {lock.place.vault}", until)
        return due

    def _at_end(self, course: _Course) -> None:
        plan = course.plan.id
        state = self._catalog.ended(
            plan, self._teller.origin, lambda state, counts: self._teller.ended(plan, state, counts)
        )
        course.after, course.rest_until = "", self._clock() + LOOK_AGAIN
        if state in ("done", "stopped"):
            self._courses.pop(plan, None)
            log.info("plan.over", plan=plan, state=state)

    def _halt(self, plan: str, why: str, fault: FsgovError) -> None:
        self._catalog.halt(
            plan, why, self._teller.origin, lambda state, counts: self._teller.ended(plan, state, counts)
        )
        self._courses.pop(plan, None)
        self.halted[plan] = fault
        log.error("plan.halted", plan=plan, why=why, reason=fault.message, detail=fault.detail)
