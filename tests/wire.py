"""Captures and frames of the event socket, read without any code of fsgov: the oracle of the tests.

A capture is JSON Lines: `{"t": seconds, "c": connection, "dir": "in"|"out"|"note", "data": text}`
(or `data_b64`). Frames: header lines, an empty line, `Content-Length` bytes of body.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

CAPTURES = Path(__file__).parent / "captures"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a capture; `note` has its text in `data` too."""

    t: float
    connection: int
    direction: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it was on the wire: header values are not decoded."""

    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str, default: str = "") -> str:
        return next((v for n, v in self.headers if n == name), default)


@dataclass(frozen=True, slots=True)
class WireEvent:
    """An event of a plain, json or xml frame, values decoded; `headers` keeps order and repetitions."""

    format: str
    headers: list[tuple[str, str]]
    body: bytes
    values: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.values.get("Event-Name", "")

    @property
    def uuid(self) -> str:
        return self.values.get("Unique-ID", "")

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)


def names() -> list[str]:
    """The captures' names, sorted."""
    return sorted(p.stem for p in CAPTURES.glob("*.jsonl"))


def lines(path: Path) -> Iterator[Line]:
    """The lines of a capture in their order."""
    with path.open(encoding="utf-8") as f:
        for text in f:
            row = json.loads(text)
            raw = base64.b64decode(row["data_b64"]) if "data_b64" in row else row["data"].encode()
            yield Line(row["t"], row["c"], row["dir"], raw)


def connections(path: Path) -> dict[int, bytes]:
    """Everything FreeSWITCH sent, by connection."""
    out: dict[int, bytes] = {}
    for line in lines(path):
        if line.direction == "in":
            out[line.connection] = out.get(line.connection, b"") + line.data
    return out


def take(buffer: bytes) -> tuple[Frame, bytes] | None:
    """The first complete frame and the rest, or None when more bytes are needed."""
    end = buffer.find(b"\n\n")
    if end < 0:
        return None
    headers = pairs(buffer[:end])
    length = next((int(v) for n, v in headers if n == "Content-Length"), 0)
    start = end + 2
    if len(buffer) < start + length:
        return None
    return Frame(headers, buffer[start : start + length]), buffer[start + length :]


def frames(buffer: bytes) -> list[Frame]:
    """All complete frames of a connection's bytes."""
    found = []
    while (one := take(buffer)) is not None:
        frame, buffer = one
        found.append(frame)
    return found


def pairs(block: bytes) -> list[tuple[str, str]]:
    """The header lines of a block: `Name: value`, values as they are."""
    out = []
    for raw in block.split(b"\n"):
        name, colon, value = raw.decode("utf-8", "surrogateescape").partition(": ")
        if name:
            out.append((name if colon else name.removesuffix(":"), value))
    return out


def decode(value: str) -> str:
    """A plain header's value: percent-decoded after the lines were split, `+` stays."""
    return unquote_to_bytes(value.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def event(frame: Frame) -> WireEvent | None:
    """The event a frame carries, or None for replies and notices."""
    kind = frame.get("Content-Type")
    if kind == "text/event-plain":
        head, _, body = frame.body.partition(b"\n\n")
        headers = [(n, decode(v)) for n, v in pairs(head)]
        inner = next((int(v) for n, v in headers if n == "Content-Length"), 0)
        return WireEvent("plain", headers, body[:inner], dict(headers))
    if kind == "text/event-json":
        members: dict[str, Any] = json.loads(frame.body.decode("utf-8", "surrogateescape"))
        body = str(members.pop("_body", "")).encode("utf-8", "surrogateescape")
        headers = [(n, v if isinstance(v, str) else json.dumps(v)) for n, v in members.items()]
        return WireEvent("json", headers, body, dict(headers))
    if kind == "text/event-xml":
        tree = ElementTree.fromstring(frame.body.decode("utf-8", "replace"))
        headers = [(h.tag, decode(h.text or "")) for h in tree.iterfind("headers/*")]
        return WireEvent("xml", headers, (tree.findtext("body") or "").encode(), dict(headers))
    return None


def events(path: Path, connection: int | None = None) -> list[WireEvent]:
    """The plain and json events of a capture, by connection in order of arrival."""
    found = []
    for number, buffer in sorted(connections(path).items()):
        if connection in (None, number):
            found += [e for f in frames(buffer) if (e := event(f)) is not None]
    return found
