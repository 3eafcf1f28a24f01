"""One conversation's commands, in order: what must be on disk first is on disk before the switch hears of it.

A lane is a greenlet that lives as long as its conversation has commands waiting. Each turn takes everything
that waits, has the scribe do the spool's part in one request (a later call file of the same turn includes the
earlier ones, so only the last is written, durably if any of them had to be), then sends the rest, each in a
greenlet of its own: the core never has two recorder commands of one conversation in flight.

A disk that cannot be written refuses to open segments; it never delays closing or masking one.

Why a start waits for a replaced file but not for its fsync: a replaced file survives every end of a process,
and a power cut on this host ends the calls as well, so that nothing is left that could be recorded wrongly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import gevent
import structlog

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
from fsgov.events import CommandRefused, Event, Instant, SegmentTaken
from fsgov.spool.scribe import Op

log = structlog.get_logger()

LONGEST_PAUSE = 10.0
"""Seconds between two tries to hand a segment over to a disk that refuses."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who carries out what. Each may wait (it runs in a greenlet of its own) and reports by events."""

    recorder: Callable[[RecorderCommand], None]
    announcements: Callable[[Command], None]
    look_up: Callable[[LookUpParty], None]
    answer: Callable[[Answer], None]


class Scribe(Protocol):
    """Who writes: see writing.py."""

    def ask(self, ops: list[Op]) -> list[str]: ...
    def tell(self, ops: list[Op]) -> None: ...
    def enter(self, entry: Enter) -> None: ...


class Lanes:
    """Carries out what the core wants, through the scribe and the given hands."""

    def __init__(
        self,
        writing: Scribe,
        hands: Hands,
        emit: Callable[[Event], None],
        now: Callable[[], Instant],
    ) -> None:
        self._writing = writing
        self._hands = hands
        self._emit = emit
        self._now = now
        self._waiting: dict[str, deque[Command]] = {}
        self._sending = 0
        self._unwritten: dict[str, Op] = {}
        """The newest call file of each conversation that the disk has refused."""

    @property
    def busy(self) -> bool:
        """Is anything still on its way to the disk or the switch?"""
        return bool(self._waiting or self._sending)

    def carry(self, commands: list[Command]) -> None:
        """Take the commands of one step; never waits."""
        for command in commands:
            if isinstance(command, Enter) and not command.call:
                self._writing.enter(command)
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
            unopened = self._write(turn)
            for command in turn:
                if isinstance(command, OpenSegment) and command.number in unopened:
                    self._emit(unopened[command.number])
                else:
                    self._send(command)
        del self._waiting[call]

    def _write(self, turn: list[Command]) -> dict[int, Event]:
        """Have the disk's part done. The OpenSegments that must not be sent, with what to tell the core."""
        todo = operations(turn)
        ops = [op for op, _ in todo]
        if all(op[0] == "enter" for op in ops):
            if ops:
                self._writing.tell(ops)
            return {}
        faults = self._writing.ask(ops)
        unopened: dict[int, Event] = {}
        for (op, command), fault in zip(todo, faults, strict=True):
            if fault and isinstance(command, OpenSegment):
                unopened[command.number] = self._refusal(command, fault)
            elif fault:
                log.error("spool.unwritable", detail=fault)
                if isinstance(command, Release):
                    self._spawn(partial(self._release_later, command))
                elif isinstance(command, Remember):
                    self._unwritten[command.call] = op
                    self._spawn(partial(self._remember_later, command.call, op))
            elif isinstance(command, Remember):
                self._unwritten.pop(command.call, None)
        return unopened

    def _refusal(self, command: OpenSegment, fault: str) -> Event:
        if fault == "taken":
            return SegmentTaken(now=self._now(), call=command.call, command=command.number)
        log.error("spool.unwritable", detail=fault)
        return CommandRefused(now=self._now(), call=command.call, command=command.number, reason="spool")

    def _release_later(self, command: Release) -> None:
        """A sidecar that says `captured` is what hands the audio to ship; said until the disk takes it."""
        pause = 0.1
        while any(self._writing.ask([("replace", command.segment, command.sidecar)])):
            gevent.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _remember_later(self, call: str, op: Op) -> None:
        """Ship waits for the end of a call: said until the disk takes it, or a newer file of that call."""
        pause = 0.1
        while self._unwritten.get(call) is op:
            gevent.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            written = self._unwritten.get(call) is op and not any(self._writing.ask([op]))
            if written and self._unwritten.get(call) is op:
                del self._unwritten[call]

    # -- everything else ---------------------------------------------------------------------------------

    def _send(self, command: Command) -> None:
        match command:
            case Enter() | Remember() | Release():
                pass
            case Answer():
                self._hands.answer(command)
            case LookUpParty():
                self._spawn(lambda: self._hands.look_up(command))
            case RecorderCommand():
                if isinstance(command, OpenSegment):
                    self._writing.tell([("settle", command.segment)])
                self._spawn(lambda: self._hands.recorder(command))
            case _:
                self._spawn(lambda: self._hands.announcements(command))

    def _spawn(self, act: Callable[[], None]) -> None:
        self._sending += 1
        gevent.spawn(act).link(self._sent)

    def _sent(self, _: object) -> None:
        self._sending -= 1


def operations(turn: list[Command]) -> list[tuple[Op, Command]]:
    """What the scribe has to do for these commands, in the order that a kill at any place forgives.

    Entries go with the call file that knows of them: the scribe outlives govern, and no end is told twice.
    A segment is handed over before its call forgets that it runs: else a kill leaves it to nobody.
    """
    entered: list[tuple[Op, Command]] = []
    released: list[tuple[Op, Command]] = []
    remembered: list[tuple[Op, Command]] = []
    planned: list[tuple[Op, Command]] = []
    durable = any(isinstance(command, Remember) and command.durable for command in turn)
    for command in turn:
        match command:
            case Enter(type=type_, subject=subject, time=time, facts=facts):
                entered.append((("enter", type_, subject, time, dict(facts)), command))
            case Release(segment=segment, sidecar=text):
                released.append((("replace", segment, text), command))
            case Remember(call=call, text=text):
                remembered = [(("remember", call, text, durable), command)]
            case OpenSegment(segment=segment, sidecar=text):
                planned.append((("plan", segment, text), command))
    return [*entered, *released, *remembered, *planned]
