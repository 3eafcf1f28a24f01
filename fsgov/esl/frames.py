"""Frames of the event socket, parsed from any cutting of its bytes. Pure: bytes in, values out.

A frame is a block of `Name: value` lines, an empty line and `Content-Length` bytes of body. The body of a
plain event is such a block again, its values percent-encoded, with a body of its own after it. Lines are
split before any value is decoded: a display name may hold `%0AUnique-ID: …` (captures/hostile-callers).

An event is kept as its raw bytes and a header is looked for when somebody asks for it: of the 7 kB of an
event fsgov reads some ten values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from fsgov.errors import Unreachable
from fsgov.events import Instant

MAX_HEADERS = 64 * 1024
"""Most bytes of a frame's own header block; an event's headers are in its body."""
MAX_BODY = 16 * 1024 * 1024
"""Most bytes of a body: the limit of mod_event_socket itself from 1.11 on."""

EVENT_KINDS = ("text/event-plain", "text/event-json")


_EVENT = re.compile(rb"Content-Length: ([0-9]{1,9})\nContent-Type: (text/event-(?:plain|json))")
"""The headers of nearly every frame that comes."""


class BadFrame(Unreachable):
    """These bytes are no frame: nothing after them can be trusted, so connect again.

    before: the good frames of the same chunk.
    """

    def __init__(self, detail: str, before: list[Frame] | None = None) -> None:
        super().__init__("The event socket sent a malformed frame", detail)
        self.before = before or []


class Headers:
    """The headers of one block, decoded one by one as they are asked for; of a repeated one the first counts.

    Bytes that are no UTF-8, and NUL, which no text of ours may hold, read as U+FFFD.
    """

    __slots__ = ("_encoded", "_end", "_raw")

    def __init__(self, raw: bytes, end: int, *, encoded: bool) -> None:
        """`raw` starts with a newline; the block ends before the newline at `end`."""
        self._raw = raw
        self._end = end
        self._encoded = encoded

    def find(self, name: str) -> str | None:
        """The first value under that exact name, None when there is none."""
        key = _KEYS.get(name)
        if key is None:
            key = _KEYS[name] = b"\n%b: " % name.encode()
        at = self._raw.find(key, 0, self._end)
        if at < 0:
            return None
        at += len(key)
        value = self._raw[at : self._raw.find(b"\n", at)]
        return value.decode("ascii") if value.isalnum() else self._decoded(value)

    def get(self, name: str, default: str = "") -> str:
        value = self.find(name)
        return default if value is None else value

    def __getitem__(self, name: str) -> str:
        value = self.find(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: str) -> bool:
        return self.find(name) is not None

    def repeated(self, name: str) -> bool:
        """Is there a second header of that name?"""
        key = b"\n%b: " % name.encode()
        first = self._raw.find(key, 0, self._end)
        return first >= 0 and self._raw.find(key, first + 1, self._end) >= 0

    def starting(self, prefix: str) -> dict[str, str]:
        """All headers whose name starts so, by the rest of their name."""
        key = b"\n" + prefix.encode()
        found: dict[str, str] = {}
        at = self._raw.find(key, 0, self._end)
        while at >= 0:
            start = at + len(key)
            stop = self._raw.find(b"\n", start)
            name, colon, value = self._raw[start:stop].partition(b": ")
            if colon:
                found.setdefault(name.decode("utf-8", "replace"), self._decoded(value))
            at = self._raw.find(key, stop, self._end)
        return found

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every header in its order, repetitions included."""
        for line in self._raw[1 : self._end].split(b"\n"):
            name, _, value = line.partition(b": ")
            yield name.decode("utf-8", "replace"), self._decoded(value)

    def _decoded(self, value: bytes) -> str:
        if self._encoded and b"%" in value:
            value = unquote_to_bytes(value)
        text = value.decode("utf-8", "replace")
        return text.replace("\0", "\ufffd") if "\0" in text else text


_KEYS: dict[str, bytes] = {}
"""The bytes to look for, by header name: the names of this code and of the policy, so it stays small."""


class Frame:
    """One frame: `kind` is its Content-Type; `headers` are the event's where it carries one, else its own.

    `now` is when its last byte came in; `body` is the inner body of an event, else the body of the frame.
    """

    __slots__ = ("body", "headers", "kind", "now")

    def __init__(self, kind: str, headers: Headers, body: bytes, now: Instant) -> None:
        self.kind = kind
        self.headers = headers
        self.body = body
        self.now = now

    @property
    def is_event(self) -> bool:
        return self.kind in EVENT_KINDS

    @property
    def text(self) -> str:
        """The text of a reply: the Reply-Text of a command, the body of an api response."""
        if self.kind == "command/reply":
            return self.headers.get("Reply-Text")
        return self.body.decode("utf-8", "replace")


