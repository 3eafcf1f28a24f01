"""Disks that are full, each a small one of its own: the spool's (bytes, inodes) and that of a vault."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fsgov import spool
from fsgov.catalog.desk import Desk
from fsgov.cli import live
from fsgov.demo import site, verdict
from fsgov.demo.playing import Played
from fsgov.demo.scenes import Do, Talk
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from fsgov.simulator import timecode
from fsgov.simulator.timecode import Moment
from fsgov.vault import open_vault
from tests.acceptance.crash.parts import plaintext_in
from tests.acceptance.play import (
    HEARTBEAT,
    begun,
    eventually,
    go_on,
    good,
    hang_up,
    judged,
    of_demo,
    plain,
    policy,
    started,
    together,
)
from tests.parts import postgres

pytestmark = [pytest.mark.timeout(300), pytest.mark.disks]


FULL = "No space left"


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[None]:
    place.mkdir(mode=0o700, exist_ok=True)
    limits = f"size={megabytes}m,nr_inodes=4000,mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", limits, "fsgov-test", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    where = Site(tmp_path_factory.mktemp("disks"))
    postgres.prepare(where.database)
    with Stage.open(where) as made:
        site.make(where, policy())
        with small_disk(where.spool, 24), small_disk(where.root / "vault", 24):
            spool.Spool(where.spool, "status").close()
            vault = open_vault("demo", *where.vault)
            for bucket in (vault.audio, vault.keys):
                bucket.create()
            made.start_switch(*HEARTBEAT)
            yield made
            made.close()


@pytest.fixture
def small(world: Stage) -> Iterator[Stage]:
    started(world)
    eventually((world.site.spool / "people.json").exists)
    eventually(lambda: told(world) == set(), 60)
    yield world
    eventually(lambda: told(world) == set(), 60)


def told(stage: Stage) -> set[str]:
    """The alarms of govern and ship."""
    path = stage.site.spool / "ship.alarms.json"
    try:
        ships = set(json.loads(path.read_text()))
    except (OSError, ValueError):
        ships = set()
    return ships | set(live.ask(stage.site.control, "GET", "/v1/status")[1]["alarms"])


def with_bytes(place: Path) -> Callable[[], None]:
    """Fill it to the last byte; what frees it again."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            with pytest.raises(OSError, match=FULL):
                while file.write(bytes(size)):
                    pass
    return ballast.unlink


def with_files(place: Path) -> Callable[[], None]:
    """Take every inode; what frees them again."""
    folder = place / "ballast"
    folder.mkdir()
    made: list[Path] = []
    with pytest.raises(OSError, match=FULL):
        while True:
            path = folder / str(len(made))
            path.touch()
            made.append(path)

    def free() -> None:
        for path in made:
            path.unlink()
        folder.rmdir()

    return free


def test_a_vault_that_is_full(small: Stage) -> None:
    free = with_bytes(small.site.root / "vault")
    try:
        played = together(small, of_demo("recorded"), of_demo("paused"), of_demo("hold"))
        eventually(lambda: "vault.demo" in told(small), 60)
        assert len(list((small.site.spool / "audio").glob("*.wav"))) == len(played)
    finally:
        free()
    good(*judged(small, *played, within=90))


@pytest.mark.parametrize(
    "fill",
    [pytest.param(with_bytes, id="bytes"), pytest.param(with_files, id="inodes", marks=pytest.mark.slow)],
)
def test_a_spool_that_is_full(small: Stage, fill: Callable[[Path], Callable[[], None]]) -> None:
    """What was on disk is kept, nothing begins that nobody could remember, and it all goes on by itself."""
    talk = (Do("bridge", {"agent": "1000"}), Talk(3.0))
    before = begun(small, plain("before", Talk(6.0)))
    free = fill(small.site.spool)
    try:
        meanwhile = begun(small, plain("meanwhile", steps=talk, heard=()))
        eventually(lambda: "spool" in told(small), 60)
        go_on(small, meanwhile, Talk(4.0))
        go_on(small, before, hang_up())
        eventually(lambda: small.ledger.all("closed", uuid=before.call))
    finally:
        free()
    eventually(lambda: "spool" not in told(small), 60)
    go_on(small, meanwhile, hang_up())
    after = begun(small, plain("after", Talk(0.5), hang_up()))
    *_, last = judged(small, before, meanwhile, after, within=90)
    good(last)
    kept = frames(small, before)
    (closed,) = small.ledger.all("closed", uuid=before.call)
    spoken = [moment for first, to, _ in closed["spans"] for moment in range(first, to + 1)]
    assert len(kept) > 150
    assert kept == spoken[: len(kept)]
    if fill is with_files:
        assert kept == spoken
    assert outcome(small, before) in ("recorded", "recorded-in-part")
    if len(kept) < len(spoken):
        assert outcome(small, before) == "recorded-in-part"
    files = small.ledger.all("opened", uuid=meanwhile.call)
    assert (outcome(small, meanwhile) == "failed") == (not files)
    assert frames(small, meanwhile) == [
        moment
        for each in small.ledger.all("closed", uuid=meanwhile.call)
        for first, to, _ in each["spans"]
        for moment in range(first, to + 1)
    ]


def test_no_plaintext_was_left_anywhere_but_in_the_spool(small: Stage) -> None:
    """After all of them."""
    assert plaintext_in(small.site.database, small.site.root / "vault", small.site.spool / "sealed") == []


def outcome(stage: Stage, played: Played) -> str | None:
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        return desk.call(played.call).call.outcome


def frames(stage: Stage, played: Played) -> list[int]:
    """The moments of a call that are in the vault."""
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        wavs = [verdict.opened(stage.site, desk, row) for row in desk.segments(call=played.call)]
    return [frame.index for wav in wavs for frame in timecode.decode(wav) if isinstance(frame, Moment)]
