"""One copy of a recording in another vault: its sealed bytes, its wrapped key, its lock, its hold.

Nothing is opened: the same sealed bytes lie in both vaults, and the same identities open them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from fsgov.catalog.copying import Artefact, CopyDue
from fsgov.copies.proving import Seen, counted, proven
from fsgov.errors import FsgovError, NotFound, NotPermitted, Unreachable
from fsgov.events import Instant
from fsgov.vault import Bucket, LockMode, Vault, grown, verified


@dataclass(frozen=True, slots=True)
class Made:
    """The versions of audio and key that lie in the other vault now, and of what was made of it, by key."""

    version: str
    key_version: str
    artefacts: Mapping[str, str]


def make(due: CopyDue, source: Bucket, target: Vault, wrapped: bytes, now: Instant, seen: Seen) -> Made:
    """Put what is not there yet, and prove all of it by reading it back. Raises what either vault raises.

    Everything in it can be done again: what an earlier attempt left is used where its bytes are right.
    """
    key, size, sha256 = due.object_key, due.sealed_size, due.sealed_sha256
    whole = Artefact(due.from_key, due.from_version, size, sha256)
    version = _same(due, whole, key, source, target.audio, seen)
    artefacts = {
        each.object_key: _same(due, each, each.object_key, source, target.audio, seen)
        for each in due.made_of_it(due.from_vault)
    }
    name, digest = f"keys/{due.segment}", hashlib.sha256(wrapped).hexdigest()
    key_version = there(target.keys, name, digest, len(wrapped))
    if key_version is None:
        key_version = target.keys.put_bytes(name, wrapped, {"segment": due.segment}).version_id
    places = [(target.audio, key, version), (target.keys, name, key_version)]
    places += [(target.audio, at, each) for at, each in artefacts.items()]
    if due.mode is not None and due.until is not None:
        until = int(due.until.timestamp() * 1_000_000)
        mode: LockMode = "COMPLIANCE" if due.mode == "COMPLIANCE" else "GOVERNANCE"
        for bucket, at, each in places:
            grown(bucket, at, each, until, mode, now)
    if _held(source, due):
        for bucket, at, each in places:
            bucket.hold(at, each, True)
    return Made(version, key_version, artefacts)


def _same(due: CopyDue, what: Artefact, key: str, source: Bucket, target: Bucket, seen: Seen) -> str:
    """The version in the other vault that has these bytes: found or put, and read back."""
    version = there(target, key, what.sealed_sha256, what.sealed_size)
    if version is None or version == due.damaged:
        version = _put(due, what, key, source, target, seen)
    proven(target, key, version, what.sealed_sha256, what.sealed_size, seen)
    return version


def there(bucket: Bucket, key: str, sha256: str, size: int) -> str | None:
    """The newest version, if it claims to be ours; a login that may not ask has to put again."""
    try:
        found = bucket.stat(key)
    except (NotFound, NotPermitted):
        return None
    return found.version_id if (found.sha256, found.size) == (sha256, size) else None


def _put(due: CopyDue, what: Artefact, key: str, source: Bucket, target: Bucket, seen: Seen) -> str:
    try:
        with NamedTemporaryFile(prefix="fsgov-", suffix=".age") as file:  # sealed: nobody here can open it
            blocks = counted(source.get(what.object_key, what.version_id), seen)
            for block in verified(blocks, what.sealed_sha256, what.sealed_size):
                file.write(block)
            file.flush()
            path, about = Path(file.name), {"segment": due.segment}
            return target.put(key, path, what.sealed_sha256, what.sealed_size, about).version_id
    except OSError as fault:
        hint = "free space, or name another directory in TMPDIR"
        raise Unreachable("keep has no room for a copy on its way", str(fault.strerror), hint) from fault


def _held(source: Bucket, due: CopyDue) -> bool:
    """Whether the original is under a legal hold of its vault, as far as that vault can still be asked."""
    with suppress(FsgovError):
        return source.stat(due.from_key, due.from_version).legal_hold
    return False
