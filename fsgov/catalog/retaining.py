"""What retention is judged from: every recording with its anchors and holds, and the periods of policies.

For people (row security says whose) and for keep. Rows come by a cursor of the server, so that what this
takes in memory does not grow with the recordings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from psycopg2.extras import Json

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.keep import LOGIN
from fsgov.catalog.rows import selected
from fsgov.errors import BadConfiguration
from fsgov.events import Instant
from fsgov.policy import Basis, Policy, Purpose, parse
from fsgov.policy.document import Anchor
from fsgov.policy.spans import Span
from fsgov.retention import Disposition, Facts, judge

AT_A_TIME = 5000
"""Rows that come from the server together."""
_FACTS = """
    WITH RECURSIVE via(call, root) AS (
        SELECT call, merged_into FROM fsgov.calls WHERE merged_into IS NOT NULL
        UNION SELECT v.call, c.merged_into FROM via v JOIN fsgov.calls c ON c.call = v.root
        WHERE c.merged_into IS NOT NULL),
    dated AS (
        SELECT call, jsonb_object_agg(event, (extract(epoch FROM at) * 1000000)::bigint) AS anchors FROM (
            SELECT call, event, max(at) AS at FROM (
                SELECT call, event, at FROM fsgov.anchors UNION ALL
                SELECT v.call, a.event, a.at FROM via v JOIN fsgov.anchors a ON a.call = v.root) AS every
            GROUP BY call, event) AS newest GROUP BY call)
    SELECT s.segment, s.call, s.tenant, s.purposes, coalesce(s.policy_sha256, ''), s.state, s.dispose,
        s.quarantine, (extract(epoch FROM s.review_by) * 1000000)::bigint,
        (extract(epoch FROM coalesce(c.ended_at, s.closed_at, s.stored_at, s.entered_at)) * 1000000)::bigint,
        d.anchors, coalesce(s.sealed_size, 0), s.vault, h.holds
    FROM fsgov.segments s LEFT JOIN fsgov.calls c USING (call) LEFT JOIN dated d USING (call)
    LEFT JOIN (SELECT segment, array_agg(hold ORDER BY hold) AS holds
               FROM fsgov.held_segments() GROUP BY segment) AS h USING (segment)
    WHERE s.state NOT IN ('missing', 'destroyed')
        AND (%(segments)s::text[] IS NULL OR s.segment = ANY (%(segments)s))
        AND (%(policies)s::text[] IS NULL OR s.policy_sha256 = ANY (%(policies)s))"""
_PERIODS = """
    SELECT purpose, basis, timezone, anchor, fallback_plus IS NOT NULL,
        (extract(year FROM retain_min) * 12 + extract(month FROM retain_min))::int,
        extract(day FROM retain_min)::int,
        (extract(year FROM retain_max) * 12 + extract(month FROM retain_max))::int,
        extract(day FROM retain_max)::int,
        (extract(year FROM anchor_plus) * 12 + extract(month FROM anchor_plus))::int,
        extract(day FROM anchor_plus)::int,
        (extract(year FROM fallback_plus) * 12 + extract(month FROM fallback_plus))::int,
        extract(day FROM fallback_plus)::int
    FROM fsgov.periods WHERE policy = %s"""


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


@dataclass(slots=True)
class Policies:
    """Policies by digest, with nothing in them but what retention looks at. Each is read once."""

    cursor: Cursor
    moved: Mapping[str, str]
    """Captured under -> whose periods count, where that is another one."""
    _known: dict[str, Policy | None] = field(default_factory=dict)

    def counting_for(self, captured: str) -> Policy | None:
        """The policy that judges what was captured under this one; None: not known, or not to be read."""
        return self.named(self.moved.get(captured, captured))

    def named(self, sha256: str) -> Policy | None:
        if sha256 not in self._known:
            self._known[sha256] = _policy(self.cursor, sha256)
        return self._known[sha256]


class Retaining:
    """Everything that retention is judged from, for one login. Raises what the catalog raises."""

    def __init__(self, dsn: str, login: str | None = None, password: str | None = None) -> None:
        self._database = Database(dsn, login, password, application="fsgov retention", connections=1)

    @staticmethod
    def of_keep(dsn: str, password: str | None) -> Retaining:
        return Retaining(dsn, LOGIN, password)

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def facts(
        self, *, segments: Sequence[str] | None = None, policies: Sequence[str] | None = None
    ) -> Iterator[tuple[Policies, Iterator[tuple[Facts, Sequence[str]]]]]:
        """Recordings that there is audio of, each with the ids of its holds; and the policies. In no order.

        segments, policies: only these, only what was captured under these. In one transaction.
        """
        with self._database.transaction() as cursor:
            known = Policies(cursor, moved(cursor))
            with cursor.connection.cursor(name="retaining") as streaming:
                streaming.itersize = AT_A_TIME
                wanted = {
                    "segments": None if segments is None else list(segments),
                    "policies": None if policies is None else list(policies),
                }
                yield known, _rows(streaming, wanted)

    @contextmanager
    def judged(
        self, now: Instant, *, grace: Instant = 0, segments: Sequence[str] | None = None
    ) -> Iterator[Iterator[tuple[Facts, Disposition]]]:
        """The same recordings with their dispositions, by the policies that count."""
        with self.facts(segments=segments) as (known, rows):
            yield (
                (facts, judge(facts, known.counting_for(facts.policy_sha256), holds, now, grace=grace))
                for facts, holds in rows
            )

    # -- policies ------------------------------------------------------------------------------------------

    def unread(self) -> list[tuple[str, str]]:
        """Digest and text of stored policies whose periods are not entered."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT sha256, text FROM fsgov.policies p"
                " WHERE NOT EXISTS (SELECT FROM fsgov.periods r WHERE r.policy = p.sha256)"
            )
            return [(str(sha256), str(text)) for sha256, text in cursor.fetchall()]

    def enter_periods(self, policy: Policy) -> None:
        """For keep: what this policy says about how long. Entering it again changes nothing."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.enter_periods(%s, %s)", (policy.sha256, Json(_entered(policy))))

    def captured_under(self) -> dict[str, int]:
        """How many recordings there are by the policy they were captured under."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT policy_sha256, count(*) FROM fsgov.segments"
                " WHERE state NOT IN ('missing', 'destroyed') AND policy_sha256 IS NOT NULL"
                " GROUP BY 1 ORDER BY 1"
            )
            return {str(sha256): int(count) for sha256, count in cursor.fetchall()}

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


