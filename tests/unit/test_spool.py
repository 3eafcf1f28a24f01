"""The spool: a number is taken once, a text is there whole or not at all, one govern and one ship."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fsgov import spool
from fsgov.errors import BadConfiguration, BadUsage, Conflict, Unreachable
from fsgov.spool import Spool


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_layout_shares_audio_with_the_switch_and_nothing_else(root: Path) -> None:
    Spool(root, "govern").close()
    assert mode(root) == 0o2750
    assert mode(root / "audio") == 0o2770
    private = ["segments", "calls", "sealed", "entries", "parties"]
    assert {mode(root / name) & 0o777 for name in private} == {0o700}
    spool.check(root)


def test_every_right_that_is_too_wide_is_named_at_once(root: Path) -> None:
    Spool(root, "govern").close()
    (root / "segments").chmod(0o750)
    (root / "calls").chmod(0o701)
    with pytest.raises(BadConfiguration) as caught:
        spool.check(root)
    assert "segments: mode 2750" in caught.value.detail or "segments: mode 0750" in caught.value.detail
    assert "calls: mode" in caught.value.detail


def test_what_exists_keeps_its_rights(root: Path) -> None:
    Spool(root, "govern").close()
    (root / "audio").chmod(0o700)
    Spool(root, "govern").close()
    assert mode(root / "audio") == 0o700


def test_a_spool_of_one_login_keeps_its_files_to_itself(root: Path) -> None:
    """Where govern and ship are two logins: tests/live/test_three_users.py."""
    govern = Spool(root, "govern")
    govern.remember("abc", "{}", durable=False)
    govern.entry_writer("fs1", "govern", 0).close()
    assert {mode(path) for name in ("calls", "entries") for path in (root / name).iterdir()} == {0o600}
    (root / "calls").chmod(0o2770)
    assert [fault for fault in spool.faults(root) if "calls: mode 2770" in fault]


def test_a_segment_number_is_taken_once(root: Path) -> None:
    govern = Spool(root, "govern")
    assert govern.plan("abc-01", "first")
    assert not govern.plan("abc-01", "second")
    assert govern.segment("abc-01") == "first"
    assert [p.name for p in (root / "segments").iterdir()] == ["abc-01.json"]


def test_a_segment_whose_audio_exists_is_taken(root: Path) -> None:
    govern = Spool(root, "govern")
    govern.audio("abc-02").write_bytes(b"RIFF")
    assert not govern.plan("abc-02", "text")
    assert govern.segment("abc-02") is None


def test_a_left_over_temporary_never_harms_the_sidecar_it_is_linked_to(root: Path) -> None:
    """kill -9 between link() and unlink(): the temporary name is a second name of the sidecar itself."""
    govern = Spool(root, "govern")
    govern.plan("abc-01", "precious")
    left = root / "segments" / f".govern-{os.getpid()}-1"
    left.hardlink_to(root / "segments" / "abc-01.json")
    govern.close()
    again = Spool(root, "govern")
    assert not left.exists()
    assert again.plan("abc-02", "x")
    assert again.segment("abc-01") == "precious"


def test_only_ones_own_temporaries_are_swept(root: Path) -> None:
    Spool(root, "govern").close()
    other = root / "segments" / ".ship-1-1"
    other.write_text("being written")
    Spool(root, "govern").close()
    assert other.exists()


def test_replacing_a_sidecar_and_a_call_file(root: Path) -> None:
    govern = Spool(root, "govern")
    govern.plan("abc-01", "planned")
    before = govern.segment_stamp("abc-01")
    govern.replace_segment("abc-01", "captured", durable=True)
    govern.settle_segment("abc-01")
    assert govern.segment("abc-01") == "captured"
    assert govern.segment_stamp("abc-01") != before
    govern.remember("abc", "one", durable=False)
    govern.remember("abc", "two", durable=True)
    govern.settle_call("abc")
    assert list(govern.calls()) == [("abc", "two")]
    assert list(govern.segments()) == [("abc-01", "captured")]
    govern.forget("abc")
    govern.forget("abc")
    assert list(govern.calls()) == []
    assert govern.call("abc") is None


def test_a_durable_call_file_is_fsynced_before_it_has_its_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    govern = Spool(root, "govern")
    done: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _n=name, _r=real, **k: (done.append(_n), _r(*a, **k))[1])
    govern.remember("abc", "text", durable=True)
    assert done == ["fsync", "rename", "fsync"]
    done.clear()
    govern.remember("abc", "text", durable=False)
    assert done == ["rename"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../etc/passwd",
        "a/b-01",
        "a-1",
        "a\n-01",
        "x" * 65 + "-01",
        "ä-01",
        "a.b-01",
        "a-01/../b",
        "a-01\n",
    ],
)
def test_odd_segment_names_never_become_a_path(root: Path, name: str) -> None:
    govern = Spool(root, "govern")
    for act in (govern.audio, govern.sealed, govern.segment, govern.has_audio, govern.discard_audio):
        with pytest.raises(BadUsage):
            act(name)
    with pytest.raises(BadUsage):
        govern.plan(name, "")
    with pytest.raises(BadUsage):
        govern.replace_segment(name, "")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "a b", "x" * 65])
def test_odd_call_names_never_become_a_path(root: Path, name: str) -> None:
    govern = Spool(root, "govern")
    for act in (govern.forget, govern.call):
        with pytest.raises(BadUsage):
            act(name)
    with pytest.raises(BadUsage):
        govern.remember(name, "", durable=False)


def test_one_govern_and_one_ship_per_spool(root: Path) -> None:
    govern, ship = Spool(root, "govern"), Spool(root, "ship")
    with pytest.raises(Conflict):
        Spool(root, "govern")
    with pytest.raises(Conflict):
        Spool(root, "ship")
    Spool(root, "status").close()
    govern.close()
    Spool(root, "govern").close()
    ship.close()


def test_a_killed_govern_frees_its_lock_and_its_plan_is_there(root: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from fsgov.spool import Spool\n"
        "s = Spool(Path(sys.argv[1]), 'govern'); s.plan('abc-01', 'planned')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert Spool(root, "govern").segment("abc-01") == "planned"


def test_a_write_that_fails_leaves_the_old_text_and_no_litter(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    govern = Spool(root, "govern")
    govern.remember("abc", "old", durable=False)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Unreachable, match="No space left"):
        govern.remember("abc", "new", durable=False)
    with pytest.raises(Unreachable):
        govern.plan("abc-01", "new")
    assert list(govern.calls()) == [("abc", "old")]
    assert len(list((root / "calls").iterdir())) == 1
    assert not list((root / "segments").iterdir())


def test_a_spool_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable, match="file"):
        Spool(tmp_path / "file" / "spool", "govern")


def test_discarding_audio_twice_is_once(root: Path) -> None:
    ship = Spool(root, "ship")
    ship.audio("abc-01").write_bytes(b"RIFF")
    ship.discard_audio("abc-01")
    ship.discard_audio("abc-01")
    assert not ship.has_audio("abc-01")


def test_the_disk_has_room(root: Path) -> None:
    disk = Spool(root, "status").disk()
    assert 0 < disk.free <= disk.total
    assert spool.Disk(total=100, free=25).used_share == 0.75
