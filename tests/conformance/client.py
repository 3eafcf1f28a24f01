"""A small client of the simulated socket, in the same hub as the switch; reads with `tests.wire`."""

from __future__ import annotations

import gevent
from gevent import socket

from fsgov.simulator import Switch
from fsgov.simulator.connection import Connection
from tests import wire


class Client:
    """One connection; `frames` has what arrived so far."""

    def __init__(self, switch: Switch, *commands: str) -> None:
        self.switch = switch
        self.sock, theirs = socket.socketpair()
        self.closed = False
        self.rest = b""
        self.frames: list[wire.Frame] = []
        gevent.spawn(Connection(switch, theirs, ("127.0.0.1", 40000)).run)
        for command in commands:
            self.send(command)

    def send(self, command: str) -> None:
        self.sock.sendall(command.encode() + b"\n\n")
        self.pump()

    def pump(self) -> None:
        """Read until nothing moves any more."""
        quiet = 0
        while quiet < 2:
            gevent.sleep(0)
            gevent.sleep(0.0005)
            self.switch.clock.settle()
            quiet = 0 if self._read() else quiet + 1

    def _read(self) -> bool:
        if self.closed:
            return False
        self.sock.setblocking(False)
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return False
        finally:
            self.sock.setblocking(True)
        self.closed = not data
        self.rest += data
        while (one := wire.take(self.rest)) is not None:
            frame, self.rest = one
            self.frames.append(frame)
        return True

    def events(self) -> list[wire.WireEvent]:
        return [e for f in self.frames if (e := wire.event(f)) is not None]

    def names(self) -> list[str]:
        return [e.name for e in self.events()]

    def replies(self) -> list[str]:
        """Reply texts and api bodies in order."""
        kinds = {"command/reply", "api/response"}
        mine = [f for f in self.frames if f.get("Content-Type") in kinds]
        return [f.get("Reply-Text") or f.body.decode() for f in mine]

    def close(self) -> None:
        self.sock.close()
