"""Histories of two calls whose people are bridged, put into rooms, taken apart and sent on.

Who hears whom is the world's (`place`). fsgov can know of it what has been delivered, in its order; where a
word was lost or late (`known` differs from `place`) it may be stricter than the truth, and nothing is judged
that it could not know.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from fsgov import events as ev
from fsgov.call.converge import ATTEMPTS
from fsgov.commands import Command, LookUpParty, RecorderCommand
from fsgov.events import Direction
from fsgov.policy import Policy
from tests.laws.history import History
from tests.laws.switch import Channel, File

MADE_FOR = {"b": "a", "c": "a", "d": "b", "y": "x"}
INBOUND, OUTSIDE = "ax", "acdx"
NUMBERS = {"a": "+4930123456", "c": "+4930222222", "d": "+4930333333", "x": "+4930444444"}


class Several(History):
    """Callers a and x from outside, agents b and y, and c and d outside whom a's and b's telephones call."""

    def __init__(self, policy: Policy, faults: list[str], other: Policy) -> None:
        """`other` may be put in force: it records nothing."""
        super().__init__(policy, faults)
        self.other = other
        self.serials = itertools.count(1)
        self.place: dict[str, str] = {}
        self.known: dict[str, str | None] = {}
        self.latest: dict[str, int] = {}
        self.told_places: dict[int, dict[str, str]] = {}
        self.arrived: set[int] = set()
        self.confused = False
        """Some word about who is with whom was lost, or came out of its order."""
        self.moved = False
        """Somebody has been taken from people who went on without him."""
        self.fellows: dict[str, str] = {}
        self.refusers: set[str] = set()
        self.refused_among: set[str] = set()
        self.presser = ""
        self.unfiled: set[str] = set()
        self.never: set[str] = set()
        self.expected: list[tuple[str, str]] = []

    # -- who is called, who answers --------------------------------------------------------------------

    def created(self, leg: Channel, *, found: bool = False) -> ev.LegCreated:
        number = NUMBERS.get(leg.uuid, "1001")
        return ev.LegCreated(
            now=0,
            at=self.now,
            leg=leg.uuid,
            direction=Direction.INBOUND if leg.inbound else Direction.OUTBOUND,
            caller=number if leg.inbound else NUMBERS["a"],
            dialled="+4930999" if leg.inbound else number,
            profile="sofia/external" if leg.outside else "sofia/internal",
            other=MADE_FOR.get(leg.uuid),
            core=self.switch.core,
            found=found,
            answered=leg.answered and found,
        )

    def do_call(self, leg: str) -> None:
        maker = MADE_FOR.get(leg)
        if leg in self.switch.legs or (maker is not None and self.switch.leg(maker) is None):
            return
        channel = Channel(leg, outside=leg in OUTSIDE, inbound=leg in INBOUND)
        self.switch.legs[leg] = channel
        self.place[leg] = f"alone {leg}"
        self.fellows[leg] = self.root(maker) if maker else leg
        if leg == "x" and self.board.policy is self.other:
            self.never.add(leg)
        self.tell(self.created(channel), ("created", leg), lossy=leg not in INBOUND)

    def root(self, leg: str) -> str:
        while self.fellows.get(leg, leg) != leg:
            leg = self.fellows[leg]
        return leg

    # -- who is with whom ------------------------------------------------------------------------------

    def moves(self, event: ev.Event, **places: str) -> None:
        """These legs are somewhere else now, and the switch tells it."""
        serial = next(self.serials)
        self.place.update(places)
        self.told_places[serial] = places
        self.tell(event, ("at", str(serial)))

    def deliver(self, event: ev.Event, mark: tuple[str, str] | None = None) -> None:
        if self.connected and mark is not None and mark[0] == "at":
            self.learned(int(mark[1]))
        super().deliver(event, mark)

    def learned(self, serial: int) -> None:
        places = self.told_places[serial]
        self.arrived.add(serial)
        for leg, place in places.items():
            late = serial < self.latest.get(leg, 0)
            self.confused |= late
            self.known[leg] = None if late else place
            self.latest[leg] = max(serial, self.latest.get(leg, 0))
        legs = [leg for leg in places if not places[leg].startswith("alone")]
        for leg in legs:
            for other, place in self.known.items():
                if other != leg and place == places[leg]:
                    self.unite(leg, other)

    def unite(self, one: str, other: str) -> None:
        """Their conversations are one from now on; a refusal comes along."""
        refused = {self.root(one), self.root(other)} & self.refused_among
        self.fellows[self.root(other)] = self.root(one)
        if refused:
            self.refused_among.add(self.root(one))

    def leaves(self, leg: str) -> None:
        """He is taken out of his room or bridge; where it was a bridge, his partner is alone as well."""
        place = self.place[leg]
        if place.startswith("alone"):
            return
        left = [other for other, at in self.place.items() if at == place and other != leg]
        self.moved |= any(self.switch.leg(other) for other in left)
        if place.startswith("room"):
            self.moves(ev.RoomLeft(now=0, at=self.now, leg=leg, room=place), **{leg: f"alone {leg}"})
        else:
            (other,) = left
            both = {leg: f"alone {leg}", other: f"alone {other}"}
            self.moves(ev.LegsUnbridged(now=0, at=self.now, leg=leg, other=other), **both)

    def speaking(self, leg: str) -> bool:
        channel = self.switch.leg(leg)
        return channel is not None and channel.answered

    def do_meet(self, what: str) -> None:
        one, other = what.split()
        if not (self.speaking(one) and self.speaking(other)) or self.place[one] == self.place[other]:
            return
        self.leaves(one)
        self.leaves(other)
        place = f"bridge {next(self.serials)}"
        self.moves(ev.LegsBridged(now=0, at=self.now, leg=one, other=other), **{one: place, other: place})

    def do_room(self, what: str) -> None:
        leg, room = what.split()
        if self.speaking(leg) and self.place[leg] != f"room {room}":
            self.leaves(leg)
            self.moves(
                ev.RoomJoined(now=0, at=self.now, leg=leg, room=f"room {room}"), **{leg: f"room {room}"}
            )

    def do_apart(self, leg: str) -> None:
        if self.speaking(leg):
            self.leaves(leg)

    def found(self, live: list[Channel]) -> None:
        """Every room and bridge that there is; of what was taken apart the switch does not tell."""
        for leg in live:
            if self.place[leg.uuid].startswith("room"):
                self.known[leg.uuid] = None
                joined = ev.RoomJoined(now=self.now, leg=leg.uuid, room=self.place[leg.uuid])
                self.now_at(joined, leg.uuid)
        for one, other in itertools.combinations([leg.uuid for leg in live], 2):
            if self.place[one] == self.place[other] and self.place[one].startswith("bridge"):
                self.now_at(ev.LegsBridged(now=self.now, leg=one, other=other), one, other)

    def now_at(self, event: ev.Event, *legs: str) -> None:
        serial = next(self.serials)
        self.told_places[serial] = {leg: self.place[leg] for leg in legs}
        self.deliver(event, ("at", str(serial)))

    # -- the CRM, and another policy -------------------------------------------------------------------

    def do_unfile(self, leg: str) -> None:
        """The CRM's row of this party says no."""
        if leg not in self.switch.legs:
            self.unfiled.add(leg)

    def do_policy(self, _: str) -> None:
        """From now on another policy is in force, which records nothing."""
        self.board.use_policy(self.other)
        self.policy = self.other

    def run(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, LookUpParty):
                self.look_up(command)
        super().run([command for command in commands if not isinstance(command, LookUpParty)])

    def look_up(self, command: LookUpParty) -> None:
        """The CRM answers: at once, too late, or never."""
        leg = next(leg for leg, number in NUMBERS.items() if number == command.e164)
        fault = self.fault()
        if fault in ("lost", "dropped"):
            return
        found = ev.PartyFound(
            now=0,
            call=command.call,
            command=command.number,
            party=command.party,
            consents={"training": leg not in self.unfiled},
        )
        self.later(0.8 if fault == "late" else 0.05, lambda: self.filed(found, leg))

    def filed(self, found: ev.PartyFound, leg: str) -> None:
        call = self.board.call(found.call)
        self.deliver(found, ("file", leg))
        if leg in self.unfiled and call is not None and self.connected:
            self.refuses(leg)

    # -- what people say -------------------------------------------------------------------------------

    def do_press(self, what: str) -> None:
        self.presser = what.split()[0]
        super().do_press(what)
        if self.refused_at is not None:
            self.refuses(self.presser)
            self.refused_at = None

    def do_attest(self, what: str) -> None:
        self.presser = "a"
        super().do_attest(what)
        if self.refused_at is not None:
            self.refused_among.add(self.root("a"))
            self.refused_at = None

    def refuses(self, leg: str) -> None:
        if self.mode == "statutory":
            return  # what a law demands is recorded all the same
        self.refusers.add(leg)
        self.refused_among.add(self.root(leg))

    def known_running(self) -> list[File]:
        return [file for file in super().known_running() if self.sure(file.leg, self.presser)]

    def adrift(self) -> bool:
        calls = [call for call in self.board.calls if self.presser in call.legs]
        return not self.connected or not calls or any(call.adrift for call in calls)

    def sure(self, one: str, other: str) -> bool:
        """They hear each other, and fsgov has been told."""
        places = {self.place.get(one), self.place.get(other), self.known.get(one), self.known.get(other)}
        return one == other or len(places) == 1

    # -- what is true ----------------------------------------------------------------------------------

    def near(self, leg: str) -> list[Channel]:
        """Whoever can be heard on this leg, as far as fsgov has been told."""
        return [
            channel
            for channel in self.switch.legs.values()
            if channel.answered
            and not channel.ended
            and self.told(channel)
            and ("gone", channel.uuid) not in self.delivered
            and self.sure(leg, channel.uuid)
        ]

    def may(self, leg: Channel) -> bool:
        if self.mode == "on_file":
            return ("file", leg.uuid) in self.delivered and leg.uuid not in self.unfiled
        return super().may(leg)

    def judge_start(self, command: RecorderCommand) -> None:
        self.judge(command.leg, command.call)

    def judge(self, leg: str, call: str) -> None:
        """Law 1: may sound be captured on this leg now?"""
        assert self.record != "never", "law 1: a rule never"
        if self.record == "on_demand":
            assert self.started, "law 1: nobody asked for it"
            assert call != "x", "law 1: nobody asked for this one"
        assert not self.halted, "law 1: captured though the kill switch is thrown"
        if call == "a":
            assert not self.stopped, "law 1: captured after a stop"
            assert not self.paused, "captured during a pause"
        if not self.moved:
            assert self.root(leg) not in self.refused_among, "law 1: captured after a refusal"
        for channel in self.near(leg):
            assert channel.uuid not in self.refusers, f"law 1: {channel.uuid} has refused"
            assert channel.uuid not in self.never, f"law 1: {channel.uuid} came under a rule never"
            if channel.outside:
                assert self.may(channel), f"law 1: without what {self.mode} asks of {channel.uuid}"

    def settle(self) -> None:
        self.faults.clear()
        self.do_connect("")
        self.wait(300)
        running = self.switch.running()
        for file in running:
            call = file.segment.rpartition("-")[0]
            if not (call == "a" and self.paused):
                self.judge(file.leg, call)
            together = [other.segment for other in running if self.sure(file.leg, other.leg)]
            assert together == [file.segment], f"law 3: {together} of people who hear each other"
            if self.now - file.began > 1_000_000:
                self.expected += [(file.segment, channel.uuid) for channel in self.near(file.leg)]
        if self.mode == "none" and self.record == "always":
            self.settled_well(running)

    def settled_well(self, running: list[File]) -> None:
        """Whoever talks with somebody is recorded, where nothing forbids it and every word was heard."""
        lost = self.confused or set(self.told_places) - self.arrived or self.ever_wrong
        if lost or self.never or self.stopped or self.paused or self.halted or self.failed >= ATTEMPTS:
            return
        for place in set(self.place.values()):
            legs = [leg for leg, at in self.place.items() if at == place and self.speaking(leg)]
            refused = any(self.root(leg) in self.refused_among for leg in legs)
            if len(legs) > 1 and not refused:
                assert [file for file in running if file.leg in legs], f"nobody records {legs}"

    def end(self) -> None:
        for leg in tuple(self.switch.legs):
            self.do_hangup(leg)
        self.wait(60)
        self.do_disconnect("")
        self.do_connect("")
        self.wait(200)
        left = [call.id for call in self.board.calls]
        assert not left, f"law 5: {left} never end"
        for leg in INBOUND:
            if ("created", leg) in self.delivered:
                assert leg in self.over, f"law 5: {leg} in {self.over}"
        for call, outcome in self.over.items():
            files = [f for f in self.switch.files.values() if f.segment.rpartition("-")[0] == call]
            if outcome in ("recorded", "withdrawn"):
                assert files, f"law 5: {call} is {outcome}, and nothing was captured"
            if outcome in ("refused", "withdrawn"):
                assert self.refused_among or self.declined(), "law 5: nobody declined"
        for segment, leg in self.expected:
            self.judge_parties(segment, leg)
        for segment, side in self.released.items():
            self.judge_masks(segment, side)

    def declined(self) -> bool:
        return any(digit in "29" for leg in self.switch.legs.values() for _, digit in leg.presses)

    def judge_parties(self, segment: str, leg: str) -> None:
        """Whoever could be heard in a segment is named in it."""
        document: dict[str, Any] = json.loads(self.texts[segment.rpartition("-")[0]])
        number = next((row["party"] for row in document["legs"] if row["leg"] == leg), None)
        named = self.released[segment]["parties"]
        assert number in named, f"{leg} can be heard in {segment} and is not among its parties {named}"
