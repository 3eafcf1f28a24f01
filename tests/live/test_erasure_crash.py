"""SIGKILL at each step of an erasure, and the database away in the middle of it: it comes to the same end.

The long form (make crash). Judged by every row, by keys and objects, and by what a real dump from before the
erasure brings back: what was erased is erased again, nothing else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog.restoring import restoring
from fsgov.embedded.binaries import find
from fsgov.errors import FsgovError
from fsgov.subjects import Ledger
from fsgov.subjects.ledger import names
from fsgov.subjects.restoring import requests, told
from fsgov.vault import Vault, open_vault
from tests.live.test_purge_crash import FAILPOINTS as PURGE
from tests.live.test_subjects import NUMBER, Office, hold, office, release
from tests.parts.catalog import START, call_file, enter
from tests.parts.purging import Yard

__all__ = ["office"]
pytestmark = pytest.mark.slow

STEPS = ["promise", "promised", "judged", "planned", "unnamed", "forgotten", "done"]
FREE, HELD, DUTY, SILENT, OTHER = "free", "held", "duty", "silent", "other"
"""Calls: erased at once, under a hold, kept by a period, without a recording, and of somebody else."""
KEEP = """
import sys
from pathlib import Path
from fsgov.catalog.erasing import Erasing
from fsgov.catalog.purging import Purging
from fsgov.catalog.retaining import Retaining
from fsgov.purge.applying import Limits, Purge
from fsgov.purge.part import now
from fsgov.purge.removing import Vaults
from fsgov.subjects import Erasures, Ledger
from fsgov.vault import open_vault
dsn, file, root = sys.argv[1:]
password = Path(file).read_text().strip()
vault = open_vault("eu", f"file:{root}/audio", f"file:{root}/eu")
limits = Limits(rate=10_000, canary=2, canary_wait=0, complete=0)
purge = Purge(Purging(dsn, password), Vaults({"eu": vault}, now), limits, "fs1", now)
erasures = Erasures(
    Erasing(dsn, password), Retaining.of_keep(dsn, password), Ledger({"eu": vault.keys}), "fs1", now)
for _ in range(3):
    erasures.run_once()
    while purge.turn():
        pass
