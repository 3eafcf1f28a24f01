"""The contract of sinks and anchors, held by every kind of them."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from fsgov.errors import Conflict, FsgovError, Unreachable
from fsgov.journal import Anchor, FileSink, Sink, VaultAnchor
from fsgov.merkle import Checkpoint, Frontier, PublicKey, generate_signing_key, leaf_hash, sign_note
from fsgov.vault import open_bucket
from fsgov.verify import CHECKPOINTS, ENTRIES, verify_directory

Opened = TypeVar("Opened", bound=Anchor)
LOG = "log-abcdefghijkl"
KEY = generate_signing_key(lambda n: b"k" * n)


def lines(first: int, last: int) -> list[bytes]:
    return [f'{{"id":"fs1.ship.1.{n}"}}'.encode() for n in range(first, last)]


def note(size: int) -> bytes:
    """The signed checkpoint of the first `size` lines."""
    edge = Frontier()
    for text in lines(0, size):
        edge.append(leaf_hash(text))
    return sign_note(Checkpoint(LOG, size, edge.root(), "2026-11-21T16:37:29Z").text(), "fsgov", KEY)


def opener(make: Callable[[], Opened], opened: list[Anchor]) -> Callable[[], Opened]:
    def open_again() -> Opened:
        for earlier in opened:
            earlier.close()
        opened.append(made := make())
        return made

    return open_again


@pytest.fixture
def opened() -> Iterator[list[Anchor]]:
    """Everything the test has opened."""
    found: list[Anchor] = []
    yield found
    for anchor in found:
        anchor.close()


@pytest.fixture(params=["file"])
def sink(request: pytest.FixtureRequest, tmp_path: Path, opened: list[Anchor]) -> Callable[[], Sink]:
    """Opens the same sink, each time as a new process would. A new sink goes into `params` and here."""
    return opener(lambda: FileSink(tmp_path / "log"), opened)


@pytest.fixture(params=["file", "vault"])
def anchor(request: pytest.FixtureRequest, tmp_path: Path, opened: list[Anchor]) -> Callable[[], Anchor]:
    """Opens the same anchor, each time as a new process would. Every sink is an anchor."""
    if request.param == "file":
        return opener(lambda: FileSink(tmp_path / "log"), opened)
    bucket = open_bucket(f"file:{tmp_path}/vault")
    bucket.create()
    return opener(lambda: VaultAnchor("eu", bucket), opened)


# -- anchors ---------------------------------------------------------------------------------------------


def test_an_anchor_knows_its_largest_checkpoint(anchor: Callable[[], Anchor]) -> None:
    opened = anchor()
    assert opened.signed(LOG) == 0
    opened.sign(LOG, 3, note(3))
    opened.sign(LOG, 12, note(12))
    assert opened.signed(LOG) == 12
    assert anchor().signed(LOG) == 12
    assert anchor().signed("log-another") == 0


def test_the_same_checkpoint_again_changes_nothing(anchor: Callable[[], Anchor], tmp_path: Path) -> None:
    anchor().sign(LOG, 3, note(3))
    before = sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
    anchor().sign(LOG, 3, note(3))
    assert sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()) == before
    assert anchor().signed(LOG) == 3


def test_a_checkpoint_is_kept_to_the_byte(anchor: Callable[[], Anchor], tmp_path: Path) -> None:
    anchor().sign(LOG, 3, note(3))
    assert any(note(3) in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


# -- sinks -----------------------------------------------------------------------------------------------


def test_a_sink_takes_lines_in_order_once(sink: Callable[[], Sink]) -> None:
    opened = sink()
    assert opened.size(LOG) == 0
    opened.take(LOG, 0, lines(0, 3))
    for first in (0, 2, 4):
        with pytest.raises(Conflict):
            opened.take(LOG, first, lines(first, first + 1))
    opened.take(LOG, 3, lines(3, 5))
    assert opened.size(LOG) == 5
    assert sink().size(LOG) == 5
    assert sink().size("log-another") == 0


def test_a_sink_goes_on_after_a_new_start(sink: Callable[[], Sink]) -> None:
    for first in range(0, 50, 7):
        opened = sink()
        assert opened.size(LOG) == first
        opened.take(LOG, first, lines(first, first + 7))


def test_what_was_let_go_another_may_have_changed(anchor: Callable[[], Anchor]) -> None:
    """Two keeps take turns with one copy: neither believes what it knew when it last led."""
    one, other = anchor(), anchor()
    for turn, size in enumerate((3, 5, 12, 20)):
        writer = (one, other)[turn % 2]
        writer.sign(LOG, size, note(size))
        writer.close()
        reader = (other, one)[turn % 2]
        assert reader.signed(LOG) == size
        if isinstance(reader, Sink):
            assert isinstance(writer, Sink)
            assert reader.size(LOG) == turn
            reader.take(LOG, turn, lines(turn, turn + 1))
            with pytest.raises(Unreachable, match="Another keep"):
                writer.size(LOG)
        reader.close()


# -- the sink that is a directory ------------------------------------------------------------------------


def test_the_copy_verifies_as_it_lies_there(tmp_path: Path) -> None:
    opened = FileSink(tmp_path)
    opened.take(LOG, 0, lines(0, 5))
    opened.sign(LOG, 3, note(3))
    opened.sign(LOG, 5, note(5))
    opened.take(LOG, 5, lines(5, 6))
    report = verify_directory(tmp_path / LOG, PublicKey.of("fsgov", KEY))
    assert (report.lines, report.covered, report.checkpoints) == (6, 5, 2)
    opened.close()
    assert (tmp_path / LOG / ENTRIES).read_bytes() == b"".join(text + b"\n" for text in lines(0, 6))


def test_whatever_a_kill_left_half_written_is_written_again(tmp_path: Path) -> None:
    """Cut the file at every byte of its last line: no line twice, none left out."""
    whole = b"".join(text + b"\n" for text in lines(0, 4))
    for cut in range(whole.rindex(b"\n", 0, -1) - 1, len(whole) + 1):
        place = tmp_path / str(cut) / LOG
        place.mkdir(parents=True)
        (place / ENTRIES).write_bytes(whole[:cut])
        opened = FileSink(tmp_path / str(cut))
        opened.take(LOG, opened.size(LOG), lines(opened.size(LOG), 4))
        assert (place / ENTRIES).read_bytes() == whole
        opened.close()


def test_a_half_written_checkpoint_is_written_again(tmp_path: Path) -> None:
    whole = note(3) + b"\n" + note(12)
    edge = len(note(3))
    for cut in (
        0,
        1,
        20,
        edge - 40,
        edge - 1,
        edge,
        edge + 1,
        edge + 2,
        edge + 30,
        len(whole) - 1,
        len(whole),
    ):
        place = tmp_path / str(cut) / LOG
        place.mkdir(parents=True)
        (place / CHECKPOINTS).write_bytes(whole[:cut])
        opened = FileSink(tmp_path / str(cut))
        for size in (3, 12):
            opened.sign(LOG, size, note(size))
        assert (place / CHECKPOINTS).read_bytes() == whole, cut
        opened.close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FsgovError):
        FileSink(tmp_path / "file").size(LOG)


def test_a_full_disk_is_unreachable_and_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = FileSink(tmp_path)
    opened.take(LOG, 0, lines(0, 3))
    size = (tmp_path / LOG / ENTRIES).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))  # a disk with ten bytes left
    try:
        with pytest.raises(Unreachable):
            opened.take(LOG, 3, lines(3, 100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert opened.size(LOG) == 3
    opened.take(LOG, 3, lines(3, 100))
    assert (tmp_path / LOG / ENTRIES).read_bytes() == b"".join(text + b"\n" for text in lines(0, 100))
    opened.close()
