"""A skip can fail the build, and what was left out is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

@pytest.fixture
def part():
    pytest.skip("no such part here; not tested: the part")

def test_with_a_part(part): ...

def test_that_skips_itself():
    pytest.skip("tired")

@pytest.mark.freeswitch
def test_of_a_switch(): ...

@pytest.mark.memory(10**6)
def test_that_needs_much(): ...

def test_plain(): ...
"""


@pytest.mark.parametrize(
    ("setting", "outcome"),
    [
        ({}, "1 passed, 2 skipped, 2 deselected"),
        ({"FSGOV_NO_SKIP": "1"}, "1 failed, 1 passed, 2 deselected, 1 error"),
        ({"CI": "true"}, "1 failed, 1 passed, 2 deselected, 1 error"),
    ],
)
def test_a_skip_is_a_failure_where_none_is_allowed(
    setting: dict[str, str], outcome: str, tmp_path: Path
) -> None:
    (tmp_path / "test_parts.py").write_text(TESTS)
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "FSGOV_NO_SKIP")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            "-ra",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**kept, **setting, "PYTHONPATH": str(ROOT)},
    )
    assert outcome in done.stdout
    assert done.returncode == (1 if setting else 0)
    assert "NOT TESTED: 1 tests were left out: FSGOV_LIVE_FREESWITCH" in done.stdout
    assert "NOT TESTED: 1 tests were left out: 1000000 GB" in done.stdout
    assert "no such part here" in done.stdout
