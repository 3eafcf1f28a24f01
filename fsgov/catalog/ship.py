"""What ship enters: calls, segments with their wrapped keys, policies, and the lines of its host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import Binary

from fsgov import jsonb
from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.rows import selected

LOGIN = "fsgov_ship"


def storable(text: str) -> str:
    """The same JSON as jsonb can hold it."""
    return jsonb.kept(json.dumps(json.loads(text), ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Waiting:
    """An artefact that waits for its vault, sealed; and the lock that its recording has there, if any."""

    artefact: str
    segment: str
    object_key: str
    sealed: bytes
    lock_mode: str | None
    locked_until: datetime | None


class Entering:
    """One transaction of ship. Everything in it can be entered again: the answers say what was new."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def call(self, text: str) -> bool:
        """The call file of the spool (JSON). False: this revision or a newer one is there."""
        return bool(self._ask("SELECT fsgov.enter_call(%s)", storable(text)))

    def segment(self, text: str, wrapped_key: bytes | None) -> bool:
        """A sidecar (JSON) in state `stored`, or one without `stored` and key where there was no audio.

        False: it is there, with the same digest. Raises Damaged when another digest is there.
        """
        key = None if wrapped_key is None else Binary(wrapped_key)
        return bool(self._ask("SELECT fsgov.enter_segment(%s, %s)", storable(text), key))

    def lock(self, segment: str, vault: str, mode: str, until: int) -> None:
        """The lock that the vault shows on a segment that was just entered; until: microseconds."""
        self._ask("SELECT fsgov.note_lock(%s, %s, %s, to_timestamp(%s))", segment, vault, mode, until / 1e6)

    def lines(self, origin: str, first: int, lines: Sequence[bytes]) -> int:
        """Lines `first`, `first + 1`, ... of a govern or ship origin; the answer is the last one entered.

        Raises Conflict on a gap, Damaged where another line has that number or the line is not of its origin.
        """
        rows = [Binary(line) for line in lines]
        return int(str(self._ask("SELECT fsgov.enter_lines(%s, %s, %s::bytea[])", origin, first, rows)))

    def entered(self, origin: str) -> int:
        """How many lines of this origin are entered."""
        return int(str(self._ask("SELECT fsgov.entered(%s)", origin)))

    def policy(self, version: str, text: str) -> str:
        """A policy document, kept under its digest (the answer, hex)."""
        return str(self._ask("SELECT fsgov.enter_policy(%s, %s)", version, text))

    def outcome(self, call: str, outcome: str, cause: str) -> bool:
        """What the audio says: `failed` or `recorded-in-part`. False: the call is not entered yet."""
        return bool(self._ask("SELECT fsgov.revise_outcome(%s, %s, %s)", call, outcome, cause))

    def log_id(self) -> str:
        """The log that is written. Another than the last time: the database was restored meanwhile."""
        return str(self._ask("SELECT fsgov.current_log()"))

    def erased(self, segments: Sequence[str]) -> list[str]:
        """Those of them whose keys are destroyed."""
        self._cursor.execute("SELECT fsgov.erased_among(%s::text[])", (list(segments),))
        return [str(segment) for (segment,) in self._cursor.fetchall()]

    def is_retold(self, subject: str, type_: str) -> bool:
        """Lines that tell this have been put back from a copy of the log."""
        return bool(self._ask("SELECT fsgov.is_retold(%s, %s)", subject, f"fsgov.{type_}.v1"))

    def artefact(self, vault: str) -> Waiting | None:
        """One that waits for this vault, locked with its segment until the transaction ends."""
        found = selected(self._cursor, Waiting, "fsgov.take_artefact(%s)", (vault,))
        return found[0] if found else None

    def artefact_stored(self, artefact: str, version: str) -> None:
        """The vault has confirmed it. Raises Conflict where it does not wait."""
        self._ask("SELECT fsgov.artefact_stored(%s, %s)", artefact, version)

    def _ask(self, question: str, *values: object) -> object:
        self._cursor.execute(question, values)
        row = self._cursor.fetchone()
        assert row is not None
        return row[0]


class Ship:
    """The catalog as ship sees it: it enters, and reads nothing back but how far it came."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def entering(self) -> Iterator[Entering]:
        """One transaction, committed at the end of the block (step 6 of the durable order).

        Raises Unreachable (try again), Damaged, Conflict, NotPermitted (do not).
        """
        with self._database.transaction() as cursor:
            yield Entering(cursor)

    def close(self) -> None:
        self._database.close()


def open_ship(dsn: str, password: str | None, connections: int = 4) -> Ship:
    return Ship(Database(dsn, LOGIN, password, application="fsgov ship", connections=connections))
