"""What keep asks while it scrubs, on a connection of its own: what is due, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import Binary

from fsgov.catalog.connection import Database
from fsgov.catalog.keep import LOGIN
from fsgov.catalog.rows import selected


@dataclass(frozen=True, slots=True)
class Due:
    """A stored object to look at. verdict: of the last look, "" before any; the lock that it showed then.

    artefact: what was made of the segment; "": the segment's own object.
    """

    segment: str
    artefact: str
    call: str
    vault: str
    object_key: str
    version_id: str
    sealed_size: int
    sealed_sha256: str
    verdict: str
    locked_until: datetime | None
    lock_mode: str


class Scrubbing:
    """The catalog as the scrub sees it. Raises what the catalog raises: Unreachable, NotPermitted."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._database = Database(dsn, LOGIN, password, application="fsgov scrub", connections=1)

    def due(self, before: datetime, again: datetime, vaults: Sequence[str], limit: int) -> list[Due]:
        """What is due: not looked at since `before`; what was wrong, since `again`."""
        with self._database.transaction() as cursor:
            return selected(
                cursor, Due, "fsgov.scrub_due(%s, %s, %s, %s)", (before, again, list(vaults), limit)
            )

    def looked(
        self,
        due: Due,
        verdict: str,
        locked_until: datetime | None,
        lock_mode: str,
        origin: str,
        line: Callable[[int], bytes] | None,
    ) -> None:
        """Keep the verdict; and the line that tells of it, made for its number in `origin`, with it."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT fsgov.scrubbed(%s, %s, %s, %s, %s)",
                (due.segment, due.artefact, verdict, locked_until, lock_mode),
            )
            if line is not None:
                cursor.execute("SELECT fsgov.entered(%s)", (origin,))
                (last,) = cursor.fetchone() or (0,)
                lines = [Binary(line(last + 1))]
                cursor.execute("SELECT fsgov.enter_lines(%s, %s, %s::bytea[])", (origin, last + 1, lines))

    def faults(self) -> Mapping[str, int]:
        """How many objects are wrong, by verdict; without losses that a person has accepted."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT verdict, objects FROM fsgov.scrub_faults()")
            return {str(verdict): int(objects) for verdict, objects in cursor.fetchall()}

    def close(self) -> None:
        self._database.close()
