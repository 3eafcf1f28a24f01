"""One conversation: an event in, commands out.

Rules
-----
1. `step` is total. An event that means nothing here is counted and changes nothing else.
2. What is known changes by events only; never by our own commands.
3. `wanted` is a pure answer: legs, parties, decision, consents, pauses, failures. `actual` is what the switch
   has confirmed. `converge` issues one recorder command at a time from the second towards the first.
4. A recorder command without a reply, or without the event that proves it, leaves UNKNOWN. UNKNOWN is driven
   to OFF (stop; where a stop is refused, look), and what is wanted then is opened as a new segment.
5. The conversation's file is written before any command that rests on it; durably before anything that must
   survive a power loss (refusals, withdrawals, consents, pauses, stops, the end).
6. A conversation is over when every leg is gone and every segment released. It then has exactly one outcome.

Theory
------
Two small machines, coupled in one place. Governance knows (RINGING, DECIDING, ASKING, SETTLED, OVER), capture
sees (OFF, ARMED, ON, MASKED, UNKNOWN); a single table of phases × events was tried and mistook one command's
reply for another's. Capture's states carry no wish: a pause that was asked for is in `Call.paused`, the state
MASKED says that the switch has acknowledged it. So the journal cannot run ahead of the switch.

Tables: `fsgov.call.tables`. The order of one step: learn, let governance move, ask who has to be asked,
converge, account for the time, answer people, end.
"""

from __future__ import annotations

from fsgov.call import (
    acts,
    announcing,
    asking,
    binding,
    codes,
    connected,
    deciding,
    gated,
    holding,
    keys,
    leaving,
    legs,
    length,
    looking,
    outcome,
    replies,
    resync,
    segments,
    stops,
)
from fsgov.call.connected import recorder_leg
from fsgov.call.converge import converge, overdue
from fsgov.call.document import document
from fsgov.call.failing import announce, failing
from fsgov.call.governing import advance
from fsgov.call.state import Call, Stage
from fsgov.call.tables import GOVERNANCE, Word
from fsgov.call.turn import TimePassed, Turn
from fsgov.commands import Answer, Command, Enter, RecorderCommand, Release, Remember
from fsgov.dialplan import VariablesTold
from fsgov.events import (
    ActAsked,
    CommandAccepted,
    CommandRefused,
    CommandUnanswered,
    Event,
    KeyPressed,
    LegAnswered,
    LegCreated,
    LegEvent,
    LegGone,
    LegHeld,
    LegHungUp,
    LegInspected,
    LegsBridged,
    LegsUnbridged,
    LegUnheld,
    PartyFound,
    PartyUnknown,
    PromptMissing,
    PromptStarted,
    PromptStopped,
    RecordingSeen,
    RecordingStarted,
    RecordingStopped,
    Reply,
    Resynced,
    RoomJoined,
    RoomLeft,
    Stopping,
    SwitchLost,
)


def step(call: Call, event: Event) -> tuple[Call, list[Command]]:
    """The conversation after the event, and the commands it leads to. `call` itself stays as it was."""
    t = Turn(call, event)
    failures = call.failures
    if call.stage is Stage.OVER or not learn(t, event):
        unchanged = call.copy()
        unchanged.ignored += 1
        return unchanged, []
    settle(t, failures)
    return t.call, seal(t)


def settle(t: Turn, failures: int) -> None:
    """Everything that follows from what has been learned."""
    stops.tell(t)
    advance(t)
    gated.missed(t)
    gated.answer(t)
    questions = t.call.questions
    asking.ask(t)
    if t.call.questions is not questions:
        advance(t)
    binding.note_heard(t)
    aim = converge(t)
    failing(t, failures, recorder_leg(t.call))
    gated.let_go(t)
    announce(t)
    t.call.trying = False
    outcome.account(t.call, aim, t.now, t.time)
    if _ended(t.call):
        finish(t)
    acts.answer_waiting(t)
    codes.answer(t)


