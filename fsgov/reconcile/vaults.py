"""What lies in the buckets of a vault: listed, never read, except for an object that is adopted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from fsgov.config.settings import VaultSettings
from fsgov.errors import Damaged, NotFound, NotPermitted
from fsgov.reconcile.worlds import Instant, StoredObject, VaultListing
from fsgov.vault import Bucket, Credentials, open_bucket

KEYS = "keys/"


@contextmanager
def opened(vault: VaultSettings) -> Iterator[tuple[Bucket, Bucket | None]]:
    """The audio bucket and, where it is configured here, the key bucket."""
    login = vault.credentials
    credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
    audio = open_bucket(vault.url, credentials)
    keys = open_bucket(vault.keys, credentials) if vault.keys else None
    try:
        yield audio, keys
    finally:
        audio.close()
        if keys is not None:
            keys.close()


def listing(vault: VaultSettings) -> VaultListing:
    """Every version in the audio bucket, and the keys where this login may list them. Raises Unreachable."""
    with opened(vault) as (audio, keys):
        held = None if keys is None else _keys(keys)
        objects = tuple(
            StoredObject(each.key, each.version_id, each.size, each.modified)
            for each in audio.list()
            if not each.marker
        )
    return VaultListing(vault.name, objects, held)


def _keys(bucket: Bucket) -> dict[str, Instant] | None:
    try:
        return {each.key.removeprefix(KEYS): each.modified for each in bucket.list(KEYS) if not each.marker}
    except NotPermitted:
        return None


def digest_of(bucket: Bucket, key: str, version: str) -> tuple[str, int]:
    """SHA-256 (hex) and length of the stored bytes. Raises Damaged where its metadata claim another."""
    claimed = bucket.stat(key, version).sha256
    seen, size = hashlib.sha256(), 0
    for block in bucket.get(key, version):
        seen.update(block)
        size += len(block)
    found = seen.hexdigest()
    if claimed not in (found, ""):  # a copy from a replica may have lost its metadata
        raise Damaged("The object is not what was put there", key, "keep it as it is")
    return found, size


def wrapped_key(bucket: Bucket | None, segment: str) -> tuple[bytes, str]:
    """The wrapped key of a segment and its version. Raises NotFound, NotPermitted."""
    if bucket is None:
        raise NotFound("The key bucket is not configured here", segment, "set vault.NAME.keys")
    version = bucket.stat(f"{KEYS}{segment}").version_id
    return b"".join(bucket.get(f"{KEYS}{segment}", version)), version
