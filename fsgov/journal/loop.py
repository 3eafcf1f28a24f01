"""Keep's loop: a round twice a second, patience with PostgreSQL, a last signature on the way out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from fsgov.catalog.keep import Keep
from fsgov.errors import FsgovError, Unreachable
from fsgov.journal.alarms import Alarms
from fsgov.journal.sequencer import BATCH, Round, Sequencer

log = structlog.get_logger()

POLL = 0.5
"""Seconds between two looks at the outbox; a batch that was full is followed at once."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
PATIENCE = 10.0
"""Seconds without PostgreSQL before that is an alarm; every other fault is one at once."""
STOP_WITHIN = 10.0
"""Seconds for what still waits, once told to stop."""


class Rounds(Protocol):
    """Who wants to know how the rounds go."""

    def succeeded(self, found: Round) -> None: ...
    def failed(self, fault: FsgovError) -> None: ...


class Works(Protocol):
    """What else is done in a thread of its own, where this keep leads, and says what is wrong with it."""

    leading: bool
    troubles: Mapping[str, FsgovError]


def run(
    sequencer: Sequencer,
    keep: Keep,
    alarms: Alarms,
    stop: Callable[[], bool],
    turned: Callable[[str], None] = lambda _: None,
    vitals: Rounds | None = None,
    works: Sequence[Works] = (),
    duties: Sequence[Callable[[], object]] = (),
) -> None:
    """Until `stop()`; then what waits is moved, signed and handed over. Ends the connection of `keep`.

    A failure is logged once, tried again with growing pauses, and never ends the loop.
    turned: called each time the loop has gone round, with what it is at, in words.
    vitals: told how each round went. works: told whether this keep leads, and their troubles are alarms.
    duties: what else is done by the keep that leads, and by no other, after each of its rounds.
    """
    pause, leading, last = SHORTEST_PAUSE, None, ""
    failing: float | None = None
    try:
        while not stop():
            try:
                found = sequencer.run_once()
                for work in works:
                    work.leading = found.leading
                others = {name: why for work in works for name, why in work.troubles.items()}
                alarms.follow(sequencer.troubles if found.leading else {}, others if found.leading else {})
                for duty in duties if found.leading else ():
                    duty()
                if vitals:
                    vitals.succeeded(found)
            except FsgovError as error:
                for work in works:  # behind the same address may be an older copy of the database
                    work.leading = False
                if vitals:
                    vitals.failed(error)
                failing = time.monotonic() if failing is None else failing
                if not isinstance(error, Unreachable) or time.monotonic() - failing > PATIENCE:
                    alarms.stuck(error)
                if str(error) != last:
                    level = log.warning if isinstance(error, Unreachable) else log.error
                    level("log.stuck", reason=error.message, detail=error.detail, hint=error.hint)
                    last = str(error)
                turned(f"waits: {error.message}")
                _sleep(pause, stop)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause, last, failing = SHORTEST_PAUSE, "", None
            if found.leading != leading:
                leading = found.leading
                log.info("log.leading" if leading else "log.standby")
            turned("writes the log" if leading else "stands by: another keep writes the log")
            if found.moved < BATCH:
                _sleep(POLL, stop)
        _finish(sequencer)
    finally:
        keep.close()


def _finish(sequencer: Sequencer) -> None:
    until = time.monotonic() + STOP_WITHIN
    try:
        while sequencer.run_once(sign=True).moved and time.monotonic() < until:
            pass
    except FsgovError as error:
        log.warning("log.unfinished", reason=error.message, detail=error.detail)


def _sleep(seconds: float, stop: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not stop() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
