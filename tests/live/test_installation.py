"""docs/installation.md, executed: by an account with an empty home, and as a service. About three minutes."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.live.cli import environment_of
from tests.live.test_packaging import Made, made

__all__ = ["made"]
DOC = Path(__file__).parents[2] / "docs" / "installation.md"
pytestmark = pytest.mark.timeout(600)


def commands(chapter: str) -> list[str]:
    """The blocks of commands of one chapter, in their order."""
    text = DOC.read_text().partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_newcomer_with_an_empty_home_reaches_a_verified_recording(made: Made, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(made.wheel, home)
    blocks = commands("As anybody, beside a simulated switch")
    assert len(blocks) >= 9
    script = "set -eu\n" + "\n".join(blocks).replace("8021", str(free_port()))
    environment = environment_of(HOME=str(home), LANG="C.UTF-8")
    environment.pop("PYTHONPATH", None)
    environment.pop("VIRTUAL_ENV", None)
    with (tmp_path / "said").open("w+") as said:
        done = subprocess.Popen(
            ["bash", "-c", script],
            cwd=home,
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = done.wait(300)
        finally:
            stop_all_of(done.pid)
        said.seek(0)
        words = said.read()
    assert code == 0, words[-4000:]
    assert list((home / "desk").glob("*.wav"))
    assert "is complete to" in words
    assert "order line" in (home / "host" / "policy.toml").read_text()
    shutil.rmtree(home / "fsgov")


def stop_all_of(group: int) -> None:
    """What the script left running, when it went wrong: processes of its own session."""
    try:
        os.killpg(group, 15)
    except ProcessLookupError:
        return
