"""The objects of a recording in the vaults: are they locked; every version removed, proven by a listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from fsgov import entries
from fsgov.certificate import Listed, Removed
from fsgov.errors import BadConfiguration, Conflict, NotFound, NotPermitted
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.vault import Bucket, Vault

KEY = "key"
AUDIO_BUCKET, KEY_BUCKET = "audio", "keys"
LEDGER = "erased/"
ROUNDS = 5
"""Listings of one key that may still show something: whoever puts it there goes on doing so."""


@dataclass(frozen=True, slots=True)
class Place:
    """One key of one bucket. what: as `fsgov.objects_of` has it; `key` is in the key bucket."""

    vault: str
    key: str
    what: str

    @property
    def bucket(self) -> str:
        return KEY_BUCKET if self.what == KEY else AUDIO_BUCKET


@dataclass(frozen=True, slots=True)
class Lock:
    """A version that its vault will not remove: before `until`, or (None) while a legal hold is on it."""

    place: Place
    until: Instant | None


class Vaults:
    """The vaults that this keep knows, by name. For any thread."""

    def __init__(self, vaults: Mapping[str, Vault], now: Callable[[], Instant]) -> None:
        self._vaults = vaults
        self._now = now

    def locked(self, places: Sequence[Place]) -> Lock | None:
        """The lock that ends last, of all versions there; a legal hold before any other.

        keep reads nothing in the key bucket. Where it may not ask for locks either, they show when a version
        is removed.
        """
        found: list[Lock] = []
        for place in places:
            bucket = self._bucket(place)
            for version in self._versions(bucket, place.key):
                try:
                    told = bucket.lock_of(place.key, version)
                except (NotFound, NotPermitted):
                    continue
                if told.legal_hold:
                    return Lock(place, None)
                if told.retain_until is not None and told.retain_until > self._now():
                    found.append(Lock(place, told.retain_until))
        return max(found, key=lambda lock: lock.until or 0, default=None)

    def write_ledger(self, segment: str, names: Sequence[str], facts: bytes) -> None:
        """`erased/<segment>` in the key bucket of each of these vaults; once, however often it is asked."""
        key = LEDGER + segment
        for name in names:
            bucket = self._vault(name).keys
            if not any(version.key == key and not version.marker for version in bucket.list(key)):
                bucket.put_bytes(key, facts, {"segment": segment})
            failpoint("purge.ledger")

    def versions(self, places: Sequence[Place]) -> list[Removed]:
        """Every version and delete marker that the vaults list now."""
        return [
            Removed(place.vault, place.bucket, place.key, version.version_id)
            for place in places
            for version in self._bucket(place).list(place.key)
            if version.key == place.key
        ]

    def everything(self) -> Iterator[tuple[str, str, str]]:
        """Vault, bucket and key of every version there is; delete markers hold nothing, and are left out."""
        for name, vault in self._vaults.items():
            for bucket, found in ((AUDIO_BUCKET, vault.audio.list()), (KEY_BUCKET, vault.keys.list("keys/"))):
                yield from ((name, bucket, each.key) for each in found if not each.marker)

    def belong(self, segment: str, versions: Sequence[Removed]) -> None:
        """Raises Conflict where the metadata of audio, which this login may read, name another segment."""
        for each in versions:
            if each.bucket == AUDIO_BUCKET:
                with suppress(NotFound, NotPermitted):
                    told = self._vault(each.vault).audio.stat(each.key, each.version).metadata.get("segment")
                    if told not in (None, segment):
                        raise Conflict("Its metadata name another recording", each.key, "it is left as it is")

    def remove(
        self, places: Sequence[Place], noted: Sequence[Removed], note: Callable[[list[Removed]], None]
    ) -> list[Listed]:
        """Remove every version until the listings show nothing; those listings.

        note: keeps what is found besides `noted`, durably, before it is removed. Raises Conflict where
        something is locked, or comes again and again; Unreachable, NotPermitted as the vaults do.
        """
        known, proven = set(noted), []
        for place in places:
            bucket = self._bucket(place)
            for _ in range(ROUNDS):
                found = self.versions([place])
                uploads = bucket.uploads(place.key)
                if not found and not uploads:
                    proven.append(Listed(place.vault, place.bucket, place.key, entries.iso(self._now())))
                    break
                if new := [each for each in found if each not in known]:
                    note(new)
                    known.update(new)
                for each in found:
                    bucket.remove(each.key, each.version)
                    failpoint("purge.version")
                for upload in uploads:
                    bucket.abort(place.key, upload)
            else:
                raise Conflict(
                    "A destroyed object comes back", f"{bucket.url} {place.key}", "see who puts it there"
                )
        return proven

    def close(self) -> None:
        for vault in self._vaults.values():
            vault.audio.close()
            vault.keys.close()

    def _bucket(self, place: Place) -> Bucket:
        vault = self._vault(place.vault)
        return vault.keys if place.bucket == KEY_BUCKET else vault.audio

    def _vault(self, name: str) -> Vault:
        try:
            return self._vaults[name]
        except KeyError:
            hint = "add it where keep runs: what is in it is not destroyed before"
            raise BadConfiguration(
                "The vault of a recording is not configured", f"vault.{name}", hint
            ) from None

    def _versions(self, bucket: Bucket, key: str) -> Iterator[str]:
        return (each.version_id for each in bucket.list(key) if each.key == key and not each.marker)


def moment(instant: Instant) -> datetime:
    return datetime.fromtimestamp(instant / 1e6, UTC)
