"""What ship keeps of what it has entered, and enters again after the database was restored.

sealed/<segment>.age    with its sidecar: until `spool.keep_sealed` has passed
sealed/<call>.json      the call file's last revision, and the frames of its recordings: as long
sealed/<origin>.jsonl   lines of an origin that has ended: as long
sealed/log_id           the log they were entered under; another one tells that the database was restored
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from fsgov.errors import Damaged
from fsgov.events import Instant
from fsgov.shipper.entering import Rows
from fsgov.shipper.sidecar import Step, parse
from fsgov.spool import Spool

log = structlog.get_logger()

SWEEP_EVERY = 60_000_000
"""Microseconds between two looks for what has been kept long enough."""


@dataclass(slots=True)
class Kept:
    """Copies of what is entered, for `keep` microseconds. Its verbs block, in the rows thread."""

    spool: Spool
    rows: Rows
    keep: int
    now: Callable[[], Instant]
    _next: Instant = 0
    _compared: bool = False

    def call(self, call: str, text: str, frames: list[int]) -> None:
        """This call is over and entered; its file may go now."""
        document = json.dumps({"call": json.loads(text), "frames": frames})
        self.spool.kept.replace(call, document.encode(), durable=True)

    def look(self) -> None:
        """Once in a process's life: is the log another one? Then enter again. And drop what is old."""
        if not self._compared:
            self._compare()
            self._compared = True
        if self.now() >= self._next:
            self._next = self.now() + SWEEP_EVERY
            self._sweep()

    def _compare(self) -> None:
        mark = self.spool.sealed_directory / "log_id"
        current = self.rows.log_id()
        known = mark.read_text().strip() if mark.exists() else ""
        if known not in ("", current):
            self._again(current)
        if known != current:
            new = mark.with_name(".ship-log_id")
            new.write_text(current + "\n")
            new.replace(mark)

    def _again(self, current: str) -> None:
        """Everything that is here, and that the database has not: entering it again changes nothing."""
        self.rows.lines_again()
        calls = segments = 0
        for path in sorted(self.spool.sealed_directory.glob("*.json")):
            kept = json.loads(path.read_bytes())
            self.rows.close(json.dumps(kept["call"]), kept["frames"])
            calls += 1
        for name, text in self.spool.segments():
            try:
                sidecar = parse(name, text)
            except Damaged:  # told by who reads the sidecars
                continue
            if sidecar.step is Step.KEEP:
                segments += self.rows.again(sidecar)
        log.warning("catalog.restored", log_id=current, calls=calls, segments=segments)

    def _sweep(self) -> None:
        """Lines and calls that came here long enough ago: a file that was moved has its writer's mtime."""
        before = (self.now() - self.keep) / 1e6
        here = self.spool.sealed_directory
        for path in (path for kind in ("*.json", "*.jsonl") for path in here.glob(kind)):
            if path.stat().st_ctime < before:
                path.unlink()
