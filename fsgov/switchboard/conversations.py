"""The live conversations: their steps, their deadlines, their end."""

from __future__ import annotations

import heapq
from dataclasses import replace

from fsgov.call import Call, Stage, TimePassed, next_due, step
from fsgov.call.join import join
from fsgov.call.stops import StopsInForce, halting
from fsgov.commands import Command
from fsgov.events import Event, Instant
from fsgov.switchboard.directory import Directory


class Conversations:
    """Every conversation that is not over. One that ends is dropped, and its legs with it."""

    def __init__(self) -> None:
        self.directory = Directory()
        self.ignored = 0
        """Events that belonged to no conversation and told nothing."""
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
        """Take up a conversation that is new, or was read back."""
        self.directory.enlist((*call.legs, call.id), call.id)
        self._keep(call)

    def tell(self, id_: str | None, event: Event) -> list[Command]:
        """What the event means to this conversation."""
        call = None if id_ is None else self._calls.get(id_)
        if call is None:
            self.ignored += 1
            return []
        call, commands = step(call, event)
        self._keep(call)
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

    def join(self, one: str, other: str, now: Instant) -> list[Command]:
        """Make one conversation of two; the elder goes on."""
        if one == other or one not in self._calls or other not in self._calls:
            return []
        first, second = self._calls[one], self._calls[other]
        if (second.opened, second.id) < (first.opened, first.id):
            first, second = second, first
        elder, younger, commands = join(first, second, now)
        self.directory.enlist((*second.legs, second.id), elder.id)
        if younger.stage is not Stage.OVER:
            self.directory.leaves(younger)
        self._keep(younger)
        self._keep(elder)
        return commands

    def _keep(self, call: Call) -> None:
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
        return self._due[0][0] if self._due else None

    def tick(self, now: Instant) -> list[Command]:
        """Tell those conversations whose deadline has come."""
        come: list[str] = []
        while self._due and self._due[0][0] <= now:
            booked, id_ = heapq.heappop(self._due)
            if self._booked.get(id_) == booked:
                del self._booked[id_]
                come.append(id_)
        commands: list[Command] = []
        for id_ in come:
            call = self._calls.get(id_)
            due = None if call is None else next_due(call)
            if due is not None and due <= now:
                commands += self.tell(id_, TimePassed(now=now))
            elif call is not None:
                self._book(call)
        return commands
