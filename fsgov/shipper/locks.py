"""Which lock the policy of a segment wants, as far as it can be read here."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from fsgov import policy
from fsgov.errors import FsgovError
from fsgov.events import Instant
from fsgov.policy import Policy
from fsgov.retention.locking import due
from fsgov.shipper.sidecar import ObjectLock, Sidecar
from fsgov.spool import Spool

log = structlog.get_logger()


class Locks:
    """Which lock a segment is to have, by the policy that it was recorded under. For any thread."""

    def __init__(self, spool: Spool, now: Callable[[], Instant]) -> None:
        self._spool = spool
        self._now = now
        self._known: dict[str, Policy | None] = {}

    def wanted(self, sidecar: Sidecar) -> ObjectLock | None:
        """None: none, or nobody here can say."""
        digest = str(sidecar.written.get("policy") or "")
        if not digest or sidecar.barred:
            return None
        if digest not in self._known:
            text = next((text for each, _, text in self._spool.policies() if each == digest), None)
            if text is None:
                return None
            self._known[digest] = _read(digest, text)
        found = self._known[digest]
        if found is None:
            return None
        now = self._now()
        ended = sidecar.closed or sidecar.opened or now
        lock = due(found, sidecar.written.get("purposes", ()), ended, {}, now)
        return None if lock is None else ObjectLock(lock.mode, lock.until)


def _read(digest: str, text: str) -> Policy | None:
    """None: it asks for no lock, or this fsgov cannot read it."""
    if "lock" not in text:
        return None
    try:
        return policy.parse(text)
    except FsgovError as fault:
        log.error("policy.unreadable", sha256=digest, detail=fault.detail)
        return None
