"""One step under way: the conversation's copy that is being changed, and the commands it has led to."""

from __future__ import annotations

from fsgov.call.state import Call, Leg, Party
from fsgov.call.tables import CAPTURE, Sign
from fsgov.commands import Command, Enter
from fsgov.entries import Fact
from fsgov.events import Event, Instant, LegEvent


class TimePassed(Event):
    """A deadline of the conversation has come; made by the switchboard's clockwork."""


class Turn:
    """What learning from one event changes. `time` is when the thing happened, `now` when we heard of it."""

    __slots__ = ("call", "commands", "durable", "now", "rests", "source", "time")

    def __init__(self, call: Call, event: Event) -> None:
        self.call = call.copy()
        self.now: Instant = event.now
        self.time: Instant = event.now if event.at is None else event.at
        self.source = event.source if isinstance(event, LegEvent) else ""
        """What evidence names the switch's event by."""
        self.commands: list[Command] = []
        self.durable = False
        """Something was learned that a restart must not forget, even after a power loss."""
        self.rests = False
        """Some command rests on the conversation's file."""

    def enter(self, type_: str, subject: str | None = None, **facts: Fact) -> None:
        """One entry about the conversation, or about its segment `subject`."""
        call = self.call.id
        if subject is not None:
            facts = {"call": call, **facts}
        self.commands.append(
            Enter(call=call, type=type_, subject=subject or call, time=self.time, facts=facts)
        )

    def send(self, command: Command) -> None:
        """A command that rests on what is known now."""
        self.commands.append(command)
        self.rests = True

    def number(self) -> int:
        self.call.numbers += 1
        return self.call.numbers

    def sign(self, sign: Sign) -> bool:
        """The capture machine moves; False where the sign means nothing in its state."""
        target = CAPTURE.get((self.call.actual, sign))
        if target is None:
            return False
        self.call.actual = target
        return True

    def change_leg(self, leg: Leg) -> None:
        self.call.legs = {**self.call.legs, leg.uuid: leg}

    def change_party(self, party: Party) -> None:
        n = party.facts.party
        self.call.parties = tuple(party if p.facts.party == n else p for p in self.call.parties)


def leg_name(call: Call, uuid: str) -> str:
    """Its name: a for the leg the conversation is named after, then b, c, … by order of joining."""
    if uuid == call.id:
        return "a"
    n = 1 + sum(1 for leg in call.legs.values() if leg.name != "a")
    letters = ""
    while True:
        letters = chr(97 + n % 26) + letters
        n = n // 26 - 1
        if n < 0:
            return letters
