"""govern looks at itself: once a second for alarms, every few seconds whether the spool takes a write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import gevent
import structlog
from gevent import pywsgi

from fsgov.alarms import Alarms
from fsgov.call.holding import SpoolRoom
from fsgov.commands import Enter
from fsgov.config.settings import Address, Settings
from fsgov.esl.link import Link
from fsgov.esl.pool import Pool
from fsgov.esl.translate import Translator
from fsgov.events import Instant
from fsgov.govern.dispatch import Dispatch
from fsgov.govern.writing import Writing
from fsgov.health.govern import GovernVitals, Pieces
from fsgov.health.listener import refused
from fsgov.health.pages import application
from fsgov.health.tally import Tally
from fsgov.spool import Spool
from fsgov.switchboard import Switchboard
from fsgov.watermarks import Mark

log = structlog.get_logger()

LOOK_EVERY = 1.0
PROBE_EVERY, PROBE_AGAIN = 5.0, 1.0
"""Seconds between two probes of the spool's disk, and while it refuses."""
STALLED = 5.0
"""Seconds without an answer after which a disk counts as one that cannot be written."""


class Watch:
    """Alarms and vitals of govern. `run` and `probe` are loops for greenlets."""

    def __init__(
        self, settings: Settings, writing: Writing, spool: Spool, now: Callable[[], Instant]
    ) -> None:
        self.tally = Tally()
        self.alarms = Alarms("govern", partial(_enter, writing, settings.host), now)
        self._writing = writing
        self._spool = spool
        self._now = now
        self._marks = settings.spool.marks
        self._emit: Callable[[SpoolRoom], None] = lambda _: None
        self._mark = Mark.AMPLE
        self._fault = ""
        self._asked: float | None = None

    def over(
        self, board: Switchboard, dispatch: Dispatch, link: Link, pool: Pool, translator: Translator
    ) -> GovernVitals:
        """The vitals of these pieces, which `run` looks at from now on."""
        self._emit = dispatch.emit
        pieces = Pieces(
            board,
            dispatch,
            link,
            pool,
            translator,
            self.tally,
            self._spool.disk,
            self.disk_fault,
            self._marks,
        )
        self.vitals = GovernVitals(pieces, self.alarms, self._now)
        return self.vitals

    def disk_fault(self) -> str:
        """Why the spool cannot be written; "" while it can."""
        if self._asked is not None and (waited := time.monotonic() - self._asked) > STALLED:
            return f"the disk has not answered for {waited:.0f} s"
        return self._fault

    def run(self) -> None:
        while True:
            try:
                self.vitals.look()
                self._tell_core(self.vitals.mark)
            except Exception:  # no alarm is worth a call
                log.exception("alarms.failed")
            gevent.sleep(LOOK_EVERY)

    def _tell_core(self, mark: Mark) -> None:
        """What may be begun from now on, where that has changed."""
        if mark is not self._mark:
            self._mark = mark
            self._emit(SpoolRoom(now=self._now(), mark=mark))
            log.warning("spool.room", mark=mark.name.lower())

    def probe(self) -> None:
        while True:
            self._asked = time.monotonic()
            self._fault = self._writing.ask([("probe",)])[0]
            self._asked = None
            gevent.sleep(PROBE_AGAIN if self._fault else PROBE_EVERY)


def _enter(writing: Writing, host: str, type_: str, time_: Instant, facts: Mapping[str, str]) -> None:
    writing.enter(Enter(call="", type=type_, subject=host, time=time_, facts=facts))


@contextmanager
def serving(vitals: GovernVitals, address: Address | None) -> Iterator[None]:
    """Serve the pages on a TCP address for the length of the block. Raises BadConfiguration."""
    if address is None:
        yield
        return
    server = pywsgi.WSGIServer((address.host, address.port), application(vitals), log=None, error_log=None)
    try:
        server.start()
    except OSError as fault:
        raise refused(address, "govern", fault) from None
    log.info("health.listening", port=server.server_port)
    try:
        yield
    finally:
        server.stop(timeout=1)
