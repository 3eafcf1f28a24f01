"""When something happened, or will, that a period of retention starts from: as the CRM tells it of a party.

The latest of what the CRM says of several parties counts, since nobody knows whose the recording is. What is
no day changes nothing: the fallback of the policy counts, and the log says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsgov import entries
from fsgov.call.turn import Turn
from fsgov.events import Instant
from fsgov.policy.anchors import moment


def told(t: Turn, party: int, facts: Mapping[str, str]) -> None:
    """Note what the CRM says of this party."""
    policy = t.call.policy
    for event, fact in policy.anchors.items():
        text = facts.get(fact, "")
        if not text:
            continue
        at = moment(text, policy.timezone, t.now)
        t.enter("anchor.found", party=party, event=event, at=None if at is None else _second(at))
        if at is not None:
            carry(t, {event: at})


def carry(t: Turn, anchors: Mapping[str, Instant]) -> None:
    """These, too: of another party, or of a conversation that this one goes on with."""
    known = t.call.anchors
    later = {event: at for event, at in anchors.items() if at > known.get(event, -1)}
    if later:
        t.call.anchors = {**known, **later}


def _second(at: Instant) -> str:
    return f"{entries.iso(at)[:19]}Z"
