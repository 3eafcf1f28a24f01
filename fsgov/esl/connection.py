"""One connection to the event socket: greenswitch's, with what is wrong in 0.0.19 overridden.

Kept: its constructor, the handshake (auth/request, `auth`, `+OK accepted`), `send` that answers with the
reply, `register_handle` by event name, subclass, `*` or `DISCONNECT`, `with`. Overridden, each with a test
that shows the defect on the stock class (tests/live/test_esl_stock.py): how frames are read (frames.py);
names, IPv6; the endless wait for a greeting; `send` without a deadline, in parts, not woken by a disconnect;
`connected` that stays true when the reader has died; an end of file in a body that loops for ever; the
unbounded queue; one slow receiver that holds back all others (lanes.py).
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable

import gevent
from gevent import socket
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore
from greenswitch.esl import InboundESL

from fsgov.errors import BadUsage, NotPermitted, Unreachable
from fsgov.esl.frames import BadFrame, Frame, Frames
from fsgov.esl.lanes import Lagging, Lanes, Receiver
from fsgov.events import Instant

CHUNK = 64 * 1024
BACKLOG = 20_000
"""Most frames that wait for one receiver. One more and the connection is given up: resync, no silent loss."""


class Unanswered(Unreachable):
    """No reply in time, or the connection broke. What the command did is unknown, unless `sent` is None."""

    def __init__(self, detail: str, sent: Instant | None = None) -> None:
        super().__init__(
            "The switch did not answer", detail, "is FreeSWITCH running and mod_event_socket loaded?"
        )
        self.sent = sent


def wall_clock() -> Instant:
    """This host's time in microseconds since the epoch."""
    return time.time_ns() // 1000


