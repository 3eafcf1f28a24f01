"""A pool of connections for commands: several at once, stop before start, and no reply taken for another's.

`api` blocks its connection until it is done (40 starts down one take 424 ms, over eight 126 ms, by bgapi
158–207 ms, measured), so a seat has one command in flight and a pool has ten. Two of them are kept free for
urgent commands: a start whose disk hangs must not hold back a stop.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import gevent
import structlog
from gevent.event import AsyncResult
from gevent.queue import Queue

from fsgov.errors import FsgovError
from fsgov.esl.connection import Connection, Unanswered, wall_clock
from fsgov.events import Instant

__all__ = ["GRACE", "RESERVED", "SIZE", "Pool", "Reply", "Unanswered", "pauses"]

SIZE = 10
"""Connections. Each costs the switch one thread that polls every 20 ms."""
RESERVED = 2
"""Seats that only urgent commands take."""
GRACE = 5.0
"""Seconds after a missed deadline in which a late reply keeps its connection; then it is replaced."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the switch answered (`text` ends as the switch ends it), when the command left, when it came."""

    text: str
    sent: Instant
    now: Instant


class _Errand:
    """One command on its way: given up by its sender when `over`."""

    __slots__ = ("deadline", "over", "result", "sent", "text", "urgent")

    def __init__(self, text: str, deadline: float, *, urgent: bool) -> None:
        self.text = text
        self.deadline = deadline
        self.urgent = urgent
        self.sent: Instant | None = None
        self.over = False
        self.result: AsyncResult[Reply] = AsyncResult()


class Pool:
    """Commands to the switch from any greenlet.

    counts: `late` (replies after their deadline), `replaced` (connections given up), `unanswered`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        size: int = SIZE,
        reserved: int = RESERVED,
        grace: float = GRACE,
        clock: Callable[[], Instant] = wall_clock,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.size = size
        self.trouble = ""
        """Why the last attempt to connect failed; "" after one that did not."""
        self._address = host, port, password
        self._reserved = min(reserved, size - 1)
        self._grace = grace
        self._clock = clock
        self._urgent: deque[_Errand] = deque()
        self._waiting: deque[_Errand] = deque()
        self._idle: deque[Queue[_Errand | None]] = deque()
        self._seats: list[gevent.Greenlet[[], None]] = []

    @property
    def ready(self) -> int:
        """Connections that wait for a command."""
        return len(self._idle)

    def start(self) -> None:
        self._seats = [gevent.spawn(self._seat) for _ in range(self.size)]

    def stop(self) -> None:
        """Close every connection. Commands still waiting end Unanswered at their deadlines."""
        gevent.killall(self._seats)
        self._idle.clear()

    def send(self, command: str, deadline: float, *, urgent: bool = False) -> Reply:
        """The answer to an api command, within `deadline` seconds. Raises Unanswered.

        Unanswered.sent is None where the command never left this host. Urgent commands overtake others.
        """
        errand = _Errand(command, deadline, urgent=urgent)
        (self._urgent if urgent else self._waiting).append(errand)
        self._assign()
        try:
            errand.result.wait(timeout=deadline)
        finally:
            errand.over = True
        if not errand.result.ready():
            self.counts["unanswered"] += 1
            raise Unanswered("no reply in time", errand.sent)
        reply: Reply = errand.result.get()
        return reply

    def _assign(self) -> None:
        """Give waiting errands to idle seats, urgent ones first; the last seats are for those alone."""
        while self._idle:
            if self._urgent:
                errand = self._urgent.popleft()
            elif self._waiting and len(self._idle) > self._reserved:
                errand = self._waiting.popleft()
            else:
                return
            if not errand.over:
                self._idle.popleft().put_nowait(errand)

    def _seat(self) -> None:
        """One place of the pool: a connection that is made again whenever it is lost."""
        wait = pauses()
        while True:
            connection = Connection(*self._address, clock=self._clock)
            try:
                connection.connect()
                self.trouble = ""
                wait = pauses()
                self._serve(connection)
            except FsgovError as fault:
                if self.trouble != str(fault):  # once an outage, not once an attempt
                    self.trouble = str(fault)
                    log.warning("esl.pool.unreachable", reason=self.trouble)
            finally:
                connection.stop(linger=1.0)
            self.counts["replaced"] += 1
            gevent.sleep(next(wait))

    def _serve(self, connection: Connection) -> None:
        """Carry out errands down this connection until it is lost."""
        inbox: Queue[_Errand | None] = Queue()
        connection.lost.rawlink(lambda _: inbox.put_nowait(None))
        try:
            while not connection.lost.is_set():
                self._idle.append(inbox)
                self._assign()
                errand = inbox.get()
                if errand is not None:
                    self._carry(connection, errand)
        finally:
            if inbox in self._idle:
                self._idle.remove(inbox)
            while not inbox.empty():
                self._again(inbox.get_nowait())

    def _carry(self, connection: Connection, errand: _Errand) -> None:
        """Send one command and wait for its reply beyond its deadline, so that the next gets its own."""
        errand.sent = sent = self._clock()
        try:
            frame = connection.send(f"api {errand.text}", deadline=errand.deadline + self._grace)
        except Unanswered as fault:
            errand.sent = fault.sent
            connection.drop("a command was not answered")
            if fault.sent is None:
                self._again(errand)
            else:
                errand.result.set_exception(fault)
        except FsgovError as fault:
            errand.result.set_exception(fault)
        else:
            if errand.over:
                self.counts["late"] += 1
            errand.result.set(Reply(frame.text, sent, frame.now))

    def _again(self, errand: _Errand | None) -> None:
        """Nothing of this command left the host: another seat may carry it."""
        if errand is not None and not errand.over:
            (self._urgent if errand.urgent else self._waiting).appendleft(errand)
            self._assign()


def pauses(first: float = 0.2, longest: float = 10.0) -> _Pauses:
    """Seconds to wait before each new attempt: doubling, with jitter so that hosts do not come at once."""
    return _Pauses(first, longest)


class _Pauses:
    def __init__(self, first: float, longest: float) -> None:
        self._next, self._longest = first, longest

    def __next__(self) -> float:
        pause, self._next = self._next, min(self._next * 2, self._longest)
        return pause * random.uniform(0.5, 1.5)  # noqa: S311 - spread, not a secret
