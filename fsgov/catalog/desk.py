"""What people ask at a desk: calls, recordings, accesses, the log. With their own login and its rights.

Row security decides what a query sees; a table that the login's role may not read comes back as None where
the rest still answers (numbers of a call), and as NotPermitted otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fsgov.catalog import statements
from fsgov.catalog.accesses import AccessRow, kept_when_refused
from fsgov.catalog.artefacts import Artefacts
from fsgov.catalog.bundling import Bundling
from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.log import Log
from fsgov.catalog.proving import EvidenceRow
from fsgov.catalog.rows import (
    CallRow,
    ConsentRow,
    Counts,
    Identity,
    Json,
    LegRow,
    MaskRow,
    PartyRow,
    ReleasedKey,
    Row,
    ScrubFault,
    ScrubState,
    SegmentRow,
    TagRow,
    WholeCall,
    selected,
)
from fsgov.catalog.statements import StatementRow
from fsgov.errors import NotFound, NotPermitted
from fsgov.statement import Outcomes, Sessions

SERVICES = ("fsgov_govern", "fsgov_ship", "fsgov_keep", "fsgov_owner")

_CALLS = """(
    SELECT c.call, c.tenant, c.host, c.direction, c.opened_at, c.answered_at, c.ended_at, c.revision,
           c.policy_version, c.policy_sha256, c.decision, c.rule,
           coalesce(c.revised_outcome, c.outcome) AS outcome,
           CASE WHEN c.revised_outcome IS NULL THEN c.outcome_cause ELSE c.revised_cause END AS outcome_cause,
           c.merged_into, c.parted_from, c.segments,
           ARRAY(SELECT u FROM unnest(c.segments) AS u
                 WHERE NOT EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = u) ORDER BY u) AS missing,
           fsgov.is_held(c.call, NULL) AS held
    FROM fsgov.calls c) AS found"""
_SEGMENTS = """(
    SELECT s.*, fsgov.is_held(s.call, s.segment) AS held
    FROM fsgov.segments s) AS found"""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Conversations by tenant and host, sessions by host, and what was stated of both."""

    outcomes: list[Outcomes]
    sessions: list[Sessions]
    stated: list[StatementRow]


