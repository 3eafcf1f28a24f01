"""Whether the switch takes our password: one login on its event socket, blocking, and nothing else."""

from __future__ import annotations

import socket
from typing import BinaryIO

from fsgov.errors import NotPermitted, Unreachable

SECONDS = 5.0
LONGEST = 65_536


def logged_in(host: str, port: int, password: str) -> str:
    """What the switch says of itself. Raises Unreachable, NotPermitted."""
    place = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), SECONDS) as connection, connection.makefile("rb") as read:
            if _headers(read).get("content-type") != "auth/request":
                raise Unreachable("this is no event socket", place, "switch.port is mod_event_socket's")
            connection.sendall(f"auth {password}\n\n".encode())
            reply = _headers(read).get("reply-text", "")
            if not reply.startswith("+OK"):
                hint = "switch.password is event_socket.conf.xml's; its acl must name this host"
                raise NotPermitted("the switch refuses the login", f"{place}: {reply or 'closed'}", hint)
            connection.sendall(b"api version\n\n")
            length = int(_headers(read).get("content-length", "0"))
            said = read.read(min(length, LONGEST)).decode(errors="replace")
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
        raise Unreachable("the switch does not answer", f"{place}: {why}", "is it running?") from None
    return said.splitlines()[0][:80] if said else "it told no version"


def _headers(read: BinaryIO) -> dict[str, str]:
    """The next block of headers, names in lower case; empty where the connection ended."""
    found = {}
    while (line := read.readline(LONGEST)) not in (b"", b"\n"):
        name, _, value = line.decode(errors="replace").partition(":")
        found[name.strip().lower()] = value.strip()
    return found
