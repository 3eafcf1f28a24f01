"""govern's vitals, and its alarms: one look a second at what the pieces say of themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fsgov.alarms import Alarms
from fsgov.call import Call, Capture, Stage
from fsgov.errors import FsgovError, Unreachable
from fsgov.esl.link import Link
from fsgov.esl.pool import Pool
from fsgov.esl.translate import Translator
from fsgov.events import Instant
from fsgov.health.spread import Spread
from fsgov.health.tally import LookUps, Tally
from fsgov.health.vitals import Labels, Readings, by, one
from fsgov.spool.layout import Disk
from fsgov.switchboard import Switchboard
from fsgov.watermarks import Mark, Watermarks, mark_of

SECOND: Instant = 1_000_000
SWITCH_WITHIN = 10 * SECOND
INTAKE, INTAKE_FOR = 1_000, 5 * SECOND
"""Events that wait, and for how long at least, before it is an alarm."""
PAUSE_BEYOND, PAUSE_LONGEST = 5 * SECOND, 3_600 * SECOND
RECENT, RECORDER_RECENT = 600 * SECOND, 300 * SECOND
DEAD_AFTER = 5.0
"""Seconds without a turn of the loop; one event takes about 0.1 ms."""


LINK_FAULTS = ("silent", "lagged", "malformed", "strays")
POOL_FAULTS = ("unanswered", "late", "replaced")
DISTRUSTED = ("forged", "unreadable", "injected", "repeated")
OUTCOMES = (
    *("recorded", "recorded-in-part", "refused", "withdrawn", "consent-unanswered", "not-answered"),
    *("not-required", "not-requested", "sampled-out", "foreign", "merged", "failed"),
)
COMMANDS = ("open", "close", "mask", "unmask")
LOOK_UPS = ("found", "unknown", "deadline", "unreachable", "refused", "unreadable", "held")
RESULTS = ("accepted", "refused", "unanswered")


class Loop(Protocol):
    """The dispatch loop: when it last went round, what waits, what came."""

    turned: Instant
    events: Counter[type]

    @property
    def behind(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of govern that are looked at. `disk_fault`: why the spool cannot be written, else ""."""

    board: Switchboard
    loop: Loop
    link: Link
    pool: Pool
    translator: Translator
    tally: Tally
    disk: Callable[[], Disk]
    disk_fault: Callable[[], str]
    marks: Watermarks = Watermarks()  # noqa: RUF009 - frozen


