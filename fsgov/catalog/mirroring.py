"""What keep asks while it mirrors holds into the vaults, on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fsgov.catalog.connection import Database
from fsgov.catalog.keep import LOGIN, enter_lines, entered
from fsgov.catalog.rows import selected


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A segment to look at. wanted: a hold is on it; held: the vaults showed that at the last look."""

    segment: str
    call: str
    due: datetime
    wanted: bool
    held: bool
    tries: int


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a segment. what: audio, copy, replica or artefact."""

    vault: str
    object_key: str
    what: str


@dataclass(frozen=True, slots=True)
class Failing:
    """Of how many segments the vaults do not show what they should, tried how often, and why of one."""

    segments: int
    tries: int
    why: str


class Mirroring:
    """The catalog as the mirror sees it. Raises what the catalog raises: Unreachable, NotPermitted."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._database = Database(dsn, LOGIN, password, application="fsgov mirror", connections=1)

    def due(self, limit: int) -> list[Mirrored]:
        """What is to be looked at now, the longest due first."""
        with self._database.transaction() as cursor:
            return selected(cursor, Mirrored, "fsgov.mirrors_due(%s)", (limit,))

    def objects(self, segment: str) -> list[Object]:
        """Everything that is stored of a segment, wherever it is; not its keys."""
        with self._database.transaction() as cursor:
            return selected(cursor, Object, "fsgov.objects_of(%s) ORDER BY 1, 2", (segment,))

    def looked(
        self,
        about: Mirrored,
        held: bool,
        objects: int,
        unable: Sequence[str],
        why: str,
        again: timedelta | None,
        origin: str,
        line: Callable[[int], bytes] | None,
    ) -> None:
        """Keep what came of it; and the line that tells of it, made for its number in `origin`, with it."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT fsgov.mirrored(%s, %s, %s, %s, %s::text[], %s, %s)",
                (about.segment, about.due, held, objects, list(unable), why, again),
            )
            if line is not None:
                n = entered(cursor, origin) + 1
                enter_lines(cursor, origin, n, [line(n)])

    def failing(self) -> Failing:
        with self._database.transaction() as cursor:
            return selected(cursor, Failing, "fsgov.mirrors_failing()")[0]

    def close(self) -> None:
        self._database.close()
