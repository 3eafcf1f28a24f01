"""What every bucket promises, whatever it is made of; `tests/suites/test_vault.py` holds each one to it."""

from __future__ import annotations

import hashlib
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Literal, cast

from fsgov.errors import BadConfiguration, BadUsage, Conflict, Damaged, FsgovError, NotPermitted
from fsgov.vault.pacing import Pace, Paced

BLOCK = 256 * 1024  # bytes moved at a time: no verb needs memory in proportion to an object
LARGEST = 5 * 1024**3  # bytes of one PUT; a WAV file cannot be longer than 4 GiB

Instant = int  # microseconds since the epoch, UTC
LockMode = Literal["GOVERNANCE", "COMPLIANCE"]

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_NAME, _VALUE = re.compile(r"[a-z0-9-]{1,64}"), re.compile(r"[!-~]{1,1024}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A version that the bucket has taken, durably. version_id is never empty ("null" without versioning)."""

    key: str
    version_id: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Stat:
    """What the bucket says of a version; sha256 is what its metadata claim, "" where they claim nothing."""

    key: str
    version_id: str
    size: int
    sha256: str
    metadata: Mapping[str, str]
    retain_until: Instant | None = None
    lock_mode: LockMode | None = None
    legal_hold: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """One line of a listing: a version of an object, or a delete marker (size 0), which hides older ones."""

    key: str
    version_id: str
    size: int
    modified: Instant
    latest: bool
    marker: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """What a bucket turned out to do, tried with an object of our own.

    versioned: an overwritten object keeps its old version.
    digests:   bytes that do not have the announced SHA-256 were refused.
    locks:     a held version could not be removed; None where this login may not try it.
    removable: this login may remove versions (right for keep, wrong for ship).
    """

    versioned: bool
    digests: bool
    locks: bool | None
    removable: bool


class Bucket(ABC):
    """One bucket. Every verb blocks, may be called from many threads, and tries once: the caller retries.

    Errors: Unreachable (another try may help: no answer, an overloaded or full server), NotFound (bucket, key
    or version), NotPermitted (this login), Conflict (locked, held), Damaged (digest or length),
    BadConfiguration (what no retry mends: wrong region, no object lock), BadUsage (a key or metadata we never
    make). No message holds a credential.
    """

    url: str
    pace: Pace | None = None
    """At which `put` sends; None: as fast as it goes."""

    def paced(self, source: IO[bytes]) -> IO[bytes]:
        """The file as `put` has to read it: by `read` alone."""
        return source if self.pace is None else cast(IO[bytes], Paced(source, self.pace))

    @abstractmethod
    def create(self) -> None:
        """Make the bucket, versioned and lockable where the scheme can; one that exists is left as it is."""

    @abstractmethod
    def put(self, key: str, path: Path, sha256: str, size: int, metadata: Mapping[str, str]) -> Stored:
        """Store the file as a new version of `key`.

        Must: the bytes that are stored have this SHA-256 (hex) and size, or no version appears and Damaged
        is raised. Must: when it returns, the version is durable; when it raises Unreachable, it may or may
        not be there (ask with `stat` before a retry). Must: memory stays constant.
        The digest becomes metadata `sha256`. It asks for no right but to put.
        """

    @abstractmethod
    def put_bytes(self, key: str, content: bytes, metadata: Mapping[str, str]) -> Stored:
        """Store a small object (a wrapped key, a checkpoint, a ledger line); the same promises."""

    @abstractmethod
    def stat(self, key: str, version_id: str | None = None) -> Stat:
        """What is stored, from the server's own headers; the newest version where none is named.

        Raises NotFound; on S3 a login without the right to list gets NotPermitted instead.
        """

    @abstractmethod
    def get(self, key: str, version_id: str) -> Iterator[bytes]:
        """The bytes of a version in blocks; wrap in `verified` to trust them. Unreachable when cut short."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Version]:
        """Every version and delete marker whose key begins with prefix, by key, however many there are."""

    @abstractmethod
    def remove(self, key: str, version_id: str) -> None:
        """Destroy this version (or delete marker) itself; only purge may call it.

        The version is always named: S3 answers a removal without one by hiding the object behind a marker.
        One that is not there is no error. Must: Conflict while it is locked or held.
        """

    @abstractmethod
    def uploads(self, key: str) -> Sequence[str]:
        """Uploads of this key that were begun and never finished: their parts are in no listing."""

    @abstractmethod
    def abort(self, key: str, upload: str) -> None:
        """Destroy what such an upload has left; only purge may call it. One that is not there is no error."""

    @abstractmethod
    def lock(self, key: str, version_id: str, until: Instant, mode: LockMode) -> Stat:
        """Make the version immutable until then (rounded up to a second); the Stat read back proves it.

        Raises Conflict where the bucket took the lock and does not show it, BadConfiguration where it cannot
        lock, NotPermitted where it is locked for longer already.
        """

    def lock_of(self, key: str, version_id: str) -> Stat:
        """The lock that the version shows, also to a login that may not read it; as `stat` else."""
        return self.stat(key, version_id)

    @abstractmethod
    def hold(self, key: str, version_id: str, on: bool) -> Stat:
        """Set or lift the legal hold of the version; proven and refused as `lock` does."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections; the bucket is not used afterwards."""

    def probe(self) -> Probe:
        """Try what the bucket does with versions of our own below `probe/`, removed again where permitted."""
        key = f"probe/{secrets.token_hex(8)}"
        first, second = self.put_bytes(key, b"one", {}), self.put_bytes(key, b"two", {})
        versioned = first.version_id != second.version_id
        wrong = self._takes_wrong_bytes(key)
        locks: bool | None
        try:
            self.hold(key, second.version_id, True)
        except NotPermitted:  # to hold it, or to see that it is held
            locks = None
            with suppress(FsgovError):
                self.hold(key, second.version_id, False)
        except (BadConfiguration, Conflict):
            locks = False
        else:
            locks = self._keeps(key, second.version_id)
            self.hold(key, second.version_id, False)
        try:
            for stored in (first, second, wrong):
                if stored is not None:
                    self.remove(key, stored.version_id)
        except NotPermitted:
            return Probe(versioned, wrong is None, locks=None if locks else locks, removable=False)
        return Probe(versioned, wrong is None, locks, removable=True)

    def _takes_wrong_bytes(self, key: str) -> Stored | None:
        with NamedTemporaryFile(suffix=".probe") as file:
            file.write(b"three")
            file.flush()
            try:
                return self.put(key, Path(file.name), hashlib.sha256(b"other").hexdigest(), 5, {})
            except Damaged:
                return None

    def _keeps(self, key: str, version_id: str) -> bool:
        try:
            self.remove(key, version_id)
        except (Conflict, NotPermitted):
            return True
        return False


@dataclass(frozen=True, slots=True)
class Vault:
    """A vault of the configuration: its name, the bucket of sealed audio, the bucket of wrapped keys."""

    name: str
    audio: Bucket
    keys: Bucket


def verified(blocks: Iterable[bytes], sha256: str, size: int) -> Iterator[bytes]:
    """The same blocks; raises Damaged at their end where digest (hex) or length differ.

    So whoever consumes them must not keep the result before the end was reached.
    """
    seen, length = hashlib.sha256(), 0
    for block in blocks:
        seen.update(block)
        length += len(block)
        yield block
    if length != size or seen.hexdigest() != sha256:
        raise Damaged("The stored object is not the one that was put there", f"{length} of {size} bytes read")


def checked_key(key: str) -> str:
    """The key, where it is one we make: at most 512 of A-Z a-z 0-9 . _ - and slashes between names."""
    if len(key) > 512 or not _KEY.fullmatch(key):
        raise BadUsage("This is no key of a stored object", repr(key))
    return key


def checked_metadata(metadata: Mapping[str, str], sha256: str) -> dict[str, str]:
    """The metadata with the digest: lower-case names, visible ASCII, since they travel as signed headers."""
    for name, value in metadata.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadUsage("Metadata of a stored object must be plain ASCII without spaces", name)
    return {**metadata, "sha256": sha256}
