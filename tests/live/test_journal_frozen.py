"""A keep that is frozen between any two steps (SIGSTOP), and wakes when another has long gone on writing.

Two processes, one database, the same copies: the file sink's directory and the vault. Judged by the bytes of
the copies and by what an outsider's verification says of them.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from fsgov.catalog import keep, migrate
from fsgov.errors import FsgovError
from fsgov.journal import FileSink, Sequencer, VaultAnchor, sequencer
from fsgov.merkle import Checkpoint, PublicKey, generate_signing_key, open_note
from fsgov.vault import open_bucket
from fsgov.verify import CHECKPOINTS, ENTRIES, verify_directory
from tests.parts.catalog import START, World, line

KEY = generate_signing_key(lambda n: b"k" * n)
PUBLIC = PublicKey.of("fsgov", KEY)
SILENT = 1
PLACES = (
    "keep.batch.read",
    "keep.insert",
    "keep.commit",
    "keep.checkpoint.row",
    "in the middle of a line",
    "keep.sink",
    "before the anchor",
    "keep.vault",
    "between two rounds",
)
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from tests.live import test_journal_frozen as test
dsn, password, place, freezes = sys.argv[1:]
test.live(dsn, password, Path(place), freezes)
"""


class Slow(FileSink):
    """Freezes with half of its first line on disk."""

    def __init__(self, directory: Path, freeze: Callable[[str], None]) -> None:
        super().__init__(directory)
        self._freeze = freeze

    def _append(self, log_id: str, file, content: bytes) -> None:  # type: ignore[no-untyped-def]
        file.write(content[:7])
        self._freeze("in the middle of a line")
        super()._append(log_id, file, content[7:])


class Late(VaultAnchor):
    """Freezes with the checkpoint in its hands."""

    freeze: Callable[[str], None] = staticmethod(lambda _: None)

    def sign(self, log_id: str, size: int, note: bytes) -> None:
        self.freeze("before the anchor")
        super().sign(log_id, size, note)


def made(catalog: keep.Keep, place: Path, freeze: Callable[[str], None]) -> Sequencer:
    bucket = open_bucket(f"file:{place}/vault")
    bucket.create()
    anchor = Late("eu", bucket)
    anchor.freeze = freeze
    return Sequencer(catalog, KEY, lambda: START, [Slow(place / "log", freeze)], [anchor])


def live(dsn: str, password: str, place: Path, freezes: str) -> None:
    """The process that is frozen once, and goes on until it is ended."""
    to_come = [freezes]

    def freeze(name: str) -> None:
        if to_come == [name]:
            to_come.clear()
            signal.raise_signal(signal.SIGSTOP)

    keep.SILENT_SECONDS = SILENT
    setattr(sequencer, "failpoint", freeze)  # noqa: B010 - it is the sequencer's, not its module's to give
    catalog = keep.Keep(dsn, password)
    frozen = made(catalog, place, freeze)
    while True:
        with suppress(FsgovError):
            frozen.run_once(sign=True)
        freeze("between two rounds")
        if (place / "told to stop").exists():
            return
        time.sleep(0.05)


def until(true: Callable[[], object], within: float = 30.0) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.05)


def entered(world: World, first: int, last: int) -> None:
    with world.ship.entering() as entering:
        entering.lines("fs1.ship.1", first, [line("fs1.ship.1", n) for n in range(first, last + 1)])


@pytest.mark.parametrize("place", PLACES)
def test_frozen_there_another_takes_over_and_the_first_wakes_without_harm(
    world: World, tmp_path: Path, place: str
) -> None:
    entered(world, 1, 20)
    password = migrate.service_password(world.credentials, "keep")
    first = subprocess.Popen([sys.executable, "-c", PROGRAM, world.dsn, password, str(tmp_path), place])
    try:
        until(lambda: psutil.Process(first.pid).status() == psutil.STATUS_STOPPED)
        catalog = world.keep
        second = made(catalog, tmp_path, lambda _: None)
        assert not second.run_once().leading, "the frozen one holds the lock"
        until(lambda: second.run_once(sign=True).leading, within=30)
        entered(world, 21, 30)
        second.run_once(sign=True)
        assert size(world) == 32

        first.send_signal(signal.SIGCONT)
        until(lambda: second.run_once(sign=True) and not second.troubles)
        time.sleep(0.3)  # rounds of the first, which finds that it leads no more
        assert second.run_once(sign=True).leading
        whole(world, tmp_path, 32)

        catalog.close()  # now the second goes away, and the first takes over again
        second._let_go()
        entered(world, 31, 40)
        until(lambda: size(world) == 42)
        (tmp_path / "told to stop").touch()
        assert first.wait(20) == 0
        whole(world, tmp_path, 42)
    finally:
        first.kill()
        first.wait()


def size(world: World) -> int:
    return int(world.sql("admin", "SELECT count(*) FROM fsgov.event_log")[0][0])


def whole(world: World, place: Path, lines: int) -> None:
    """No line twice, none left out, one history: in the table, in the sink, in the vault."""
    rows = world.sql("admin", "SELECT seq, line FROM fsgov.event_log ORDER BY seq")
    assert [seq for seq, _ in rows] == list(range(lines))
    ours = [bytes(text) for _, text in rows if b"fs1.ship" in bytes(text)]
    assert ours == [line("fs1.ship.1", n) for n in range(1, lines - 1)]
    (copy,) = (place / "log").iterdir()
    assert (copy / ENTRIES).read_bytes() == b"".join(bytes(text) + b"\n" for _, text in rows)
    report = verify_directory(copy, PUBLIC)
    assert (report.lines, report.covered) == (lines, lines)
    notes = world.sql("admin", "SELECT note FROM fsgov.checkpoints ORDER BY size")
    assert (copy / CHECKPOINTS).read_text() == "\n".join(note for (note,) in notes)
    bucket = open_bucket(f"file:{place}/vault")
    anchored = [b"".join(bucket.get(v.key, v.version_id)) for v in bucket.list()]
    assert {note.decode() for note in anchored} <= {note for (note,) in notes}
    assert max(Checkpoint.parse(open_note(note, [PUBLIC])).size for note in anchored) == lines
