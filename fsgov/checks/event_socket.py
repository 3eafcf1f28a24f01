"""One login on the switch's event socket, blocking, that only asks: no event comes, no call is touched."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from fsgov.errors import FsgovError, NotPermitted, Unreachable

SECONDS = 5.0
LONGEST_LINE = 65_536
LONGEST_ANSWER = 64 * 1024 * 1024


class Asked:
    """A logged-in connection; `api` asks one command and waits for its answer."""

    def __init__(self, connection: socket.socket, read: BinaryIO, place: str) -> None:
        self._connection, self._read, self._place = connection, read, place

    def api(self, command: str) -> str:
        """What the command prints. Raises NotPermitted where this login may not give it, and Unreachable."""
        with told(self._place):
            self._connection.sendall(f"api {command}\n\n".encode())
            found = headers(self._read)
            said = found.get("reply-text", "")
            if "permission denied" in said:
                hint = "fsgov logs in with the socket's own password, which may do everything"
                raise NotPermitted("the switch does not permit a command", command.partition(" ")[0], hint)
            length = int(found.get("content-length", "0"))
            if not found or length > LONGEST_ANSWER:
                raise Unreachable("the switch does not answer", f"{self._place}: {command.partition(' ')[0]}")
            return self._read.read(length).decode(errors="replace") or said


@contextmanager
def logged_in(host: str, port: int, password: str) -> Iterator[Asked]:
    """A connection that has logged in. Raises Unreachable, NotPermitted (access list, password)."""
    place = f"{host}:{port}"
    with told(place):
        connection = socket.create_connection((host, port), SECONDS)
    with connection, connection.makefile("rb") as read:
        with told(place):
            greet(connection, read, place, password)
        yield Asked(connection, read, place)


def greet(connection: socket.socket, read: BinaryIO, place: str, password: str) -> None:
    greeting = headers(read).get("content-type", "")
    if greeting == "text/rude-rejection":
        hint = "name this host in apply-inbound-acl of event_socket.conf.xml, then: reload mod_event_socket"
        raise NotPermitted("the access list of the switch rejects this host", place, hint)
    if greeting != "auth/request":
        raise Unreachable("this is no event socket", place, "switch.port is that of mod_event_socket")
    connection.sendall(f"auth {password}\n\n".encode())
    reply = headers(read).get("reply-text", "")
    if not reply.startswith("+OK"):
        hint = "switch.password is the password of event_socket.conf.xml"
        raise NotPermitted("the switch refuses the login", f"{place}: {reply or 'closed'}", hint)


@contextmanager
def told(place: str) -> Iterator[None]:
    """What the socket raises, in our words."""
    try:
        yield
    except FsgovError:
        raise
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
        hint = "is FreeSWITCH running, and mod_event_socket listening there?"
        raise Unreachable("the switch does not answer", f"{place}: {why}", hint) from None


def headers(read: BinaryIO) -> dict[str, str]:
    """The next block of headers, names in lower case; empty where the connection ended."""
    found = {}
    while (line := read.readline(LONGEST_LINE)) not in (b"", b"\n"):
        name, _, value = line.decode(errors="replace").partition(":")
        found[name.strip().lower()] = value.strip()
    return found
