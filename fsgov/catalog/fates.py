"""What becomes of single recordings: the verdict of retention, and what else decides when they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fsgov.catalog.connection import Cursor
from fsgov.catalog.rows import selected
from fsgov.retention import Disposition, Facts


@dataclass(frozen=True, slots=True)
class AnchorSet:
    """When an event was that a period starts from, for a call or one that it was merged into.

    at: None where a person says that nobody knows. set_by: None where it is the CRM's word.
    """

    call: str
    event: str
    at: datetime | None
    set_by: str | None
    set_at: datetime


@dataclass(frozen=True, slots=True)
class LockRow:
    """Until when a vault keeps it, whatever anybody wants."""

    segment: str
    vault: str
    mode: str
    until: datetime


@dataclass(frozen=True, slots=True)
class PlanOf:
    """A plan that it is in. plan_state: of the plan; state, why, again_at: of this recording in it."""

    segment: str
    plan: str
    plan_state: str
    state: str
    why: str
    again_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """It is destroyed: fsgov purge certificate SEGMENT has the proof."""

    segment: str
    plan: str | None
    sha256: str
    destroyed_at: datetime
    complete_after: datetime


@dataclass(slots=True)
class Fate:
    """Of one recording. facts, found: None where there is no audio."""

    facts: Facts | None = None
    found: Disposition | None = None
    anchors: list[AnchorSet] = field(default_factory=list)
    locks: list[LockRow] = field(default_factory=list)
    plans: list[PlanOf] | None = None
    """None: not for this login."""
    tombstone: Tombstone | None = None


_ANCHORS = """(
    WITH RECURSIVE whole(call) AS (
        SELECT %s UNION SELECT c.merged_into FROM whole w JOIN fsgov.calls c USING (call)
        WHERE c.merged_into IS NOT NULL)
    SELECT a.* FROM whole JOIN fsgov.anchors a USING (call)) AS found ORDER BY event, at"""
_PLANS = """(
    SELECT i.segment, i.plan, i.state, i.why, i.again_at, p.proposed_at,
        CASE WHEN p.state IN ('proposed', 'approved', 'applying') AND p.expires_at <= now()
        THEN 'expired' ELSE p.state END AS plan_state
    FROM fsgov.plans p CROSS JOIN LATERAL (
        SELECT * FROM fsgov.plan_items w WHERE w.plan = p.id AND w.segment = ANY (%s) OFFSET 0) AS i
    WHERE p.state <> 'draft') AS found ORDER BY proposed_at, plan"""


def fates(
    cursor: Cursor, segments: Sequence[str], judged: Mapping[str, tuple[Facts, Disposition]]
) -> dict[str, Fate]:
    """Of each of these segments."""
    known = {segment: Fate(*judged.get(segment, (None, None))) for segment in segments}
    wanted = (list(segments),)
    for call in {facts.call for facts, _ in judged.values()}:
        set_ = selected(cursor, AnchorSet, _ANCHORS, (call,))
        for facts, _ in judged.values():
            if facts.call == call:
                known[facts.segment].anchors = set_
    for lock in selected(cursor, LockRow, "fsgov.locks WHERE segment = ANY (%s) ORDER BY vault", wanted):
        known[lock.segment].locks.append(lock)
    for stone in selected(cursor, Tombstone, "fsgov.certificates WHERE segment = ANY (%s)", wanted):
        known[stone.segment].tombstone = stone
    cursor.execute("SELECT has_table_privilege('fsgov.plans', 'SELECT')")
    if cursor.fetchone() == (True,):
        for fate in known.values():
            fate.plans = []
        for plan in selected(cursor, PlanOf, _PLANS, wanted):
            known[plan.segment].plans = [*(known[plan.segment].plans or []), plan]
    return known
