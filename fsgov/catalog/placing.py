"""Where recordings lie, and where people want them: their questions and acts, with their own login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fsgov.catalog.connection import Database
from fsgov.catalog.rows import selected


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One place of a recording. state: recording (the one that its row names), or that of the copy."""

    segment: str
    vault: str
    state: str
    moving: bool
    mode: str | None
    until: datetime | None
    stored_at: datetime | None
    said: str


_PLACES = """(
    SELECT p.*, l.mode, l.until FROM (
        SELECT s.segment, s.call, s.vault, 'recording' AS state, false AS moving, s.stored_at, '' AS said
        FROM fsgov.segments s WHERE s.object_key IS NOT NULL
        UNION ALL
        SELECT k.segment, s.call, k.vault, k.state, k.moving, k.stored_at, k.said
        FROM fsgov.copies k LEFT JOIN fsgov.segments s USING (segment)) AS p
    LEFT JOIN fsgov.locks l ON l.segment = p.segment AND l.artefact = ''
        AND l.vault = p.vault AND l.until > now()) AS found
    WHERE CASE WHEN %(id)s::text IS NULL THEN state IN ('asked', 'copying', 'tried', 'leaving', 'refused')
               ELSE %(id)s IN (segment, call) END
    ORDER BY segment, state <> 'recording', vault LIMIT %(limit)s"""


class Placing:
    """One person's view of copies. Raises what the catalog raises."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, application="fsgov desk", connections=1)

    def copies(self, id_: str | None, limit: int) -> list[PlaceRow]:
        """Every place of this segment or call; without one, copies that are not done or were refused."""
        with self._database.transaction() as cursor:
            return selected(cursor, PlaceRow, _PLACES, {"id": id_, "limit": limit})

    def ask(self, segment: str, vault: str, moving: bool, reason: str) -> str:
        """The id of the copy. Raises Conflict where there is one, or nothing is to be copied."""
        return self._act("SELECT fsgov.ask_copy(%s, %s, %s, %s)", segment, vault, moving, reason)

    def drop(self, segment: str, vault: str, reason: str) -> str:
        """The id of the copy that leaves. Raises NotFound where there is none."""
        return self._act("SELECT fsgov.drop_copy(%s, %s, %s)", segment, vault, reason)

    def _act(self, statement: str, *values: object) -> str:
        with self._database.transaction() as cursor:
            cursor.execute(statement, values)
            (answer,) = cursor.fetchone() or ("",)
            return str(answer)

    def close(self) -> None:
        self._database.close()
