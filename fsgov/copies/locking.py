"""Locks that have to grow: an anchor has happened, a call is over, a policy's periods count from now on.

keep goes through all that is stored under policies with locks, once an hour, and makes longer what is too
short or not there at all: the lock of what a reviewer has released, or whose policy ship could not read.
Nothing is made shorter or weaker, by the words of `vault.locks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import structlog

from fsgov import entries, policy
from fsgov.catalog.copying import Copies, Lockable
from fsgov.copies.worker import Worker
from fsgov.errors import BadConfiguration, FsgovError, NotFound
from fsgov.events import Instant
from fsgov.policy import Lock, Policy
from fsgov.retention.locking import Due, due
from fsgov.vault import Vault, grown, least

log = structlog.get_logger()

EVERY = 3600.0
"""Seconds between two rounds over everything."""
PAGE = 5000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Locking(Worker):
    """Makes locks grow until it is closed. vaults: with keep's login."""

    def __init__(
        self,
        catalog: Copies,
        vaults: Mapping[str, Vault],
        host: str,
        now: Callable[[], Instant],
        every: float = EVERY,
    ) -> None:
        super().__init__("lock", every)
        self._catalog = catalog
        self._vaults = vaults
        self._host = host
        self._now = now
        self._origin = f"{host}.keep.{now() // 1000 + 12}"
        self._policies: dict[str, Policy | None] = {}
        self._faults: dict[str, FsgovError] = {}

    def run_once(self) -> bool:
        self._faults = {}
        policies = self._locking()
        after = ""
        while policies and not self.stop.is_set():
            page = self._catalog.lockable(sorted(policies), after, PAGE)
            for row in page:
                self._look(row, policies[row.policy_sha256])
            if not page:
                break
            after = page[-1].segment
        self.troubles = self._faults
        return False

    def _locking(self) -> dict[str, Policy]:
        """The policies that lock something, by digest; each text is read once."""
        for sha256, text in self._catalog.policies_that_lock():
            if sha256 not in self._policies:
                self._policies[sha256] = self._parsed(sha256, text)
        return {sha256: found for sha256, found in self._policies.items() if found is not None}

    def _parsed(self, sha256: str, text: str) -> Policy | None:
        try:
            found = policy.parse(text)
        except FsgovError as fault:
            log.error("policy.unreadable", sha256=sha256, detail=fault.detail)
            return None
        return found if any(p.lock is not Lock.NONE for p in found.purposes.values()) else None

    def _look(self, row: Lockable, under: Policy) -> None:
        now = self._now()
        wanted = due(under, row.purposes, _instant(row.ended_at), row.anchors, now)
        known = Lock((row.mode or "none").lower())
        until = None if row.until is None else _instant(row.until)
        if self.stop.is_set() or wanted is None or not wanted.lacks(until, known, now):
            return
        name = f"lock.{row.vault}"
        if name in self._faults:
            return
        try:
            self._grow(row, wanted)
        except NotFound as fault:  # the scrub tells of that
            log.warning(
                "lock.nothing",
                segment=row.segment,
                artefact=row.artefact,
                vault=row.vault,
                detail=fault.detail,
            )
        except FsgovError as fault:
            log.warning(
                "lock.failed", segment=row.segment, vault=row.vault, why=fault.message, detail=fault.detail
            )
            self._faults[name] = fault

    def _grow(self, row: Lockable, wanted: Due) -> None:
        vault = self._vaults.get(row.vault)
        if vault is None:
            raise BadConfiguration("The vault of a lock is not configured for keep", f"vault.{row.vault}")
        now = self._now()
        shown = [grown(vault.audio, row.object_key, row.version_id, wanted.until, wanted.mode, now)]
        if not row.artefact:
            key = f"keys/{row.segment}"
            shown.append(grown(vault.keys, key, row.key_version_id, wanted.until, wanted.mode, now))
        mode, until = least(shown)
        moment = EPOCH + timedelta(microseconds=until)
        self._catalog.locked(row, mode, moment, self._origin, lambda n: self._line(n, row, mode, until))
        log.info("lock.grown", segment=row.segment, vault=row.vault, until=moment.isoformat())

    def _line(self, n: int, row: Lockable, mode: str, until: Instant) -> bytes:
        facts: dict[str, entries.Fact] = {"call": row.call, "vault": row.vault, "mode": mode.lower()}
        if row.artefact:
            facts["segment"] = row.segment
        return entries.line(
            origin=self._origin, n=n, host=self._host, subject=row.artefact or row.segment, time=self._now(),
            type_="artefact.locked" if row.artefact else "segment.locked",
            facts={**facts, "until": entries.iso(until)},
        )  # fmt: skip


def _instant(at: datetime) -> Instant:
    return (at - EPOCH) // timedelta(microseconds=1)
