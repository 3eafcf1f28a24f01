"""Alarms of keep: lines of an origin of its own, which wait here while PostgreSQL is away.

Which are up is told in the catalog as well, every ten seconds, as a sign of life: keep may run on a host that
nobody who asks can reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from fsgov import alarms, entries
from fsgov.catalog.keep import Keep
from fsgov.errors import FsgovError, Unreachable
from fsgov.events import Instant

LOG = "log"
NONE: Mapping[str, FsgovError] = {}
SAY_EVERY = 10.0
"""Seconds between two signs of life in the catalog."""


class Alarms(alarms.Alarms):
    """Rows of fsgov/alarms.py that keep raises. They end with the process: a new one finds out anew."""

    def __init__(
        self, keep: Keep, host: str, now: Callable[[], Instant], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__("keep", self._wait, now)
        self._keep = keep
        self._host = host
        self._origin = f"{host}.keep.{now() // 1000}"
        self._n = 0
        self._waiting: list[tuple[str, Instant, Mapping[str, entries.Fact]]] = []
        self._clock = clock
        self._said: dict[str, str] | None = None
        self._said_at = 0.0

    def stuck(self, fault: FsgovError) -> None:
        """The log does not grow; where PostgreSQL answers all the same, it is told there too."""
        self.raise_(LOG, fault)
        if not isinstance(fault, Unreachable):
            with suppress(FsgovError):
                self._tell()

    def follow(self, troubles: Mapping[str, FsgovError], others: Mapping[str, FsgovError] = NONE) -> None:
        """What troubles, by sink; the log itself does not. Enters what waited. Raises Unreachable.

        others: what else there is, by alarm.
        """
        sinks = {f"sink.{alarms.dotted(name)}": fault for name, fault in troubles.items()}
        super().follow({**sinks, **others})
        self._tell()

    def _tell(self) -> None:
        while self._waiting:
            self._enter_one(*self._waiting[0])
            self._waiting.pop(0)
        if self._said != self.up or self._clock() - self._said_at >= SAY_EVERY:
            self._keep.say(self._host, self.up)
            self._said, self._said_at = dict(self.up), self._clock()

    def tell(self, type_: str, facts: Mapping[str, entries.Fact]) -> None:
        """Another entry of keep's own, about its host."""
        self._wait(type_, self._now(), facts)

    def _wait(self, type_: str, time: Instant, facts: Mapping[str, entries.Fact]) -> None:
        self._waiting.append((type_, time, facts))

    def _enter_one(self, type_: str, time: Instant, facts: Mapping[str, entries.Fact]) -> None:
        line = entries.line(
            origin=self._origin,
            n=self._n + 1,
            host=self._host,
            type_=type_,
            subject=self._host,
            time=time,
            facts=facts,
        )
        self._n = self._keep.enter(self._origin, self._n + 1, [line])
