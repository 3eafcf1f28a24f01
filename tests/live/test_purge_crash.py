"""SIGKILL at each step of a destruction: whoever comes next brings it to the same end, once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.parts import warm
from tests.parts.catalog import World
from tests.parts.purging import Yard, file_vault, yard

FAILPOINTS = [
    "purge.destroying",
    "purge.ledger",
    "purge.listed",
    "purge.keys",
    "purge.version",
    "purge.proven",
    "purge.certified",
]
KEEP = """
import sys
from pathlib import Path
from fsgov.catalog.purging import Purging
from fsgov.purge.applying import Limits, Purge
from fsgov.purge.removing import Vaults
from fsgov.purge.part import now
from fsgov.vault import open_vault
dsn, password, root = sys.argv[1:]
vault = open_vault("eu", f"file:{root}/audio", f"file:{root}/keys")
limits = Limits(rate=10_000, canary=2, canary_wait=0, complete=0)
catalog = Purging(dsn, Path(password).read_text().strip())
purge = Purge(catalog, Vaults({"eu": vault}, now), limits, "fs1", now)
while purge.turn():
    pass
purge.close()
"""


def keep(place: Yard, root: Path, failpoint: str) -> int:
    """Purge in a process of its own, to its end or to the failpoint; its exit code."""
    words = ["-c", KEEP, place.world.dsn, str(place.world.credentials / "keep"), str(root)]
    environment = {**os.environ, "FSGOV_FAILPOINT": failpoint}
    done = subprocess.run(
        warm.python(words, environment),
        env=environment,
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode


@pytest.fixture
def place(world: World, tmp_path: Path) -> Yard:
    return yard(world, file_vault(tmp_path))


def test_a_kill_at_every_step_one_after_the_other(place: Yard, tmp_path: Path) -> None:
    """One plan, killed at each step in turn, and then at each step again, deeper in; then left to its end."""
    due = place.store(12)
    held = place.store(1)
    place.hold(held[0])
    plan = place.plan([*due, *held])
    killed = Counter[int]()
    for name in [*FAILPOINTS, *(f"{name}:3" for name in FAILPOINTS[1:5:3])]:
        killed[keep(place, tmp_path, name)] += 1
        assert {*due, *held} - place.keys() <= place.ledger(), f"{name}: a key is gone that no ledger names"
    assert killed[-signal.SIGKILL] >= len(FAILPOINTS) - 1
    assert keep(place, tmp_path, "") == 0
    place.whole()
    assert place.plan_state(plan) == "done"
    assert set(place.bodies()) == set(due)
    assert Counter(line["subject"] for line in place.lines("segment.destroying")) == Counter(due)
    assert all(len(body["removed"]) == 2 for body in place.bodies().values()), (
        "what a kill interrupted is named"
    )
    assert place.states()[held[0]] == "stored"


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("name", FAILPOINTS)
def test_a_kill_at_this_step(place: Yard, tmp_path: Path, name: str, nth: int) -> None:
    """The long form (make crash): each step alone, the first, second and fourth time it is passed."""
    due = place.store(6)
    plan = place.plan(due)
    keep(place, tmp_path, f"{name}:{nth}")
    assert set(due) - place.keys() <= place.ledger()
    assert keep(place, tmp_path, "") == 0
    place.whole()
    assert place.plan_state(plan) == "done"
    assert set(place.bodies()) == set(due)
    assert all(len(body["removed"]) == 2 for body in place.bodies().values())
