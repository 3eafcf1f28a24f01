"""Locks that a policy wants, on real PostgreSQL and real stores: set, proven, grown, never elsewhere."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import minio
import psycopg2
import pytest
from minio.objectlockconfig import ObjectLockConfig as LockConfig

from fsgov.catalog import migrate
from fsgov.catalog.copying import Copies
from fsgov.checks.locks import tried
from fsgov.copies import Locking
from fsgov.errors import BadConfiguration, Conflict, NotPermitted
from fsgov.policy import Lock
from fsgov.spool import Spool
from fsgov.vault import Credentials, Stat, Vault, open_bucket, open_vault
from tests.live.shipping import CALL, Site, call_file, mask, talk
from tests.live.test_check import may_put
from tests.live.test_shipper_s3 import site_on
from tests.parts.catalog import World, enter
from tests.parts.catalog import call_file as call_file_of
from tests.parts.catalog import sidecar as sidecar_of
from tests.parts.moto import Moto
from tests.parts.proxy import Fault, Proxy
from tests.parts.rgw import Rgw

DAY = 86_400_000_000


def policy(lock: str = "compliance", least: str = "2 days", anchor: str = "") -> str:
    return f"""
version = "1"
timezone = "UTC"
[purpose.evidence]
basis = "contract"
retain_min = "{least}"
retain_max = "9 years"
lock = "{lock}"
{anchor}
[purpose.training]
basis = "legitimate_interest"
retain_max = "1 year"
[[rule]]
name = "german service line"
consent = "none"
purposes = ["evidence", "training"]
on_withdrawal = "keep"
vault = "eu"
"""


def now() -> int:
    return time.time_ns() // 1000


def ends(days: int) -> int:
    """The end of the day, so many days from today, UTC, in microseconds."""
    day = datetime.now(UTC).date() + timedelta(days=days + 1)
    return _midnight(day)


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def recorded(
    site: Site, n: int = 1, text: str | None = None, audio: bytes | None = None, **changes: Any
) -> str:
    """A segment of right now, under this policy, whose text the spool has."""
    with closing(Spool(site.spool_directory, "govern")) as spool:
        digest = spool.keep_policy(text or policy())
    taken = {"policy": digest, "opened": now() - 5_000_000, "closed": now(), **changes}
    return site.capture(n, talk(500 * n) if audio is None else audio, **taken)


def shown(site: Site, segment: str, vault: Vault | None = None) -> tuple[Stat, Stat]:
    """What the vault shows of the sealed audio and of its key."""
    here = vault or site.vault()
    ((key, version, key_version),) = site.ask(
        "SELECT object_key, version_id, key_version_id FROM fsgov.segments WHERE segment = %s", segment
    )
    return here.audio.stat(key, version), here.keys.stat(f"keys/{segment}", key_version)


def entered(site: Site) -> list[str]:
    return [segment for (segment,) in site.ask("SELECT segment FROM fsgov.segments ORDER BY 1")]


def change(site: Site, statement: str, *values: object) -> None:
    with closing(psycopg2.connect(site.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def site(rgw: Rgw, database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    return site_on(rgw, database, tmp_path, f"lock-{name}")


# -- ship ------------------------------------------------------------------------------------------------


def test_what_the_policy_wants_is_locked_and_nothing_else_is(site: Site) -> None:
    locked = recorded(site, 1)
    broken = recorded(site, 2, masks=[mask(100, 300)])  # though somebody talks all the time
    refused = recorded(site, 3, dispose=True, dispose_reason="refused by party 1")
    other = recorded(site, 4, purposes=["training"])
    site.ship()
    assert entered(site) == [locked, broken, refused, other]
    for told in shown(site, locked):
        assert (told.lock_mode, told.retain_until) == ("COMPLIANCE", ends(2)), (
            "until retain_min, not retain_max"
        )
    for free in (broken, refused, other):
        assert [(told.lock_mode, told.retain_until) for told in shown(site, free)] == [(None, None)] * 2
    assert site.ask("SELECT state FROM fsgov.segments WHERE segment = %s", broken) == [("quarantined",)]
    until = datetime.fromtimestamp(ends(2) / 1e6, UTC)
    assert site.ask("SELECT segment, vault, mode, until FROM fsgov.locks") == [
        (locked, "eu", "COMPLIANCE", until)
    ]
    assert site.types(locked)[-1] == "fsgov.segment.locked.v1"
    assert "fsgov.segment.locked.v1" not in site.types(broken) + site.types(refused) + site.types(other)
    audio, key = shown(site, locked)
    with pytest.raises(Conflict, match="locked"):
        site.vault().audio.remove(audio.key, audio.version_id)
    with pytest.raises(Conflict, match="locked"):
        site.vault().keys.remove(key.key, key.version_id)


def test_what_a_party_takes_back_before_it_is_locked_stays_free(site: Site) -> None:
    segment = recorded(site)
    assert site.ship_in_child("ship.locked.before") == -9  # stored, and to be locked next
    site.remember(segments=[segment], dispose=[segment], state={"dispose_reason": "withdrawn by party 1"})
    site.ship()
    assert [told.lock_mode for told in shown(site, segment)] == [None, None]
    assert site.ask("SELECT dispose FROM fsgov.segments") == [(True,)]


@pytest.mark.parametrize("failpoint", ["ship.locked.before", "ship.locked.after"])
def test_a_kill_beside_the_lock_ends_where_no_kill_would(site: Site, failpoint: str) -> None:
    segment = recorded(site)
    assert site.ship_in_child(failpoint) == -9
    assert entered(site) == []
    site.ship()
    assert {(told.lock_mode, told.retain_until) for told in shown(site, segment)} == {("COMPLIANCE", ends(2))}
    assert len(site.objects()) == 1
    assert site.types(segment).count("fsgov.segment.locked.v1") == 1


def test_a_lock_that_does_not_show_holds_up_its_segment_and_no_other(
    site: Site, rgw: Rgw, proxy: Callable[[int], Proxy]
) -> None:
    wire = proxy(rgw.port)
    wire.down = Fault(replace=(b"x-amz-object-lock-", b"x-xxx-object-lock-"))
    names = [url.rpartition("/")[2] for url in (site.url, site.keys)]
    far = open_vault(
        "eu",
        *(f"s3+http://{wire.endpoint}/{name}" for name in names),
        Credentials(site.access, site.password),
    )
    locked, other = recorded(site, 1), recorded(site, 2, purposes=["training"])
    with site.shipper(vault=far) as shipper:
        shipper.run_once()
        assert set(shipper.alarms) == {"lock.eu"}
    assert entered(site) == [other]
    assert (site.spool_directory / "audio" / f"{locked}.wav").exists(), "nothing is discarded"
    site.ship()
    assert entered(site) == [locked, other]
    assert len(site.objects()) == 2


def test_a_bucket_without_locks_is_an_alarm_and_takes_the_rest(
    rgw: Rgw, database: str, tmp_path: Path
) -> None:
    client = minio.Minio(rgw.endpoint, rgw.access, rgw.secret, secure=False)
    for name in ("plain-audio", "plain-keys"):
        client.make_bucket(name)
    site = site_on(rgw, database, tmp_path, "plain")
    locked, other = recorded(site, 1), recorded(site, 2, purposes=["training"])
    with site.shipper() as shipper:
        shipper.run_once()
        assert set(shipper.alarms) == {"lock.eu"}
    assert entered(site) == [other]
    assert (site.spool_directory / "audio" / f"{locked}.wav").exists()


def test_a_login_that_may_not_read_the_keys_still_proves_their_lock(
    rgw: Rgw, database: str, tmp_path: Path
) -> None:
    site = site_on(rgw, database, tmp_path, "closed")
    rgw._run(
        "radosgw-admin", "-c", "ceph.conf", "user", "create", "--uid=locker", "--display-name=locker",
        "--access-key=LOCKER", "--secret=locker-secret",
    )  # fmt: skip
    client = minio.Minio(rgw.endpoint, rgw.access, rgw.secret, secure=False)
    for name, read in (("closed-audio", True), ("closed-keys", False)):
        rights = may_put(name, read=read)
        for statement in rights["Statement"]:
            statement["Principal"] = {"AWS": ["arn:aws:iam:::user/locker"]}
            if statement["Effect"] == "Allow":
                statement["Action"] = [*statement["Action"], "s3:GetObjectRetention"]
        client.set_bucket_policy(name, json.dumps(rights))
    site.access, site.password = "LOCKER", "locker-secret"
    segment = recorded(site)
    site.ship()
    vault = site.vault()
    with pytest.raises(NotPermitted):
        vault.keys.stat(f"keys/{segment}")
    ((version,),) = site.ask("SELECT key_version_id FROM fsgov.segments")
    assert vault.keys.lock_of(f"keys/{segment}", version).retain_until == ends(2)


def test_ship_enters_what_it_cannot_read_the_policy_of_and_keep_locks_it(site: Site) -> None:
    text = policy("governance")
    segment = recorded(site, text=text, policy=hashlib.sha256(text.encode()).hexdigest())
    for kept in (site.spool_directory / "policies").iterdir():
        kept.unlink()
    site.ship()
    assert [told.lock_mode for told in shown(site, segment)] == [None, None]
    change(
        site, "INSERT INTO fsgov.policies (sha256, version, text) VALUES (%s, '1', %s)", _digest(text), text
    )
    with locking(site) as made:
        made.run_once()
        assert made.troubles == {}
    assert {(told.lock_mode, told.retain_until) for told in shown(site, segment)} == {("GOVERNANCE", ends(2))}
    assert told_by_keep(site) == [(segment, "governance", "eu")]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_ship_tells_of_a_lock_when_it_enters_and_never_again(world: World) -> None:
    enter(world.ship, call_file_of(), segment=sidecar_of())
    say = "SELECT fsgov.note_lock('0f6c-01', 'eu', 'COMPLIANCE', '2099-01-01')"
    assert world.sql("ship", say) == [(False,)], (
        "else a host that was broken into could keep keep from locking"
    )
    assert world.sql("keep", say) == [(True,)]
    shorter = say.replace("2099", "2098").replace("COMPLIANCE", "GOVERNANCE")
    assert world.sql("keep", shorter) == [(False,)]
    world.sql("admin", "UPDATE fsgov.locks SET until = '2098-01-01', mode = 'GOVERNANCE'")
    assert world.sql("admin", "SELECT mode, extract(year FROM until)::int FROM fsgov.locks") == [
        ("COMPLIANCE", 2099)
    ]


# -- keep ------------------------------------------------------------------------------------------------


@contextmanager
def locking(site: Site, vaults: dict[str, Vault] | None = None) -> Iterator[Locking]:
    """keep's rounds over the locks of a site."""
    password = migrate.service_password(Path(site.root) / "logins", "keep")
    with closing(Copies(site.dsn, password)) as catalog:
        yield Locking(catalog, {"eu": site.vault()} if vaults is None else vaults, "fs1", now)


