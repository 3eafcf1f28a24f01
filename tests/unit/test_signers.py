"""Keys of the log that change: handed over, lost, stolen; what a verifier accepts with which of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from fsgov import merkle, verify
from fsgov.errors import Damaged
from fsgov.merkle import Checkpoint, PublicKey, Signers, Span

NAME = "fsgov"
SECRETS = [merkle.generate_signing_key(lambda count, n=n: bytes([n]) * count) for n in range(1, 5)]  # type: ignore[misc]
KEYS = [PublicKey.of(NAME, secret) for secret in SECRETS]
LINES = [b'{"seq":%d}' % seq for seq in range(60)]


def note(size: int, *by: int, to: int | None = None, lines: Sequence[bytes] = LINES) -> bytes:
    """A checkpoint of this size, signed by these, which hands over to that one."""
    root = merkle.root([merkle.leaf_hash(line) for line in lines[:size]])
    time = f"2026-11-21T16:{size:02}:29.114Z"
    checkpoint = Checkpoint("L1", size, root, time, None if to is None else KEYS[to])
    return merkle.sign_note(checkpoint.text(), NAME, *(SECRETS[each] for each in by))


HANDED = [note(10, 0), note(20, 0, 1, to=1), note(30, 1), note(40, 1, 2, to=2), note(50, 2)]
LOST = [note(10, 0), note(20, 0), note(30, 1), note(40, 1)]


def report(notes: list[bytes], *keys: int, expect: bytes | None = None) -> verify.Report:
    lines = (line + b"\n" for line in LINES)
    return verify.verify_export(lines, notes, [KEYS[each] for each in keys], expect)


def refused(notes: list[bytes], *keys: int, expect: bytes | None = None) -> str:
    with pytest.raises(Damaged, match="cannot be trusted") as fault:
        report(notes, *keys, expect=expect)
    return fault.value.detail


# -- handed over -----------------------------------------------------------------------------------------


def test_the_first_key_alone_verifies_all_that_followed() -> None:
    found = report(HANDED, 0)
    assert (found.covered, found.checkpoints, found.unjudged) == (50, 5, 0)
    assert found.signers == (
        Span(KEYS[0], 0, 20, "given", 10),
        Span(KEYS[1], 20, 40, "handed over", 20),
        Span(KEYS[2], 40, 50, "handed over", 40),
    )
    told = f"; from 20 on signed by {KEYS[1].key_id.hex()}, handed over"
    assert told in str(found)


def test_every_list_of_the_keys_that_begins_with_the_first_says_the_same() -> None:
    assert report(HANDED, 0, 1) == report(HANDED, 0, 1, 2) == report(HANDED, 0, 2) == report(HANDED, 0)


@pytest.mark.parametrize(("key", "unjudged"), [(1, 1), (2, 3)])
def test_a_later_key_alone_covers_every_line_and_says_what_it_did_not_judge(key: int, unjudged: int) -> None:
    found = report(HANDED, key)
    assert (found.covered, found.unjudged, found.checkpoints) == (50, unjudged, 5 - unjudged)
    assert f"{unjudged} checkpoints of a key before were not judged" in str(found)


def test_a_later_key_alone_still_finds_a_changed_line_of_before() -> None:
    lines = [*LINES[:3], b"{}", *LINES[4:]]
    with pytest.raises(verify.BrokenLog, match="changed"):
        verify.verify_export((line + b"\n" for line in lines), HANDED, KEYS[2])


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param([note(10, 0), note(20, 0, to=1), note(30, 1)], id="the next key did not sign"),
        pytest.param([note(10, 0), note(20, 1, to=1), note(30, 1)], id="the key before did not sign"),
        pytest.param([note(10, 0), note(20, 0, 1, to=2), note(30, 2)], id="it names another"),
        pytest.param([note(10, 0), note(20, 0, 1), note(30, 1)], id="it names none"),
        pytest.param([note(10, 0), note(30, 1)], id="there is none"),
        pytest.param([note(10, 0), note(20, 3, 1, to=1), note(30, 1)], id="a stranger hands over"),
    ],
)
def test_without_a_handover_that_both_have_signed_the_next_key_is_a_stranger(forged: list[bytes]) -> None:
    refused(forged, 0)


@pytest.mark.parametrize("keys", [(0,), (0, 1), (0, 1, 2), (1,), (1, 0)])
def test_the_old_key_is_not_accepted_after_its_end(keys: tuple[int, ...]) -> None:
    refused([*HANDED[:3], note(35, 0)], *keys)
    refused([*HANDED[:3], note(35, 0, 3, to=3), note(45, 3)], *keys)


def test_a_key_never_comes_back() -> None:
    assert "has ended" in refused([*HANDED[:3], note(35, 0, 1, to=0)], 0)


def test_a_checkpoint_from_elsewhere_counts_where_its_key_did() -> None:
    for size, by in ((15, 0), (20, 0), (30, 1), (45, 2), (55, 2)):
        assert report(HANDED, 0, expect=note(size, by)).expected
    assert report(HANDED, 0, expect=HANDED[1]).expected
    assert "after its end" in refused(HANDED, 0, expect=note(25, 0))
    assert "after its end" in refused(HANDED, 0, 1, 2, expect=note(55, 1))
    refused(HANDED, 0, expect=note(45, 3))


def test_a_log_that_was_cut_before_the_handover_is_found_by_what_the_next_key_signed() -> None:
    """Who stole the old key goes on with it as if nobody had handed over."""
    forged = [*LINES[:15], *(b"{}" for _ in range(15))]
    stolen = [HANDED[0], note(30, 0, lines=forged)]
    lines = [line + b"\n" for line in forged]
    assert verify.verify_export(lines, stolen, KEYS[0]).covered == 30, "one key alone cannot tell"
    with pytest.raises(Damaged):
        verify.verify_export(lines, stolen, KEYS[1])
    with pytest.raises(verify.BrokenLog):
        verify.verify_export(lines, stolen, [KEYS[0], KEYS[1]], HANDED[2])


# -- lost ------------------------------------------------------------------------------------------------


def test_after_a_loss_each_key_proves_its_part_and_the_gap_is_told() -> None:
    found = report(LOST, 0, 1)
    assert (found.covered, found.checkpoints) == (40, 4)
    assert found.signers == (Span(KEYS[0], 0, 20, "given", 10), Span(KEYS[1], 20, 40, "alone", 30))
    assert f"from 20 on signed by {KEYS[1].key_id.hex()} without a handover" in str(found)
    assert "lines 20 to 29 rest on its word alone" in str(found)


def test_a_loss_is_not_taken_on_faith() -> None:
    refused(LOST, 0)
    refused(LOST, 1)
    refused(LOST, 1, 0)
    refused(LOST, 0, 2)


def test_after_a_loss_the_lost_key_is_not_accepted() -> None:
    """Somebody found it."""
    assert "after its end" in refused([*LOST, note(45, 0)], 0, 1)
    assert "after its end" in refused(LOST, 0, 1, expect=note(25, 0))


def test_what_the_lost_key_proves_is_proven_without_the_next_one() -> None:
    assert report(LOST[:2], 0).covered == 20


def test_a_handover_after_a_loss() -> None:
    found = report([*LOST, note(45, 1, 2, to=2), note(50, 2)], 0, 1)
    assert [span.how for span in found.signers] == ["given", "alone", "handed over"]


# -- any order of anything -------------------------------------------------------------------------------


NOTES = st.lists(
    st.tuples(st.sets(st.integers(0, 3), min_size=1), st.none() | st.integers(0, 3)), min_size=1, max_size=6
)


@given(NOTES, st.integers(0, 3))
def test_nobody_signs_whom_the_verifier_was_not_led_to(
    chain: list[tuple[set[int], int | None]], trusted: int
) -> None:
    """Judged by who could have known: only whoever was named, by one who was, and signed as well."""
    signers, entitled = Signers([KEYS[trusted]]), {trusted}
    now = trusted
    for size, (by, to) in enumerate(chain, 1):
        sound = now in by and (to is None or (to in by and (to == now or to not in entitled)))
        try:
            signers.open(note(size, *sorted(by), to=to))
        except Damaged:
            assert not sound
            return
        assert sound
        if to is not None:
            now = to
            entitled.add(to)


def test_a_malformed_next_key_is_no_checkpoint() -> None:
    for text in ("next fsgov+00000000+AAAA", "next ", f"next {KEYS[1]}\nnext {KEYS[1]}"):
        whole = Checkpoint("L1", 0, merkle.EMPTY_ROOT).text() + text + "\n"
        with pytest.raises(Damaged):
            Checkpoint.parse(whole)
    handed = Checkpoint("L1", 0, merkle.EMPTY_ROOT, "", KEYS[1])
    assert Checkpoint.parse(handed.text()) == handed


def test_several_sign_one_note_and_each_is_seen() -> None:
    def by(keys: list[Ed25519PrivateKey]) -> frozenset[PublicKey]:
        return merkle.signed_by(merkle.sign_note("a\n", NAME, *keys), KEYS)[1]

    assert by(SECRETS[:2]) == frozenset(KEYS[:2])
    assert by([SECRETS[3]]) == {KEYS[3]}
