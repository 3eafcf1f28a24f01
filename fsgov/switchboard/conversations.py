"""The live conversations: their steps, their deadlines, their end."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace

from fsgov.call import Call, Capture, Stage, TimePassed, next_due, step
from fsgov.call.holding import NO_LIMITS, STARTS, Limits, LimitsInForce, SpoolRoom, TryNow
from fsgov.call.join import join, meet
from fsgov.call.stops import StopsInForce, halting
from fsgov.commands import Command
from fsgov.events import Event, Instant, LegsBridged, RoomJoined
from fsgov.switchboard.breaker import Breaker
from fsgov.switchboard.directory import Directory


class Conversations:
    """Every conversation that is not over. One that ends is dropped, and its legs with it."""

    def __init__(self) -> None:
        self.directory = Directory()
        self.ignored = 0
        """Events that belonged to no conversation and told nothing."""
        self.breaker = Breaker()
        self._limits = NO_LIMITS
        self._calls: dict[str, Call] = {}
        self._due: list[tuple[Instant, str]] = []
        self._booked: dict[str, Instant] = {}
        """The one entry of `_due` that counts for a conversation; others of it are stale."""

    def __contains__(self, id_: str) -> bool:
        return id_ in self._calls

    def get(self, id_: str) -> Call | None:
        return self._calls.get(id_)

    def all(self) -> tuple[Call, ...]:
        return tuple(self._calls.values())

    def begin(self, call: Call) -> None:
        """Take up a conversation that is new, or was read back: one that merged also when it is over."""
        if call.merged_into is not None:
            self.directory.leaves(call)
        else:
            self.directory.enlist(_named(call), call.id)
        call.limits = self._limits
        if call.stage is Stage.OVER:
            self._calls[call.id] = call  # until it is certain that its elder has heard of it
        else:
            self.keep(call)

    def tell(self, id_: str | None, event: Event) -> list[Command]:
        """What the event means to this conversation."""
        call = None if id_ is None else self._calls.get(id_)
        if call is None:
            self.ignored += 1
            return []
        before = call
        call, commands = step(call, event)
        self.keep(call)
        if self.breaker.saw(before, call, event.now):
            commands += self._limit(replace(self._limits, starts_fail=self.breaker.open), event.now)
        return commands

    def tell_all(self, event: Event) -> list[Command]:
        return [command for call in self.all() for command in self.tell(call.id, event)]

    def stop(self, event: StopsInForce) -> list[Command]:
        """Other stops are in force: whom they concern is told at once, the others only carry them."""
        commands: list[Command] = []
        for call in self.all():
            if halting(call, event.stops) != call.halt.told:
                commands += self.tell(call.id, event)
                continue
            twin = call.copy()
            twin.halt = replace(call.halt, stops=event.stops)
            self._calls[call.id] = twin
        return commands

    def room(self, event: SpoolRoom) -> list[Command]:
        """The spool's disk has come to another mark."""
        return self._limit(replace(self._limits, mark=event.mark), event.now)

    def _limit(self, limits: Limits, now: Instant) -> list[Command]:
        """Other limits are in force: who may begin now is told at once, the others only carry them."""
        self._limits = limits if limits != NO_LIMITS else NO_LIMITS
        commands: list[Command] = []
        for call in self.all():
            if call.actual is Capture.OFF and call.segment is None:
                commands += self.tell(call.id, LimitsInForce(now=now, limits=self._limits))
                continue
            twin = call.copy()
            twin.limits = self._limits
            self._calls[call.id] = twin
        return commands

    def _probe(self, now: Instant) -> list[Command]:
        """Starts fail: let one of those that wait try, the one that has failed least."""
        waiting = [call for call in self.all() if call.held == STARTS and not (call.flight or call.adrift)]
        self.breaker.probed(now, tried=bool(waiting))
        if not waiting:
            return []
        return self.tell(min(waiting, key=lambda call: (call.failures, call.opened)).id, TryNow(now=now))

    def meet(self, event: LegsBridged | RoomJoined, legs: Iterable[str]) -> list[Command]:
        """These legs are together: their conversations are one, without those whom that takes apart."""
        named = {leg: self.directory.call(leg) for leg in legs}
        met = meet({leg: self._calls[id_] for leg, id_ in named.items() if id_ in self._calls}, event)
        for new in met.parted:
            self.directory.enlist((*new.legs, new.id), new.id)
        for younger in met.merged[1:]:
            self._merged(met.merged[0], younger)
        for call in met.calls:
            self.keep(call)
        return met.commands

    def join(self, elder: str, younger: str, now: Instant) -> list[Command]:
        """Make one conversation of two that a kill has left apart."""
        one, other, commands = join(self._calls[elder], self._calls[younger], now)
        self._merged(one, other)
        self.keep(other)
        self.keep(one)
        return commands

    def _merged(self, elder: Call, younger: Call) -> None:
        self.directory.enlist(_named(younger), elder.id)
        if younger.stage is not Stage.OVER:
            self.directory.leaves(younger)

    def keep(self, call: Call) -> None:
        """It is like this now; what is over is dropped."""
        if call.stage is Stage.OVER:
            self._calls.pop(call.id, None)
            self._booked.pop(call.id, None)
            self.directory.release(call)
            return
        self._calls[call.id] = call
        self._book(call)

    def _book(self, call: Call) -> None:
        due = next_due(call)
        booked = self._booked.get(call.id)
        if due is not None and (booked is None or due < booked):
            self._booked[call.id] = due
            heapq.heappush(self._due, (due, call.id))

    # -- deadlines -------------------------------------------------------------------------------------

    def next_deadline(self) -> Instant | None:
        """Never later than the truth, sometimes earlier: a deadline that has moved is found out by `tick`."""
        due = self._due[0][0] if self._due else None
        if not self.breaker.open:
            return due
        return self.breaker.next_probe if due is None else min(due, self.breaker.next_probe)

    def tick(self, now: Instant) -> list[Command]:
        """Tell those conversations whose deadline has come."""
        come: list[str] = []
        while self._due and self._due[0][0] <= now:
            booked, id_ = heapq.heappop(self._due)
            if self._booked.get(id_) == booked:
                del self._booked[id_]
                come.append(id_)
        commands: list[Command] = []
        if self.breaker.open and self.breaker.next_probe <= now:
            commands += self._probe(now)
        for id_ in come:
            call = self._calls.get(id_)
            due = None if call is None else next_due(call)
            if due is not None and due <= now:
                commands += self.tell(id_, TimePassed(now=now))
            elif call is not None:
                self._book(call)
        return commands


def _named(call: Call) -> tuple[str, ...]:
    """Its legs, and what it is named after, while that is no leg's yet."""
    return call.present if call.id in call.legs else (*call.present, call.id)
