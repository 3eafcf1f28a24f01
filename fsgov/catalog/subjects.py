"""What people ask about their own recordings, as somebody at a desk deals with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extras import Json

from fsgov.catalog.connection import Database
from fsgov.catalog.rows import selected
from fsgov.errors import NotFound


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record of a person: a recording in which they can be heard, or (segment "") the rows of a call."""

    call: str
    party: int
    segment: str
    tenant: str
    opened_at: datetime | None
    state: str
    """Of the recording."""
    others: list[int]
    """Parties from outside, other than them, who can be heard in it."""
    sealed_size: int


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What became of a record of a request."""

    call: str
    party: int
    segment: str
    tenant: str
    verdict: str
    reasons: list[str]
    until: datetime | None
    noted_at: datetime


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request; numbers and crm are empty once it says no more whom it is about."""

    id: str
    tenant: str
    kind: str
    state: str
    numbers: list[str]
    crm: list[str]
    reference: str
    recipient: str
    received_at: datetime
    due_at: datetime
    opened_by: str | None
    opened_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    answered_by: str | None
    answered_at: datetime | None
    done_at: datetime | None
    forgotten_at: datetime | None
    verdicts: Mapping[str, int]
    """How many records there are of each; none before it is carried out."""


_REQUESTS = """(
    SELECT q.*, coalesce((SELECT jsonb_object_agg(v.verdict, v.n) FROM (
        SELECT r.verdict, count(*) AS n FROM fsgov.subject_records r WHERE r.request = q.id GROUP BY 1) AS v),
        '{}') AS verdicts
    FROM fsgov.subject_requests q) AS found"""
_RECORDS = """(
    SELECT f.call, f.party, f.segment, f.tenant, c.opened_at, coalesce(s.state, '') AS state,
        ARRAY(SELECT p.party FROM fsgov.parties p WHERE f.segment <> '' AND p.call = f.call
              AND p.party <> f.party AND p.side = 'outside'
              AND (s.parties = '{}' OR p.party = ANY (s.parties))
              ORDER BY 1) AS others, coalesce(s.sealed_size, 0) AS sealed_size
    FROM fsgov.find_subject(%s, %s::text[], %s::text[]) f LEFT JOIN fsgov.segments s USING (segment)
    LEFT JOIN fsgov.calls c ON c.call = f.call) AS found ORDER BY opened_at, call, party, segment"""
OPEN = ("open", "approved", "lost")


class Subjects:
    """One person's view of them. Raises NotPermitted, NotFound, Conflict, Damaged as the database does."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, application="fsgov subject", connections=1)

    def find(self, tenant: str, numbers: Sequence[str], crm: Sequence[str]) -> list[RecordRow]:
        """Every record of who has one of these numbers, or is what the CRM calls so; tenant `*`: any."""
        with self._database.transaction() as cursor:
            return selected(cursor, RecordRow, _RECORDS, (tenant, list(numbers), list(crm)))

    def requests(self, *, over: bool = False) -> list[RequestRow]:
        """What is due first comes first; `over`: with those that are done or refused."""
        query = f"{_REQUESTS} WHERE (%s OR state = ANY (%s)) ORDER BY due_at, id"
        with self._database.transaction() as cursor:
            return selected(cursor, RequestRow, query, (over, list(OPEN)))

    def request(self, request: str) -> RequestRow:
        """Raises NotFound."""
        with self._database.transaction() as cursor:
            found = selected(cursor, RequestRow, f"{_REQUESTS} WHERE id = %s", (request,))
        if not found:
            raise NotFound("There is no such request", request, "fsgov subject list --all")
        return found[0]

    def answers(self, request: str) -> list[AnswerRow]:
        """What became of each record, so far."""
        query = "fsgov.subject_records WHERE request = %s ORDER BY call, party, segment"
        with self._database.transaction() as cursor:
            return selected(cursor, AnswerRow, query, (request,))

    def open(
        self,
        tenant: str,
        kind: str,
        numbers: Sequence[str],
        crm: Sequence[str],
        reference: str,
        received: datetime | None,
        due: datetime | None,
    ) -> str:
        """The id of the new request."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT fsgov.open_subject_request(%s, %s, %s::text[], %s::text[], %s, %s, %s)",
                (tenant, kind, list(numbers), list(crm), reference, received, due),
            )
            (request,) = cursor.fetchone() or ("",)
            return str(request)

    def approve(self, request: str) -> None:
        """Let keep erase it; this login is not the one that opened it."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.approve_erasure(%s)", (request,))

    def answer(self, request: str, *, refused: bool, until: datetime | None) -> None:
        """The person was told."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.answer_subject_request(%s, %s, %s)", (request, refused, until))

    def exported(self, request: str, recipient: str, recordings: Sequence[Mapping[str, Any]]) -> None:
        """The export is made. recordings: segment, given, reasons of each."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT fsgov.subject_exported(%s, %s, %s)", (request, recipient, Json(list(recordings)))
            )

    def close(self) -> None:
        self._database.close()
