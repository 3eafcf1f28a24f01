"""Who has opened recordings, who could, and whether the log says the same. For privacy and auditors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fsgov.catalog.connection import Database
from fsgov.catalog.rows import selected
from fsgov.errors import Conflict, Damaged, FsgovError, NotFound, NotPermitted

MARGIN = timedelta(minutes=5)
"""A line may have its place in the log this much before or after the row says that it happened."""


ROLES = ("agent", "supervisor", "privacy", "auditor", "ops", "integrator", "govern", "ship", "keep")


@dataclass(frozen=True, slots=True)
class AccessRow:
    """One access, of this case or "". released_at None: the key was never given out."""

    id: str
    tenant: str
    segment: str
    call: str
    person: str
    login: str
    purpose: str
    reason: str
    recipient: str
    complaint: str
    requested_at: datetime
    released_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """An access that was refused. segment, purpose: as asked for; "": that was no id, no name."""

    id: str
    tenant: str
    segment: str
    person: str
    login: str
    purpose: str
    code: str
    why: str
    refused_at: datetime


@dataclass(frozen=True, slots=True)
class HolderRow:
    """A login that can open recordings, or could while it was not disabled; person None: nobody fsgov knows.

    administers: a superuser, or a member of fsgov_owner, whom no grant binds.
    """

    login: str
    person: str | None
    roles: list[str]
    tenants: list[str]
    added_at: datetime | None
    disabled_at: datetime | None
    administers: bool


@dataclass(frozen=True, slots=True)
class RightRow:
    """A table that roles may read, or a function that they may call. in_part: without some of its columns."""

    kind: str
    name: str
    roles: list[str]
    in_part: list[str]


_RIGHTS = """(
    WITH roles AS (SELECT oid, substr(rolname, 7)::text AS role FROM pg_roles
                   WHERE rolname LIKE 'fsgov\\_%%' AND rolname <> 'fsgov_owner')
    SELECT 'table' AS kind, c.relname::text AS name,
        ARRAY(SELECT role FROM roles r WHERE has_table_privilege(r.oid, c.oid, 'SELECT') ORDER BY 1) AS roles,
        ARRAY(SELECT role FROM roles r WHERE has_any_column_privilege(r.oid, c.oid, 'SELECT')
              AND NOT has_table_privilege(r.oid, c.oid, 'SELECT') ORDER BY 1) AS in_part
    FROM pg_class c WHERE c.relnamespace = 'fsgov'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
    UNION ALL
    SELECT 'function', p.proname::text,
        ARRAY(SELECT role FROM roles r WHERE has_function_privilege(r.oid, p.oid, 'EXECUTE') ORDER BY 1), '{}'
    FROM pg_proc p WHERE p.pronamespace = 'fsgov'::regnamespace
    ) AS found ORDER BY kind DESC, name"""
_ACCESSES = """(
    SELECT a.*, s.call FROM fsgov.accesses a JOIN fsgov.segments s USING (segment)
    WHERE a.requested_at >= %(since)s AND a.requested_at < %(until)s
      AND (%(login)s IS NULL OR a.login = %(login)s)
      AND (%(segment)s IS NULL OR %(segment)s IN (a.segment, s.call))
      AND (%(tenant)s IS NULL OR a.tenant = %(tenant)s)) AS found ORDER BY requested_at, id"""
_REFUSED = """fsgov.refused_accesses
    WHERE refused_at >= %(since)s AND refused_at < %(until)s
      AND (%(login)s IS NULL OR login = %(login)s)
      AND (%(segment)s IS NULL OR segment = %(segment)s OR starts_with(segment, %(segment)s || '-'))
      AND (%(tenant)s IS NULL OR tenant = %(tenant)s) ORDER BY refused_at, id"""
_HOLDERS = """(
    SELECT r.rolname::text AS login, p.id AS person, p.added_at, p.disabled_at,
        ARRAY(SELECT g FROM unnest(ARRAY['supervisor', 'privacy', 'auditor']) AS g
              WHERE pg_has_role(r.oid, ('fsgov_' || g)::regrole, 'USAGE') ORDER BY 1) AS roles,
        ARRAY(SELECT m.tenant FROM fsgov.memberships m WHERE m.person = p.id ORDER BY 1) AS tenants,
        r.rolsuper OR pg_has_role(r.oid, 'fsgov_owner'::regrole, 'MEMBER') AS administers
    FROM pg_roles r LEFT JOIN fsgov.people p ON p.login = r.rolname WHERE r.rolcanlogin) AS found
    WHERE administers OR roles <> '{}' AND person IS NOT NULL ORDER BY login"""
_LINES = """
    SELECT line FROM fsgov.event_log WHERE position('"type":"fsgov.access.'::bytea IN line) > 0
        AND entered_at >= %(since)s
    UNION ALL SELECT line FROM fsgov.outbox WHERE position('"type":"fsgov.access.'::bytea IN line) > 0"""
Entry = Mapping[str, Any]


class Accesses:
    """One person's view of them. Raises NotPermitted where this login may not see accesses."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, application="fsgov report", connections=1)

    def between(
        self,
        since: datetime,
        until: datetime,
        *,
        login: str | None = None,
        segment: str | None = None,
        tenant: str | None = None,
    ) -> list[AccessRow]:
        """Accesses that were asked for in this time, in its order. segment: a recording, or a call."""
        wanted = {"since": since, "until": until, "login": login, "segment": segment, "tenant": tenant}
        with self._database.transaction() as cursor:
            return selected(cursor, AccessRow, _ACCESSES, wanted)

    def refused(
        self,
        since: datetime,
        until: datetime,
        *,
        login: str | None = None,
        segment: str | None = None,
        tenant: str | None = None,
    ) -> list[RefusedRow]:
        """What was refused in this time, in its order. segment: a recording, or a call."""
        wanted = {"since": since, "until": until, "login": login, "segment": segment, "tenant": tenant}
        with self._database.transaction() as cursor:
            return selected(cursor, RefusedRow, _REFUSED, wanted)

    def holders(self) -> list[HolderRow]:
        """Every login that can open recordings, or sees the database without any grant."""
        with self._database.transaction() as cursor:
            return selected(cursor, HolderRow, _HOLDERS)

    def rights(self) -> list[RightRow]:
        """Every table and function, with the roles that may read or call it, as the database grants it."""
        with self._database.transaction() as cursor:
            return selected(cursor, RightRow, _RIGHTS, {})

    def lines(self, since: datetime) -> list[Entry] | None:
        """What the log tells of accesses since then; None: this login sees single tenants, and no log."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT '*' IN (SELECT fsgov.my_tenants())")
            if cursor.fetchone() != (True,):
                return None
            cursor.execute(_LINES, {"since": since - MARGIN})
            return [json.loads(bytes(line)) for (line,) in cursor.fetchall()]

    def close(self) -> None:
        self._database.close()


@contextmanager
def kept_when_refused(
    database: Database, what: str, purpose: str, reason: str, complaint: str
) -> Iterator[None]:
    """Where a recording, or an artefact, is refused inside: that is kept, in a transaction of its own."""
    try:
        yield
    except (NotPermitted, NotFound, Conflict, Damaged):
        with suppress(FsgovError), database.transaction() as cursor:
            cursor.execute("SELECT fsgov.refused_access(%s, %s, %s, %s)", (what, purpose, reason, complaint))
        raise


def differences(
    rows: Iterable[AccessRow],
    refused: Iterable[RefusedRow],
    lines: Iterable[Entry],
    since: datetime,
    until: datetime,
) -> Iterator[str]:
    """Where the rows of this time and the log do not say the same: one of them was changed, or lost."""
    told = {(str(line["type"]).split(".")[2], line["data"]["access"]): line for line in lines}
    known = set()
    for row in rows:
        for kind, at in (("requested", row.requested_at), ("released", row.released_at)):
            if at is None:
                continue
            known.add((kind, row.id))
            line = told.get((kind, row.id))
            if line is None:
                yield f"{row.id} ({row.segment}): the log does not tell that it was {kind}"
            elif (line["subject"], line["data"]["actor"], line["data"]["purpose"]) != (
                row.segment,
                row.person,
                row.purpose,
            ):
                yield f"{row.id}: the row names another recording, person or purpose than the log"
    for each in refused:
        known.add(("refused", each.id))
        line = told.get(("refused", each.id))
        if line is None:
            yield f"{each.id} ({each.segment}): the log does not tell that it was refused"
        elif (line["data"]["actor"], line["data"]["code"]) != (each.person, each.code):
            yield f"{each.id}: the row names another person or refusal than the log"
    for (kind, access), line in sorted(told.items()):
        at = datetime.fromisoformat(line["time"])
        if (kind, access) not in known and since + MARGIN <= at < until - MARGIN:
            yield f"{access} ({line['subject']}): the log tells that it was {kind}, and there is no such row"
