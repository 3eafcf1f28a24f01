"""Sealing and opening: both directions with another implementation, every damage found, constant memory."""

from __future__ import annotations

import hashlib
import io
import os
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, cast

import pyrage  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgov import envelope
from fsgov.envelope.header import read_header
from fsgov.envelope.keys import derive
from fsgov.envelope.stream import CHUNK, TAG
from fsgov.errors import BadConfiguration, Damaged, NotFound

IDENTITY = envelope.Identity.parse(
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
)
STRANGER = envelope.Identity.generate(lambda count: bytes(range(count)))
ALICE = pyrage.x25519.Identity.from_str(str(IDENTITY))
BLOCK = 16 * CHUNK
BOUNDARIES = sorted(
    {
        max(0, edge + off)
        for edge in (0, CHUNK, 2 * CHUNK, BLOCK, BLOCK + CHUNK, 2 * BLOCK, 3 * BLOCK)
        for off in (-1, 0, 1)
    }
)


def plaintext(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def sealed(size: int) -> bytes:
    return envelope.seal_bytes(plaintext(size), [IDENTITY.recipient], os.urandom)


class Dribble(io.RawIOBase):
    """A stream that gives and takes an odd number of bytes at once, as raw files and sockets may."""

    def __init__(self, content: bytes = b"") -> None:
        self.inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.inner.readinto(memoryview(buffer)[:7777])

    def write(self, part: Any) -> int:
        return self.inner.write(memoryview(part)[:5555])


@pytest.mark.parametrize("size", BOUNDARIES)
def test_pyrage_opens_what_we_seal_and_we_what_it_seals(size: int) -> None:
    assert pyrage.decrypt(sealed(size), [ALICE]) == plaintext(size)
    theirs = pyrage.encrypt(plaintext(size), [ALICE.to_public()])
    assert envelope.unseal_bytes(theirs, [IDENTITY]) == plaintext(size)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(BOUNDARIES), st.integers(-200, 200))
def test_any_size_comes_back(edge: int, off: int) -> None:
    size = max(0, edge + off)
    assert envelope.unseal_bytes(sealed(size), [STRANGER, IDENTITY]) == plaintext(size)


@pytest.mark.parametrize("size", [0, 1, CHUNK, BLOCK, 3 * BLOCK + 5])
@pytest.mark.parametrize("beside", [False, True])
def test_digests_and_sizes_are_those_of_the_bytes(size: int, beside: bool) -> None:
    target = Dribble()
    with ThreadPoolExecutor(1) as pool:
        facts = envelope.seal(
            Dribble(plaintext(size)),
            cast("BinaryIO", target),
            [IDENTITY.recipient],
            os.urandom,
            pool if beside else None,
        )
    out = target.inner.getvalue()
    assert facts == envelope.Sealed(
        hashlib.sha256(plaintext(size)).hexdigest(), size, hashlib.sha256(out).hexdigest(), len(out)
    )
    back = Dribble()
    opened = envelope.unseal(io.BufferedReader(Dribble(out)), cast("BinaryIO", back), [IDENTITY])
    assert opened == envelope.Opened(facts.plaintext_sha256, size)
    assert back.inner.getvalue() == plaintext(size)


def test_several_recipients_each_open_it_alone() -> None:
    bob = pyrage.x25519.Identity.generate()
    recipients = [IDENTITY.recipient, STRANGER.recipient, envelope.Recipient.parse(str(bob.to_public()))]
    file = envelope.seal_bytes(b"to three", recipients, os.urandom)
    assert envelope.unseal_bytes(file, [IDENTITY]) == b"to three"
    assert envelope.unseal_bytes(file, [STRANGER]) == b"to three"
    assert pyrage.decrypt(file, [bob]) == b"to three"


def test_nobody_to_seal_to_is_refused_before_a_byte_is_written() -> None:
    target = io.BytesIO()
    with pytest.raises(BadConfiguration, match="nobody to seal to"):
        envelope.seal(io.BytesIO(b"x"), target, [], os.urandom)
    assert target.getvalue() == b""


def test_a_stranger_opens_nothing() -> None:
    target = io.BytesIO()
    with pytest.raises(NotFound, match="no identity matches"):
        envelope.unseal(io.BytesIO(sealed(10)), target, [STRANGER])
    with pytest.raises(NotFound):
        envelope.unseal(io.BytesIO(sealed(10)), target, [])
    assert target.getvalue() == b""


def test_file_key_nonce_and_ephemeral_secrets_are_never_used_twice() -> None:
    taken: list[bytes] = []

    def noted(count: int) -> bytes:
        taken.append(os.urandom(count))
        return taken[-1]

    for _ in range(2):
        envelope.seal_bytes(b"same", [IDENTITY.recipient, STRANGER.recipient], noted)
    assert sorted(map(len, taken)) == [16] * 4 + [32] * 4
    assert len(set(taken)) == len(taken)


