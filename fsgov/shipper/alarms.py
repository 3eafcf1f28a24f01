"""Alarms of ship: an entry and a log line when one is raised and when it is cleared, nothing in between.

They outlive the process (spool/ship.alarms.json), since the usual cure is a new configuration and a restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from fsgov.errors import FsgovError, Unreachable
from fsgov.events import Instant
from fsgov.spool import EntryWriter

log = structlog.get_logger()


class Alarms:
    """Which alarms are up. Names are dotted: `vault.eu`, `database`, `segment.<id>`. One thread uses it."""

    def __init__(self, path: Path, host: str, writer: EntryWriter, now: Callable[[], Instant]) -> None:
        self._path = path
        self._host = host
        self._writer = writer
        self._now = now
        self.up: dict[str, str] = {}
        with suppress(OSError, ValueError):
            self.up = dict(json.loads(path.read_text()))

    def raise_(self, name: str, fault: FsgovError) -> None:
        """Tell it once. The entry has the fault's message, which names no secret and no person."""
        if name in self.up:
            return
        log.error("alarm.raised", alarm=name, reason=fault.message, detail=fault.detail, hint=fault.hint)
        self._enter("alarm.raised", name, fault.message)
        self.up[name] = fault.message
        self._keep()

    def clear(self, name: str) -> None:
        """Tell that it is over; nothing where it was not up."""
        if name in self.up:
            log.info("alarm.cleared", alarm=name)
            self._enter("alarm.cleared", name, self.up.pop(name))
            self._keep()

    def _enter(self, type_: str, name: str, reason: str) -> None:
        try:
            self._writer.enter(type_, self._host, self._now(), {"alarm": name, "reason": reason})
            self._writer.sync()
        except Unreachable as fault:  # the disk is full: the log line has to do
            log.error("entries.unwritable", detail=fault.detail)

    def _keep(self) -> None:
        with suppress(OSError):
            new = self._path.with_name(f".{self._path.name}")
            new.write_text(json.dumps(self.up))
            new.replace(self._path)
