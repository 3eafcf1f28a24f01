"""Purge as a thread of keep: schedules become plans, plans are applied, what was begun comes to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from fsgov.catalog.purging import Purging
from fsgov.catalog.retaining import Retaining
from fsgov.catalog.returning import Returning
from fsgov.catalog.scheduling import Standing
from fsgov.config import Settings
from fsgov.errors import Conflict, Damaged, FsgovError, Unreachable
from fsgov.events import Instant
from fsgov.purge.applying import Judge, Limits, Purge
from fsgov.purge.failing import PATIENCE
from fsgov.purge.removing import Vaults
from fsgov.purge.returning import Returns
from fsgov.purge.scheduling import Scheduling
from fsgov.retention import Verdict
from fsgov.vault import Credentials, open_vault

log = structlog.get_logger()

IDLE = 5.0
"""Seconds between two looks for something to do."""


class Purger:
    """Purges until it is stopped. `troubles` and `destroyed` may be read by any thread.

    leading: whether this keep is the one. run: False where plans are left to `fsgov purge apply`; those of
    schedules are made all the same.
    """

    def __init__(
        self, purge: Purge, scheduling: Scheduling, returns: Returns, *, run: bool = True, idle: float = IDLE
    ) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        """Alarm -> why, for keep to follow."""
        self.leading = False
        self.scheduling = scheduling
        self.returns = returns
        self._purge = purge
        self._runs = run
        self._idle = idle
        self._failing: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="purge", daemon=True)

    @property
    def destroyed(self) -> int:
        """Recordings, in the life of this process."""
        return self._purge.destroyed

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop after the batch that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._purge.close()
        self.scheduling.close()
        self.returns.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            dealt = 0
            if self.leading:
                dealt = self.run_once()
            self._stop.wait(self._purge.pause if dealt else self._idle)

    def run_once(self) -> int:
        """One batch, and what came of it as alarms; how many recordings."""
        fault: FsgovError | None = None
        dealt = 0
        try:
            self.scheduling.turn()
            if self._runs:
                dealt = self._purge.turn()
                self.returns.turn()
            else:
                self._purge.look()
        except FsgovError as error:
            fault = error
            log.warning("purge.failed", why=error.message, detail=error.detail)
        except Exception:
            log.exception("purge.broken")
            fault = Damaged("fsgov itself is wrong here", "purge", "report it with the log")
        self._follow(fault)
        return dealt

    def _follow(self, fault: FsgovError | None) -> None:
        if fault is None:
            self._failing = None
        elif self._failing is None:
            self._failing = time.monotonic()
        waits = isinstance(fault, Unreachable) and time.monotonic() - (self._failing or 0) < PATIENCE
        stuck = self._purge.failing.trouble() or (None if waits else fault)
        troubles = {} if stuck is None else {"purge.stuck": stuck}
        if self._purge.latched:
            troubles["purge.restored"] = Conflict(
                "purge waits: an older dump was restored", hint="fsgov purge lost; then fsgov purge resume"
            )
        if self._purge.halted:
            plan, why = next(reversed(self._purge.halted.items()))
            troubles["purge.halted"] = Conflict(
                "keep has stopped a plan of destruction", f"{plan}: {why}", f"fsgov purge status {plan}"
            )
        self.troubles = {**troubles, **self.scheduling.troubles, **self.returns.troubles}


def now() -> Instant:
    return time.time_ns() // 1000


def purge_of(settings: Settings, now: Callable[[], Instant]) -> Purge:
    """What applies plans, as configured: with the database and the vaults of keep."""
    password = settings.database.password("keep")
    return Purge(
        Purging(settings.database.dsn, password),
        vaults_of(settings, now),
        limits(settings),
        settings.host,
        now,
        judge(Retaining.of_keep(settings.database.dsn, password), now),
    )


def scheduling_of(settings: Settings, now: Callable[[], Instant]) -> Scheduling:
    """What makes the plans of schedules, with the database of keep."""
    dsn, password = settings.database.dsn, settings.database.password("keep")
    return Scheduling(Standing(dsn, password), Retaining.of_keep(dsn, password), settings.host, now)


def returns_of(settings: Settings, now: Callable[[], Instant]) -> Returns:
    """What removes again what has come back, with the database and the vaults of keep."""
    catalog = Returning(settings.database.dsn, settings.database.password("keep"))
    return Returns(catalog, vaults_of(settings, now), settings.host, now)


def vaults_of(settings: Settings, now: Callable[[], Instant]) -> Vaults:
    """Every vault of the configuration, with the credentials of keep."""
    vaults = {}
    for vault in settings.vaults.values():
        login = vault.credentials
        credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
        vaults[vault.name] = open_vault(vault.name, vault.url, vault.keys, credentials)
    return Vaults(vaults, now)


def limits(settings: Settings) -> Limits:
    """How fast, how carefully, and how long copies of a key live on elsewhere."""
    return Limits(
        rate=settings.purge.rate,
        canary=settings.purge.canary,
        canary_wait=settings.purge.canary_wait / 1e6,
        complete=max(settings.database.backup_horizon, settings.spool.keep_sealed),
    )


def judge(retaining: Retaining, now: Callable[[], Instant]) -> Judge:
    """Which recordings are due, by the periods that count now."""

    def still_due(segments: Sequence[str]) -> list[str]:
        with retaining.judged(now(), segments=segments) as rows:
            return [facts.segment for facts, found in rows if found.verdict is not Verdict.KEEP]

    return still_due
