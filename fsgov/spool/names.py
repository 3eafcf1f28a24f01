"""Which identifiers may become part of a path: letters, digits and hyphens, nothing a caller could steer."""

from __future__ import annotations

import re

from fsgov.errors import BadUsage

_CALL = re.compile(r"[0-9A-Za-z-]{1,64}")
_SEGMENT = re.compile(r"[0-9A-Za-z-]{1,64}-[0-9]{2,4}")
_ORIGIN = re.compile(r"[0-9A-Za-z._-]{1,64}\.[a-z]{1,16}\.[0-9]{1,16}")
_HOST = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,63}")
_PART = re.compile(r"[a-z]{1,16}")


def call_id(text: str) -> str:
    """The same text, proven to be a call id; BadUsage otherwise."""
    return _proven(_CALL, text, "call id")


def segment_id(text: str) -> str:
    """The same text, proven to be `<call>-<nn>`; BadUsage otherwise."""
    return _proven(_SEGMENT, text, "segment id")


def origin_id(text: str) -> str:
    """The same text, proven to be `<host>.<part>.<start ms>`; BadUsage otherwise."""
    return _proven(_ORIGIN, text, "origin")


def origin_of(host: str, part: str, milliseconds: int) -> str:
    """The origin that `part` of `host` writes entries under since `milliseconds`; BadUsage for odd names."""
    return f"{_proven(_HOST, host, 'host name')}.{_proven(_PART, part, 'part')}.{milliseconds}"


def _proven(pattern: re.Pattern[str], text: str, what: str) -> str:
    if pattern.fullmatch(text) is None:
        raise BadUsage(f"this is no {what}", repr(text[:80]), "Only letters, digits and hyphens are taken.")
    return text
