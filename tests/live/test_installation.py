"""README.md and docs/installation.md, executed in a clone, by an account with an empty home. Two minutes."""

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
ROOT = Path(__file__).parents[2]
DOC, README = ROOT / "docs" / "installation.md", ROOT / "README.md"
pytestmark = pytest.mark.timeout(600)


def commands(chapter: str, page: Path = DOC) -> list[str]:
    """The blocks of commands of one chapter ("": of the page), in their order."""
    text = page.read_text()
    if chapter:
        text = text.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_newcomer_with_an_empty_home_reaches_a_demo_and_a_verified_recording(
    made: Made, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("n")  # short: a unix socket is below it
    home, clone = root / "home", root / "clone"
    home.mkdir()
    shutil.copytree(made.tree, clone, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    demo = commands("A minute of demo", README)
    blocks = commands("As anybody, beside a simulated switch")
    assert (len(demo), len(blocks)) == (1, 10)
    script = "set -eu\n" + "\n".join(demo + blocks).replace("8021", str(free_port()))
    environment = environment_of(HOME=str(home), LANG="C.UTF-8", TOOLS=f"{ROOT}/.parts/build")
    environment.pop("PYTHONPATH", None)
    environment.pop("VIRTUAL_ENV", None)
    with (root / "said").open("w+") as said:
        done = subprocess.Popen(
            ["bash", "-c", script],
            cwd=clone,
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
    assert "every call came out as expected" in words
    assert list((home / "trial" / "desk").glob("*.wav"))
    assert "is complete to" in words
    for venv in (home / "trial" / "venv", clone / ".venv"):
        shutil.rmtree(venv)


def stop_all_of(group: int) -> None:
    """What the script left running, when it went wrong: processes of its own session."""
    try:
        os.killpg(group, 15)
    except ProcessLookupError:
        return
