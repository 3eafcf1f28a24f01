"""Lengths of time in a document: durations in microseconds, and calendar spans whose units are kept."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

Microseconds = int

UNITS: dict[str, Microseconds] = {
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
DURATION = re.compile(r"([0-9]{1,9}) ?(ms|s|min|h|d)")
SPAN = re.compile(r"([0-9]{1,5}) (year|month|week|day)s?")
LONGEST_YEARS = 100


def duration(text: str) -> Microseconds | None:
    """`8 s`, `300 ms`, `48 h` as microseconds; None when it is not one."""
    found = DURATION.fullmatch(text)
    return int(found[1]) * UNITS[found[2]] if found else None


def in_words(length: Microseconds) -> str:
    """A duration as a document writes it, in the largest unit that it is a whole number of."""
    for unit, one in reversed(UNITS.items()):
        if length % one == 0:
            return f"{length // one} {unit}"
    return f"{length} µs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of calendar time; the units are kept because a month is not a number of days."""

    years: int = 0
    months: int = 0
    days: int = 0

    def after(self, day: date) -> date:
        """The day this long after `day`; a day its month does not have becomes the month's last."""
        months = day.year * 12 + day.month - 1 + self.years * 12 + self.months
        year, month = divmod(months, 12)
        last = monthrange(year, month + 1)[1]
        return date(year, month + 1, min(day.day, last)) + timedelta(days=self.days)

    def never_longer_than(self, other: Span) -> bool:
        """Whether no starting day makes this end after `other`."""
        return all(self.after(day) <= other.after(day) for day in _DAYS)

    def __add__(self, other: Span) -> Span:
        return Span(
            years=self.years + other.years, months=self.months + other.months, days=self.days + other.days
        )

    def __str__(self) -> str:
        parts = ((self.years, "year"), (self.months, "month"), (self.days, "day"))
        return " ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n) or "0 days"


def _four_years() -> Iterator[date]:
    day = date(2023, 1, 1)
    while day < date(2027, 1, 1):
        yield day
        day += timedelta(days=1)


# Every day of a leap cycle: what holds for these holds for every start that is not beside 2100.
_DAYS = tuple(_four_years())


def span(text: str) -> Span | None:
    """`5 years`, `6 months`, `1 year 6 months`, `90 days`; None when it is not one, or above 100 years."""
    total = {"year": 0, "month": 0, "week": 0, "day": 0}
    rest = text
    while found := SPAN.match(rest):
        total[found[2]] += int(found[1])
        rest = rest[found.end() :]
        if not rest:
            days = total["week"] * 7 + total["day"]
            long = total["year"] * 365 + total["month"] * 30 + days > LONGEST_YEARS * 366
            return None if long else Span(years=total["year"], months=total["month"], days=days)
        if not rest.startswith(" "):
            return None
        rest = rest[1:]
    return None