class Frames:
    """The parser of one connection's bytes. After a BadFrame it is of no more use."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._need = 0  # bytes of _rest without which nothing is complete; 0 while a header block is open
        self._broken = False

    def feed(self, chunk: bytes, now: Instant = 0) -> list[Frame]:
        """The frames that these bytes complete, stamped with `now`. Raises BadFrame, and nothing else."""
        if self._broken:
            raise BadFrame("more bytes after a malformed frame")
        if self._rest:
            tail = len(self._rest) - 1
            self._rest += chunk
            if self._need > len(self._rest) or (
                not self._need and len(self._rest) <= MAX_HEADERS and self._rest.find(b"\n\n", tail) < 0
            ):
                return []
            data = bytes(self._rest)
        else:
            data = bytes(chunk)
        frames: list[Frame] = []
        try:
            at = self._take(data, frames, now)
        except BadFrame as fault:
            self._broken = True
            self._rest.clear()
            fault.before = frames
            raise
        self._rest = bytearray(data[at:])
        return frames

    def _take(self, data: bytes, frames: list[Frame], now: Instant) -> int:
        """Append every complete frame; return where the first incomplete one starts."""
        at, size = 0, len(data)
        while at < size:
            head = data.find(b"\n\n", at, at + MAX_HEADERS + 2)
            if head < 0:
                if size - at > MAX_HEADERS:
                    raise BadFrame(f"a header block of more than {MAX_HEADERS} bytes")
                self._need = 0
                return at
            kind, length = _outer(data[at:head])
            start = head + 2
            if size - start < length:
                self._need = start - at + length
                return at
            frames.append(_frame(kind, data, (at, head, start, start + length), now))
            at = start + length
        self._need = 0
        return at


def _outer(block: bytes) -> tuple[str, int]:
    """Content-Type and Content-Length of a frame's own headers; strict, since they are the switch's own."""
    usual = _EVENT.fullmatch(block)
    if usual is not None:
        return usual[2].decode("ascii"), _within(int(usual[1]))
    kind = length = None
    for line in block.split(b"\n"):
        name, colon, value = line.partition(b":")
        if not colon or not name or not name.isascii() or not name.decode("ascii").isprintable():
            raise BadFrame("a line that is no header")
        if name == b"Content-Length":
            value = value.strip(b" ")
            if length is not None or not value.isdigit() or len(value) > 9:
                raise BadFrame("a Content-Length that is no number")
            length = _within(int(value))
        elif name == b"Content-Type" and kind is None:
            kind = value.strip(b" ").decode("ascii", "replace")
    if not kind:
        raise BadFrame("no Content-Type")
    return kind, length or 0


def _within(length: int) -> int:
    if length > MAX_BODY:
        raise BadFrame(f"a body of {length} bytes")
    return length


def _frame(kind: str, data: bytes, span: tuple[int, int, int, int], now: Instant) -> Frame:
    """The frame at that span: start and end of its headers, start and end of its body."""
    at, head, start, stop = span
    if kind == "text/event-plain":
        # the newline before the body ends the empty line: the block starts with one, as Headers wants it
        raw = data[start - 1 : stop]
        end = _end_of_headers(raw)
        return Frame(kind, Headers(raw, end, encoded=True), _inner_body(raw, end), now)
    if kind == "text/event-json":
        headers, body = _from_json(data[start:stop])
        return Frame(kind, headers, body, now)
    block = b"\n%b\n" % data[at:head]
    return Frame(kind, Headers(block, len(block) - 1, encoded=False), data[start:stop], now)


def _end_of_headers(raw: bytes) -> int:
    """Where the empty line after an event's headers starts; only with a body it has a Content-Length."""
    if raw.endswith(b"\n\n") and raw.find(b"\nContent-Length: ") < 0:
        return len(raw) - 2  # not searched for: newlines are what an event has most of
    end = raw.find(b"\n\n")
    if end <= 0:
        raise BadFrame("an event without the end of its headers")
    return end


def _inner_body(raw: bytes, end: int) -> bytes:
    """What follows an event's headers. Its length is the word of whoever sent the event: it only shortens."""
    rest = raw[end + 2 :]
    if not rest:
        return b""
    given = Headers(raw, end, encoded=True).get("Content-Length")
    return rest[: int(given)] if given.isascii() and given.isdigit() and len(given) <= 9 else b""


def _from_json(text: bytes) -> tuple[Headers, bytes]:
    """The headers of a JSON event as a plain block (the values are percent-encoded again), and its body.

    The switch writes a caller's bytes as they are: the text may be no UTF-8.
    """
    try:
        members = json.loads(text.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError) as fault:
        raise BadFrame("an event that is no JSON") from fault
    if not isinstance(members, dict):
        raise BadFrame("an event that is no JSON object")
    body = members.pop("_body", "")
    lines = [b"\n%b: %b" % (_escaped(name), _escaped(_joined(value))) for name, value in members.items()]
    raw = b"".join(lines) + b"\n"
    return Headers(raw, len(raw) - 1, encoded=True), _joined(body).encode("utf-8", "replace")


def _joined(value: object) -> str:
    """A JSON value as a plain event would hold it: arrays as `ARRAY::a|:b`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "ARRAY::" + "|:".join(_joined(v) for v in value)
    return json.dumps(value)


def _escaped(text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return raw.replace(b"%", b"%25").replace(b"\n", b"%0A").replace(b"\r", b"%0D")
