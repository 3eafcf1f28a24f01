"""The CRM as a view of its database: `fsgov_party(tenant, number_e164, facts jsonb, consents jsonb)`.

`facts` are values by name; `consents` says true or false by purpose; a key `_evidence` in it is the CRM's own
reference for them.

psycopg2 yields to the hub through a wait callback, which makes libpq ignore `connect_timeout`; so every wait
is bounded by whoever asks (`gevent.Timeout`), and a connection that a time-out interrupted is thrown away
(the server's own `statement_timeout` ends the query there).
"""

from __future__ import annotations

import socket
from typing import Any

import psycopg2
from gevent import select
from gevent.lock import BoundedSemaphore
from psycopg2 import errors, extensions

from fsgov.parties.answer import DEADLINE, REFUSED, UNREACHABLE, UNREADABLE, NoAnswer, Row, said

CONNECTIONS = 4
PATIENCE = 10
"""Seconds to connect for a program without gevent (`fsgov check`)."""
QUERY = "SELECT facts, consents FROM fsgov_party WHERE tenant = %s AND number_e164 = %s"


def yield_to_hub(connection: Any) -> None:
    """psycopg2's wait callback: sleep in the hub until libpq's socket is ready."""
    while True:
        match connection.poll():
            case extensions.POLL_OK:
                return
            case extensions.POLL_READ:
                select.select([connection.fileno()], [], [])
            case extensions.POLL_WRITE:
                select.select([], [connection.fileno()], [])


def cooperate() -> None:
    """From now on psycopg2 yields to gevent's hub, in the whole process."""
    extensions.set_wait_callback(yield_to_hub)


def resolved(dsn: str) -> str:
    """The DSN with `hostaddr` beside `host`: libpq's own name look-up would block the hub."""
    parts = extensions.parse_dsn(dsn)
    host = parts.get("host", "")
    if host and not host.startswith("/") and "hostaddr" not in parts:
        parts["hostaddr"] = socket.gethostbyname(host)
    return str(extensions.make_dsn(**parts))


class View:
    """Asks the view over at most CONNECTIONS connections. deadline: seconds, for the server's own limit."""

    def __init__(self, dsn: str, deadline: float) -> None:
        self._dsn = dsn
        self._milliseconds = int(deadline * 1000)
        self._idle: list[Any] = []
        self._places = BoundedSemaphore(CONNECTIONS)

    def ask(self, tenant: str, e164: str) -> Row | None:
        try:
            with self._places:
                row = self._row(tenant, e164)
        except errors.QueryCanceled:
            raise NoAnswer(DEADLINE, "statement_timeout") from None
        except (psycopg2.OperationalError, OSError) as error:
            hint = "see whether its PostgreSQL runs, and host, port, login and password of parties.dsn"
            raise NoAnswer(UNREACHABLE, type(error).__name__, hint) from None
        except psycopg2.Error as error:
            hint = (
                "the login of parties.dsn needs SELECT on fsgov_party(tenant, number_e164, facts, consents)"
            )
            raise NoAnswer(REFUSED, type(error).__name__, hint) from None
        if row is None:
            return None
        facts, consents = row[0] or {}, row[1] or {}
        if not isinstance(facts, dict) or not isinstance(consents, dict):
            raise NoAnswer(UNREADABLE, "facts or consents", "both are jsonb objects, or null")
        return Row(facts, said(consents), str(consents.get("_evidence", "")))

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _row(self, tenant: str, e164: str) -> tuple[Any, Any] | None:
        while True:
            used = bool(self._idle)
            connection = self._idle.pop() if used else self._connected()
            try:
                with connection.cursor() as cursor:
                    cursor.execute(QUERY, (tenant, e164))
                    row: tuple[Any, Any] | None = cursor.fetchone()
            except BaseException as error:
                # a time-out too: the protocol state is unknown, only a new connection is sure
                connection.close()
                if used and type(error) is psycopg2.OperationalError:
                    continue  # the server was restarted while this connection slept
                raise
            self._idle.append(connection)
            return row

    def _connected(self) -> Any:
        options = f"-c statement_timeout={self._milliseconds} -c default_transaction_read_only=on"
        connection = psycopg2.connect(resolved(self._dsn), options=options, connect_timeout=PATIENCE)
        connection.autocommit = True
        return connection
