"""Locks: what the policies want locked in a vault is tried there, in both its buckets."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress

from fsgov import config
from fsgov.catalog.copying import Copies
from fsgov.checks.finding import Finding, ok
from fsgov.config import Settings
from fsgov.config.keeping import locks, places
from fsgov.errors import BadConfiguration, Conflict, FsgovError, NotPermitted
from fsgov.policy import Lock, Policy, parse
from fsgov.vault import Bucket, LockMode

SECONDS = 5
"""For how long the object of a trial is locked."""


def wanted(settings: Settings, parts: tuple[str, ...]) -> dict[str, Lock]:
    """Vault -> the strongest lock that a policy wants there, of those that this host can see."""
    found: dict[str, Lock] = {}
    for policy in known(settings, parts):
        for rule in policy.rules:
            lock = locks(policy, rule)
            for vault in places(rule, settings.vaults):
                if lock.rank > found.get(vault.name, Lock.NONE).rank:
                    found[vault.name] = lock
    return found


def known(settings: Settings, parts: tuple[str, ...]) -> Iterator[Policy]:
    """The policy of the file, those that decided calls here, and for keep those of the catalog."""
    texts = set[str]()
    if parts != ("keep",):
        with suppress(FsgovError):
            yield config.load_policy(settings.policy.file, settings.regions)
        with suppress(OSError):
            kept = (settings.spool.directory / "policies").iterdir()
            texts |= {path.read_text() for path in kept if not path.name.startswith(".")}
    if "keep" in parts:
        with (
            suppress(FsgovError),
            closing(Copies(settings.database.dsn, settings.database.password("keep"))) as catalog,
        ):
            texts |= {text for _, text in catalog.policies_that_lock()}
    yield from _parsed(text for text in sorted(texts) if "lock" in text)


def _parsed(texts: Iterable[str]) -> Iterator[Policy]:
    for text in texts:
        with suppress(FsgovError):
            yield parse(text)


def tried(of: str, bucket: Bucket, lock: Lock) -> Finding:
    """What the bucket does with a lock. Raises BadConfiguration where it cannot, or locks by itself."""
    mode: LockMode = "COMPLIANCE" if lock is Lock.COMPLIANCE else "GOVERNANCE"
    stored = bucket.put_bytes(f"probe/{secrets.token_hex(8)}", b"a lock", {})
    if bucket.lock_of(stored.key, stored.version_id).retain_until is not None:
        hint = "take its default retention away: what is refused or quarantined must stay destroyable"
        raise BadConfiguration("the bucket locks everything by itself", bucket.url, hint)
    hint = "make the bucket with object lock, and let this login set and see the retention of its objects"
    until = (int(time.time()) + SECONDS) * 1_000_000
    try:
        bucket.lock(stored.key, stored.version_id, until, mode)
    except (BadConfiguration, Conflict, NotPermitted) as fault:
        _clear(bucket, stored.key, stored.version_id)
        what = f"a policy wants {lock.value} locks in it, and this login cannot make them"
        raise BadConfiguration(what, f"{fault.message}: {fault.detail}", fault.hint or hint) from fault
    try:
        bucket.remove(stored.key, stored.version_id)
    except (Conflict, NotPermitted):
        pass
    else:
        raise BadConfiguration("what was locked in it could be removed", bucket.url, hint)
    time.sleep(max(0.0, until / 1e6 - time.time() + 0.1))
    _clear(bucket, stored.key, stored.version_id)
    return ok(of, f"locks what a policy wants locked ({lock.value})", bucket.url)


def _clear(bucket: Bucket, key: str, version: str) -> None:
    with suppress(FsgovError):
        bucket.remove(key, version)