def learn(t: Turn, event: Event) -> bool:
    """Take in what the event says; False when it says nothing to this conversation."""
    match event:
        case RecordingStarted():
            return segments.started(t, event)
        case RecordingStopped():
            return segments.stopped(t, event)
        case RecordingSeen():
            return segments.seen(t, event)
        case LegCreated():
            return legs.created(t, event)
        case LegsBridged():
            return legs.bridged(t, event)
        case LegsUnbridged() | RoomJoined() | RoomLeft():
            return connected.learned(t, event)
        case LegInspected():
            return looking.inspected(t, event)
        case LegEvent():
            return event.leg in t.call.legs and _learn_of_leg(t, event)
        case Reply():
            return _learn_reply(t, event)
        case _:
            return _learn_at_large(t, event)


def _learn_of_leg(t: Turn, event: LegEvent) -> bool:
    match event:
        case LegAnswered():
            return legs.answered(t, event)
        case VariablesTold():
            return legs.told(t, event)
        case LegHungUp() | LegGone():
            return legs.hung_up(t, event)
        case LegHeld() | LegUnheld():
            return legs.held_or_not(t, event)
        case KeyPressed():
            return keys.key(t, event)
        case PromptStarted():
            return asking.started(t, event) or announcing.heard(t, event)
        case PromptStopped():
            return asking.stopped(t, event) or announcing.heard(t, event)
        case PromptMissing():
            return asking.missing(t, event) or announcing.heard(t, event)
        case _:
            return gated.heard(t, event)


def _learn_reply(t: Turn, event: Reply) -> bool:
    match event:
        case PartyFound() | PartyUnknown():
            if not deciding.found(t, event):
                return False
            deciding.consider(t)
            return True
        case CommandRefused() | CommandUnanswered() if asking.not_played(t, event.command):
            return True
        case CommandAccepted() if any(q.number == event.command for q in t.call.questions.values()):
            return True
        case _ if announcing.replied(t, event):
            return True
        case _:
            return replies.replied(t, event)


def _learn_at_large(t: Turn, event: Event) -> bool:
    match event:
        case TimePassed():
            deciding.give_up_lookups(t)
            deciding.consider(t)
            asking.overdue(t)
            announcing.overdue(t)
            acts.watchdog(t)
            overdue(t)
            legs.silent(t)
            length.measure(t.call, t.now)
            if t.call.retry_at is not None and t.call.retry_at <= t.now:
                t.call.retry_at = None
        case ActAsked():
            return acts.asked(t, event)
        case SwitchLost():
            return resync.unseen(t)
        case Resynced():
            return resync.resynced(t, event)
        case stops.StopsInForce():
            return stops.learned(t, event)
        case holding.LimitsInForce() | holding.TryNow():
            holding.learned(t.call, event)
        case Stopping():
            leaving.leave(t)
        case _:
            return False
    return True


def _ended(call: Call) -> bool:
    """Nothing can follow any more."""
    if call.segment is not None or call.flight is not None:
        return False
    if any(s.leg in call.legs and not call.legs[s.leg].gone for s in call.strays.values()):
        return False
    if call.merged_into is not None:
        return True
    return bool(call.legs) and not call.adrift and all(leg.gone for leg in call.legs.values())


def finish(t: Turn) -> None:
    call = t.call
    if call.decision is None and call.merged_into is None:
        deciding.consider(t, at_once=True)
    call.stage = GOVERNANCE[call.stage, Word.ENDED]
    call.ended = t.time
    call.outcome, call.outcome_cause = outcome.outcome(call)
    t.durable = True
    t.enter("call.over", outcome=call.outcome, cause=call.outcome_cause, segments=list(call.segments))


def seal(t: Turn) -> list[Command]:
    """The commands in their binding order: entries, releases, the file, then the switch, then answers.

    The first three are the disk's part: a kill takes all of it or nothing. A power loss may cut it short: an
    end has then been told before the file forgets the call, a segment handed over before its call forgets
    that it runs. (A restart may release it again; the shell leaves alone what is ship's already.)
    """
    entered: list[Command] = []
    released: list[Command] = []
    recorder: list[Command] = []
    first: list[Command] = []
    rest: list[Command] = []
    for command in t.commands:
        match command:
            case Enter():
                entered.append(command)
            case Answer():
                rest.append(command)
            case Release():
                released.append(command)
            case RecorderCommand():
                recorder.append(command)
            case _:
                first.append(command)
    if not (t.durable or t.rests):
        return [*entered, *released, *recorder, *first, *rest]
    t.call.revision += 1
    remember = Remember(call=t.call.id, text=document(t.call), durable=t.durable)
    return [*entered, *released, remember, *recorder, *first, *rest]
