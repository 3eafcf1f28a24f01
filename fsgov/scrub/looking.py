"""One stored object, looked at: is it there, whole, unchanged, and locked as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from fsgov.catalog.scrubbing import Due
from fsgov.errors import NotFound, Unreachable
from fsgov.vault import Bucket, Stat

INTACT, CORRUPTED, TRUNCATED, MISSING, UNLOCKED = "intact", "corrupted", "truncated", "missing", "unlocked"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: the verdict, and the lock to compare the next look with."""

    verdict: str
    locked_until: datetime | None
    lock_mode: str


def look(bucket: Bucket, due: Due, now: datetime, read: Callable[[int], None]) -> Look:
    """Read the object. Raises what says nothing about it: Unreachable, NotPermitted, no such bucket.

    read: is told of each block, in bytes; it may wait, so that the vault is not kept busy.
    """
    before = due.locked_until, due.lock_mode
    try:
        told = bucket.stat(due.object_key, due.version_id)
    except NotFound:
        _confirm_missing(bucket, due)
        return Look(MISSING, *before)
    if told.size != due.sealed_size:
        return Look(TRUNCATED if told.size < due.sealed_size else CORRUPTED, *before)
    seen, size = hashlib.sha256(), 0
    for block in bucket.get(due.object_key, due.version_id):
        seen.update(block)
        size += len(block)
        read(len(block))
    if size != due.sealed_size or seen.hexdigest() != due.sealed_sha256:
        return Look(TRUNCATED if size < due.sealed_size else CORRUPTED, *before)
    if unlocked(due, told, now):
        return Look(UNLOCKED, *before)
    return Look(INTACT, _instant(told), told.lock_mode or "")


def unlocked(due: Due, told: Stat, now: datetime) -> bool:
    """Whether the lock that it showed is gone, shorter or weaker before its time."""
    if due.locked_until is None or due.locked_until <= now:
        return False
    until = _instant(told)
    weaker = due.lock_mode == "COMPLIANCE" and told.lock_mode != "COMPLIANCE"
    return until is None or until < due.locked_until or weaker


def _instant(told: Stat) -> datetime | None:
    return None if told.retain_until is None else datetime.fromtimestamp(told.retain_until / 1e6, UTC)


def _confirm_missing(bucket: Bucket, due: Due) -> None:
    """A disk that is not mounted has no object either: the bucket must answer, and must not list it."""
    for version in bucket.list(due.object_key):
        if (version.key, version.version_id) == (due.object_key, due.version_id):
            raise Unreachable("The vault lists an object that it does not have", due.object_key)
