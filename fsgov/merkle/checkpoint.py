"""A checkpoint (c2sp.org/tlog-checkpoint): which log, how many lines, which root, and when.

The specification has no time. We put it on an extension line, `time 2026-11-21T16:37:29.114Z`: the signer's
clock, so it says when the log claims to have been that long, and nothing more.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from fsgov.errors import BadConfiguration, Damaged
from fsgov.merkle.note import PublicKey
from fsgov.merkle.tree import HASH_LENGTH

_PREFIX = "fsgov/"
_LOG_ID = re.compile(r"[0-9A-Za-z._-]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_TIME_WORD = "time "
_NEXT_WORD = "next "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `log_id` had `size` lines and this root at `time` (RFC 3339, UTC, "" when not stated).

    successor: the key that signs from here on; such a checkpoint counts only where both have signed it.
    """

    log_id: str
    size: int
    root: bytes
    time: str = ""
    successor: PublicKey | None = None

    def __post_init__(self) -> None:
        if not _LOG_ID.fullmatch(self.log_id) or self.size < 0 or len(self.root) != HASH_LENGTH:
            raise ValueError("not a checkpoint")
        if self.time and not _TIME.fullmatch(self.time):
            raise ValueError("the time of a checkpoint is RFC 3339 in UTC")

    @property
    def origin(self) -> str:
        return _PREFIX + self.log_id

    def text(self) -> str:
        """The text that is signed."""
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode("ascii")]
        if self.time:
            lines.append(_TIME_WORD + self.time)
        if self.successor:
            lines.append(f"{_NEXT_WORD}{self.successor}")
        return "".join(line + "\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint of a note's text; Damaged when it is not one of ours. Other extension lines pass."""
        *lines, end = text.split("\n")
        if end or len(lines) < 3 or "" in lines:
            raise _damaged("it is not at least three full lines")
        origin, size, encoded, *extensions = lines
        times = [line.removeprefix(_TIME_WORD) for line in extensions if line.startswith(_TIME_WORD)]
        nexts = [line.removeprefix(_NEXT_WORD) for line in extensions if line.startswith(_NEXT_WORD)]
        try:
            root = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise _damaged("the root is not base64") from None
        if not origin.startswith(_PREFIX) or not _SIZE.fullmatch(size) or len(times) > 1 or len(nexts) > 1:
            raise _damaged("origin, size, time or the next key is malformed")
        if base64.b64encode(root).decode("ascii") != encoded:
            raise _damaged("the root is not canonical base64")
        try:
            successor = PublicKey.parse(nexts[0]) if nexts else None
            return cls(origin.removeprefix(_PREFIX), int(size), root, "".join(times), successor)
        except (ValueError, BadConfiguration) as error:
            raise _damaged(str(error)) from None


def _damaged(detail: str) -> Damaged:
    return Damaged("the checkpoint is malformed", detail)
