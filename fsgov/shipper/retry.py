"""When to try again, and when to call somebody: a pure decision, taken in this one place.

An `Unreachable` part may answer soon: exponential pauses. Anything else is not mended by trying (a refused
login, a missing bucket, bytes that do not match): an alarm at once, and a try now and then, since people mend
configurations. The audio stays where it is in either case.
"""

from __future__ import annotations

from dataclasses import dataclass

from fsgov.errors import FsgovError, Unreachable

FIRST, LONGEST = 0.5, 60.0
"""Seconds: the first pause after an Unreachable, and the longest one."""
PERMANENT = 60.0
"""Seconds between two tries of what no retry mends."""
PATIENCE, LASTING = 5, 10.0
"""So many failures in a row, or for so many seconds, make an Unreachable worth an alarm. Five of a part that
refuses take some five seconds; the second of one that says nothing comes after 40."""


@dataclass(frozen=True, slots=True)
class Again:
    """The answer to a failure: pause this many seconds, and raise an alarm or not."""

    pause: float
    alarm: bool


def decide(fault: FsgovError, failures: int, lasting: float, jitter: float) -> Again:
    """What follows failure number `failures` in a row (from 1), `lasting` seconds after the first of them.

    jitter, in [0, 1), spreads what failed.
    """
    if isinstance(fault, Unreachable):
        pause = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 16))
        return Again(pause * (0.5 + jitter / 2), alarm=failures >= PATIENCE or lasting >= LASTING)
    return Again(PERMANENT * (0.5 + jitter / 2), alarm=True)
