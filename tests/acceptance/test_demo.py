"""The demo as a user runs it, and that it can say no."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from fsgov.demo import place, run, site
from fsgov.demo.scenes import SCENES
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from fsgov.errors import BadConfiguration, Conflict


def left_behind(root: Path) -> list[str]:
    """Processes that have to do with a directory."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(root) in words and "pytest" not in words:
            found.append(words)
    return found


def answered(command: str, where: Path) -> None:
    done = subprocess.run(command, shell=True, cwd=where, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), command + "\n" + done.stdout + done.stderr
    assert done.stdout.strip(), command


def test_the_demo_comes_out_as_expected_and_leaves_what_its_commands_need(tmp_path: Path) -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "fsgov", "demo"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    told = [line for line in demo.stdout.splitlines() if line.rstrip().endswith("  yes")]
    assert len(told) == len(SCENES), demo.stdout
    assert "\x1b" not in demo.stdout
    assert left_behind(tmp_path) == []
    made = Site(tmp_path / run.NAME)
    for path in (*made.desk.glob("*.password"), made.desk / "identity.txt", made.host / "log.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    commands = [
        line.strip() for line in demo.stdout.partition("for instance:")[2].splitlines() if line.strip()
    ]
    assert len(commands) >= 8
    answered(commands[0], tmp_path)  # it starts the database for itself alone
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda command: answered(command, tmp_path), commands[1:]))
    assert list((made.root / "export").glob("*.wav"))
    assert left_behind(tmp_path) == []


def test_a_second_demo_in_the_same_place_is_refused(tmp_path: Path) -> None:
    root = tmp_path / ".demo"
    with place.taken(root):
        (root / "host").mkdir()
        with pytest.raises(Conflict, match="Another demo"), place.taken(root):
            pass
        assert (root / "host").exists()


def test_what_the_demo_has_not_made_stays(tmp_path: Path) -> None:
    root = tmp_path / ".demo"
    root.mkdir()
    (root / "thesis.txt").write_text("years of work")
    with pytest.raises(Conflict, match="something else"), place.taken(root):
        pass
    assert (root / "thesis.txt").read_text() == "years of work"


def test_an_older_demo_is_replaced(tmp_path: Path) -> None:
    root = tmp_path / ".demo"
    with place.taken(root):
        (root / "host").mkdir()
        (root / "host" / "old").write_text("")
    with place.taken(root):
        assert [path.name for path in root.iterdir()] == [place.MARK]


def test_a_directory_with_too_long_a_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="too long"):
        site.check_path(tmp_path / ("x" * 90))


def test_a_directory_that_a_switch_cannot_name_is_told() -> None:
    with pytest.raises(BadConfiguration, match="cannot be told"):
        site.check_path(Path("/home/me/my calls/.demo"))
    site.check_path(Path("/home/zoë/git-repos/fsgov_1.0/.demo"))


def test_the_password_of_the_switch_may_begin_with_a_dash(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One in 64 does: it must not be taken for an option."""
    where = Site(tmp_path_factory.mktemp("d"))
    site.make(where)
    (where.host / "switch.password").write_text("-secret\n")
    stage = Stage(where)
    stage.start_switch()
    try:
        assert stage.moment() > 0
    finally:
        stage.close()
