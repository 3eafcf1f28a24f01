"""Telling the parties that a recording which is wanted cannot be had (`on_failure = "announce"`).

Once in a call, to those who count when it becomes known (everybody outside, agents by rule), or to the first
who speak where nobody did yet. Nothing rests on it: a prompt that cannot be played is entered, not repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fsgov.call.site import SECOND
from fsgov.commands import Play
from fsgov.events import (
    CommandAccepted,
    Instant,
    LegEvent,
    PromptMissing,
    PromptStarted,
    PromptStopped,
    Reply,
)

if TYPE_CHECKING:
    from fsgov.call.state import Call
    from fsgov.call.turn import Turn
    from fsgov.policy import Ask

PLAYS = 2
"""A prompt that the switch was never seen to begin is sent once more: a bridge at that moment loses it."""
SLACK: Instant = 5 * SECOND
ANNOUNCED = "announced"
"""What a dialplan writes as its action when it has told the caller itself: fsgov did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is played to one leg; `over`: nothing follows from it any more."""

    number: int = 0
    due: Instant = 0
    plays: int = 1
    started: bool = False
    over: bool = True


def tell(t: Turn, legs: list[str]) -> None:
    """Play it to these legs, unless somebody has been told."""
    call = t.call
    if not call.announces or call.announced or not legs:
        return
    call.announces = False
    prompt = None if call.decision is None else call.decision.announce
    if prompt is not None:
        for leg in legs:
            _play(t, prompt, leg, 1)


def _play(t: Turn, prompt: Ask, leg: str, plays: int) -> None:
    number, length = t.number(), prompt.samples * SECOND // max(prompt.rate, 1)
    _put(t, leg, Announcement(number=number, due=t.now + length + SLACK, plays=plays, over=False))
    t.send(Play(call=t.call.id, number=number, leg=leg, file=prompt.file))


def _put(t: Turn, leg: str, announcement: Announcement) -> None:
    t.call.announced = {**t.call.announced, leg: announcement}


def by_dialplan(t: Turn, leg: str) -> None:
    """The dialplan has told the party of this leg."""
    _put(t, leg, Announcement())


def heard(t: Turn, event: LegEvent) -> bool:
    """What the switch says of the prompt; False where it is about another."""
    found = t.call.announced.get(event.leg)
    prompt = None if t.call.decision is None else t.call.decision.announce
    if found is None or prompt is None or found.over:
        return False
    match event:
        case PromptStarted(file=prompt.file):
            _put(t, event.leg, replace(found, started=True))
        case PromptStopped(file=prompt.file, samples=samples):
            _over(t, event.leg, samples)
        case PromptMissing(file=prompt.file):
            t.enter("recorder.failed", cause="prompt-missing", attempts=1, on_failure="")
            _over(t, event.leg, None)
        case _:
            return False
    return True


def replied(t: Turn, event: Reply) -> bool:
    """What the switch answers to our `Play`; False where it answers something else."""
    for leg, found in t.call.announced.items():
        if found.number == event.command and not found.over:
            if not isinstance(event, CommandAccepted) and not found.started:
                _over(t, leg, None)
            return True
    return False


def overdue(t: Turn) -> None:
    """Those that nothing was heard of."""
    for leg, found in tuple(t.call.announced.items()):
        if found.over or found.due > t.now:
            continue
        prompt = None if t.call.decision is None else t.call.decision.announce
        alive = t.call.legs[leg].ended is None
        if prompt is not None and alive and not found.started and found.plays < PLAYS:
            _play(t, prompt, leg, found.plays + 1)
        else:
            _over(t, leg, None)


def dues(call: Call) -> list[Instant]:
    """When to give up on each."""
    return [found.due for found in call.announced.values() if not found.over]


def left(t: Turn, leg: str) -> None:
    """The party has hung up."""
    found = t.call.announced.get(leg)
    if found is not None and not found.over:
        _over(t, leg, None)


def _over(t: Turn, leg: str, samples: int | None) -> None:
    call = t.call
    _put(t, leg, replace(call.announced[leg], over=True))
    prompt = None if call.decision is None else call.decision.announce
    on = call.legs[leg]
    t.enter(
        "failure.announced",
        party=on.party,
        leg=on.name,
        sha256="" if prompt is None else prompt.sha256,
        samples=samples,
    )
