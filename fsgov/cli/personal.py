"""What is told of a call to a person who was in it: nothing that names anybody else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsgov.catalog.proving import EvidenceRow
    from fsgov.catalog.rows import SegmentRow, WholeCall

DECIDED = ("rule", "record", "consent", "floors", "purposes", "basis", "asks_for", "curbs", "on_withdrawal")
"""Of a decision: what says why they were recorded. No number is in it."""


def of_call(
    whole: WholeCall, evidence: Iterable[EvidenceRow], parties: Sequence[int], heard: set[str]
) -> dict[str, Any]:
    """What is told of one call to who is these parties in it, and can be heard in these recordings."""
    row = whole.call
    decision = row.decision or {}
    return {
        "call": row.call,
        "tenant": row.tenant,
        "direction": row.direction,
        "opened_at": row.opened_at,
        "answered_at": row.answered_at,
        "ended_at": row.ended_at,
        "outcome": row.outcome,
        "policy": {"version": row.policy_version, "sha256": row.policy_sha256},
        "decision": {name: decision[name] for name in DECIDED if name in decision},
        "you": [each for each in whole.parties or () if each.party in parties],
        "consents": [each for each in evidence if each.party in parties],
        "tags": [{"tag": each.tag, "at": each.at} for each in whole.tags],
        "recordings": [of_recording(each, whole) for each in whole.segments if each.segment in heard],
    }


def of_recording(row: SegmentRow, whole: WholeCall) -> dict[str, Any]:
    """What is told of one recording."""
    return {
        "segment": row.segment,
        "state": row.state,
        "opened_at": row.opened_at,
        "closed_at": row.closed_at,
        "ms": row.ms,
        "purposes": row.purposes,
        "basis": row.basis,
        "consents": row.consents,
        "pauses": [
            {"from_ms": each.from_ms, "to_ms": each.to_ms, "by": each.by}
            for each in whole.masks
            if each.segment == row.segment
        ],
        "pauses_proven": row.mask_proof,
    }
