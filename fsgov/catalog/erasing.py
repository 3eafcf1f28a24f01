"""What keep asks while it carries out erasures, on a connection of its own. It never learns of whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg2 import Binary
from psycopg2.extras import Json

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.keep import LOGIN, entered
from fsgov.catalog.rows import selected


@dataclass(frozen=True, slots=True)
class Left:
    """A record of an erasure that is not at its end; segment "": the rows of the call that name the party.

    state: of the recording, "" where it has no row. promised: the ledger has it. planned: the state of its
    item in a plan that is being carried out, "" where there is none; again_at: when a locked one is tried.
    """

    call: str
    party: int
    segment: str
    state: str
    verdict: str
    promised: bool
    planned: str
    again_at: datetime | None


@dataclass(frozen=True, slots=True)
class Noted:
    """What was found of one record. `until`: microseconds since the epoch."""

    call: str
    party: int
    segment: str
    verdict: str
    reasons: tuple[str, ...] = ()
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """Requests that wait: due soon, overdue, erasures that are not at their end, lost by a restore."""

    soon: int
    overdue: int
    deferred: int
    lost: int


class Erasing:
    """Approved erasures. Raises what the catalog raises: Unreachable, NotPermitted, Conflict."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._database = Database(dsn, LOGIN, password, application="fsgov erasures", connections=1)

    def requests(self) -> list[str]:
        """Those that something may have to be erased for, the first approved first."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.erasures()")
            return [str(request) for (request,) in cursor.fetchall()]

    def left(self, request: str) -> list[Left]:
        """What is left of it, with what was entered since."""
        with self._database.transaction() as cursor:
            return selected(cursor, Left, "fsgov.found_records(%s)", (request,))

    def promised(self, request: str, records: Sequence[Left]) -> None:
        """The ledger has these."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT fsgov.promised_records(%s, %s::text[], %s::integer[])",
                (request, [each.call for each in records], [each.party for each in records]),
            )

    def note(self, request: str, records: Sequence[Noted]) -> None:
        """Raises Conflict where one is noted as erased and is there."""
        with self._database.transaction() as cursor:
            _note(cursor, request, records)

    def plan(
        self,
        request: str,
        segments: Sequence[str],
        origin: str,
        line: Callable[[int, str, str, int], bytes],
    ) -> str:
        """An approved plan of these; `line`, made from its number and from id, digest and items, tells it."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT * FROM fsgov.plan_erasure(%s, %s::text[])", (request, list(segments)))
            plan, sha256, items = cursor.fetchone() or ("", "", 0)
            enter(cursor, origin, lambda n: line(n, str(plan), str(sha256), int(items)))
            return str(plan)

    def unname(self, request: str, record: Left, origin: str, line: Callable[[int], bytes]) -> list[str]:
        """Null what names the party in this call; empty: it is so. Else who still needs it, holds first.

        `line` tells it, the first time.
        """
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT * FROM fsgov.unname_party(%s, %s, %s)", (request, record.call, record.party)
            )
            needs, new = cursor.fetchone() or ([], False)
            if new:
                enter(cursor, origin, line)
            return sorted(map(str, needs), key=lambda each: (not each.startswith("h-"), each))

    def done(self, request: str, origin: str, line: Callable[[int, int, int], bytes]) -> bool:
        """Whether it has ended now; then `line`, made from its number, recordings and calls, tells it."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT recordings, calls FROM fsgov.erasure_done(%s)", (request,))
            found = cursor.fetchone()
            if found is None:
                return False
            enter(cursor, origin, lambda n: line(n, int(found[0]), int(found[1])))
            return True

    def forget(self, before: datetime) -> int:
        """Requests that ended before then no more say whom they were about."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.forget_subjects(%s)", (before,))
            (many,) = cursor.fetchone() or (0,)
            return int(many)

    def due(self, soon: datetime) -> Due:
        with self._database.transaction() as cursor:
            return selected(cursor, Due, "fsgov.subjects_due(%s)", (soon,))[0]

    def close(self) -> None:
        self._database.close()


def _note(cursor: Cursor, request: str, records: Sequence[Noted]) -> None:
    cursor.execute("SELECT fsgov.note_records(%s, %s)", (request, Json([asdict(each) for each in records])))


def enter(cursor: Cursor, origin: str, line: Callable[[int], bytes]) -> None:
    """One line of an origin of keep, in this transaction."""
    n = entered(cursor, origin) + 1
    cursor.execute("SELECT fsgov.enter_lines(%s, %s, %s::bytea[])", (origin, n, [Binary(line(n))]))