purge.close()
erasures.close()
"""


@dataclass
class Scene:
    """A request of the person of NUMBER, about everything of theirs."""

    office: Office
    yard: Yard
    root: Path
    request: str = ""
    placed: str = ""

    def keep(self, failpoint: str = "") -> int:
        """What keep does with it, in a process of its own, to its end or to the failpoint; its exit code."""
        world = self.office.world
        done = subprocess.run(
            [sys.executable, "-c", KEEP, world.dsn, str(world.credentials / "keep"), str(self.root)],
            env={**os.environ, "FSGOV_FAILPOINT": failpoint},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
        return done.returncode

    def ask(self) -> None:
        self.placed = hold(self.office, "call", HELD)
        self.request = self.office.erasure()

    def numbers(self) -> set[str]:
        """Calls whose rows still name somebody."""
        rows = self.office.world.sql("admin", "SELECT call FROM fsgov.parties WHERE e164 IS NOT NULL")
        return {str(call) for (call,) in rows}

    def others(self) -> list[tuple[Any, ...]]:
        """Every row of the call of somebody else."""
        return [
            row
            for table in ("calls", "legs", "parties", "consents", "tags", "segments", "segment_keys")
            for row in self.office.world.sql(
                "admin",
                f"SELECT '{table}', t::text FROM fsgov.{table} t WHERE position('{OTHER}' IN t::text) > 0",
            )
        ]

    def never_early(self) -> None:
        """Whenever it stops: what is erased is in the ledger, and what must stay is there."""
        ledger, found = self.yard.ledger(), names([self.yard.vault.keys])
        assert {f"{FREE}-01", f"{HELD}-01", f"{DUTY}-01", f"{OTHER}-01"} - self.yard.keys() <= ledger
        promised = {name for each in found.promised.values() for name in each}
        gone = {FREE, HELD, DUTY, SILENT, OTHER} - self.numbers()
        assert {f"{call}.1" for call in gone} <= promised, "a row is erased that nothing would bring back"

    def half(self) -> None:
        """All is done that may be."""
        verdicts = self.office.verdicts(self.request)
        until = verdicts.pop(f"{DUTY}-01")
        assert until == ("statutory", ("contract",))
        assert verdicts == {
            f"{FREE}-01": ("erased", ()), FREE: ("erased", ()), SILENT: ("erased", ()),
            f"{HELD}-01": ("held", (self.placed,)), HELD: ("held", (self.placed,)),
            DUTY: ("needed", (f"{DUTY}-01",)),
        }  # fmt: skip
        assert self.numbers() == {HELD, DUTY, OTHER}
        assert self.office.state(self.request) == "approved"

    def whole(self) -> None:
        """The hold is released: but for what a period demands, nothing is left; once."""
        assert self.numbers() == {DUTY, OTHER}
        assert self.yard.keys() == {f"{DUTY}-01", f"{OTHER}-01"}
        assert set(self.yard.bodies()) == {f"{FREE}-01", f"{HELD}-01"}
        for segment in (f"{FREE}-01", f"{HELD}-01"):
            assert self.yard.there(segment) == []
        told = [line["subject"] for line in self.yard.lines("party.erased")]
        assert sorted(told) == [FREE, HELD, SILENT]
        destroyed = [line["subject"] for line in self.yard.lines("segment.destroyed")]
        assert sorted(destroyed) == [f"{FREE}-01", f"{HELD}-01"]
        found = names([self.yard.vault.keys])
        assert found.forgotten == {f"{FREE}.1", f"{HELD}.1", f"{SILENT}.1"}
        assert found.waiting == {self.request: [f"{DUTY}.1"]}


@pytest.fixture
def scene(office: Office, tmp_path: Path) -> Iterator[Scene]:
    vault = open_vault("eu", f"file:{tmp_path}/audio", f"file:{tmp_path}/eu")
    for bucket in (vault.audio, vault.keys):
        bucket.create()
    yard = Yard(office.world, vault)
    made = Scene(office, yard, tmp_path)
    for call in (FREE, HELD, DUTY, OTHER):
        stored(made, vault, call)
    office.call(SILENT, segments=0, outcome="refused")
    yield made
    vault.audio.close()
    vault.keys.close()


def stored(scene: Scene, vault: Vault, call: str) -> None:
    """A call that is over, and its recording, in the vault and in the catalog."""
    segment = f"{call}-01"
    facts = {"outcome": "recorded", "ended": START + 9_000_000, "segments": [segment]}
    parties = call_file()["parties"]
    if call == OTHER:
        parties = [{**parties[0], "number": "03099999", "e164": "+493099999"}]
    enter(scene.office.world.ship, call_file(call, **{**facts, "parties": parties, "inputs": {"call": call}}))
    audio = vault.audio.put_bytes(f"default/2026/11/{segment}.age", segment.encode(), {"segment": segment})
    key = vault.keys.put_bytes(f"keys/{segment}", b"wrapped", {"segment": segment})
    purposes = ["contract"] if call == DUTY else ["evidence"]
    scene.office.recording(segment, purposes=purposes, stored={
        "vault": "eu", "key": audio.key, "version_id": audio.version_id, "size": audio.size,
        "sha256": audio.sha256, "key_version_id": key.version_id})  # fmt: skip


# -- kills -----------------------------------------------------------------------------------------------


def test_a_kill_at_every_step_one_after_the_other(scene: Scene) -> None:
    others = scene.others()
    scene.ask()
    killed = 0
    for name in [
        *(f"subject.{step}" for step in STEPS[:-1]),
        *PURGE,
        "subject.unnamed:2",
        "subject.forgotten",
    ]:
        killed += scene.keep(name) == -signal.SIGKILL
        scene.never_early()
    assert killed >= len(STEPS) + len(PURGE) - 3
    assert scene.keep() == 0
    scene.half()
    release(scene.office, scene.placed)
    for name in ("subject.judged", "subject.planned", "purge.keys", "subject.unnamed", "subject.forgotten"):
        scene.keep(name)
        scene.never_early()
    assert scene.keep() == 0
    scene.whole()
    assert scene.others() == others


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_this_step(scene: Scene, step: str, nth: int) -> None:
    scene.ask()
    if step == "done":  # nothing may be left for that
        release(scene.office, scene.placed)
        scene.office.world.sql("admin", "UPDATE fsgov.segments SET purposes = '{evidence}'")
    scene.keep(f"subject.{step}:{nth}")
    scene.never_early()
    assert scene.keep() == 0
    if step == "done":
        assert scene.office.state(scene.request) == "done"
        assert scene.numbers() == {OTHER}
        assert len(scene.yard.lines("erasure.done")) == 1
    else:
        scene.half()


@pytest.mark.parametrize("nth", [1, 2, 3, 5, 6])
def test_the_database_goes_away_in_the_middle(scene: Scene, nth: int) -> None:
    """Connections of keep are ended after the ledger has taken this many names."""

    class Cutting:
        left = nth

        def __getattr__(self, name: str) -> Any:
            return getattr(scene.yard.vault.keys, name)

        def put_bytes(self, *facts: Any) -> Any:
            made = scene.yard.vault.keys.put_bytes(*facts)
            self.left -= 1
            if self.left == 0:
                scene.office.world.sql(
                    "admin",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'fsgov_keep'",
                )
            return made

    scene.ask()
    keep = scene.office.keep()
    keep._ledger = Ledger({"eu": Cutting()})  # type: ignore[dict-item]
    for _ in range(2):
        try:
            keep.run_once()
        except FsgovError:
            scene.never_early()
    scene.never_early()
    assert scene.keep() == 0
    scene.half()
    release(scene.office, scene.placed)
    assert scene.keep() == 0
    scene.whole()


# -- a dump from before ----------------------------------------------------------------------------------


def test_what_a_dump_from_before_brings_back_is_erased_again_and_nothing_else(scene: Scene) -> None:
    world, dump = scene.office.world, scene.root / "before.dump"
    others = scene.others()
    duty = world.sql("admin", f"SELECT t::text FROM fsgov.parties t WHERE call = '{DUTY}'")
    program(scene, "pg_dump", "--format=custom", f"--file={dump}")
    scene.ask()
    assert scene.keep() == 0
    release(scene.office, scene.placed)
    assert scene.keep() == 0
    scene.whole()

    while world.closing:
        world.closing.pop()()
    for keep in scene.office.keeps:
        keep.close()
    scene.office.keeps.clear()
    program(scene, "pg_restore", "--clean", "--if-exists", "--exit-on-error", "--dbname=finished", str(dump))
    assert scene.numbers() == {FREE, HELD, DUTY, SILENT, OTHER}, "they are all back"
    assert {f"{FREE}-01", f"{HELD}-01"} <= scene.yard.keys()

    found = names([scene.yard.vault.keys])
    with restoring(world.dsn) as here:
        keys, back = here.apply_ledger(sorted(scene.yard.ledger()))
        here.apply_forgotten(sorted(found.forgotten))
        here.apply_requests(requests(found, told(here.told_of_requests())))
    assert (keys, back) == (2, [f"{FREE}-01", f"{HELD}-01"])
    assert scene.numbers() == {DUTY, OTHER}
    assert scene.yard.keys() == {f"{DUTY}-01", f"{OTHER}-01"}
    assert scene.office.tables_with(NUMBER) == ["parties"]
    assert world.sql("admin", f"SELECT t::text FROM fsgov.parties t WHERE call = '{DUTY}'") == duty
    assert scene.others() == others
    assert scene.office.state(scene.request) == "open", "what waits is to be approved once more"
    assert scene.keep() == 0
    states = scene.yard.states()
    assert {segment for segment, state in states.items() if state == "destroyed"} == {
        f"{FREE}-01",
        f"{HELD}-01",
    }
    assert states[f"{OTHER}-01"] == states[f"{DUTY}-01"] == "stored"
    assert all(body["remade"] for body in scene.yard.bodies().values())
    assert len(scene.yard.there(f"{OTHER}-01")) == len(scene.yard.there(f"{DUTY}-01")) == 2
    with scene.office.subjects("beth") as beth:
        beth.approve(scene.request)
    assert scene.keep() == 0
    assert scene.office.verdicts(scene.request)[f"{DUTY}-01"] == ("statutory", ("contract",))
    assert scene.others() == others


def program(scene: Scene, name: str, *words: str) -> None:
    """A program of the server's own version, as its superuser."""
    where = psycopg2.extensions.parse_dsn(scene.office.world.dsn)
    environment = {
        **os.environ, "PGHOST": where["host"], "PGPORT": where["port"], "PGUSER": where["user"],
        "PGPASSWORD": where["password"], "PGDATABASE": where["dbname"],
    }  # fmt: skip
    path = Path(find().directory) / name
    done = subprocess.run([str(path), *words], env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
