"""Signed notes and checkpoints: the published example of Go's sumdb/note, our own, and malformed ones."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fsgov import merkle
from fsgov.errors import BadConfiguration, Damaged

# Documentation of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = (
    TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZ"
    + "InNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
SECRET = merkle.generate_signing_key(lambda count: bytes(range(count)))
OTHER = merkle.generate_signing_key(lambda count: bytes(count))
NAME = "fsgov/test"
KEY = merkle.PublicKey.of(NAME, SECRET)


def test_published_note_opens() -> None:
    assert merkle.open_note(SIGNED, [merkle.PublicKey.parse(PETER)]) == TEXT


def test_published_key_is_written_as_it_was() -> None:
    assert str(merkle.PublicKey.parse(PETER + "\n")) == PETER


def test_sign_and_open() -> None:
    note = merkle.sign_note(TEXT, NAME, SECRET)
    assert merkle.open_note(note, [merkle.PublicKey.parse(str(KEY))]) == TEXT


def test_unknown_signatures_pass_but_do_not_count() -> None:
    note = merkle.sign_note(TEXT, NAME, SECRET)
    line = merkle.sign_note(TEXT, "other", OTHER).split(b"\n\n")[1]
    assert merkle.open_note(note + line, [KEY]) == TEXT
    with pytest.raises(Damaged, match="no known key"):
        merkle.open_note(note, [merkle.PublicKey.of("other", OTHER)])
    with pytest.raises(Damaged, match="no known key"):
        merkle.open_note(note, [])


def test_a_known_key_with_a_wrong_signature_spoils_the_note() -> None:
    note = merkle.sign_note(TEXT, NAME, SECRET)
    other = merkle.PublicKey.of("other", OTHER)
    wrong = merkle.sign_note("else\n", "other", OTHER).split(b"\n\n")[1]
    with pytest.raises(Damaged, match="the signature of other is wrong"):
        merkle.open_note(note + wrong, [KEY, other])


def test_every_changed_byte_is_found() -> None:
    note = merkle.sign_note("fsgov/x\n1\n", NAME, SECRET)
    for place in range(len(note)):
        changed = note[:place] + bytes([note[place] ^ 1]) + note[place + 1 :]
        with pytest.raises(Damaged):
            merkle.open_note(changed, [KEY])


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\nno mark\n",
        b"te\x00xt\n\n" + "— a AAAAAAAA\n".encode(),
        b"\xff\n\n" + "— a AAAAAAAA\n".encode(),
        "text\n\n— a AAAAAAAA".encode(),
        "text\n\n— a AAAAAA\n".encode(),
        "text\n\n— a+b AAAAAAAA\n".encode(),
        "text\n\n— a AAAA\n".encode(),
        ("text\n\n" + "— a AAAAAAAA\n" * 101).encode(),
    ],
)
def test_malformed_notes_are_refused(note: bytes) -> None:
    with pytest.raises(Damaged):
        merkle.open_note(note, [KEY])


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "carriage\r\n"])
def test_what_cannot_be_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError):
        merkle.sign_note(text, NAME, SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("Peter", "peter"),
        PETER[:-4],
        PETER.replace("+ARpc", "+ABpc"),
        PETER + "=",
    ],
)
def test_malformed_public_keys_are_refused(text: str) -> None:
    with pytest.raises(BadConfiguration, match="not a public key"):
        merkle.PublicKey.parse(text)


@pytest.mark.parametrize("name", ["", "two words", "a+b"])
def test_names_that_would_break_a_note_are_refused(name: str) -> None:
    with pytest.raises(BadConfiguration, match="key name"):
        merkle.PublicKey.of(name, SECRET)


def test_signing_key_file() -> None:
    pem = merkle.signing_key_pem(SECRET)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert merkle.load_signing_key(pem).private_bytes_raw() == SECRET.private_bytes_raw()


def test_other_files_are_no_signing_keys() -> None:
    elliptic = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for pem in (b"", b"hello", elliptic, str(KEY).encode()):
        with pytest.raises(BadConfiguration, match="not a signing key"):
            merkle.load_signing_key(pem)


def test_ed25519_is_what_cryptography_says() -> None:
    assert isinstance(SECRET, Ed25519PrivateKey)
    assert KEY.raw == SECRET.public_key().public_bytes_raw()


ROOT = merkle.EMPTY_ROOT
TIME = "2026-11-21T16:37:29.114Z"


def test_checkpoint_text() -> None:
    encoded = base64.b64encode(ROOT).decode()
    assert merkle.Checkpoint("9f2c", 7, ROOT).text() == f"fsgov/9f2c\n7\n{encoded}\n"
    assert merkle.Checkpoint("9f2c", 7, ROOT, TIME).text() == f"fsgov/9f2c\n7\n{encoded}\ntime {TIME}\n"


@pytest.mark.parametrize("time", ["", TIME])
@pytest.mark.parametrize("size", [0, 1, 20852163])
def test_checkpoint_comes_back(size: int, time: str) -> None:
    checkpoint = merkle.Checkpoint("9f2c", size, ROOT, time)
    assert merkle.Checkpoint.parse(checkpoint.text()) == checkpoint
    assert merkle.Checkpoint.parse(checkpoint.text() + "other extension\n") == checkpoint


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("fsgov/9f2c", "example.com/9f2c"),
        ("fsgov/9f2c", "fsgov/"),
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n-7\n"),
        ("\n7\n", "\n+7\n"),
        ("\n7\n", "\n٧\n"),
        ("\n7\n", "\n\n"),
        ("\n7\n", "\n"),
        ("uFU=\n", "uFV=\n"),
        ("uFU=\n", "uFU\n"),
        ("uFU=\n", "u\n"),
        ("uFU=\n", "uFU!=\n"),
        ("time 2", "time x2"),
        (f"time {TIME}\n", f"time {TIME}\ntime {TIME}\n"),
        (f"time {TIME}\n", f"time {TIME}"),
        (f"time {TIME}\n", f"\ntime {TIME}\n"),
    ],
)
def test_malformed_checkpoints_are_refused(find: str, replace: str) -> None:
    text = merkle.Checkpoint("9f2c", 7, ROOT, TIME).text()
    changed = text.replace(find, replace)
    assert changed != text
    with pytest.raises(Damaged, match="malformed"):
        merkle.Checkpoint.parse(changed)


@pytest.mark.parametrize(
    ("log_id", "size", "root", "time"),
    [
        ("a\nb", 1, ROOT, ""),
        ("", 1, ROOT, ""),
        ("a", -1, ROOT, ""),
        ("a", 1, b"", ""),
        ("a", 1, ROOT, "noon"),
    ],
)
def test_what_cannot_be_a_checkpoint_is_not_made(log_id: str, size: int, root: bytes, time: str) -> None:
    with pytest.raises(ValueError):
        merkle.Checkpoint(log_id, size, root, time)
