"""The steps that concern two conversations at once: they become one, or one becomes two."""

from __future__ import annotations

from fsgov.call import merging, parting
from fsgov.call.state import Call, Stage
from fsgov.call.step import learn, seal, settle
from fsgov.call.turn import TimePassed, Turn
from fsgov.commands import Command
from fsgov.events import Instant, LegsBridged, RoomJoined


def join(elder: Call, younger: Call, now: Instant) -> tuple[Call, Call, list[Command]]:
    """Both after a bridge or a room has connected them, and the commands; the elder's come first.

    What the younger has captured is closed first where its leg is the elder's now: one leg records for all.
    """
    event = TimePassed(now=now)
    one, other = Turn(elder, event), Turn(younger, event)
    merging.absorb(one, younger)
    if younger.stage is not Stage.OVER:  # a kill came between their two files, and its end is told
        merging.retire(other, elder.id)
        settle(other, younger.failures)
    settle(one, elder.failures)
    return one.call, other.call, [*seal(one), *seal(other)]


def part(call: Call, event: LegsBridged | RoomJoined) -> tuple[Call, Call, list[Command]] | None:
    """Both after it, where a bridge or a room lets some go on apart from the others; else None."""
    t = Turn(call, event)
    learn(t, event)
    who = parting.leaving(t.call)
    if not who:
        return None
    new = Turn(parting.begun(t, who), event)
    parting.move(t, new, who)
    settle(t, call.failures)
    settle(new, 0)
    return t.call, new.call, [*seal(t), *seal(new)]


def retire(younger: Call, into: str, now: Instant) -> tuple[Call, list[Command]]:
    """One whose legs have been taken over, though its own file does not say so yet."""
    t = Turn(younger, TimePassed(now=now))
    merging.retire(t, into)
    settle(t, younger.failures)
    return t.call, seal(t)


def give_up(call: Call, leg: str, now: Instant) -> tuple[Call, list[Command]]:
    """One that still has a leg which has gone on in another."""
    t = Turn(call, TimePassed(now=now))
    parting.gone(t, leg, now)
    t.durable = True
    settle(t, call.failures)
    return t.call, seal(t)
