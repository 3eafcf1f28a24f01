"""Who can open a sealed file: X25519 recipients (public) and identities (secret), as age writes them.

A recipient is refused when it is not the only encoding of a point of full order: a file sealed to any other
could never be opened (age mixes the recipient's bytes into the key) or could be opened by everyone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fsgov.envelope import bech32
from fsgov.envelope.faults import HeaderDamaged
from fsgov.envelope.header import Stanza, decode_base64, encode_base64
from fsgov.errors import BadConfiguration

Random = Callable[[int], bytes]
"""n unpredictable bytes: `os.urandom`, passed in by the shells so that this package stays pure."""

FILE_KEY_LENGTH = 16
_KEY_LENGTH = 32
_TAG_LENGTH = 16
_KIND = "X25519"
_LABEL = b"age-encryption.org/v1/X25519"
_RECIPIENT_PREFIX = "age"
_IDENTITY_PREFIX = "AGE-SECRET-KEY-"
_FIELD = 2**255 - 19
_ANY_SCALAR = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
_ZERO_NONCE = bytes(12)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key that files are sealed to ("age1…")."""

    point: bytes

    @classmethod
    def parse(cls, text: str) -> Recipient:
        """The recipient that `text` names; BadConfiguration says what is wrong with it."""
        point = _decode(text, _RECIPIENT_PREFIX, "recipient")
        if int.from_bytes(point, "little") >= _FIELD or _shared(_ANY_SCALAR, point) is None:
            raise BadConfiguration("not a usable age recipient", "the point is of low order or not canonical")
        return cls(point)

    @property
    def fingerprint(self) -> str:
        """16 hex digits to show and compare: the start of the SHA-256 of the recipient's text."""
        return hashlib.sha256(str(self).encode("ascii")).hexdigest()[:16]

    def wrap(self, file_key: bytes, random: Random) -> Stanza:
        """`file_key` as only this recipient's identity can read it."""
        ephemeral = X25519PrivateKey.from_private_bytes(random(_KEY_LENGTH))
        share = ephemeral.public_key().public_bytes_raw()
        shared = _shared(ephemeral, self.point)
        if shared is None:
            raise BadConfiguration("not a usable age recipient", "the point is of low order")
        body = ChaCha20Poly1305(_wrap_key(shared, share, self.point)).encrypt(_ZERO_NONCE, file_key, None)
        return Stanza((_KIND, encode_base64(share)), body)

    def __str__(self) -> str:
        return bech32.encode(_RECIPIENT_PREFIX, self.point)


@dataclass(frozen=True, slots=True)
class Identity:
    """A secret key ("AGE-SECRET-KEY-1…"). `repr` hides it, `str` is its text."""

    secret: bytes = field(repr=False)

    @classmethod
    def generate(cls, random: Random) -> Identity:
        return cls(random(_KEY_LENGTH))

    @classmethod
    def parse(cls, text: str) -> Identity:
        """The identity that `text` is; BadConfiguration says what is wrong without quoting it."""
        return cls(_decode(text, _IDENTITY_PREFIX, "identity"))

    @property
    def recipient(self) -> Recipient:
        return Recipient(self._key().public_key().public_bytes_raw())

    def unwrap(self, stanzas: Iterable[Stanza]) -> bytes | None:
        """The file key, if a stanza wraps it for this identity; HeaderDamaged if one is malformed."""
        point = self.recipient.point
        for stanza in stanzas:
            if stanza.arguments[0] != _KIND:
                continue
            share = _share(stanza)
            shared = _shared(self._key(), share)
            if shared is None:
                raise HeaderDamaged("a stanza of the sealed file is malformed", "its point is of low order")
            try:
                return ChaCha20Poly1305(_wrap_key(shared, share, point)).decrypt(
                    _ZERO_NONCE, stanza.body, None
                )
            except InvalidTag:
                continue
        return None

    def _key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.secret)

    def __str__(self) -> str:
        return bech32.encode(_IDENTITY_PREFIX, self.secret)


def parse_identities(text: str) -> tuple[Identity, ...]:
    """The identities of a key file as `age-keygen` writes it: one a line, blank lines and # comments aside.

    BadConfiguration names the line that is none, or says that the file holds no identity.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            found.append(Identity.parse(line.strip()))
        except BadConfiguration as error:
            raise BadConfiguration(error.message, f"line {number}: {error.detail}", error.hint) from None
    if not found:
        raise BadConfiguration("no age identity in the file", "it has only comments and blank lines")
    return tuple(found)


def derive(key: bytes, salt: bytes, label: bytes) -> bytes:
    """32 bytes by HKDF-SHA-256 (RFC 5869), the only derivation that age uses."""
    return HKDF(algorithm=SHA256(), length=_KEY_LENGTH, salt=salt, info=label).derive(key)


def _share(stanza: Stanza) -> bytes:
    if len(stanza.arguments) != 2:
        raise HeaderDamaged("a stanza of the sealed file is malformed", "X25519 takes one argument")
    share = decode_base64(stanza.arguments[1].encode("ascii"))
    if len(share) != _KEY_LENGTH or len(stanza.body) != FILE_KEY_LENGTH + _TAG_LENGTH:
        raise HeaderDamaged("a stanza of the sealed file is malformed", "a part has a wrong length")
    return share


def _wrap_key(shared: bytes, share: bytes, point: bytes) -> bytes:
    return derive(shared, share + point, _LABEL)


def _shared(key: X25519PrivateKey, point: bytes) -> bytes | None:
    """X25519, or None where the result would be zero (a point of low order)."""
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(point))
    except ValueError:
        return None


def _decode(text: str, prefix: str, what: str) -> bytes:
    fault = f"not an age {what}"
    hint = f'an X25519 {what} is one line that starts with "{prefix}1"'
    try:
        found, value = bech32.decode(text)
    except ValueError as error:
        raise BadConfiguration(fault, str(error), hint) from None
    if found != prefix:
        raise BadConfiguration(fault, "it starts with something else", hint)
    if len(value) != _KEY_LENGTH:
        raise BadConfiguration(fault, f"it is {len(value)} bytes long, not {_KEY_LENGTH}", hint)
    return value