class Desk:
    """One person's questions. Raises NotPermitted for the login of a service: `actor` must be a person."""

    def __init__(self, dsn: str, *, connections: int = 2) -> None:
        self._database = Database(dsn, application="fsgov desk", connections=connections)
        who = self.whoami()
        if who.login in SERVICES:
            raise NotPermitted(
                "This is the login of a service", who.login, "use your own: fsgov people add made it"
            )
        self.login = who.login
        self.log = Log(self._database)
        self.artefacts = Artefacts(self._database)
        self.bundling = Bundling(self._database)

    def whoami(self) -> Identity:
        """Login, person, roles and tenants, as the database sees them."""
        with self._database.transaction() as cursor:
            return selected(cursor, Identity, "fsgov.whoami()")[0]

    # -- calls and recordings ----------------------------------------------------------------------------

    def calls(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        outcome: str | None = None,
        rule: str | None = None,
        tag: str | None = None,
        number: str | None = None,
        hold: str | None = None,
        limit: int = 100,
    ) -> list[CallRow]:
        """The newest calls first. `number` is one party's, E.164 or as the switch gave it.

        hold: what this one has reached; for those who may see what holds are about.
        """
        wanted = {
            "since": since,
            "until": until,
            "outcome": outcome,
            "rule": rule,
            "tag": tag,
            "number": number,
            "hold": hold,
        }
        conditions = {
            "since": "opened_at >= %(since)s",
            "until": "opened_at < %(until)s",
            "outcome": "outcome = %(outcome)s",
            "rule": "rule = %(rule)s",
            "tag": "EXISTS (SELECT FROM fsgov.tags t WHERE t.call = found.call AND t.tag = %(tag)s)",
            "number": "EXISTS (SELECT FROM fsgov.parties p WHERE p.call = found.call"
            " AND (p.e164 = %(number)s OR p.number = %(number)s))",
            "hold": "call IN (SELECT r.call FROM fsgov.hold_calls r WHERE r.hold = %(hold)s UNION"
            " SELECT s.call FROM fsgov.hold_segments o JOIN fsgov.segments s USING (segment)"
            " WHERE o.hold = %(hold)s)",
        }
        where = " AND ".join(text for name, text in conditions.items() if wanted[name] is not None) or "true"
        query = f"{_CALLS} WHERE {where} ORDER BY opened_at DESC, call LIMIT %(limit)s"
        with self._database.transaction() as cursor:
            return selected(cursor, CallRow, query, {**wanted, "limit": limit})

    def counts(self) -> Counts:
        """Everything this login sees, counted."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT coalesce(revised_outcome, outcome, ''), count(*) FROM fsgov.calls"
                " GROUP BY 1 ORDER BY 1"
            )
            calls = dict(cursor.fetchall())
            cursor.execute("SELECT state, count(*) FROM fsgov.segments GROUP BY 1 ORDER BY 1")
            return Counts(calls, dict(cursor.fetchall()))

    def call(self, call: str) -> WholeCall:
        """One call with everything about it. Raises NotFound."""
        with self._database.transaction() as cursor:
            found = selected(cursor, CallRow, f"{_CALLS} WHERE call = %s", (call,))
            if not found:
                raise NotFound("There is no such call", call, "fsgov calls list")
            return WholeCall(
                found[0],
                _parts(cursor, LegRow, "legs", call, "name"),
                _parts(cursor, ConsentRow, "consents", call, "at, consent"),
                _parts(cursor, TagRow, "tags", call, "n"),
                selected(cursor, SegmentRow, f"{_SEGMENTS} WHERE call = %s ORDER BY n", (call,)),
                selected(
                    cursor,
                    MaskRow,
                    "fsgov.masks WHERE segment IN (SELECT segment FROM fsgov.segments WHERE call = %s)"
                    " ORDER BY segment, n",
                    (call,),
                ),
                _parts(cursor, PartyRow, "parties", call, "party") if _may_see_numbers(cursor) else None,
                *(_inputs(cursor, call) if _may_see_numbers(cursor) else (None, None)),
            )

    def evidence(self, call: str) -> list[EvidenceRow] | None:
        """The consents of a call with their evidence; None: not for this login."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT has_column_privilege('fsgov.consents', 'evidence', 'SELECT')")
            if cursor.fetchone() != (True,):
                return None
            return _parts(cursor, EvidenceRow, "consents", call, "at, consent")

    def segments(
        self,
        *,
        call: str | None = None,
        state: str | None = None,
        hold: str | None = None,
        limit: int = 100,
    ) -> list[SegmentRow]:
        """Recordings, the newest first. hold: those that this one, in force, keeps."""
        query = (
            f"{_SEGMENTS} WHERE (%(call)s IS NULL OR call = %(call)s)"
            " AND (%(state)s IS NULL OR state = %(state)s)"
        )
        if hold is not None:
            query += (
                " AND segment IN (SELECT h.segment FROM fsgov.held_segments() AS h WHERE h.hold = %(hold)s)"
            )
        query += " ORDER BY opened_at DESC NULLS LAST, segment LIMIT %(limit)s"
        with self._database.transaction() as cursor:
            wanted = {"call": call, "state": state, "hold": hold, "limit": limit}
            return selected(cursor, SegmentRow, query, wanted)

    def segment(self, segment: str) -> SegmentRow:
        """Raises NotFound."""
        with self._database.transaction() as cursor:
            found = selected(cursor, SegmentRow, f"{_SEGMENTS} WHERE segment = %s", (segment,))
        if not found:
            raise NotFound("There is no such segment", segment, "fsgov recordings list")
        return found[0]

    def scrubs(self) -> ScrubState:
        """What reading stored objects again has found. For supervisors, privacy, auditors and ops."""
        faults = """(
            SELECT s.segment, r.artefact, coalesce(a.vault, s.vault) AS vault, r.verdict, r.since,
                fsgov.is_accepted(coalesce(a.artefact, s.segment)) AS accepted
            FROM fsgov.scrubs r JOIN fsgov.segments s USING (segment)
            LEFT JOIN fsgov.artefacts a ON a.artefact = r.artefact WHERE r.verdict <> 'intact'
            ) AS found ORDER BY since, segment, artefact"""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT count(*), count(r.looked_at), min(r.looked_at) FROM ("
                " SELECT s.segment, '' AS artefact FROM fsgov.segments s"
                " WHERE s.state IN ('stored', 'quarantined') UNION ALL"
                " SELECT a.segment, a.artefact FROM fsgov.artefacts a WHERE a.state = 'stored') AS o"
                " LEFT JOIN fsgov.scrubs r USING (segment, artefact)"
            )
            objects, looked, oldest = cursor.fetchone() or (0, 0, None)
            cursor.execute("SELECT verdict, count(*) FROM fsgov.scrubs GROUP BY 1 ORDER BY 1")
            verdicts = dict(cursor.fetchall())
            return ScrubState(objects, looked, oldest, verdicts, selected(cursor, ScrubFault, faults))

    def policy(self, sha256: str) -> str:
        """The text of the policy that a call was decided by. Raises NotFound."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT text FROM fsgov.policies WHERE sha256 = %s", (sha256,))
            row = cursor.fetchone()
        if row is None:
            raise NotFound("This policy is not in the catalog", sha256)
        return str(row[0])

    def statement(
        self, since: datetime, until: datetime, now: datetime, tenant: str | None = None
    ) -> Accounts:
        """Conversations and sessions of this time, counted now, and the statements about its whole days.

        Sessions are the operator's: none for who sees single tenants, nor where one is asked for.
        """
        with self._database.transaction() as cursor:
            conversations = statements.outcomes(cursor, since, until, now, tenant)
            sessions = statements.sessions(cursor, since, until) if tenant is None else []
            made = statements.newest(cursor, since.date(), (until - timedelta(microseconds=1)).date())
        return Accounts(conversations, sessions, [row for row in made if tenant in (None, row.tenant)])

    # -- accesses ----------------------------------------------------------------------------------------

    def request_access(
        self, segment: str, purpose: str, reason: str, recipient: str = "", complaint: str = ""
    ) -> str:
        """Asks for a recording, committed on return; the answer is the access that `release_key` takes.

        recipient: who is to get the copy; "": nobody but this person. complaint: the case, for that purpose.
        A refusal is kept as well.
        """
        with (
            kept_when_refused(self._database, segment, purpose, reason, complaint),
            self._database.transaction() as cursor,
        ):
            cursor.execute(
                "SELECT fsgov.request_access(%s, %s, %s, %s, %s)",
                (segment, purpose, reason, recipient, complaint),
            )
            (access,) = cursor.fetchone() or ("",)
            return str(access)

    def release_key(self, access: str) -> ReleasedKey:
        """The wrapped key, once. The release is committed on return."""
        with self._database.transaction() as cursor:
            (released,) = selected(cursor, ReleasedKey, "fsgov.release_key(%s)", (access,))
        return released

    def accesses(self, *, segment: str | None = None, limit: int = 100) -> list[AccessRow]:
        """Who asked for which recording and why, the newest first. For privacy and auditors."""
        query = (
            "(SELECT a.*, s.call FROM fsgov.accesses a JOIN fsgov.segments s USING (segment)) AS found"
            " WHERE (%(segment)s IS NULL OR segment = %(segment)s)"
            " ORDER BY requested_at DESC, id LIMIT %(limit)s"
        )
        with self._database.transaction() as cursor:
            return selected(cursor, AccessRow, query, {"segment": segment, "limit": limit})

    def close(self) -> None:
        self._database.close()


def _parts(cursor: Cursor, row: type[Row], table: str, call: str, order: str) -> list[Row]:
    return selected(cursor, row, f"fsgov.{table} WHERE call = %s ORDER BY {order}", (call,))


def _may_see_numbers(cursor: Cursor) -> bool:
    cursor.execute("SELECT has_table_privilege('fsgov.parties', 'SELECT')")
    return cursor.fetchone() == (True,)


def _inputs(cursor: Cursor, call: str) -> tuple[Json, str | None]:
    """The inputs, and the salt of their digest in the log."""
    cursor.execute("SELECT inputs, inputs_salt FROM fsgov.calls WHERE call = %s", (call,))
    return cursor.fetchone() or (None, None)
