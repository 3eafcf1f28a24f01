"""How many sessions of the switch fsgov has not seen: every gap is at least counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from fsgov.events import Heartbeat

REMEMBERED = 8
"""Cores (starts of the switch) that are kept in mind."""


@dataclass(slots=True)
class _Core:
    seen: int = 0
    before: int | None = None
    """Sessions the switch had had when we first heard its heart, less those we had seen."""
    excess: int = 0
    """Of the last heartbeat; what two in a row agree on was missed, what only one says is under way."""
    told: int = 0


@dataclass(slots=True)
class Census:
    """Session-Since-Startup of each Core-UUID against the legs that were created or found."""

    _cores: dict[str, _Core] = field(default_factory=dict)

    def count(self, core: str) -> None:
        """A leg was created, or found by a resync."""
        self._of(core).seen += 1

    def heartbeat(self, event: Heartbeat) -> int:
        """How many more sessions than before are known to have passed unseen."""
        core = self._of(event.core)
        if core.before is None:
            core.before = max(event.since_startup - core.seen, 0)
            return 0
        excess = event.since_startup - core.before - core.seen
        missed = min(core.excess, excess) - core.told
        core.excess = excess
        if missed <= 0:
            return 0
        core.told += missed
        return missed

    def _of(self, core: str) -> _Core:
        found = self._cores.get(core)
        if found is None:
            found = self._cores[core] = _Core()
            if len(self._cores) > REMEMBERED:
                del self._cores[next(iter(self._cores))]
        return found
