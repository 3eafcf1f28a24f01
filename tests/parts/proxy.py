"""A network that fails on request: a TCP proxy in threads, in front of any real part."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What happens to the bytes of one direction; a test may change it at any time."""

    cut_after: int | None = None  # bytes of a connection after which both sides are reset
    stop_after: int | None = (
        None  # bytes of a connection after which the rest is swallowed, connections stay open
    )
    delay: float = 0.0  # seconds before each piece
    replace: tuple[bytes, bytes] | None = None  # of the same length, within a piece


@dataclass
class Proxy:
    """Listens on a port of its own and passes everything on to `target`."""

    target: tuple[str, int]
    up: Fault = field(default_factory=Fault)  # from the client to the server
    down: Fault = field(default_factory=Fault)
    refusing: bool = False  # new connections are reset
    accepted: int = 0
    passed_up: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._begin(self._accept)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every open connection now."""
        for end in list(self._open):
            _reset(end)

    def heal(self) -> None:
        self.up, self.down, self.refusing = Fault(), Fault(), False

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _begin(self, what, *facts) -> None:  # type: ignore[no-untyped-def]
        thread = threading.Thread(target=what, args=facts, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.refusing:
                _reset(client)
                continue
            try:
                server = socket.create_connection(self.target, 10)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            self._open |= {client, server}
            self._begin(self._pass, client, server, "up")
            self._begin(self._pass, server, client, "down")

    def _pass(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        seen = 0
        try:
            while piece := source.recv(65536):
                fault: Fault = getattr(self, direction)
                if fault.delay:
                    time.sleep(fault.delay)
                if fault.replace:
                    piece = piece.replace(*fault.replace)
                limit = min(n for n in (fault.cut_after, fault.stop_after, 1 << 60) if n is not None)
                kept = piece[: max(0, limit - seen)]
                seen += len(piece)
                sink.sendall(kept)
                if direction == "up":
                    self.passed_up += len(kept)
                if fault.cut_after is not None and seen > fault.cut_after:
                    _reset(source)
                    _reset(sink)
                    return
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            _reset(sink)


def _reset(end: socket.socket) -> None:
    """End a connection as a broken network does: RST, not FIN."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    end.close()
