"""Signed notes (c2sp.org/signed-note): text, a blank line, and lines that say who signed it with Ed25519.

A private key is kept as PEM (PKCS 8), a public one as the line that Go's sumdb/note reads too:
`<name>+<hash of name and key>+<base64 of 0x01 and the key>`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from fsgov.errors import BadConfiguration, Damaged

_ED25519 = b"\x01"
LINE_OF_A_KEY = "it is the line in log.key.pub, which `fsgov keys list` shows"
_KEY_LENGTH = 32
_MARK = "\u2014 "  # an em dash and a space
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_SIGNATURE = re.compile(_MARK + r"([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_MOST_SIGNATURES = 100


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who may have signed: a name and an Ed25519 key. `str` is the line that is given to verifiers."""

    name: str
    raw: bytes

    @classmethod
    def of(cls, name: str, key: Ed25519PrivateKey) -> PublicKey:
        """The public half of `key` under `name`; BadConfiguration for a name with a space or a plus."""
        if not _NAME.fullmatch(name):
            raise BadConfiguration("not a usable key name", "it is empty or has a space or a plus in it")
        return cls(name, key.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """The key of a line `name+hash+base64`; BadConfiguration when it is not one."""
        name, _, rest = text.strip().partition("+")
        stated, _, encoded = rest.partition("+")
        value = _decoded(encoded)
        if (
            not _NAME.fullmatch(name)
            or value is None
            or value[:1] != _ED25519
            or len(value) != 1 + _KEY_LENGTH
        ):
            raise BadConfiguration(
                "not a public key of a log", "it is not name+hash+base64 of an Ed25519 key", LINE_OF_A_KEY
            )
        key = cls(name, value[1:])
        if key.key_id.hex() != stated:
            detail = "its hash does not fit its name and key"
            raise BadConfiguration("not a public key of a log", detail, LINE_OF_A_KEY)
        return key

    @property
    def key_id(self) -> bytes:
        """Four bytes that name the key in a signature: an abbreviation, not a protection."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def signed(self, text: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.raw).decode('ascii')}"


def generate_signing_key(random: Callable[[int], bytes]) -> Ed25519PrivateKey:
    """A new private key from 32 bytes of `random` (os.urandom, passed by the shell)."""
    return Ed25519PrivateKey.from_private_bytes(random(_KEY_LENGTH))


def signing_key_pem(key: Ed25519PrivateKey) -> bytes:
    """The private key as it is kept in a file: PEM, PKCS 8, without a passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_signing_key(pem: bytes) -> Ed25519PrivateKey:
    """The private key of a PEM file; BadConfiguration when it is not Ed25519 in PKCS 8."""
    hint = "make one with: fsgov keys generate signing"
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise BadConfiguration("not a signing key", "no unencrypted PEM private key", hint) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadConfiguration("not a signing key", "the key is not Ed25519", hint)
    return key


def sign_note(text: str, name: str, *keys: Ed25519PrivateKey) -> bytes:
    """`text` (which ends with a newline) as a note signed under `name`, by each of the keys."""
    body = text.encode()
    if not text.endswith("\n") or _CONTROL.search(body):
        raise ValueError("a note ends with a newline and has no other control characters")
    lines = [
        f"{_MARK}{name} {base64.b64encode(PublicKey.of(name, key).key_id + key.sign(body)).decode('ascii')}\n"
        for key in keys
    ]
    return body + f"\n{''.join(lines)}".encode()


def open_note(note: bytes, keys: Iterable[PublicKey]) -> str:
    """The text of a note that one of `keys` signed.

    Signatures by others are ignored. Damaged when the note is malformed, when no known key signed it, or when
    a signature that names a known key is wrong.
    """
    text, by = signed_by(note, keys)
    if not by:
        raise _damaged("no known key signed it")
    return text


def signed_by(note: bytes, keys: Iterable[PublicKey]) -> tuple[str, frozenset[PublicKey]]:
    """The text of a note, and which of `keys` signed it: maybe none. Damaged as `open_note` otherwise."""
    body, signatures = _parted(note)
    known = {(key.name, key.key_id): key for key in keys}
    by = set()
    for name, value in signatures:
        key = known.get((name, value[:4]))
        if key is None:
            continue
        if not key.signed(body, value[4:]):
            raise _damaged(f"the signature of {name} is wrong")
        by.add(key)
    return body.decode(), frozenset(by)


def alone(note: bytes, key: PublicKey) -> tuple[bytes, bytes]:
    """Text and raw signature of a note that `key` signed, and nobody else. Damaged where it is not that."""
    body, signatures = _parted(note)
    open_note(note, [key])
    if len(signatures) != 1:
        raise _damaged("somebody else signed it, too")
    return body, signatures[0][1][4:]


def only(note: bytes, key: PublicKey) -> bytes:
    """The note without the signatures of others. Damaged where `key` did not sign it."""
    open_note(note, [key])
    body, tail = note.rsplit(b"\n\n", 1)
    kept = [line for line in tail.splitlines() if _signature(line.decode())[1][:4] == key.key_id]
    return body + b"\n\n" + kept[0] + b"\n"


def _parted(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The signed bytes, and the name and value of each signature."""
    split = note.rfind(b"\n\n")
    if split < 0 or not note.endswith(b"\n") or _CONTROL.search(note):
        raise _damaged("it is not text, a blank line and signatures")
    body, tail = note[: split + 1], note[split + 2 : -1]
    try:
        body.decode()
        lines = tail.decode().split("\n")
    except UnicodeDecodeError:
        raise _damaged("it is not UTF-8") from None
    if len(lines) > _MOST_SIGNATURES:
        raise _damaged("it has too many signatures")
    return body, [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    match = _SIGNATURE.fullmatch(line)
    value = _decoded(match[2]) if match else None
    if match is None or value is None or len(value) <= 4:
        raise _damaged("a signature line is malformed")
    return match[1], value


def _decoded(text: str) -> bytes | None:
    """The value of padded base64 in its only encoding, else None."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if base64.b64encode(value).decode("ascii") == text else None


def _damaged(detail: str) -> Damaged:
    return Damaged("the signed note cannot be trusted", detail)