def moved(cursor: Cursor) -> dict[str, str]:
    """Captured under -> whose periods count, by the newest move that was applied to each."""
    cursor.execute(
        "SELECT from_sha256, to_sha256 FROM fsgov.retention_moves WHERE applied_at IS NOT NULL ORDER BY n"
    )
    return {captured: to for from_, to in cursor.fetchall() for captured in from_}


def _rows(cursor: Cursor, wanted: Mapping[str, object]) -> Iterator[tuple[Facts, Sequence[str]]]:
    cursor.execute(_FACTS, wanted)
    for row in cursor:
        yield (
            Facts(
                segment=row[0], call=row[1], tenant=row[2], purposes=tuple(row[3]), policy_sha256=row[4],
                state=row[5], dispose=row[6], quarantine=row[7], review_by=row[8], ended=row[9],
                anchors=row[10] or {}, size=row[11], vault=row[12],
            ),
            row[13] or (),
        )  # fmt: skip


def _policy(cursor: Cursor, sha256: str) -> Policy | None:
    """From its periods; from its text, where keep has not entered them yet."""
    cursor.execute(_PERIODS, (sha256,))
    rows = cursor.fetchall()
    if rows:
        return _slim(sha256, rows[0][2], {row[0]: _purpose(*row) for row in rows})
    cursor.execute("SELECT text FROM fsgov.policies WHERE sha256 = %s", (sha256,))
    row = cursor.fetchone()
    return None if row is None else read(sha256, str(row[0]))


def read(sha256: str, text: str) -> Policy | None:
    """What retention looks at in the text of a policy; None where this version cannot read it."""
    try:
        whole = parse(text, f"stored as {sha256[:16]}")
    except BadConfiguration:
        return None
    return _slim(sha256, whole.timezone, whole.purposes)


def _slim(sha256: str, timezone: str, purposes: Mapping[str, Purpose]) -> Policy:
    return Policy(version="", sha256=sha256, text="", timezone=timezone, rules=(), purposes=purposes)


def _purpose(name: str, basis: str, _: str, event: str, falls_back: bool, *spans: int) -> Purpose:
    least, most, plus, fallback = (
        Span(years=(months or 0) // 12, months=(months or 0) % 12, days=days or 0)
        for months, days in zip(spans[::2], spans[1::2], strict=True)
    )
    return Purpose(
        name=name,
        basis=Basis(basis),
        retain_min=least,
        retain_max=most,
        anchor=Anchor(event=event, plus=plus),
        anchor_fallback=Anchor(event="call_end", plus=fallback) if falls_back else None,
    )


def _entered(policy: Policy) -> list[dict[str, str | None]]:
    return [
        {
            "purpose": one.name,
            "basis": one.basis.value,
            "timezone": policy.timezone,
            "retain_min": str(one.retain_min),
            "retain_max": str(one.retain_max),
            "anchor": one.anchor.event,
            "anchor_plus": str(one.anchor.plus),
            "fallback_plus": None if one.anchor_fallback is None else str(one.anchor_fallback.plus),
        }
        for one in policy.purposes.values()
    ]
