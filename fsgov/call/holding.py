"""What holds the start of a recording back: little room on the spool's disk, or starts that fail.

Marks
-----
WARN      an alarm, nothing else.
SHED      recordings whose rule has `priority = "low"` are not begun.
REFUSE    no recording is begun but those a rule calls needed (`require = "during"`).
A recording that has begun goes on in every case, in its next segments as well; nothing captured is dropped.

While starts fail across conversations (`fsgov.switchboard.breaker`) one is tried now and then, and no other.
What was held back is begun when it may be; its outcome says for what cause a part, or all of it, is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsgov.events import Event
from fsgov.policy import Priority, Require
from fsgov.watermarks import Mark

if TYPE_CHECKING:
    from fsgov.call.state import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolRoom(Event):
    """The spool's disk has come to another mark."""

    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is in force on this host now."""

    mark: Mark = Mark.AMPLE
    starts_fail: bool = False


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsInForce(Event):
    """These are in force from now on."""

    limits: Limits


class TryNow(Event):
    """Starts fail, and this conversation is the one that tries whether they still do."""


def learned(call: Call, event: Event) -> None:
    """Other limits are in force, or this conversation is to try."""
    if isinstance(event, LimitsInForce):
        call.limits = event.limits
    else:
        call.trying, call.retry_at = True, None


SHED, DISK, STARTS = "shed", "disk", "starts-fail"


def held_back(call: Call) -> str:
    """Why this conversation may not begin to record now; "" where it may."""
    limits, decision = call.limits, call.decision
    if limits is NO_LIMITS or decision is None:
        return ""
    if not call.captured:
        if limits.mark is Mark.REFUSE and decision.require is Require.BEST_EFFORT:
            return DISK
        if limits.mark is Mark.SHED and decision.priority is Priority.LOW:
            return SHED
    return STARTS if limits.starts_fail and not call.trying else ""
