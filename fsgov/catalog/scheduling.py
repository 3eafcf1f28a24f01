"""Schedules of purge: as people propose, see, approve and end them, and as keep runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time

from psycopg2.extras import Json

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.keep import LOGIN, enter_lines, entered
from fsgov.catalog.plans import Draft
from fsgov.catalog.rows import selected
from fsgov.errors import NotFound
from fsgov.failpoints import failpoint
from fsgov.policy.spans import Span

_ROWS = """(
    SELECT s.*, CASE WHEN s.ended_at IS NOT NULL THEN 'ended' WHEN s.expires_at <= now() THEN 'expired'
                     WHEN s.approved_at IS NULL THEN 'proposed' ELSE 'approved' END AS state,
        CASE WHEN s.ended_at IS NULL AND s.approved_at IS NOT NULL THEN (
            SELECT min(d) FROM fsgov.due_times(s.every, s.at, s.timezone, now(),
                                               least(now() + interval '8 days', s.expires_at)) AS d
            ) END AS next_at,
        r.due_at AS last_at, r.came, r.found, r.plan
    FROM fsgov.schedules s LEFT JOIN LATERAL (
        SELECT * FROM fsgov.schedule_runs r WHERE r.schedule = s.id ORDER BY r.due_at DESC LIMIT 1
    ) AS r ON true) AS found"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a schedule is to be. every: `day`, or `mon` to `sun`; at: by the clocks of its timezone."""

    tenant: str
    every: str
    at: time
    timezone: str
    causes: Sequence[str]
    grace_days: int
    most: int
    reason: str
    valid: Span


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule; `state`: proposed, approved, expired or ended. came, found, plan: of its last run."""

    id: str
    tenant: str
    state: str
    every: str
    at: time
    timezone: str
    causes: list[str]
    grace_days: int
    most: int
    reason: str
    sha256: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    expires_at: datetime
    ended_by: str | None
    ended_at: datetime | None
    ended_for: str
    next_at: datetime | None
    last_at: datetime | None
    came: str | None
    found: int | None
    plan: str | None


class Schedules:
    """One person's schedules. Raises NotPermitted, NotFound, Conflict, Damaged as the database does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose(self, wanted: Wanted) -> str:
        """Its id; another login approves it."""
        valid = wanted.valid
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT schedule FROM fsgov.propose_schedule(%s, %s, %s, %s, %s::text[], %s, %s, %s,"
                " make_interval(years => %s, months => %s, days => %s))",
                (wanted.tenant, wanted.every, wanted.at, wanted.timezone, list(wanted.causes),
                 wanted.grace_days, wanted.most, wanted.reason, valid.years, valid.months, valid.days),
            )  # fmt: skip
            (schedule,) = cursor.fetchone() or ("",)
            return str(schedule)

    def approve(self, schedule: str, sha256: str) -> None:
        """The schedule of this digest runs from now on: what this login has seen."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.approve_schedule(%s, %s)", (schedule, sha256))

    def end(self, schedule: str, reason: str) -> list[str]:
        """It runs no more. The plans of it that are stopped by this."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.end_schedule(%s, %s)", (schedule, reason))
            (stopped,) = cursor.fetchone() or ([],)
            return list(stopped)

    def schedules(self, *, over: bool = False) -> list[ScheduleRow]:
        """The newest first; those that expired or were ended only if wanted."""
        query = f"{_ROWS} WHERE (%s OR state IN ('proposed', 'approved')) ORDER BY proposed_at DESC, id"
        with self._database.transaction() as cursor:
            return selected(cursor, ScheduleRow, query, (over,))

    def schedule(self, schedule: str) -> ScheduleRow:
        """Raises NotFound."""
        with self._database.transaction() as cursor:
            found = selected(cursor, ScheduleRow, f"{_ROWS} WHERE id = %s", (schedule,))
        if not found:
            raise NotFound("There is no such schedule", schedule, "fsgov purge schedule list --all")
        return found[0]


# -- keep --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """A schedule that two persons have approved and nobody has ended.

    due_at: it is to run for that time; None: not now. refused: how much its last run found, where that was
    more than it may be. ending: it expires soon, or has, and no other one goes on.
    """

    schedule: str
    tenant: str
    causes: list[str]
    grace_days: int
    most: int
    due_at: datetime | None
    refused: int | None
    ending: bool


class Run(Draft):
    """A run of a schedule while it is made; `came` is set where it has no plan: busy, elsewhere."""

    def __init__(self, cursor: Cursor, plan: str | None, came: str | None) -> None:
        super().__init__(cursor, plan or "")
        self.came = came

    def made(self, due_at: datetime, found: int, facts: Mapping[str, object]) -> tuple[str, str | None]:
        """What came of it, and the digest of its plan, where there is one. found: how many are due."""
        self._cursor.execute(
            "SELECT came, sha256 FROM fsgov.end_run(%s, %s, %s, %s)",
            (self.plan, due_at, found, Json(dict(facts))),
        )
        came, sha256 = self._cursor.fetchone() or ("", None)
        return str(came), sha256

    def tell(self, origin: str, line: Callable[[int], bytes]) -> None:
        """Its line, in the same transaction."""
        n = entered(self._cursor, origin) + 1
        enter_lines(self._cursor, origin, n, [line(n)])


class Standing:
    """Schedules as keep runs them; not for threads. Raises what the catalog raises."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._database = Database(dsn, LOGIN, password, application="fsgov schedule", connections=1)

    def close(self) -> None:
        self._database.close()

    def open(self) -> list[Open]:
        with self._database.transaction() as cursor:
            return selected(cursor, Open, "fsgov.schedules_open()")

    @contextmanager
    def running(self, schedule: str, due_at: datetime) -> Iterator[Run]:
        """One transaction: the plan, the note of the run and its line, or none of them."""
        with self._database.transaction() as cursor:
            # a walk over every recording, of which few may be due
            cursor.execute(
                "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
            )
            cursor.execute("SELECT plan, came FROM fsgov.begin_run(%s, %s)", (schedule, due_at))
            plan, came = cursor.fetchone() or (None, None)
            failpoint("purge.run.begun")
            yield Run(cursor, plan, came)
            failpoint("purge.run.drafted")
        failpoint("purge.run.made")
