"""An event of the switch, and what it takes to send one: sequence, stamps, faults, listeners."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fsgov.simulator import encoding


@cache
def templates() -> dict[str, Any]:
    """The header templates made from the captures (`headers.json`)."""
    text = Path(__file__).with_name("headers.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@dataclass(slots=True)
class Event:
    """One event on its way out; bytes are made once for each format that somebody listens in."""

    name: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    subclass: str = ""
    uuid: str = ""
    _made: dict[str, bytes] = field(default_factory=dict)

    def frame(self, style: str) -> bytes:
        """The event as a frame of a connection that listens in `format`."""
        if style not in self._made:
            body = encoding.FORMATS[style](self.headers, self.body)
            head = f"Content-Length: {len(body)}\nContent-Type: text/event-{style}\n\n"
            self._made[style] = head.encode() + body
        return self._made[style]

    def value(self, name: str) -> str | None:
        """A header's value, names compared as FreeSWITCH does: without case."""
        wanted = name.lower()
        return next((v for n, v in self.headers if n.lower() == wanted), None)

    def replace(self, name: str, value: str) -> None:
        """Give every header of that name another value (a hostile one, in a test)."""
        self.headers = [(n, value if n == name else v) for n, v in self.headers]
        self._made.clear()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the switch says it is."""

    core_uuid: str
    hostname: str = "fs1.example.net"
    switchname: str = "fs1"
    ipv4: str = "192.0.2.10"
    ipv6: str = "::1"

    def headers(self, name: str, origin: str, epoch: float, sequence: int) -> list[tuple[str, str]]:
        """The headers that every event begins with."""
        place = templates()["origins"].get(origin) or ["switch_core.c", "core", "1"]
        whole = int(epoch)
        return [
            ("Event-Name", name),
            ("Core-UUID", self.core_uuid),
            ("FreeSWITCH-Hostname", self.hostname),
            ("FreeSWITCH-Switchname", self.switchname),
            ("FreeSWITCH-IPv4", self.ipv4),
            ("FreeSWITCH-IPv6", self.ipv6),
            ("Event-Date-Local", stamp(whole)),
            ("Event-Date-GMT", gmt(whole)),
            ("Event-Date-Timestamp", str(int(epoch * 1_000_000))),
            ("Event-Calling-File", place[0]),
            ("Event-Calling-Function", place[1]),
            ("Event-Calling-Line-Number", place[2]),
            ("Event-Sequence", str(sequence)),
        ]


def stamp(epoch: float) -> str:
    """`2026-11-21 16:35:45` (the simulated host keeps UTC)."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(epoch))


def gmt(epoch: float) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(epoch))
