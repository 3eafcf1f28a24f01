"""The sequencer on a real database: places, signatures, copies, and what it refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest

from fsgov.catalog.keep import Edge, Keep
from fsgov.errors import Conflict, Damaged, FsgovError, Unreachable
from fsgov.journal import Anchor, FileSink, Sequencer, VaultAnchor
from fsgov.journal.alarms import Alarms
from fsgov.journal.loop import run
from fsgov.journal.sequencer import SIGN_EVERY
from fsgov.merkle import Checkpoint, PublicKey, generate_signing_key, open_note
from fsgov.vault import open_bucket
from fsgov.verify import verify_directory, verify_export
from tests.parts.catalog import START, World, call_file, enter, line, sidecar
from tests.parts.schemas import faults

KEY = generate_signing_key(lambda n: b"k" * n)
PUBLIC = PublicKey.of("fsgov", KEY)


class Clock:
    """The signer's, which passes when a test says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[FileSink]:
    made = FileSink(tmp_path / "log")
    yield made
    made.close()


def entered(world: World, origin: str, first: int, last: int) -> None:
    with world.ship.entering() as entering:
        entering.lines(origin, first, [line(origin, n) for n in range(first, last + 1)])


def log_of(world: World) -> list[tuple[int, str, int, bytes]]:
    rows = world.sql("admin", "SELECT seq, origin, n, line FROM fsgov.event_log ORDER BY seq")
    return [(seq, origin, n, bytes(text)) for seq, origin, n, text in rows]


def signed(world: World) -> list[Checkpoint]:
    rows = world.sql("admin", "SELECT note FROM fsgov.checkpoints ORDER BY size")
    return [Checkpoint.parse(open_note(note.encode(), [PUBLIC])) for (note,) in rows]


# -- places ----------------------------------------------------------------------------------------------


def test_every_line_gets_one_place_in_the_order_of_its_origin(world: World, clock: Clock) -> None:
    entered(world, "fs1.ship.1", 1, 5)
    entered(world, "fs2.govern.7", 1, 3)
    entered(world, "fs1.ship.1", 6, 7)
    sequencer = Sequencer(world.keep, KEY, clock)
    assert sequencer.run_once().moved == 12  # and two lines of db init
    entered(world, "fs2.govern.7", 4, 4)
    assert sequencer.run_once().size == 13
    log = log_of(world)
    assert [seq for seq, *_ in log] == list(range(13))
    for origin, last in (("fs1.ship.1", 7), ("fs2.govern.7", 4)):
        assert [n for _, of, n, _ in log if of == origin] == list(range(1, last + 1))
        assert [text for _, of, _, text in log if of == origin] == [
            line(origin, n) for n in range(1, last + 1)
        ]
    assert world.sql("admin", "SELECT count(*) FROM fsgov.outbox") == [(0,)]
    assert world.sql("admin", "SELECT count(*) FROM fsgov.origins WHERE entered_n <> sequenced_n") == [(0,)]


