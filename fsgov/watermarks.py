"""How little room the spool's disk has left, told in marks. Pure.

A mark is reached when less is free than its level, and left only when a fifth more is: what was freed a
moment ago is used again, and nobody wants to be told twice a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mark(Enum):
    """How little room the spool's disk has left."""

    AMPLE = 0
    WARN = 1
    SHED = 2
    REFUSE = 3


@dataclass(frozen=True, slots=True)
class Watermark:
    """Room below which something happens: a share of the disk, or bytes; 0 is never."""

    share: float = 0.0
    size: int = 0

    def above(self, free: int, total: int, inodes: float, margin: float) -> bool:
        """Whether less is free. `inodes`: the share of them that is free; they count where a share does."""
        return free < max(self.share * total, self.size) * margin or inodes < self.share * margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermarks:
    """The levels of one host, the later the graver."""

    warn: Watermark = Watermark(share=0.1)
    shed: Watermark = Watermark(share=0.05)
    refuse: Watermark = Watermark(share=0.02)


MARGIN = 1.2
"""A mark is left when a fifth more is free than the room at which it was reached."""


def mark_of(free: int, total: int, inodes: float, marks: Watermarks, now: Mark) -> Mark:
    """The mark that this room means, seen from the one it was at."""
    for mark, level in ((Mark.REFUSE, marks.refuse), (Mark.SHED, marks.shed), (Mark.WARN, marks.warn)):
        margin = MARGIN if now.value >= mark.value else 1.0
        if level.above(free, total, inodes, margin):
            return mark
    return Mark.AMPLE