def told_by_keep(site: Site) -> list[tuple[str, str, str]]:
    rows = site.ask("SELECT line FROM fsgov.outbox WHERE origin LIKE 'fs1.keep.%%' ORDER BY origin, n")
    lines = [json.loads(bytes(row[0])) for row in rows]
    return [
        (line["subject"], line["data"]["mode"], line["data"]["vault"])
        for line in lines
        if line["type"] == "fsgov.segment.locked.v1"
    ]


def test_a_lock_grows_when_its_call_goes_on_and_never_shrinks(site: Site) -> None:
    segment = recorded(site)
    site.ship()
    with locking(site) as made:
        made.run_once()
    assert told_by_keep(site) == [], "it is long enough"
    ended = now() + 3 * DAY
    call = call_file(CALL, [segment])
    change(
        site, "SELECT fsgov.enter_call(%s::jsonb)",
        json.dumps(call | {"opened": now(), "ended": ended, "outcome": "recorded"}),
    )  # fmt: skip
    with locking(site) as made:
        made.run_once()
    assert {told.retain_until for told in shown(site, segment)} == {ends(5)}
    assert told_by_keep(site) == [(segment, "compliance", "eu")]
    change(site, "UPDATE fsgov.calls SET ended_at = now()")
    change(site, "DELETE FROM fsgov.locks")
    with locking(site) as made:
        made.run_once()
    assert {told.retain_until for told in shown(site, segment)} == {ends(5)}, "what the vault shows counts"
    ((until,),) = site.ask("SELECT until FROM fsgov.locks")
    assert until == datetime.fromtimestamp(ends(5) / 1e6, UTC)