def test_a_line_waits_for_the_one_before(world: World, clock: Clock) -> None:
    """Entering leaves no gap; where there is one all the same (a restored row), what follows it waits."""
    entered(world, "fs1.ship.1", 1, 5)
    world.sql("admin", "DELETE FROM fsgov.outbox WHERE n = 3 AND origin = 'fs1.ship.1'")
    keep = world.keep
    sequencer = Sequencer(keep, KEY, clock)
    sequencer.run_once()
    assert [n for _, origin, n, _ in log_of(world) if origin == "fs1.ship.1"] == [1, 2]
    world.sql("admin", "INSERT INTO fsgov.outbox (origin, n, line) VALUES ('fs1.ship.1', 3, %s)",
              values=[line("fs1.ship.1", 3)])  # fmt: skip
    sequencer.run_once()
    assert [n for _, origin, n, _ in log_of(world) if origin == "fs1.ship.1"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("ns", [[2], [1, 3], [2, 1], [1, 1]])
def test_the_database_refuses_a_gap(world: World, ns: list[int]) -> None:
    entered(world, "fs1.ship.1", 1, 3)
    keep = world.keep
    with pytest.raises(psycopg2.Error) as refused:
        world.sql("keep", "SELECT fsgov.sequence(%s, 0, %s, %s::bigint[])",
                  values=[keep.log_id(), ["fs1.ship.1"] * len(ns), ns])  # fmt: skip
    assert refused.value.pgcode == "FG409"
    assert log_of(world) == []


def test_the_database_refuses_another_place_and_another_log(world: World) -> None:
    entered(world, "fs1.ship.1", 1, 3)
    keep = world.keep
    log_id = keep.log_id()
    for log, first in ((log_id, 1), ("log-another", 0)):
        with pytest.raises(Conflict, match="elsewhere"), keep.moving() as move:
            move.into_log(log, first, move.waiting(2))
    assert log_of(world) == []


def test_there_is_one_sequencer(world: World, clock: Clock) -> None:
    first, second = world.keep, world.keep
    assert Sequencer(first, KEY, clock).run_once().leading
    standby = Sequencer(second, KEY, clock)
    entered(world, "fs1.ship.1", 1, 3)
    assert not standby.run_once().leading
    assert world.sql("admin", "SELECT count(*) FROM fsgov.outbox") == [(3,)]
    log_id = second.log_id()
    with pytest.raises(Conflict, match="sequencer is at work"), second.moving() as move:
        move.into_log(log_id, 2, move.waiting(3))
    first.close()
    for _ in range(50):  # until PostgreSQL has seen that it is gone
        if (moved := standby.run_once().moved) == 3:
            break
        time.sleep(0.1)
    assert moved == 3


def test_two_keeps_in_turn_write_one_log(world: World, clock: Clock) -> None:
    keeps = [world.keep, world.keep]
    sequencers = [Sequencer(keep, KEY, clock) for keep in keeps]
    for turn in range(6):
        entered(world, "fs1.ship.1", turn * 3 + 1, turn * 3 + 3)
        clock.now += SIGN_EVERY
        until = time.monotonic() + 20  # PostgreSQL has to see that the other one is gone
        while not sequencers[turn % 2].run_once().leading:
            assert time.monotonic() < until
        keeps[turn % 2].close()
    texts = [text for *_, text in log_of(world)]
    notes = world.sql("admin", "SELECT note FROM fsgov.checkpoints ORDER BY size")
    report = verify_export([text + b"\n" for text in texts], [note.encode() for (note,) in notes], PUBLIC)
    assert (report.lines, report.covered, report.checkpoints) == (20, 20, 6)


# -- signatures ------------------------------------------------------------------------------------------


def test_a_checkpoint_each_minute_if_the_log_grew_and_when_asked(world: World, clock: Clock) -> None:
    sequencer = Sequencer(world.keep, KEY, clock)
    sequencer.run_once()
    assert [c.size for c in signed(world)] == [2]
    entered(world, "fs1.ship.1", 1, 3)
    clock.now += SIGN_EVERY - 1
    sequencer.run_once()
    assert [c.size for c in signed(world)] == [2]
    clock.now += 1
    sequencer.run_once()
    assert [c.size for c in signed(world)] == [2, 5]
    clock.now += 10 * SIGN_EVERY
    sequencer.run_once(sign=True)
    assert [c.size for c in signed(world)] == [2, 5]
    entered(world, "fs1.ship.1", 4, 4)
    sequencer.run_once(sign=True)
    assert [(c.size, c.time[:16]) for c in signed(world)][-1] == (6, "2026-11-21T16:48")


def test_the_edge_is_found_again_from_the_table(world: World, clock: Clock) -> None:
    """Checkpoint at 2, lines after it: a new process signs the same roots as one that never stopped."""
    keep = world.keep
    Sequencer(keep, KEY, clock).run_once()
    for n in range(1, 10):
        entered(world, "fs1.ship.1", n, n)
        clock.now += SIGN_EVERY // 3
        Sequencer(keep, KEY, clock).run_once(sign=n % 2 == 0)
    texts = [text + b"\n" for *_, text in log_of(world)]
    notes = [
        note.encode() for (note,) in world.sql("admin", "SELECT note FROM fsgov.checkpoints ORDER BY size")
    ]
    assert verify_export(texts, notes, PUBLIC).lines == 11


def test_a_checkpoint_that_contradicts_itself_stops_the_log(world: World, clock: Clock) -> None:
    keep = world.keep
    Sequencer(keep, KEY, clock).run_once()
    world.sql("admin", "SET session_replication_role = replica",
              "UPDATE fsgov.checkpoints SET frontier = sha256('x')")  # fmt: skip
    with pytest.raises(Damaged, match="contradicts"):
        Sequencer(keep, KEY, clock).run_once()


def test_a_checkpoint_is_never_larger_than_its_log(world: World) -> None:
    keep = world.keep
    assert keep.lead()
    with pytest.raises(Conflict, match="larger"):
        keep.store_checkpoint(keep.log_id(), Edge(1, b"", ()), "note")


# -- copies ----------------------------------------------------------------------------------------------


def test_sink_and_vault_get_what_they_lack(
    world: World, clock: Clock, sink: FileSink, tmp_path: Path
) -> None:
    bucket = open_bucket(f"file:{tmp_path}/vault")
    bucket.create()
    log_id = world.keep.log_id()
    sequencer = Sequencer(world.keep, KEY, clock, [sink], [VaultAnchor("eu", bucket)])
    entered(world, "fs1.ship.1", 1, 30)
    sequencer.run_once(sign=True)
    entered(world, "fs1.ship.1", 31, 40)
    sequencer.run_once(sign=True)
    sink.close()
    report = verify_directory(tmp_path / "log" / log_id, PUBLIC)
    assert (report.lines, report.covered, report.checkpoints) == (42, 42, 2)
    keys = [version.key for version in bucket.list()]
    assert keys == [f"log/{log_id}/000000000032.checkpoint", f"log/{log_id}/000000000042.checkpoint"]
    note = b"".join(bucket.get(keys[1], bucket.stat(keys[1]).version_id))
    assert Checkpoint.parse(open_note(note, [PUBLIC])).size == 42
    assert world.sql("admin", "SELECT sink, size FROM fsgov.sinks ORDER BY sink") == [
        ("file", 42),
        ("vault:eu", 42),
    ]
    sequencer.run_once(sign=True)
    assert len(list(bucket.list())) == 2


class Broken(Anchor):
    name = "vault:gone"

    def __init__(self) -> None:
        self.away = True
        self.got: list[int] = []

    def signed(self, log_id: str) -> int:
        if self.away:
            raise Unreachable("The vault does not answer")
        return self.got[-1] if self.got else 0

    def sign(self, log_id: str, size: int, note: bytes) -> None:
        self.got.append(size)


def test_a_copy_that_fails_holds_up_nothing_and_is_an_alarm(
    world: World, clock: Clock, sink: FileSink
) -> None:
    keep, broken = world.keep, Broken()
    sequencer = Sequencer(keep, KEY, clock, [sink], [broken])
    alarms = Alarms(keep, "fs1", clock)
    for n in range(1, 4):
        entered(world, "fs1.ship.1", n, n)
        assert sequencer.run_once(sign=True).moved
        alarms.follow(sequencer.troubles)
    said = "SELECT host, alarms FROM fsgov.keepers"
    assert world.sql("keep", said) == [("fs1", {"sink.vault.gone": "The vault does not answer"})]
    assert sink.size(keep.log_id()) == sequencer.run_once(sign=True).size
    broken.away = False
    sequencer.run_once()
    alarms.follow(sequencer.troubles)
    assert world.sql("keep", said) == [("fs1", {})]
    assert world.sql("govern", "SELECT fsgov.keep_heard() IS NOT NULL") == [(True,)]
    sequencer.run_once(sign=True)
    assert broken.got[-1] == signed(world)[-1].size
    told = [json.loads(text) for _, origin, _, text in log_of(world) if ".keep." in origin]
    assert [entry["type"] for entry in told] == ["fsgov.alarm.raised.v1", "fsgov.alarm.cleared.v1"]
    assert told[0]["data"] == {"alarm": "sink.vault.gone", "reason": "The vault does not answer"}


def test_nothing_is_written_behind_a_copy(world: World, clock: Clock, sink: FileSink) -> None:
    """A database that was restored is shorter than its copies: going on would fork the log."""
    keep = world.keep
    Sequencer(keep, KEY, clock, [sink]).run_once(sign=True)
    sink.take(keep.log_id(), 2, [b"{}", b"{}"])
    entered(world, "fs1.ship.1", 1, 9)
    for _ in range(2):
        with pytest.raises(Damaged, match="shorter than its copy"):
            Sequencer(keep, KEY, clock, [sink]).run_once()
    assert len(log_of(world)) == 2


# -- the loop --------------------------------------------------------------------------------------------


def test_the_loop_moves_within_a_second_and_signs_on_its_way_out(world: World, clock: Clock) -> None:
    keep = world.keep
    sequencer = Sequencer(keep, KEY, clock)
    until = time.monotonic() + 10
    state = {"step": 0, "at": 0.0}

    def stop() -> bool:
        assert time.monotonic() < until
        size = len(log_of(world))
        if state["step"] == 0 and size == 2:
            entered(world, "fs1.ship.1", 1, 3)
            state.update(step=1, at=time.monotonic())
        if state["step"] == 1 and size == 5:
            assert time.monotonic() - state["at"] < 2
            entered(world, "fs1.ship.1", 4, 6)
            state["step"] = 2
        return state["step"] == 2

    run(sequencer, keep, Alarms(keep, "fs1", clock), stop)
    assert len(log_of(world)) == 8
    assert signed(world)[-1].size == 8
    assert not keep.connected


def test_the_loop_waits_for_a_postgresql_that_is_away(clock: Clock) -> None:
    keep = Keep("postgresql://fsgov_keep@127.0.0.1:1/x", "x")
    until = time.monotonic() + 1
    run(Sequencer(keep, KEY, clock), keep, Alarms(keep, "fs1", clock), lambda: time.monotonic() > until)


def test_who_destroys_stops_where_the_log_does(world: World, clock: Clock, sink: FileSink) -> None:
    """Behind the same address is an older copy since: nothing else is done by who does not lead."""
    keep = world.keep
    sequencer = Sequencer(keep, KEY, clock, [sink])
    sequencer.run_once(sign=True)
    sink.take(keep.log_id(), 2, [b"{}", b"{}"])
    purger = Working()
    rounds = iter([False, True])
    second = Sequencer(keep, KEY, clock, [sink])
    run(second, keep, Alarms(keep, "fs1", clock), lambda: next(rounds, True), works=[purger])
    assert not purger.leading


@dataclass
class Working:
    """What was done beside the log until now."""

    leading: bool = True
    troubles: Mapping[str, FsgovError] = field(default_factory=dict)


# -- lines of the desk -----------------------------------------------------------------------------------


def test_every_line_of_the_desk_fits_its_schema(world: World, clock: Clock) -> None:
    enter(world.ship, call_file(), sidecar())
    world.person("alice", "supervisor", "agent")
    desk = world.desk("alice")
    desk.release_key(desk.request_access("0f6c-01", "evidence", "why"))
    desk.close()
    world.sql("admin", "SELECT fsgov.people_disable(%s)", values=[world.logins["alice"][0]])
    world.sql("admin", "SELECT fsgov.open_log('log-abcdefghijkl', 5, sha256(''))")
    Sequencer(world.keep, KEY, clock).run_once()
    lines = [text for *_, text in log_of(world)]
    assert [fault for text in lines for fault in faults(text)] == []
    assert {json.loads(text)["type"] for text in lines} == {
        f"fsgov.{t}.v1"
        for t in ("log.opened", "people.added", "people.disabled", "access.requested", "access.released")
    }
