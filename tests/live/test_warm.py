"""A command that is forked (tests/parts/warm.py) is to whoever gives it what a process of its own is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live.cli import environment_of
from tests.parts import warm

OWN = [sys.executable, "-m", "fsgov"]


@pytest.mark.parametrize(
    ("words", "code", "environment"),
    [
        (["--version"], 0, {}),
        (["hold", "--help"], 0, {"COLUMNS": "60"}),
        (["nonsense"], 2, {}),
        (["calls", "list"], 3, {"FSGOV_CONFIG": "here.toml"}),
        (["policy", "check", "täst.toml"], 3, {}),
    ],
)
def test_it_says_and_ends_the_same(
    words: list[str], code: int, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "here.toml").write_text("host = 1\n")
    (tmp_path / "täst.toml").write_text("version = 1\n")
    fork, own = (
        subprocess.run([*start, *words], cwd=tmp_path, env=environment_of(**environment), capture_output=True)
        for start in ([warm.program()], OWN)
    )
    assert (fork.returncode, fork.stdout, fork.stderr) == (own.returncode, own.stdout, own.stderr)
    assert fork.returncode == code


def test_it_waits_for_nobody_and_goes_with_who_gave_it(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    os.mkfifo(policy)
    with subprocess.Popen([warm.program(), "policy", "check", policy]) as waiting:
        with policy.open("wb"):  # it has begun to read
            subprocess.run([warm.program(), "--version"], check=True, capture_output=True)
            waiting.kill()
        end = time.monotonic() + 30
        while is_read(policy):
            assert time.monotonic() < end
            time.sleep(0.02)


def is_read(pipe: Path) -> bool:
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


CODE = """
import sys
from fsgov.failpoints import failpoint
failpoint("here")
print(__name__, sys.argv[1:])
sys.exit(sys.argv[1])
"""


@pytest.mark.parametrize(("failpoint", "code"), [("there", 1), ("here", -9)])
def test_code_runs_as_in_a_python_and_can_be_killed_at_a_failpoint(failpoint: str, code: int) -> None:
    environment = environment_of(FSGOV_FAILPOINT=failpoint)
    fork, own = (
        subprocess.run([start, "-c", CODE, "x", "ü"], env=environment, capture_output=True)
        for start in (warm.program("python"), sys.executable)
    )
    assert (fork.returncode, fork.stdout, fork.stderr) == (own.returncode, own.stdout, own.stderr)
    assert fork.returncode == code


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["run", "--part", "keep"], {}),
        (["calls", "list"], {"PYTHONPATH": "/elsewhere"}),
        (["calls", "list"], {"LC_ALL": "C"}),
    ],
)
def test_what_python_settles_when_it_starts_is_a_process(
    words: list[str], environment: dict[str, str]
) -> None:
    assert warm.command(words, environment_of(**environment)) == [*OWN, *words]
    assert warm.command(["calls", "list"], environment_of(FSGOV_CONFIG="x"))[0] == str(warm.program("python"))
