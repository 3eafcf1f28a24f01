"""One client of the event socket: frames in, replies and events out, as mod_event_socket does it."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gevent
from gevent import socket

from fsgov.simulator import encoding
from fsgov.simulator.clock import Timer
from fsgov.simulator.event import Event
from fsgov.simulator.subscription import Subscription

if TYPE_CHECKING:
    from fsgov.simulator.switch import Switch

GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
SHUTDOWN = b"The system is being shut down.\n"
LOST = b"killed listener because of lost events\n"
QUEUE = 100_000


class Connection:
    """A client. Replies go out at once and in order; events wait while a command runs."""

    def __init__(self, switch: Switch, sock: Any, address: tuple[str, int]) -> None:
        self.switch, self.sock, self.address = switch, sock, address
        self.subscription = Subscription()
        self.authorized = False
        self.allowed: dict[str, set[str]] | None = None
        self.log_level: str | None = None
        self.closed = self.busy = self.mute = False
        self.lost = 0
        self._out: deque[bytes] = deque()
        self._writing = False
        self._events: deque[tuple[Event, str]] = deque()
        self._flush: Timer | None = None
        self._timeout: Timer | None = None
        self._turn = gevent.event.Event()

    def run(self) -> None:
        """Serve until the client leaves."""
        if self.switch.acl is not None and self.address[0] not in self.switch.acl:
            body = b"Access Denied, go away.\n"
            self.write(b"Content-Type: text/rude-rejection\nContent-Length: %d\n\n" % len(body) + body)
            self.goodbye()
            self._close_when_written()  # the server closes the socket where this returns
            return
        self.switch.connections.append(self)
        self._timeout = self.switch.clock.call_later(self.switch.auth_timeout, self._unauthorized)
        self.write(b"Content-Type: auth/request\n\n")
        try:
            self._read()
        except OSError:
            pass
        finally:
            self.close()

    def _unauthorized(self) -> None:
        if not self.authorized and not self.closed:
            self.goodbye()

    def _read(self) -> None:
        from fsgov.simulator.protocol import handle

        buffer = b""
        while not self.closed:
            data = self.sock.recv(65536)
            if not data:
                return
            buffer += data.replace(b"\r\n", b"\n") if b"\r\n\r\n" in data else data
            while not self.closed and (taken := _command(buffer)) is not None:
                words, body, buffer = taken
                if words.strip():
                    while self.busy and not self.closed:
                        self._turn.clear()
                        self._turn.wait()
                    handle(self, words, body)

    # -- out ---------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes behind all that was sent before; a slow reader never blocks the switch."""
        if self.closed or self.mute:
            return
        self._out.append(data)
        if not self._writing:
            self._writing = True
            gevent.spawn(self._pump)

    def _pump(self) -> None:
        try:
            while self._out:
                data = b"".join(self._out)
                self._out.clear()
                self.sock.sendall(data)
        except OSError:
            self.close()
        finally:
            self._writing = False

    def reply(self, text: str, extra: str = "") -> None:
        """A command/reply."""
        self.write(encoding.raw(f"Content-Type: command/reply\nReply-Text: {text}\n{extra}\n"))

    def response(self, body: str) -> None:
        """An api/response; an API that says nothing gives `-ERR no reply`."""
        data = encoding.raw(body or "-ERR no reply\n")
        self.write(b"Content-Type: api/response\nContent-Length: %d\n\n" % len(data) + data)

    def offer(self, event: Event, cut: str = "") -> None:
        """An event was fired: queue it for delivery when it is subscribed and passes the filters."""
        if self.closed or not self.subscription.passes(event):
            return
        if len(self._events) >= QUEUE:
            self.lost += 1
            if self.lost > 500:
                self.goodbye(LOST)
            return
        self._events.append((event, cut))
        if self._flush is None and not self.busy:
            self._flush = self.switch.clock.call_later(self.switch.bus.delay(), self.flush)

    def flush(self) -> None:
        """Write what waits, unless a command runs."""
        self._flush = None
        if self.busy:
            return
        while self._events and not self.closed:
            event, cut = self._events.popleft()
            if not self.subscription.wants(event.name, event.subclass):
                continue
            frame = event.frame(self.subscription.format)
            if cut:
                self.break_off(frame[: len(frame) // 2] if cut == "half" else b"")
                return
            self.write(frame)
            if event.name in self.switch.world.watch:
                self.switch.world.note("delivered", event=event.name, uuid=event.uuid)

    def done(self) -> None:
        """A command is over: the next one may come, waiting events go out."""
        self.busy = False
        self._turn.set()
        if self._events and self._flush is None:
            self._flush = self.switch.clock.call_later(0.0, self.flush)

    # -- end ---------------------------------------------------------------------------------------

    def goodbye(self, body: bytes = GOODBYE) -> None:
        """Disconnect-notice and close."""
        self.write(b"Content-Type: text/disconnect-notice\nContent-Length: %d\n\n" % len(body) + body)
        self._finish()

    def break_off(self, data: bytes) -> None:
        """Close in the middle: what is left of a frame, then the end."""
        self.write(data)
        self._finish()

    def _finish(self) -> None:
        gevent.spawn(self._close_when_written)

    def _close_when_written(self) -> None:
        while self._writing or self._out:
            gevent.sleep(0)
        self.close()

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._turn.set()
        if self._timeout:
            self._timeout.cancel()
        if self in self.switch.connections:
            self.switch.connections.remove(self)
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def _command(buffer: bytes) -> tuple[str, bytes, bytes] | None:
    """The next command's header block, its body and the rest; None while it is not complete."""
    end = buffer.find(b"\n\n")
    if end < 0:
        return None
    head, rest = encoding.text(buffer[:end]), buffer[end + 2 :]
    length = 0
    for line in head.split("\n")[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length" and value.strip().isdigit():
            length = int(value)
    if len(rest) < length:
        return None
    return head, rest[:length], rest[length:]
