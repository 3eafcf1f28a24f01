"""What keep forgets: what names people in the rows of calls that are long over and that nothing needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fsgov.catalog.connection import Database
from fsgov.catalog.keep import LOGIN, enter_lines, entered


class Expiring:
    """The catalog for that. Raises what the catalog raises."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._database = Database(dsn, LOGIN, password, application="fsgov expiry", connections=1)

    def close(self) -> None:
        self._database.close()

    def forget(
        self,
        before: datetime,
        after: str,
        limit: int,
        origin: str,
        line: Callable[[int, int, datetime], bytes],
    ) -> tuple[int, str | None]:
        """How many calls of the next `limit` were forgotten; where to go on, None at the end.

        before: they ended earlier. after: the last call that was looked at. line: makes the entry that tells
        of it, for its number in `origin`; it is entered in the same transaction.
        """
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT forgotten, last FROM fsgov.forget_calls(%s, %s, %s)", (before, after, limit)
            )
            calls, last = cursor.fetchone() or (0, None)
            if calls:
                n = entered(cursor, origin) + 1
                enter_lines(cursor, origin, n, [line(n, int(calls), before)])
            return int(calls), last
