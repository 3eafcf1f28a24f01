"""keep's vitals: whether the log grows, is signed and reaches its copies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from fsgov.alarms import Alarms, dotted
from fsgov.errors import FsgovError
from fsgov.events import Instant
from fsgov.health.vitals import Readings, by, one
from fsgov.retention import Tally

if TYPE_CHECKING:
    from fsgov.expiry import Expiry
    from fsgov.journal.sequencer import Round, Sequencer
    from fsgov.purge.part import Purger
    from fsgov.scrub import Scrubber
    from fsgov.subjects import Erasures

DEAD_AFTER = 120.0
"""Seconds without a turn of the loop: PostgreSQL or a vault that hangs is given up before."""


class KeepVitals:
    """What /metrics, /healthz, /readyz and `fsgov status` tell of keep. The loop says how each round went."""

    part = "keep"

    def __init__(
        self,
        sequencer: Sequencer,
        alarms: Alarms,
        now: Callable[[], Instant],
        scrubber: Scrubber | None = None,
        expiry: Expiry | None = None,
        erasures: Erasures | None = None,
        purger: Purger | None = None,
    ) -> None:
        self.alarms = alarms
        self._sequencer = sequencer
        self._scrubber = scrubber
        self._expiry = expiry
        self._erasures = erasures
        self._purger = purger
        self._now = now
        self._turned = time.monotonic()
        self._leading = False
        self._moved = 0
        self._failed = 0
        self._fault = "not asked yet"

    def succeeded(self, found: Round) -> None:
        """A round has gone through; on standby as well."""
        self._turned = time.monotonic()
        self._leading = found.leading
        self._moved += found.moved
        self._fault = ""

    def failed(self, fault: FsgovError) -> None:
        self._turned = time.monotonic()
        self._leading = False
        self._failed += 1
        self._fault = str(fault)

    def turned(self) -> float:
        return max(time.monotonic() - self._turned, 0.0)

    def limit(self) -> float:
        return DEAD_AFTER

    def checks(self) -> Mapping[str, str]:
        troubles = dict(self._sequencer.troubles)
        sinks = {f"sink.{dotted(name)}": str(troubles.get(name, "")) for name in self._sequencer.behind}
        return {"database": self._fault, **sinks}

    def readings(self) -> Readings:
        at = self._sequencer.newest
        return {
            "fsgov_log_leading": one(self._leading),
            "fsgov_log_lines": one(self._sequencer.size),
            "fsgov_log_signed_lines": one(self._sequencer.signed),
            "fsgov_log_checkpoint_age_seconds": one(max(self._now() - at, 0) / 1e6 if at else 0),
            "fsgov_log_moved_lines_total": one(self._moved),
            "fsgov_log_failures_total": one(self._failed),
            "fsgov_scrub_objects_total": one(self._scrubber.objects if self._scrubber else 0),
            "fsgov_scrub_bytes_total": one(self._scrubber.bytes if self._scrubber else 0),
            **self._retention(),
            "fsgov_schedule_runs_total": by(self._purger.scheduling.runs if self._purger else {}),
            "fsgov_schedule_late_seconds": one(self._purger.scheduling.late if self._purger else 0),
            "fsgov_returned_objects_total": one(self._purger.returns.removed if self._purger else 0),
            "fsgov_subject_requests": by(asdict(self._erasures.due) if self._erasures else {}),
            "fsgov_sink_behind_lines": by({dotted(name): n for name, n in self._sequencer.behind.items()}),
        }

    def _retention(self) -> Readings:
        found = (self._expiry.found if self._expiry else None) or Tally()
        at = self._expiry.counted_at if self._expiry else 0
        groups = found.verdicts.items()
        return {
            "fsgov_retention_recordings": by({verdict.value: group.recordings for verdict, group in groups}),
            "fsgov_retention_bytes": by({verdict.value: group.size for verdict, group in groups}),
            "fsgov_retention_overdue_recordings": one(found.overdue.recordings),
            "fsgov_retention_unjudged_recordings": one(found.unjudged.recordings),
            "fsgov_retention_age_seconds": one(max(self._now() - at, 0) / 1e6 if at else 0),
            "fsgov_forgotten_calls_total": one(self._expiry.forgotten if self._expiry else 0),
        }
