"""What people had done between a dump and the loss, as they see it after a restore; and how purge goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fsgov.catalog.connection import Database
from fsgov.catalog.rows import selected


@dataclass(frozen=True, slots=True)
class RestoreRow:
    """One time that an older dump was taken up. Purge waits while `resumed_at` is None.

    known_to: what was done after it, no copy tells. copied: False: no copy tells what was done at all.
    """

    id: str
    taken_up_by: str
    taken_up_at: datetime
    known_to: datetime | None
    copied: bool
    asked_by: str | None
    asked_at: datetime | None
    asked_why: str
    resumed_by: str | None
    resumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class LostRow:
    """One act, by its line. state: open · redone · told · over · settled; see `lost_acts` in schema.sql."""

    id: str
    restore: str
    type: str
    subject: str
    actor: str | None
    at: datetime
    facts: Mapping[str, Any]
    state: str
    settled_by: str | None
    settled_at: datetime | None
    why: str


class Lost:
    """For one person. Raises NotPermitted, NotFound, Conflict, Damaged as the database does."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, application="fsgov purge", connections=1)

    def close(self) -> None:
        self._database.close()

    def restores(self) -> list[RestoreRow]:
        """The newest first."""
        with self._database.transaction() as cursor:
            return selected(cursor, RestoreRow, "fsgov.restores ORDER BY taken_up_at DESC")

    def acts(self, *, only_open: bool = False) -> list[LostRow]:
        """Of the restores after which purge waits, in the order of the lost log."""
        query = (
            "fsgov.lost_acts a WHERE (state = 'open' OR NOT %s) AND EXISTS (SELECT FROM fsgov.restores r"
            " WHERE r.id = a.restore AND r.resumed_at IS NULL) ORDER BY place"
        )
        with self._database.transaction() as cursor:
            return selected(cursor, LostRow, query, (only_open,))

    def settle(self, act: str, why: str) -> None:
        """It was done again, or is not needed any more."""
        self._act("SELECT fsgov.settle_lost(%s, %s)", act, why)

    def ask(self, why: str) -> str:
        """The first of two logins: purge may go on. The answer is the id of the restore."""
        return self._act("SELECT fsgov.ask_resume(%s)", why)

    def approve(self) -> str:
        """The second."""
        return self._act("SELECT fsgov.approve_resume()")

    def _act(self, question: str, *values: str) -> str:
        with self._database.transaction() as cursor:
            cursor.execute(question, values or None)
            (answer,) = cursor.fetchone() or ("",)
            return str(answer)
