"""Sealing and opening whole age v1 files: over streams, over bytes, and the identity of a segment."""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from fsgov.envelope.faults import HeaderDamaged, MacDamaged
from fsgov.envelope.header import closing, covered, read_header
from fsgov.envelope.keys import FILE_KEY_LENGTH, Identity, Random, Recipient, derive
from fsgov.envelope.stream import Source, decrypted, encrypted
from fsgov.errors import BadConfiguration, Damaged, NotFound

_NONCE_LENGTH = 16
Bytes = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was sealed and what came out: SHA-256 in hex, sizes in bytes."""

    plaintext_sha256: str
    plaintext_size: int
    sealed_sha256: str
    sealed_size: int


@dataclass(frozen=True, slots=True)
class Opened:
    """What came out of a sealed file: SHA-256 in hex, size in bytes."""

    sha256: str
    size: int


class Awaited(Protocol):
    """Work that was handed over: `result` waits for it and raises what it raised."""

    def result(self) -> object: ...


class Beside(Protocol):
    """Who computes digests while the caller encrypts: a `ThreadPoolExecutor(1)`, made by the shell."""

    def submit(self, work: Callable[[Bytes], None], part: Bytes, /) -> Awaited: ...


def seal(
    source: Source,
    target: BinaryIO,
    recipients: Sequence[Recipient],
    random: Random,
    beside: Beside | None = None,
) -> Sealed:
    """Writes `source`, read to its end, sealed to every recipient; both digests come from the same pass.

    Constant memory. Raises BadConfiguration without recipients, and whatever the streams raise; what is then
    in `target` is the caller's to destroy. `beside` only makes it faster: its threads must not be the ones
    that call `seal`, or they would wait for themselves.
    """
    if not recipients:
        raise BadConfiguration("nobody to seal to", "the list of recipients is empty")
    file_key = random(FILE_KEY_LENGTH)
    nonce = random(_NONCE_LENGTH)
    head = covered(tuple(recipient.wrap(file_key, random) for recipient in recipients))
    head += closing(_mac(file_key, head)) + nonce
    plain, sealed = _Digest(beside), _Digest(beside)
    sealed.add(head)
    _write(target, head)
    for block, chunks in encrypted(source, derive(file_key, nonce, b"payload")):
        plain.add(block)
        sealed.add(chunks)
        _write(target, chunks)
    return Sealed(plain.hexdigest(), plain.size, sealed.hexdigest(), sealed.size)


def unseal(source: BinaryIO, target: BinaryIO, identities: Iterable[Identity]) -> Opened:
    """Writes to `target` what was sealed in `source`, for the first identity that fits.

    Raises NotFound when none fits and Damaged (HeaderDamaged, MacDamaged, PayloadDamaged) otherwise. Every
    byte written was authenticated, but only a normal return says that it is all: on an error the caller
    destroys what is in `target`.
    """
    file_key = _file_key(source, identities)
    nonce = source.read(_NONCE_LENGTH)
    if len(nonce) != _NONCE_LENGTH:
        raise HeaderDamaged("the header of the sealed file is damaged", "the file ends within the nonce")
    digest = _Digest(None)
    for plain in decrypted(source, derive(file_key, nonce, b"payload")):
        _write(target, plain)
        digest.add(plain)
    return Opened(digest.hexdigest(), digest.size)


def check_opens(source: BinaryIO, identities: Iterable[Identity]) -> None:
    """Nothing, where one of the identities opens the sealed file; its header is all that is read.

    Raises NotFound, HeaderDamaged and MacDamaged as `unseal`.
    """
    _file_key(source, identities)


def _file_key(source: BinaryIO, identities: Iterable[Identity]) -> bytes:
    """The key of the payload, which the header before it holds for the first identity that fits."""
    header = read_header(source)
    file_key = next(
        (key for identity in identities if (key := identity.unwrap(header.stanzas)) is not None), None
    )
    if file_key is None:
        raise NotFound(
            "no identity matches",
            "the file is sealed to other recipients",
            "give the identity of one of the vault's recipients",
        )
    if not hmac.compare_digest(_mac(file_key, header.covered), header.mac):
        raise MacDamaged("the header of the sealed file was changed", "its MAC does not match")
    return file_key


def seal_bytes(plaintext: bytes, recipients: Sequence[Recipient], random: Random) -> bytes:
    """`plaintext` sealed to every recipient, in memory."""
    target = io.BytesIO()
    seal(io.BytesIO(plaintext), target, recipients, random)
    return target.getvalue()


def unseal_bytes(sealed: bytes, identities: Iterable[Identity]) -> bytes:
    """What was sealed; NotFound or Damaged as `unseal`, and then nothing is released."""
    target = io.BytesIO()
    unseal(io.BytesIO(sealed), target, identities)
    return target.getvalue()


def wrap_identity(identity: Identity, recipients: Sequence[Recipient], random: Random) -> bytes:
    """A segment's identity as only the vault's recipients can read it: its text, age-sealed to them."""
    return seal_bytes(str(identity).encode("ascii"), recipients, random)


def unwrap_identity(wrapped: bytes, identities: Iterable[Identity]) -> Identity:
    """The segment's identity again; NotFound or Damaged as `unseal`."""
    text = unseal_bytes(wrapped, identities)
    try:
        return Identity.parse(text.decode("ascii"))
    except (UnicodeDecodeError, BadConfiguration):
        raise Damaged("the wrapped key is damaged", "it opens, but holds no age identity") from None


def _mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(derive(file_key, b"", b"header"), head, "sha256")


def _write(target: BinaryIO, part: Bytes) -> None:
    """All of `part`: an unbuffered file may take less at once."""
    rest = memoryview(part)
    while rest:
        rest = rest[target.write(rest) :]


class _Digest:
    """SHA-256 and size of what passes by, computed here or beside, at most one part behind."""

    def __init__(self, beside: Beside | None) -> None:
        self._beside = beside
        self._pending: Awaited | None = None
        self._sha256 = hashlib.sha256()
        self.size = 0

    def add(self, part: Bytes) -> None:
        self.size += len(part)
        if self._beside is None:
            self._sha256.update(part)
            return
        if self._pending is not None:
            self._pending.result()
        self._pending = self._beside.submit(self._sha256.update, part)

    def hexdigest(self) -> str:
        if self._pending is not None:
            self._pending.result()
        return self._sha256.hexdigest()
