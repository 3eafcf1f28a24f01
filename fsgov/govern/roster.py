"""Which person an operating-system user of this host is; known without the database once it has been read.

The roster is small (`people` with an os_user) and changes seldom: it is read again every half minute and kept
in the spool as a 0600 file. A user who is not on it may do nothing.
"""

from __future__ import annotations

import contextlib
import json
import pwd
from collections.abc import Callable
from pathlib import Path

import gevent
import structlog

from fsgov.errors import FsgovError
from fsgov.parties import write_private

log = structlog.get_logger()

READ_EVERY = 30.0
"""Seconds between two readings."""


class Roster:
    """os_user -> people.id, read by `read` (a catalog query), remembered in `cache`."""

    def __init__(self, cache: Path, read: Callable[[], dict[str, str]]) -> None:
        self._cache = cache
        self._read = read
        self._people: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            self._people = dict(json.loads(cache.read_text()))

    def person(self, uid: int) -> str | None:
        """The id of the person whose login on this host has that uid, None when there is none."""
        try:
            return self._people.get(pwd.getpwuid(uid).pw_name)
        except KeyError:
            return None

    def keep_reading(self) -> None:
        """Loop for ever: a greenlet's work."""
        while True:
            self.refresh()
            gevent.sleep(READ_EVERY)

    def refresh(self) -> None:
        try:
            people = self._read()
        except FsgovError as fault:
            log.warning("roster.unread", detail=fault.message)
            return
        if people != self._people:
            self._people = people
            gevent.get_hub().threadpool.apply(write_private, (self._cache, json.dumps(people)))
