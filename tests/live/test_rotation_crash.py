"""SIGKILL at each step of a rotation, and destructions beside it: no recording is lost, none comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from fsgov import rotation
from fsgov.errors import Conflict
from fsgov.vault import open_vault
from tests.live.keyring import CALL, ESCROW, NEW, OLD, Firm, firm_of
from tests.parts import warm
from tests.parts.catalog import World
from tests.parts.purging import Yard

STEPS = ("asked", "released", "put", "written")
PROGRAM = """
import os, sys
from fsgov import rotation
from fsgov.catalog.rotating import Rotating
from fsgov.envelope import Identity
from fsgov.vault import open_vault
step, dsn, id_, folder, *secrets = sys.argv[1:]
rotation.BATCH = 3
identities = [Identity.parse(secret) for secret in secrets]
vault = open_vault("eu", f"file:{folder}/audio", f"file:{folder}/keys")
if step == "wrap":
    to = [each.recipient for each in identities[1:]]
    rotation.wrap(Rotating(dsn), vault, id_, identities, to, os.urandom)
else:
    rotation.confirm(Rotating(dsn), vault, id_, identities[1:])
"""


@pytest.fixture
def firm(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Firm:
    monkeypatch.setattr(rotation, "BATCH", 3)
    return firm_of(world, open_vault("eu", f"file:{tmp_path}/audio", f"file:{tmp_path}/keys"))


def killed(firm: Firm, root: Path, id_: str, step: str, failpoint: str) -> None:
    """That step of the rotation in a process of its own, which ends at the failpoint."""
    dsn = firm.world.as_person("alice" if step == "wrap" else "bob")
    words = ["-c", PROGRAM, step, dsn, id_, str(root), str(OLD), str(NEW), str(ESCROW)]
    environment = {**os.environ, "FSGOV_FAILPOINT": failpoint}
    done = subprocess.run(
        warm.python(words, environment), env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-1000:]


def goes_on_after(firm: Firm, root: Path, step: str, *failpoints: str) -> None:
    """A rotation of four keys that is killed at each of these in turn, and then left to its end."""
    firm.record(4)
    everything = set(firm.audio)
    id_ = firm.asked()
    if step == "confirm":
        firm.wrap(id_)
    for failpoint in failpoints:
        killed(firm, root, id_, step, failpoint)
        assert firm.usual(OLD) | firm.usual(NEW) == everything
    if step == "wrap":
        firm.wrap(id_)
        assert firm.opened_by(OLD) == everything
    firm.confirm(id_)
    assert firm.state(id_) == "confirmed"
    assert firm.usual(NEW) == firm.usual(ESCROW) == everything
    assert firm.opened_by(OLD) == set()
    for told in ("wrapped", "confirmed"):
        lines = [each["data"] for each in firm.lines(id_) if each["type"] == f"fsgov.rotation.{told}.v1"]
        assert sum(each["keys"] for each in lines) == 4, f"each key is in the log as {told}, once"  # type: ignore[index]


@pytest.mark.parametrize(
    ("step", "failpoint"),
    [("wrap", "rotate.put:2"), ("wrap", "rotate.written"), ("confirm", "rotate.swept:2")],
)
def test_killed_there_nothing_is_lost_and_it_goes_on(
    firm: Firm, tmp_path: Path, step: str, failpoint: str
) -> None:
    goes_on_after(firm, tmp_path, step, failpoint)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "failpoint"),
    [
        *(("wrap", f"rotate.{name}:{nth}") for name in STEPS for nth in (1, 2)),
        *(("confirm", f"rotate.{name}:{nth}") for name in ("asked", "swept") for nth in (1, 2)),
    ],
)
def test_a_kill_at_this_step(firm: Firm, tmp_path: Path, step: str, failpoint: str) -> None:
    """The long form (make crash): each step alone, at the first batch and at the last."""
    goes_on_after(firm, tmp_path, step, failpoint)


@pytest.mark.slow
def test_a_kill_at_every_step_one_after_the_other(firm: Firm, tmp_path: Path) -> None:
    goes_on_after(firm, tmp_path, "wrap", *(f"rotate.{name}" for name in STEPS))


# -- destructions beside it ------------------------------------------------------------------------------


def destroyer(firm: Firm) -> Yard:
    """alice and bob are of privacy, either may plan and approve."""
    return Yard(firm.world, firm.vault, sorted(firm.audio))


@pytest.mark.parametrize("point", ["put", "written"])
def test_a_destruction_takes_what_a_killed_rotation_has_put(firm: Firm, tmp_path: Path, point: str) -> None:
    """Versions that no row names as well, and what the key was before beside the row."""
    firm.record(3)
    id_ = firm.asked()
    killed(firm, tmp_path, id_, "wrap", f"rotate.{point}")
    gone = f"{CALL}-02"
    there = len(list(firm.vault.keys.list(f"keys/{gone}")))
    assert there == 2
    yard = destroyer(firm)
    yard.plan([gone])
    assert yard.apply() == 1
    removed = yard.bodies()[gone]["removed"]
    assert [each["bucket"] for each in removed].count("keys") == there
    assert yard.there(gone) == []
    assert firm.opened_by(OLD) == set(firm.audio) - {gone}
    firm.wrap(id_)
    firm.confirm(id_)
    assert firm.state(id_) == "confirmed"
    assert yard.there(gone) == []
    assert firm.usual(NEW) == set(firm.audio) - {gone}
    assert firm.opened_by(OLD) == set()


@pytest.mark.slow
def test_recordings_are_destroyed_while_keys_are_rotated(firm: Firm) -> None:
    firm.record(24)
    due = sorted(firm.audio)[::2]
    left = set(firm.audio) - set(due)
    yard = destroyer(firm)
    yard.plan(due)
    id_ = firm.asked()
    faults: list[BaseException] = []

    def rotated() -> None:
        try:
            for _ in range(3):
                firm.wrap(id_)
                firm.confirm(id_)
        except Conflict as ended:
            if "has ended" not in str(ended):
                faults.append(ended)
        except BaseException as fault:
            faults.append(fault)

    other = threading.Thread(target=rotated)
    other.start()
    destroyed = yard.apply()
    other.join(120)
    destroyed += yard.apply()
    assert not faults, faults
    assert destroyed == len(due)
    if firm.state(id_) != "confirmed":
        firm.wrap(id_)
        firm.confirm(id_)
    assert firm.state(id_) == "confirmed"
    assert [each for segment in due for each in yard.there(segment)] == []
    assert set(firm.wrapped()) == firm.usual(NEW) == left
    assert firm.opened_by(OLD) == set()
