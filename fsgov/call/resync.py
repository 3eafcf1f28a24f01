"""Losing sight of the switch, and seeing it again.

While the switch cannot be seen, whatever was confirmed is UNKNOWN and nothing is sent. The resync then says
what runs. A segment found running that was not masked, with no command under way, goes on: nobody but us
masks our segments. But its leg may have been held meanwhile, so a mask could not be placed in its file: a
pause closes it. One that was masked, or may have been, is closed, and what is wanted opened anew.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call import legs, replies, segments
from fsgov.call.state import Capture
from fsgov.call.tables import Sign
from fsgov.call.turn import Turn
from fsgov.events import LegGone, Resynced


def unseen(t: Turn) -> bool:
    call = t.call
    call.adrift = True
    if call.flight is not None:
        replies.doubt(t, "connection lost")
        call.before = None
    elif call.actual in (Capture.ON, Capture.MASKED, Capture.ARMED):
        call.before = call.actual
        t.sign(Sign.UNSEEN)
    return True


def resynced(t: Turn, event: Resynced) -> bool:
    call = t.call
    for leg in tuple(call.legs.values()):
        if leg.uuid not in event.recordings and not leg.gone:
            legs.hung_up(t, LegGone(now=t.now, leg=leg.uuid, cause="LOST"))
        elif not leg.gone:
            t.change_leg(replace(leg, unseen=True))
    call.adrift = False
    on = segments.running(call, dict(event.recordings))
    if call.segment is not None:
        if on is None:
            segments.lose(t)
        else:
            _adopt(t, on)
    call.before = None
    call.retry_at, call.failures = None, 0  # what nobody answered says nothing of the switch as it is now
    for uuid, paths in event.recordings.items():
        if uuid in call.legs:
            segments.others(t, uuid, paths)
    return True


def _adopt(t: Turn, leg: str) -> None:
    call = t.call
    segment = call.segment
    assert segment is not None
    call.lose_at = None
    moved = leg != segment.leg
    if moved:
        call.segment = segment = replace(segment, leg=leg, moved=True)
    if call.before in (Capture.ON, Capture.ARMED) and segment.opened is not None and not moved:
        call.actual = call.before
        call.segment = replace(segment, unsure=True)
        call.gap_since = None
        call.retry_at = None
    elif call.actual is not Capture.UNKNOWN:
        t.sign(Sign.UNSEEN)
