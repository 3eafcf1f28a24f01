"""What retention is judged from: every recording with its anchors and holds, and the periods of policies.

For people (row security says whose) and for keep. Rows come by a cursor of the server, so that what this
takes in memory does not grow with the recordings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Self, cast

from psycopg2.extras import Json

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.fates import Fate, fates
from fsgov.catalog.keep import LOGIN
from fsgov.catalog.periods import Policies, entered, moved
from fsgov.catalog.rows import selected
from fsgov.errors import NotFound
from fsgov.events import Instant
from fsgov.policy import Policy
from fsgov.retention import Disposition, Facts, Judge

AT_A_TIME = 5000
"""Rows that come from the server together."""
_FACTS = """
    WITH RECURSIVE wanted AS (
        SELECT DISTINCT call FROM fsgov.segments WHERE segment = ANY (%(segments)s::text[])),
    via(call, root) AS (
        SELECT call, merged_into FROM fsgov.calls WHERE merged_into IS NOT NULL
            AND (%(segments)s::text[] IS NULL OR call IN (SELECT call FROM wanted))
        UNION SELECT v.call, c.merged_into FROM via v JOIN fsgov.calls c ON c.call = v.root
        WHERE c.merged_into IS NOT NULL),
    dated AS (
        SELECT call, jsonb_object_agg(event, (extract(epoch FROM at) * 1000000)::bigint) AS anchors FROM (
            SELECT call, event, max(at) AS at FROM (
                SELECT call, event, at FROM fsgov.anchors
                WHERE %(segments)s::text[] IS NULL OR call IN (SELECT call FROM wanted)
                UNION ALL
                SELECT v.call, a.event, a.at FROM via v JOIN fsgov.anchors a ON a.call = v.root) AS every
            WHERE at IS NOT NULL GROUP BY call, event) AS newest GROUP BY call),
    taken_back AS (
        SELECT call, array_agg(DISTINCT purpose) AS purposes FROM fsgov.consents
        WHERE state IN ('refused', 'withdrawn')
            AND (%(segments)s::text[] IS NULL OR call IN (SELECT call FROM wanted))
        GROUP BY call)
    SELECT s.segment, s.call, s.tenant,
        CASE WHEN t.purposes IS NULL THEN s.purposes ELSE coalesce(nullif(ARRAY(
            SELECT u FROM unnest(s.purposes) WITH ORDINALITY AS o(u, place)
            WHERE NOT (s.basis ->> u = 'consent' AND u = ANY (t.purposes))
            ORDER BY place), '{{}}'), s.purposes) END,
        coalesce(s.policy_sha256, ''), s.state, s.dispose,
        s.quarantine, (extract(epoch FROM s.review_by) * 1000000)::bigint,
        (extract(epoch FROM coalesce(c.ended_at, s.closed_at, s.stored_at, s.entered_at)) * 1000000)::bigint,
        d.anchors, coalesce(s.sealed_size, 0), s.vault, {holds}, {planned}
    FROM fsgov.segments s LEFT JOIN fsgov.calls c USING (call) LEFT JOIN dated d USING (call)
    LEFT JOIN taken_back t USING (call){joined}
    WHERE s.state NOT IN ('missing', 'destroyed')
        AND (%(segments)s::text[] IS NULL OR s.segment = ANY (%(segments)s))
        AND (%(policies)s::text[] IS NULL OR s.policy_sha256 = ANY (%(policies)s))"""
_ALL = _FACTS.format(
    holds="h.holds",
    planned="p.segment IS NOT NULL",
    joined="""
    LEFT JOIN (SELECT segment, array_agg(hold ORDER BY hold) AS holds
               FROM fsgov.held_segments() GROUP BY segment) AS h USING (segment)
    LEFT JOIN fsgov.planned_segments() AS p USING (segment)""",
)
_FEW = _FACTS.format(holds="fsgov.held(s.segment)", planned="false", joined="")
"""For keep, which asks before each batch of a plan: holds one by one, not all there are."""


@dataclass(frozen=True, slots=True)
class MoveRow:
    """One time that somebody wanted other periods to count."""

    n: int
    from_sha256: list[str]
    to_sha256: str
    state: str
    """applied · proposed (waits for approval) · superseded (was never applied)."""
    reason: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    applied_at: datetime | None


_HISTORY = """(
    SELECT m.*, CASE WHEN m.applied_at IS NOT NULL THEN 'applied'
        WHEN m.n = max(m.n) OVER () THEN 'proposed' ELSE 'superseded' END AS state
    FROM fsgov.retention_moves m) AS found ORDER BY n DESC"""


class Retaining:
    """Everything that retention is judged from, for one login. Raises what the catalog raises."""

    def __init__(self, dsn: str, login: str | None = None, password: str | None = None) -> None:
        self._database = Database(dsn, login, password, application="fsgov retention", connections=1)
        self._of_keep = login == LOGIN

    @classmethod
    def of_keep(cls, dsn: str, password: str | None) -> Self:
        return cls(dsn, LOGIN, password)

    def close(self) -> None:
        self._database.close()

    def fates(self, segments: Sequence[str], now: Instant, *, grace: Instant = 0) -> dict[str, Fate]:
        """What becomes of these, and what is known besides. Those without audio have no disposition."""
        with self.judged(now, grace=grace, segments=segments) as rows:
            found = {facts.segment: (facts, disposition) for facts, disposition in rows}
        with self._database.transaction() as cursor:
            return fates(cursor, segments, found)

    @contextmanager
    def facts(
        self, *, segments: Sequence[str] | None = None, policies: Sequence[str] | None = None
    ) -> Iterator[tuple[Policies, Iterator[tuple[Facts, Sequence[str]]]]]:
        """Recordings that there is audio of, each with the ids of its holds; and the policies. In no order.

        segments, policies: only these, only what was captured under these. In one transaction. Where keep
        asks for some segments it is not told whether they are planned.
        """
        with self._database.transaction() as cursor:
            known = Policies(cursor, moved(cursor))
            with cursor.connection.cursor(name="retaining") as streaming:
                streaming.itersize = AT_A_TIME
                wanted = {
                    "segments": None if segments is None else list(segments),
                    "policies": None if policies is None else list(policies),
                }
                few = self._of_keep and segments is not None
                yield known, _rows(streaming, _FEW if few else _ALL, wanted)

    @contextmanager
    def judged(
        self, now: Instant, *, grace: Instant = 0, segments: Sequence[str] | None = None
    ) -> Iterator[Iterator[tuple[Facts, Disposition]]]:
        """The same recordings with their dispositions, by the policies that count."""
        judge = Judge(now, grace=grace)
        with self.facts(segments=segments) as (known, rows):
            yield (
                (facts, judge(facts, known.counting_for(facts.policy_sha256), holds)) for facts, holds in rows
            )

    # -- policies ------------------------------------------------------------------------------------------

    def unread(self, but: Collection[str] = ()) -> list[tuple[str, str]]:
        """Digest and text of stored policies whose periods are not entered, without those in `but`."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT sha256, text FROM fsgov.policies p WHERE NOT sha256 = ANY (%s::text[])"
                " AND NOT EXISTS (SELECT FROM fsgov.periods r WHERE r.policy = p.sha256)",
                (list(but),),
            )
            return [(str(sha256), str(text)) for sha256, text in cursor.fetchall()]

    def enter_periods(self, policy: Policy) -> None:
        """For keep: what this policy says about how long. Entering it again changes nothing."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.enter_periods(%s, %s)", (policy.sha256, Json(entered(policy))))

    def captured_under(self) -> dict[str, int]:
        """How many recordings there are by the policy they were captured under."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT policy_sha256, count(*) FROM fsgov.segments"
                " WHERE state NOT IN ('missing', 'destroyed') AND policy_sha256 IS NOT NULL"
                " GROUP BY 1 ORDER BY 1"
            )
            return {str(sha256): int(count) for sha256, count in cursor.fetchall()}

    def timezone(self, call: str) -> str:
        """Of the policy that judges this call; UTC where nobody knows. Raises NotFound."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT coalesce(policy_sha256, '') FROM fsgov.calls WHERE call = %s", (call,))
            row = cursor.fetchone()
            if row is None:
                raise NotFound("There is no such call", call, "fsgov calls list")
            policy = Policies(cursor, moved(cursor)).counting_for(str(row[0]))
            return "UTC" if policy is None else policy.timezone

    # -- acts ----------------------------------------------------------------------------------------------

    def set_anchor(self, call: str, event: str, at: datetime | None) -> datetime | None:
        """What was set before. None takes it away. Raises NotFound, NotPermitted, Damaged."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.set_anchor(%s, %s, %s)", (call, event, at))
            (prior,) = cursor.fetchone() or (None,)
            return cast("datetime | None", prior)

    def propose(self, from_: Sequence[str], to: str, reason: str) -> int:
        """The number of the proposal. Raises NotFound, NotPermitted, Conflict."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.propose_retention(%s::text[], %s, %s)", (list(from_), to, reason))
            (n,) = cursor.fetchone() or (0,)
            return int(n)

    def approve(self, n: int) -> None:
        """Raises Conflict where it is not the newest proposal, NotPermitted where it is this person's own."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.approve_retention(%s)", (n,))

    def history(self) -> list[MoveRow]:
        """Every proposal, the newest first."""
        with self._database.transaction() as cursor:
            return selected(cursor, MoveRow, _HISTORY)


def _rows(cursor: Cursor, query: str, wanted: Mapping[str, object]) -> Iterator[tuple[Facts, Sequence[str]]]:
    cursor.execute(query, wanted)
    for row in cursor:
        yield (
            Facts(
                segment=row[0], call=row[1], tenant=row[2], purposes=tuple(row[3]), policy_sha256=row[4],
                state=row[5], dispose=row[6], quarantine=row[7], review_by=row[8], ended=row[9],
                anchors=row[10] or {}, size=row[11], vault=row[12], planned=row[14],
            ),
            row[13] or (),
        )  # fmt: skip
