"""Connections to PostgreSQL that survive its restarts, and what its refusals mean to fsgov.

Plain blocking psycopg2 for ship, keep and people. Whether a failure is worth another try is decided here and
nowhere else: `Unreachable` is, everything else is not. The functions of schema.sql raise SQLSTATEs of their
own (FG403, FG404, FG409, FG422) with message, detail and hint for people.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import psycopg2
from psycopg2 import extensions

from fsgov import embedded
from fsgov.errors import BadConfiguration, Conflict, Damaged, FsgovError, NotFound, NotPermitted, Unreachable

Connection = extensions.connection
Cursor = extensions.cursor

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
SILENT_SECONDS = STATEMENT_SECONDS + 10
IDLE_SECONDS = 1.0
"""A connection that lay idle longer is asked whether it still lives before it is used."""

_KINDS: dict[str, type[FsgovError]] = {
    "FG403": NotPermitted,
    "FG404": NotFound,
    "FG409": Conflict,
    "FG422": Damaged,
    "42501": NotPermitted,  # insufficient_privilege
    "28P01": NotPermitted,  # invalid_password
    "28000": NotPermitted,  # invalid_authorization_specification
    "3D000": BadConfiguration,  # no such database
    "3F000": BadConfiguration,  # no such schema
    "42P01": BadConfiguration,  # no such table
    "42883": BadConfiguration,  # no such function
    "55P03": Unreachable,  # lock_not_available
    "57014": Unreachable,  # query_canceled: statement_timeout
    "25P03": Unreachable,  # idle_in_transaction_session_timeout
}
_CLASSES: dict[str, type[FsgovError]] = {
    "08": Unreachable,  # connection exceptions
    "40": Unreachable,  # serialization failure, deadlock
    "53": Unreachable,  # out of disk, memory, connections
    "57": Unreachable,  # shut down, crashed, cannot connect now
    "58": Unreachable,  # system error
    "22": Damaged,  # data exceptions: text that is no JSON, no number, no instant
    "23": Conflict,  # integrity constraints
}
_AT_THE_DOOR = ("password authentication failed", "no password supplied", "not permitted to log in")
_NOT_MADE = ("does not exist",)


def in_our_words(error: psycopg2.Error) -> FsgovError:
    """What this failure means; parameters (numbers, keys) are never repeated."""
    state = error.pgcode
    said = error.diag.message_primary or (str(error).strip().splitlines() or [type(error).__name__])[0]
    if state is None:
        return _without_state(error, said)
    kind = _KINDS.get(state) or _CLASSES.get(state[:2]) or FsgovError
    if state.startswith("FG"):
        detail, hint = error.diag.message_detail or "", error.diag.message_hint or ""
        return kind(said[0].upper() + said[1:], detail, hint)
    if kind is Unreachable:
        return Unreachable("PostgreSQL does not answer", said)
    if kind is NotPermitted:
        return NotPermitted("The database refuses this to the login", said)
    if kind is BadConfiguration:
        return BadConfiguration("This database was not made for fsgov", said, "fsgov db init, or db upgrade")
    return kind("PostgreSQL refuses", f"{said} ({state})")


def _without_state(error: psycopg2.Error, said: str) -> FsgovError:
    """Failures of libpq itself have no SQLSTATE: no connection, or one that broke."""
    whole = str(error)
    if any(words in whole for words in _AT_THE_DOOR):
        return NotPermitted("PostgreSQL refuses this login", said, "check login and password")
    if any(words in whole for words in _NOT_MADE):
        return BadConfiguration("This database was not made for fsgov", said, "fsgov db init")
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return Unreachable("PostgreSQL does not answer", said)
    if isinstance(error, psycopg2.ProgrammingError):
        return BadConfiguration("The database DSN is not one", said, "postgresql://user@host/database")
    return FsgovError("The database client failed", said)


def connect(
    dsn: str,
    login: str | None = None,
    password: str | None = None,
    *,
    application: str = "fsgov",
    silent: int = 0,
) -> Connection:
    """One connection, UTC, with time limits. `dsn` as in the configuration (`embedded:PATH` too).

    silent: seconds without a word of ours after which PostgreSQL ends the connection; 0: it lasts.
    Raises Unreachable, NotPermitted, BadConfiguration.
    """
    try:
        connection = psycopg2.connect(
            embedded.resolve(dsn, login, password),
            connect_timeout=CONNECT_SECONDS,
            application_name=application,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=20_000,
            options=f"-c statement_timeout={STATEMENT_SECONDS}s -c idle_session_timeout={silent}s"
            f" -c idle_in_transaction_session_timeout={silent or 60}s"
            " -c lock_timeout=10s -c timezone=UTC -c search_path=pg_catalog",
        )
    except psycopg2.Error as error:
        raise in_our_words(error) from error
    except ValueError as error:  # of urlsplit
        hint = "postgresql://user@host/database"
        raise BadConfiguration("The database DSN is no URL", hint=hint) from error
    connection.set_session(isolation_level=extensions.ISOLATION_LEVEL_READ_COMMITTED)
    return connection


def impatient(silent: float = SILENT_SECONDS) -> None:
    """From now on, in this process, a server that says nothing for `silent` seconds is away: Unreachable.

    The server's own time limits end what runs too long, but a frozen one keeps none, and as long as its
    kernel acknowledges what we send, TCP sees nothing wrong either.
    """
    extensions.set_wait_callback(partial(_answered, silent))


def _answered(silent: float, connection: Connection) -> None:
    """Wait for what the server says next. psycopg2 closes the connection when this raises."""
    while (wanted := connection.poll()) != extensions.POLL_OK:
        making = connection.status == extensions.STATUS_SETUP
        waiting = select.poll()
        waiting.register(
            connection.fileno(), select.POLLIN if wanted == extensions.POLL_READ else select.POLLOUT
        )
        if not waiting.poll(1000 * (min(silent, CONNECT_SECONDS) if making else silent)):
            raise psycopg2.OperationalError(f"the server has said nothing for {silent:g} seconds")


@contextmanager
def committed(connection: Connection) -> Iterator[Cursor]:
    """A transaction: committed at the end of the block, rolled back by whatever leaves it otherwise.

    A failed commit whose answer was lost may have happened: every entering function can be called again.
    """
    try:
        with connection.cursor() as cursor:
            yield cursor
        connection.commit()
    except psycopg2.Error as error:
        with suppress(psycopg2.Error):
            connection.rollback()
        raise in_our_words(error) from error
    except BaseException:
        with suppress(psycopg2.Error):
            connection.rollback()
        raise


class Database:
    """A few connections of one login, made when needed, shared by threads; the last used goes out first.

    It waits when all are out. A connection that broke is thrown away, one that lay idle is tried first:
    after a restart of PostgreSQL the next transaction works.
    """

    def __init__(
        self,
        dsn: str,
        login: str | None = None,
        password: str | None = None,
        *,
        application: str = "fsgov",
        connections: int = 4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = partial(connect, dsn, login, password, application=application)
        self._free = threading.BoundedSemaphore(connections)
        self._idle: list[tuple[float, Connection]] = []
        self._clock = clock

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Raises Unreachable when PostgreSQL is away, or every connection is out for long."""
        if not self._free.acquire(timeout=STATEMENT_SECONDS):
            raise Unreachable("Every connection to PostgreSQL is in use")
        try:
            connection = self._living()
            try:
                with committed(connection) as cursor:
                    yield cursor
            finally:
                if _is_idle(connection):
                    self._idle.append((self._clock(), connection))
                else:
                    connection.close()
        finally:
            self._free.release()

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    def _living(self) -> Connection:
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if self._clock() - since < IDLE_SECONDS or _lives(connection):
                return connection
            connection.close()
        return self._connect()


def _is_idle(connection: Connection) -> bool:
    return connection.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


def _lives(connection: Connection) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT")
        connection.rollback()
    except psycopg2.Error:
        return False
    return True
