"""How FreeSWITCH puts values on the wire: percent-encoded in plain events, raw in json, tags in xml.

Text inside the simulator is `str` with surrogate escapes, so bytes that are not UTF-8 survive.
"""

from __future__ import annotations

import json
from functools import lru_cache

_UNSAFE = frozenset(b'\r\n "#%&+:;<=>?@[\\]^`{|}')
_HEX = frozenset(b"0123456789ABCDEF")
_PLAIN = frozenset(b for b in range(0x21, 0x7F) if b not in _UNSAFE)


def raw(text: str) -> bytes:
    """The bytes of a text."""
    return text.encode("utf-8", "surrogateescape")


def text(data: bytes) -> str:
    """The text of bytes."""
    return data.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=65536)
def percent(value: str) -> str:
    """A value as it stands in a plain event. A valid upper-case `%XX` is left alone (measured)."""
    data = raw(value)
    if _PLAIN.issuperset(data):
        return value
    out = []
    for i, byte in enumerate(data):
        known = byte == 0x25 and len(data) > i + 2 and data[i + 1] in _HEX and data[i + 2] in _HEX
        out.append(chr(byte) if byte in _PLAIN or known else f"%{byte:02X}")
    return "".join(out)


def plain(headers: list[tuple[str, str]], body: bytes) -> bytes:
    """An event as text: one line a header, an empty line, the body."""
    lines = [f"{name}: {percent(value)}\n" for name, value in headers]
    if body and not any(name == "Content-Length" for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}\n")
    return raw("".join(lines)) + b"\n" + body


def as_json(headers: list[tuple[str, str]], body: bytes) -> bytes:
    """An event as one object: arrays are JSON arrays, a repeated header is a repeated member.

    Bytes that are not UTF-8 stay raw: such an object is no valid JSON (measured).
    """
    members: list[str] = []
    for name, value in headers:
        parts = _parts(value)
        members.append(_pair(name, parts if len(parts) > 1 else parts[0]))
    if body:
        members.append(_pair("_body", text(body)))
    return raw("{" + ",".join(members) + "}")


def _parts(value: str) -> list[str]:
    """The elements of an array value, or the value alone."""
    return value.removeprefix("ARRAY::").split("|:") if value.startswith("ARRAY::") else [value]


def _pair(name: str, value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"{json.dumps(name, ensure_ascii=False)}:{shown}"


def as_xml(headers: list[tuple[str, str]], body: bytes) -> bytes:
    """An event as XML, values percent-encoded as in plain, an array as repeated elements."""
    rows = "".join(f"    <{n}>{percent(part)}</{n}>\n" for n, v in headers for part in _parts(v))
    tail = f"  <Content-Length>{len(body)}</Content-Length>\n  <body>{text(body)}</body>\n" if body else ""
    return raw(f"<event>\n  <headers>\n{rows}  </headers>\n{tail}</event>")


FORMATS = {"plain": plain, "json": as_json, "xml": as_xml}
