"""The textual header of an age v1 file (c2sp.org/age): stanzas, and the bytes its MAC is about.

Strict: every header has one encoding, anything else is `HeaderDamaged`. What is read is exactly the header;
the stream stands at the first byte of the payload afterwards.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import BinaryIO

from fsgov.envelope.faults import HeaderDamaged

VERSION_LINE = b"age-encryption.org/v1\n"
MAC_LENGTH = 32
_COLUMNS = 64
_MOST_BYTES = 1 << 20  # ours, not the specification's: a header is held in memory
_ARGUMENTS = re.compile(rb"[\x21-\x7e]+(?: [\x21-\x7e]+)*")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One wrapping of the file key: its kind and arguments, and the wrapped bytes."""

    arguments: tuple[str, ...]
    body: bytes

    def encode(self) -> bytes:
        text = encode_base64(self.body)
        lines = [text[start : start + _COLUMNS] for start in range(0, len(text) + 1, _COLUMNS)]
        return "\n".join([" ".join(("->", *self.arguments)), *lines, ""]).encode("ascii")


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header: `covered` are the exact bytes under the MAC, up to and including "---"."""

    stanzas: tuple[Stanza, ...]
    covered: bytes
    mac: bytes


def covered(stanzas: tuple[Stanza, ...]) -> bytes:
    """The bytes of a header that its MAC covers."""
    return VERSION_LINE + b"".join(stanza.encode() for stanza in stanzas) + b"---"


def closing(mac: bytes) -> bytes:
    """What follows the covered bytes: the MAC and the end of the line."""
    return b" " + encode_base64(mac).encode("ascii") + b"\n"


def read_header(source: BinaryIO) -> Header:
    """The header at the start of `source`; HeaderDamaged if it is not exactly one."""
    lines = _Lines(source)
    if lines.take() != VERSION_LINE.rstrip(b"\n"):
        raise HeaderDamaged("not an age v1 file", "the first line is not age-encryption.org/v1")
    stanzas: list[Stanza] = []
    while (line := lines.take()).startswith(b"-> "):
        stanzas.append(_stanza(line, lines))
    if not line.startswith(b"--- "):
        raise _damaged("a line is neither a stanza nor the end of the header")
    if not stanzas:
        raise _damaged("there is no stanza")
    mac = decode_base64(line[4:])
    if len(mac) != MAC_LENGTH:
        raise _damaged("the MAC has a wrong length")
    return Header(tuple(stanzas), bytes(lines.taken[: -len(line) - 1]) + b"---", mac)


def encode_base64(value: bytes) -> str:
    """Standard base64 without padding, as age writes it."""
    return base64.b64encode(value).rstrip(b"=").decode("ascii")


def decode_base64(text: bytes) -> bytes:
    """The value of unpadded base64 in its only (canonical) encoding; HeaderDamaged otherwise."""
    if not _BASE64.fullmatch(text):
        raise _damaged("a letter that base64 does not have")
    try:
        value = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise _damaged("base64 of an impossible length") from None
    if encode_base64(value).encode("ascii") != text:
        raise _damaged("base64 is not canonical")
    return value


def _stanza(line: bytes, lines: _Lines) -> Stanza:
    if not _ARGUMENTS.fullmatch(line, 3):
        raise _damaged("a stanza's arguments are not words separated by one space")
    text = bytearray()
    while True:
        row = lines.take()
        if len(row) > _COLUMNS:
            raise _damaged("a stanza's line is too long")
        text += row
        if len(row) < _COLUMNS:
            return Stanza(tuple(line[3:].decode("ascii").split(" ")), decode_base64(bytes(text)))


class _Lines:
    """The lines of a header, counted: `taken` holds every byte read so far."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.taken = bytearray()

    def take(self) -> bytes:
        line = self._source.readline(_MOST_BYTES - len(self.taken))
        if not line.endswith(b"\n"):
            raise _damaged("it ends in the middle, or is too long")
        self.taken += line
        return line[:-1]


def _damaged(detail: str) -> HeaderDamaged:
    return HeaderDamaged("the header of the sealed file is damaged", detail)
