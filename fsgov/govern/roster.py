"""Which person an operating-system user of this host is; known without the database once it has been read.

The roster is small (`people` with an os_user) and changes seldom: it is read again every half minute and kept
in the spool as a 0600 file. A user who is not on it may do nothing.
"""

from __future__ import annotations

import contextlib
import json
import pwd
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import gevent
import structlog

from fsgov.errors import FsgovError
from fsgov.parties.memory import write_private

log = structlog.get_logger()

READ_EVERY = 30.0
"""Seconds between two readings."""
EVERY_TENANT = "*"
MAY_ACT = frozenset({"agent", "supervisor"})
"""Roles whose holders may act on live calls of their tenants."""
MAY_STOP = frozenset({"supervisor", "privacy"})
"""Roles whose holders may keep a number, a tenant or a host from being recorded."""


class Row(Protocol):
    """What the catalog tells of one person."""

    @property
    def os_user(self) -> str: ...
    @property
    def person(self) -> str: ...
    @property
    def roles(self) -> Sequence[str]: ...
    @property
    def tenants(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody known on this host. `id` is people.id; the name stays in the database."""

    id: str
    roles: frozenset[str]
    tenants: frozenset[str]

    def may_act(self, tenant: str) -> bool:
        return self._knows(tenant) and bool(self.roles & MAY_ACT)

    def may_stop(self, tenant: str) -> bool:
        """Whether this person may use the kill switch for calls of that tenant (*: of every one)."""
        return self._knows(tenant) and bool(self.roles & MAY_STOP)

    def _knows(self, tenant: str) -> bool:
        return tenant in self.tenants or EVERY_TENANT in self.tenants


class Roster:
    """os_user -> Person, read by `read` (a catalog query, blocking), remembered in `cache`."""

    def __init__(self, cache: Path, read: Callable[[], Iterable[Row]]) -> None:
        self._cache = cache
        self._read = read
        self._people: dict[str, Person] = {}
        with contextlib.suppress(OSError, ValueError, TypeError):
            self._people = {
                user: Person(id_, frozenset(roles), frozenset(tenants))
                for user, (id_, roles, tenants) in json.loads(cache.read_text()).items()
            }

    def person(self, uid: int) -> Person | None:
        """Whose login on this host has that uid; None when it is nobody's."""
        try:
            return self._people.get(pwd.getpwuid(uid).pw_name)
        except KeyError:
            return None

    def keep_reading(self) -> None:
        """Loop for ever: a greenlet's work. The query blocks, so a thread of the pool asks it."""
        while True:
            gevent.get_hub().threadpool.apply(self._refresh)
            gevent.sleep(READ_EVERY)

    def _refresh(self) -> None:
        try:
            rows = list(self._read())
        except FsgovError as fault:
            log.warning("roster.unread", reason=fault.message)
            return
        people = {
            row.os_user: Person(row.person, frozenset(row.roles), frozenset(row.tenants)) for row in rows
        }
        if people != self._people:
            self._people = people
            kept = {user: [p.id, sorted(p.roles), sorted(p.tenants)] for user, p in people.items()}
            with contextlib.suppress(OSError):  # without the file a restart without database knows nobody
                write_private(self._cache, json.dumps(kept))
