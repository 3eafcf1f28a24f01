"""Which conversation an event belongs to. Legs come, change partners and go; conversations do not.

A leg joins the conversation of the leg it was made for (`LegCreated.other`), of the one it is bridged with,
of whoever is in its room. Recordings are told apart by the name of their segment, never by a leg alone. When
a bridge or a room connects two conversations, the younger ends `merged`; who is taken from those he talked
with and connected elsewhere goes on in a conversation of his own.

While the switch cannot be seen (from connecting until `Resynced`, after `SwitchLost`, and for conversations
read back from the spool) nothing is sent; the resync says what is left of them.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call import Call, Site, restore
from fsgov.call.holding import SpoolRoom
from fsgov.call.stops import NO_STOPS, Halt, StopsInForce
from fsgov.commands import Answer, Command, Enter, Inspect
from fsgov.errors import Damaged
from fsgov.events import (
    ActAsked,
    CallRestored,
    Direction,
    Event,
    Heartbeat,
    Instant,
    LegCreated,
    LegEvent,
    LegGone,
    LegHungUp,
    LegInspected,
    LegsBridged,
    LegsUnbridged,
    RecordingSeen,
    RecordingStarted,
    RecordingStopped,
    Reply,
    Resynced,
    RoomJoined,
    RoomLeft,
    Stopping,
    SwitchConnected,
    SwitchLost,
)
from fsgov.policy import Policy
from fsgov.switchboard import meeting
from fsgov.switchboard.agreeing import agree
from fsgov.switchboard.census import Census
from fsgov.switchboard.conversations import Conversations
from fsgov.switchboard.directory import UUID


class Switchboard:
    """The core's whole interface: events in, commands out. It reads no clock; deadlines come by `tick`."""

    def __init__(self, policy: Policy, site: Site) -> None:
        self.site = site
        self._live = Conversations()
        self._directory = self._live.directory
        self.breaker = self._live.breaker
        self._census = Census()
        self._adrift = False
        self._core = ""
        self._stops = NO_STOPS
        self.use_policy(policy)

    def use_policy(self, policy: Policy) -> None:
        """Conversations that begin from now on are decided by this version; a running one keeps its own."""
        self.policy = policy

    @property
    def calls(self) -> tuple[Call, ...]:
        """The live conversations, for shells to look at."""
        return self._live.all()

    def call(self, id_: str) -> Call | None:
        return self._live.get(id_)

    @property
    def busy(self) -> bool:
        """Some recorder command is under way."""
        return any(call.flight is not None for call in self._live.all())

    @property
    def ignored(self) -> int:
        """Events that belonged to no conversation and told nothing."""
        return self._live.ignored

    def next_deadline(self) -> Instant | None:
        """When `tick` has something to do; never later than the truth."""
        return self._live.next_deadline()

    def tick(self, now: Instant) -> list[Command]:
        """Everything that follows from the time being `now`."""
        return self._live.tick(now)

    def handle(self, event: Event) -> list[Command]:
        """Everything that follows from one event."""
        match event:
            case RecordingStarted() | RecordingStopped() | RecordingSeen():
                return self._recording(event)
            case LegCreated():
                return self._created(event)
            case LegsBridged() | LegsUnbridged() | RoomJoined() | RoomLeft():
                return self._met(event)
            case LegHungUp() | LegGone():
                return self._ending(event)
            case LegInspected():
                return self._inspected(event)
            case LegEvent():
                return self._of(event.leg, event)
            case Reply():
                return self._live.tell(event.call, event)
            case _:
                return self._at_large(event)

    def _of(self, leg: str, event: LegEvent) -> list[Command]:
        """To the leg's conversation; a leg nobody knows is asked about, once."""
        id_ = self._directory.call(leg)
        return self._ask_about(leg) if id_ is None else self._live.tell(id_, event)

    def _ask_about(self, leg: str, bridged_with: str = "") -> list[Command]:
        if not self._adrift and self._directory.ask_about(leg, bridged_with):
            return [Inspect(call="", number=0, leg=leg, segment="")]
        self._live.ignored += 1
        return []

    # -- legs ------------------------------------------------------------------------------------------

    def _created(self, event: LegCreated) -> list[Command]:
        leg, directory = event.leg, self._directory
        if not UUID.fullmatch(leg) or (directory.gone(leg) and not event.found):
            self._live.ignored += 1
            return []
        if directory.call(leg) is None:
            directory.returned(leg)
        other = directory.asked_about(leg) or event.other or ""
        id_ = directory.call(leg) or directory.call(other)
        commands: list[Command] = []
        if id_ is None or id_ not in self._live:
            id_ = self._begin(event, other)
            if id_ != leg:
                commands = self._ask_about(id_)
        known = self._live.get(id_)
        if known is not None and leg not in known.legs:
            self._census.count(event.core or self._core)
        directory.enlist([leg], id_)
        return [*self._live.tell(id_, replace(event, other=other)), *commands]

    def _begin(self, event: LegCreated, other: str) -> str:
        """A new conversation, named after its first a-leg, which may be told of after its b-leg.

        A leg found names its other leg whichever of the two it is: an inbound one is the a-leg. A resync
        tells of elder legs first: one it has not told of is gone, and its conversation may be over.
        """
        id_ = event.leg
        called = event.direction is Direction.OUTBOUND and not (event.found and self._adrift)
        if called and UUID.fullmatch(other) and not self._directory.gone(other) and other not in self._live:
            id_ = other
        call = Call(
            id=id_,
            site=self.site,
            policy=self.policy,
            opened=event.now if event.at is None else event.at,
            looks_up=self.policy.looks_up,
            core=event.core or self._core,
            adrift=self._adrift,
            halt=Halt(stops=self._stops),
        )
        self._live.begin(call)
        return id_

    def _ending(self, event: LegHungUp | LegGone) -> list[Command]:
        id_ = self._directory.call(event.leg)
        if id_ is None:
            self._live.ignored += 1
            return []
        leaving = self._directory.leaving(event.leg)
        commands = self._live.tell(id_, event)
        for other in leaving:
            commands += self._live.tell(other, event)
        if isinstance(event, LegGone):
            self._directory.leave(event.leg)
        return commands

    def _met(self, event: meeting.Met) -> list[Command]:
        unknown, commands = meeting.met(self._live, event)
        asked = [command for leg, other in unknown.items() for command in self._ask_about(leg, other)]
        return [*asked, *commands]

    def _inspected(self, event: LegInspected) -> list[Command]:
        """The answer to `Inspect`: a leg nobody knew joins; the recordings on it are its conversation's.

        Or those of one that has merged into another, and has still to close a segment on the leg.
        """
        commands: list[Command] = []
        if event.exists and event.leg_found is not None:
            commands = self._created(replace(event.leg_found, now=event.now))
            for room in self._directory.rooms(event.leg):
                commands += self._met(RoomJoined(now=event.now, leg=event.leg, room=room))
        id_ = self._directory.call(event.leg)
        whose = [*([] if id_ is None else [id_]), *self._directory.leaving(event.leg)]
        return [*commands, *(command for id_ in whose for command in self._live.tell(id_, event))]

    # -- recordings ------------------------------------------------------------------------------------

    def _recording(self, event: RecordingStarted | RecordingStopped | RecordingSeen) -> list[Command]:
        """By the segment's name: a recording may have moved to a leg it was not started on."""
        segment = None if isinstance(event, RecordingSeen) else event.segment
        segment = segment or self.site.segment_at(event.path)
        owner = None if segment is None else segment.rpartition("-")[0]
        if owner is not None and owner in self._live:
            return self._live.tell(owner, event)
        if isinstance(event, RecordingStopped):
            return self._live.tell(self._directory.call(event.leg), event)
        return self._of(event.leg, event)

    # -- the switch, the host, people ------------------------------------------------------------------

    def _at_large(self, event: Event) -> list[Command]:
        match event:
            case ActAsked():
                if event.call not in self._live:
                    return [
                        Answer(call=event.call, request=event.request, status=404, reason="no such live call")
                    ]
                return self._live.tell(event.call, event)
            case SwitchConnected():
                return self._connected(event)
            case SwitchLost():
                self._adrift = True
                lost = self._enter("switch.lost", event, core=self._core)
                return [lost, *self._live.tell_all(event)]
            case Resynced():
                return self._resynced(event)
            case Heartbeat():
                return [*self._census.beat(event, self.site.host)]
            case CallRestored():
                return self._restored(event)
            case StopsInForce():
                self._stops = event.stops
                return self._live.stop(event)
            case SpoolRoom():
                return self._live.room(event)
            case Stopping():
                return [*self._census.leave(self.site.host), *self._live.tell_all(event)]
            case _:
                self._live.ignored += 1
                return []

    def _enter(self, type_: str, event: Event, **facts: str | int) -> Enter:
        time = event.now if event.at is None else event.at
        return Enter(call="", type=type_, subject=self.site.host, time=time, facts=facts)

    def _connected(self, event: SwitchConnected) -> list[Command]:
        self._adrift = True
        restarted = self._core not in ("", event.core)
        self._core = event.core
        commands: list[Command] = [self._enter("switch.connected", event, core=event.core)]
        if restarted:
            commands += self._census.leave(self.site.host)
            commands.append(self._enter("switch.restarted", event, core=event.core))
        for call in self._live.all():
            if not call.adrift:
                commands += self._live.tell(
                    call.id, SwitchLost(now=event.now, at=event.at, reason="connected anew")
                )
        return [*commands, *agree(self._live, event.now)]

    def _resynced(self, event: Resynced) -> list[Command]:
        self._adrift = False
        self._core = event.core
        self._directory.ask_anew()
        commands: list[Command] = []
        for call in self._live.all():
            mine = event if call.core in ("", event.core) else replace(event, recordings={})
            commands += self._live.tell(call.id, mine)
        return commands

    def _restored(self, event: CallRestored) -> list[Command]:
        """A conversation of the spool goes on, adrift until the resync; one that was over is not taken up."""
        try:
            call = restore(event.text, self.policy, self.site)
        except Damaged:
            self._live.ignored += 1
            return []
        if call is None or call.id in self._live or not UUID.fullmatch(call.id):
            return []
        call.halt = replace(call.halt, stops=self._stops)
        self._live.begin(call)
        return []
