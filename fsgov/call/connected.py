"""Who hears whom in a conversation, as far as the switch has told, and so which leg records.

`Leg.beside` is the leg that this one was made for or is bridged with, its room, `APART`, or "" where nothing
has told yet. An event may have been lost, so what nobody has told of counts as heard: a party must not be
forgotten because of it.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call.state import APART, PARTED, Call, Leg
from fsgov.call.turn import Turn
from fsgov.events import LegsBridged, LegsUnbridged, RoomJoined, RoomLeft

Circle = tuple[Leg, ...]
"""Legs that hear each other, in their order of joining."""


def learned(t: Turn, event: LegsBridged | LegsUnbridged | RoomJoined | RoomLeft) -> bool:
    """Legs were put together, or taken apart."""
    match event:
        case LegsBridged(leg=one, other=other):
            _put(t, one, other)
            _put(t, other, one)
        case RoomJoined(leg=leg, room=room):
            _put(t, leg, room)
        case LegsUnbridged(leg=one, other=other):
            _part(t, one, other)
            _part(t, other, one)
        case RoomLeft(leg=leg, room=room):
            _part(t, leg, room)
    return True


def _put(t: Turn, uuid: str, beside: str) -> None:
    leg = t.call.legs.get(uuid)
    if leg is not None and leg.beside != beside:
        t.change_leg(replace(leg, beside=beside))
        t.rests = True


def _part(t: Turn, uuid: str, beside: str) -> None:
    """Only from whom it is known to be with: neighbouring events are sometimes swapped."""
    leg = t.call.legs.get(uuid)
    if leg is not None and leg.beside in ("", beside):
        _put(t, uuid, APART)


def circles(call: Call) -> tuple[Circle, ...]:
    """Everybody who may be heard now, by whom they hear."""
    kept = call.circles
    if kept is not None and kept[0] is call.legs:
        return kept[1]
    found: list[Circle] = []
    for leg in call.legs.values():
        if leg.speaks:
            near = [circle for circle in found if any(_together(leg, other) for other in circle)]
            merged = (*(other for circle in near for other in circle), leg)
            found = [circle for circle in found if circle not in near]
            found.append(merged)
    call.circles = (call.legs, tuple(found))
    return call.circles[1]


def _together(one: Leg, other: Leg) -> bool:
    if one.beside == other.uuid or other.beside == one.uuid:
        return True
    if APART in (one.beside, other.beside):
        return False
    if not (one.party or other.party):
        return True  # the halves of a loopback are one wire
    return not one.beside or not other.beside or one.beside == other.beside


def talks(call: Call, circle: Circle) -> bool:
    """Two parties at least, or one who is in a room or bridged with somebody of another conversation."""
    if _parties(circle) > 1:
        return True
    return any(_elsewhere(call, leg.beside) for leg in circle)


def _elsewhere(call: Call, beside: str) -> bool:
    """A room, or a leg that is in another conversation now."""
    known = call.legs.get(beside)
    return beside not in ("", APART) and (known is None or known.cause == PARTED)


def recorder_leg(call: Call) -> Leg | None:
    """The leg that records for those who are connected; it hands over when it ends or has left them.

    The leg of the running segment, else the one the rule names; where that is alone, or has ended, the oldest
    of two or more who talk. A single leg that is left is about to hang up, or waits for a new partner.
    """
    leg = None if call.segment is None else call.legs.get(call.segment.leg)
    if leg is None or leg.ended is not None:
        name = "a" if call.decision is None else call.decision.leg
        leg = next((leg for leg in call.legs.values() if leg.name == name), None)
        if leg is None and name != "a":
            return None
    if leg is not None and (leg.ended is not None or leg.answered is None):
        return leg if leg.ended is None else _oldest(call)
    mine = next((circle for circle in circles(call) if leg in circle), ())
    return leg if _parties(mine) > 1 else _oldest(call) or leg


def _parties(circle: Circle) -> int:
    return sum(1 for leg in circle if leg.party)


def _oldest(call: Call) -> Leg | None:
    """The first of two or more who talk."""
    for circle in circles(call):
        if _parties(circle) > 1:
            return next(leg for leg in circle if leg.party)
    return None


def heard(call: Call) -> Circle:
    """Whose voices a recording of this conversation holds now."""
    leg = recorder_leg(call)
    found = circles(call)
    for circle in found:
        if leg in circle:
            return circle
    return tuple(leg for circle in found for leg in circle if leg.beside != APART)
