"""What an erasure would do with each record of a person, as far as it can be said now."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fsgov.catalog.erasing import Left
from fsgov.catalog.retaining import Retaining
from fsgov.subjects.judging import granted, noted

if TYPE_CHECKING:
    from fsgov.catalog.subjects import RecordRow

WORDS = {"due": "erases it"}


@dataclass(frozen=True, slots=True)
class Outlook:
    """A record, and what an erasure does with it: `erases it`, held, statutory, gone, or (rows) needed."""

    opened_at: datetime | None
    call: str
    party: int
    segment: str
    tenant: str
    state: str
    verdict: str
    reasons: tuple[str, ...]
    until: datetime | None


def outlook(dsn: str, records: Sequence[RecordRow]) -> list[Outlook]:
    """One for each record, the calls by when they began; judged by this person's own rights."""
    wanted = sorted({record.segment for record in records if record.segment})
    now = datetime.now(UTC)
    with closing(Retaining(dsn)) as retaining, retaining.facts(segments=wanted) as (policies, rows):
        judged = {
            facts.segment: granted(
                facts, policies.counting_for(facts.policy_sha256), tuple(holds), int(now.timestamp() * 1e6)
            )
            for facts, holds in rows
        }
    found = []
    waits: dict[tuple[str, int], list[str]] = {}
    for record in sorted(records, key=lambda each: each.segment, reverse=True):  # the rows come last
        place = (record.call, record.party)
        if record.segment:
            left = Left(*place, record.segment, record.state, "due", False, "", None)
            said = noted(left, judged.get(record.segment))
            if said.verdict in ("held", "statutory"):
                waits.setdefault(place, []).append(record.segment)
            verdict, reasons, until = said.verdict, said.reasons, said.until
        else:
            reasons, until = tuple(sorted(waits.get(place, ()))), None
            verdict = "needed" if reasons else "due"
        found.append(
            Outlook(
                record.opened_at,
                *place,
                record.segment,
                record.tenant,
                record.state,
                WORDS.get(verdict, verdict),
                reasons,
                None if until is None else datetime.fromtimestamp(until / 1e6, UTC),
            )
        )
    return sorted(found, key=lambda e: (e.opened_at or now, e.call, e.party, e.segment))
