"""Keep makes the statement of each day that is over, once, and corrects it where something came late.

A statement is a row and a line, entered in one transaction: what is in the log is what the table says. It is
never changed: what comes late makes a further one, which says its number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog

from fsgov import entries, statement
from fsgov.catalog import statements
from fsgov.catalog.connection import Cursor
from fsgov.catalog.keep import Keep, enter_lines, entered
from fsgov.events import Instant

log = structlog.get_logger()

GRACE = timedelta(hours=1)
"""After the end of a day before it is stated: what waits in a spool usually comes by then."""
LOOK_EVERY = 600.0
"""Seconds between two looks for days that are over, or that something came to late."""
OVERLAP = timedelta(minutes=10)
"""A transaction that was open while we looked may have entered something a little before."""
DAY = timedelta(days=1)
SESSIONS = "*"
Made = tuple[str, str, Mapping[str, Any]]
"""Host, tenant (`*`: the sessions of the host) and what is said."""


class Statements:
    """The statements of an installation, made by the keep that leads, as lines of an origin of their own."""

    def __init__(
        self,
        keep: Keep,
        host: str,
        now: Callable[[], Instant],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep = keep
        self._host = host
        self._now = now
        self._clock = clock
        self._origin = f"{host}.keep.{now() // 1000 + 1}"  # alarms have the one before
        self._next = 0.0
        self._asked: datetime | None = None
        self._due: set[date] = set()
        """Days that something was entered of, and that are not over, or not stated since."""

    def turn(self) -> None:
        """Look, if it is time to. Raises what the catalog raises; then the next turn looks again."""
        if self._clock() >= self._next:
            self.look()
            self._next = self._clock() + LOOK_EVERY

    def look(self) -> int:
        """State every day that is over and not, or no longer rightly, stated; how many statements it made."""
        now = datetime.fromtimestamp(self._now() / 1e6, UTC)
        over = (now - GRACE).date()
        with self._keep.stating() as cursor:
            days, asked = statements.touched(cursor, self._since(cursor))
        # the next day's sessions begin where this one's end
        self._due |= days | {day + DAY for day in days}
        made = 0
        for day in sorted(day for day in self._due if day < over):
            with self._keep.stating() as cursor:
                made += self._state(cursor, day, now)
            self._due.remove(day)
        self._asked = asked
        return made

    def _since(self, cursor: Cursor) -> datetime | None:
        """From when on nobody has looked yet: a new process begins after the newest day that is stated."""
        if self._asked is None:
            last = statements.last_day(cursor)
            return None if last is None else midnight(last + DAY) - OVERLAP
        return self._asked - OVERLAP

    def _state(self, cursor: Cursor, day: date, now: datetime) -> int:
        """Both in one transaction: the rows, and the lines that say the same."""
        before = {(row.host, row.tenant): row for row in statements.newest(cursor, day, day)}
        due: list[tuple[date, str, str, int, Mapping[str, Any]]] = []
        for host, tenant, facts in _said(cursor, day, now):
            last = before.get((host, tenant))
            if last is None or dict(last.facts) != dict(facts):
                due.append((day, host, tenant, last.n + 1 if last else 1, facts))
        if not due:
            return 0
        statements.enter(cursor, due)
        first = entered(cursor, self._origin) + 1
        lines = [
            entries.line(
                origin=self._origin,
                n=n,
                host=self._host,
                type_="statement.sessions" if tenant == SESSIONS else "statement.outcomes",
                subject=host,
                time=self._now(),
                facts={**facts, "statement": number},
            )
            for n, (_, host, tenant, number, facts) in enumerate(due, first)
        ]
        enter_lines(cursor, self._origin, first, lines)
        log.info("day.stated", day=str(day), statements=len(due), corrections=sum(d[3] > 1 for d in due))
        return len(due)


def _said(cursor: Cursor, day: date, now: datetime) -> list[Made]:
    """What there is to say of a day now."""
    since, until = midnight(day), midnight(day + DAY)
    conversations = statements.outcomes(cursor, since, until, now)
    sessions = statements.sessions(cursor, since, until)
    return [
        *((each.host, each.tenant, statement.outcome_facts(str(day), each)) for each in conversations),
        *((each.host, SESSIONS, statement.session_facts(str(day), each)) for each in sessions),
    ]


def midnight(day: date) -> datetime:
    """Where this day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
