"""What ship tells of itself: how long its steps took, which shared part failed last, when the loop turned."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from fsgov.errors import FsgovError
from fsgov.health.spread import STEPS, Spread
from fsgov.shipper.sidecar import Step

T = TypeVar("T")

NAMES: dict[Step, str] = {
    step: "discard" if step is Step.KEEP else step.value for step in Step if step is not Step.WAIT
}
"""What steps are called in metrics. KEEP is what is left to do of an entered segment: its plaintext goes."""


class Telling:
    """Counted by the loop and its pools; any thread may read."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.turned = clock()
        self.steps: dict[str, Spread] = {}
        self.failures: Counter[str] = Counter()
        self.stored = 0
        """Sealed bytes that vaults have taken."""
        self.faults: dict[str, str] = {}
        """Gate -> why the last try there failed; what answered since is not in it."""
        self.asked: dict[str, float] = {}
        """Gate -> when it last answered or failed."""
        self._clock = clock
        self._lock = threading.Lock()

    def round(self) -> None:
        """The loop has gone round."""
        self.turned = self._clock()

    def timed(self, step: str, job: Callable[[], T]) -> Callable[[], T]:
        """The job, with its duration counted when it succeeds."""

        def run() -> T:
            began = time.monotonic()
            done = job()
            with self._lock:
                self.steps.setdefault(step, Spread(STEPS)).add(time.monotonic() - began)
            return done

        return run

    def answered(self, gate: str) -> None:
        self.faults.pop(gate, None)
        self.asked[gate] = self._clock()

    def failed(self, step: str, gate: str, fault: FsgovError) -> None:
        """A step failed. gate: the part whose fault it is, "" for the segment's own."""
        self.failures[step] += 1
        if gate:
            self.faults[gate] = str(fault)
            self.asked[gate] = self._clock()
