"""How many sessions of the switch fsgov has not seen: every gap is at least counted.

The switch counts its sessions itself (HEARTBEAT, Session-Since-Startup, for each Core-UUID). What it counted
goes into the log with the legs that were seen, once an hour and when govern stops: the statement of a day
compares them (`fsgov.statement`). A count is settled when it is as far from the legs seen as the one before:
a session whose event is still under way has been waited for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fsgov.commands import Enter
from fsgov.events import Heartbeat, Instant

REMEMBERED = 8
"""Cores (starts of the switch) that are kept in mind."""
HOUR = 3_600_000_000
Facts = dict[str, str | int | bool | list[str] | None]


@dataclass(frozen=True, slots=True)
class Counted:
    """What the switch had counted at that moment; what of it this govern has seen, or knows to be unseen."""

    at: Instant
    core: str
    sessions: int
    seen: int
    ungoverned: int


@dataclass(slots=True)
class _Core:
    seen: int = 0
    before: int | None = None
    """Sessions the switch had had when we first heard its heart, less those we had seen."""
    excess: int = 0
    """Of the last heartbeat; what two in a row agree on was missed, what only one says is under way."""
    told: int = 0
    settled: Counted | None = None
    stated: Counted | None = None


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
            core.excess = event.since_startup - core.before - core.seen
            return 0
        before, core.excess = core.excess, event.since_startup - core.before - core.seen
        missed = max(min(before, core.excess) - core.told, 0)
        core.told += missed
        if before == core.excess:
            at = event.now if event.at is None else event.at
            core.settled = Counted(at, event.core, event.since_startup, core.seen, core.told)
        return missed

    def beat(self, event: Heartbeat, host: str) -> list[Enter]:
        """What a heartbeat gives to enter. Counts of an hour that is over are older: they come first."""
        at = event.now if event.at is None else event.at
        entered = [
            _stated(each, each.settled, host)
            for each in self._cores.values()
            if each.settled is not None
            and (
                each.stated is None or (each.stated != each.settled and each.settled.at // HOUR < at // HOUR)
            )
        ]
        if missed := self.heartbeat(event):
            facts: Facts = {"core": event.core, "sessions": missed}
            entered.append(Enter(call="", type="sessions.ungoverned", subject=host, time=at, facts=facts))
        return entered

    def leave(self, host: str) -> list[Enter]:
        """The last counts there are: the switch is another one now, or govern stops."""
        return [
            _stated(each, each.settled, host)
            for each in self._cores.values()
            if each.settled is not None and each.stated != each.settled
        ]

    def _of(self, core: str) -> _Core:
        found = self._cores.get(core)
        if found is None:
            found = self._cores[core] = _Core()
            if len(self._cores) > REMEMBERED:
                del self._cores[next(iter(self._cores))]
        return found


def _stated(core: _Core, counted: Counted, host: str) -> Enter:
    core.stated = counted
    facts: Facts = {
        "core": counted.core,
        "sessions": counted.sessions,
        "seen": counted.seen,
        "ungoverned": counted.ungoverned,
    }
    return Enter(call="", type="sessions.counted", subject=host, time=counted.at, facts=facts)
