"""Dump, lose the database, restore the older dump, `db restored`: with pg_dump, pg_restore and real parts.

Judged by the switch's ledger and the audio in the vault, by the lines of the lost log as they were read
before, and by the checkpoints in the vault.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog.desk import Desk
from fsgov.catalog.holds import Holds
from fsgov.demo import aftermath
from fsgov.demo.playing import Played
from fsgov.demo.scenes import Talk
from fsgov.demo.stage import Said, Stage
from fsgov.embedded import find
from fsgov.errors import FsgovError
from fsgov.merkle import Checkpoint, open_note
from fsgov.vault import open_bucket
from tests.acceptance.play import (
    begun,
    eventually,
    fsgov,
    go_on,
    good,
    hang_up,
    judged,
    of_demo,
    plain,
    together,
)


@pytest.mark.parametrize(
    "copy",
    [pytest.param(True, id="with a file sink"), pytest.param(False, id="without", marks=pytest.mark.slow)],
)
def test_a_restored_dump_is_taken_up_and_nothing_is_lost_or_twice(alone: Stage, copy: bool) -> None:
    before, erased = recorded(alone, "before", "erased")
    dump = alone.site.root / "fsgov.dump"
    postgres(alone, "pg_dump", "--format=custom", f"--file={dump}")
    between, erased_too = recorded(alone, "between", "erased too")
    (declined,) = together(alone, of_demo("declined"))
    good(*judged(alone, declined))
    with alone.desk("alice") as dsn, closing(Desk(dsn)) as desk:
        desk.release_key(desk.request_access(f"{before.call}-01", "evidence", "after the dump"))
    with alone.desk("alice") as dsn, closing(Holds(dsn)) as person:
        person.place([{"kind": "call", "value": before.call}], "after the dump")
    running = begun(alone, plain("goes on"))
    assert alone.stop_service() == 0
    old = lines(alone)
    lost = [f"{each.call}-01" for each in (erased, erased_too)]
    with closing(open_bucket(alone.site.vault[1])) as ledger:
        for segment in lost:
            facts = {"segment": segment, "plan": "pl-abcdefghijkl", "cause": "erasure"}
            ledger.put_bytes(f"erased/{segment}", json.dumps(facts).encode(), {})
    last = newest_checkpoint(alone)
    if not copy:
        shutil.rmtree(alone.site.host / "log")

    lose(alone)
    postgres(alone, "pg_restore", "--exit-on-error", "--dbname=fsgov", str(dump))
    assert len(lines(alone)) < len(old)
    ship = alone.start_service(part="ship")
    eventually(lambda: sessions_of(alone, "fsgov_ship"))
    refused = restored(alone, "--yes")
    assert (refused.code, "Parts are at work" in refused.err) == (7, True), refused
    ship.terminate()
    assert ship.wait(30) == 0
    looked = restored(alone, "--dry-run")
    assert looked.code == 0, looked
    assert json.loads(looked.out)["done"] is False
    done = restored(alone, "--yes")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert (told["prior_log"], told["prior_size"]) == (last.log_id, last.size)
    assert told["erased"] == sorted(lost)
    assert told["holds_lost"] == 1, "by its line; or since nobody knows what the lines were that are lost"
    assert told["keys_destroyed_again"] == 1, "that of the dump; the other is only in the spool"
    assert told["lost_acts"] == ({"redone": 1} if copy else {}), "the hold"
    assert sql(alone, "SELECT fsgov.latched()") == [(True,)]
    again = restored(alone, "--yes")
    assert (again.code, json.loads(again.out)["already"], json.loads(again.out)["log"]) == (
        0,
        True,
        told["log"],
    )

    alone.start_service()
    alone.wait_ready()
    go_on(alone, running, hang_up())
    (after,) = recorded(alone, "after")
    good(*judged(alone, before, between, declined, running, after))
    assert keys_of(alone, lost) == []
    eventually(lambda: destroyed_again(alone) == [(lost[0], "pl-abcdefghijkl", "erasure", True)])
    with alone.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        for segment in lost:
            with pytest.raises(FsgovError, match=r"destroyed|no such"):
                desk.release_key(desk.request_access(segment, "audit", "it is erased"))
        assert desk.call(erased_too.call).call.outcome == "recorded"
    assert alone.stop_service() == 0
    whole(alone, old, last, copy=copy)


@pytest.mark.slow
def test_a_failover_to_an_older_copy_is_noticed_and_taken_up(alone: Stage) -> None:
    """Everything runs: connections break, and behind the same address is what was five minutes ago."""
    (before,) = recorded(alone, "before")
    dump = alone.site.root / "fsgov.dump"
    postgres(alone, "pg_dump", "--format=custom", f"--file={dump}")
    (between,) = recorded(alone, "between")
    running = begun(alone, plain("goes on"))
    eventually(lambda: newest_checkpoint(alone).size > 0)
    old = lines(alone)
    sql(alone, "CREATE DATABASE older", database="postgres")
    postgres(alone, "pg_restore", "--exit-on-error", "--dbname=older", str(dump))
    sql(
        alone,
        "ALTER DATABASE fsgov ALLOW_CONNECTIONS false",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'fsgov'",
        "ALTER DATABASE fsgov RENAME TO lost",
        "ALTER DATABASE older RENAME TO fsgov",
        database="postgres",
    )
    eventually(lambda: "log" in told_at_desk(alone), 60)
    meanwhile = begun(alone, plain("meanwhile"))
    go_on(alone, meanwhile, Talk(0.3), hang_up())
    size = len(sql(alone, "SELECT seq FROM fsgov.event_log"))

    assert alone.stop_service() == 0
    assert len(sql(alone, "SELECT seq FROM fsgov.event_log")) == size, "nothing is written behind the copy"
    last = newest_checkpoint(alone)
    done = restored(alone, "--yes")
    assert done.code == 0, done
    assert json.loads(done.out)["prior_size"] == last.size
    alone.start_service()
    alone.wait_ready()
    go_on(alone, running, hang_up())
    (after,) = recorded(alone, "after")
    good(*judged(alone, before, between, running, meanwhile, after))
    assert alone.stop_service() == 0
    whole(alone, old, last, copy=False)  # what no checkpoint covers is not put back from the file sink


def recorded(stage: Stage, *names: str) -> list[Played]:
    played = [begun(stage, plain(name)) for name in names]
    for each in played:
        go_on(stage, each, Talk(0.3), hang_up())
    good(*judged(stage, *played))
    return played


def whole(stage: Stage, old: list[bytes], last: Checkpoint, *, copy: bool) -> None:
    """Each line of the lost log is there once; the new one says where the old one ended."""
    now = lines(stage)
    twice = [line for line, count in Counter(now).items() if count > 1]
    assert twice == []
    gone = [json.loads(line) for line in set(old) - set(now)]
    if copy:
        assert gone == []
    assert [line for line in gone if ".govern." in line["id"]] == [], (
        "ship keeps those; it tells its own anew"
    )
    parsed = [json.loads(line) for line in now]
    once = Counter(
        (line["type"], line["subject"])
        for line in parsed
        if line["type"] in ("fsgov.call.opened.v1", "fsgov.call.over.v1", "fsgov.segment.stored.v1")
    )
    assert set(once.values()) == {1}
    calls = {leg["call"] for leg in stage.ledger.all("leg")}
    assert {subject for type_, subject in once if type_ == "fsgov.call.over.v1"} == calls
    (opened,) = [
        line["data"] for line in parsed if line["type"] == "fsgov.log.opened.v1" and line["data"]["prior_log"]
    ]
    assert (opened["prior_log"], opened["prior_size"]) == (last.log_id, last.size)
    assert opened["prior_root"] == last.root.hex()
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        assert desk.log.state().log_id != last.log_id
        report, faults = aftermath.log(stage.site, desk)
    assert faults == []
    assert report is not None
    assert report.uncovered == 0


def told_at_desk(stage: Stage) -> set[str]:
    """The alarms that `fsgov status` tells of."""
    return {each["alarm"] for each in json.loads(fsgov(stage, "status", "--json").out)["alarms"]}


def sql(stage: Stage, *statements: str, database: str = "fsgov") -> list[tuple[Any, ...]]:
    assert stage.database is not None
    with closing(psycopg2.connect(stage.database.dsn(database=database))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def lines(stage: Stage) -> list[bytes]:
    """Of every log, and what waits for its place."""
    rows = sql(stage, "SELECT line FROM fsgov.event_log UNION ALL SELECT line FROM fsgov.outbox")
    return [bytes(line) for (line,) in rows]


def destroyed_again(stage: Stage) -> list[tuple[str, str, str, bool]]:
    """Recordings that the dump brought back: destroyed by keep, to a certificate that says so."""
    rows = sql(stage, "SELECT body FROM fsgov.certificates")
    said = [json.loads(bytes(body)) for (body,) in rows]
    return [(each["segment"], each["plan"], each["cause"], each["remade"]) for each in said]


def keys_of(stage: Stage, segments: list[str]) -> list[tuple[Any, ...]]:
    found = sql(stage, "SELECT segment FROM fsgov.segment_keys")
    return [row for row in found if row[0] in segments]


def sessions_of(stage: Stage, login: str) -> list[tuple[Any, ...]]:
    return sql(stage, f"SELECT pid FROM pg_stat_activity WHERE usename = '{login}' AND datname = 'fsgov'")


def lose(stage: Stage) -> None:
    sql(stage, "DROP DATABASE fsgov WITH (FORCE)", "CREATE DATABASE fsgov", database="postgres")


def newest_checkpoint(stage: Stage) -> Checkpoint:
    """What the vault has: the outside anchor."""
    with closing(open_bucket(stage.site.vault[0])) as bucket:
        key = max(version.key for version in bucket.list("log/"))
        note = b"".join(bucket.get(key, bucket.stat(key).version_id))
    return Checkpoint.parse(open_note(note, [stage.site.log_key()]))


def restored(stage: Stage, *words: str) -> Said:
    command = [sys.executable, "-m", "fsgov", "--config", str(stage.site.service), "db", "restored", *words]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=90, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


def postgres(stage: Stage, program: str, *words: str) -> None:
    """A program of the server's own version, as its superuser."""
    assert stage.database is not None
    where = psycopg2.extensions.parse_dsn(stage.database.dsn())
    environment = {
        **os.environ,
        "PGHOST": where["host"],
        "PGPORT": where["port"],
        "PGUSER": where["user"],
        "PGPASSWORD": where["password"],
        "PGDATABASE": "fsgov",
    }
    path = Path(find().directory) / program
    done = subprocess.run([str(path), *words], env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
