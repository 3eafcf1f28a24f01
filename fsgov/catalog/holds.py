"""Legal holds and complaint cases: what people place, ask, approve and look at, with their own login.

The functions of schema.sql take the actor from the login, and find out what a hold reaches.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.rows import Json, selected
from fsgov.errors import NotFound

PLACING_SECONDS = 600
"""How long placing or releasing one may take: all the calls of years are looked at, and meanwhile none is
entered."""

Item = Mapping[str, Json]
"""`{kind, value}`, or `{kind: "query", filter}`."""


@dataclass(frozen=True, slots=True)
class HoldRow:
    """One hold. complaint: the case that it belongs to, or None."""

    id: str
    tenant: str
    state: str
    """in force · lost (by a restore: on everything) · release asked (waits for another login) · released."""
    matter: str
    custodian: str
    reason: str
    items: int
    placed_by: str
    placed_at: datetime
    asked_by: str | None
    asked_at: datetime | None
    asked_why: str
    released_by: str | None
    released_at: datetime | None
    complaint: str | None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One thing that a hold is about."""

    kind: str
    value: str
    filter: Json


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a hold holds now; what it came too late for; ids that the catalog does not know (yet)."""

    calls: int
    segments: int
    late: int
    unknown: int


@dataclass(frozen=True, slots=True)
class LateRow:
    """A recording whose destruction had begun when the hold was placed; why it was to be destroyed."""

    segment: str
    call: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Placed:
    """What placing a hold, or adding to it, came to. case: None where it is no complaint."""

    hold: str
    case: str | None
    extent: Extent
    late: Sequence[LateRow]


_HOLDS = """(
    SELECT h.*, k.id AS complaint, CASE WHEN h.released_at IS NOT NULL THEN 'released'
            WHEN h.lost AND h.asked_by IS NULL THEN 'lost'
            WHEN h.asked_by IS NOT NULL THEN 'release asked' ELSE 'in force' END AS state,
        (SELECT count(*) FROM fsgov.hold_items i WHERE i.hold = h.id) AS items
    FROM fsgov.holds h LEFT JOIN fsgov.cases k ON k.hold = h.id) AS found"""

_REACHES = """(%(call)s IS NULL OR lost OR id IN (
    SELECT r.hold FROM fsgov.hold_calls r
    WHERE r.call IN (%(call)s, (SELECT s.call FROM fsgov.segments s WHERE s.segment = %(call)s))
    UNION SELECT o.hold FROM fsgov.hold_segments o LEFT JOIN fsgov.segments s USING (segment)
    WHERE %(call)s IN (o.segment, s.call)))"""
_NEWEST = "ORDER BY placed_at DESC, id"


class Holds:
    """One person's holds. Each act is committed on return, or (dry) undone, so that its answer is exact."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, application="fsgov desk", connections=1)

    def close(self) -> None:
        self._database.close()

    def place(
        self,
        items: Sequence[Item],
        matter: str,
        custodian: str = "",
        reason: str = "",
        *,
        tenant: str | None = None,
        complaint: bool = False,
        dry: bool = False,
    ) -> Placed:
        """Nothing of all this is destroyed from now on. complaint: opens a case that is closed with the hold.

        Raises NotPermitted, Damaged (no such item), Conflict where it comes too late for all of it.
        """
        function = "open_case" if complaint else "place_hold"
        columns = "hold, id" if complaint else "place_hold, NULL"
        with self._database.transaction() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{PLACING_SECONDS}s'")
            cursor.execute(
                f"SELECT {columns} FROM fsgov.{function}(%s, %s, %s, %s, %s)",  # noqa: S608 - our own words
                (json.dumps(list(items)), matter, custodian, reason, tenant),
            )
            hold, case = cursor.fetchone() or ("", None)
            return _answered(cursor, hold, case, dry)

    def add(self, hold: str, items: Sequence[Item], *, dry: bool = False) -> Placed:
        """This hold is about more. Raises NotFound, Conflict where it is released, NotPermitted."""
        with self._database.transaction() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{PLACING_SECONDS}s'")
            cursor.execute("SELECT fsgov.add_to_hold(%s, %s)", (hold, json.dumps(list(items))))
            return _answered(cursor, hold, None, dry)

    def ask_release(self, hold: str, why: str) -> None:
        """The first of two logins. Raises NotFound, Conflict, NotPermitted."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.ask_release(%s, %s)", (hold, why))

    def refuse_release(self, hold: str) -> None:
        """It stays in force. Raises NotFound, Conflict where nobody has asked, NotPermitted."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.refuse_release(%s)", (hold,))

    def approve_release(self, hold: str) -> None:
        """The second login: it is over. Raises NotPermitted for the first one, NotFound, Conflict."""
        with self._database.transaction() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{PLACING_SECONDS}s'")
            cursor.execute("SELECT fsgov.approve_release(%s)", (hold,))

    def holds(self, *, released: bool = False, of_call: str | None = None) -> list[HoldRow]:
        """Those in force, the newest first; with `released` those that were, too.

        of_call: those that reach this call or, where it is the id of one, this segment.
        """
        query = f"{_HOLDS} WHERE (%(released)s OR released_at IS NULL) AND {_REACHES} {_NEWEST}"
        with self._database.transaction() as cursor:
            return selected(cursor, HoldRow, query, {"released": released, "call": of_call})

    def hold(self, hold: str) -> tuple[HoldRow, list[ItemRow], Extent, list[LateRow]]:
        """One hold, all that it is about, how much that is now. Raises NotFound."""
        with self._database.transaction() as cursor:
            found = selected(cursor, HoldRow, f"{_HOLDS} WHERE id = %s", (hold,))
            if not found:
                raise NotFound("There is no such hold", hold, "fsgov hold list")
            items = selected(cursor, ItemRow, "fsgov.hold_items WHERE hold = %s ORDER BY n", (hold,))
            return found[0], items, _extent(cursor, hold), _late(cursor, hold)


def _answered(cursor: Cursor, hold: str, case: str | None, dry: bool) -> Placed:
    placed = Placed(hold, case, _extent(cursor, hold), _late(cursor, hold))
    if dry:
        cursor.connection.rollback()
    return placed


def _extent(cursor: Cursor, hold: str) -> Extent:
    return selected(cursor, Extent, "fsgov.hold_extent(%s)", (hold,))[0]


def _late(cursor: Cursor, hold: str) -> list[LateRow]:
    return selected(cursor, LateRow, "fsgov.hold_late(%s)", (hold,))
