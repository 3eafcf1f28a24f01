"""A CRM's HTTP service on a port of its own, in threads, that misbehaves on request."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
OK = 200, JSON
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MANNERS: dict[str, tuple[int, str, bytes]] = {
    "500": (500, JSON, b'{"error": "no"}'),
    "401": (401, JSON, b"{}"),
    "page": (200, "text/html", b"<html>welcome</html>"),
    "lost": (404, "text/html", b"<html>no such page</html>"),
    "list": (*OK, b"[1, 2]"),
    "number": (*OK, b"7"),
    "empty": (*OK, b""),
    "half": (*OK, b'{"facts": {"segment": "ret'),
    "deep": (*OK, b"[" * 60_000),
    "latin": (*OK, b'{"facts": {"name": "\xe4"}}'),
    "error": (*OK, b'{"error": "try again"}'),
    "facts": (*OK, b'{"facts": ["segment"]}'),
    "consents": (*OK, b'{"facts": {}, "consents": "all"}'),
    "huge": (*OK, b'{"facts": {"segment": "' + b"x" * 70_000 + b'"}}'),
}
"""Answers that are none, by name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Crm:
    """`rows`: what it knows, by number. `manner`: how it answers everybody; `manners`: or one number.

    "": as it should. held: only after `let_go`. A key of MANNERS. hang, drip, endless, garbage, silent (no
    connection is taken up), reset, cut, redirect:URL, once (the connection is closed after each answer, and
    nobody told).
    """

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    manner: str = ""
    manners: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self.over = threading.Event()
        self.let_go = threading.Event()
        self._serve = threading.Thread(target=self._accept, daemon=True)
        self._serve.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1/party"

    def hang_up(self) -> None:
        """Close every connection that is kept."""
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.over.set()
        self.let_go.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else the accept that is under way takes one more
        self._listener.close()
        self.hang_up()

    def __enter__(self) -> Crm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(end,), daemon=True).start()

    def _talk(self, end: socket.socket) -> None:
        self._open.add(end)
        try:
            if self.manner == "silent":
                self.over.wait()
                return
            if self.tls is not None:
                end = self.tls.wrap_socket(end, server_side=True)
            with end, end.makefile("rb") as read:
                while (asked := _request(read)) is not None:
                    self.asked.append(asked)
                    manner = self.manners.get(str(asked.body.get("number")), self.manner)
                    if not self._answer(end, asked, manner):
                        return
        except OSError:
            pass
        finally:
            self._open.discard(end)
            end.close()

    def _answer(self, end: socket.socket, asked: Asked, manner: str) -> bool:
        """Whether the connection is kept."""
        kind, _, rest = manner.partition(":")
        match kind:
            case "held":
                self.let_go.wait()
            case "hang":
                self.over.wait()
                return False
            case "drip":
                self._drip(end, HEAD + b"X-A: b\r\n" * 99)
                return False
            case "endless":
                end.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"
                )
                self._drip(end, b" " * 999)
                return False
            case "garbage":
                end.sendall(bytes(range(256)) * 4)
                return False
            case "reset":
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case "cut":
                end.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
                )
                return False
            case "redirect":
                end.sendall(f"HTTP/1.1 307 Go\r\nLocation: {rest}\r\nContent-Length: 0\r\n\r\n".encode())
                return True
        status, type_, body = MANNERS[kind] if kind in MANNERS else self._known(asked)
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {type_}\r\nContent-Length: {len(body)}\r\n\r\n"
        end.sendall(head.encode() + body)
        return manner != "once"

    def _known(self, asked: Asked) -> tuple[int, str, bytes]:
        row = self.rows.get(str(asked.body.get("number")))
        return (404, JSON, b"") if row is None else (*OK, json.dumps(row).encode())

    def _drip(self, end: socket.socket, text: bytes) -> None:
        """A byte each 20 ms: no single wait is long."""
        for byte in text:
            if self.over.is_set():
                return
            end.sendall(bytes([byte]))
            time.sleep(0.02)


def _request(read: Any) -> Asked | None:
    line = read.readline().decode("latin-1").strip()
    if not line:
        return None
    headers = {}
    while (header := read.readline().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = read.read(int(headers.get("content-length", "0")))
    return Asked(line, headers, json.loads(body or b"{}"))
