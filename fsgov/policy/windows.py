"""Windows of time in a policy's own zone: on which days, at which hours, on holidays or not.

Days and hours are those of the wall clock, so that 08:00 stays 08:00 when summer time begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from fsgov.events import Instant
from fsgov.policy.reading import Table, kind, nearest

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")
Minutes = int
DAY: Minutes = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When a condition on time holds. Of `22:00-06:00` what is after midnight is of the day it began on."""

    days: frozenset[int] = frozenset()
    """0 is Monday; empty: every day."""
    hours: tuple[tuple[Minutes, Minutes], ...] = ((0, DAY),)
    """(from, until), after midnight; where the second is not later, it is of the next day."""
    holidays: bool | None = None
    """Only on them, never on them; None: they are like any day."""

    def holds(self, local: datetime, holidays: frozenset[date]) -> bool:
        """At this time of the wall clock, with these holidays."""
        minute, today = local.hour * 60 + local.minute, local.date()
        for start, end in self.hours:
            if start < end:
                began = today if start <= minute < end else None
            elif minute >= start:
                began = today
            else:
                began = today - timedelta(days=1) if minute < end else None
            if began is not None and self._counts(began, holidays):
                return True
        return False

    def _counts(self, day: date, holidays: frozenset[date]) -> bool:
        if self.days and day.weekday() not in self.days:
            return False
        return self.holidays is None or (day in holidays) is self.holidays


def local_time(at: Instant, timezone: str) -> datetime:
    """What the clocks of a zone show."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(ZoneInfo(timezone))


def instant(text: str, timezone: str) -> Instant | None:
    """`2026-12-25 09:30` on the clocks of a zone; None when it is not that. Of two such times the first."""
    if not MOMENT.fullmatch(text):
        return None
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone))
    except (ValueError, KeyError):
        return None
    return int(local.timestamp()) * 1_000_000


def read_windows(when: Table) -> tuple[Window, ...]:
    """`when.time`: one window or a list of them."""
    found = []
    for where, value in when.items("time"):
        if isinstance(value, dict):
            found.append(_window(Table(value, where, when.faults)))
        else:
            hint = 'write { days = "mon-fri", hours = "08:00-18:00" }'
            when.faults.add(where, f"must be a table, is {kind(value)}", hint)
    return tuple(found)


def _window(table: Table) -> Window:
    if not table.source:
        table.faults.add(table.path, "is empty", 'days = "mon-fri", hours = "08:00-18:00"')
    days = frozenset(day for text in table.texts("days") for day in _days(table, text))
    hours = tuple(span for text in table.texts("hours") for span in _hours(table, text))
    read = Window(
        days=days,
        hours=hours or ((0, DAY),),
        holidays=table.flag("holidays") if table.has("holidays") else None,
    )
    table.end()
    return read


def _days(table: Table, text: str) -> tuple[int, ...]:
    first, dash, last = text.partition("-")
    for name in (first, last) if dash else (first,):
        if name not in DAYS:
            table.fault("days", f"{name!r} is no day of the week", nearest(name, DAYS))
            return ()
    start = DAYS.index(first)
    count = (DAYS.index(last) - start) % 7 + 1 if dash else 1
    return tuple((start + number) % 7 for number in range(count))


def _hours(table: Table, text: str) -> tuple[tuple[Minutes, Minutes], ...]:
    found = HOURS.fullmatch(text)
    start, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
    if found is None or start >= DAY or end > DAY or start == end:
        table.fault("hours", f"{text!r} is no part of a day", 'write "08:00-18:00" or "22:00-06:00"')
        return ()
    return ((start, end),)


def read_holidays(top: Table) -> frozenset[date]:
    """`holidays`: dates of the policy's zone."""
    found = set()
    for text in top.texts("holidays"):
        try:
            found.add(date.fromisoformat(text))
        except ValueError:
            top.fault("holidays", f"{text!r} is no date", "2026-12-25")
    return frozenset(found)
