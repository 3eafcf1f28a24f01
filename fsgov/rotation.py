"""Carries a rotation out: wrapped keys are opened where the old identity is, and sealed to other recipients.

Never in a daemon. The order, for each batch; a kill between two of them loses nothing, and the next run goes
on with what is left:

    1  ask       the batch is a row and a line of the log, committed            rotate.asked
    2  release   the wrapped keys leave the database, once                      rotate.released
    3  wrap      opened, sealed anew, opened again with an identity at hand     nothing is stored yet
    4  lock      rows that are still what was given out; purge waits for us
    5  put       a new version of keys/<segment>, locked as the one before      rotate.put
    6  write     the new key, its version, what it was before beside; line      rotate.written

Confirming is another login's, with an identity of the new recipients: 1 and 2 again, then every key has to
open the header of its recording, older versions in the key bucket go, and only then what the key was before.
So a garbled key, by mistake or on purpose, destroys no recording. Copies in other vaults get their keys then.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from fsgov.catalog.rotating import Batch, Rotating, Settled, WrappedKey
from fsgov.envelope import Identity, Random, Recipient, check_opens, unwrap_identity, wrap_identity
from fsgov.errors import BadConfiguration, Conflict, Damaged, FsgovError, NotFound, NotPermitted, Unreachable
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.vault import Bucket, Vault

BATCH = 100
"""Keys of one batch, and of one line."""
AT_ONCE = 8
SOON = 60_000_000
"""Microseconds. A lock that ends so soon is not made again: no store takes one that has ended."""
FOLDER = "keys"
Seen = Callable[[int], None]


@dataclass(slots=True)
class Outcome:
    """What was done. faults: segment -> why its key is as it was."""

    keys: int = 0
    changed: int = 0
    """Keys that changed, or were destroyed, while they were out: left as they are."""
    locked: int = 0
    """Older versions in the key bucket that a lock still keeps: until then the old identity opens them."""
    faults: dict[str, FsgovError] = field(default_factory=dict)


def wrap(
    catalog: Rotating,
    vault: Vault,
    rotation: str,
    identities: Sequence[Identity],
    recipients: Sequence[Recipient],
    random: Random,
    seen: Seen = lambda _: None,
) -> Outcome:
    """Seal every key of the rotation's vault to `recipients`.

    identities: the old ones, and one at least of the new. Raises NotFound without that one, Unreachable where
    PostgreSQL or the key bucket is away (run it again).
    """
    proving = [identity for identity in identities if identity.recipient in recipients]
    if not proving:
        raise NotFound(
            "No identity of the new recipients is at hand",
            ", ".join(recipient.fingerprint for recipient in recipients),
            "add one to the identity file: nothing is sealed to whom nobody here can open it for",
        )

    def anew(key: WrappedKey) -> Settled:
        identity = unwrap_identity(key.wrapped_key, identities)
        made = wrap_identity(identity, recipients, random)
        if _opened(made, proving) != identity:
            raise Damaged("The new key does not hold what the old one held", key.segment)
        return Settled(key.segment, hashlib.sha256(key.wrapped_key).digest(), made)

    done = Outcome()
    for batch in _batches(catalog, rotation, "wrap"):
        keys = {key.segment: key for key in catalog.release(batch)}
        failpoint("rotate.released")
        made = _each(anew, list(keys.values()), done)
        with catalog.settling(batch) as settling, ThreadPoolExecutor(AT_ONCE) as pool:
            locked = settling.locked(made)
            rest = _among(made, locked)
            put = list(pool.map(partial(_put, vault.keys), rest, [keys[each.segment] for each in rest]))
            failpoint("rotate.put")
            written = settling.wrapped(put)
        failpoint("rotate.written")
        done.keys += written
        done.changed += batch.keys - written - len(keys.keys() & done.faults.keys())
        seen(batch.keys)
    return done


def confirm(
    catalog: Rotating,
    vault: Vault,
    rotation: str,
    identities: Sequence[Identity],
    seen: Seen = lambda _: None,
    others: Mapping[str, Bucket] = MappingProxyType({}),
) -> Outcome:
    """Open every key that was wrapped, and with it its recording; then what it was before is destroyed.

    identities: each of them has to open every key.
    others: key buckets of vaults that have copies. A recording that cannot be looked at, or has a copy where
    none of these is, keeps both. Raises Unreachable (run it again).
    """

    def opened(key: WrappedKey) -> Settled:
        identity = _opened(key.wrapped_key, identities)
        if not key.accepted_loss:
            _open(vault.audio, key, identity)
        if unknown := set(key.copies) - set(others):
            raise BadConfiguration("The vault of a copy is not configured here", f"vault.{min(unknown)}.keys")
        was = hashlib.sha256(key.wrapped_key).digest()
        copies = tuple(zip(key.copies, key.copy_versions, strict=True))
        return Settled(key.segment, was, key.wrapped_key, key.key_version_id or "", copies)

    done = Outcome()
    for batch in _batches(catalog, rotation, "confirm"):
        keys = catalog.release(batch)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            made = _each(opened, keys, done, pool)
            with catalog.settling(batch) as settling:
                rest = _among(made, settling.locked(made))
                rest = list(pool.map(partial(_copied, others), rest))
                locked = sum(pool.map(lambda each: _sweep(vault.keys, each.segment, each.version), rest))
                for name, bucket in others.items():
                    there = [(each.segment, copy) for each in rest for at, copy in each.copies if at == name]
                    locked += sum(pool.map(lambda at, bucket=bucket: _sweep(bucket, *at), there))
                failpoint("rotate.swept")
                settling.copied(rest)
                confirmed = settling.confirmed(rest, locked)
        done.keys += confirmed
        done.locked += locked
        done.changed += len(made) - confirmed
        seen(batch.keys)
    return done


def _batches(catalog: Rotating, rotation: str, step: str) -> Iterator[Batch]:
    """One walk along the segments: a key that has a fault does not come again."""
    after = ""
    while batch := catalog.ask(rotation, step, after, BATCH):
        failpoint("rotate.asked")
        yield batch
        after = batch.last


def _each(
    step: Callable[[WrappedKey], Settled],
    keys: Sequence[WrappedKey],
    done: Outcome,
    pool: ThreadPoolExecutor | None = None,
) -> list[Settled]:
    """What the step makes of each key; what is wrong with one of them holds up no other."""

    def tried(key: WrappedKey) -> Settled | FsgovError:
        try:
            return step(key)
        except (Unreachable, NotPermitted):
            raise
        except FsgovError as fault:
            return fault

    made = []
    for key, found in zip(keys, map(tried, keys) if pool is None else pool.map(tried, keys), strict=True):
        if isinstance(found, Settled):
            made.append(found)
        else:
            done.faults[key.segment] = found
    return made


def _among(keys: Sequence[Settled], segments: set[str]) -> list[Settled]:
    return [key for key in keys if key.segment in segments]


def _put(bucket: Bucket, key: Settled, before: WrappedKey) -> Settled:
    """The new key as a version of its own, as immutable as the one before."""
    return replace(key, version=_stored(bucket, key, before.key_version_id or ""))


def _copied(others: Mapping[str, Bucket], key: Settled) -> Settled:
    """The confirmed key beside its copies as well."""
    return replace(key, copies=tuple((at, _stored(others[at], key, before)) for at, before in key.copies))


def _stored(bucket: Bucket, key: Settled, before: str) -> str:
    name = f"{FOLDER}/{key.segment}"
    stored = bucket.put_bytes(name, key.key, {"segment": key.segment})
    try:
        was = bucket.stat(name, before) if before else None
    except NotFound:  # the bucket has lost it: now it has one again
        was = None
    ends = was.retain_until if was is not None else None
    if was is not None and was.lock_mode is not None and ends is not None and ends > _now() + SOON:
        bucket.lock(name, stored.version_id, ends, was.lock_mode)
    if was is not None and was.legal_hold:
        bucket.hold(name, stored.version_id, True)
    return stored.version_id


def _now() -> Instant:
    return time.time_ns() // 1000


def _opened(wrapped: bytes, identities: Sequence[Identity]) -> Identity:
    """What each of the identities gives back. Raises NotFound where one does not open it, Damaged."""
    found = {unwrap_identity(wrapped, [identity]) for identity in identities}
    if len(found) != 1:
        raise Damaged("A wrapped key is not the same for everybody", "it has been made by another program")
    return found.pop()


def _open(audio: Bucket, key: WrappedKey, identity: Identity) -> None:
    """Raises NotFound or Damaged where this identity is not that of the recording."""
    check_opens(io.BytesIO(next(audio.get(key.object_key, key.version_id), b"")), [identity])


def _sweep(bucket: Bucket, segment: str, named: str) -> int:
    """Remove every version of this key but the one that is named; how many a lock still keeps."""
    name, kept = f"{FOLDER}/{segment}", 0
    versions = [version for version in bucket.list(name) if version.key == name]
    if named not in [version.version_id for version in versions]:
        return 0  # the bucket lacks what the row names: nothing of what it has is superfluous
    for version in versions:
        if version.version_id != named:
            try:
                bucket.remove(name, version.version_id)
            except Conflict:
                kept += 1
    return kept