def test_keep_locks_neither_what_is_quarantined_nor_what_is_to_be_destroyed(site: Site) -> None:
    set_aside, refused = recorded(site, 1), recorded(site, 2)
    assert site.ship_in_child("ship.locked.before") == -9
    for sidecar in (site.spool_directory / "segments").glob("*.json"):
        document = json.loads(sidecar.read_text())
        document.pop("lock", None)
        sidecar.write_text(json.dumps(document))
    site.ship()
    change(site, "UPDATE fsgov.segments SET state = 'quarantined', quarantine = 'withdrawn' WHERE n = 1")
    change(site, "UPDATE fsgov.segments SET dispose = true WHERE n = 2")
    with locking(site) as made:
        made.run_once()
    assert [told.lock_mode for id_ in (set_aside, refused) for told in shown(site, id_)] == [None] * 4
    change(site, "UPDATE fsgov.segments SET state = 'stored', quarantine = '' WHERE n = 1")
    with locking(site) as made:
        made.run_once()
    assert [told.lock_mode for told in shown(site, set_aside)] == ["COMPLIANCE"] * 2, "a reviewer released it"


def test_a_vault_that_keep_cannot_lock_in_is_an_alarm(site: Site) -> None:
    recorded(site)
    site.ship()
    change(site, "DELETE FROM fsgov.locks")
    with locking(site, {}) as made:
        made.run_once()
        assert set(made.troubles) == {"lock.eu"}
    with locking(site) as made:
        made.run_once()
        assert made.troubles == {}


