"""What was made of recordings, on its way from the database to the vault: a thread of ship.

People attach with their own login and have no right to write to a vault; ship has. The sealed bytes wait in
artefact_bytes until the vault has confirmed them, so no outage loses one. While one is under way its segment
is locked: purge begins before or after, and removes what is there then.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping

import structlog

from fsgov.catalog.ship import Ship
from fsgov.errors import Damaged, FsgovError, NotFound, NotPermitted, Unreachable
from fsgov.failpoints import failpoint
from fsgov.vault import Bucket, LockMode, grown

log = structlog.get_logger()

LOOK_EVERY = 2.0
"""Seconds between two looks at what waits."""
PATIENCE = 150
"""Failures in a row of a part that does not answer before that is an alarm: five minutes."""
ALARM = "artefacts"


class Stowing:
    """Stores what waits, until it is stopped. `troubles` may be read by any thread."""

    def __init__(self, catalog: Ship, buckets: Mapping[str, Bucket], every: float = LOOK_EVERY) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        """Alarm -> why, for ship to follow."""
        self._catalog = catalog
        self._buckets = dict(buckets)
        self._every = every
        self._failures = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="artefacts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """What is under way ends first."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def run_once(self) -> int:
        """Store everything that waits; how much it was. Raises what database or vaults refuse, at the end."""
        count, failed = 0, None
        for vault, bucket in self._buckets.items():
            try:
                while self._one(vault, bucket):
                    count += 1
            except FsgovError as fault:  # another vault may answer
                failed = failed or fault
        if failed is not None:
            raise failed
        return count

    def _one(self, vault: str, bucket: Bucket) -> bool:
        with self._catalog.entering() as entering:
            found = entering.artefact(vault)
            if found is None:
                return False
            failpoint("ship.artefact.before")
            digest = hashlib.sha256(found.sealed).hexdigest()
            version = _there(bucket, found.object_key, digest, len(found.sealed))
            if version is None:
                about = {"segment": found.segment, "artefact": found.artefact}
                version = bucket.put_bytes(found.object_key, found.sealed, about).version_id
                shown = bucket.stat(found.object_key, version)
                if (shown.sha256, shown.size) != (digest, len(found.sealed)):
                    raise Damaged("the vault does not show what it took", f"{bucket.url} {found.object_key}")
            if found.locked_until is not None:  # as its recording is, before any row says that it is stored
                mode: LockMode = "COMPLIANCE" if found.lock_mode == "COMPLIANCE" else "GOVERNANCE"
                until = int(found.locked_until.timestamp() * 1_000_000)
                grown(bucket, found.object_key, version, until, mode, time.time_ns() // 1000)
            failpoint("ship.artefact.after")
            entering.artefact_stored(found.artefact, version)
        log.info("artefact.stored", artefact=found.artefact, segment=found.segment)
        return True

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.run_once()
            except FsgovError as fault:
                self._failures += 1
                if self._failures >= PATIENCE or not isinstance(fault, Unreachable):
                    self.troubles = {ALARM: fault}
                log.warning("artefact.waits", why=fault.message, detail=fault.detail)
            else:
                self._failures, self.troubles = 0, {}


def _there(bucket: Bucket, key: str, sha256: str, size: int) -> str | None:
    """The version that an earlier try left. A login that may not ask has to put again."""
    try:
        found = bucket.stat(key)
    except (NotFound, NotPermitted):
        return None
    return found.version_id if (found.sha256, found.size) == (sha256, size) else None
