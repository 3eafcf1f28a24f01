"""From what is confirmed towards what is wanted, one recorder command at a time."""

from __future__ import annotations

from dataclasses import replace

from fsgov.call import gates, holding, looking
from fsgov.call.binding import digests, outgrown, planned
from fsgov.call.connected import recorder_leg
from fsgov.call.consent import covered, gates_open
from fsgov.call.document import sidecar
from fsgov.call.failing import ATTEMPTS, tell
from fsgov.call.replies import doubt
from fsgov.call.segment import Segment
from fsgov.call.segments import lose
from fsgov.call.site import SECOND
from fsgov.call.state import Call, Capture, Flight, Stage
from fsgov.call.stops import halting
from fsgov.call.tables import CONVERGE, Move
from fsgov.call.turn import Turn
from fsgov.commands import (
    CloseSegment,
    Inspect,
    MaskSegment,
    OpenSegment,
    RecorderCommand,
    SetVariable,
    UnmaskSegment,
)
from fsgov.events import Direction, Instant
from fsgov.policy import Decision, PauseBy, RecordMode, Require

REPLY: Instant = 4 * SECOND
"""How long a recorder command may stay without a reply before the core gives up on it."""
MOST_SEGMENTS = 99
RUNNING = (Capture.ARMED, Capture.ON, Capture.MASKED)


def on_record(call: Call, decision: Decision) -> bool:
    """The rule wants this call recorded, or somebody who may has asked for it."""
    if decision.record is RecordMode.ON_DEMAND:
        return call.started
    return decision.record is not RecordMode.NEVER and decision.sampled


def covers_everybody(call: Call) -> bool:
    """The decision knew of everybody who speaks now."""
    if call.inputs is None:
        return False
    known = [facts.party for facts in call.inputs.parties]
    for leg in call.legs.values():
        if leg.party and leg.answered and not leg.ended and leg.party not in known:
            return False
    return True


def permitted(call: Call) -> bool:
    """A rule, a basis for some purpose, its gate, and every consent that the mode asks for."""
    decision = call.decision
    return (
        decision is not None
        and bool(decision.rule)
        and on_record(call, decision)
        and gates.came(call)
        and gates_open(call, decision)
        and bool(covered(call, decision))
    )


def wanted(call: Call) -> Capture:
    """What the switch should do: a pure answer from legs, parties, decision, consent, pauses and failures."""
    if (
        call.merged_into
        or call.stopped
        or call.stopping
        or halting(call)
        or call.stage in (Stage.DECIDING, Stage.ASKING, Stage.OVER)
        or call.failures >= ATTEMPTS
        or not permitted(call)
    ):
        return Capture.OFF
    leg = recorder_leg(call)
    if leg is None:
        return Capture.OFF
    if call.segment is not None and call.actual in RUNNING and outgrown(call, call.segment, leg):
        return Capture.OFF
    if leg.answered is None:
        armed = gates.held_there(call, leg.uuid) or (call.decision is not None and call.decision.armed)
        armed = armed and leg.direction is Direction.INBOUND
        return Capture.ARMED if armed and not call.paused else Capture.OFF
    if call.segment is not None and call.segment.full and call.actual in (Capture.ON, Capture.MASKED):
        return Capture.OFF
    return Capture.ON if call.paused is None else Capture.MASKED


def converge(t: Turn) -> Capture:
    """Issue at most one recorder command; what is wanted."""
    call = t.call
    aim = wanted(call)
    if call.adrift or call.stage is Stage.OVER:
        return aim
    flight = call.flight
    if flight is not None:
        if not (flight.accepted and isinstance(flight.command, OpenSegment) and aim is Capture.OFF):
            return aim
        doubt(t, "withdrawn before it was seen to run")  # +OK came, so a stop reaches it
    if call.strays:
        _stop_stray(t)
        return aim
    move = CONVERGE.get((call.actual, aim))
    if move is None:
        call.held = ""
    if move is None or _held(t, move) or _must_wait(call, move, t.now):
        question = looking.look(t)
        if question is not None:
            launch(t, question)
    elif move in (Move.OPEN, Move.ARM):
        _open(t, armed=move is Move.ARM)
    elif call.segment is not None:
        _steer(t, move, call.segment)
    return aim


