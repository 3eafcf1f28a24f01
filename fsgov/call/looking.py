"""Looking at what the switch does where its word is missing.

The event socket drops events and has no replay. So each live leg is looked at now and then: a recording that
has ended without a RECORD_STOP, or a leg without its end, is found within minutes instead of never.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call import legs
from fsgov.call.segment import Stray
from fsgov.call.segments import lose, others
from fsgov.call.site import SECOND
from fsgov.call.state import Call, Capture
from fsgov.call.turn import Turn
from fsgov.commands import Inspect
from fsgov.events import Instant, LegGone, LegInspected

EVERY: Instant = 60 * SECOND


def due(call: Call) -> Instant | None:
    """When to look next; None where there is nothing to look at."""
    if call.adrift or call.flight is not None or call.look_at is None:
        return None
    return call.look_at if any(leg.ended is None for leg in call.legs.values()) else None


def look(t: Turn) -> Inspect | None:
    """The question that is due: about one live leg after the other."""
    call = t.call
    if call.look_at is None:
        call.look_at = t.now + EVERY
    if call.look_at > t.now:
        return None
    live = [leg for leg in call.legs.values() if leg.ended is None]
    if not live:
        return None
    call.look_at = t.now + EVERY
    call.looks += 1
    leg = live[call.looks % len(live)].uuid
    segment = call.segment.id if call.segment is not None and call.segment.leg == leg else ""
    return Inspect(call=call.id, number=t.number(), leg=leg, segment=segment)


def inspected(t: Turn, event: LegInspected) -> bool:
    """What a leg records: our segment, so that it can be stopped, or not, so that it is off."""
    call = t.call
    flight, segment = call.flight, call.segment
    if flight is None or not isinstance(flight.command, Inspect) or flight.command.leg != event.leg:
        return False
    if event.command not in (0, flight.command.number):
        return False
    call.flight = None
    if not event.exists:
        call.strays = {s: stray for s, stray in call.strays.items() if stray.leg != event.leg}
        if event.leg in call.legs:
            legs.hung_up(t, LegGone(now=t.now, leg=event.leg, cause="LOST"))
        elif segment is not None and segment.leg == event.leg:
            lose(t)
        return True
    others(t, event.leg, event.recordings)
    _stray(t, flight.command.segment, event)
    if segment is None or segment.leg != event.leg:
        return True
    listed = any(call.site.segment_at(path) == segment.id for path in event.recordings)
    if not listed:
        lose(t, "unconfirmed")
    elif call.actual is Capture.UNKNOWN:
        call.inspect = False
        call.segment = replace(segment, moved=True)
    return True


def _stray(t: Turn, segment: str, event: LegInspected) -> None:
    """A stop of this stray was refused: it is not there any more, or only `stop all` reaches it."""
    call = t.call
    stray = call.strays.get(segment)
    if stray is None or stray.leg != event.leg:
        return
    left = {s: other for s, other in call.strays.items() if s != segment}
    if any(call.site.segment_at(path) == segment for path in event.recordings):
        left[segment] = Stray(leg=stray.leg, every=True)
    call.strays = left
