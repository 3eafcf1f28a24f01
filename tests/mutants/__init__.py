"""The list of mutants (one TOML file per piece) and how one is tried, in a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("fsgov", "tests", "setup.cfg", "pyproject.toml", "schema.sql", "dialplans")


@dataclass(frozen=True, slots=True)
class Mutant:
    list_: str
    file: str
    find: str
    replace: str
    killed_by: str
    why: str

    def __str__(self) -> str:
        return f"[{self.list_}] {self.file}: {self.why}"

    def applies(self) -> bool:
        path = ROOT / self.file
        return path.is_file() and path.read_text().count(self.find) == 1 and self.find != self.replace


def listed() -> list[Mutant]:
    """All mutants of tests/mutants/*.toml, in the order of the files."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        for row in tomllib.loads(path.read_text()).get("mutant", []):
            found.append(Mutant(list_=path.stem, **row))
    return found


@contextmanager
def copy_of_tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        tree = Path(name)
        for entry in COPIED:
            source = ROOT / entry
            if source.is_dir():
                shutil.copytree(
                    source, tree / entry, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True
                )
            elif source.exists():
                shutil.copy(source, tree / entry)
        for kept in (".parts",):
            if (ROOT / kept).exists():
                (tree / kept).symlink_to(ROOT / kept)
        yield tree


def run_test(tree: Path, test: str) -> bool:
    """Is the test green in that tree?"""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "FSGOV_MUTANT": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", test]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, timeout=300, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{test}: pytest ended with {done.returncode}\n{done.stdout.decode()[-2000:]}")
    return done.returncode == 0


def survives(mutant: Mutant) -> bool:
    with copy_of_tree() as tree:
        path = tree / mutant.file
        path.write_text(path.read_text().replace(mutant.find, mutant.replace))
        return run_test(tree, mutant.killed_by)
