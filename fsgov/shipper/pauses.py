"""What may be tried now: pauses of single segments, and gates before the parts that they share.

A gate (`vault.eu`, `database`, `spool`) closes for everybody when its part failed; when its pause is over one
segment goes through as a probe, and its success opens the gate. A failing segment pauses alone otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from fsgov.errors import FsgovError
from fsgov.shipper.retry import Again, decide


@dataclass(slots=True)
class Pause:
    """Failures in a row, since when, and until when nothing is tried: monotonic seconds."""

    since: float
    failures: int = 0
    until: float = 0.0


class Pauses:
    """Pauses by name. `clock` is monotonic seconds; `jitter` spreads retries."""

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._pauses: dict[str, Pause] = {}
        self._probing: set[str] = set()

    def open(self, name: str) -> bool:
        """Whether `name` may be tried; after a failure only one at a time may (see `probe`)."""
        pause = self._pauses.get(name)
        return pause is None or (self._clock() >= pause.until and name not in self._probing)

    def probe(self, name: str) -> None:
        """Somebody goes through now. Until the answer nobody else does, where the last one failed."""
        if name in self._pauses:
            self._probing.add(name)

    def failed(self, name: str, fault: FsgovError) -> Again:
        """Note a failure; those that were under way together count once."""
        now = self._clock()
        pause = self._pauses.setdefault(name, Pause(since=now))
        if now >= pause.until:
            pause.failures += 1
        again = decide(fault, pause.failures, now - pause.since, self._jitter())
        pause.until = max(pause.until, now + again.pause)
        self._probing.discard(name)
        return again

    def withdraw(self, name: str) -> None:
        """What went through said nothing about this part: the next one may."""
        self._probing.discard(name)

    def succeeded(self, name: str) -> None:
        self._pauses.pop(name, None)
        self._probing.discard(name)
