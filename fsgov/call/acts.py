"""Live acts of people: what they want of a running call, and when they get their answer.

200 only when the switch has confirmed it, 202 when it has not within two seconds, 409 where it makes no sense
or is not allowed.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call import deciding
from fsgov.call.attesting import attest
from fsgov.call.consent import barred
from fsgov.call.converge import wanted
from fsgov.call.site import SECOND
from fsgov.call.state import Call, Capture, Paused, Stage, Tag, Waiting
from fsgov.call.stops import halting
from fsgov.call.tables import CONVERGE
from fsgov.call.turn import Turn
from fsgov.commands import Answer
from fsgov.events import Act, ActAsked, Instant
from fsgov.policy import AtMax, RecordMode

ACKNOWLEDGE: Instant = 2 * SECOND
MOST_TAGS = 100
LONGEST_TAG = 100
MOST_WAITING = 50


def asked(t: Turn, event: ActAsked) -> bool:
    call = t.call
    t.enter("live.asked", act=event.act.value, actor=event.actor, request=event.request)
    refusal = _refused(call, event)
    if not refusal and event.act is Act.CONSENT:
        refusal = attest(t, event)
    if refusal:
        answer(t, event.request, 409, refusal)
        return True
    t.durable = True
    match event.act:
        case Act.TAG:
            call.tags = (*call.tags, Tag(tag=event.tag, actor=event.actor, at=t.now))
            deciding.consider(t)
            answer(t, event.request, 200, "")
            return True
        case Act.START:
            call.started, call.stopped = True, False
        case Act.STOP:
            call.stopped, call.paused = True, None
        case Act.PAUSE if call.paused is None:
            longest = None if call.decision is None else call.decision.pause.max
            due = None if longest is None else t.now + longest
            call.paused = Paused(asked=t.now, actor=event.actor, due=due)
        case Act.RESUME:
            call.paused = None
        case _:
            pass
    waiting = Waiting(request=event.request, act=event.act, due=t.now + ACKNOWLEDGE)
    call.waiting = (*call.waiting, waiting)
    return True


def _refused(call: Call, event: ActAsked) -> str:
    """Why this act cannot be, or ""."""
    decision = call.decision
    if call.stage is Stage.OVER or call.merged_into:
        return "the call is over"
    match event.act:
        case Act.TAG:
            full = len(call.tags) >= MOST_TAGS or not 0 < len(event.tag) <= LONGEST_TAG
            return "too many tags, or a tag without a fitting length" if full else ""
        case _ if len(call.waiting) >= MOST_WAITING:
            return "too many acts are waiting"
        case Act.START | Act.RESUME if decision is not None and barred(call, decision):
            return "a party has declined"
        case Act.START | Act.RESUME if halting(call):
            return "a stop is in force: nothing may be recorded"
        case Act.START if decision is not None and (
            decision.record is RecordMode.NEVER or not decision.sampled
        ):
            return "its rule does not let this call be recorded"
        case Act.STOP if idle(call):
            return "nothing is recorded"
        case Act.PAUSE if call.paused is None and (call.stopped or idle(call)):
            return "nothing is recorded"
        case Act.RESUME if call.paused is None:
            return "it is not paused"
    return ""


def idle(call: Call) -> bool:
    """Nothing runs, nothing is about to."""
    return (
        call.segment is None
        and call.flight is None
        and wanted(call) is Capture.OFF
        and call.stage
        not in (
            Stage.DECIDING,
            Stage.ASKING,
        )
    )


def answer(t: Turn, request: str, status: int, reason: str) -> None:
    t.commands.append(Answer(call=t.call.id, request=request, status=status, reason=reason))
    t.enter("live.answered", request=request, status=status)


def answer_waiting(t: Turn) -> None:
    """Answer those acts that the switch has confirmed, and those that have waited long enough."""
    call = t.call
    if not call.waiting:
        return
    left = []
    for waiting in call.waiting:
        if _acknowledged(call, waiting.act):
            answer(t, waiting.request, 200, "")
        elif call.stage is Stage.OVER:
            answer(t, waiting.request, 409, "the call is over")
        elif waiting.due <= t.now:
            answer(t, waiting.request, 202, "the switch has not acknowledged it yet")
        else:
            left.append(waiting)
    call.waiting = tuple(left)


def _acknowledged(call: Call, act: Act) -> bool:
    off = call.actual is Capture.OFF and not (call.segment or call.flight or call.strays)
    match act:
        case Act.START | Act.RESUME:
            return call.actual is Capture.ON and call.flight is None
        case Act.PAUSE:
            # with an unmask under way, or a second recording that should not run, sound may be captured
            masked = call.actual is Capture.MASKED and not (call.flight or call.strays)
            return call.paused is not None and (masked or off)
        case Act.STOP:
            return off
        case Act.CONSENT:
            done = (call.actual, wanted(call)) not in CONVERGE
            return done and not (call.flight or call.strays)
        case _:
            return True


def watchdog(t: Turn) -> None:
    """A pause has lasted as long as its rule allows: stop, or resume, as the rule says."""
    call = t.call
    if call.paused is None or call.paused.due is None or call.paused.due > t.now or call.decision is None:
        return
    stop = call.decision.pause.at_max is AtMax.STOP
    call.paused = None
    call.stopped = call.stopped or stop
    t.durable = True
    t.enter("live.asked", act="stop" if stop else "resume", actor=None, request="pause-limit")


def carry_pause(t: Turn, paused: Paused | None) -> None:
    """A pause of a conversation that joined this one holds here, too."""
    if paused is not None and t.call.paused is None:
        t.call.paused = replace(paused)