def _must_wait(call: Call, move: Move, now: Instant) -> bool:
    """The last tries have failed, or the segment ends with its leg anyway."""
    if move in (Move.OPEN, Move.ARM, Move.SETTLE) and call.retry_at is not None and call.retry_at > now:
        return True
    leg = None if call.segment is None else call.legs.get(call.segment.leg)
    return move not in (Move.OPEN, Move.ARM) and leg is not None and leg.ended is not None


def _held(t: Turn, move: Move) -> bool:
    """The host's limits hold the start back; told once, and the rule's `on_failure` carried out."""
    call = t.call
    cause = holding.held_back(call) if move in (Move.OPEN, Move.ARM) else ""
    waited_for = call.decision is not None and call.decision.require is Require.BEFORE_ANSWER
    if cause and move is Move.ARM and not waited_for:
        return True  # it may be had yet: the call is not answered
    if cause:
        call.flawed = call.flawed or cause
        if not call.held and cause != holding.SHED and call.decision is not None:
            tell(t, cause, recorder_leg(call))
    call.held = cause
    return bool(cause)


def _stop_stray(t: Turn) -> None:
    call = t.call
    if call.retry_at is not None and call.retry_at > t.now:
        return
    segment, stray = next(iter(call.strays.items()))
    number, leg = t.number(), stray.leg
    if stray.look:
        launch(t, Inspect(call=call.id, number=number, leg=leg, segment=segment))
    else:
        launch(t, CloseSegment(call=call.id, number=number, leg=leg, segment=segment, every=stray.every))


def _steer(t: Turn, move: Move, segment: Segment) -> None:
    call = t.call
    number, leg = t.number(), segment.leg
    cut = call.decision is not None and call.decision.pause.by is PauseBy.CUT
    match move:
        case Move.MASK if not segment.unsure:
            launch(t, MaskSegment(call=call.id, number=number, leg=leg, segment=segment.id, cut=cut))
        case Move.UNMASK:
            was_cut = bool(segment.masks) and segment.masks[-1].by == "cut"
            launch(t, UnmaskSegment(call=call.id, number=number, leg=leg, segment=segment.id, cut=was_cut))
        case Move.SETTLE if call.inspect:
            launch(t, Inspect(call=call.id, number=number, leg=leg, segment=segment.id))
        case _:
            every = segment.moved
            launch(t, CloseSegment(call=call.id, number=number, leg=leg, segment=segment.id, every=every))


def _open(t: Turn, *, armed: bool) -> None:
    call = t.call
    leg, decision = recorder_leg(call), call.decision
    if leg is None or decision is None or call.segment_numbers >= MOST_SEGMENTS:
        return
    call.segment_numbers += 1
    segment = planned(call, decision, leg, call.segment_numbers, armed=armed)
    call.segment = segment = replace(segment, evidence=digests(call, segment))
    call.segments = (*call.segments, segment.id)
    call.lose_at = None
    launch(
        t,
        OpenSegment(
            call=call.id,
            number=t.number(),
            leg=leg.uuid,
            segment=segment.id,
            sidecar=sidecar(call, segment, "planned"),
            armed=armed,
            unbuffered=segment.unbuffered,
        ),
    )
    t.commands.append(
        SetVariable(
            call=call.id, number=t.number(), leg=leg.uuid, name="recording_follow_transfer", value="false"
        )
    )


def launch(t: Turn, command: RecorderCommand) -> None:
    if not isinstance(command, Inspect) or t.call.actual is Capture.UNKNOWN:
        t.call.retry_at = None
    t.call.flight = Flight(command=command, sent=t.now, due=t.now + REPLY)
    t.send(command)


def overdue(t: Turn) -> None:
    """A command without its reply, a reply without its event, a leg's end without its RECORD_STOP."""
    call = t.call
    flight = call.flight
    if flight is not None and flight.due <= t.now:
        stray = call.strays.get(flight.command.segment)
        if flight.accepted and stray is not None:
            call.flight = None
            call.strays = {**call.strays, flight.command.segment: replace(stray, look=True)}
        else:
            doubt(t, "unconfirmed" if flight.accepted else "unanswered")
    if call.lose_at is not None and call.lose_at <= t.now and not call.adrift:
        call.lose_at = None
        lose(t)
