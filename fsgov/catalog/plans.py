"""Plans of what is to be destroyed, as people make, see, approve and stop them; and certificates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extras import Json

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.rows import selected, text_array
from fsgov.errors import NotFound, NotPermitted

_PLANS = """(
    SELECT p.*, CASE WHEN p.state IN ('proposed', 'approved', 'applying') AND p.expires_at <= now()
                     THEN 'expired' ELSE p.state END AS shown
    FROM fsgov.plans p WHERE p.state <> 'draft') AS found"""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan; `shown` is its state, or `expired`. size: bytes of its sealed objects."""

    id: str
    tenant: str
    kind: str
    reason: str
    shown: str
    items: int
    size: int
    causes: Mapping[str, int]
    facts: Mapping[str, Any]
    most: int
    sha256: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    begun_at: datetime | None
    canary_at: datetime | None
    ended_at: datetime | None
    stopped_for: str


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A recording of a plan that has not come to its end as planned, and why."""

    segment: str
    cause: str
    state: str
    why: str
    again_at: datetime | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What `propose` answers: left_out has no audio, is destroyed, or is not this login's."""

    plan: str
    sha256: str
    left_out: list[str]


class Draft:
    """A plan while it is made, in one transaction: add what is due, then seal it."""

    def __init__(self, cursor: Cursor, plan: str) -> None:
        self._cursor = cursor
        self.plan = plan

    def add(self, segments: Sequence[str], causes: Sequence[str]) -> int:
        """How many of these were taken."""
        self._cursor.execute(
            "SELECT fsgov.add_to_plan(%s, %s::text[], %s::text[])",
            (self.plan, text_array(segments), text_array(causes)),
        )
        (more,) = self._cursor.fetchone() or (0,)
        return int(more)

    def seal(self, facts: Mapping[str, Any]) -> str:
        """Its digest. Raises Conflict where there is nothing in it, or more than it may have."""
        self._cursor.execute("SELECT fsgov.seal_plan(%s, %s)", (self.plan, Json(dict(facts))))
        (digest,) = self._cursor.fetchone() or ("",)
        return str(digest)


class Plans:
    """One person's plans. Raises NotPermitted, NotFound, Conflict, Damaged as the database does."""

    def __init__(self, dsn: str) -> None:
        self.database = Database(dsn, application="fsgov purge", connections=2)

    def whose(self, tenant: str | None) -> tuple[str, int]:
        """The tenant of a plan of everything (*: of all), and how many recordings there are of it.

        Raises NotPermitted for who has several tenants and names none.
        """
        with self.database.transaction() as cursor:
            if tenant is None:
                cursor.execute("SELECT tenants FROM fsgov.whoami()")
                (mine,) = cursor.fetchone() or ([],)
                if "*" not in mine and len(mine) != 1:
                    raise NotPermitted("A plan is for one tenant", ", ".join(mine), "--tenant names it")
                tenant = "*" if "*" in mine else str(mine[0])
            cursor.execute(
                "SELECT count(*) FROM fsgov.segments WHERE %s IN (tenant, '*')"
                " AND state IN ('stored', 'quarantined')",
                (tenant,),
            )
            (count,) = cursor.fetchone() or (0,)
        return tenant, int(count)

    @contextmanager
    def drafting(self, kind: str, tenant: str, reason: str, most: int, valid: timedelta) -> Iterator[Draft]:
        """One transaction: what is not sealed at the end of the block should be rolled back by an error."""
        with self.database.transaction() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SELECT fsgov.draft_plan(%s, %s, %s, %s, %s)", (kind, tenant, reason, most, valid))
            (plan,) = cursor.fetchone() or ("",)
            yield Draft(cursor, str(plan))

    def propose(
        self, kind: str, segments: Sequence[str], causes: Sequence[str], reason: str, valid: timedelta
    ) -> Proposal:
        """A plan of the recordings that are named, each for its cause, or all for one."""
        with self.database.transaction() as cursor:
            return selected(
                cursor,
                Proposal,
                "fsgov.propose_plan(%s, %s::text[], %s::text[], %s, %s)",
                (kind, list(segments), list(causes), reason, valid),
            )[0]

    def approve(self, plan: str, sha256: str) -> None:
        """The plan of this digest may be applied: what this login has seen."""
        self._act("SELECT fsgov.approve_plan(%s, %s)", plan, sha256)

    def stop(self, plan: str, reason: str) -> None:
        """Nothing more is begun by it."""
        self._act("SELECT fsgov.stop_plan(%s, %s)", plan, reason)

    def plans(self, *, over: bool = False, limit: int = 100) -> list[PlanRow]:
        """The newest first; without those that are over, unless wanted."""
        query = (
            f"{_PLANS} WHERE (%s OR shown NOT IN ('done', 'stopped', 'expired'))"
            " ORDER BY proposed_at DESC, id LIMIT %s"
        )
        with self.database.transaction() as cursor:
            return selected(cursor, PlanRow, query, (over, limit))

    def plan(self, plan: str) -> PlanRow:
        """Raises NotFound."""
        with self.database.transaction() as cursor:
            found = selected(cursor, PlanRow, f"{_PLANS} WHERE id = %s", (plan,))
        if not found:
            raise NotFound("There is no such plan", plan, "fsgov purge status --all")
        return found[0]

    def counts(self, plan: str) -> dict[str, int]:
        """How many of its recordings are in which state."""
        with self.database.transaction() as cursor:
            cursor.execute(
                "SELECT state, count(*) FROM fsgov.plan_items WHERE plan = %s GROUP BY 1 ORDER BY 1", (plan,)
            )
            return dict(cursor.fetchall())

    def items(self, plan: str, states: Sequence[str], limit: int = 100) -> list[ItemRow]:
        """Its recordings in these states."""
        query = "fsgov.plan_items WHERE plan = %s AND state = ANY (%s) ORDER BY segment LIMIT %s"
        with self.database.transaction() as cursor:
            return selected(cursor, ItemRow, query, (plan, list(states), limit))

    def close(self) -> None:
        self.database.close()

    def _act(self, question: str, *values: str) -> None:
        with self.database.transaction() as cursor:
            cursor.execute(question, values)
