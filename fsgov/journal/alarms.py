"""Alarms of keep: a line of its own origin when a sink begins to fail and when it works again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from fsgov import entries
from fsgov.catalog.keep import Keep
from fsgov.errors import FsgovError
from fsgov.events import Instant

log = structlog.get_logger()


class Alarms:
    """Which alarms are up, and the lines that say so. They end with the process: a new one finds out anew."""

    def __init__(self, keep: Keep, host: str, now: Callable[[], Instant]) -> None:
        self._keep = keep
        self._host = host
        self._now = now
        self._origin = f"{host}.keep.{now() // 1000}"
        self._n = 0
        self._up: dict[str, str] = {}

    def follow(self, troubles: Mapping[str, FsgovError]) -> None:
        """Raise and clear, until what is up is what troubles. Raises Unreachable."""
        for name, error in troubles.items():
            if name not in self._up:
                self._enter("alarm.raised", name, error.message)
                self._up[name] = error.message
        for name in set(self._up) - set(troubles):
            self._enter("alarm.cleared", name, self._up[name])
            del self._up[name]

    def _enter(self, type_: str, name: str, reason: str) -> None:
        alarm = f"sink.{name.replace(':', '.')}"
        line = entries.line(
            origin=self._origin,
            n=self._n + 1,
            host=self._host,
            type_=type_,
            subject=self._host,
            time=self._now(),
            facts={"alarm": alarm, "reason": reason},
        )
        self._n = self._keep.enter(self._origin, self._n + 1, [line])
        log.info(type_, alarm=alarm, reason=reason)
