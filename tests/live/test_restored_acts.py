"""A dump is restored, and people had acted since: pg_dump and pg_restore, and what purge may do then.

What a lost hold kept is not destroyed, whoever asks, before two persons have looked; and what the lines of
the lost acts say in full is done again.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.lost import Lost
from fsgov.catalog.restoring import restoring
from fsgov.catalog.retaining import Retaining
from fsgov.catalog.returning import Returning
from fsgov.catalog.scheduling import Standing
from fsgov.embedded import find
from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from fsgov.purge.part import Purger
from fsgov.purge.removing import Vaults
from fsgov.purge.returning import Returns
from fsgov.purge.scheduling import Scheduling
from tests.parts import holds
from tests.parts.catalog import World, call_file, enter, sidecar
from tests.parts.purging import Yard, file_vault, yard

COPY = "restored_copy"
LINES = "SELECT origin, n, line FROM fsgov.outbox WHERE origin LIKE 'p-%' ORDER BY entered_at, n"


SCHEDULE = """SELECT schedule, sha256 FROM fsgov.propose_schedule(
    '*', 'day', '02:30', 'UTC', '{expired}', 0, 100, 'what is due', '30 days')"""


@dataclass
class Loss:
    """A yard before and after: the database that is lost, and what came of its older dump."""

    before: Yard
    dump: Path

    def take(self) -> None:
        self._run("pg_dump", "--format=custom", f"--file={self.dump}")

    def restore(self, *, copied: bool = True) -> Yard:
        """The dump in another database, taken up with every line of the lost one; the same vault."""
        lines = [(origin, n, bytes(line)) for origin, n, line in self.before.world.sql("admin", LINES)]
        with closing(psycopg2.connect(self.before.world.dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)")
                cursor.execute(f"CREATE DATABASE {COPY} TEMPLATE template0")
        self._run("pg_restore", "--exit-on-error", f"--dbname={COPY}", str(self.dump))
        dsn = self.before.world.dsn.replace("finished", COPY)
        after = World(dsn, self.before.world.credentials, logins=self.before.world.logins)
        with restoring(dsn) as database:
            database.begin("2026-11-21T16:37:25Z", copied=copied)
            database.enter_again(lines if copied else [])
            database.lost_holds(not copied)
            database.redo()
        return replace(self.before, world=after)

    def _run(self, program: str, *words: str) -> None:
        where = psycopg2.extensions.parse_dsn(self.before.world.dsn)
        environment = {
            **os.environ,
            "PGHOST": where["host"],
            "PGPORT": where["port"],
            "PGUSER": where["user"],
            "PGPASSWORD": where["password"],
            "PGDATABASE": where["dbname"],
        }
        command = [str(Path(find().directory) / program), *words]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]


@pytest.fixture
def loss(world: World, tmp_path: Path) -> Iterator[Loss]:
    yield Loss(yard(world, file_vault(tmp_path)), tmp_path / "fsgov.dump")
    with closing(psycopg2.connect(world.dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)")


def states(after: Yard) -> dict[str, str]:
    rows = after.world.sql("admin", "SELECT type, subject, state FROM fsgov.lost_acts ORDER BY place")
    return {f"{type_} {subject}": state for type_, subject, state in rows}


def test_what_a_lost_hold_kept_is_not_destroyed_before_two_persons_have_looked(loss: Loss) -> None:
    before = loss.before
    first, second, third, fourth = before.store(4)
    (quarantined,) = before.store(1, quarantine="mask-not-proven", review_by=before.now() + 1)
    applied, stopped = before.plan([first, second]), before.plan([third, fourth])
    kept = holds.place(before.world, segment=fourth)
    schedule, digest = before.world.sql("bob", SCHEDULE)[0]
    before.world.sql("alice", "SELECT fsgov.approve_schedule(%s, %s)", values=[schedule, digest])
    loss.take()

    world = before.world
    ((lost,),) = world.sql("alice", holds.PLACE, values=[holds.items(segment=first)])
    ((over,),) = world.sql("alice", holds.PLACE, values=[holds.items(segment=second)])
    for hold in (over, kept):
        world.sql("alice", "SELECT fsgov.ask_release(%s, 'settled')", values=[hold])
        world.sql("bob", "SELECT fsgov.approve_release(%s)", values=[hold])
    world.sql("bob", "SELECT fsgov.stop_plan(%s, 'the wrong ones')", values=[stopped])
    world.sql("alice", "SELECT fsgov.end_schedule(%s, 'too early')", values=[schedule])
    world.sql("bob", "SELECT fsgov.release_quarantine(%s, true, 'no card')", values=[quarantined])
    world.sql("alice", "SELECT fsgov.set_anchor('0f6c', 'contract_end', '2030-06-30Z')")
    world.sql("alice", "SELECT fsgov.place_stop('number', '+493012345', 'they asked')")
    after = loss.restore()

    assert states(after) == {
        f"hold.placed {lost}": "redone",
        f"hold.placed {over}": "over",
        f"hold.release.asked {over}": "told",
        f"hold.released {over}": "told",
        f"hold.release.asked {kept}": "told",
        f"hold.released {kept}": "told",
        f"plan.stopped {stopped}": "redone",
        f"schedule.ended {schedule}": "redone",
        f"quarantine.released {quarantined}": "redone",
        "anchor.set 0f6c": "redone",
        next(key for key in states(after) if key.startswith("stop.placed")): "told",
    }
    assert after.states()[quarantined] == "stored"
    assert after.plan_state(stopped) == "stopped"
    assert after.world.sql("keep", "SELECT schedule FROM fsgov.schedules_open()") == []
    anchors = "SELECT at::date::text FROM fsgov.anchors WHERE call = '0f6c' AND event = 'contract_end'"
    assert after.world.sql("admin", anchors) == [("2030-06-30",)]

    assert after.apply() == 0
    with after.purge() as purge:
        with pytest.raises(Conflict, match="older dump was restored"):
            purge.turn(applied)
        password = migrate.service_password(after.world.credentials, "keep")
        dsn = after.world.dsn
        scheduling = Scheduling(Standing(dsn, password), Retaining.of_keep(dsn, password), "fs1", after.now)
        vaults = Vaults({"eu": after.vault}, after.now)
        with closing(scheduling), closing(Returning(dsn, password)) as catalog:
            for run in (True, False):
                returns = Returns(catalog, vaults, "fs1", after.now)
                purger = Purger(purge, scheduling, returns, run=run)
                purger.run_once()
                assert list(purger.troubles) == ["purge.restored"]
    after.world.sql("alice", holds.PLACE, values=[holds.items(segment=first)])
    after.world.sql("alice", "SELECT fsgov.ask_release(%s, 'placed again')", values=[lost])
    after.world.sql("bob", "SELECT fsgov.approve_release(%s)", values=[lost])
    for statement in (
        f"UPDATE fsgov.segments SET state = 'destroying' WHERE segment = '{second}'",
        f"DELETE FROM fsgov.segment_keys WHERE segment = '{second}'",
    ):
        with pytest.raises(psycopg2.Error, match="older dump was restored"):
            after.world.sql("admin", statement)
    assert set(after.states().values()) == {"stored"}

    with (
        closing(Lost(after.world.as_person("alice"))) as alice,
        closing(Lost(after.world.as_person("bob"))) as bob,
    ):
        assert alice.acts(only_open=True) == []
        with pytest.raises(Conflict, match="obody has asked"):
            bob.approve()
        bob.ask("asked everybody")
        with pytest.raises(Conflict, match="asked for already"):
            alice.ask("so did I")
        with pytest.raises(NotPermitted, match="obody approves what they have asked for"):
            bob.approve()
        with pytest.raises(NotPermitted):
            alice.approve()
        assert after.apply() == 0
    with closing(Lost(after.world.as_person("beth"))) as beth:
        beth.approve()
        with pytest.raises(Conflict, match="urge does not wait"):
            beth.approve()
        assert beth.acts() == []
    assert after.apply() == 1
    assert {segment for segment, state in after.states().items() if state == "destroyed"} == {second}
    told = [line["type"] for line in after.lines("purge.resume.asked", "purge.resumed")]
    assert told == ["fsgov.purge.resume.asked.v1", "fsgov.purge.resumed.v1"]


def test_nobody_knows_what_was_done_where_no_copy_is(loss: Loss) -> None:
    """Purge waits all the same; and rows that name people are not nulled meanwhile."""
    (only,) = loss.before.store(1)
    enter(loss.before.world.ship, call_file("old", ended=1, outcome="refused", segments=[]))
    enter(loss.before.world.ship, call_file("bare", ended=1, outcome="refused", segments=[], parties=[]))
    loss.before.plan([only])
    loss.take()
    loss.before.hold(only)
    after = loss.restore(copied=False)
    assert after.apply() == 0
    forget = "SELECT forgotten FROM fsgov.forget_calls(now() + interval '1 day', '', 100)"
    assert after.world.sql("keep", forget) == [(0,)]
    holds.release(after.world)  # what kept everything for want of the lines
    assert after.world.sql("keep", forget) == [(0,)]
    with closing(Lost(after.world.as_person("bob"))) as bob:
        assert [(row.copied, row.resumed_at) for row in bob.restores()] == [(False, None)]
        assert bob.acts() == []
        with pytest.raises(Damaged, match="nobody has lines of"):
            bob.ask("")
        bob.ask("asked alice and beth")
    with closing(Lost(after.world.as_person("beth"))) as beth:
        beth.approve()
    assert after.world.sql("keep", forget) == [(2,)]
    assert after.apply() == 1


def test_what_comes_back_later_has_what_was_done_to_it(loss: Loss) -> None:
    """A call that only the spool has; another policy's periods, of a policy that comes with it."""
    loss.take()
    world = loss.before.world
    world.sql("ship", "SELECT fsgov.enter_policy('2', 'version = \"2\"')")
    ((policy,),) = world.sql("admin", "SELECT sha256 FROM fsgov.policies")
    loss.before.store(1)
    enter(world.ship, segment=sidecar("0f6c-02", quarantine="empty", review_by=loss.before.now()))
    enter(world.ship, call_file("older", segments=[]))
    world.sql("alice", "SELECT fsgov.set_anchor('older', 'contract_end', '2030-06-30Z')")
    world.sql("alice", "SELECT fsgov.set_anchor('0f6c', 'contract_end', '2030-06-30Z')")
    world.sql("bob", "SELECT fsgov.set_anchor('0f6c', 'contract_end', '2031-06-30Z')")
    world.sql("bob", "SELECT fsgov.set_anchor('0f6c', 'case_closed', '2031-06-30Z')")
    world.sql("bob", "SELECT fsgov.release_quarantine('0f6c-02', true, 'heard it')")
    ((move,),) = world.sql("bob", "SELECT fsgov.propose_retention(%s, %s, 'x')", values=[["ab" * 32], policy])
    world.sql("beth", "SELECT fsgov.approve_retention(%s)", values=[move])
    after = loss.restore()
    assert [state for state in states(after).values() if state == "open"] == ["open"] * 4, states(after)

    enter(after.world.ship, call_file(), sidecar())
    enter(after.world.ship, segment=sidecar("0f6c-02", quarantine="empty", review_by=loss.before.now()))
    after.world.sql("ship", "SELECT fsgov.enter_policy('2', 'version = \"2\"')")
    after.world.sql("alice", "SELECT fsgov.set_anchor('0f6c', 'case_closed', '2035-06-30Z')")
    with closing(Lost(after.world.as_person("alice"))) as alice:
        (never,) = [row.id for row in alice.acts() if row.subject == "older"]
        with pytest.raises(Conflict, match="ot all that was lost"):
            alice.ask("looked at everything")
        with pytest.raises(NotFound, match="no such lost act"):
            alice.settle("p-nobodys.1", "why")
        with pytest.raises(Damaged, match="for a reason"):
            alice.settle(never, "")
        alice.settle(never, "it is older than what the spools keep")
        with pytest.raises(Conflict, match="othing waits for this act"):
            alice.settle(never, "twice")
        alice.ask("looked at everything")
        assert {row.state for row in alice.acts()} == {"redone", "over", "told", "settled"}
    (line,) = after.lines("lost.settled")
    assert line["data"]["act"] == never
    query = "SELECT event, at::date::text FROM fsgov.anchors ORDER BY 1"
    assert after.world.sql("admin", query) == [("case_closed", "2035-06-30"), ("contract_end", "2031-06-30")]
    moves = "SELECT from_sha256, to_sha256, applied_at IS NOT NULL FROM fsgov.retention_moves"
    assert after.world.sql("admin", moves) == [(["ab" * 32], policy, True)]
    assert after.states()["0f6c-02"] == "stored"
