"""What the daily statement is made of, and the statements that were made. By keep, and by people.

Days are those of UTC. Row security decides whose conversations a person counts; sessions and the statements
about them belong to the operator (tenant *).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg2.extras import Json

from fsgov import statement
from fsgov.catalog.connection import Cursor
from fsgov.catalog.rows import selected
from fsgov.statement import Count, Open, Outcomes, Sessions

_OUTCOMES = """
    SELECT tenant, host, coalesce(revised_outcome, outcome), count(*) FROM fsgov.calls
    WHERE opened_at >= %(since)s AND opened_at < %(until)s AND outcome IS NOT NULL
      AND (%(tenant)s IS NULL OR tenant = %(tenant)s)
    GROUP BY 1, 2, 3"""
_OPEN = """fsgov.calls WHERE opened_at >= %(since)s AND opened_at < %(until)s AND outcome IS NULL
      AND (%(tenant)s IS NULL OR tenant = %(tenant)s)"""
_COUNTS = """(
    (SELECT DISTINCT ON (host, core) host, core, origin AS life, at, sessions, ungoverned
     FROM fsgov.session_counts WHERE at < %(since)s ORDER BY host, core, at DESC)
    UNION ALL
    SELECT host, core, origin, at, sessions, ungoverned
    FROM fsgov.session_counts WHERE at >= %(since)s AND at < %(until)s) AS found"""
_LEGS = """
    SELECT count(DISTINCT l.leg) FROM fsgov.legs l JOIN fsgov.calls c USING (call)
    WHERE l.created_at > coalesce(%s::timestamptz, '-infinity') AND l.created_at <= %s
      AND c.host = %s AND c.core = %s"""
_TOUCHED = """
    SELECT DISTINCT (opened_at AT TIME ZONE 'UTC')::date FROM fsgov.calls
    WHERE entered_at >= coalesce(%(since)s::timestamptz, '-infinity')
    UNION SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM fsgov.session_counts
    WHERE entered_at >= coalesce(%(since)s::timestamptz, '-infinity')"""
_NEWEST = """(
    SELECT DISTINCT ON (day, host, tenant) * FROM fsgov.statements WHERE day >= %s AND day <= %s
    ORDER BY day, host, tenant, n DESC) AS found ORDER BY day, host, tenant"""


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A statement of a day that was made; tenant `*`: of the host's sessions."""

    day: date
    host: str
    tenant: str
    n: int
    facts: Mapping[str, Any]
    stated_at: datetime


def outcomes(
    cursor: Cursor, since: datetime, until: datetime, now: datetime, tenant: str | None = None
) -> list[Outcomes]:
    """Conversations that began in this time, by tenant and host."""
    wanted = {"since": since, "until": until, "tenant": tenant}
    cursor.execute(_OUTCOMES, wanted)
    rows = cursor.fetchall()
    return statement.outcomes(rows, selected(cursor, Open, _OPEN, wanted), now)


def sessions(cursor: Cursor, since: datetime, until: datetime) -> list[Sessions]:
    """Sessions between the counts of this time, by host."""
    counts = selected(cursor, Count, _COUNTS, {"since": since, "until": until})
    found = []
    for span in statement.spans(counts, since, until):
        cursor.execute(_LEGS, (span.since, span.until, span.host, span.core))
        (legs,) = cursor.fetchone() or (0,)
        found.append((span, int(legs)))
    return statement.sessions(found)


def touched(cursor: Cursor, since: datetime | None) -> tuple[set[date], datetime]:
    """Days of which something has been entered since (by the database's clock), and what that clock says."""
    cursor.execute(_TOUCHED, {"since": since})
    days = {day for (day,) in cursor.fetchall()}
    cursor.execute("SELECT now()")
    (now,) = cursor.fetchone() or (None,)
    assert isinstance(now, datetime)
    return days, now


def newest(cursor: Cursor, first: date, last: date) -> list[StatementRow]:
    """The statements that count, of these days."""
    return selected(cursor, StatementRow, _NEWEST, (first, last))


def last_day(cursor: Cursor) -> date | None:
    """The newest day that is stated; None before the first."""
    cursor.execute("SELECT max(day) FROM fsgov.statements")
    row: tuple[date | None] | None = cursor.fetchone()
    return None if row is None else row[0]


def enter(cursor: Cursor, made: Sequence[tuple[date, str, str, int, Mapping[str, Any]]]) -> None:
    """Keep these statements: day, host, tenant, n, facts. Raises Conflict where another keep was faster."""
    for day, host, tenant, n, facts in made:
        values = (day, host, tenant, n, Json(dict(facts)))
        cursor.execute("SELECT fsgov.enter_statement(%s, %s, %s, %s, %s)", values)
