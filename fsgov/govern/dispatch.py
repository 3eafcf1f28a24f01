"""The one loop that feeds the core: an event, its commands, the next event. Nothing here waits for a part.

The intake is bounded. Whoever fills it waits (the socket is then read more slowly, and FreeSWITCH keeps up to
100,000 events for us); the loop itself never waits for a lane, so that the two cannot block each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import gevent
import structlog
from gevent.queue import Queue

from fsgov.commands import Command
from fsgov.events import Event, Instant
from fsgov.health.tally import REPLIES
from fsgov.switchboard import Switchboard

log = structlog.get_logger()

INTAKE = 10_000
"""Events that may wait. One takes about 0.1 ms, so a full intake is about a second behind."""
TURN = 16
"""Events between two breaths: lanes and sockets get the hub back after about 1 ms under load."""
TICK = 0.02
"""Seconds between two looks at the next deadline while no event comes; a timer for each wait costs more."""


class Dispatch:
    """Feeds a switchboard. `carry` takes the commands of one step and must not block.

    replied: sees the reply to a recorder command before the core does, for counting.
    """

    def __init__(
        self,
        board: Switchboard,
        carry: Callable[[list[Command]], None],
        now: Callable[[], Instant],
        replied: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._board = board
        self._carry = carry
        self._now = now
        self._intake: Queue[Event | None] = Queue(maxsize=INTAKE)
        self._running = True
        self._replied = replied
        self.events: Counter[type] = Counter()
        """Events that the core was fed, by kind."""
        self.turned: Instant = now()
        """When the loop was last seen going round; what a watchdog looks at."""

    def emit(self, event: Event) -> None:
        """Hand an event in; waits while the intake is full."""
        self._intake.put(event)

    @property
    def behind(self) -> int:
        """How many events wait."""
        return int(self._intake.qsize())

    def nudge(self) -> None:
        """Have the loop go round, also while no event comes; `turned` tells whether it did."""
        if not self._intake.full():
            self._intake.put_nowait(None)

    def stop(self) -> None:
        """End the loop after the event it is at."""
        self._running = False

    def run(self) -> None:
        """Loop until `stop`."""
        ticking = gevent.spawn(self._tick)
        since_breath = 0
        try:
            while self._running:
                event = self._intake.get()
                self.turned = self._now()
                if event is not None:
                    self._step(event)
                due = self._board.next_deadline()
                if due is not None and due <= self.turned:
                    self._carry(self._board.tick(self.turned))
                since_breath += 1
                if since_breath >= TURN:
                    since_breath = 0
                    gevent.sleep(0)
        finally:
            ticking.kill()

    def _tick(self) -> None:
        """Wake the loop for a deadline that no event brings it to."""
        while True:
            gevent.sleep(TICK)
            due = self._board.next_deadline()
            if (due is not None and due <= self._now()) or not self._running:
                self._intake.put(None)

    def _step(self, event: Event) -> None:
        kind = type(event)
        self.events[kind] += 1
        if kind in REPLIES:
            self._replied(event)
        try:
            commands = self._board.handle(event)
        except Exception:
            # `step` is total by law; should the law be broken, one call suffers, not every call on the host
            log.exception("core.failed", event=type(event).__name__)
            return
        if commands:
            self._carry(commands)
