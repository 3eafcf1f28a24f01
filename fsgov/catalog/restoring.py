"""What `db restored` asks of a database that was restored from an older dump. One transaction, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2 import Binary
from psycopg2.extras import Json

from fsgov.catalog.connection import Cursor, committed, connect
from fsgov.errors import Conflict, NotFound, NotPermitted

PARTS = ("fsgov_ship", "fsgov_keep")


@dataclass(frozen=True, slots=True)
class Found:
    """The newest log of the database: its lines, its newest checkpoint, and whether a restore opened it."""

    log_id: str
    lines: int
    opened_again: bool
    signed: int
    root: bytes
    signed_at: str


class Restoring:
    """The database, with everybody who writes locked out until the end of the block."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def found(self) -> Found:
        """Raises NotFound where there is no log."""
        self._cursor.execute(
            "SELECT l.log_id, (SELECT count(*) FROM fsgov.event_log e WHERE e.log_id = l.log_id),"
            " l.prior_log_id IS NOT NULL, coalesce(c.size, 0), coalesce(c.root, ''),"
            " coalesce(substring(c.note FROM '\ntime ([^\n]+)'), '')"
            " FROM fsgov.log l LEFT JOIN LATERAL (SELECT * FROM fsgov.checkpoints k WHERE k.log_id = l.log_id"
            " ORDER BY size DESC LIMIT 1) c ON true ORDER BY l.opened_at DESC LIMIT 1"
        )
        row = self._cursor.fetchone()
        if row is None:
            raise NotFound("There is no log in this database", hint="restore a dump of fsgov first")
        log_id, lines, again, signed, root, at = row
        return Found(log_id, lines, again, signed, bytes(root), at)

    def begin(self, known_to: str, *, copied: bool) -> str:
        """From here on nothing begins to be destroyed; the id of what people will end together.

        known_to: time of the last checkpoint, or "". copied: a copy of the lost lines is there.
        """
        self._cursor.execute("SELECT fsgov.restore_begins(%s, %s)", (known_to or None, copied))
        (restore,) = self._cursor.fetchone() or ("",)
        return str(restore)

    def redo(self) -> int:
        """Do again what the lines entered again say in full; how many acts."""
        self._cursor.execute("SELECT fsgov.redo_lost()")
        return self._number()

    def lost(self) -> dict[str, int]:
        """What people had done since the dump, by its state."""
        self._cursor.execute("SELECT state, count(*) FROM fsgov.lost_acts GROUP BY 1 ORDER BY 1")
        return dict(self._cursor.fetchall())

    def enter_again(self, lines: Sequence[tuple[str, int, bytes]]) -> int:
        """Lines (origin, n, text) of a verified copy, in its order; how many were not there."""
        origins, ns, texts = (
            [each[0] for each in lines],
            [each[1] for each in lines],
            [each[2] for each in lines],
        )
        self._cursor.execute(
            "SELECT fsgov.enter_again(%s::text[], %s::bigint[], %s::bytea[])",
            (origins, ns, [Binary(text) for text in texts]),
        )
        return self._number()

    def apply_ledger(self, segments: Sequence[str]) -> tuple[int, list[str]]:
        """Segments that were erased; how many keys, and which rows of them the dump brought back."""
        self._cursor.execute("SELECT keys, came_back FROM fsgov.apply_ledger(%s::text[])", (list(segments),))
        keys, came_back = self._cursor.fetchone() or (0, [])
        return int(keys), list(came_back)

    def ledger_says(self, segment: str, facts: Mapping[str, str | None]) -> None:
        """By whom and why this was erased."""
        self._cursor.execute("SELECT fsgov.ledger_says(%s, %s)", (segment, Json(dict(facts))))

    def apply_forgotten(self, parties: Sequence[str]) -> int:
        """Parties (CALL.PARTY) whose rows were nulled; how many of them the dump had brought back."""
        self._cursor.execute("SELECT fsgov.apply_forgotten(%s::text[])", (list(parties),))
        return self._number()

    def apply_requests(self, requests: Sequence[Mapping[str, Any]]) -> int:
        """Requests of people that were made or promised after the dump; how many were not there."""
        self._cursor.execute("SELECT fsgov.apply_requests(%s)", (Json(list(requests)),))
        return self._number()

    def told_of_requests(self) -> list[Mapping[str, Any]]:
        """What the log tells of requests of people, in its order."""
        self._cursor.execute(
            "SELECT line FROM (SELECT line, 0 AS waits, entered_at, seq AS place FROM fsgov.event_log"
            " UNION ALL SELECT line, 1, entered_at, n FROM fsgov.outbox) AS lines"
            ' WHERE position(\'"type":"fsgov.subject.\'::bytea IN line) > 0'
            ' OR position(\'"type":"fsgov.erasure.\'::bytea IN line) > 0 ORDER BY waits, entered_at, place'
        )
        return [json.loads(bytes(line)) for (line,) in self._cursor.fetchall()]

    def lost_holds(self, lacking: bool) -> int:
        """Holds that the log tells of, and the dump does not have as they were; how many.

        lacking: lines are lost of which there is no copy.
        """
        self._cursor.execute("SELECT fsgov.lost_holds(%s)", (lacking,))
        return self._number()

    def open_log(self, prior: str, size: int, root: bytes) -> str:
        """The id of the new log, which begins where the old one is known to have ended."""
        self._cursor.execute("SELECT fsgov.open_log(%s, %s, %s)", (prior, size, Binary(root)))
        (log_id,) = self._cursor.fetchone() or ("",)
        return str(log_id)

    def _number(self) -> int:
        (number,) = self._cursor.fetchone() or (0,)
        return int(number)


@contextmanager
def restoring(admin_dsn: str) -> Iterator[Restoring]:
    """Raises Conflict while ship or keep is at work, NotPermitted for who is no administrator."""
    with closing(connect(admin_dsn, application="fsgov db")) as connection, committed(connection) as cursor:
        cursor.execute("SELECT pg_has_role(session_user, 'fsgov_owner', 'MEMBER')")
        if cursor.fetchone() != (True,):
            raise NotPermitted(
                "This login does not administer the database", hint="the login of fsgov db init"
            )
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT pg_try_advisory_xact_lock(7377471)")
        if cursor.fetchone() != (True,):
            raise _at_work(["keep"])
        cursor.execute(
            "SELECT DISTINCT substr(usename, 7) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = ANY (%s) ORDER BY 1",
            (list(PARTS),),
        )
        if at_work := [part for (part,) in cursor.fetchall()]:
            raise _at_work(at_work)
        cursor.execute("LOCK TABLE fsgov.origins IN EXCLUSIVE MODE")  # who comes now waits for us
        yield Restoring(cursor)


def _at_work(parts: Sequence[str]) -> Conflict:
    return Conflict(
        "Parts are at work on this database",
        ", ".join(parts),
        "stop ship and keep on every host; govern may go on, calls are recorded meanwhile",
    )
