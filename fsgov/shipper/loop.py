"""The one loop of ship, and the only place that tries again: look, hand out jobs, take in what came of them.

Jobs run in three small pools, so that none waits for another kind: files (check, seal), uploads, rows.
All state of the loop belongs to the thread that calls `run` or `run_once`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from fsgov.catalog.ship import Ship
from fsgov.errors import BadUsage, Conflict, Damaged, FsgovError
from fsgov.events import Instant
from fsgov.shipper.alarms import Alarms
from fsgov.shipper.belt import Belt, Item
from fsgov.shipper.entering import Rows
from fsgov.shipper.jobs import Job, in_our_words, pool_and_gate
from fsgov.shipper.locking import Locker
from fsgov.shipper.paperwork import Paperwork, Report
from fsgov.shipper.pauses import Pauses
from fsgov.shipper.probing import Probing
from fsgov.shipper.sealing import Sealer
from fsgov.shipper.sidecar import Sidecar, Step
from fsgov.shipper.storing import Destination, Storer, destination
from fsgov.shipper.telling import NAMES, Telling
from fsgov.spool import Spool, claim

log = structlog.get_logger()

LOOK_EVERY = 0.2
"""Seconds between two looks at the spool; longer where a look is dear (many kept sidecars)."""
LEAVE_WITHIN = 15.0
"""Seconds that jobs under way may take when ship stops; what is not done is done after the next start."""
AHEAD = {"files": 4, "rows": 8}
"""Jobs handed out at most, by pool: a gate that closes, or a stop, finds few behind it."""


def wall_clock() -> Instant:
    return time.time_ns() // 1000


class Shipper:
    """Ships everything in one spool. `run` until told to stop, or `run_once` until nothing more can be done.

    spool: opened as `ship`. keep_sealed: microseconds for which sealed copies stay. destinations: by name of
    the vault. host: the name that origins begin with. uploads: at once.
    """

    def __init__(
        self,
        spool: Spool,
        catalog: Ship,
        destinations: Mapping[str, Destination],
        *,
        host: str,
        keep_sealed: int,
        uploads: int = 4,
        now: Callable[[], Instant] = wall_clock,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spool = spool
        self._destinations = destinations
        self._keep_sealed = keep_sealed
        self._uploads = uploads
        self._now = now
        self._clock = clock
        self._writer = spool.entry_writer(host, "ship", now())
        origin, self._claim = claim(spool.entries_directory, host, "ship", now())
        alarms = Path(spool.directory / "ship.alarms.json")
        self.raised = Alarms(alarms, host, self._writer, now)
        self._belt = Belt(spool, self.raised.raise_)
        self._pauses = Pauses(clock)
        self.telling = Telling(clock)
        self._probing = Probing(catalog, origin, destinations, self._pauses, self.telling, clock)
        self._probes: dict[Future[None], str] = {}
        self._sealer = Sealer(spool, now)
        self._storer = Storer(spool, destinations, now)
        self._locker = Locker(spool, destinations, now)
        self._rows = Rows(spool, catalog, host, origin, now)
        self._paperwork = Paperwork(spool, self._belt, self._rows, keep_sealed, now)
        self._pools = {
            "files": ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0))), "files"),
            "uploads": ThreadPoolExecutor(uploads, "uploads"),
            "rows": ThreadPoolExecutor(1, "rows"),
        }
        self._jobs: dict[Future[Sidecar], Job] = {}
        self._round: Future[Report] | None = None
        self._next_look = 0.0

    # -- from outside --------------------------------------------------------------------------------

    def run(self, stop: threading.Event, turned: Callable[[], None] = lambda: None) -> None:
        """Ship until `stop` is set; then finish what is under way, and enter the last lines.

        turned: called each time the loop has gone round.
        """
        while not stop.is_set():
            self._turn()
            self._probe()
            self.telling.round()
            turned()
            self._wait(LOOK_EVERY, stop)
        until = self._clock() + LEAVE_WITHIN
        while self._under_way and self._clock() < until:
            self._wait(0.1, None)
            self._collect()
            turned()
        if self._round is None and self._pauses.open("database"):
            self._start_round()
            wait([self._round] if self._round else [], LEAVE_WITHIN)
            self._collect()

    def run_once(self) -> None:
        """Do everything that can be done now; what fails is left for a later run."""
        idle = 0
        while idle < 2:
            self._next_look = 0.0
            self._turn()
            idle = 0 if any(item.busy for item in self._belt.items.values()) else idle + 1
            while self._under_way:
                self._wait(1.0, None)
                self._collect()

    def close(self) -> None:
        """Let go of threads and files; jobs under way end first."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        self._writer.close()
        os.close(self._claim)

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many segments wait for each step, for health and status."""
        counted = {step.value: 0 for step in Step}
        for item in self._belt.items.values():
            counted[item.sidecar.step.value] += 1
        return counted

    @property
    def alarms(self) -> Mapping[str, str]:
        """Names and reasons of the alarms that are up."""
        return dict(self.raised.up)

    @property
    def items(self) -> list[Item]:
        """What is on the belt; for any thread."""
        return list(self._belt.items.values())

    # -- the loop ------------------------------------------------------------------------------------

    @property
    def _under_way(self) -> bool:
        return bool(self._jobs or self._round)

    def _turn(self) -> None:
        self._collect()
        due = self._clock() >= self._next_look
        began = time.thread_time()
        if due:
            self._belt.look()
        self._hand_out()  # before the round: a round without work says nothing about a closed gate
        if due:
            if self._round is None and self._pauses.open("database"):
                self._start_round()
            self._next_look = self._clock() + max(LOOK_EVERY, 10 * (time.thread_time() - began))
        for segment in filter(self._belt.drop, list(self._belt.expired(self._now() - self._keep_sealed))):
            log.info("segment.dropped", segment=segment)

    def _start_round(self) -> None:
        self._pauses.probe("database")
        self._round = self._pools["rows"].submit(in_our_words, self._paperwork.prepare())

    def _hand_out(self) -> None:
        room = {**AHEAD, "uploads": self._uploads}
        for job in self._jobs.values():
            room[job.pool] -= 1
        for item in list(self._belt.items.values()):
            if item.busy or item.resting:
                continue
            pool, gate = pool_and_gate(item.sidecar)
            if room[pool] and self._pauses.open(item.sidecar.segment) and self._pauses.open(gate):
                room[pool] -= 1
                self._pauses.probe(gate)
                item.busy = True
                step = NAMES[item.sidecar.step]
                work = self.telling.timed(step, self._work(item))
                future = self._pools[pool].submit(in_our_words, work)
                self._jobs[future] = Job(item.sidecar.segment, pool, gate, step)

    def _probe(self) -> None:
        """Take in the answers of parts that were asked for a sign of life, and ask those that are due."""
        for future in [future for future in self._probes if future.done()]:
            gate = self._probes.pop(future)
            self._probing.over(gate)
            try:
                future.result()
            except FsgovError as fault:
                self._failed(Job("", "", gate, "probe"), fault)
            else:
                self._opened(gate)
        for gate, pool, ask in self._probing.due():
            self._probes[self._pools[pool].submit(in_our_words, ask)] = gate

    def _work(self, item: Item) -> Callable[[], Sidecar]:
        sidecar = item.sidecar
        match sidecar.step:
            case Step.CHECK:
                return partial(self._sealer.check, sidecar)
            case Step.SEAL:
                return partial(self._seal, sidecar)
            case Step.STORE:
                return partial(self._storer.store, sidecar, ask_first=item.unsure)
            case Step.LOCK:
                return partial(self._locker.lock, sidecar)
            case Step.ENTER:
                return partial(self._rows.segment, sidecar)
        return partial(self._rows.discard, sidecar)

    def _seal(self, sidecar: Sidecar) -> Sidecar:
        return self._sealer.seal(sidecar, destination(self._destinations, sidecar.vault).recipients)

    def _wait(self, seconds: float, stop: threading.Event | None) -> None:
        under_way: list[Future[Any]] = [*self._jobs]
        if self._round is not None:
            under_way.append(self._round)
        if under_way:
            wait(under_way, seconds, FIRST_COMPLETED)
        elif stop is not None:
            stop.wait(seconds)

    # -- what came of it -----------------------------------------------------------------------------

    def _collect(self) -> None:
        for future in [future for future in self._jobs if future.done()]:
            job = self._jobs.pop(future)
            item = self._belt.items[job.segment]
            item.busy = False
            try:
                after = future.result()
            except FsgovError as fault:
                item.unsure = True
                self._failed(job, fault)
            else:
                self._succeeded(item, job.gate, after)
        if self._round is not None and self._round.done():
            done, self._round = self._round, None
            try:
                self._reported(done.result())
            except FsgovError as fault:
                self._failed(Job("", "rows", "database", "entries"), fault)

    def _reported(self, report: Report) -> None:
        if report.asked:
            self._opened("database")
        else:
            self._pauses.withdraw("database")
        self.raised.over(report.taken, self._paperwork.there)
        for name, fault in report.refused.items():
            self.raised.raise_(name, fault)
        self._belt.destroyed(report.erased)

    def _succeeded(self, item: Item, gate: str, after: Sidecar) -> None:
        before = item.sidecar
        log.info("segment." + after.state, call=after.call, segment=after.segment)
        item.sidecar, item.unsure, item.discarding = after, False, False
        self._opened(gate)
        self._pauses.succeeded(before.segment)
        self.raised.clear(f"segment.{before.segment}")
        if after.stored is not None and before.stored is None:
            self.telling.stored += after.stored.size
        if after.step is Step.KEEP and before.step is not Step.KEEP:
            self._belt.keep(after)

    def _opened(self, gate: str) -> None:
        self.telling.answered(gate)
        self._pauses.succeeded(gate)
        self.raised.clear(gate)

    def _failed(self, job: Job, fault: FsgovError) -> None:
        """A fault of the segment itself pauses it alone; any other closes the gate of the part as well."""
        log.warning("ship.failed", segment=job.segment, gate=job.gate, why=fault.message, detail=fault.detail)
        own = isinstance(fault, Damaged | Conflict | BadUsage) and bool(job.segment)
        self.telling.failed(job.step, "" if own else job.gate, fault)
        if job.segment:
            again = self._pauses.failed(job.segment, fault)
        if own:
            self._pauses.withdraw(job.gate)
        else:
            again = self._pauses.failed(job.gate, fault)
        if again.alarm:
            self.raised.raise_(f"segment.{job.segment}" if own else job.gate, fault)