@pytest.mark.parametrize("size", [0, 10, CHUNK, CHUNK + 1])
def test_every_cut_is_found(size: int) -> None:
    file = sealed(size)
    ends = {*range(min(250, len(file))), *range(len(file) - 20, len(file)), len(file) // 2}
    for end in ends:
        with pytest.raises(Damaged):
            envelope.unseal_bytes(file[:end], [IDENTITY])


def test_every_changed_bit_of_a_small_file_is_found() -> None:
    file = sealed(5)
    for place in range(len(file)):
        for bit in range(8):
            changed = file[:place] + bytes([file[place] ^ 1 << bit]) + file[place + 1 :]
            with pytest.raises((Damaged, NotFound)):
                envelope.unseal_bytes(changed, [IDENTITY])


@pytest.mark.parametrize("tail", [b"\n", b"x", bytes(15), bytes(16), bytes(CHUNK + TAG)])
@pytest.mark.parametrize("size", [0, 5, CHUNK, BLOCK])
def test_every_addition_is_found(size: int, tail: bytes) -> None:
    with pytest.raises(envelope.PayloadDamaged):
        envelope.unseal_bytes(sealed(size) + tail, [IDENTITY])


def test_moved_dropped_and_doubled_chunks_are_found_and_not_released() -> None:
    file = sealed(3 * CHUNK + 100)
    start = len(file) - (3 * (CHUNK + TAG) + 100 + TAG)
    head, chunks = file[:start], [file[at : at + CHUNK + TAG] for at in range(start, len(file), CHUNK + TAG)]
    for order, released in (("1023", 0), ("023", 1), ("01123", 2), ("012", 2), ("3", 0), ("01233", 3)):
        target = io.BytesIO()
        with pytest.raises(envelope.PayloadDamaged):
            envelope.unseal(io.BytesIO(head + b"".join(chunks[int(n)] for n in order)), target, [IDENTITY])
        assert target.getvalue() == plaintext(3 * CHUNK + 100)[: released * CHUNK]


def test_an_empty_last_chunk_after_others_is_refused() -> None:
    file = io.BytesIO(sealed(CHUNK))
    file_key = IDENTITY.unwrap(read_header(file).stanzas)
    assert file_key is not None
    nonce = file.read(16)
    cipher = ChaCha20Poly1305(derive(file_key, nonce, b"payload"))
    payload = cipher.encrypt(bytes(12), plaintext(CHUNK), None) + cipher.encrypt(
        b"\0" * 10 + b"\1\1", b"", None
    )
    with pytest.raises(envelope.PayloadDamaged, match="empty"):
        envelope.unseal_bytes(file.getvalue()[: file.tell()] + payload, [IDENTITY])


def test_a_header_without_end_is_refused_within_bounds() -> None:
    class Endless(io.BytesIO):
        asked = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size >= 0, "a line without bound was asked for"
            self.asked += size
            return super().readline(size) or b"x" * size

    source = Endless(b"age-encryption.org/v1\n-> ")
    with pytest.raises(envelope.HeaderDamaged):
        envelope.unseal(source, io.BytesIO(), [IDENTITY])
    assert source.asked < 1 << 22


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 230))
def test_hostile_bytes_raise_only_our_errors(noise: bytes, place: int) -> None:
    file = HOSTILE_BASE
    for candidate in (noise, file[:place] + noise, file[:place] + noise + file[place:]):
        if candidate != file:
            with pytest.raises((Damaged, NotFound)):
                envelope.unseal_bytes(candidate, [IDENTITY])


HOSTILE_BASE = sealed(9)


def test_memory_does_not_grow_with_the_file() -> None:
    class Zeros(io.RawIOBase):
        left = 64 * BLOCK

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            view = memoryview(buffer)
            size = min(len(view), self.left)
            self.left -= size
            return size

    class Nowhere(io.RawIOBase):
        def write(self, part: Any) -> int:
            return len(part)

    tracemalloc.start()
    try:
        envelope.seal(Zeros(), cast("BinaryIO", Nowhere()), [IDENTITY.recipient], os.urandom)
        assert tracemalloc.get_traced_memory()[1] < 8 * BLOCK
    finally:
        tracemalloc.stop()


def test_segment_identity_is_wrapped_and_unwrapped() -> None:
    wrapped = envelope.wrap_identity(STRANGER, [IDENTITY.recipient], os.urandom)
    assert envelope.unwrap_identity(wrapped, [IDENTITY]) == STRANGER
    assert pyrage.decrypt(wrapped, [ALICE]) == str(STRANGER).encode()
    with pytest.raises(NotFound):
        envelope.unwrap_identity(wrapped, [STRANGER])


@pytest.mark.parametrize("text", [b"", b"\xff", str(STRANGER).encode() + b"\n"])
def test_a_wrapped_key_that_holds_something_else_is_damaged(text: bytes) -> None:
    with pytest.raises(Damaged, match="holds no age identity"):
        envelope.unwrap_identity(envelope.seal_bytes(text, [IDENTITY.recipient], os.urandom), [IDENTITY])
