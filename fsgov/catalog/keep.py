"""What keep asks: which lines wait, move them, keep a checkpoint. On one connection, the sequencer's own.

Being the sequencer is an advisory lock of that connection: when it breaks, another keep may take over, so
whoever finds that it `leads` no more looks where the log is now. PostgreSQL itself ends the connection of a
keep that says nothing for a while (frozen, or on a host that is gone): what it wanted to write when it wakes
is refused, since that connection is no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg2
from psycopg2 import Binary
from psycopg2.extras import Json

from fsgov.catalog import log
from fsgov.catalog.connection import Connection, Cursor, committed, connect
from fsgov.catalog.rows import CheckpointRow, LineRow, selected
from fsgov.errors import NotFound, Unreachable

LOGIN = "fsgov_keep"
SILENT_SECONDS = 20
"""How long a keep may say nothing before another one may take over; a round is due twice a second."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line in the outbox: line `n` of its origin."""

    origin: str
    n: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """The newest checkpoint: its size, and the roots of the full subtrees from which the log grows on."""

    size: int
    root: bytes
    hashes: tuple[bytes, ...]


class Move:
    """One transaction of the sequencer: what waits is read, moved, and committed at the end of the block."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def waiting(self, limit: int) -> list[Waiting]:
        """Lines whose turn it is: of each origin those that follow its last one in the log, without a gap.

        The oldest come first, whichever origin they are of.
        """
        return selected(
            self._cursor,
            Waiting,
            """(
                SELECT o.* FROM fsgov.origins g
                CROSS JOIN LATERAL (
                    SELECT origin, n, line, row_number() OVER (ORDER BY n) AS place,
                           max(entered_at) OVER (ORDER BY n) AS turn
                    FROM fsgov.outbox WHERE origin = g.origin AND n > g.sequenced_n
                    ORDER BY n LIMIT %(limit)s) o
                WHERE g.sequenced_n < g.entered_n AND o.n = g.sequenced_n + o.place
                ORDER BY o.turn, o.origin, o.n LIMIT %(limit)s) AS found
               ORDER BY turn, origin, n""",
            {"limit": limit},
        )

    def into_log(self, log_id: str, first: int, lines: Sequence[Waiting]) -> int:
        """These lines become seq `first`, `first + 1`, ...; the answer is the size of the log.

        Raises Conflict where another sequencer is at work, the log goes on elsewhere, or a line is missing.
        """
        self._cursor.execute(
            "SELECT fsgov.sequence(%s, %s, %s::text[], %s::bigint[])",
            (log_id, first, [line.origin for line in lines], [line.n for line in lines]),
        )
        (size,) = self._cursor.fetchone() or (0,)
        return int(size)


class Keep:
    """The catalog as keep sees it."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._dsn = dsn
        self._password = password
        self._connection: Connection | None = None

    @property
    def connected(self) -> bool:
        """False before the first question, and after one that found PostgreSQL away."""
        return self._connection is not None and not self._connection.closed

    def leads(self) -> bool:
        """This connection is the sequencer. False after it broke: another keep may have written since."""
        with self._asking() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7377471"
                " AND pid = pg_backend_pid() AND granted)"
            )
            return cursor.fetchone() == (True,)

    def lead(self) -> bool:
        """Become the sequencer. False: another keep is. Raises Unreachable, NotPermitted."""
        with self._asking() as cursor:
            cursor.execute("SELECT fsgov.be_sequencer()")
            return cursor.fetchone() == (True,)

    @contextmanager
    def moving(self) -> Iterator[Move]:
        """One transaction over the outbox. Raises Unreachable; what was not committed still waits."""
        with self._asking() as cursor:
            yield Move(cursor)

    def log_id(self) -> str:
        """The log that is written: the newest. Raises NotFound before `db init`."""
        with self._asking() as cursor:
            cursor.execute("SELECT log_id FROM fsgov.log ORDER BY opened_at DESC LIMIT 1")
            row = cursor.fetchone()
        if row is None:
            raise NotFound("There is no log yet", hint="fsgov db init")
        return str(row[0])

    def size(self, log_id: str) -> int:
        """How many lines there are of it."""
        with self._asking() as cursor:
            query = "SELECT coalesce(max(seq) + 1, 0) FROM fsgov.event_log WHERE log_id = %s"
            cursor.execute(query, (log_id,))
            (size,) = cursor.fetchone() or (0,)
        return int(size)

    def edge(self, log_id: str) -> Edge:
        """The newest checkpoint's edge; an empty one where nothing is signed yet."""
        with self._asking() as cursor:
            cursor.execute(
                "SELECT size, root, frontier FROM fsgov.checkpoints WHERE log_id = %s"
                " ORDER BY size DESC LIMIT 1",
                (log_id,),
            )
            row = cursor.fetchone()
        if row is None:
            return Edge(0, b"", ())
        frontier = bytes(row[2])
        hashes = tuple(frontier[at : at + 32] for at in range(0, len(frontier), 32))
        return Edge(row[0], bytes(row[1]), hashes)

    def signed_at(self, log_id: str) -> int | None:
        """When the newest checkpoint was signed (microseconds since the epoch); None before the first."""
        with self._asking() as cursor:
            cursor.execute(
                "SELECT (extract(epoch FROM max(at)) * 1000000)::bigint FROM fsgov.checkpoints"
                " WHERE log_id = %s",
                (log_id,),
            )
            (at,) = cursor.fetchone() or (None,)
        return None if at is None else int(at)

    def leaves(self, log_id: str, first: int, limit: int) -> list[bytes]:
        """At most `limit` leaf hashes from seq `first` on."""
        with self._asking() as cursor:
            cursor.execute(
                "SELECT leaf FROM fsgov.event_log WHERE log_id = %s AND seq >= %s ORDER BY seq LIMIT %s",
                (log_id, first, limit),
            )
            return [bytes(leaf) for (leaf,) in cursor.fetchall()]

    def lines(self, log_id: str, first: int, limit: int) -> list[LineRow]:
        with self._asking() as cursor:
            return log.lines(cursor, log_id, first, limit)

    def checkpoints(self, log_id: str, above: int) -> list[CheckpointRow]:
        """Signed states larger than `above` lines, the smallest first."""
        with self._asking() as cursor:
            return log.checkpoints(cursor, log_id, above)

    def store_checkpoint(self, log_id: str, edge: Edge, note: str) -> None:
        """Raises Conflict where the log is shorter, or this size is signed already."""
        with self._asking() as cursor:
            cursor.execute(
                "SELECT fsgov.store_checkpoint(%s, %s, %s, %s, %s)",
                (log_id, edge.size, Binary(edge.root), Binary(b"".join(edge.hashes)), note),
            )

    def sink_reached(self, sink: str, log_id: str, size: int) -> None:
        """For status: this sink has the first `size` lines."""
        with self._asking() as cursor:
            cursor.execute("SELECT fsgov.sink_reached(%s, %s, %s)", (sink, log_id, size))

    def say(self, host: str, alarms: Mapping[str, str]) -> None:
        """The keep of this host lives, and these alarms of its are up: for status, and for govern."""
        with self._asking() as cursor:
            cursor.execute("SELECT fsgov.keep_says(%s, %s)", (host, Json(dict(alarms))))

    @contextmanager
    def stating(self) -> Iterator[Cursor]:
        """One transaction over what the daily statement counts; the words for it are `catalog.statements`."""
        with self._asking() as cursor:
            yield cursor

    def sink_size(self, sink: str, log_id: str) -> int:
        """How many lines `sink_reached` last said this sink has."""
        with self._asking() as cursor:
            cursor.execute("SELECT size FROM fsgov.sinks WHERE sink = %s AND log_id = %s", (sink, log_id))
            (size,) = cursor.fetchone() or (0,)
        return int(size)

    def entered(self, origin: str) -> int:
        with self._asking() as cursor:
            return entered(cursor, origin)

    def enter(self, origin: str, first: int, lines: Sequence[bytes]) -> int:
        """Lines of this keep's own origin (alarms); the answer is the last one entered."""
        with self._asking() as cursor:
            return enter_lines(cursor, origin, first, lines)

    def close(self) -> None:
        """Ends the connection, and with it being the sequencer."""
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    @contextmanager
    def _asking(self) -> Iterator[Cursor]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(
                self._dsn, LOGIN, self._password, application="fsgov keep", silent=SILENT_SECONDS
            )
        try:
            with committed(self._connection) as cursor:
                yield cursor
        except Unreachable:
            self.close()
            raise


def enter_lines(cursor: Cursor, origin: str, first: int, lines: Sequence[bytes]) -> int:
    """Lines of an origin of keep, in this transaction; the answer is the last one entered."""
    rows = [Binary(line) for line in lines]
    cursor.execute("SELECT fsgov.enter_lines(%s, %s, %s::bytea[])", (origin, first, rows))
    (n,) = cursor.fetchone() or (0,)
    return int(n)


def entered(cursor: Cursor, origin: str) -> int:
    """How many lines of this origin are entered."""
    cursor.execute("SELECT fsgov.entered(%s)", (origin,))
    (n,) = cursor.fetchone() or (0,)
    return int(n)
