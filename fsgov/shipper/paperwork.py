"""What ship enters beside segments: call files, policies, and the lines of every origin of this host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from fsgov.errors import BadUsage, Conflict, Damaged, FsgovError
from fsgov.events import Instant
from fsgov.shipper.anew import Kept
from fsgov.shipper.belt import Belt, Call
from fsgov.shipper.entering import Rows
from fsgov.spool import Spool, Stamp

ERASED_EVERY = 60_000_000
"""Microseconds between two questions about what is destroyed of all that is kept here."""
SETTLED = 2_000_000
"""Microseconds for which the file of a call that is over must not have changed before it goes."""


@dataclass(slots=True)
class Report:
    """What one round came to."""

    asked: bool = False
    """Whether PostgreSQL was asked for anything, so that the round says something about it."""
    refused: dict[str, FsgovError] = field(default_factory=dict)
    """What it refused for good, by name of the alarm: the rest of the round is not held up by it."""
    taken: list[str] = field(default_factory=list)
    """Names of alarms that are over if they were up."""
    erased: list[str] = field(default_factory=list)
    """Segments that are destroyed: nothing of them may stay here."""


class Paperwork:
    """A round at a time: `prepare` in the loop's thread, what it answers in the rows thread."""

    def __init__(
        self, spool: Spool, belt: Belt, rows: Rows, keep_sealed: int, now: Callable[[], Instant]
    ) -> None:
        self._spool = spool
        self._belt = belt
        self._rows = rows
        self._kept = Kept(spool, rows, keep_sealed, now)
        self._now = now
        self._entered: dict[str, Stamp] = {}
        self._over: dict[str, Call] = {}
        self._policies: set[str] = set()
        self._ask_erased: Instant = 0

    def prepare(self) -> Callable[[], Report]:
        """Look at the call files; the job that enters what is new."""
        new = list(self._belt.calls(self._entered))
        over = [(call, frames) for call in self._over.values() if (frames := self._settled(call)) is not None]
        kept = list[str]()
        if self._now() >= self._ask_erased:
            self._ask_erased = self._now() + ERASED_EVERY
            kept = self._belt.entered()
        return lambda: self._round(new, over, kept)

    def there(self, alarm: str) -> bool:
        """Whether the file that an alarm is about is still in the spool; true where it is about no file."""
        family, _, name = alarm.partition(".")
        with suppress(BadUsage):
            match family:
                case "segment":
                    return self._spool.segment_stamp(name) is not None
                case "call":
                    return self._spool.call_stamp(name) is not None
                case "entries":
                    return (self._spool.entries_directory / f"{name}.jsonl").exists()
                case "policy":
                    return any(digest.startswith(name) for digest, _, _ in self._spool.policies())
        return True

    def _settled(self, call: Call) -> list[int] | None:
        """Frames of the call's files, once the last word on it was said; None while it may change."""
        old = self._now() - call.stamp.modified_ns // 1000 >= SETTLED
        return self._belt.frames(call) if old and self._spool.call_stamp(call.call) == call.stamp else None

    def _round(self, new: list[Call], over: list[tuple[Call, list[int]]], kept: list[str]) -> Report:
        """Lines first: they never wait for anything else. Raises what concerns PostgreSQL as a whole."""
        report = Report()
        self._kept.look()
        report.asked, report.refused, report.taken = self._rows.lines()
        report.asked = report.asked or bool(new or over)
        if kept:
            report.asked, report.erased = True, self._rows.erased(kept)
        self._enter_policies(report)
        for call in new:
            self._enter(call, report)
        for call, frames in over:
            self._rows.close(call.text, frames)
            self._kept.call(call.call, call.text, frames)
            self._spool.forget(call.call)
            del self._over[call.call]
            del self._entered[call.call]
        return report

    def _enter_policies(self, report: Report) -> None:
        for digest, version, text in self._spool.policies():
            if digest not in self._policies:
                report.asked = True
                try:
                    self._rows.policy(version, text)
                except (Damaged, Conflict) as fault:
                    report.refused[f"policy.{digest[:12]}"] = fault
                else:
                    report.taken.append(f"policy.{digest[:12]}")
                self._policies.add(digest)

    def _enter(self, call: Call, report: Report) -> None:
        try:
            self._rows.call(call.text)
        except (Damaged, Conflict) as fault:
            report.refused[f"call.{call.call}"] = fault
        else:
            report.taken.append(f"call.{call.call}")
            if call.ended:
                self._over[call.call] = call
        self._entered[call.call] = call.stamp
