"""Alarms of keep: lines of an origin of its own, which wait here while PostgreSQL is away."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fsgov import alarms, entries
from fsgov.catalog.keep import Keep
from fsgov.errors import FsgovError
from fsgov.events import Instant

LOG = "log"


class Alarms(alarms.Alarms):
    """Rows of fsgov/alarms.py that keep raises. They end with the process: a new one finds out anew."""

    def __init__(self, keep: Keep, host: str, now: Callable[[], Instant]) -> None:
        super().__init__("keep", self._wait, now)
        self._keep = keep
        self._host = host
        self._origin = f"{host}.keep.{now() // 1000}"
        self._n = 0
        self._waiting: list[tuple[str, Instant, Mapping[str, str]]] = []

    def stuck(self, fault: FsgovError) -> None:
        """Nothing can be entered now: only told, until `follow` gets through."""
        self.raise_(LOG, fault)

    def follow(self, troubles: Mapping[str, FsgovError]) -> None:
        """What troubles, by sink; the log itself does not. Enters what waited. Raises Unreachable."""
        super().follow({f"sink.{alarms.dotted(name)}": fault for name, fault in troubles.items()})
        while self._waiting:
            self._enter_one(*self._waiting[0])
            self._waiting.pop(0)

    def _wait(self, type_: str, time: Instant, facts: Mapping[str, str]) -> None:
        self._waiting.append((type_, time, facts))

    def _enter_one(self, type_: str, time: Instant, facts: Mapping[str, str]) -> None:
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
