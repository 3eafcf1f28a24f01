"""How long one segment may grow: then it is closed, and what is still wanted goes on in the next one.

The switch has a limit of its own, which counts whole seconds of the epoch and closes for good. Here a stop
and a start follow each other: what is said while both commands travel is in neither segment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fsgov.events import Instant

if TYPE_CHECKING:
    from fsgov.call.state import Call

LAST_CUT = 90
"""The segment that is not cut any more: numbers end at 99, and pauses and troubles need some of them."""


def due(call: Call) -> Instant | None:
    """When the running segment has its full length; None where there is no limit, or it is known already."""
    segment, longest = call.segment, call.site.longest
    if not longest or segment is None or segment.opened is None or segment.full or segment.n >= LAST_CUT:
        return None
    return segment.opened + longest


def measure(call: Call, now: Instant) -> None:
    """Note that the running segment has come to its full length."""
    end = due(call)
    if end is not None and end <= now and call.segment is not None:
        call.segment = replace(call.segment, full=True)
