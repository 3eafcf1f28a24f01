"""The connection that listens: events into the intake in order, and the truth again after an interruption.

Order after (re)connecting: subscribe, SwitchConnected, everything the switch knows (resync.py), Resynced,
then the events that came meanwhile: what is told twice is told in its order, and the last word is the newest.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

import gevent
import structlog

from fsgov.errors import FsgovError, Unreachable
from fsgov.esl.connection import BACKLOG, Connection, wall_clock
from fsgov.esl.frames import Frame
from fsgov.esl.pool import pauses
from fsgov.esl.resync import Survey
from fsgov.esl.translate import SUBSCRIPTION, Translator
from fsgov.esl.values import is_uuid
from fsgov.events import Event, Instant, SwitchConnected, SwitchLost

BEAT = 20.0
"""Seconds between two HEARTBEATs of the switch (event-heartbeat-interval of switch.conf.xml)."""
PATIENCE = 2.5
"""Heartbeats without a word after which the switch counts as lost."""

log = structlog.get_logger()


class Link:
    """Listens to one switch until it is stopped. `emit` may block: that is how the intake says it is full.

    counts: `connected`, `lost`, and why: `silent`, `lagged`, `malformed`. The translator has its own.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        survey: Survey,
        translator: Translator,
        emit: Callable[[Event], None],
        *,
        beat: float = BEAT,
        backlog: int = BACKLOG,
        clock: Callable[[], Instant] = wall_clock,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.core = ""
        self.trouble = ""
        """Why there is no connection; "" while there is one."""
        self._address = host, port, password
        self._survey = survey
        self._translator = translator
        self._emit = emit
        self._beat = beat
        self._backlog = backlog
        self._clock = clock
        self._held: deque[Event] | None = None
        self._connection: Connection | None = None
        self._greenlet: gevent.Greenlet[[], None] | None = None

    @property
    def connected(self) -> bool:
        """Is the switch being listened to, with all it knows told?"""
        return self._connection is not None and self._connection.connected and self._held is None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Hang up. Calls and recordings of the switch go on."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def again(self, why: str) -> None:
        """Make the connection anew, so that everything there is gets told."""
        if self._connection is not None:
            self.counts["lagged"] += 1
            self._connection.drop(why)

    def _run(self) -> None:
        wait = pauses()
        while True:
            started = time.monotonic()
            connection = Connection(*self._address, backlog=self._backlog, clock=self._clock)
            self._held = deque()
            self._connection = connection
            try:
                connection.connect()
                self._listen(connection)
            except FsgovError as fault:
                if self.trouble != str(fault):  # once an outage, not once an attempt
                    self.trouble = str(fault)
                    log.warning("switch.unreachable", reason=self.trouble)
            finally:
                connection.stop(linger=1.0)
                self.counts.update(connection.counts)
            if time.monotonic() - started > 2 * self._beat:
                wait = pauses()
            gevent.sleep(next(wait))

    def _listen(self, connection: Connection) -> None:
        """Subscribe, tell everything, then keep listening until the connection is lost."""
        self.core = connection.send("api global_getvar core_uuid").text.strip()
        if not is_uuid(self.core):
            raise Unreachable("The switch does not say which start of it this is", self.core[:80])
        connection.register_handle("*", self._arrived)
        answer = connection.send(SUBSCRIPTION).text
        if not answer.startswith("+OK"):
            raise Unreachable("The switch refused the subscription", answer[:80])
        self.counts["connected"] += 1
        log.info("switch.connected", core=self.core)
        self._emit(SwitchConnected(now=self._clock(), core=self.core))
        try:
            for event in self._survey.everything(self.core):
                self._emit(event)
            self._release()
            self.trouble = ""
            self._watch(connection)
        except FsgovError as fault:
            connection.drop(str(fault))
        connection.stop()  # what has come in is told before the loss is
        self._release()
        self.trouble = connection.reason
        self.counts["lost"] += 1
        log.warning("switch.lost", reason=connection.reason)
        self._emit(SwitchLost(now=self._clock(), reason=connection.reason))

    def _arrived(self, frame: Frame) -> None:
        """One event from the lane of the connection: translated, and told or held back."""
        event = self._translator.translate(frame.headers, frame.now)
        if event is None:
            return
        if self._held is None:
            self._emit(event)
        elif len(self._held) < self._backlog:
            self._held.append(event)
        elif self._connection is not None:
            self.counts["lagged"] += 1
            self._connection.drop("more events during a resync than can be held back")

    def _release(self) -> None:
        """Tell what was held back; what comes while that blocks is told after it."""
        while self._held:
            self._emit(self._held.popleft())
        self._held = None

    def _watch(self, connection: Connection) -> None:
        """Wait for the end; make it when the switch has been silent for too long."""
        limit = self._beat * PATIENCE
        while not connection.lost.wait(timeout=limit / 10):
            if time.monotonic() - connection.heard > limit:
                self.counts["silent"] += 1
                connection.drop(f"no word for {limit:.0f} s")
