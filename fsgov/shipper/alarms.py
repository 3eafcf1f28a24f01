"""Alarms of ship. They outlive the process (spool/ship.alarms.json): the usual cure is a restart of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from fsgov import alarms
from fsgov.errors import FsgovError, Unreachable
from fsgov.events import Instant
from fsgov.spool import EntryWriter

log = structlog.get_logger()


class Alarms(alarms.Alarms):
    """Rows of fsgov/alarms.py that ship raises: entries go into the spool, the state into a file."""

    def __init__(self, path: Path, host: str, writer: EntryWriter, now: Callable[[], Instant]) -> None:
        super().__init__("ship", self._write, now, _kept(path))
        self._path = path
        self._host = host
        self._writer = writer

    def raise_(self, name: str, fault: FsgovError) -> None:
        before = len(self.up)
        super().raise_(name, fault)
        self._keep(before)

    def clear(self, name: str) -> None:
        before = len(self.up)
        super().clear(name)
        self._keep(before)

    def over(self, names: Iterable[str], there: Callable[[str], bool]) -> None:
        """These are over, and so is each whose file is gone: whoever mended it may have taken it away."""
        for name in (*names, *(name for name in list(self.up) if not there(name))):
            self.clear(name)

    def _write(self, type_: str, time: Instant, facts: Mapping[str, str]) -> None:
        try:
            self._writer.enter(type_, self._host, time, facts)
            self._writer.sync()
        except Unreachable as fault:  # the disk is full: the log line has to do
            log.error("entries.unwritable", detail=fault.detail)

    def _keep(self, before: int) -> None:
        if len(self.up) != before:
            with suppress(OSError):
                new = self._path.with_name(f".{self._path.name}")
                new.write_text(json.dumps(self.up))
                new.replace(self._path)


def _kept(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        return dict(json.loads(path.read_text()))
    return {}
