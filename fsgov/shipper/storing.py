"""Step 5 of the durable order: the sealed file and its wrapped key into the vault, proven by what it answers.

After a restart or a failure nobody knows whether an upload arrived: ask first (HEAD), then PUT.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fsgov.envelope import Recipient
from fsgov.errors import BadConfiguration, Damaged, NotFound, NotPermitted, Unreachable
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.shipper.locks import Locks
from fsgov.shipper.sidecar import Sidecar, StoredObject, back_to
from fsgov.spool import Spool
from fsgov.vault import Bucket, Vault


@dataclass(frozen=True, slots=True)
class Destination:
    """A vault and whom its recordings are sealed to."""

    vault: Vault
    recipients: tuple[Recipient, ...]


def destination(destinations: Mapping[str, Destination], name: str) -> Destination:
    """Where segments of this vault go; BadConfiguration while it is missing or has no recipient."""
    found = destinations.get(name)
    if found is None:
        hint = "Add it, or start the ship that knows it: the audio waits in the spool."
        raise BadConfiguration("the vault of a segment is not configured", f"vault.{name}", hint)
    if not found.recipients:
        hint = "Name at least one age recipient: the audio waits in the spool."
        raise BadConfiguration("the vault of a segment has no recipient", f"vault.{name}.recipients", hint)
    return found


class Storer:
    """Puts sealed segments into their vaults. Its verb blocks, and may run in several threads at once."""

    def __init__(
        self, spool: Spool, destinations: Mapping[str, Destination], now: Callable[[], Instant]
    ) -> None:
        self._spool = spool
        self._destinations = destinations
        self._now = now
        self._locks = Locks(spool, now)

    def store(self, sidecar: Sidecar, *, ask_first: bool) -> Sidecar:
        """The sidecar in state `stored`, durably; or back before the sealing when the sealed file is damaged.

        ask_first: an earlier attempt may have arrived. Raises what the vault raises.
        """
        sealed = sidecar.sealed
        assert sealed is not None
        vault = destination(self._destinations, sidecar.vault).vault
        failpoint("ship.stored.before")
        version = _there(vault.audio, sealed.key, sealed.sha256, sealed.size) if ask_first else None
        if version is None:
            path = self._spool.sealed(sidecar.segment)
            if not _is(path, sealed.sha256, sealed.size, whole=ask_first):
                again = back_to(sidecar, "ready")
                self._spool.replace_segment(again.segment, again.to_text(), durable=True)
                return again
            about = {"segment": sidecar.segment}
            try:
                version = vault.audio.put(sealed.key, path, sealed.sha256, sealed.size, about).version_id
            except Damaged as fault:
                if _is(path, sealed.sha256, sealed.size, whole=True):
                    raise Unreachable("bytes changed on their way to the vault", fault.detail) from fault
                raise
            _confirm(vault.audio, sealed.key, version, sealed.sha256, sealed.size)
        failpoint("ship.stored.after")
        key_version = self._store_key(sidecar, vault, ask_first=ask_first)
        stored = replace(
            sidecar,
            state="stored",
            stored_at=self._now(),
            lock=self._locks.wanted(sidecar),
            stored=StoredObject(
                vault=vault.name,
                key=sealed.key,
                version_id=version,
                size=sealed.size,
                sha256=sealed.sha256,
                key_version_id=key_version,
            ),
        )
        self._spool.replace_segment(stored.segment, stored.to_text(), durable=True)
        return stored

    def _store_key(self, sidecar: Sidecar, vault: Vault, *, ask_first: bool) -> str:
        """The version of the wrapped identity in the key bucket."""
        assert sidecar.sealed is not None
        failpoint("ship.key.before")
        name, wrapped = f"keys/{sidecar.segment}", sidecar.sealed.wrapped_key
        digest = hashlib.sha256(wrapped).hexdigest()
        version = _there(vault.keys, name, digest, len(wrapped)) if ask_first else None
        if version is None:
            version = vault.keys.put_bytes(name, wrapped, {"segment": sidecar.segment}).version_id
        failpoint("ship.key.after")
        return version


def _there(bucket: Bucket, key: str, sha256: str, size: int) -> str | None:
    """The version that an earlier attempt left, if it is ours. A login that may not ask has to put again."""
    try:
        found = bucket.stat(key)
    except (NotFound, NotPermitted):
        return None
    return found.version_id if (found.sha256, found.size) == (sha256, size) else None


def _confirm(bucket: Bucket, key: str, version: str, sha256: str, size: int) -> None:
    found = bucket.stat(key, version)
    if (found.version_id, found.sha256, found.size) != (version, sha256, size):
        raise Damaged("the vault does not show what it took", f"{bucket.url} {key}")


def _is(path: Path, sha256: str, size: int, *, whole: bool) -> bool:
    """Whether the sealed file is the sidecar's: by length, and after a restart (`whole`) by digest."""
    try:
        if path.stat().st_size != size:
            return False
        if not whole:
            return True
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False
