"""The payload of an age v1 file: ChaCha20-Poly1305 in chunks of 64 KiB (STREAM, c2sp.org/age).

Each chunk's nonce is its number and whether it is the last, so that chunks cannot be moved, dropped or added.
Memory is constant: a few blocks of sixteen chunks are held, and what is released was authenticated.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from fsgov.envelope.faults import PayloadDamaged

CHUNK = 64 * 1024
TAG = 16
_CHUNKS_AT_ONCE = 16  # a read of 1 MiB: fewer system calls, and the hashes get long runs


class Source(Protocol):
    """What can be sealed: an open binary file, a BytesIO."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


def encrypted(source: Source, key: bytes) -> Iterator[tuple[memoryview, memoryview]]:
    """Blocks of plaintext, and the same sealed, to the end of `source` (an empty one is one chunk).

    A pair stays valid until the next but one is asked for: the buffers go round, because fresh ones would
    cost as much as the cipher.
    """
    cipher = ChaCha20Poly1305(key)
    plain = [memoryview(bytearray(CHUNK * _CHUNKS_AT_ONCE)) for _ in range(3)]
    sealed = [memoryview(bytearray((CHUNK + TAG) * _CHUNKS_AT_ONCE)) for _ in range(2)]
    counter = 0
    size = _fill(source, plain[0])
    for turn in itertools.count():
        block, out = plain[turn % 3][:size], sealed[turn % 2]
        following = _fill(source, plain[(turn + 1) % 3]) if size == CHUNK * _CHUNKS_AT_ONCE else 0
        end = 0
        for start in range(0, max(size, 1), CHUNK):
            chunk = block[start : start + CHUNK]
            final = not following and start + CHUNK >= size
            begin, end = end, end + len(chunk) + TAG
            cipher.encrypt_into(_nonce(counter, final), chunk, None, out[begin:end])
            counter += 1
        yield block, out[:end]
        if not following:
            return
        size = following


def decrypted(source: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The plaintext, chunk by authenticated chunk; PayloadDamaged where it is not what was sealed."""
    cipher = ChaCha20Poly1305(key)
    size = CHUNK + TAG
    counter = 0
    for block, ends in _blocks(source, size * _CHUNKS_AT_ONCE):
        view = memoryview(block)
        for start in range(0, max(len(block), 1), size):
            chunk = view[start : start + size]
            final = ends and start + size >= len(block)
            plain = _opened(cipher, chunk, counter, final)
            if plain is None and not final:
                plain = _opened(cipher, chunk, counter, True)
                if plain is not None:
                    yield plain
                    raise _damaged("something follows the last chunk")
            if plain is None:
                raise _damaged(f"chunk {counter} is not what was sealed, or the end is missing")
            if not plain and counter:
                raise _damaged("the last chunk is empty")
            yield plain
            counter += 1


def _opened(cipher: ChaCha20Poly1305, chunk: memoryview, counter: int, final: bool) -> bytes | None:
    try:
        return cipher.decrypt(_nonce(counter, final), chunk, None)
    except InvalidTag:
        return None


def _nonce(counter: int, final: bool) -> bytes:
    return (counter << 8 | final).to_bytes(12, "big")


def _blocks(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """`source` in blocks of exactly `size` bytes but the last, and whether a block is the last."""
    block = _filled(source, size)
    while True:
        following = _filled(source, size) if len(block) == size else b""
        yield block, not following
        if not following:
            return
        block = following


def _fill(source: Source, buffer: memoryview) -> int:
    """How many bytes were read: all of `buffer`, or fewer where the source ends."""
    size = 0
    while size < len(buffer) and (count := source.readinto(buffer[size:])):
        size += count
    return size


def _filled(source: BinaryIO, size: int) -> bytes:
    """`size` bytes, or fewer where the source ends: a raw file or socket may give less at once."""
    block = source.read(size)
    if len(block) in (0, size):
        return block
    parts = [block]
    missing = size - len(block)
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _damaged(detail: str) -> PayloadDamaged:
    return PayloadDamaged(
        "the sealed payload is damaged", detail, "take another copy; this one was changed or cut"
    )
