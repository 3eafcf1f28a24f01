"""SIGKILL between any two steps of keep: the next one goes on, no line is lost, none is there twice."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from fsgov.catalog import migrate
from fsgov.journal import FileSink, Sequencer, VaultAnchor
from fsgov.merkle import Checkpoint, PublicKey, generate_signing_key, open_note
from fsgov.vault import open_bucket
from fsgov.verify import ENTRIES, verify_directory
from tests.parts import warm
from tests.parts.catalog import START, World, line

KEY = generate_signing_key(lambda n: b"k" * n)
PUBLIC = PublicKey.of("fsgov", KEY)
FAILPOINTS = (
    "keep.batch.read",
    "keep.insert",
    "keep.commit",
    "keep.checkpoint.row",
    "keep.sink",
    "keep.vault",
)
PROGRAM = """
import sys
from pathlib import Path
from fsgov.catalog.keep import Keep
from tests.live.test_journal_crash import sequencer
dsn, password, place = sys.argv[1:]
for _ in range(3):
    sequencer(Keep(dsn, password), Path(place)).run_once(sign=True)
"""


def sequencer(keep: object, place: Path) -> Sequencer:
    bucket = open_bucket(f"file:{place}/vault")
    bucket.create()
    return Sequencer(keep, KEY, lambda: START, [FileSink(place / "log")], [VaultAnchor("eu", bucket)])  # type: ignore[arg-type]


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_killed_there_nothing_is_lost_and_nothing_is_twice(
    world: World, tmp_path: Path, failpoint: str
) -> None:
    with world.ship.entering() as entering:
        entering.lines("fs1.ship.1", 1, [line("fs1.ship.1", n) for n in range(1, 21)])
    log_id = world.keep.log_id()
    password = migrate.service_password(world.credentials, "keep")
    environment = {**os.environ, "FSGOV_FAILPOINT": failpoint}
    killed = subprocess.run(
        warm.python(["-c", PROGRAM, world.dsn, password, str(tmp_path)], environment),
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-1000:]
    with world.ship.entering() as entering:
        entering.lines("fs1.ship.1", 21, [line("fs1.ship.1", n) for n in range(21, 31)])

    after = sequencer(world.keep, tmp_path)
    for _ in range(50):  # until PostgreSQL has seen that the killed one is gone
        if after.run_once(sign=True).leading:
            break
    assert after.run_once(sign=True).size == 32
    assert after.troubles == {}
    rows = world.sql("admin", "SELECT seq, line FROM fsgov.event_log ORDER BY seq")
    assert [seq for seq, _ in rows] == list(range(32))
    ours = [bytes(text) for _, text in rows if b"fs1.ship" in bytes(text)]
    assert ours == [line("fs1.ship.1", n) for n in range(1, 31)]
    copy = tmp_path / "log" / log_id
    assert (copy / ENTRIES).read_bytes() == b"".join(bytes(text) + b"\n" for _, text in rows)
    report = verify_directory(copy, PUBLIC)
    assert (report.lines, report.covered) == (32, 32)
    bucket = open_bucket(f"file:{tmp_path}/vault")
    newest = max(version.key for version in bucket.list())
    note = b"".join(bucket.get(newest, bucket.stat(newest).version_id))
    assert Checkpoint.parse(open_note(note, [PUBLIC])).size == 32
    for sink in after._sinks:
        sink.close()