class Connection(InboundESL):  # type: ignore[misc]  # greenswitch has no types
    """A connection that is either usable or says so: `connected`, `lost` (an Event) and `reason`.

    counts: `lagged` (given up because a receiver was too slow), `strays` (frames that mean nothing here).
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        timeout: float = 5.0,
        *,
        backlog: int = BACKLOG,
        clock: Callable[[], Instant] = wall_clock,
    ) -> None:
        """`timeout`: seconds for connecting with all of its handshake, and for a reply without a deadline."""
        super().__init__(host, port, password, timeout)
        self.counts: Counter[str] = Counter()
        self.lost = Event()
        self.reason = ""
        self.heard = time.monotonic()
        self.sock: socket.socket | None = None
        self._commands_sent: deque[AsyncResult[Frame]] = deque()
        self._sending = BoundedSemaphore()
        self._lanes = Lanes(backlog)
        self._receiving: list[gevent.Greenlet[[], None]] = []
        self._clock = clock
        self._rejected = False

    @property
    def outstanding(self) -> int:
        """Commands whose reply has not come, whether or not somebody still waits for it."""
        return len(self._commands_sent)

    # -- connecting -----------------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect and log in. Raises NotPermitted (password, access list) or Unreachable."""
        limit = gevent.Timeout.start_new(self.timeout)
        try:
            self.sock = self._opened()
            self.connected = True
            self.start_event_handlers()
            self._auth_request_event.wait()
            if self._rejected:
                raise NotPermitted(
                    "The switch does not let this host connect",
                    f"{self.host}:{self.port}",
                    "see apply-inbound-acl in event_socket.conf.xml",
                )
            self.authenticate()
        except gevent.Timeout as over:
            self.drop("no handshake in time")
            if over is not limit:
                raise
            raise Unreachable(
                "The switch did not greet in time", f"{self.host}:{self.port}, {self.timeout} s"
            ) from None
        except ValueError:
            self.drop("wrong password")
            raise NotPermitted(
                "The switch refused the password", f"{self.host}:{self.port}", "see switch.password"
            ) from None
        except OSError as fault:
            self.drop(str(fault))
            raise Unreachable("The switch cannot be reached", f"{self.host}:{self.port}: {fault}") from fault
        except BaseException:
            self.drop("the handshake failed")
            raise
        finally:
            limit.close()

    def start_event_handlers(self) -> None:
        self._receive_events_greenlet = gevent.spawn(self.receive_events)

    def _opened(self) -> socket.socket:
        """A connected socket: the first address of the name that answers."""
        fault: OSError | None = None
        for family, kind, proto, _, address in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, proto)
            try:
                sock.connect(address)
            except BaseException as refused:
                sock.close()
                if not isinstance(refused, OSError):
                    raise
                fault = refused
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return sock
        raise fault or OSError("the name has no address")

    # -- receiving ------------------------------------------------------------------------------------

    def receive_events(self) -> None:
        """Read until the end, whatever ends it; then `connected` is false and whoever waits is woken."""
        frames, reason = Frames(), "the switch closed the connection"
        try:
            while self.connected and self.sock is not None:
                chunk = self.sock.recv(CHUNK)
                if not chunk:
                    break
                self.heard = time.monotonic()
                for frame in frames.feed(chunk, self._clock()):
                    self.handle_event(frame)
                gevent.sleep(0)  # a flood must not keep its own receivers from running
        except BadFrame as fault:
            reason = fault.detail
            self.counts["malformed"] += 1
            for frame in fault.before:
                self.handle_event(frame)
        except OSError as fault:
            reason = str(fault)
        finally:
            self.drop(reason)

    def handle_event(self, frame: Frame) -> None:
        """Give one frame to whom it belongs. Never blocks."""
        if not self.connected:
            return
        match frame.kind:
            case "text/event-plain" | "text/event-json":
                self._distribute(frame)
            case "command/reply" | "api/response":
                if self._commands_sent:
                    self._commands_sent.popleft().set(frame)
                else:
                    self.drop("a reply to no command")
            case "auth/request":
                self._auth_request_event.set()
            case "text/rude-rejection":
                self._rejected = True
                self.drop("rejected by the access list")
            case "text/disconnect-notice":
                self._offer("DISCONNECT", frame)
                if frame.headers.get("Content-Disposition") != "linger":
                    self.drop("the switch said goodbye")
            case _:
                self.counts["strays"] += 1

    def _distribute(self, frame: Frame) -> None:
        name = frame.headers.get("Event-Name")
        if name == "CUSTOM":
            name = frame.headers.get("Event-Subclass")
        if not self._offer(name, frame) and not self._offer("*", frame):
            self.counts["strays"] += 1

    def _offer(self, name: str, frame: Frame) -> bool:
        try:
            return self._lanes.offer(name, frame)
        except Lagging:
            self.counts["lagged"] += 1
            self.drop("events came faster than they were received")
            return True

    def register_handle(self, name: str, handler: Receiver) -> None:
        """From now on give frames of that event name (or subclass, or `*`: all others) to the receiver."""
        self._lanes.add(name, handler)

    def unregister_handle(self, name: str, handler: Receiver) -> None:
        self._lanes.remove(name, handler)

    # -- sending --------------------------------------------------------------------------------------

    def send(self, data: str, deadline: float | None = None) -> Frame:
        """Send one command line and wait for its reply, at most `deadline` seconds. Raises Unanswered.

        After a missed deadline the connection goes on: the late reply is matched to its command and dropped.
        """
        if any(c in data for c in "\n\r\0"):
            raise BadUsage(
                "A command of more than one line", hint="text of callers never goes into a command"
            )
        reply: AsyncResult[Frame] = AsyncResult()
        sent: Instant | None = None
        limit = gevent.Timeout.start_new(self.timeout if deadline is None else deadline)
        try:
            with self._sending:
                if not self.connected or self.sock is None:
                    raise Unanswered(self.reason or "not connected")
                self._commands_sent.append(reply)
                sent = self._clock()
                try:
                    self.sock.sendall(f"{data}\n\n".encode())
                except BaseException:
                    self.drop("a command could not be sent whole")
                    raise
            frame: Frame = reply.get()
            return frame
        except gevent.Timeout as over:
            if over is not limit:
                raise
            raise Unanswered("no reply in time", sent) from None
        except OSError as fault:
            raise Unanswered(str(fault), sent) from fault
        except Unanswered as broken:
            broken.sent = sent
            raise
        finally:
            limit.close()

    # -- ending ---------------------------------------------------------------------------------------

    def drop(self, reason: str) -> None:
        """Give the connection up at once: waiting commands end Unanswered, frames in lanes still arrive."""
        if self.lost.is_set():
            return
        self.reason = reason
        self.connected = self._run = False
        self.lost.set()
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
            self.sock.close()
        while self._commands_sent:
            self._commands_sent.popleft().set_exception(Unanswered(reason))
        self._auth_request_event.set()
        self._receiving = self._lanes.close()

    def stop(self, linger: float | None = None) -> None:
        """Say goodbye where that is possible, and wait until every lane has received what it holds.

        linger: seconds after which a receiver that still blocks is cut off; None waits for ever.
        """
        if self.connected:
            with contextlib.suppress(Unreachable):
                self.send("exit", deadline=1.0)
        self.drop("stopped")
        waiting = [self._receive_events_greenlet, *self._receiving]
        rest = [g for g in waiting if g is not None and g is not gevent.getcurrent()]
        gevent.joinall(rest, timeout=linger)
        gevent.killall([g for g in rest if not g.dead])
