"""The steps that concern two conversations at once: they become one, or one becomes two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fsgov.call import merging, parting
from fsgov.call.state import Call, Stage
from fsgov.call.step import learn, seal, settle
from fsgov.call.turn import TimePassed, Turn
from fsgov.commands import Command
from fsgov.events import Instant, LegsBridged, RoomJoined


@dataclass(frozen=True, slots=True)
class Met:
    """What a bridge or a room has made of the conversations of its legs, and the commands."""

    calls: tuple[Call, ...]
    parted: tuple[Call, ...]
    """Of these, the new ones: of people who go on apart from others."""
    merged: tuple[Call, ...]
    """Of these, those that are one now: the eldest, and whom it has taken over."""
    commands: list[Command]


def meet(whose: Mapping[str, Call], event: LegsBridged | RoomJoined) -> Met:
    """`whose`: the conversations of the legs that are together now, by leg.

    Whoever left others for this goes on alone first, then those who have met are one conversation, and only
    then anything follows: nobody is recorded on the word of some of those who are together by now.
    """
    turns = {call.id: Turn(call, event) for call in whose.values()}
    failures = {call.id: call.failures for call in whose.values()}
    of = {leg: turns[call.id] for leg, call in whose.items()}
    changed, parted = list[Turn](), list[Turn]()
    for t in turns.values():
        if t.call.stage is Stage.OVER or not learn(t, event):
            t.call.ignored += 1
            continue
        changed.append(t)
        if legs := parting.leaving(t.call):
            new = Turn(parting.begun(t, legs), event)
            parting.move(t, new, legs)
            parted.append(new)
            of |= {leg: new for leg in of if leg in new.call.legs}
    together = sorted(set(of.values()), key=lambda t: (t.call.opened, t.call.id))
    for younger in together[1:]:
        unite(together[0], younger)
    if together[1:]:
        changed = [*(t for t in changed if t not in together), *together]
    changed += (t for t in parted if t not in changed)
    for t in reversed(changed):
        if t.call.stage is not Stage.OVER:
            settle(t, failures.get(t.call.id, 0))
    calls = (*(t.call for t in turns.values()), *(t.call for t in parted))
    commands = [command for t in changed for command in seal(t)]
    return Met(calls, tuple(t.call for t in parted), tuple(t.call for t in together), commands)


def unite(elder: Turn, younger: Turn) -> None:
    """The elder goes on with everybody; what the younger has captured is closed: one leg records for all."""
    merging.absorb(elder, younger.call)
    if younger.call.stage is not Stage.OVER:  # a kill came between their two files, and its end is told
        merging.retire(younger, elder.call.id)


def join(elder: Call, younger: Call, now: Instant) -> tuple[Call, Call, list[Command]]:
    """Two that a kill has left apart are one after all; the elder's commands come first."""
    one, other = (Turn(call, TimePassed(now=now)) for call in (elder, younger))
    unite(one, other)
    if other.call.stage is not Stage.OVER:
        settle(other, younger.failures)
    settle(one, elder.failures)
    return one.call, other.call, [*seal(one), *seal(other)]


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
