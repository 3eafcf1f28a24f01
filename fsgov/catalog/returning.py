"""What keep asks about objects of destroyed recordings that a vault has again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extras import Json

from fsgov.catalog.connection import Database
from fsgov.catalog.keep import LOGIN, enter_lines, entered
from fsgov.catalog.rows import selected
from fsgov.certificate import Removed
from fsgov.failpoints import failpoint

Line = Callable[[int], bytes]
"""The line with this number in its origin."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A recording that a vault has something of again, though it was destroyed; object_keys: those it had.

    versions: what was noted before it was to be removed; None before that.
    """

    segment: str
    call: str
    vault: str
    versions: list[Mapping[str, str]] | None
    plan: str | None
    cause: str | None
    proposed_by: str | None
    approved_by: str | None
    key_sha256: str | None
    object_keys: list[str]


class Returning:
    """The catalog for that; not for threads. Raises what the catalog raises."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._database = Database(dsn, LOGIN, password, application="fsgov returning", connections=1)

    def close(self) -> None:
        self._database.close()

    def destroyed(self, segments: Sequence[str]) -> set[tuple[str, str]]:
        """Of these, those with a tombstone and its certificate: (segment, key), for each key that it had."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT segment, object_key FROM fsgov.destroyed_among(%s::text[])", (list(segments),)
            )
            return {(str(segment), str(key)) for segment, key in cursor.fetchall()}

    def found(self, segment: str, vault: str, key: str) -> bool:
        """Note it. False where that is known. Raises Conflict where no tombstone names the key."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.note_returned(%s, %s, %s)", (segment, vault, key))
            return cursor.fetchone() == (True,)

    def open(self) -> list[Returned]:
        with self._database.transaction() as cursor:
            return selected(cursor, Returned, "fsgov.returned_open()")

    def removing(self, row: Returned, versions: Sequence[Removed], origin: str, line: Line) -> bool:
        """These are about to be removed, and a line says so the first time. False: a hold keeps them."""
        with self._database.transaction() as cursor:
            plain = Json([each.plain() for each in versions])
            cursor.execute("SELECT fsgov.begin_removal(%s, %s, %s)", (row.segment, row.vault, plain))
            (came,) = cursor.fetchone() or ("held",)
            if came == "begun":
                n = entered(cursor, origin) + 1
                enter_lines(cursor, origin, n, [line(n)])
        failpoint("purge.returned")
        return bool(came != "held")

    def removed(self, row: Returned, origin: str, line: Callable[[int], Line]) -> int:
        """A listing has shown nothing of it: how many versions were removed, with a line that says so."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.end_removal(%s, %s)", (row.segment, row.vault))
            (count,) = cursor.fetchone() or (0,)
            n = entered(cursor, origin) + 1
            enter_lines(cursor, origin, n, [line(int(count))(n)])
        failpoint("purge.removed")
        return int(count)
