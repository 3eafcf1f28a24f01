"""Puts the core's entries into the spool's entry file, in the core's order, without making anybody wait.

Every entry is in the file (and so survives kill -9) a few milliseconds after the step that made it; it is
fsynced together with the others of the last fifth of a second. A full disk keeps them here, in order.
"""

from __future__ import annotations

import time

import gevent
import structlog
from gevent.event import Event as Signal
from gevent.threadpool import ThreadPool

from fsgov.commands import Enter
from fsgov.errors import FsgovError
from fsgov.spool import EntryWriter

log = structlog.get_logger()

SYNC_EVERY = 0.2
"""Seconds between two fsyncs of the entry file."""
DISK_PAUSE = 1.0


class Clerk:
    """The one writer of this part's entries."""

    def __init__(self, writer: EntryWriter) -> None:
        self._writer = writer
        self._thread = ThreadPool(1)
        self._unwritten: list[Enter] = []
        self._unsynced = False
        self._synced = time.monotonic()
        self._wake = Signal()
        self._greenlet = gevent.spawn(self._run)

    def enter(self, entry: Enter) -> None:
        """Take one entry; never waits."""
        self._unwritten.append(entry)
        self._wake.set()

    def close(self) -> None:
        """Everything taken is on disk afterwards, as far as the disk lets us."""
        self._greenlet.kill()
        self._thread.apply(self._write, (self._unwritten,))
        self._thread.apply(self._writer.close)

    def _run(self) -> None:
        while True:
            self._wake.wait(timeout=SYNC_EVERY if self._unsynced else None)
            self._wake.clear()
            batch, self._unwritten = self._unwritten, []
            refused = self._thread.apply(self._write, (batch,))
            if refused:
                self._unwritten[:0] = refused
                self._wake.set()
                gevent.sleep(DISK_PAUSE)

    def _write(self, batch: list[Enter]) -> list[Enter]:
        """In the clerk's thread: append, fsync when it is time; what the disk refused."""
        for done, entry in enumerate(batch):
            try:
                self._writer.enter(entry.type, entry.subject, entry.time, entry.facts)
            except FsgovError as fault:
                log.error("entries.unwritable", detail=fault.detail, waiting=len(batch) - done)
                return batch[done:]
            self._unsynced = True
        if self._unsynced and time.monotonic() - self._synced >= SYNC_EVERY:
            try:
                self._writer.sync()
            except FsgovError as fault:
                log.error("entries.unsynced", detail=fault.detail)
                return []
            self._unsynced = False
            self._synced = time.monotonic()
        return []
