"""What is particular to a directory as a bucket: its modes, its leftovers, and what it cannot do."""

from __future__ import annotations

import hashlib
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fsgov import vault
from fsgov.errors import BadConfiguration, NotFound, Unreachable
from fsgov.vault.files import FileBucket


@pytest.fixture
def bucket(tmp_path: Path) -> FileBucket:
    made = FileBucket(tmp_path / "bucket")
    made.create()
    return made


def test_only_its_owner_reads_it(bucket: FileBucket) -> None:
    bucket.put_bytes("default/2026/c-01.age", b"x", {})
    for path in [bucket.path, *bucket.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_removing_the_last_version_leaves_no_trace(bucket: FileBucket) -> None:
    before = sorted(bucket.path.rglob("*"))
    stored = bucket.put_bytes("default/2026/c-01.age", b"x", {})
    bucket.remove(stored.key, stored.version_id)
    assert sorted(bucket.path.rglob("*")) == before


def test_what_a_cut_put_left_is_no_version_and_is_swept(bucket: FileBucket) -> None:
    place = bucket.path / "a" / "b"
    place.mkdir(parents=True)
    (place / "00ff.part").write_bytes(b"half")
    (place / "00ff.json").write_bytes(b"{}")
    assert list(bucket.list()) == []
    with pytest.raises(NotFound):
        bucket.stat("a/b")
    stored = bucket.put_bytes("a/b", b"whole", {})
    assert not (place / "00ff.part").exists()
    assert [line.version_id for line in bucket.list()] == [stored.version_id]


def test_it_refuses_to_promise_a_lock(bucket: FileBucket) -> None:
    stored = bucket.put_bytes("a/b", b"x", {})
    for ask in (
        lambda: bucket.lock("a/b", stored.version_id, 0, "COMPLIANCE"),
        lambda: bucket.hold("a/b", stored.version_id, True),
    ):
        with pytest.raises(BadConfiguration) as failure:
            ask()
        assert "object lock" in failure.value.hint


def test_a_disk_that_is_not_mounted_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mountpoint").mkdir()
    with pytest.raises(NotFound) as failure:
        FileBucket(tmp_path / "mountpoint").put_bytes("a/b", b"x", {})
    assert "mounted" in failure.value.hint
    assert list((tmp_path / "mountpoint").iterdir()) == []


@pytest.mark.parametrize("version", ["../b/00", "..", "", "00/../../x"])
def test_a_version_id_is_no_path(version: str, bucket: FileBucket) -> None:
    bucket.put_bytes("a/b", b"x", {})
    with pytest.raises(NotFound):
        bucket.stat("a/c", version)


def test_a_full_disk_is_unreachable_and_leaves_nothing(bucket: FileBucket, tmp_path: Path) -> None:
    """A limit of the process stands for the disk's end: the write fails in the same place."""
    content = bytes(1 << 20)
    (tmp_path / "sealed").write_bytes(content)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, hard))
    try:
        with pytest.raises(Unreachable):
            bucket.put("a/b", tmp_path / "sealed", hashlib.sha256(content).hexdigest(), 1 << 20, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(bucket.list()) == []
    assert [path for path in bucket.path.rglob("*") if path.suffix in (".part", ".json", ".object")] == []


KILLED = """
import os, signal, sys
from fsgov import vault
bucket = vault.open_bucket(sys.argv[1])
def blocks():
    yield b"first"
    os.kill(os.getpid(), signal.SIGKILL)
bucket._put("a/b", blocks(), "0" * 64, 10, {})
"""


def test_a_kill_in_the_middle_of_a_put_leaves_no_version(bucket: FileBucket) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, bucket.url],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.suffix for path in (bucket.path / "a" / "b").iterdir()] == [".part"]
    assert list(vault.open_bucket(bucket.url).list()) == []
