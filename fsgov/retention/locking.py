"""Until when the vault must lock a recording: never longer than it must be kept.

A lock only grows, so it begins at what is certain. The period of a purpose whose anchor has not happened is
counted as if it happened now, at most from its fallback, and again when the lock comes to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from fsgov.events import Instant
from fsgov.policy import Lock, Policy, Purpose
from fsgov.retention.periods import CALL_END, end_of, local_day

AHEAD: Instant = 30 * 86_400 * 1_000_000
"""A lock whose end is open is made longer so long before its end."""


@dataclass(frozen=True, slots=True)
class Due:
    """A lock that there must be: until when at least, how strong. open: an anchor has yet to happen."""

    until: Instant
    lock: Lock
    open: bool = False

    @property
    def mode(self) -> Literal["GOVERNANCE", "COMPLIANCE"]:
        """As object stores call it."""
        return "COMPLIANCE" if self.lock is Lock.COMPLIANCE else "GOVERNANCE"

    def lacks(self, until: Instant | None, lock: Lock, now: Instant) -> bool:
        """Whether a lock that is there is not enough: too weak, too short, or soon too short."""
        if until is None or until <= now or lock.rank < self.lock.rank:
            return True
        return until < self.until and (not self.open or until < now + AHEAD)


def due(
    policy: Policy, purposes: Iterable[str], ended: Instant, anchors: Mapping[str, Instant], now: Instant
) -> Due | None:
    """The lock of what serves these purposes; None where none of them wants one, or its time is over.

    ended: of the call, or of the segment while the call goes on. anchors: what has happened, and when.
    """
    found = [policy.purposes[name] for name in purposes if name in policy.purposes]
    locked = [purpose for purpose in found if purpose.lock is not Lock.NONE]
    ends = [_end(purpose, policy.timezone, ended, anchors, now) for purpose in locked]
    if not ends or max(until for until, _ in ends) <= now:
        return None
    return Due(
        until=max(until for until, _ in ends),
        lock=max((purpose.lock for purpose in locked), key=lambda lock: lock.rank),
        open=any(open_ for _, open_ in ends),
    )


def _end(
    purpose: Purpose, zone: str, ended: Instant, anchors: Mapping[str, Instant], now: Instant
) -> tuple[Instant, bool]:
    """When retain_min is over, as far as that is certain, and whether its anchor has yet to happen."""
    own, least = purpose.anchor, purpose.retain_min
    happened = {**anchors, "call_end": ended}
    if own.event in happened:
        return end_of(local_day(max(happened[own.event], ended), zone), own.plus, least, zone), False
    fallback = purpose.anchor_fallback or CALL_END
    latest = end_of(local_day(ended, zone), fallback.plus, least, zone)
    return min(latest, end_of(local_day(max(now, ended), zone), own.plus, least, zone)), True
