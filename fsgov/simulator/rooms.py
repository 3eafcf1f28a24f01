"""Conferences and queues, as far as their events and their audio matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsgov.simulator.channel import Channel
from fsgov.simulator.event import stamp

if TYPE_CHECKING:
    from fsgov.simulator.switch import Switch

Headers = list[tuple[str, str]]
CONFERENCE, FIFO = "conference::maintenance", "fifo::info"


class Room:
    """One conference: its id and who is in it."""

    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        self.members: list[Channel] = []
        self.last_id = 0
        self.floor = ""


class Rooms:
    """All conferences and queues of the switch."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.rooms: dict[str, Room] = {}

    def _base(self, name: str, room: Room) -> Headers:
        return [
            ("Conference-Name", name),
            ("Conference-Domain", "cluecon.com"),
            ("Conference-Size", str(len(room.members))),
            ("Conference-Ghosts", "0"),
            ("Conference-Profile-Name", "default"),
            ("Conference-Unique-ID", room.uuid),
        ]

    def _member(self, c: Channel, floor: bool, talking: bool) -> Headers:
        flags = {
            "Video": "false",
            "Hear": "true",
            "See": "true",
            "Speak": "true",
            "Talking": "true" if talking else "false",
            "Mute-Detect": "false",
            "Hold": "false",
            "Member-ID": c.variables.get("conference_member_id", "1"),
            "Member-Type": "member",
            "Member-Ghost": "false",
            "Energy-Level": "100",
            "Current-Energy": "6483" if talking else "0",
        }
        head = [("Floor", "true" if floor else "false")]
        return head + c.headers("DTMF") + list(flags.items())

    def _fire(self, origin: str, headers: Headers, c: Channel | None = None) -> None:
        self.switch.bus.custom(CONFERENCE, origin, headers, c.uuid if c else "")

    def join(self, c: Channel, name: str) -> None:
        """A leg enters; the first one makes the room and holds the floor."""
        switch = self.switch
        if not c.answered:
            switch.life.answer_near(c)
            c.stage("a.ack")
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = Room(switch.new_uuid())
            self._fire("conference-create", [*self._base(name, room), ("Action", "conference-create")])
        switch.catch_up(c)
        switch.life.execute(c, "conference", f"{name}@default", quiet=True)
        switch.catch_up(*room.members)
        room.last_id += 1
        c.conference = name
        for key, value in {
            "conference_name": name,
            "conference_member_id": str(room.last_id),
            "conference_uuid": room.uuid,
            "conference_moderator": "false",
            "conference_ghost": "false",
            "app_session_uuid": switch.new_uuid(),
            "conference_call_key": f"{name}_{room.uuid}",
        }.items():
            c.set(key, value)
        room.members.append(c)
        self._fire(
            "add-member",
            [*self._base(name, room), *self._member(c, False, False), ("Action", "add-member")],
            c,
        )
        if len(room.members) == 1:
            room.floor = c.variables["conference_member_id"]
            self._fire(
                "floor-change",
                [
                    *self._base(name, room),
                    ("Action", "floor-change"),
                    ("Old-ID", "none"),
                    *self._base(name, room),
                    *self._member(c, True, False),
                    ("New-ID", room.floor),
                ],
                c,
            )
        self._fire(
            "start-talking",
            [
                *self._base(name, room),
                *self._member(c, room.floor == str(room.last_id), True),
                ("Action", "start-talking"),
            ],
            c,
        )

    def members(self, name: str) -> list[Channel]:
        """The legs that are in a conference."""
        room = self.rooms.get(name)
        return room.members if room else []

    def wait(self, c: Channel, name: str) -> None:
        """A leg waits in a fifo: the push, then variables; no frame flows."""
        if not c.answered:
            self.switch.life.answer_near(c)
        self.switch.life.execute(c, "fifo", f"{name} in", quiet=True)
        extra = [("FIFO-Name", name), ("FIFO-Action", "push"), ("FIFO-Slot", "0")]
        self.switch.bus.custom(FIFO, "push", [*c.headers("fifo"), *extra], c.uuid)
        self.switch.catch_up(c)
        c.queue = name
        c.stage("a.ack")
        now = stamp(self.switch.clock.epoch())
        for key, value in {
            "fifo_position": "1",
            "fifo_priority": "0",
            "fifo_status": "WAITING",
            "fifo_timestamp": now,
            "fifo_push_timestamp": now,
        }.items():
            c.set(key, value)

    def leave(self, c: Channel) -> None:
        """A leg hung up: what its room or queue says of it."""
        if c.queue:
            c.set("fifo_status", "ABORTED")
            extra = [("FIFO-Name", c.queue), ("FIFO-Action", "abort")]
            self.switch.bus.custom(FIFO, "abort", [*c.headers("fifo"), *extra], c.uuid)
            c.queue = ""
        room = self.rooms.get(c.conference)
        if room is None or c not in room.members:
            return
        self.switch.catch_up(*room.members)
        name, c.conference = c.conference, ""
        room.members.remove(c)
        if room.floor == c.variables.get("conference_member_id"):
            self._fire(
                "floor-change",
                [
                    *self._base(name, room),
                    ("Action", "floor-change"),
                    ("Old-ID", room.floor),
                    ("New-ID", "none"),
                ],
            )
            room.floor = ""
        self._fire(
            "del-member",
            [*self._base(name, room), *self._member(c, False, True), ("Action", "del-member")],
            c,
        )
        c.unset("conference_call_key")
        if not room.members:
            del self.rooms[name]
            self._fire("conference-destroy", [*self._base(name, room), ("Action", "conference-destroy")])
