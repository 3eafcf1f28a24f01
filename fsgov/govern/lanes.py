"""One conversation's commands, in order: what must be on disk first is on disk before the switch hears of it.

A lane is a greenlet that lives as long as its conversation has commands waiting. Each turn takes everything
that waits, does the spool's part in one job of the thread pool (a later call file of the same turn includes
the earlier ones, so only the last is written, durably if any of them had to be), then sends the rest, each in
a greenlet of its own: the core never has two recorder commands of one conversation in flight.

A disk that cannot be written refuses to open segments; it never delays closing or masking one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import gevent
import structlog
from gevent.threadpool import ThreadPool

from fsgov.commands import (
    Answer,
    Command,
    Enter,
    LookUpParty,
    OpenSegment,
    RecorderCommand,
    Release,
    Remember,
)
from fsgov.errors import FsgovError
from fsgov.events import CommandRefused, Event, Instant, SegmentTaken
from fsgov.spool import Spool

log = structlog.get_logger()

THREADS = 4
"""fsyncs under way at once; more would only queue in the disk."""
LONGEST_PAUSE = 10.0
"""Seconds between two tries to hand a segment over to a disk that refuses."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who carries out what. Each may wait (it runs in a greenlet of its own) and reports by events."""

    recorder: Callable[[RecorderCommand], None]
    announcements: Callable[[Command], None]
    look_up: Callable[[LookUpParty], None]
    answer: Callable[[Answer], None]


class Log(Protocol):
    """Where entries go, in the order of the core."""

    def enter(self, entry: Enter) -> None: ...


class Lanes:
    """Carries out what the core wants, through the spool, the log and the given hands."""

    def __init__(
        self,
        spool: Spool,
        journal: Log,
        hands: Hands,
        emit: Callable[[Event], None],
        now: Callable[[], Instant],
    ) -> None:
        self._spool = spool
        self._journal = journal
        self._hands = hands
        self._emit = emit
        self._now = now
        self._waiting: dict[str, deque[Command]] = {}
        self._disk = ThreadPool(THREADS)
        self._sending = 0

    @property
    def busy(self) -> bool:
        """Is anything still on its way to the disk or the switch?"""
        return bool(self._waiting or self._sending)

    def carry(self, commands: list[Command]) -> None:
        """Take the commands of one step; never waits."""
        for command in commands:
            if isinstance(command, Enter):
                self._journal.enter(command)
            elif (waiting := self._waiting.get(command.call)) is not None:
                waiting.append(command)
            else:
                self._waiting[command.call] = deque([command])
                gevent.spawn(self._lane, command.call)

    def _lane(self, call: str) -> None:
        waiting = self._waiting[call]
        while waiting:
            turn = list(waiting)
            waiting.clear()
            written = Written()
            if any(isinstance(command, Remember | Release | OpenSegment) for command in turn):
                written = self._disk.apply(self._write, (turn,))
            for release in written.unreleased:
                self._spawn(partial(self._release_later, release))
            for command in turn:
                if isinstance(command, OpenSegment) and command.number in written.unopened:
                    self._emit(written.unopened[command.number])
                else:
                    self._send(command)
        del self._waiting[call]

    # -- the disk ----------------------------------------------------------------------------------------

    def _write(self, turn: list[Command]) -> Written:
        """In a thread. The call file first, since everything else rests on it."""
        written = Written()
        fault = ""
        remembered = [command for command in turn if isinstance(command, Remember)]
        if remembered:
            durable = any(command.durable for command in remembered)
            last = remembered[-1]
            fault = fault_of(lambda: self._spool.remember(last.call, last.text, durable=durable))
        for command in turn:
            if isinstance(command, Release) and self._release(command):
                written.unreleased.append(command)
            elif isinstance(command, OpenSegment) and (refusal := self._plan(command, fault)) is not None:
                written.unopened[command.number] = refusal
        return written

    def _plan(self, command: OpenSegment, fault: str) -> Event | None:
        """None when the segment's number is ours and on disk, else what to tell the core."""
        taken: list[bool] = []
        fault = fault or fault_of(
            lambda: taken.append(not self._spool.plan(command.segment, command.sidecar))
        )
        if fault:
            return CommandRefused(now=self._now(), call=command.call, command=command.number, reason=fault)
        if taken[0]:
            return SegmentTaken(now=self._now(), call=command.call, command=command.number)
        return None

    def _release(self, command: Release) -> str:
        """A sidecar that says `captured` is what hands the audio to ship."""
        return fault_of(lambda: self._spool.replace_segment(command.segment, command.sidecar, durable=True))

    def _release_later(self, command: Release) -> None:
        pause = 0.1
        while self._disk.apply(self._release, (command,)):
            gevent.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    # -- everything else ---------------------------------------------------------------------------------

    def _send(self, command: Command) -> None:
        match command:
            case Remember() | Release():
                pass
            case Answer():
                self._hands.answer(command)
            case LookUpParty():
                self._spawn(lambda: self._hands.look_up(command))
            case RecorderCommand():
                if isinstance(command, OpenSegment):
                    self._disk.spawn(fault_of, lambda: self._spool.settle_segment(command.segment))
                self._spawn(lambda: self._hands.recorder(command))
            case _:
                self._spawn(lambda: self._hands.announcements(command))

    def _spawn(self, act: Callable[[], None]) -> None:
        self._sending += 1
        gevent.spawn(act).link(self._sent)

    def _sent(self, _: object) -> None:
        self._sending -= 1


class Written:
    """What the disk did not take of one turn."""

    __slots__ = ("unopened", "unreleased")

    def __init__(self) -> None:
        self.unopened: dict[int, Event] = {}
        self.unreleased: list[Release] = []


def fault_of(act: Callable[[], None]) -> str:
    """What went wrong with the spool, or ""."""
    try:
        act()
    except FsgovError as fault:
        log.error("spool.unwritable", detail=fault.detail)
        return fault.message
    return ""
