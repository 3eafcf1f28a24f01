"""What govern asks PostgreSQL for: who its OS users are. It can read no call, no recording, no key."""

from __future__ import annotations

from contextlib import closing

from fsgov.catalog.connection import committed, connect
from fsgov.catalog.rows import HostPersonRow, selected

LOGIN = "fsgov_govern"


def people_of_hosts(dsn: str, password: str | None) -> list[HostPersonRow]:
    """OS user -> person, roles, tenants: what govern keeps on disk for the control socket.

    Blocking (name look-up, five seconds to connect): call it in a thread. Raises Unreachable, NotPermitted.
    """
    with (
        closing(connect(dsn, LOGIN, password, application="fsgov govern")) as connection,
        committed(connection) as cursor,
    ):
        return selected(cursor, HostPersonRow, "fsgov.people_of_hosts()")
