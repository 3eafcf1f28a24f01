"""Whether a stored version is, byte for byte, what the row says: read back, not asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fsgov.errors import Damaged
from fsgov.vault import Bucket, verified

Seen = Callable[[int], None]


def proven(
    bucket: Bucket, key: str, version: str, sha256: str, size: int, seen: Seen = lambda _: None
) -> None:
    """Read the version whole. Raises Damaged where length or SHA-256 differ, and what the bucket raises."""
    told = bucket.stat(key, version)
    if told.size != size:
        raise Damaged("The stored object has another length", f"{key}: {told.size}, the row says {size}")
    for _ in verified(counted(bucket.get(key, version), seen), sha256, size):
        pass


def counted(blocks: Iterator[bytes], seen: Seen) -> Iterator[bytes]:
    for block in blocks:
        seen(len(block))
        yield block
