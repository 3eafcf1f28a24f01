"""A channel that runs a dialplan: its actions one after the other, each until it is over.

An application is a generator: it yields a `Wait` and goes on with what woke it. What a person presses while
no application listens is queued, as FreeSWITCH queues it; DTMF events are sent when a digit is taken out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsgov.errors import BadConfiguration
from fsgov.simulator.clock import Timer
from fsgov.simulator.plan import Action, expand

if TYPE_CHECKING:
    from fsgov.simulator.channel import Channel
    from fsgov.simulator.switch import Switch

ALONE = ("bridge", "park")
"""These tell of themselves: `Life` knows them from before there were dialplans here."""
MOST_STACKS = 16
"""SWITCH_MAX_STACKS: execute_extension within execute_extension."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Until one of `words` comes: time (after `seconds`), break, key, played."""

    words: frozenset[str]
    seconds: float | None = None


Steps = Generator[Wait, tuple[str, str], None]


class Run:
    """One channel's way through the dialplan, until it is bridged, parked or gone."""

    def __init__(self, switch: Switch, channel: Channel, context: str) -> None:
        self.switch, self.channel, self.context = switch, channel, context
        self.digits: deque[tuple[str, str]] = deque()
        self.over = False
        self.depth = 0
        self.pressed = ""
        self.terminal = False
        self._waiting: Wait | None = None
        self._timer: Timer | None = None
        self._steps: Steps | None = None

    def value(self, name: str) -> str:
        """A variable of the channel, a field of its profile, or a global one."""
        c = self.channel
        if name in c.variables:
            return c.variables[name]
        fields = {
            "destination_number": c.profile.get("Destination-Number", ""),
            "caller_id_number": c.profile.get("Caller-ID-Number", ""),
            "uuid": c.uuid,
        }
        return fields.get(name, self.switch.globals.get(name, ""))

    # -- being run -------------------------------------------------------------------------------------

    def start(self, number: str) -> None:
        """Find the extension and begin."""
        actions = self.switch.plan.hunt(self.context, number, self.value)
        if actions is None:
            self.switch.end(self.channel, "NO_ROUTE_DESTINATION", "kill")
            return
        self.begin(actions)

    def begin(self, actions: list[Action]) -> None:
        self._steps = self._whole(actions)
        self._go(None)

    def wake(self, word: str, what: str = "") -> None:
        """Something that an application may wait for has happened."""
        if self._waiting is None or word not in self._waiting.words or self.over:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._go((word, what))

    def press(self, digit: str, source: str) -> None:
        """A key: taken at once by an application that listens, else queued."""
        self.digits.append((digit, source))
        if self.listening:
            self.wake("key")

    @property
    def listening(self) -> bool:
        return self._waiting is not None and "key" in self._waiting.words

    def stop(self) -> None:
        """The channel is gone, or goes another way."""
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
        if self.channel.run is self:
            self.channel.run = None

    def _go(self, woken: tuple[str, str] | None) -> None:
        self._waiting, self._timer = None, None
        if self._steps is None or self.over:
            return
        try:
            wait = next(self._steps) if woken is None else self._steps.send(woken)
        except StopIteration:
            self._ended()
            return
        self._waiting = wait
        if wait.seconds is not None:
            self._timer = self.switch.clock.call_later(wait.seconds, lambda: self.wake("time"))
        if self.digits and "key" in wait.words:
            self.wake("key")

    def _ended(self) -> None:
        from fsgov.simulator import keys

        if self.over:
            return
        self.stop()
        for digit, source in self.digits:  # what nobody took goes to whatever comes next
            keys.arrived(self.switch, self.channel, digit, source)
        if not self.terminal and self.channel.peer is None and self.channel.up:
            self.switch.end(self.channel, "NORMAL_CLEARING", "kill")  # nothing is left to do

    # -- actions ---------------------------------------------------------------------------------------

    def _whole(self, actions: list[Action]) -> Steps:
        from fsgov.simulator.applications import APPLICATIONS

        for application, raw in actions:
            if self.over or not self.channel.up:
                return
            act = APPLICATIONS.get(application)
            if act is None:
                raise BadConfiguration("The simulator does not know this application", application)
            if self.terminal:
                raise BadConfiguration("The simulator runs nothing after bridge, park and transfer", raw)
            data = expand(raw, self.value)
            if application in ALONE:
                yield from act(self, data)
                continue
            marks = self._begins(application, data)
            yield from act(self, data)
            self._ends(marks)

    def inner(self, actions: list[Action]) -> Steps:
        """Another extension's actions, within this one's."""
        if self.depth >= MOST_STACKS:
            return
        self.depth += 1
        yield from self._whole(actions)
        self.depth -= 1

    def _begins(self, application: str, data: str) -> list[tuple[str, str]]:
        c = self.channel
        c.set("current_application", application)
        c.set("current_application_data", data)
        c.unset("current_application_response")
        marks = [("Application", application), ("Application-Data", data)]
        marks.append(("Application-UUID", self.switch.new_uuid()))
        c.executing = (application, data, marks[2][1])
        self.switch.world.note("executed", leg=c.number, application=application, data=data)
        self.switch.fire_for(c, "CHANNEL_EXECUTE", marks)
        return marks

    def _ends(self, marks: list[tuple[str, str]]) -> None:
        c = self.channel
        if self.terminal or self.over or not c.up:
            return  # a bridge is over when its partner is gone: `Life.complete` tells of it
        response = c.variables.get("current_application_response", "_none_")
        marks.insert(2, ("Application-Response", response))
        c.executing = ("", "", "")
        self.switch.fire_for(c, "CHANNEL_EXECUTE_COMPLETE", marks)

    def take(self) -> str:
        """The next digit of the queue, told as FreeSWITCH tells it: when it is taken out."""
        from fsgov.simulator import keys

        digit, source = self.digits.popleft()
        keys.tell(self.switch, self.channel, digit, source)
        return digit
