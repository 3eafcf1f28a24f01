"""Our segments as the switch shows them: its RECORD events, and how a segment is handed over."""

from __future__ import annotations

from dataclasses import replace

from fsgov.call.document import sidecar
from fsgov.call.segment import Segment, Stray
from fsgov.call.site import SECOND
from fsgov.call.state import Call, Capture, Flight
from fsgov.call.tables import Sign
from fsgov.call.timeline import held, moment, unmasked, unproven_mask
from fsgov.call.turn import Turn
from fsgov.commands import CloseSegment, MaskSegment, OpenSegment, Release, UnmaskSegment
from fsgov.events import Instant, RecordingSeen, RecordingStarted, RecordingStopped

FIRST_RETRY: Instant = SECOND // 2
LAST_RETRY: Instant = 30 * SECOND
SHORT: Instant = 5 * SECOND
"""A segment that somebody else stopped sooner than this counts as a failure of the recorder."""


def back_off(t: Turn) -> None:
    """Wait longer before the next try the more have failed, so that a switch in trouble gets no storm."""
    call = t.call
    call.failures += 1
    call.retry_at = t.now + min(FIRST_RETRY << min(call.failures - 1, 10), LAST_RETRY)


def started(t: Turn, event: RecordingStarted) -> bool:
    """RECORD_START: the proof that our segment runs; or one of ours that should not; or somebody else's."""
    call = t.call
    ours = event.segment or call.site.segment_at(event.path)
    if ours is None or not numbered(call, ours):
        left = call.site.segment_at(event.path) if call.site.audio else None  # of a call that is over
        return foreign(t, event.leg) if left is None else stray(t, left, event.leg)
    segment = call.segment
    if segment is None or segment.id != ours:
        return stray(t, ours, event.leg)
    flight = call.flight
    asked = flight.sent if flight is not None and isinstance(flight.command, OpenSegment) else None
    when = moment(t.now, event.at, asked)
    if segment.opened is not None:
        return False
    armed = segment.armed and event.leg in call.legs and call.legs[event.leg].answered is None
    leg = call.legs.get(event.leg)
    turned = 0 if leg is None else leg.turned  # later than `when`: the events came in another order
    lost = 0 if armed else None if call.owed_since is None else max(when - call.owed_since, 0) // 1000
    opened = replace(segment, opened=when, start_lost_ms=lost, unsure=segment.unsure or turned > when)
    call.segment = held(opened, max(when, turned)) if leg is not None and leg.held else opened
    if call.actual is not Capture.OFF:
        return True
    if asked is not None:
        call.flight = None
    t.sign(Sign.STARTED_ARMED if armed else Sign.STARTED)
    call.retry_at = None
    t.rests = True
    t.enter(
        "segment.opened", segment.id, leg=segment.leg_name, n=segment.n, rule=segment.rule,
        purposes=list(segment.purposes), consents=list(segment.consents), armed=armed,
        start_lost_ms=lost,
    )  # fmt: skip
    return True


def numbered(call: Call, segment: str) -> bool:
    """The name is one that this conversation has given out, to a start that came about or not."""
    owner, _, n = segment.rpartition("-")
    return owner == call.id and n.isdecimal() and 1 <= int(n) <= call.segment_numbers


def foreign(t: Turn, leg: str) -> bool:
    """A recording on a leg of this conversation that is not ours."""
    t.call.foreign = True
    on = t.call.legs.get(leg)
    t.enter("recording.foreign", leg="" if on is None else on.name)
    return True


def stray(t: Turn, segment: str, leg: str, *, every: bool = False) -> bool:
    """A start that was given up has come about after all: it is stopped before anything else is done."""
    call = t.call
    if segment in call.strays:
        return False
    call.strays = {**call.strays, segment: Stray(leg=leg, every=every)}
    t.enter("segment.unconfirmed", segment, leg="", reason="runs though it was given up")
    return True


def others(t: Turn, leg: str, paths: tuple[str, ...]) -> None:
    """Recordings on our legs that are not the running segment: ours by mistake, or somebody else's."""
    call = t.call
    for path in paths:
        segment = call.site.segment_at(path)
        if call.segment is not None and segment == call.segment.id:
            continue
        if segment is not None and segment.startswith(f"{call.id}-"):
            stray(t, segment, leg)
        elif segment is None and not call.foreign:
            foreign(t, leg)


