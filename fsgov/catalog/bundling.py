"""What an evidence bundle takes from the catalog: every row and every line about one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from psycopg2 import Binary

from fsgov.catalog import log
from fsgov.catalog.connection import Database
from fsgov.catalog.rows import CheckpointRow, Json, selected

BATCH = 50_000
"""Lines of the log that are looked through, or whose leaves are read, at a time."""

TABLES = {
    "calls": "call = %(call)s",
    "legs": "call = %(call)s",
    "parties": "call = %(call)s",
    "consents": "call = %(call)s",
    "tags": "call = %(call)s",
    "segments": "segment = ANY (%(segments)s)",
    "masks": "segment = ANY (%(segments)s)",
    "scrubs": "segment = ANY (%(segments)s)",
    "provenance": "segment = ANY (%(segments)s)",
    "anchors": "call = %(call)s",
    "hold_calls": "call = %(call)s",
    "hold_segments": "segment = ANY (%(segments)s)",
    "holds": "id IN (SELECT c.hold FROM fsgov.hold_calls c WHERE c.call = %(call)s UNION"
    " SELECT o.hold FROM fsgov.hold_segments o WHERE o.segment = ANY (%(segments)s))",
    "copies": "segment = ANY (%(segments)s)",
    "locks": "segment = ANY (%(segments)s)",
    "artefacts": "segment = ANY (%(segments)s)",
    "accesses": "segment = ANY (%(segments)s)",
    "refused_accesses": "segment = ANY (%(segments)s)",
    "rotation_batches": "segments && %(segments)s",
    "rotations": "id IN (SELECT b.rotation FROM fsgov.rotation_batches b WHERE b.segments && %(segments)s)",
    "reviews": "segment = ANY (%(segments)s)",
    "mirrors": "segment = ANY (%(segments)s)",
    "plan_items": "segment = ANY (%(segments)s)",
    "plans": "id IN (SELECT i.plan FROM fsgov.plan_items i WHERE i.segment = ANY (%(segments)s))",
    "erased": "segment = ANY (%(segments)s)",
    "returned": "segment = ANY (%(segments)s)",
    "bundles": "call = %(call)s",
    "subject_records": "call = %(call)s",
    "forgotten": "call = %(call)s",
}
"""Tables with rows about a call, and which rows these are."""
APART = ("segment_keys", "certificates")
"""Tables with such rows that are not in it: nobody reads keys, and certificates are files of their own."""


@dataclass(frozen=True, slots=True)
class LoggedLine:
    """A line of a log by its place."""

    log_id: str
    seq: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """The exact bytes that tell that a recording is destroyed."""

    segment: str
    body: bytes


class Bundling:
    """A desk's questions for a bundle; row security decides what there is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, call: str, segments: Sequence[str]) -> dict[str, list[Json] | None]:
        """Every row, by table, as JSON; None where this login may not read the table."""
        found: dict[str, list[Json] | None] = {}
        values = {"call": call, "segments": list(segments)}
        with self._database.transaction() as cursor:
            for table, where in TABLES.items():
                cursor.execute("SELECT has_table_privilege(%s, 'SELECT')", (f"fsgov.{table}",))
                if cursor.fetchone() != (True,):
                    found[table] = None
                    continue
                query = f"SELECT to_jsonb(t) FROM fsgov.{table} t WHERE {where}"  # noqa: S608 - our own text
                cursor.execute(f"{query} ORDER BY to_jsonb(t)::text", values)
                found[table] = [row for (row,) in cursor.fetchall()]
        return found

    def certificates(self, segments: Sequence[str]) -> list[Certificate]:
        with self._database.transaction() as cursor:
            query = "fsgov.certificates WHERE segment = ANY (%s) ORDER BY segment"
            return selected(cursor, Certificate, query, (list(segments),))

    # -- the log -------------------------------------------------------------------------------------------

    def logs(self) -> list[tuple[str, int]]:
        """Every log with its size, the newest last."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT l.log_id, coalesce((SELECT max(e.seq) + 1 FROM fsgov.event_log e"
                " WHERE e.log_id = l.log_id), 0) FROM fsgov.log l ORDER BY l.opened_at, l.log_id"
            )
            return [(str(log_id), int(size)) for log_id, size in cursor.fetchall()]

    def waiting(self, words: Sequence[str]) -> int:
        """Lines with one of these words in them that are not in the log yet."""
        with self._database.transaction() as cursor:
            query = f"SELECT count(*) FROM fsgov.outbox o WHERE {_HAS_WORD}"  # noqa: S608 - our own text
            cursor.execute(query, (_words(words),))
            (count,) = cursor.fetchone() or (0,)
            return int(count)

    def lines(
        self, log_id: str, size: int, words: Sequence[str], seen: Callable[[int], None]
    ) -> Iterator[LoggedLine]:
        """The lines of a log with one of these words in them. seen: is told how many were looked through."""
        place = "o.log_id = %s AND o.seq >= %s AND o.seq < %s"
        query = f"SELECT o.seq, o.line FROM fsgov.event_log o WHERE {place} AND {_HAS_WORD}"  # noqa: S608
        for first in range(0, size, BATCH):
            last = min(size, first + BATCH)
            with self._database.transaction() as cursor:
                cursor.execute(f"{query} ORDER BY o.seq", (log_id, first, last, _words(words)))
                for seq, line in cursor.fetchall():
                    yield LoggedLine(log_id, int(seq), bytes(line))
            seen(last - first)

    def leaves(self, log_id: str, size: int) -> Iterator[bytes]:
        """The leaves of the first `size` lines."""
        query = "SELECT leaf FROM fsgov.event_log WHERE log_id = %s AND seq >= %s AND seq < %s ORDER BY seq"
        for first in range(0, size, BATCH):
            with self._database.transaction() as cursor:
                cursor.execute(query, (log_id, first, min(size, first + BATCH)))
                yield from (bytes(leaf) for (leaf,) in cursor.fetchall())

    def newest(self, log_id: str) -> CheckpointRow | None:
        """The last checkpoint of a log."""
        with self._database.transaction() as cursor:
            return log.newest(cursor, log_id)

    def handovers(self, log_id: str, below: int) -> list[bytes]:
        """The signed notes below this size by which a key of the log handed over to the next."""
        with self._database.transaction() as cursor:
            return log.handovers(cursor, log_id, below)

    # -- the bundle's own line -----------------------------------------------------------------------------

    def enter(
        self, call: str, segments: Sequence[str], sha256: str, recipient: str, reason: str
    ) -> tuple[str, tuple[str, int]]:
        """Id of the bundle; origin and number of its line. Committed on return."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT bundle, origin, n FROM fsgov.enter_bundle(%s, %s, %s, %s, %s)",
                (call, list(segments), sha256, recipient, reason),
            )
            bundle, origin, n = cursor.fetchone() or ("", "", 0)
            return str(bundle), (str(origin), int(n))

    def placed(self, origin: str, n: int) -> LoggedLine | None:
        """The line of an origin with its place in the log; None as long as it waits."""
        with self._database.transaction() as cursor:
            found = selected(cursor, LoggedLine, "fsgov.event_log WHERE origin = %s AND n = %s", (origin, n))
        return found[0] if found else None


_HAS_WORD = "EXISTS (SELECT FROM unnest(%s::bytea[]) AS w WHERE position(w IN o.line) > 0)"


def _words(words: Sequence[str]) -> list[Binary]:
    """As they stand in a line: a whole JSON string, or where it ends with a dash the beginning of one."""
    return [Binary((f'"{word}' if word.endswith("-") else f'"{word}"').encode()) for word in words]
