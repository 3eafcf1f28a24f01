"""Certificates: what one proves by the public key alone, and that none can be bent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fsgov import entries
from fsgov.certificate import Certificate, Destruction, Listed, Proven, Removed, body, verify
from fsgov.errors import Damaged
from fsgov.merkle import Checkpoint, PublicKey, inclusion_proof, leaf_hash, root, sign_note

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = PublicKey.of("fsgov", KEY)
AUDIO, WRAPPED = ("eu", "audio", "default/2026/11/0f6c-01.age"), ("eu", "keys", "keys/0f6c-01")
AT = "2026-11-22T04:00:00.000Z"
GONE = Destruction(
    segment="0f6c-01", call="0f6c", tenant="default", cause="expired", plan="pl-abcdefghijkl",
    proposed_by="p-abcdefgh", approved_by="p-bcdefghi", audio_sha256="ab" * 32, sealed_sha256="cd" * 32,
    sealed_size=9, key_sha256="ef" * 32, recipients=["age1x"], key_destroyed_at=AT, begun_at=AT,
    removed=[Removed(*AUDIO, "v1"), Removed(*AUDIO, "v2"), Removed(*WRAPPED, "k1")],
    listed=[Listed(*AUDIO, AT), Listed(*WRAPPED, AT)], destroyed_at=AT, complete_after=AT,
)  # fmt: skip


def line(n: int, type_: str, subject: str, **facts: entries.Fact) -> bytes:
    return entries.line(
        origin="fs1.keep.1", n=n, host="fs1", type_=type_, subject=subject, time=0, facts=facts
    )


def made(
    of: Destruction = GONE, *, key: Ed25519PrivateKey = KEY, others: int = 2, **facts: Any
) -> Certificate:
    """A certificate as the log would prove it: the third body of its batch, in a log of nine lines."""
    text = body(of)
    bodies = [body(replace(GONE, segment=f"0f6c-1{n}")) for n in range(others)] + [text]
    told = {"call": of.call, "plan": of.plan, "cause": of.cause, "batch": "b-abcdefghijkl",
            "certificate": hashlib.sha256(text).hexdigest()} | facts  # fmt: skip
    lines = [
        *(line(n, "call.opened", "x") for n in range(1, 4)),
        line(4, "segment.destroyed", of.segment, **told),
        line(5, "purge.certified", "b-abcdefghijkl", certificates=len(bodies),
             root=root([leaf_hash(each) for each in bodies]).hex()),
        *(line(n, "call.opened", "x") for n in range(6, 10)),
    ]  # fmt: skip
    leaves = [leaf_hash(each) for each in lines]
    note = sign_note(
        Checkpoint("log-x", len(lines), root(leaves), "2026-11-22T04:01:00Z").text(), "fsgov", key
    )
    return Certificate(
        text,
        Proven(lines[3], 3, inclusion_proof(leaves, 3)),
        Proven(lines[4], 4, inclusion_proof(leaves, 4)),
        others,
        len(bodies),
        inclusion_proof([leaf_hash(each) for each in bodies], others),
        note,
    )


def test_a_certificate_proves_itself() -> None:
    found = Certificate.parse(made().text())
    assert found == made()
    proven = verify(found, [PUBLIC])
    assert (proven.log_id, proven.seq, proven.signed_size) == ("log-x", 3, 9)
    assert proven.said["removed"][1] == {
        "vault": "eu", "bucket": "audio", "key": AUDIO[2], "version": "v2"
    }  # fmt: skip
    verify(made(replace(GONE, plan=None, cause=None, proposed_by=None, approved_by=None)), [PUBLIC])
    verify(made(others=0), [PUBLIC])


def test_nothing_is_certified_that_no_listing_proves() -> None:
    with pytest.raises(Damaged, match="No listing"):
        body(replace(GONE, listed=[]))


def forged(**changes: Any) -> Certificate:
    """A body that its own line and batch agree with, and that body() would not have made."""
    of = made()
    said = {**json.loads(of.body), **changes}
    text = json.dumps(said).encode()
    lines = [
        line(1, "segment.destroyed", said["segment"], batch="b-abcdefghijkl",
             certificate=hashlib.sha256(text).hexdigest(),
             **{name: said[name] for name in ("call", "plan", "cause")}),
        line(2, "purge.certified", "b-abcdefghijkl", certificates=1, root=leaf_hash(text).hex()),
    ]  # fmt: skip
    leaves = [leaf_hash(each) for each in lines]
    note = sign_note(Checkpoint("log-x", 2, root(leaves)).text(), "fsgov", KEY)
    proofs = [inclusion_proof(leaves, n) for n in range(2)]
    return Certificate(text, Proven(lines[0], 0, proofs[0]), Proven(lines[1], 1, proofs[1]), 0, 1, [], note)


@pytest.mark.parametrize(
    "changes",
    [
        {"listed": []},
        {"listed": [Listed(*AUDIO, AT).plain()]},
        {"listed": [{**Listed(*AUDIO, AT).plain(), "versions": 1}, Listed(*WRAPPED, AT).plain()]},
        {"listed": "all"},
        {"listed": [None]},
        {"removed": None},
    ],
)
def test_one_that_was_certified_without_a_listing_does_not_hold(changes: dict[str, Any]) -> None:
    verify(forged(), [PUBLIC])
    with pytest.raises(Damaged, match="does not hold"):
        verify(forged(**changes), [PUBLIC])


@pytest.mark.parametrize(
    "bent",
    [
        lambda c: replace(c, body=c.body.replace(b"0f6c-01", b"0f6c-02")),
        lambda c: replace(c, body=c.body.replace(b"p-bcdefghi", b"p-cdefghij")),
        lambda c: replace(c, entry=replace(c.entry, seq=4)),
        lambda c: replace(c, entry=replace(c.entry, line=c.entry.line.replace(b"expired", b"named"))),
        lambda c: replace(c, entry=c.batch),
        lambda c: replace(c, batch=c.entry),
        lambda c: replace(c, batch=replace(c.batch, proof=c.batch.proof[1:])),
        lambda c: replace(c, place=0),
        lambda c: replace(c, size=2),
        lambda c: replace(c, path=c.path[:-1]),
        lambda c: replace(c, checkpoint=c.checkpoint.replace(b"\n9\n", b"\n8\n")),
    ],
)
def test_whatever_is_changed_is_found(bent: Any) -> None:
    with pytest.raises(Damaged):
        verify(bent(made()), [PUBLIC])


@pytest.mark.parametrize(
    "facts",
    [
        {"certificate": "00" * 32},
        {"plan": "pl-other"},
        {"cause": "named"},
        {"call": "x"},
        {"batch": "b-other"},
    ],
)
def test_a_line_about_something_else_does_not_prove_it(facts: dict[str, Any]) -> None:
    with pytest.raises(Damaged, match="does not hold"):
        verify(made(**facts), [PUBLIC])


def test_another_key_proves_nothing() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    with pytest.raises(Damaged):
        verify(made(key=other), [PUBLIC])
    verify(made(key=other), [PUBLIC, PublicKey.of("fsgov", other)])


OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
OTHER_PUBLIC = PublicKey.of("fsgov", OTHER)


def handover(
    *by: Ed25519PrivateKey, size: int = 7, log_id: str = "log-x", to: PublicKey | None = OTHER_PUBLIC
) -> bytes:
    return sign_note(Checkpoint(log_id, size, b"r" * 32, "", to).text(), "fsgov", *by)


def test_a_key_that_was_handed_over_to_proves_it_as_well() -> None:
    found = replace(made(key=OTHER), handovers=[handover(KEY, OTHER)])
    for keys in ([PUBLIC], [OTHER_PUBLIC], [PUBLIC, OTHER_PUBLIC]):
        assert verify(Certificate.parse(found.text()), keys).seq == 3
    with pytest.raises(Damaged, match="no known key"):
        verify(replace(found, handovers=[]), [PUBLIC])


@pytest.mark.parametrize(
    "handovers",
    [
        [handover(KEY)],
        [handover(OTHER)],
        [handover(KEY, OTHER, to=None)],
        [handover(KEY, OTHER, log_id="log-y")],
        [handover(KEY, OTHER, size=9)],
        [handover(KEY, OTHER), handover(OTHER, KEY, to=PUBLIC, size=8)],
    ],
    ids=["not taken over", "not handed over", "no handover", "another log", "later", "back again"],
)
def test_what_is_no_handover_to_the_key_that_signed_proves_nothing(handovers: list[bytes]) -> None:
    with pytest.raises(Damaged, match="cannot be trusted"):
        verify(replace(made(key=OTHER), handovers=handovers), [PUBLIC])


def test_a_key_that_has_handed_over_signs_no_more() -> None:
    with pytest.raises(Damaged, match="after its end"):
        verify(replace(made(), handovers=[handover(KEY, OTHER)]), [PUBLIC])


def test_each_byte_of_its_file_counts() -> None:
    text = made().text().encode()
    for place, byte in enumerate(text):
        with pytest.raises(Damaged):
            verify(
                Certificate.parse((text[:place] + bytes([byte ^ 1]) + text[place + 1 :]).decode()), [PUBLIC]
            )


@pytest.mark.parametrize(
    "other",
    [
        lambda text: text.replace('{"format"', '{"note":"it lives","format"'),
        lambda text: text.replace('"seq":3', '"seq":4,"seq":3'),
        lambda text: text.replace('"seq":3', '"seq":3.5'),
        lambda text: text.replace('"seq":3', '"seq":"3"'),
        lambda text: text.replace('"seq":3', '"seq":Infinity'),
        lambda text: json.dumps(json.loads(text), indent=1),
    ],
    ids=["more", "twice", "rounded", "text", "infinite", "spelled otherwise"],
)
def test_nothing_else_is_in_its_file(other: Any) -> None:
    Certificate.parse(made().text() + "\n")
    with pytest.raises(Damaged, match="no certificate"):
        Certificate.parse(other(made().text()))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format":"fsgov certificate 2"}', "x" * 100, "[" * 100_000]
)
def test_what_is_no_certificate_is_told(text: str) -> None:
    with pytest.raises(Damaged, match="no certificate"):
        Certificate.parse(text)
