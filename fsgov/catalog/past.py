"""Calls of the past, one after the other, for whoever may see what their decisions rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime

from fsgov.catalog.connection import Cursor, Database
from fsgov.errors import NotPermitted
from fsgov.policy.simulating import Past

AT_A_TIME = 2000
"""Rows that come from the server together: what this takes in memory does not grow with the calls."""
_WHICH = """FROM fsgov.calls WHERE opened_at >= %(since)s AND opened_at < %(until)s
    AND (%(tenant)s IS NULL OR tenant = %(tenant)s)"""


@contextmanager
def past(
    dsn: str, since: datetime, until: datetime, tenant: str | None = None
) -> Iterator[tuple[int, Iterator[Past]]]:
    """How many calls there are, and they, in no order; in one transaction. Row security says which.

    Raises NotPermitted where this login may not see numbers: inputs hold them.
    """
    wanted = {"since": since, "until": until, "tenant": tenant}
    with (
        closing(Database(dsn, application="fsgov desk", connections=1)) as database,
        database.transaction() as cursor,
    ):
        cursor.execute("SELECT has_table_privilege('fsgov.parties', 'SELECT')")
        if cursor.fetchone() != (True,):
            raise NotPermitted(
                "The inputs of decisions hold numbers", "", "supervisor, privacy and auditor may see them"
            )
        cursor.execute(f"SELECT count(*) {_WHICH}", wanted)
        (count,) = cursor.fetchone() or (0,)
        with cursor.connection.cursor(name="past") as streaming:
            streaming.itersize = AT_A_TIME
            yield int(count), _rows(streaming, wanted)


def _rows(cursor: Cursor, wanted: Mapping[str, object]) -> Iterator[Past]:
    cursor.execute(
        "SELECT call, opened_at, coalesce(revised_outcome, outcome, ''), coalesce(policy_sha256, ''), inputs,"
        f" decision {_WHICH}",
        wanted,
    )
    for row in cursor:
        yield Past(*row)
