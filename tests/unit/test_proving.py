"""A recording names the digests of its consents: what was altered, erased or taken away since is told."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fsgov.catalog.proving import EvidenceRow, Proof, prove
from fsgov.catalog.rows import SegmentRow

ROW = EvidenceRow(
    call="0f6c", consent="c-0f6c-1", party=1, purpose="training", state="given", method="key", mode="opt_in",
    at=datetime(2026, 11, 21, 16, 37, 29, 114_001, UTC),
    evidence={"sha256": "ab" * 32, "samples": 24_000, "digit": "1", "started": None},
)  # fmt: skip


def segment(**named: Any) -> SegmentRow:
    values: dict[str, Any] = {field.name: None for field in fields(SegmentRow)}
    return SegmentRow(**{**values, "consents": ["c-0f6c-1"], "evidence": {"c-0f6c-1": ROW.digest}, **named})


def test_what_nobody_touched_is_as_it_was() -> None:
    assert prove(segment(), [ROW]) == Proof()
    reordered = replace(ROW, evidence=dict(sorted(ROW.evidence.items())))
    later = replace(ROW, consent="c-0f6c-2", state="withdrawn")
    assert prove(segment(), [later, reordered]) == Proof()


@pytest.mark.parametrize(
    "change",
    [
        {"state": "refused"},
        {"party": 2},
        {"purpose": "evidence"},
        {"method": "notice"},
        {"mode": "notice"},
        {"at": ROW.at + timedelta(microseconds=1)},
        {"evidence": {**ROW.evidence, "samples": 23_999}},
        {"evidence": {**ROW.evidence, "sha256": "cd" * 32}},
        {"evidence": {}},
    ],
)
def test_whatever_was_altered_is_told(change: dict[str, Any]) -> None:
    assert prove(segment(), [replace(ROW, **change)]) == Proof(altered=("c-0f6c-1",))


def test_what_was_erased_or_is_not_there_is_told() -> None:
    assert prove(segment(), [replace(ROW, evidence=None)]) == Proof(erased=("c-0f6c-1",))
    assert prove(segment(), []) == Proof(gone=("c-0f6c-1",))


def test_a_recording_of_before_names_no_digest() -> None:
    assert prove(segment(evidence={}), [ROW]) == Proof()
    assert prove(segment(evidence={}), []) == Proof(gone=("c-0f6c-1",))
