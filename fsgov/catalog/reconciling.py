"""What `fsgov reconcile` reads from the catalog and writes there: with a person's own login, in role ops.

Row security would hide what belongs to other tenants, and their objects would look like orphans: so whoever
reconciles acts for every tenant.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg2 import Binary

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.desk import Desk
from fsgov.errors import NotPermitted
from fsgov.reconcile.worlds import Catalog, Copy, Instant, OpenCall, Row, Session, Unarrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A stored object that gets a row: where it is, what was read of it, and its wrapped key."""

    segment: str
    vault: str
    key: str
    version: str
    key_version: str
    size: int
    sha256: str
    wrapped_key: bytes
    stored: datetime


class Reconciling:
    """Questions and acts of one person. Raises NotPermitted for anybody who is not ops of every tenant."""

    def __init__(self, dsn: str) -> None:
        with closing(Desk(dsn, connections=1)) as desk:
            who = desk.whoami()
        if "ops" not in who.roles or "*" not in who.tenants:
            hint = "fsgov people add LOGIN --role ops, without --tenant"
            raise NotPermitted("Only ops of every tenant reconciles", who.login, hint)
        self._database = Database(dsn, application="fsgov reconcile", connections=1)

    def catalog(self, host: str, since: Instant, legs: Iterable[str]) -> Catalog:
        """What is compared; since: how far back CDRs and the sessions of `host` are; legs: told elsewhere."""
        with self._database.transaction() as cursor:
            return Catalog(
                rows=tuple(_rows(cursor)),
                open_calls=tuple(_open_calls(cursor)),
                unarrived=tuple(_unarrived(cursor)),
                legs=frozenset(_known(cursor, legs)),
                ended=tuple(_ended(cursor, host, since)),
                noted=frozenset(_noted(cursor)),
                copies=tuple(_copies(cursor)),
            )

    def place_of(self, call: str) -> tuple[str, str] | None:
        """Tenant and vault of another segment of this call ("" where it has none); None: no such call."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT c.tenant, (SELECT max(s.vault) FROM fsgov.segments s WHERE s.call = c.call)"
                " FROM fsgov.calls c WHERE c.call = %s",
                (call,),
            )
            row = cursor.fetchone()
        return None if row is None else (str(row[0]), str(row[1] or ""))

    def has_row(self, segment: str) -> bool:
        with self._database.transaction() as cursor:
            cursor.execute("SELECT FROM fsgov.segments WHERE segment = %s", (segment,))
            return cursor.rowcount > 0

    # -- acts --------------------------------------------------------------------------------------------

    def adopt(self, found: Adopted) -> None:
        """A quarantined row for an object. Raises Conflict where there is one, Damaged for a wrong name."""
        self._act(
            "SELECT fsgov.adopt_object(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            found.segment, found.vault, found.key, found.version, found.key_version, found.size, found.sha256,
            Binary(found.wrapped_key), found.stored,
        )  # fmt: skip

    def adopt_child(self, artefact: str, vault: str, key: str, version: str, size: int, sha256: str) -> None:
        """A row for what was made of a recording. Raises Conflict where that is not there, or it has one."""
        self._act(
            "SELECT fsgov.adopt_artefact(%s, %s, %s, %s, %s, %s)", artefact, vault, key, version, size, sha256
        )

    def mark(self, segment: str, kind: str) -> None:
        """The vault lacks the object of this row, or a part of it."""
        self._act("SELECT fsgov.mark_object(%s, %s)", segment, kind)

    def restored(self, segment: str, version: str, sha256: str) -> None:
        """The row names another version of the same bytes. Raises Damaged where they are others."""
        self._act("SELECT fsgov.restored_object(%s, %s, %s)", segment, version, sha256)

    def ask_removal(self, segment: str, vault: str, key: str) -> None:
        """Have keep remove it again. Raises Conflict where its tombstone does not name it."""
        self._act("SELECT fsgov.ask_removal(%s, %s, %s)", segment, vault, key)

    def settle(self, call: str) -> str:
        """The outcome that the call now has. Raises Conflict where it has one."""
        return str(self._act("SELECT fsgov.settle_call(%s)", call))

    def miss(self, segment: str) -> None:
        """A row in state missing. Raises Conflict where it has come meanwhile."""
        self._act("SELECT fsgov.miss_segment(%s)", segment)

    def note(self, kind: str, subject: str, entry: str) -> None:
        """It is not told again. entry: what the log calls it."""
        self._act("SELECT fsgov.note_difference(%s, %s, %s)", kind, subject, entry)

    def tell(self, kind: str, entry: str, found_as: str | None = None) -> None:
        """It was resolved outside the catalog. found_as: the name of the file that became segment `entry`."""
        self._act("SELECT fsgov.difference_resolved(%s, %s, %s)", kind, entry, found_as)

    def _act(self, statement: str, *values: object) -> object:
        with self._database.transaction() as cursor:
            cursor.execute(statement, values)
            (answer,) = cursor.fetchone() or (None,)
        return answer

    def close(self) -> None:
        self._database.close()


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _instant(at: datetime) -> Instant:
    return (at - EPOCH) // timedelta(microseconds=1)


def _rows(cursor: Cursor) -> Iterable[Row]:
    cursor.execute(
        # a tombstone has no object; what is being destroyed has as many as purge has left
        "SELECT s.segment, s.vault, CASE WHEN s.state <> 'destroyed' THEN s.object_key END, s.version_id,"
        " s.sealed_size,"
        " CASE s.state WHEN 'destroying' THEN now() ELSE coalesce(s.stored_at, s.entered_at) END,"
        " s.truncated AND s.state NOT IN ('destroying', 'destroyed'),"
        " CASE WHEN s.state IN ('stored', 'quarantined') THEN coalesce(r.verdict, '') ELSE '' END,"
        " s.state = 'destroyed', ''"
        " FROM fsgov.segments s LEFT JOIN fsgov.scrubs r ON r.segment = s.segment AND r.artefact = ''"
        " UNION ALL SELECT a.artefact, a.vault,"
        " CASE WHEN a.state IN ('stored', 'removing') OR s.state = 'destroying' THEN a.object_key END,"
        " a.version_id, a.sealed_size, CASE a.state WHEN 'stored' THEN a.stored_at ELSE now() END, false,"
        " CASE a.state WHEN 'stored' THEN coalesce(r.verdict, '') ELSE '' END, false, a.segment"
        " FROM fsgov.artefacts a LEFT JOIN fsgov.segments s USING (segment)"
        " LEFT JOIN fsgov.scrubs r ON r.segment = a.segment AND r.artefact = a.artefact"
    )
    for segment, vault, key, version, size, stored, *told in cursor.fetchall():
        yield Row(segment, vault, key, version, size, _instant(stored), *told)


def _open_calls(cursor: Cursor) -> Iterable[OpenCall]:
    cursor.execute(
        "SELECT c.call, c.host, c.opened_at, ARRAY(SELECT l.leg FROM fsgov.legs l WHERE l.call = c.call)"
        " FROM fsgov.calls c WHERE c.outcome IS NULL"
    )
    for call, host, opened, legs in cursor.fetchall():
        yield OpenCall(call, host, _instant(opened), frozenset(legs))


def _unarrived(cursor: Cursor) -> Iterable[Unarrived]:
    cursor.execute(
        "SELECT u.segment, c.call, c.host, c.opened_at"
        " FROM fsgov.calls c CROSS JOIN LATERAL unnest(c.segments) AS u(segment)"
        " WHERE NOT EXISTS (SELECT FROM fsgov.segments s WHERE s.segment = u.segment)"
        " AND NOT EXISTS (SELECT FROM fsgov.erased e WHERE e.segment = u.segment)"
    )
    for segment, call, host, opened in cursor.fetchall():
        yield Unarrived(segment, call, host, _instant(opened))


def _known(cursor: Cursor, legs: Iterable[str]) -> Iterable[str]:
    cursor.execute("SELECT leg FROM fsgov.legs WHERE leg = ANY (%s)", (list(legs),))
    return (str(leg) for (leg,) in cursor.fetchall())


def _ended(cursor: Cursor, host: str, since: Instant) -> Iterable[Session]:
    """First legs only: whether the others have a CDR is a setting of the switch."""
    cursor.execute(
        "SELECT l.leg, max(l.ended_at) FROM fsgov.legs l JOIN fsgov.calls c USING (call)"
        " WHERE c.host = %s AND l.direction = 'inbound' AND l.ended_at >= to_timestamp(%s) GROUP BY l.leg",
        (host, since / 1_000_000),
    )
    for leg, ended in cursor.fetchall():
        yield Session(leg, _instant(ended), "catalog")


def _noted(cursor: Cursor) -> Iterable[tuple[str, str]]:
    cursor.execute("SELECT kind, subject FROM fsgov.noted")
    return ((str(kind), str(subject)) for kind, subject in cursor.fetchall())


def _copies(cursor: Cursor) -> Iterable[Copy]:
    """Copies that are there, come or go; what a store copies by itself; and what was made of each."""
    cursor.execute(
        "SELECT k.segment, k.vault, k.object_key, CASE k.state WHEN 'stored' THEN k.version_id ELSE '' END"
        " FROM fsgov.copies k WHERE k.state NOT IN ('gone', 'refused')"
        " UNION SELECT s.segment, r.vault, s.object_key, '' FROM fsgov.segments s"
        " JOIN fsgov.replicas r ON r.of = s.vault AND r.by_store WHERE s.object_key IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM fsgov.copies k WHERE k.segment = s.segment AND k.vault = r.vault)"
        " UNION SELECT a.artefact, p.vault, a.object_key, coalesce(p.artefacts ->> a.object_key, '') FROM ("
        " SELECT k.segment, k.vault, CASE k.state WHEN 'stored' THEN k.artefacts END AS artefacts"
        " FROM fsgov.copies k WHERE k.state NOT IN ('gone', 'refused')"
        " UNION ALL SELECT s.segment, r.vault, NULL FROM fsgov.segments s"
        " JOIN fsgov.replicas r ON r.of = s.vault AND r.by_store"
        " UNION ALL SELECT a.segment, a.vault, NULL FROM fsgov.artefacts a WHERE a.state = 'waiting') AS p"
        " JOIN fsgov.artefacts a USING (segment) LEFT JOIN fsgov.segments s USING (segment)"
        " WHERE (a.state <> 'destroyed' OR s.state = 'destroying')"
        " AND (a.state = 'waiting' OR a.vault <> p.vault)"
    )
    return (Copy(*map(str, row)) for row in cursor.fetchall())
