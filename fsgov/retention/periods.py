"""From when to when a recording is kept for each of its purposes. Days are those of the policy's time zone.

A period that starts with an event on some day ends as the day ends that has the same number (BGB § 187, 188;
Regulation 1182/71 art. 3; in England the corresponding date rule): six months from any hour of 31 August are
over at the midnight after 28 February, or after the 29th. So neither a minimum nor a maximum is cut by hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from fsgov.events import Instant
from fsgov.policy import Purpose
from fsgov.policy.document import Anchor
from fsgov.policy.spans import Span
from fsgov.retention.disposition import Cause, Reason
from fsgov.retention.facts import Facts

CALL_END = Anchor(event="call_end")
NOTHING = Span()


@dataclass(frozen=True, slots=True)
class Period:
    """For how long one recording serves one purpose."""

    purpose: str
    must: Instant
    """It must be kept until then; where it starts, if there is no minimum."""
    may: Instant
    """It may be kept until then."""
    bound: bool
    """There is a minimum."""
    live: Reason
    expired: Reason
    minimum: Reason
    """The same, as a verdict gives it for its reason."""


def period(purpose: Purpose, facts: Facts, timezone: str) -> Period | None:
    """The period of this purpose; None while nobody knows when the call ended.

    It never starts before the call was over: an anchor set to an earlier day counts as that day.
    """
    if facts.ended is None:
        return None
    anchor, start = purpose.anchor, facts.ended
    if anchor.event != "call_end":
        at = facts.anchors.get(anchor.event)
        if at is None:
            anchor = purpose.anchor_fallback or CALL_END
        else:
            start = max(at, start)
    return _period(purpose, anchor, local_day(start, timezone), timezone)


def _period(purpose: Purpose, anchor: Anchor, day: date, timezone: str) -> Period:
    must = end_of(day, anchor.plus, purpose.retain_min, timezone)
    may = end_of(day, anchor.plus, purpose.retain_max, timezone)
    event = f"{anchor.event} + {anchor.plus}" if anchor.plus != NOTHING else anchor.event
    return Period(
        purpose.name,
        must,
        may,
        purpose.retain_min != NOTHING,
        live=Reason(Cause.LIVE, purpose.name, may, event),
        expired=Reason(Cause.EXPIRED, purpose.name, may, event),
        minimum=Reason(Cause.MINIMUM, purpose.name, must, event),
    )


@lru_cache(256)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(timezone)


def local_day(at: Instant, timezone: str) -> date:
    """The day that calendars of a zone show."""
    return datetime.fromtimestamp(at // 1_000_000, _zone(timezone)).date()


def end_of(day: date, plus: Span, length: Span, timezone: str) -> Instant:
    """When a period is over that starts `plus` after this day: as its last day ends there."""
    return midnight((plus + length).after(day) + timedelta(days=1), timezone)


def midnight(day: date, timezone: str) -> Instant:
    """The start of a day on the clocks of a zone; the later one where they show it twice or never.

    PostgreSQL's AT TIME ZONE says the same, which fsgov.purpose_ends uses.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=_zone(timezone))
    return int(max(start.timestamp(), start.replace(fold=1).timestamp())) * 1_000_000
