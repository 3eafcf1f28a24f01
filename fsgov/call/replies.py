"""What the switch answers to our recorder commands, and what no answer means."""

from __future__ import annotations

from dataclasses import replace

from fsgov.call.segments import back_off, pause_of, release
from fsgov.call.site import SECOND
from fsgov.call.state import Capture, Flight
from fsgov.call.tables import Sign
from fsgov.call.timeline import masked, unmasked, unproven_mask
from fsgov.call.turn import Turn
from fsgov.commands import CloseSegment, Inspect, MaskSegment, OpenSegment, UnmaskSegment
from fsgov.events import (
    CommandAccepted,
    CommandRefused,
    CommandUnanswered,
    Instant,
    Reply,
    SegmentTaken,
)

GONE = "Cannot locate session"
"""The switch's word for a leg that has ended: its events are on their way, and another leg can record."""
CONFIRM: Instant = 2 * SECOND
"""How long after +OK the event that proves a start or stop may take."""


def replied(t: Turn, event: Reply) -> bool:
    """The reply to the recorder command under way; a reply to an earlier one means nothing any more."""
    flight = t.call.flight
    if flight is None or flight.command.number != event.command:
        return False
    match event:
        case CommandAccepted():
            _accepted(t, flight, event)
        case SegmentTaken():
            t.call.flight = t.call.segment = None
            t.call.segments = t.call.segments[:-1]
        case CommandRefused():
            _refused(t, flight, event.reason)
        case CommandUnanswered():
            doubt(t, "unanswered")
        case _:
            return False
    return True


def _accepted(t: Turn, flight: Flight, event: CommandAccepted) -> None:
    call = t.call
    segment = call.segment
    match flight.command:
        case OpenSegment() | CloseSegment() | Inspect():
            call.flight = replace(flight, accepted=True, due=t.now + CONFIRM)
        case MaskSegment() if segment is not None:
            call.flight = None
            by, asked, actor = pause_of(call, flight)
            t.rests = True
            call.segment = segment = masked(segment, by, asked, t.now, actor)
            t.sign(Sign.MASKED)
            t.enter(
                "segment.masked", segment.id, leg=segment.leg_name, by=by, phase="acknowledged", actor=actor,
                file_ms=segment.masks[-1].from_ms,
            )  # fmt: skip
        case UnmaskSegment() if segment is not None:
            call.flight = None
            t.rests = True
            call.segment = segment = unmasked(segment, event.sent or t.now)
            t.sign(Sign.UNMASKED)
            mask = segment.masks[-1] if segment.masks else None
            t.enter(
                "segment.unmasked", segment.id, leg=segment.leg_name, by=mask.by if mask else "",
                file_ms=mask.to_ms if mask else None,
            )  # fmt: skip
        case _:
            call.flight = None


def _refused(t: Turn, flight: Flight, reason: str) -> None:
    """-ERR: to a start, nothing runs; to anything else, we were wrong about what runs."""
    call = t.call
    if isinstance(flight.command, OpenSegment) and call.segment is not None:
        call.flight = None
        t.sign(Sign.REFUSED)
        t.enter("segment.refused", call.segment.id, leg=call.segment.leg_name, reason=reason)
        leg = call.legs.get(call.segment.leg)
        call.segments = tuple(name for name in call.segments if name != call.segment.id)
        release(t, cause="refused", discarded=True)
        if leg is not None and leg.ended is None:
            call.flawed = call.flawed or ("" if GONE in reason else "refused")
            back_off(t)
    elif flight.command.segment in call.strays:
        call.flight = None
        stray = call.strays[flight.command.segment]
        if stray.look or stray.every:
            back_off(t)
        call.strays = {**call.strays, flight.command.segment: replace(stray, look=True)}
    else:
        call.inspect = isinstance(flight.command, CloseSegment | Inspect)
        doubt(t, "refused")


def doubt(t: Turn, why: str) -> None:
    """What the switch does is unknown now: it will be closed, and what is wanted opened anew."""
    call = t.call
    flight, call.flight = call.flight, None
    segment = call.segment
    if flight is None:
        return
    if flight.command.segment in call.strays:
        back_off(t)
        return
    command = flight.command
    if segment is None or (isinstance(command, Inspect) and call.actual is not Capture.UNKNOWN):
        return
    look = isinstance(command, CloseSegment) and not segment.moved and why != "unanswered"
    if call.actual is Capture.UNKNOWN and not look:
        back_off(t)
    match flight.command:
        case MaskSegment():
            call.segment = unproven_mask(segment, *pause_of(call, flight))
        case UnmaskSegment():
            call.segment = unmasked(segment, flight.sent)
        case CloseSegment() if flight.accepted:
            call.inspect = True
        case _:
            pass
    t.sign(Sign.DOUBT)
    t.enter("segment.unconfirmed", segment.id, leg=segment.leg_name, reason=f"{_word(flight)} {why}")


def _word(flight: Flight) -> str:
    return type(flight.command).__name__.removesuffix("Segment").lower()
