"""Losing sight of the switch, and seeing it again.

While the switch cannot be seen, whatever was confirmed is UNKNOWN and nothing is sent. The resync then says
what runs. A segment found running goes on in the state that was confirmed before, if no command was under
way: nobody but us masks our segments, so its mask state is known. After a restart of fsgov with a pause in
force or a mask command under way it is not: that segment is closed, and what is wanted opened anew.
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
    call.adrift = False
    on = segments.running(call, dict(event.recordings))
    if call.segment is not None:
        if on is None:
            segments.lose(t)
        else:
            _adopt(t, on)
    call.before = None
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
    known = call.before is not None and segment.opened is not None and not moved
    if known and call.before is not None:
        call.actual = call.before
        call.gap_since = None
        call.retry_at = None
    elif call.actual is not Capture.UNKNOWN:
        t.sign(Sign.UNSEEN)
