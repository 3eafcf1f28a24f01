"""A recording's way from the vault to a person: access, key, sealed object, the exact bytes.

The order is the promise: the request is committed to the log before the key is released (the database sees to
it), the sealed bytes are compared with the row, every byte is authenticated while it is opened, the SHA-256
of the whole is compared with the row, and only then does the file get its name.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from fsgov import media
from fsgov.cli.frame import read_text
from fsgov.envelope import Identity, Opened, parse_identities, unseal, unwrap_identity
from fsgov.errors import BadConfiguration, BadUsage, Conflict, Damaged, NotPermitted
from fsgov.vault import BLOCK, Bucket, Credentials, open_bucket, verified

if TYPE_CHECKING:
    from fsgov.catalog.desk import Desk
    from fsgov.catalog.rows import ReleasedKey, SegmentRow
    from fsgov.config import Settings

IDENTITY = "FSGOV_IDENTITY"
Seen = Callable[[int], None]
"""Is told of each block, in bytes."""


def identities_of(path: Path | None) -> tuple[Identity, ...]:
    """The identities in the file of --identity or FSGOV_IDENTITY; none where neither names one.

    Raises NotFound, NotPermitted (others may read it too), BadConfiguration, BadUsage (it is the key itself,
    which is not shown again).
    """
    named = path or (Path(found) if (found := os.environ.get(IDENTITY)) else None)
    if named is None:
        return ()
    if named.name.upper().startswith("AGE-SECRET-KEY-"):
        hint = (
            "write it to a file of yours alone; who could read this command line, or its log, has it: rotate"
        )
        raise BadUsage("This is the key itself, not a file that has it", hint=hint)
    text = read_text(named.expanduser(), "identity file")
    if named.expanduser().stat().st_mode & 0o077:
        raise NotPermitted(
            "The identity file can be read by others", str(named), f"chmod 600 {named}; it opens recordings"
        )
    return parse_identities(text)


@contextmanager
def audio_bucket(settings: Settings, name: str) -> Iterator[Bucket]:
    """The audio bucket of a vault with this desk's credentials; the key bucket is never touched."""
    vault = settings.vaults.get(name)
    if vault is None:
        raise BadConfiguration(
            "The vault of the recording is not configured here", f"vault.{name}", "name it, with url"
        )
    login = vault.credentials
    credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
    with closing(open_bucket(vault.url, credentials)) as bucket:
        yield bucket


def stored_at(row: SegmentRow) -> tuple[str, str, int, str]:
    """Key, version, size and digest of the sealed object. Raises Conflict where there is none (any more)."""
    if row.state in ("destroying", "destroyed"):
        hint = f"fsgov purge certificate {row.segment}"
        raise Conflict("This recording is destroyed", f"{row.segment} is {row.state}", hint)
    if (
        row.object_key is None
        or row.version_id is None
        or row.sealed_size is None
        or row.sealed_sha256 is None
    ):
        raise Conflict(
            "There was no audio to store", f"{row.segment}: {', '.join(row.findings) or row.state}"
        )
    return row.object_key, row.version_id, row.sealed_size, row.sealed_sha256


@dataclass(frozen=True, slots=True)
class Need:
    """What a recording is opened for. recipient: who gets the copy, if anybody else. case: of a complaint."""

    purpose: str
    reason: str
    recipient: str = ""
    case: str = ""

    def facts(self) -> dict[str, str]:
        """As a manifest says it."""
        told = {"purpose": self.purpose, "reason": self.reason}
        return told | {"case": self.case} if self.case else told


def release(desk: Desk, segment: str, need: Need) -> tuple[str, ReleasedKey]:
    """The access (committed) and its wrapped key."""
    reasoned(need)
    access = desk.request_access(segment, need.purpose, need.reason, need.recipient, need.case)
    return access, desk.release_key(access)


def reasoned(need: Need) -> None:
    """Raises BadUsage where no reason is given."""
    if not need.reason.strip():
        raise BadUsage(
            "An access needs a reason", "--reason is empty", "say what the recording is needed for"
        )


def opened(
    bucket: Bucket,
    row: SegmentRow,
    key: ReleasedKey,
    identities: Iterable[Identity],
    target: BinaryIO,
    seen: Seen,
) -> Opened:
    """Write the recording to `target`. Raises Damaged, NotFound (no identity fits); then it is worthless."""
    object_key, version, size, digest = stored_at(row)
    identity = unwrap_identity(key.wrapped_key, identities)
    blocks = verified(counted(bucket.get(object_key, version), seen), digest, size)
    found = unseal(io.BufferedReader(_Blocks(blocks), BLOCK), target, [identity])
    if row.audio_sha256 not in (found.sha256, None):  # None: adopted, and nobody had looked inside
        raise Damaged(
            "The recording is not the one that was sealed",
            f"{row.segment}: SHA-256 {found.sha256}, the row says {row.audio_sha256}",
            "keep the sealed object as it is, and compare with the row's history in the log",
        )
    return found


class _Blocks(io.RawIOBase):
    """An iterator of bytes as a file that can be read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def counted(blocks: Iterable[bytes], seen: Seen) -> Iterator[bytes]:
    """The same blocks; `seen` is told the size of each."""
    for block in blocks:
        seen(len(block))
        yield block


def sealed_size(rows: Iterable[SegmentRow]) -> int:
    """Bytes that the vaults have of these."""
    return sum(row.sealed_size or 0 for row in rows)


@dataclass(frozen=True, slots=True)
class Copy:
    """An exported file: what it is, beside what was stored."""

    segment: str
    file: Path
    size: int
    sha256: str
    stored_sha256: str
    repaired: bool


def export(
    bucket: Bucket,
    row: SegmentRow,
    key: ReleasedKey,
    identities: Iterable[Identity],
    path: Path,
    seen: Seen,
    *,
    as_found: bool,
) -> Copy:
    """The recording as a file of mode 0600, under `path` only when all of it is right.

    as_found: exactly as the switch wrote it; else a header that was never closed gets its sizes.
    """
    with fresh(path) as file:
        found = opened(bucket, row, key, identities, file, seen)
        digest = found.sha256
        repaired = not as_found and repair(file, found.size)
        if repaired:
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Copy(row.segment, path, found.size, digest, found.sha256, repaired)


def repair(file: IO[bytes], size: int) -> bool:
    """Set the sizes of a WAV header that the switch left open; whether anything had to be set."""
    file.seek(0)
    head = file.read(media.HEAD)
    try:
        mended = media.repair_header(head, size)
    except Damaged:  # no WAV header at all: nothing here knows better
        return False
    if head.startswith(mended):
        return False
    file.seek(0)
    file.write(mended)
    return True


@contextmanager
def fresh(path: Path) -> Iterator[io.BufferedRandom]:
    """A new file that has its name only when the block ended well; otherwise nothing is left of it."""
    if path.exists():
        raise Conflict("The file is there already", str(path), "name another; none is overwritten")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as fault:
        raise BadUsage("The file cannot be written", f"{path}: {fault.strerror}") from None
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(part).rename(path)
    except OSError as fault:
        raise BadUsage("The file cannot be written", f"{path}: {fault.strerror}") from None
    finally:
        with suppress(FileNotFoundError):
            Path(part).unlink()
