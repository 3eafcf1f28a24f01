"""The short form of `make bench`: every figure is measured, whatever it says on a busy machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIGURES = (
    "events from socket bytes to the core's commands",
    "CPU of govern and its scribe for each governed call",
    "answer to uuid_record on the wire",
    "decision among",
    "reload, longest gap between two events",
    "sealing 8 MiB",
    "a purge plan of",
)


def test_every_figure_can_be_measured() -> None:
    command = [sys.executable, "-m", "bench", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert [name for name in FIGURES if not any(line.startswith(name) for line in lines)] == []
    assert all(float(line.partition(": ")[2].split()[0]) > 0 for line in lines)
