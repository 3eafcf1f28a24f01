"""How fast uploads may leave: bytes a second, over all that share one pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import IO

PIECE = 65_536
"""Bytes that are read at once: an upload never pauses for longer than these take."""


class Pace:
    """Blocks whoever asks until as many bytes may leave. What was not used is not saved up.

    rate: bytes a second. For any thread.
    """

    def __init__(
        self,
        rate: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = 0.0

    def __call__(self, size: int) -> None:
        with self._lock:
            now = self._clock()
            begin = max(now, self._free_at)
            self._free_at = begin + size / self._rate
        if begin > now:
            self._sleep(begin - now)


class Paced:
    """A file that is read at a pace."""

    def __init__(self, source: IO[bytes], pace: Callable[[int], None]) -> None:
        self._source = source
        self._pace = pace

    def read(self, size: int = PIECE) -> bytes:
        piece = self._source.read(PIECE if size < 0 else min(size, PIECE))
        if piece:
            self._pace(len(piece))
        return piece
