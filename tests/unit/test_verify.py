"""The offline verifier: what it finds in a log that somebody has touched, and what it says of a sound one."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov import merkle, verify
from fsgov.errors import Conflict, Damaged, NotFound

NAME = "fsgov/desk"
SECRET = merkle.generate_signing_key(lambda count: bytes(range(count)))
FORGER = merkle.generate_signing_key(lambda count: bytes(count))
KEY = merkle.PublicKey.of(NAME, SECRET)
LINES = [b'{"seq":%d,"type":"fsgov.call.opened.v1"}' % seq for seq in range(23)]
SIZES = (3, 10, 20)


def note(
    size: int, lines: list[bytes] | None = None, log_id: str = "L1", key: object = SECRET, name: str = NAME
) -> bytes:
    covered = (LINES if lines is None else lines)[:size]
    root = merkle.root([merkle.leaf_hash(line) for line in covered])
    time = f"2026-11-21T16:{size:02}:29.114Z"
    return merkle.sign_note(merkle.Checkpoint(log_id, size, root, time).text(), name, key)  # type: ignore[arg-type]


NOTES = [note(size) for size in SIZES]


def ended(lines: list[bytes]) -> Iterator[bytes]:
    return (line + b"\n" for line in lines)


def test_a_sound_log_is_complete_to_its_last_checkpoint() -> None:
    report = verify.verify_export(ended(LINES), NOTES, KEY)
    root = merkle.root([merkle.leaf_hash(line) for line in LINES[:20]]).hex()
    signed = (merkle.Span(KEY, 0, 20, "given", 3),)
    assert report == verify.Report("L1", 23, 20, root, "2026-11-21T16:20:29.114Z", 3, False, signed)
    assert str(report) == "complete to 20 at 2026-11-21T16:20:29.114Z, 3 lines not yet covered"
    assert (
        str(verify.verify_export(ended(LINES[:20]), NOTES, KEY))
        == "complete to 20 at 2026-11-21T16:20:29.114Z"
    )


def test_nothing_is_covered_without_a_checkpoint() -> None:
    report = verify.verify_export(ended(LINES), [], KEY)
    assert (report.covered, report.uncovered, report.time, report.log_id) == (0, 23, "", "")
    assert str(verify.verify_export([], [], KEY)) == "complete to 0"


def test_the_checkpoint_of_an_empty_log_and_one_signed_twice_hold() -> None:
    assert verify.verify_export(ended(LINES), [note(0), note(3), note(3)], KEY).covered == 3


def range_of(
    lines: list[bytes], notes: list[bytes] | None = None, expect: bytes | None = None
) -> tuple[int, int | None]:
    with pytest.raises(verify.BrokenLog) as caught:
        verify.verify_export(ended(lines), NOTES if notes is None else notes, KEY, expect)
    return caught.value.first, caught.value.last


def between(seq: int) -> tuple[int, int]:
    edges = (0, *SIZES)
    after = next(edge for edge in edges if edge > seq)
    return max(edge for edge in edges if edge <= seq), after - 1


@pytest.mark.parametrize("seq", range(20))
def test_an_edited_byte_is_found_and_placed(seq: int) -> None:
    for place in (0, len(LINES[seq]) - 1):
        line = LINES[seq][:place] + bytes([LINES[seq][place] ^ 1]) + LINES[seq][place + 1 :]
        assert range_of([*LINES[:seq], line, *LINES[seq + 1 :]]) == between(seq)


@pytest.mark.parametrize("seq", range(20))
def test_a_removed_line_is_found_and_placed(seq: int) -> None:
    assert range_of(LINES[:seq] + LINES[seq + 1 :]) == between(seq)


@pytest.mark.parametrize("seq", range(20))
def test_an_added_line_is_found_and_placed(seq: int) -> None:
    assert range_of([*LINES[:seq], b"{}", *LINES[seq:]]) == between(seq)


@pytest.mark.parametrize("seq", range(19))
def test_swapped_lines_are_found_and_placed(seq: int) -> None:
    swapped = [*LINES[:seq], LINES[seq + 1], LINES[seq], *LINES[seq + 2 :]]
    assert range_of(swapped) == between(seq)


@given(st.data())
def test_whatever_is_done_to_the_covered_lines_is_found(choice: st.DataObject) -> None:
    lines = choice.draw(st.lists(st.sampled_from([*LINES, b"x", b"{}"]), max_size=25))
    if lines[:20] != LINES[:20]:
        range_of(lines)


def test_a_tail_that_was_cut_is_found() -> None:
    assert range_of(LINES[:19]) == (10, 19)
    assert range_of([]) == (0, 2)


def test_a_tail_that_was_cut_with_its_checkpoints_takes_the_outsiders_checkpoint() -> None:
    assert str(verify.verify_export(ended(LINES[:12]), NOTES[:2], KEY)).startswith("complete to 10")
    assert range_of(LINES[:12], NOTES[:2], expect=NOTES[2]) == (10, 19)
    assert range_of(LINES[:12], [], expect=NOTES[2]) == (0, 19)


def test_an_expected_checkpoint_that_holds_is_reported() -> None:
    for size in (0, 5, 20, 22):
        report = verify.verify_export(ended(LINES), NOTES, KEY, note(size))
        assert (report.expected, report.covered, report.checkpoints) == (True, max(20, size), 3)


def test_an_expected_checkpoint_of_another_history_is_found() -> None:
    assert range_of(LINES, expect=note(5, [b"other"] * 5)) == (3, 4)
    assert range_of(LINES, expect=note(10, [b"other"] * 10))[0] == 10
    assert range_of(LINES, expect=note(5, log_id="L2")) == (3, None)


def test_checkpoints_of_another_signer_prove_nothing() -> None:
    forged = [b"other"] * 20
    for name, key in ((NAME, FORGER), ("fsgov/other", FORGER), ("fsgov/other", SECRET)):
        with pytest.raises(Damaged, match="cannot be trusted"):
            verify.verify_export(ended(forged), [note(20, forged, key=key, name=name)], KEY)
        with pytest.raises(Damaged, match="cannot be trusted"):
            verify.verify_export(ended(LINES), NOTES, KEY, note(20, key=key, name=name))


def test_a_checkpoint_that_cannot_be_trusted_is_placed_after_the_last_good_one() -> None:
    assert range_of(LINES, [NOTES[0], NOTES[1], note(20, key=FORGER)]) == (10, None)


def test_checkpoints_out_of_order_or_of_two_logs_are_found() -> None:
    with pytest.raises(verify.BrokenLog, match="out of order"):
        verify.verify_export(ended(LINES), [NOTES[1], NOTES[0]], KEY)
    with pytest.raises(verify.BrokenLog, match="different logs"):
        verify.verify_export(ended(LINES), [NOTES[0], note(10, log_id="L2")], KEY)
    with pytest.raises(verify.BrokenLog, match="contradict"):
        verify.verify_export(ended(LINES), [NOTES[0], note(3, [b"other"] * 3)], KEY)


@pytest.mark.parametrize("seq", [0, 5, 19, 20, 22])
def test_a_line_that_is_not_whole_is_found_even_uncovered(seq: int) -> None:
    for broken in (LINES[seq], b"\n"):
        lines = [*ended(LINES[:seq]), broken, *ended(LINES[seq + 1 :])]
        with pytest.raises(verify.BrokenLog, match="not whole") as caught:
            verify.verify_export(lines, NOTES, KEY)
        assert (caught.value.first, caught.value.last) == (seq, seq)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    assert verify.write_export(tmp_path / "out", LINES, NOTES) == 23
    return tmp_path / "out"


def test_an_export_holds_the_exact_lines_and_verifies(export: Path) -> None:
    assert sorted(path.name for path in export.iterdir()) == ["checkpoints.txt", "entries.jsonl"]
    assert (export / "entries.jsonl").read_bytes() == b"".join(ended(LINES))
    assert (export / "checkpoints.txt").read_bytes() == b"\n".join(NOTES)
    assert verify.verify_directory(export, KEY, NOTES[1]) == verify.verify_export(
        ended(LINES), NOTES, KEY, NOTES[1]
    )


def test_an_export_without_its_last_newline_is_found(export: Path) -> None:
    path = export / "entries.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(verify.BrokenLog, match="not whole"):
        verify.verify_directory(export, KEY)


def test_every_changed_byte_of_an_export_is_found(export: Path) -> None:
    covered = len(b"".join(ended(LINES[:20])))
    for name, size in (("entries.jsonl", covered), ("checkpoints.txt", len(b"\n".join(NOTES)))):
        path = export / name
        sound = path.read_bytes()
        for place in range(size):
            path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
            with pytest.raises(Damaged):
                verify.verify_directory(export, KEY)
        path.write_bytes(sound)
    assert verify.verify_directory(export, KEY).covered == 20


@pytest.mark.parametrize("name", ["entries.jsonl", "checkpoints.txt"])
def test_a_missing_part_of_an_export_is_named(export: Path, name: str) -> None:
    (export / name).unlink()
    with pytest.raises(NotFound, match=name):
        verify.verify_directory(export, KEY)


def test_an_export_is_never_overwritten(export: Path) -> None:
    with pytest.raises(Conflict):
        verify.write_export(export, [], [])
    assert verify.verify_directory(export, KEY).lines == 23


def test_an_export_that_breaks_off_leaves_nothing_that_looks_like_one(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield LINES[0]
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        verify.write_export(tmp_path, breaking(), NOTES)
    with pytest.raises(Damaged, match="newline"):
        verify.write_export(tmp_path, [b"two\nlines"], NOTES)
    with pytest.raises(NotFound):
        verify.verify_directory(tmp_path, KEY)
    assert verify.write_export(tmp_path, LINES, NOTES) == 23


def test_memory_does_not_grow_with_the_log() -> None:
    frontier = merkle.Frontier()
    for seq in range(20_000):
        frontier.append(merkle.leaf_hash(b"%d" % seq))
    last = merkle.sign_note(merkle.Checkpoint("L1", 20_000, frontier.root()).text(), NAME, SECRET)
    tracemalloc.start()
    try:
        report = verify.verify_export(
            (b"%d\n" % seq for seq in range(20_000)), (last for _ in range(500)), KEY
        )
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert (report.covered, report.checkpoints) == (20_000, 500)


def test_lines_and_notes_without_end_are_read_within_bounds() -> None:
    pieces = list(verify.read_lines(io.BytesIO(b"x" * (3 << 20))))
    assert max(map(len, pieces)) <= 1 << 20
    with pytest.raises(Damaged):
        list(verify.read_notes(io.BytesIO(b"x" * (3 << 20))))


@pytest.mark.parametrize("notes", [NOTES, NOTES[:1], []])
def test_notes_come_back_from_their_file(notes: list[bytes]) -> None:
    assert list(verify.read_notes(io.BytesIO(b"\n".join(notes)))) == notes
