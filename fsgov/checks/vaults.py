"""Vaults: both buckets are tried with objects of our own below probe/, the keys must not be readable here."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, suppress

from fsgov.checks import locks
from fsgov.checks.finding import Finding, ok, warning
from fsgov.config import Settings
from fsgov.errors import Damaged, FsgovError, NotPermitted
from fsgov.policy import Lock
from fsgov.vault import Bucket, Credentials, Probe, open_vault

STILL_TRIED = 600.0
"""Seconds for which a probe may be another check's, at work elsewhere."""


def vault(settings: Settings, name: str, part: str, lock: Lock = Lock.NONE) -> Iterator[Finding]:
    """What both buckets do; lock: what policies want there.

    Raises what the store refuses: Unreachable, NotPermitted, NotFound, BadConfiguration, Damaged.
    """
    configured = settings.vaults[name]
    login = configured.credentials
    credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
    opened = open_vault(name, configured.url, configured.keys, credentials)
    with closing(opened.audio), closing(opened.keys):
        for use, bucket in (("audio", opened.audio), ("keys", opened.keys)):
            probe = bucket.probe()
            yield tried(f"vault.{name}.{use}", probe, bucket.url, part)
            if lock is not Lock.NONE:
                yield locks.tried(f"vault.{name}.{use}", bucket, lock)
            if part != "ship" and probe.removable and (left := sweep(bucket)):
                yield ok(f"vault.{name}.{use}", f"removed {left} probes that another login had left")
        yield keys_are_closed(f"vault.{name}.keys", opened.keys, part)


def sweep(bucket: Bucket) -> int:
    """Remove what checks by a login that may not (ship's) have left below probe/; how many versions."""
    before = (time.time() - STILL_TRIED) * 1_000_000
    old = [version for version in bucket.list("probe/") if version.modified < before]
    for version in old:
        bucket.remove(version.key, version.version_id)
    return len(old)


def tried(of: str, probe: Probe, url: str, part: str) -> Finding:
    """What a bucket did with our versions."""
    if not probe.digests:
        hint = "this store does not verify x-amz-content-sha256: damage on the way would go unseen"
        raise Damaged("the bucket takes bytes that do not have the announced digest", url, hint)
    detail = f"versions {_word(probe.versioned)}, held versions stay {_word(probe.locks)}, digests verified"
    if not probe.versioned or probe.locks is False:
        hint = "make a bucket with versions and object lock; locks cannot be added later everywhere"
        return warning(of, "nothing in it can be made immutable", f"{url}: {detail}", hint)
    if not probe.removable:
        left = "the probes stay below probe/: this login may not remove them"
        if part == "keep":
            return warning(of, left, f"{url}: {detail}", "keep's login needs to remove versions")
        return ok(of, f"takes objects; {left}, as is right for ship", f"{url}: {detail}")
    if part == "ship" and url.startswith("s3"):
        hint = "give ship a login that may only put, and keep another one"
        return warning(of, "this login may destroy what is stored", f"{url}: {detail}", hint)
    return ok(of, "takes objects and gives them up again", f"{url}: {detail}")


def keys_are_closed(of: str, keys: Bucket, part: str) -> Finding:
    """A wrapped key is put, never read: whoever breaks in here must not collect the keys."""
    stored = keys.put_bytes(f"probe/{secrets.token_hex(8)}", b"not a key", {})
    try:
        b"".join(keys.get(stored.key, stored.version_id))
    except NotPermitted:
        return ok(of, "this login cannot read what it puts there")
    finally:
        with suppress(FsgovError):
            keys.remove(stored.key, stored.version_id)
    if keys.url.startswith("file:"):
        return warning(of, "a file: vault cannot keep keys from who writes them", hint="for trials; use s3:")
    hint = "deny it s3:GetObject and s3:GetObjectVersion there: who puts an object may otherwise read it"
    return warning(of, f"{part or 'this login'} can read the wrapped keys", keys.url, hint)


def _word(state: bool | None) -> str:
    return {True: "yes", False: "no", None: "not tried (this login may not)"}[state]