def test_on_moto_a_shorter_lock_is_never_asked_for(moto_s3: Moto, database: str, tmp_path: Path) -> None:
    """Its server would shorten a lock: that we never ask is our own doing."""
    site = site_on(moto_s3, database, tmp_path, "lock-moto")
    segment = recorded(site)
    site.ship()
    audio, key = shown(site, segment)
    longer = ends(9)
    site.vault().audio.lock(audio.key, audio.version_id, longer, "COMPLIANCE")
    site.vault().keys.lock(key.key, key.version_id, longer, "COMPLIANCE")
    change(site, "DELETE FROM fsgov.locks")
    with locking(site) as made:
        made.run_once()
    assert {told.retain_until for told in shown(site, segment)} == {longer}


# -- fsgov check -----------------------------------------------------------------------------------------


def test_check_tries_what_a_policy_wants_locked(rgw: Rgw, site: Site) -> None:
    for lock in (Lock.GOVERNANCE, Lock.COMPLIANCE):
        assert tried("vault.eu.audio", site.vault().audio, lock).state == "ok"
    assert list(site.vault().audio.list("probe/")) == [], "what could be removed was"
    client = minio.Minio(rgw.endpoint, rgw.access, rgw.secret, secure=False)
    client.make_bucket("check-plain")
    client.make_bucket("check-default", object_lock=True)
    client.set_object_lock_config("check-default", LockConfig("GOVERNANCE", 1, "Days"))
    login = Credentials(rgw.access, rgw.secret)
    for name, words in (
        ("check-plain", "this login cannot"),
        ("check-default", "locks everything by itself"),
    ):
        with pytest.raises(BadConfiguration, match=words):
            tried("vault.eu.audio", open_bucket(rgw.url(name), login), Lock.GOVERNANCE)
