"""Recipients and identities: one text per key, nothing that could never be opened, no secret shown."""

from __future__ import annotations

import hashlib
import os

import pyrage  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov import envelope
from fsgov.envelope import bech32
from fsgov.errors import BadConfiguration

# The specification's own examples.
IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

P = 2**255 - 19
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
]


def test_specified_example() -> None:
    assert str(envelope.Identity.parse(IDENTITY)) == IDENTITY
    assert str(envelope.Identity.parse(IDENTITY).recipient) == RECIPIENT
    assert str(envelope.Recipient.parse(RECIPIENT)) == RECIPIENT


def test_generated_keys_are_those_of_another_implementation() -> None:
    identity = envelope.Identity.generate(os.urandom)
    assert str(pyrage.x25519.Identity.from_str(str(identity)).to_public()) == str(identity.recipient)
    theirs = pyrage.x25519.Identity.generate()
    assert str(envelope.Identity.parse(str(theirs)).recipient) == str(theirs.to_public())


def test_generate_takes_its_randomness_from_the_argument() -> None:
    assert str(envelope.Identity.generate(lambda count: b"\x42" * count)) == IDENTITY


def test_key_file_of_age_keygen() -> None:
    text = f"# created: 2026-11-21T16:37:29Z\n# public key: {RECIPIENT}\n{IDENTITY}\n\n{IDENTITY}\r\n"
    assert envelope.parse_identities(text) == (envelope.Identity.parse(IDENTITY),) * 2


def test_key_file_with_a_fault_names_its_line_and_nothing_of_it() -> None:
    with pytest.raises(BadConfiguration, match="line 2: the check sum is wrong") as caught:
        envelope.parse_identities(f"{IDENTITY}\n{IDENTITY[:-1]}Q\n")
    assert IDENTITY[:-1] not in f"{caught.value} {caught.value.hint}"
    for text in ("", "\n", "# only a comment\n"):
        with pytest.raises(BadConfiguration, match="no age identity in the file"):
            envelope.parse_identities(text)


def test_repr_hides_the_secret() -> None:
    identity = envelope.Identity.parse(IDENTITY)
    assert IDENTITY not in repr(identity)
    assert repr(identity.secret) not in repr(identity)


def test_fingerprint_is_the_start_of_the_digest_of_the_text() -> None:
    fingerprint = envelope.Recipient.parse(RECIPIENT).fingerprint
    assert fingerprint == hashlib.sha256(RECIPIENT.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age",
        "age1",
        IDENTITY,
        RECIPIENT.upper(),
        RECIPIENT.replace("z", "Z", 1),
        RECIPIENT[:-1],
        RECIPIENT[:-1] + "q",
        RECIPIENT[:-1] + "b",
        RECIPIENT + " ",
        "\n" + RECIPIENT,
        bech32.encode("age", bytes(31)),
        bech32.encode("age", bytes(33)),
        bech32.encode("agf", bytes.fromhex("09") + bytes(31)),
        "age1ä" + RECIPIENT[5:],
    ],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(BadConfiguration, match="not an age recipient"):
        envelope.Recipient.parse(text)


@pytest.mark.parametrize("text", ["", RECIPIENT, IDENTITY.lower(), IDENTITY[:-1], IDENTITY[:-1] + "Q"])
def test_what_is_no_identity_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(BadConfiguration, match="not an age identity") as caught:
        envelope.Identity.parse(text)
    shown = f"{caught.value} {caught.value.hint}"
    assert not text or text not in shown


@pytest.mark.parametrize("point", LOW_ORDER)
def test_recipients_of_low_order_are_refused(point: int) -> None:
    with pytest.raises(BadConfiguration, match="not a usable age recipient"):
        envelope.Recipient.parse(bech32.encode("age", point.to_bytes(32, "little")))


@pytest.mark.parametrize("point", [P + 9, 9 | 1 << 255])
def test_second_encodings_of_a_point_are_refused(point: int) -> None:
    with pytest.raises(BadConfiguration, match="not canonical"):
        envelope.Recipient.parse(bech32.encode("age", point.to_bytes(32, "little")))


def test_a_recipient_of_low_order_that_was_not_parsed_seals_nothing() -> None:
    with pytest.raises(BadConfiguration, match="low order"):
        envelope.seal_bytes(b"", [envelope.Recipient(bytes(32))], os.urandom)


@given(st.binary(max_size=70), st.sampled_from(["age", "AGE-SECRET-KEY-", "x"]))
def test_bech32_comes_back(payload: bytes, prefix: str) -> None:
    assert bech32.decode(bech32.encode(prefix, payload)) == (prefix, payload)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_bech32_finds_every_changed_letter(payload: bytes, choice: st.DataObject) -> None:
    text = bech32.encode("age", payload)
    place = choice.draw(st.integers(4, len(text) - 1))
    letter = choice.draw(st.sampled_from(sorted(set("qpzry9x8gf2tvdw0s3jn54khce6mua7l") - {text[place]})))
    with pytest.raises(ValueError, match="check sum"):
        bech32.decode(text[:place] + letter + text[place + 1 :])


# BIP 173: valid but for the length limit, and invalid.
@pytest.mark.parametrize("text", ["A12UEL5L", "a12uel5l", "?1ezyfcl"])
def test_bech32_published_valid(text: str) -> None:
    prefix, payload = bech32.decode(text)
    assert (prefix, payload) == (text[0], b"")
    assert bech32.encode(prefix, payload) == text


@pytest.mark.parametrize(
    "text",
    [
        "\x201nwldj5",
        "\x7f1axkwrx",
        "pzry9x0s0muk",
        "1pzry9x0s0muk",
        "x1b4n0q5v",
        "li1dgmt3",
        "A1G7SGD8",
        "10a06t8",
        "1qzzfhee",
    ],
)
def test_bech32_published_invalid(text: str) -> None:
    with pytest.raises(ValueError):
        bech32.decode(text)


def test_bech32_padding_has_one_form() -> None:
    for tail in ("q", "qq" * 4 + "p", "p" * 3):  # too much padding, padding that is not zero
        values = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(letter) for letter in tail]
        check = bech32._polymod([*bech32._expanded("age"), *values, *[0] * 6]) ^ 1
        sums = "".join(
            "qpzry9x8gf2tvdw0s3jn54khce6mua7l"[check >> 5 * (5 - place) & 31] for place in range(6)
        )
        with pytest.raises(ValueError, match="padding"):
            bech32.decode("age1" + tail + sums)
