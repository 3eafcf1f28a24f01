"""Whether the consents that a recording rests on are as they were when it was opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fsgov.catalog.rows import Json, SegmentRow
from fsgov.evidence import digest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A consent with its evidence; None: it was erased."""

    call: str
    consent: str
    party: int
    purpose: str
    state: str
    method: str
    mode: str
    at: datetime
    evidence: Json

    @property
    def digest(self) -> str:
        return digest(
            call=self.call,
            consent=self.consent,
            party=self.party,
            purpose=self.purpose,
            state=self.state,
            method=self.method,
            mode=self.mode,
            at=(self.at - EPOCH) // timedelta(microseconds=1),
            evidence=self.evidence,
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """Ids of the consents of one recording whose rows are not what it names: altered, erased, not there."""

    altered: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def prove(segment: SegmentRow, rows: Iterable[EvidenceRow]) -> Proof:
    """Compare the digests that the recording names with the rows of its call."""
    known = {row.consent: row for row in rows}
    named: dict[str, str | None] = {**dict.fromkeys(segment.consents), **segment.evidence}
    altered, erased, gone = [], [], []
    for consent, expected in sorted(named.items()):
        row = known.get(consent)
        if row is None:
            gone.append(consent)
        elif row.evidence is None:
            erased.append(consent)
        elif expected is not None and row.digest != expected:
            altered.append(consent)
    return Proof(tuple(altered), tuple(erased), tuple(gone))
