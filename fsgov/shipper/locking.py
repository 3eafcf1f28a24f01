"""Between storing and entering: what the policy wants immutable is locked in its vault, and read back.

The lock comes after every check, as calls of its own (a store may drop the headers of a lock silently), on
the audio and on its key alike. What a party took back meanwhile, or is quarantined, is never locked. Where
the policy cannot be read here, the audio is entered without: keep locks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from fsgov.errors import BadConfiguration, Conflict
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.shipper.marking import marked
from fsgov.shipper.sidecar import ObjectLock, Sidecar
from fsgov.shipper.storing import Destination, destination
from fsgov.spool import Spool
from fsgov.vault import grown, least


class Locker:
    """Locks what is stored. Its verb blocks, and may run in several threads at once."""

    def __init__(
        self, spool: Spool, destinations: Mapping[str, Destination], now: Callable[[], Instant]
    ) -> None:
        self._spool = spool
        self._destinations = destinations
        self._now = now

    def lock(self, sidecar: Sidecar) -> Sidecar:
        """The sidecar with the lock that its vault shows, durably; or without one, where there may be none.

        Raises what the vault raises; BadConfiguration where it took the lock and does not show it.
        """
        vault = destination(self._destinations, sidecar.vault).vault
        failpoint("ship.locked.before")
        stored, wanted = sidecar.stored, sidecar.lock
        assert stored is not None
        assert wanted is not None
        after = marked(self._spool, sidecar)
        if after.barred:
            after = replace(after, lock=None)
        else:
            places = (
                (vault.audio, stored.key, stored.version_id),
                (vault.keys, f"keys/{sidecar.segment}", stored.key_version_id),
            )
            now = self._now()
            try:
                shown = [grown(*place, wanted.until, wanted.mode, now) for place in places]
            except Conflict as fault:  # of the vault, not of this segment: it drops locks
                raise BadConfiguration(fault.message, fault.detail, fault.hint) from fault
            after = replace(after, locked=ObjectLock(*least(shown)))
        self._spool.replace_segment(after.segment, after.to_text(), durable=True)
        failpoint("ship.locked.after")
        return after
