"""What the CRM knows of a party: the SQL view `fsgov_party`, asked with a deadline, a day's memory on disk.

The view is the operator's: `fsgov_party(tenant, number_e164, facts jsonb, consents jsonb)`, in the database
that `parties.dsn` names. `facts` are strings by name; `consents` says true or false by purpose; a key
`_evidence` in it is the CRM's own reference for them. Only the facts that the policy names are read or kept.

This runs in govern, under gevent: psycopg2 yields to the hub through a wait callback, which makes libpq
ignore `connect_timeout`; every wait is therefore bounded here by `gevent.Timeout`, and a connection that a
time-out interrupted is thrown away (the server's own `statement_timeout` ends the query there).
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gevent
import psycopg2
import structlog
from gevent import select
from gevent.queue import Empty, LifoQueue
from psycopg2 import extensions

from fsgov.commands import LookUpParty
from fsgov.events import Event, Instant, PartyFound, PartyUnknown

log = structlog.get_logger()

CONNECTIONS = 4
KEPT_SECONDS = 24 * 3600
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


class Parties:
    """Answers `LookUpParty` with `PartyFound` or `PartyUnknown`, always within the deadline.

    deadline: seconds. facts: names of the facts that the policy in force uses.
    """

    def __init__(
        self,
        dsn: str | None,
        deadline: float,
        cache: Path,
        emit: Callable[[Event], None],
        now: Callable[[], Instant],
    ) -> None:
        self._dsn = dsn
        self._deadline = deadline
        self._cache = cache
        self._emit = emit
        self._now = now
        self._idle: LifoQueue[Any] = LifoQueue()
        self._places = CONNECTIONS
        self.facts: frozenset[str] = frozenset()

    def look_up(self, command: LookUpParty) -> None:
        """Ask, and emit the answer; meant to run in a greenlet of its own."""
        facts, consents, reason = self._row(command.tenant, command.e164)
        call, number, party = command.call, command.number, command.party
        if reason:
            self._emit(PartyUnknown(now=self._now(), call=call, command=number, party=party, reason=reason))
            return
        evidence = str(consents.pop("_evidence", ""))
        wanted = {name: as_text(facts[name]) for name in self.facts if facts.get(name) is not None}
        answered = {name: given for name, given in consents.items() if isinstance(given, bool)}
        self._emit(
            PartyFound(
                now=self._now(),
                call=call,
                command=number,
                party=party,
                facts=wanted,
                consents=answered,
                evidence=evidence,
            )
        )

    def close(self) -> None:
        """Hang up every connection that nobody uses."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _row(self, tenant: str, e164: str) -> tuple[dict[str, Any], dict[str, Any], str]:
        """(facts, consents, "") or ({}, {}, why not)."""
        if not self._dsn:
            return {}, {}, "no CRM"
        if not e164:
            return {}, {}, "no number"
        try:
            with gevent.Timeout(self._deadline):
                row = self._ask(tenant, e164)
        except gevent.Timeout:
            row, reason = self._kept(tenant, e164), "deadline"
        except (psycopg2.Error, OSError) as error:
            log.warning("party.lookup.failed", error=type(error).__name__)
            row, reason = self._kept(tenant, e164), "unreachable"
        else:
            reason = "no row"
            if row is not None:
                self._keep(tenant, e164, row)
        return (row[0], row[1], "") if row is not None else ({}, {}, reason)

    def _ask(self, tenant: str, e164: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        while True:
            connection, used = self._connection()
            try:
                with connection.cursor() as cursor:
                    cursor.execute(QUERY, (tenant, e164))
                    row = cursor.fetchone()
            except BaseException as error:
                # a time-out too: the protocol state is unknown, only a new connection is sure
                self._places += 1
                connection.close()
                if used and isinstance(error, psycopg2.OperationalError):
                    continue  # the server was restarted while this connection slept
                raise
            self._idle.put(connection)
            return (dict(row[0] or {}), dict(row[1] or {})) if row else None

    def _connection(self) -> tuple[Any, bool]:
        """(a connection, was it used before)."""
        try:
            return self._idle.get_nowait(), True
        except Empty:
            pass
        if self._places <= 0:
            return self._idle.get(), True
        self._places -= 1
        try:
            milliseconds = int(self._deadline * 1000)
            connection = psycopg2.connect(
                resolved(str(self._dsn)),
                options=f"-c statement_timeout={milliseconds} -c default_transaction_read_only=on",
            )
            connection.autocommit = True
        except BaseException:
            self._places += 1
            raise
        return connection, False

    # -- a day's memory, for when the CRM is down: 0600, named by hash, only what the policy names ------

    def _path(self, tenant: str, e164: str) -> Path:
        return self._cache / hashlib.sha256(f"{tenant}\n{e164}".encode()).hexdigest()

    def _keep(self, tenant: str, e164: str, row: tuple[dict[str, Any], dict[str, Any]]) -> None:
        kept = {name: row[0][name] for name in self.facts if name in row[0]}
        gevent.get_hub().threadpool.spawn(write_private, self._path(tenant, e164), json.dumps([kept, row[1]]))

    def _kept(self, tenant: str, e164: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        path = self._path(tenant, e164)
        try:
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                return None
            facts, consents = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        return facts, consents


def as_text(value: object) -> str:
    """A fact as policies compare it: text as it is, everything else as JSON writes it (`true`, `7`)."""
    return value if isinstance(value, str) else json.dumps(value)


def write_private(path: Path, text: str) -> None:
    """Replace a 0600 file atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def forget_old(cache: Path, now: float) -> int:
    """Unlink what is older than a day; how many went."""
    gone = 0
    for path in _files(cache):
        if now - path.stat().st_mtime > KEPT_SECONDS:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _files(cache: Path) -> Iterable[Path]:
    return list(cache.iterdir()) if cache.is_dir() else ()
