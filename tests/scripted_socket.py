"""A TCP server that speaks the event socket as a test tells it to, byte by byte. Nothing of fsgov in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent import socket
from gevent.server import StreamServer

PASSWORD = "ClueCon"
Script = Callable[["Peer"], None]


class Peer:
    """The switch's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._rest = b""

    def greet(self) -> None:
        """auth/request, whatever password, accepted."""
        self.write(b"Content-Type: auth/request\n\n")
        self.command()
        self.accept("+OK accepted")

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def accept(self, text: str) -> None:
        self.write(f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode())

    def answer(self, text: str) -> None:
        body = text.encode()
        self.write(b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(body), body))

    def event(self, text: str) -> None:
        body = text.encode() + b"\n\n"
        self.write(b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(body), body))

    def command(self) -> str:
        """The next command line; "" at the end."""
        while b"\n\n" not in self._rest:
            chunk = self.sock.recv(65536)
            if not chunk:
                return ""
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n\n")
        return line.decode()

    def received(self, quiet: float) -> int:
        """How many bytes come in until none has come for `quiet` seconds."""
        count = len(self._rest)
        self.sock.settimeout(quiet)
        try:
            while chunk := self.sock.recv(1 << 20):
                count += len(chunk)
        except TimeoutError:
            pass
        return count

    def wait_for_end(self) -> None:
        while self.command():
            pass


@contextmanager
def serving(script: Script, address: str = "127.0.0.1") -> Iterator[int]:
    """Run the script for each connection; gives the port."""

    def run(sock: socket.socket, _: object) -> None:
        try:
            script(Peer(sock))
        except OSError:
            pass  # the other side went away
        finally:
            sock.close()

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((address, 0))
    listener.listen(50)
    server = StreamServer(listener, run)
    server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.stop(timeout=0.1)


def eventually(told: Callable[[], object], seconds: float = 15.0) -> bool:
    """Does it become true within that time?"""
    end = time.monotonic() + seconds
    while not told() and time.monotonic() < end:
        gevent.sleep(0.005)
    return bool(told())
