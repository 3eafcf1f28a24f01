"""Entry files: `n` is the line number, an origin is claimed once for ever, a torn line is nobody's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgov.errors import BadUsage, Damaged, Unreachable
from fsgov.spool import EntryFiles, EntryWriter, Mark

NOW = 1_795_279_045_000_000


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


def write(directory: Path, count: int, now: int = NOW) -> EntryWriter:
    writer = EntryWriter(directory, "fs1", "govern", now)
    for number in range(1, count + 1):
        assert writer.enter("call.opened", f"call-{number}", NOW, {"call": f"call-{number}"}) == number
    return writer


def kept(directory: Path) -> Path:
    """Where files go that are entered."""
    (directory / "sealed").mkdir(exist_ok=True)
    return directory / "sealed"


def test_n_is_the_line_number_and_the_line_names_it(directory: Path) -> None:
    writer = write(directory, 3)
    writer.sync()
    assert writer.origin == "fs1.govern.1795279045000"
    lines = (directory / f"{writer.origin}.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"{writer.origin}.{n}" for n in (1, 2, 3)]


def test_an_origin_is_claimed_once(directory: Path) -> None:
    first, second = write(directory, 1), write(directory, 1)
    assert (first.origin, second.origin) == ("fs1.govern.1795279045000", "fs1.govern.1795279045001")


def test_an_origin_stays_claimed_after_its_file_went(directory: Path) -> None:
    writer, files = write(directory, 1), EntryFiles(directory)
    writer.close()
    assert files.drop(writer.origin, files.unentered(writer.origin, Mark(0, 0)).after, kept(directory))
    assert files.origins() == []
    assert write(directory, 0).origin == "fs1.govern.1795279045001"


def test_every_line_is_one_write(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = write(directory, 0)
    writes: list[bytes] = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, text: (writes.append(text), real(fd, text))[1])
    writer.enter("call.opened", "c", NOW, {})
    assert len(writes) == 1
    assert writes[0].endswith(b"}\n")
    assert writes[0].count(b"\n") == 1


def test_a_full_disk_leaves_no_half_line_in_the_middle(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write(directory, 1)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, text: real(fd, text[:10]))
        with pytest.raises(Unreachable):
            writer.enter("call.opened", "lost", NOW, {})
    assert writer.enter("call.opened", "next", NOW, {}) == 2
    lines = EntryFiles(directory).unentered(writer.origin, Mark(0, 0)).lines
    assert [json.loads(line)["subject"] for line in lines] == ["call-1", "next"]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3), st.integers(1, 160))
def test_a_torn_last_line_is_dropped_and_only_that(
    tmp_path_factory: pytest.TempPathFactory, n: int, cut: int
) -> None:
    directory = tmp_path_factory.mktemp("entries")
    writer = write(directory, n + 1)
    writer.close()
    path = directory / f"{writer.origin}.jsonl"
    whole = path.read_bytes()
    last = whole.rfind(b"\n", 0, -1) + 1
    path.write_bytes(whole[: max(last, len(whole) - cut)])
    files = EntryFiles(directory)
    found = files.unentered(writer.origin, Mark(0, 0))
    assert len(found.lines) == n
    assert files.drop(writer.origin, found.after, kept(directory))


def test_reading_goes_on_from_the_mark_in_pieces(directory: Path) -> None:
    writer, files = write(directory, 50), EntryFiles(directory)
    mark, seen = files.mark(writer.origin), []
    assert mark == Mark(0, 0)
    while (found := files.unentered(writer.origin, mark, limit=400)).lines:
        seen += [json.loads(line)["subject"] for line in found.lines]
        mark = found.after
        files.entered(writer.origin, mark)
        assert EntryFiles(directory).mark(writer.origin) == mark
    assert seen == [f"call-{n}" for n in range(1, 51)]
    writer.enter("call.opened", "late", NOW, {})
    assert [json.loads(x)["id"] for x in files.unentered(writer.origin, mark).lines] == [
        f"{writer.origin}.51"
    ]


def test_a_line_longer_than_the_limit_is_read_whole(directory: Path) -> None:
    writer = write(directory, 0)
    writer.enter("call.opened", "c", NOW, {"tag": "x" * 5000})
    assert len(EntryFiles(directory).unentered(writer.origin, Mark(0, 0), limit=100).lines) == 1


def test_a_file_that_may_still_grow_is_kept(directory: Path) -> None:
    writer, files = write(directory, 1), EntryFiles(directory)
    after = files.unentered(writer.origin, Mark(0, 0)).after
    assert not files.drop(writer.origin, after, kept(directory))
    writer.close()
    assert not files.drop(writer.origin, Mark(0, 0), kept(directory))
    assert files.drop(writer.origin, after, kept(directory))


def test_what_was_entered_is_kept_and_can_be_entered_again(directory: Path) -> None:
    """After a restore: files that had gone come back, and no mark counts."""
    done, growing = write(directory, 3), write(directory, 2)
    files = EntryFiles(directory)
    whole = (directory / f"{done.origin}.jsonl").read_bytes()
    done.close()
    for origin in (done.origin, growing.origin):
        files.entered(origin, files.unentered(origin, Mark(0, 0)).after)
    assert files.drop(done.origin, files.mark(done.origin), kept(directory))
    assert [path.read_bytes() for path in kept(directory).iterdir()] == [whole]
    files.again(kept(directory))
    assert files.origins() == [done.origin, growing.origin]
    assert [len(files.unentered(o, files.mark(o)).lines) for o in files.origins()] == [3, 2]
    assert list(kept(directory).iterdir()) == []
    assert (directory / f"{done.origin}.jsonl").read_bytes() == whole


def test_a_line_that_is_none_of_ours_is_damage_and_hides_nothing_before_it(directory: Path) -> None:
    writer = write(directory, 2)
    writer.close()
    with (directory / f"{writer.origin}.jsonl").open("ab") as file:
        file.write(bytes(64) + b"\n")
    files = EntryFiles(directory)
    found = files.unentered(writer.origin, Mark(0, 0))
    assert len(found.lines) == 2
    with pytest.raises(Damaged, match="line 3"):
        files.unentered(writer.origin, found.after)


@pytest.mark.parametrize("host", ["", "a/b", "../x", "a b", "ä"])
def test_odd_hosts_never_become_a_path(directory: Path, host: str) -> None:
    with pytest.raises(BadUsage):
        EntryWriter(directory, host, "govern", NOW)