def stopped(t: Turn, event: RecordingStopped) -> bool:
    """RECORD_STOP: the segment is complete on the switch's disk, on whichever leg it ended."""
    call = t.call
    ours = event.segment or call.site.segment_at(event.path)
    if ours in call.strays:
        call.strays = {s: stray for s, stray in call.strays.items() if s != ours}
        flight = call.flight
        if flight is not None and flight.command.segment == ours and isinstance(flight.command, CloseSegment):
            call.flight = None  # a question about it is still to be answered
        return True
    segment = call.segment
    if segment is None or segment.id != ours:
        return False
    command = None if call.flight is None else call.flight.command
    by_us = isinstance(command, CloseSegment) and command.segment == ours
    if by_us:
        call.flight = None
    when = moment(t.now, event.at)
    call.segment = replace(
        segment,
        closed=when,
        cause=event.cause,
        reported_ms=event.ms,
        reported_size=event.size,
        discarded=event.discarded,
    )
    if event.discarded or event.cause == "uri-failure":
        call.flawed = call.flawed or event.cause or "discarded"
    alive = segment.leg in call.legs and call.legs[segment.leg].ended is None
    if not by_us and alive and (segment.opened is None or when - segment.opened < SHORT):
        back_off(t)
    elif by_us or event.cause == "success-maxtime":
        call.failures = 0
    t.sign(Sign.STOPPED)
    close(t)
    return True


def close(t: Turn) -> None:
    segment = t.call.segment
    assert segment is not None
    t.rests = True
    t.enter(
        "segment.closed", segment.id, leg=segment.leg_name, cause=segment.cause,
        reported_ms=segment.reported_ms, reported_size=segment.reported_size, discarded=segment.discarded,
        parties=sorted(segment.parties), dispose=segment.id in t.call.dispose,
    )  # fmt: skip
    release(t, cause=segment.cause, discarded=segment.discarded)


def lose(t: Turn, cause: str = "lost") -> None:
    """The switch knows nothing of the segment any more: whatever it wrote is released as it is."""
    call = t.call
    segment = call.segment
    if segment is None:
        return
    call.segment = replace(segment, closed=t.now, cause=cause)
    call.flawed = call.flawed or cause
    t.sign(Sign.ABSENT)
    t.enter("segment.unconfirmed", segment.id, leg=segment.leg_name, reason=cause)
    close(t)


def release(t: Turn, *, cause: str, discarded: bool) -> None:
    """Hand the segment over: from here on ship alone writes its sidecar."""
    call = t.call
    segment = call.segment
    assert segment is not None
    segment = _cut_short(call, segment)
    if segment.closed is None:
        segment = replace(segment, closed=t.now, cause=cause, discarded=discarded)
    t.commands.append(Release(call=call.id, segment=segment.id, sidecar=sidecar(call, segment, "captured")))
    shown = segment.opened is not None or segment.reported_ms is not None  # a segment nobody saw is none
    call.captured = call.captured or (shown and not discarded)
    call.segment = None
    call.inspect = False
    call.lose_at = None


def _cut_short(call: Call, segment: Segment) -> Segment:
    """The segment ended while a mask or unmask was under way, which may have been carried out or not."""
    match call.flight:
        case Flight(command=UnmaskSegment(), sent=sent):
            return unmasked(segment, sent)
        case Flight(command=MaskSegment()) as flight:
            return unproven_mask(segment, *pause_of(call, flight))
    return segment


def pause_of(call: Call, flight: Flight) -> tuple[str, Instant, str | None]:
    """How, since when and by whom the pause was asked for."""
    by = "cut" if isinstance(flight.command, MaskSegment) and flight.command.cut else "mask"
    if call.paused is None:
        return by, flight.sent, None
    return by, call.paused.asked, call.paused.actor


def seen(t: Turn, event: RecordingSeen) -> bool:
    """MEDIA_BUG_START: of our segment on another leg, it has moved there and only `stop all` reaches it."""
    call = t.call
    ours = call.site.segment_at(event.path)
    if ours is None or not numbered(call, ours):
        return foreign(t, event.leg) if ours is None and not call.foreign else False
    segment = call.segment
    if segment is None or segment.id != ours:
        return stray(t, ours, event.leg, every=True)  # given up, and found where it had moved to
    if segment.leg == event.leg:
        return False
    to = call.legs.get(event.leg)
    t.enter("segment.moved", segment.id, leg=segment.leg_name, to="" if to is None else to.name)
    call.segment = replace(segment, leg=event.leg, moved=True)
    call.lose_at = None
    t.sign(Sign.DOUBT)
    return True


def running(call: Call, recordings: dict[str, tuple[str, ...]]) -> str | None:
    """The leg that a resync finds our segment on."""
    segment: Segment | None = call.segment
    if segment is None:
        return None
    for leg, paths in recordings.items():
        if any(call.site.segment_at(path) == segment.id for path in paths):
            return leg
    return None