class Since:
    """Since when something has been so without a break."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: Instant | None = None

    def lasts(self, so: bool, now: Instant) -> Instant:
        """For how long it has been so, 0 when it is not."""
        if not so:
            self._since = None
            return 0
        if self._since is None:
            self._since = now
        return now - self._since


class GovernVitals:
    """What /metrics, /healthz, /readyz and `fsgov status` tell of govern. `look` once a second."""

    part = "govern"

    def __init__(self, pieces: Pieces, alarms: Alarms, now: Callable[[], Instant]) -> None:
        self.alarms = alarms
        self._pieces = pieces
        self._now = now
        self.further: Callable[[], Mapping[str, FsgovError]] = dict
        """Troubles that other pieces know of, by the name of their alarm."""
        self.look_ups = LookUps()
        """Those of the CRM."""
        self.mark = Mark.AMPLE
        """How little room the spool's disk had at the last look."""
        self._without_switch = Since()
        self._intake_full = Since()

    # -- alarms ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Raise and clear what has changed."""
        troubles = {name: fault for name, fault in self._troubles(self._now()) if fault is not None}
        self.alarms.follow({**troubles, **self.further()})

    def _troubles(self, now: Instant) -> list[tuple[str, FsgovError | None]]:
        pieces = self._pieces
        without = self._without_switch.lasts(not pieces.link.connected, now)
        full = self._intake_full.lasts(pieces.loop.behind > INTAKE, now)
        disk_fault = pieces.disk_fault()
        return [
            ("switch", _if(without > SWITCH_WITHIN, "The switch does not answer", pieces.link.trouble)),
            ("spool", _if(bool(disk_fault), "The spool cannot be written", disk_fault)),
            ("disk", self._disk_low()),
            ("shedding.low", _if(self.mark is Mark.SHED, "Recordings of low priority are not begun", "")),
            ("shedding.all", _if(self.mark is Mark.REFUSE, "No recording is begun for want of room", "")),
            ("starts", _if(pieces.board.breaker.open, "Starts of recordings fail across calls", "")),
            ("intake", _if(full > INTAKE_FOR, "Events wait for the core", str(pieces.loop.behind))),
            ("pause", self._pause_too_long(now)),
            *_recent(pieces.tally, now),
        ]

    def _disk_low(self) -> FsgovError | None:
        try:
            disk = self._pieces.disk()
        except FsgovError as fault:
            return fault
        self.mark = mark_of(disk.free, disk.total, disk.inodes, self._pieces.marks, self.mark)
        detail = f"{1 - disk.used_share:.0%} of its room and {disk.inodes:.0%} of its inodes are free"
        return _if(self.mark is not Mark.AMPLE, "The spool's disk is nearly full", detail)

    def _pause_too_long(self, now: Instant) -> FsgovError | None:
        over = [call.id for call in self._pieces.board.calls if _overdue(call, now)]
        return _if(bool(over), "A pause is over its limit", ", ".join(over[:5]))

    # -- from outside ------------------------------------------------------------------------------------

    def turned(self) -> float:
        return max(self._now() - self._pieces.loop.turned, 0) / SECOND

    def limit(self) -> float:
        return DEAD_AFTER

    def checks(self) -> Mapping[str, str]:
        link = self._pieces.link
        switch = "" if link.connected else link.trouble or "connecting, or asking what the switch does"
        return {"switch": switch, "spool": self._pieces.disk_fault()}

    def readings(self) -> Readings:
        pieces = self._pieces
        tally, link, policy = pieces.tally, pieces.link, pieces.board.policy
        calls = pieces.board.calls
        paused = [call.paused.asked for call in calls if call.paused is not None]
        counts = dict(link.counts)
        made, lost = counts.pop("connected", 0), counts.pop("lost", 0)
        try:
            disk = pieces.disk()
        except FsgovError:
            disk = Disk(0, 0)
        return {
            "fsgov_policy_info": {(policy.version, policy.sha256): 1.0},
            "fsgov_switch_connected": one(link.connected),
            "fsgov_switch_connects_total": one(made),
            "fsgov_switch_losses_total": one(lost),
            "fsgov_switch_faults_total": by(counts, LINK_FAULTS),
            "fsgov_pool_idle_connections": one(pieces.pool.ready),
            "fsgov_pool_faults_total": by(dict(pieces.pool.counts), POOL_FAULTS),
            "fsgov_events_total": by({kind.__name__: n for kind, n in dict(pieces.loop.events).items()}),
            "fsgov_events_distrusted_total": by(dict(pieces.translator.counts), DISTRUSTED),
            "fsgov_events_ignored_total": one(pieces.board.ignored),
            "fsgov_intake_events": one(pieces.loop.behind),
            "fsgov_calls": by(_counted([call.stage.value for call in calls], Stage)),
            "fsgov_captures": by(_counted([call.actual.value for call in calls], Capture)),
            "fsgov_calls_total": by(dict(tally.outcomes), OUTCOMES),
            "fsgov_entries_total": by(dict(tally.entries)),
            "fsgov_recorder_commands_total": _commands(tally),
            "fsgov_recorder_reply_seconds": {(): tally.replies},
            "fsgov_recorder_start_seconds": {(): tally.starts},
            "fsgov_segment_start_lost_seconds": {(): tally.start_lost},
            "fsgov_paused_calls": one(len(paused)),
            "fsgov_pause_age_seconds": one(max((self._now() - min(paused)) / SECOND, 0) if paused else 0),
            "fsgov_ungoverned_sessions_total": one(tally.ungoverned),
            "fsgov_party_lookups_total": by(dict(self.look_ups.results), LOOK_UPS),
            "fsgov_party_lookup_seconds": {(): self.look_ups.seconds},
            "fsgov_party_remembered_total": one(self.look_ups.remembered),
            "fsgov_spool_free_bytes": one(disk.free),
            "fsgov_spool_size_bytes": one(disk.total),
        }


def _if(so: bool, message: str, detail: str) -> FsgovError | None:
    return Unreachable(message, detail) if so else None


def _recent(tally: Tally, now: Instant) -> list[tuple[str, FsgovError | None]]:
    """Alarms of what has happened lately; they end by themselves."""

    def lately(at: Instant, within: Instant) -> bool:
        return bool(at) and now - at < within

    failing = lately(tally.failed_at, RECORDER_RECENT) and tally.opened_at <= tally.failed_at
    return [
        ("recorder", _if(failing, "A recording that is needed cannot be had", "")),
        ("prompt", _if(lately(tally.prompt_at, RECENT), "The switch lacks the file of a question", "")),
        ("ungoverned", _if(lately(tally.ungoverned_at, RECENT), "Sessions have passed unseen", "")),
    ]


def _overdue(call: Call, now: Instant) -> bool:
    paused = call.paused
    if paused is None:
        return False
    if paused.due is not None:
        return now > paused.due + PAUSE_BEYOND
    return now > paused.asked + PAUSE_LONGEST


def _commands(tally: Tally) -> Mapping[Labels, float | Spread]:
    found: dict[Labels, float | Spread] = {(word, result): 0.0 for word in COMMANDS for result in RESULTS}
    found.update({key: float(n) for key, n in dict(tally.commands).items()})
    return found


def _counted(values: list[str], known: type[Stage] | type[Capture]) -> dict[str, int]:
    found = Counter(values)
    return {value.value: found[value.value] for value in known}
