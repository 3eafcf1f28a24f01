"""Recordings in quarantine: what people decide of them, and what keep does with those nobody looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.rows import selected


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A recording that waits for a reviewer. dispose: it waits for purge, and can still be kept."""

    segment: str
    call: str
    tenant: str
    quarantine: str
    """Why it is there: person (somebody sent it, see `said`), withdrawn, adopted, or a check that failed."""
    said: str
    review_by: datetime | None
    held: bool
    dispose: bool
    dispose_reason: str


@dataclass(frozen=True, slots=True)
class Reminded:
    """A recording of which three quarters of the time for its review are over."""

    segment: str
    call: str
    reason: str
    review_by: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A recording that nobody has reviewed in time, and that is to be destroyed now."""

    segment: str
    call: str
    reason: str


@dataclass(frozen=True, slots=True)
class Open:
    """Recordings that wait for a reviewer; near: soon over; held: over, and kept by a hold."""

    waiting: int
    near: int
    held: int
    first: datetime | None


_QUARANTINE = """(
    SELECT s.*, fsgov.is_held(s.call, s.segment) AS held,
        coalesce((SELECT r.reason FROM fsgov.reviews r WHERE r.segment = s.segment AND r.act = 'set'
                  ORDER BY r.n DESC LIMIT 1), '') AS said
    FROM fsgov.segments s WHERE s.state = 'quarantined') AS found ORDER BY review_by NULLS LAST, segment"""


class Reviewing:
    """One person's reviews, each committed on return."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, application="fsgov desk", connections=1)

    def close(self) -> None:
        self._database.close()

    def waiting(self) -> list[QuarantineRow]:
        """What is in quarantine, the first that is due first."""
        with self._database.transaction() as cursor:
            return selected(cursor, QuarantineRow, _QUARANTINE)

    def set(self, segment: str, reason: str, review_by: datetime | None) -> datetime:
        """For reviewers alone from now on; until when. Raises NotFound, Conflict, NotPermitted, Damaged."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.set_quarantine(%s, %s, %s)", (segment, reason, review_by))
            row: tuple[datetime] | None = cursor.fetchone()
            assert row is not None
            return row[0]

    def release(self, segment: str, keep: bool, reason: str) -> None:
        """A recording like others, or to be destroyed. Raises NotFound, Conflict, NotPermitted."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.release_quarantine(%s, %s, %s)", (segment, keep, reason))


def remind(cursor: Cursor, limit: int) -> list[Reminded]:
    """Those that a reviewer is to be reminded of, each once."""
    return selected(cursor, Reminded, "fsgov.remind_quarantines(%s)", (limit,))


def end(cursor: Cursor, limit: int) -> list[Ended]:
    """Those whose time is over, and that no hold is on: marked to be destroyed."""
    return selected(cursor, Ended, "fsgov.end_quarantines(%s)", (limit,))


def still_open(cursor: Cursor) -> Open:
    return selected(cursor, Open, "fsgov.quarantines_open()")[0]
