"""Locks only grow: one that is there stays where it lasts longer or is stronger than the wanted one."""

from __future__ import annotations

from collections.abc import Sequence

from fsgov.vault.bucket import Bucket, Instant, LockMode, Stat

_STRENGTH: dict[LockMode | None, int] = {None: 0, "GOVERNANCE": 1, "COMPLIANCE": 2}


def stronger(one: LockMode | None, other: LockMode | None) -> bool:
    """Whether the first forbids more than the second."""
    return _STRENGTH[one] > _STRENGTH[other]


def grown(bucket: Bucket, key: str, version_id: str, until: Instant, mode: LockMode, now: Instant) -> Stat:
    """The version as the bucket shows it, locked at least so. Raises what `Bucket.lock` raises."""
    shown = bucket.lock_of(key, version_id)
    there = shown.retain_until or 0
    if there > now:
        if there >= until and not stronger(mode, shown.lock_mode):
            return shown
        until = max(until, there)
        if shown.lock_mode is not None and stronger(shown.lock_mode, mode):
            mode = shown.lock_mode
    return bucket.lock(key, version_id, until, mode)


def least(shown: Sequence[Stat]) -> tuple[LockMode, Instant]:
    """The weakest mode and the first end of several locks: what all of them together promise."""
    weak = any(each.lock_mode != "COMPLIANCE" for each in shown)
    return "GOVERNANCE" if weak else "COMPLIANCE", min(each.retain_until or 0 for each in shown)
