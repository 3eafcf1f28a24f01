"""The event log as it is read: lines by their place, checkpoints, how far it is. By people and by keep."""

from __future__ import annotations

from collections.abc import Iterator

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.rows import CheckpointRow, KeeperRow, LineRow, LogState, SinkRow, selected
from fsgov.errors import NotFound

BATCH = 1000

_DECIDED = """(
    SELECT seq, origin, n, line FROM fsgov.event_log
    WHERE position('"type":"fsgov.call.decided.v1"'::bytea IN line) > 0
      AND substring(encode(line, 'escape') FROM '"subject":"([^"]*)"') = %(call)s
    UNION ALL SELECT -1, origin, n, line FROM fsgov.outbox
    WHERE position('"type":"fsgov.call.decided.v1"'::bytea IN line) > 0
      AND substring(encode(line, 'escape') FROM '"subject":"([^"]*)"') = %(call)s
    ) AS found ORDER BY convert_from(line, 'UTF8')::jsonb ->> 'time', origin, n"""
"""The first half is word for word what the index event_log_decided is over."""

_STATE = """(
    SELECT l.log_id, coalesce(e.seq + 1, 0) AS size, coalesce(c.size, 0) AS signed, c.at AS signed_at,
           w.waiting, w.oldest_waiting
    FROM (SELECT log_id FROM fsgov.log ORDER BY opened_at DESC LIMIT 1) l
    LEFT JOIN LATERAL (SELECT seq FROM fsgov.event_log WHERE log_id = l.log_id
                       ORDER BY seq DESC LIMIT 1) e ON true
    LEFT JOIN LATERAL (SELECT size, at FROM fsgov.checkpoints WHERE log_id = l.log_id
                       ORDER BY size DESC LIMIT 1) c ON true
    CROSS JOIN (SELECT count(*) AS waiting, min(entered_at) AS oldest_waiting FROM fsgov.outbox) w
    ) AS found"""


class Log:
    """Questions about the log. A cursor of a reader is `(log_id, seq)`: the next line it wants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> LogState:
        """How far the newest log is. Raises NotFound where this login sees none."""
        with self._database.transaction() as cursor:
            found = selected(cursor, LogState, _STATE)
        if not found:
            raise NotFound("This login sees no log", hint="the log is for members of every tenant (*)")
        return found[0]

    def lines(self, log_id: str, first: int = 0, size: int | None = None) -> Iterator[LineRow]:
        """The lines from seq `first` up to, not including, `size` (None: what is there), in their order.

        Each batch is a transaction of its own; lines never change, so they fit together.
        """
        while size is None or first < size:
            with self._database.transaction() as cursor:
                batch = lines(cursor, log_id, first, BATCH if size is None else min(BATCH, size - first))
            yield from batch
            if not batch:
                return
            first = batch[-1].seq + 1

    def checkpoints(self, log_id: str, above: int = 0) -> list[CheckpointRow]:
        """Signed states larger than `above` lines, the smallest first."""
        with self._database.transaction() as cursor:
            return checkpoints(cursor, log_id, above)

    def decided(self, call: str) -> list[bytes]:
        """The lines call.decided of one call, in their order; also those that wait for the sequencer."""
        with self._database.transaction() as cursor:
            return [row.line for row in selected(cursor, LineRow, _DECIDED, {"call": call})]

    def keepers(self) -> list[KeeperRow]:
        """The keep of each host that has, or had, one."""
        with self._database.transaction() as cursor:
            return selected(cursor, KeeperRow, "fsgov.keepers ORDER BY host")

    def sinks(self) -> list[SinkRow]:
        """How far each sink is."""
        with self._database.transaction() as cursor:
            return selected(cursor, SinkRow, "fsgov.sinks ORDER BY sink, log_id")


def lines(cursor: Cursor, log_id: str, first: int, limit: int) -> list[LineRow]:
    """At most `limit` lines from seq `first` on."""
    source = "fsgov.event_log WHERE log_id = %s AND seq >= %s ORDER BY seq LIMIT %s"
    return selected(cursor, LineRow, source, (log_id, first, limit))


def checkpoints(cursor: Cursor, log_id: str, above: int) -> list[CheckpointRow]:
    source = "fsgov.checkpoints WHERE log_id = %s AND size > %s ORDER BY size"
    return selected(cursor, CheckpointRow, source, (log_id, above))


def newest(cursor: Cursor, log_id: str) -> CheckpointRow | None:
    """The last checkpoint of a log, by the key that signs it now."""
    source = "fsgov.checkpoints WHERE log_id = %s ORDER BY size DESC LIMIT 1"
    found = selected(cursor, CheckpointRow, source, (log_id,))
    return found[0] if found else None


def handovers(cursor: Cursor, log_id: str, below: int) -> list[bytes]:
    """The signed notes below this size by which one key handed the log over to the next, in their order."""
    source = "fsgov.checkpoints WHERE log_id = %s AND size < %s AND position(%s IN note) > 0 ORDER BY size"
    found = selected(cursor, CheckpointRow, source, (log_id, below, "\nnext "))
    return [row.note.encode() for row in found]
