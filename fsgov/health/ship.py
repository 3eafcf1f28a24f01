"""ship's vitals: what its belt carries, which shared part answers, how long its steps take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from fsgov.alarms import Alarms
from fsgov.errors import FsgovError
from fsgov.events import Instant
from fsgov.health.spread import STEPS, Spread
from fsgov.health.vitals import Readings, by, one
from fsgov.shipper.loop import Shipper
from fsgov.shipper.sidecar import STATES
from fsgov.shipper.telling import NAMES, Telling
from fsgov.spool import EntryFiles, Spool
from fsgov.spool.layout import Disk

DEAD_AFTER = 60.0
"""Seconds without a turn of the loop: a look at a spool with very many sidecars takes some."""


class ShipVitals:
    """What /metrics, /healthz, /readyz and `fsgov status` tell of ship."""

    part = "ship"

    def __init__(self, shipper: Shipper, spool: Spool, destinations: Mapping[str, object]) -> None:
        self._shipper = shipper
        self._spool = spool
        self._files: EntryFiles = spool.entry_files()
        self._gates = ("spool", "database", *(f"vault.{name}" for name in destinations))

    @property
    def alarms(self) -> Alarms:
        return self._shipper.raised

    @property
    def _telling(self) -> Telling:
        return self._shipper.telling

    def turned(self) -> float:
        return max(time.monotonic() - self._telling.turned, 0.0)

    def limit(self) -> float:
        return DEAD_AFTER

    def checks(self) -> Mapping[str, str]:
        faults = dict(self._telling.faults)
        checks = {
            gate: faults.get(gate, "" if gate == "spool" or gate in self._telling.asked else "not asked yet")
            for gate in self._gates
        }
        for gate, why in faults.items():  # what is sealed for a vault is stored in it
            if gate.startswith("sealing."):
                checks[gate] = why
        try:
            self._spool.disk()
        except FsgovError as fault:
            checks["spool"] = str(fault)
        return checks

    def readings(self) -> Readings:
        telling, now = self._telling, time.time_ns() // 1000
        items = list(self._shipper.items)
        states = Counter(item.sidecar.state for item in items)
        waiting = [item.sidecar.closed or item.sidecar.opened or now for item in items if not item.resting]
        try:
            disk = self._spool.disk()
        except FsgovError:
            disk = Disk(0, 0)
        steps = dict(telling.steps)
        return {
            "fsgov_spool_segments": by({state: states[state] for state in STATES}),
            "fsgov_spool_waiting_segments": one(len(waiting)),
            "fsgov_spool_oldest_waiting_seconds": one(_age(waiting, now)),
            "fsgov_spool_unentered_bytes": one(self._files.unentered_bytes()),
            "fsgov_ship_step_seconds": {(step,): steps.get(step, Spread(STEPS)) for step in NAMES.values()},
            "fsgov_ship_failures_total": by(dict(telling.failures), (*NAMES.values(), "entries", "probe")),
            "fsgov_stored_bytes_total": one(telling.stored),
            "fsgov_spool_free_bytes": one(disk.free),
            "fsgov_spool_size_bytes": one(disk.total),
        }

    def close(self) -> None:
        self._files.close()


def _age(waiting: list[Instant], now: Instant) -> float:
    return max(now - min(waiting), 0) / 1e6 if waiting else 0.0
