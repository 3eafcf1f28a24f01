"""The scrub on real PostgreSQL, a file vault and an S3 server: what it tells apart. About 40 s."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.scrubbing import Due, Scrubbing
from fsgov.envelope import Identity
from fsgov.errors import FsgovError, NotFound, NotPermitted, Unreachable
from fsgov.scrub import Scrubber
from fsgov.scrub.loop import PATIENCE, Pace
from fsgov.vault import Bucket
from tests.live.cli import Company, company
from tests.live.shipping import CALL, Site, talk
from tests.live.test_shipper_s3 import site_on
from tests.parts.moto import Moto
from tests.parts.schemas import faults

NOW = Pace(timedelta(0), 1_000_000_000)


def scrubber(site: Site, bucket: Bucket | None = None, pace: Pace = NOW, **more: Any) -> Scrubber:
    catalog = Scrubbing(site.dsn, migrate.service_password(Path(site.root) / "logins", "keep"))
    buckets = {"eu": bucket or site.vault().audio}
    return Scrubber(catalog, buckets, pace, "fs1", lambda: time.time_ns() // 1000, **more)


def scrub(site: Site, bucket: Bucket | None = None, pace: Pace = NOW) -> Scrubber:
    """One round, as if an hour had passed since the last."""
    change(site, "UPDATE fsgov.scrubs SET looked_at = looked_at - interval '2 hours'")
    made = scrubber(site, bucket, pace)
    made.run_once()
    made._catalog.close()
    return made


def change(site: Site, statement: str) -> None:
    with closing(psycopg2.connect(site.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def verdicts(site: Site) -> dict[str, str]:
    return dict(site.ask("SELECT segment, verdict FROM fsgov.scrubs"))


def told(site: Site) -> list[tuple[str, str, str]]:
    """What the log has of it: segment, before, verdict."""
    rows = site.ask("SELECT line FROM fsgov.outbox WHERE origin LIKE 'fs1.keep.%%' ORDER BY entered_at, n")
    assert [fault for row in rows for fault in faults(bytes(row[0]))] == []
    lines = [json.loads(bytes(row[0])) for row in rows]
    return [(line["subject"], line["data"]["before"], line["data"]["verdict"]) for line in lines]


@pytest.fixture
def site(database: str, tmp_path: Path) -> Site:
    """Three segments in a file vault."""
    migrate.init(database, tmp_path / "logins")
    made = Site(
        root=str(tmp_path), dsn=database, secret=str(Identity.generate(os.urandom)),
        url=f"file:{tmp_path}/audio", keys=f"file:{tmp_path}/keys",
    )  # fmt: skip
    made.vault().audio.create()
    made.vault().keys.create()
    return stored(made)


def stored(made: Site) -> Site:
    for n in (1, 2, 3):
        made.capture(n, audio=talk(200 * n))
    made.ship()
    return made


def file_of(site: Site, n: int) -> Path:
    (found,) = (Path(site.root) / "audio").rglob(f"{CALL}-0{n}.age/*.object")
    return found


def test_sound_objects_are_intact_and_nothing_is_told(site: Site) -> None:
    made = scrub(site)
    assert verdicts(site) == {f"{CALL}-0{n}": "intact" for n in (1, 2, 3)}
    assert (made.objects, made.troubles, told(site)) == (3, {}, [])
    assert made.bytes == sum(file_of(site, n).stat().st_size for n in (1, 2, 3))


def test_missing_truncated_and_corrupted_are_told_apart_and_mended(site: Site) -> None:
    whole = {n: file_of(site, n).read_bytes() for n in (1, 2, 3)}
    places = {n: file_of(site, n) for n in (1, 2, 3)}
    places[1].unlink()
    places[2].write_bytes(whole[2][:-1])
    places[3].write_bytes(whole[3][:-1] + bytes([whole[3][-1] ^ 1]))
    found = {f"{CALL}-01": "missing", f"{CALL}-02": "truncated", f"{CALL}-03": "corrupted"}
    made = scrub(site)
    assert verdicts(site) == found
    assert set(made.troubles) == {"scrub.missing", "scrub.truncated", "scrub.corrupted"}
    assert {(segment, verdict) for segment, _, verdict in told(site)} == set(found.items())
    change(site, "INSERT INTO fsgov.people (id, login) VALUES ('p-aaaaaaaa', 'x')")
    change(site, f"INSERT INTO fsgov.noted VALUES ('damaged-object', '{CALL}-01', '*', 'p-aaaaaaaa')")
    assert set(scrub(site).troubles) == {"scrub.truncated", "scrub.corrupted"}, "one loss is accepted"
    assert len(told(site)) == 3, "told once"
    for n, place in places.items():
        place.write_bytes(whole[n])
    assert scrub(site).troubles == {}
    assert sorted(told(site)[3:]) == [
        (segment, verdict, "intact") for segment, verdict in sorted(found.items())
    ]
    places[3].write_bytes(whole[3] + b"x")
    assert set(scrub(site).troubles) == {"scrub.corrupted"}, "longer is not truncated"


def test_a_vault_that_is_not_there_has_lost_nothing(site: Site) -> None:
    (Path(site.root) / "audio").rename(Path(site.root) / "unmounted")
    made = scrub(site)
    assert verdicts(site) == {}
    assert set(made.troubles) == {"scrub.unread"}, "told at once: the bucket is not there"


def test_a_vault_that_does_not_answer_is_an_alarm_after_a_while(site: Site) -> None:
    real = site.vault().audio

    class Silent(type(real)):  # type: ignore[misc]
        fault: FsgovError | None = Unreachable("The vault does not answer")

        def stat(self, key: str, version_id: str | None = None) -> Any:
            if self.fault:
                raise self.fault
            return super().stat(key, version_id)

    bucket = Silent(real.path)  # type: ignore[attr-defined]
    made = scrubber(site, bucket)
    for _ in range(PATIENCE - 1):
        made.run_once()
    assert made.troubles == {}
    made.run_once()
    assert set(made.troubles) == {"scrub.unread"}
    bucket.fault = NotPermitted("not for keep")
    made.run_once()
    assert str(made.troubles["scrub.unread"]) == "not for keep"
    bucket.fault = None
    made.run_once()
    assert made.troubles == {}
    assert set(verdicts(site).values()) == {"intact"}
    made._catalog.close()


def test_each_object_in_its_turn_and_from_where_it_stopped(site: Site) -> None:
    change(site, "UPDATE fsgov.segments SET stored_at = now() - n * interval '1 day'")
    catalog = Scrubbing(site.dsn, migrate.service_password(Path(site.root) / "logins", "keep"))
    now = datetime.now(UTC)

    def due(days: float) -> list[Due]:
        return catalog.due(now - timedelta(days=days), now - timedelta(hours=1), ["eu"], 10)

    assert [each.segment[-2:] for each in due(0)] == ["03", "02", "01"], "the longest ago first"
    assert [each.segment[-2:] for each in due(1.5)] == ["03", "02"]
    assert [each.segment[-2:] for each in due(9)] == []
    assert catalog.due(now, now, ["us"], 10) == []
    catalog.looked(due(0)[1], "intact", None, "", "fs1.keep.1", None)
    assert [each.segment[-2:] for each in due(1.5)] == ["03"], "what was done is not done again"
    catalog.looked(due(0)[-1], "missing", None, "", "fs1.keep.1", None)
    change(site, "UPDATE fsgov.scrubs SET looked_at = now() - interval '2 hours' WHERE verdict = 'missing'")
    assert [each.segment[-2:] for each in due(9)] == ["01"], "what was wrong, every hour"
    catalog.close()


def test_it_reads_no_faster_than_it_may_and_stops_at_once(site: Site) -> None:
    size = sum(file_of(site, n).stat().st_size for n in (1, 2, 3))
    began = time.monotonic()
    scrub(site, pace=Pace(timedelta(0), size * 2))
    assert time.monotonic() - began >= 0.45
    change(site, "DELETE FROM fsgov.scrubs")
    slow = scrubber(site, pace=Pace(timedelta(0), 1), idle=0.01)
    slow.start()
    time.sleep(0.2)
    assert slow.bytes == 0, "it does not lead"
    slow.leading = True
    end = time.monotonic() + 20
    while not slow.bytes:
        assert time.monotonic() < end
        time.sleep(0.01)
    slow.close()  # it would wait for hours
    assert threading.active_count() < 20
    assert verdicts(site) == {}


def test_a_lock_that_is_dropped_is_told(moto_s3: Moto, database: str, tmp_path: Path) -> None:
    site = stored(site_on(moto_s3, database, tmp_path, "scrub"))
    bucket = site.vault().audio
    later = (int(time.time()) + 86_400) * 1_000_000
    of = dict(site.ask("SELECT object_key, version_id FROM fsgov.segments ORDER BY 1"))
    first, second, third = of
    bucket.lock(first, of[first], later, "GOVERNANCE")
    bucket.lock(second, of[second], later, "GOVERNANCE")
    assert scrub(site).troubles == {}
    change(
        site, f"UPDATE fsgov.scrubs SET lock_mode = 'COMPLIANCE' WHERE segment = '{CALL}-02'"
    )  # fmt: skip - as a server that forgot
    change(site, "UPDATE fsgov.scrubs SET locked_until = now() + interval '1 day'"
           f" WHERE segment = '{CALL}-03'")  # fmt: skip
    made = scrub(site)
    assert verdicts(site) == {f"{CALL}-01": "intact", f"{CALL}-02": "unlocked", f"{CALL}-03": "unlocked"}
    assert set(made.troubles) == {"scrub.unlocked"}
    change(site, "UPDATE fsgov.scrubs SET locked_until = now() - interval '1 second'")
    assert scrub(site).troubles == {}, "its time is over"
    bucket.remove(third, of[third])
    bucket.put_bytes(third, b"x", {})
    assert set(scrub(site).troubles) == {"scrub.missing"}, "another version is another object"
    bucket.close()


def test_a_bucket_that_is_gone_is_no_loss_on_s3_either(moto_s3: Moto, database: str, tmp_path: Path) -> None:
    site = stored(site_on(moto_s3, database, tmp_path, "scrub-gone"))
    site.url = moto_s3.url("no-such-bucket")
    made = scrub(site)
    assert isinstance(made.troubles["scrub.unread"], NotFound)
    assert verdicts(site) == {}


# -- keep, and the command -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp("s")) as made:
        made.hire("olga", "ops")
        host = made.root / "host.toml"
        text = host.read_text()
        admin = '[admin]\nuser = "olga"\npassword = "file:olga.password"\n'
        (made.root / "olga.toml").write_text(
            text.replace('[switch]\npassword = "ClueCon"\nport = 1\n', admin)
        )
        host.write_text(text + '[scrub]\nevery = "1 s"\n')
        yield made


def up(firm: Company) -> list[str]:
    found = firm.fsgov("status", "--json", code=None).json["alarms"]
    return [each["alarm"] for each in found if each["part"] == "keep" and each["alarm"].startswith("scrub.")]


def until(true: Any, within: float = 40.0) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.3)


def test_keep_scrubs_raises_and_clears_and_the_loss_can_be_accepted(firm: Company) -> None:
    (place,) = (firm.root / "vault" / "audio").rglob(f"{CALL}-01.age/*.object")
    whole = place.read_bytes()
    with firm.part("keep"):
        until(lambda: firm.fsgov("scrub", "--json", who="alice").json["looked"] == 3)
        assert up(firm) == []
        place.write_bytes(b"x" * len(whole))
        until(lambda: up(firm) == ["scrub.corrupted"])
        done = firm.fsgov("scrub", who="alice", code=8)
        assert f"corrupted  {CALL}-01  in eu since" in done.out
        assert "1 of 3" in done.err
        done = firm.fsgov("reconcile", "--apply", "all", who="olga", code=8)
        assert f"damaged-object  {CALL}-01" in done.out
        assert up(firm) == ["scrub.corrupted"]
        firm.fsgov("reconcile", "--apply", "damaged-object", who="olga")
        until(lambda: up(firm) == [])
        assert firm.fsgov("scrub", "--json", who="bob").json["faults"][0]["accepted"] is True
        place.write_bytes(whole)
        change(firm.site, "UPDATE fsgov.scrubs SET looked_at = looked_at - interval '2 hours'")
        until(lambda: firm.fsgov("scrub", "--json", who="alice").json["faults"] == [])
        assert firm.site.ask("SELECT * FROM fsgov.noted WHERE kind = 'damaged-object'") == []
    rows = firm.site.ask("SELECT line FROM fsgov.event_log WHERE origin LIKE '%%.keep.%%' ORDER BY seq")
    lines = [json.loads(bytes(row[0])) for row in rows]
    assert [fault for row in rows for fault in faults(bytes(row[0]))] == []
    types = [line["type"].split(".", 1)[1] for line in lines if "scrub" in line["type"] + str(line["data"])]
    assert types == [
        "segment.scrubbed.v1", "alarm.raised.v1", "alarm.cleared.v1", "segment.scrubbed.v1",
    ]  # fmt: skip
