"""Destruction on a real object store, the long form (make crash): locks, holds, markers, uploads, faults.

On Ceph RGW where the machine can have it, else on moto (which proves less). What is destroyed is proven by a
listing of another client; what is locked keeps its key, and has a date.
"""

from __future__ import annotations

import io
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.retention import Retention

from fsgov.errors import Conflict
from fsgov.purge.removing import Vaults
from fsgov.vault import Bucket, Credentials, Vault, open_vault
from fsgov.vault.bucket import LockMode
from fsgov.vault.s3 import S3Bucket
from tests.live.test_purge_crash import FAILPOINTS
from tests.parts.catalog import World
from tests.parts.proxy import Fault, Proxy
from tests.parts.purging import Yard, yard

pytestmark = pytest.mark.slow
_numbers = itertools.count(1)
SOON = 6
"""Seconds that a lock lasts here: longer than it takes to look at it, on a machine with much else to do."""


@pytest.fixture
def place(request: pytest.FixtureRequest, world: World) -> Iterator[Yard]:
    try:
        server = request.getfixturevalue("rgw")
    except pytest.skip.Exception:
        server = request.getfixturevalue("moto_s3")
    n = next(_numbers)
    login = Credentials(server.access, server.secret)
    vault = open_vault("eu", server.url(f"long-{n}-audio"), server.url(f"long-{n}-keys"), login)
    vault.audio.create()
    vault.keys.create()
    made = yard(world, vault)
    made.server, made.bucket = server, f"long-{n}-audio"
    yield made
    vault.audio.close()
    vault.keys.close()


def client(place: Yard) -> Minio:
    """The store as another program sees it."""
    server = place.server
    return Minio(server.endpoint, server.access, server.secret, secure=False, region="us-east-1")


def audio_of(segment: str) -> str:
    return f"default/2026/11/{segment}.age"


def gone(place: Yard, segment: str) -> None:
    """Another client sees no version, no marker and no upload of it."""
    other = client(place)
    for bucket, key in (
        (place.bucket, audio_of(segment)),
        (place.bucket.replace("audio", "keys"), f"keys/{segment}"),
    ):
        versions = other.list_objects(bucket, key, recursive=True, include_version=True)
        assert [each.version_id for each in versions if each.object_name == key] == []
        assert [each.object_name for each in other._list_multipart_uploads(bucket, prefix=key).uploads] == []


def again_at(place: Yard) -> dict[str, datetime]:
    query = "SELECT segment, again_at FROM fsgov.plan_items WHERE again_at IS NOT NULL"
    return dict(place.world.sql("admin", query))


# -- what a vault keeps ----------------------------------------------------------------------------------


def test_a_lock_in_either_bucket_of_either_mode_is_waited_for_with_the_key(place: Yard) -> None:
    due = place.store(5)
    locks: list[tuple[Bucket, str, LockMode]] = [
        (place.vault.audio, audio_of(due[0]), "GOVERNANCE"),
        (place.vault.audio, audio_of(due[1]), "COMPLIANCE"),
        (place.vault.keys, f"keys/{due[2]}", "GOVERNANCE"),
        (place.vault.keys, f"keys/{due[3]}", "COMPLIANCE"),
    ]
    until = int(time.time() + SOON) * 1_000_000
    for bucket, key, mode in locks:
        version = bucket.stat(key).version_id
        bucket.lock(key, version, until, mode)
        with pytest.raises(Conflict):
            bucket.remove(key, version)
    # a lock on an older version, beneath one that is free, and a delete marker on top
    place.vault.audio.put_bytes(audio_of(due[1]), b"again", {})
    client(place).remove_object(place.bucket, audio_of(due[1]))
    plan = place.plan(due)
    assert place.apply() == 1
    assert place.states() == dict.fromkeys(due[:4], "stored") | {due[4]: "destroyed"}
    assert place.items(plan) == dict.fromkeys(due[:4], "scheduled") | {due[4]: "destroyed"}
    assert place.keys() == set(due[:4])
    assert place.ledger() == {due[4]}
    dates = again_at(place)
    assert all(dates[segment].timestamp() * 1_000_000 >= until for segment in due[:4])
    time.sleep(max(0, max(dates[segment] for segment in due[:4]).timestamp() + 0.5 - time.time()))
    assert place.apply() == 4
    place.whole()
    assert place.plan_state(plan) == "done"
    for segment in due:
        gone(place, segment)


def test_a_legal_hold_on_a_hidden_version_is_asked_again_each_day(place: Yard) -> None:
    (one,) = place.store(1)
    key = audio_of(one)
    old = place.vault.audio.stat(key).version_id
    place.vault.audio.hold(key, old, True)
    place.vault.audio.put_bytes(key, b"again", {})
    client(place).remove_object(place.bucket, key)
    plan = place.plan([one])
    assert place.apply() == 0
    assert (place.states(), place.ledger()) == ({one: "stored"}, set())
    assert place.items(plan) == {one: "scheduled"}
    assert place.keys() == {one}
    wait = again_at(place)[one] - datetime.now(UTC)
    assert timedelta(hours=23) < wait <= timedelta(days=1)
    place.vault.audio.hold(key, old, False)
    place.world.sql("admin", "UPDATE fsgov.plan_items SET again_at = now()")
    assert place.apply() == 1
    place.whole()
    gone(place, one)
    assert len([each for each in place.bodies()[one]["removed"] if each["bucket"] == "audio"]) == 3


def test_lock_headers_that_a_multipart_upload_lost_hold_nothing(place: Yard) -> None:
    """What HEAD shows counts: RGW drops the lock of a multipart upload; one that keeps it is waited for."""
    (one,) = place.store(1)
    other, key = client(place), audio_of(one)
    end = datetime.now(UTC) + timedelta(seconds=SOON)
    other.put_object(place.bucket, key, io.BytesIO(b"x" * 6_000_000), -1, part_size=5_242_880,
                     retention=Retention(COMPLIANCE, end))  # fmt: skip
    shown = place.vault.audio.stat(key)
    place.plan([one])
    if shown.retain_until is not None:
        assert place.apply() == 0
        assert place.keys() == {one}
        time.sleep(max(0, again_at(place)[one].timestamp() + 0.5 - time.time()))
    assert place.apply() == 1
    place.whole()
    gone(place, one)


# -- much of it ------------------------------------------------------------------------------------------


def test_more_versions_than_a_listing_has_and_uploads_that_nobody_finished(place: Yard) -> None:
    one, free = place.store(2)
    other, key = client(place), audio_of(one)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: place.vault.audio.put_bytes(key, b"%d" % n, {}), range(1002)))
    for _ in range(3):
        other.remove_object(place.bucket, key)
    for n in range(3):
        upload = other._create_multipart_upload(place.bucket, key, {})
        other._upload_part(place.bucket, key, b"x" * 64, {}, upload, n + 1)
    place.vault.audio.put_bytes(f"{key}x", b"another's, whose name begins so", {})
    there = sum(each.key == key for each in place.vault.audio.list(key))
    assert there > 1003, "and a delete marker, or three"
    place.plan([one, free])
    assert place.apply() == 2
    gone(place, one)
    removed = [each for each in place.bodies()[one]["removed"] if each["bucket"] == "audio"]
    assert len(removed) == len({each["version"] for each in removed}) == there
    beside = place.vault.audio.stat(f"{key}x")
    place.vault.audio.remove(beside.key, beside.version_id)
    place.whole()


# -- faults ----------------------------------------------------------------------------------------------

FAULTS = {
    "removed, and answered with 503": Fault(replace=(b"HTTP/1.1 204", b"HTTP/1.1 503")),
    "500 instead of a listing": Fault(replace=(b"HTTP/1.1 200", b"HTTP/1.1 500")),
    "cut after a while": Fault(cut_after=3000),
    "silent after a while": Fault(stop_after=3000),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_store_that_fails_in_the_middle_is_gone_on_with(
    place: Yard, proxy: Callable[[int], Proxy], what: str
) -> None:
    due = place.store(6)
    plan = place.plan(due)
    between = proxy(place.server.port)
    buckets = [
        S3Bucket(between.endpoint, name, place.server.access, place.server.secret, tls=False, read_seconds=1)
        for name in (place.bucket, place.bucket.replace("audio", "keys"))
    ]
    later = 0.0
    vaults = Vaults({"eu": Vault("eu", *buckets)}, place.now)
    with place.purge(vaults=vaults, clock=lambda: time.monotonic() + later) as purge:
        purge.turn()  # begun
        between.down = FAULTS[what]
        for _ in range(3):
            purge.turn()
            later += 400
            assert {*due} - place.keys() <= place.ledger()
        assert purge.destroyed < len(due)
        between.heal()
        between.cut()
        while purge.turn():
            pass
    assert place.plan_state(plan) == "done"
    assert set(place.bodies()) == set(due)
    place.whole()
    for segment in due:
        gone(place, segment)


KEEP = """
import sys
from pathlib import Path
from fsgov.catalog.purging import Purging
from fsgov.purge.applying import Limits, Purge
from fsgov.purge.part import now
from fsgov.purge.removing import Vaults
from fsgov.vault import Credentials, open_vault
dsn, password, audio, keys, access, secret = sys.argv[1:]
vault = open_vault("eu", audio, keys, Credentials(access, secret))
limits = Limits(rate=10_000, canary=2, canary_wait=0, complete=0)
catalog = Purging(dsn, Path(password).read_text().strip())
purge = Purge(catalog, Vaults({"eu": vault}, now), limits, "fs1", now)
while purge.turn():
    pass
purge.close()
"""


def keep(place: Yard, failpoint: str) -> int:
    """Purge in a process of its own, to its end or to the failpoint; its exit code."""
    server = place.server
    urls = [server.url(name) for name in (place.bucket, place.bucket.replace("audio", "keys"))]
    password = str(place.world.credentials / "keep")
    done = subprocess.run(
        [sys.executable, "-c", KEEP, place.world.dsn, password, *urls, server.access, server.secret],
        env={**os.environ, "FSGOV_FAILPOINT": failpoint},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode


def test_a_kill_at_every_step_on_the_store(place: Yard) -> None:
    """One plan, killed at each step in turn; one of it is locked meanwhile, one is under a hold."""
    due = place.store(10)
    (held,) = place.store(1)
    place.hold(held)
    until = int(time.time() + 4 * SOON) * 1_000_000
    key = audio_of(due[-1])
    place.vault.audio.lock(key, place.vault.audio.stat(key).version_id, until, "COMPLIANCE")
    for segment in due[:3]:
        place.vault.audio.put_bytes(audio_of(segment), b"again", {})
        client(place).remove_object(place.bucket, audio_of(segment))
    plan = place.plan([*due, held])
    killed = Counter[int]()
    for name in [*FAILPOINTS, "purge.version:5"]:
        killed[keep(place, name)] += 1
        assert {*due, held} - place.keys() <= place.ledger(), f"{name}: a key is gone that no ledger names"
        if time.time() * 1_000_000 < until:
            assert {due[-1]} <= place.keys(), "its key is there as long as its lock"
    assert killed[-signal.SIGKILL] >= len(FAILPOINTS) - 1
    time.sleep(max(0, until / 1e6 + 1.5 - time.time()))
    assert keep(place, "") == 0
    place.whole()
    assert place.plan_state(plan) == "done"
    assert set(place.bodies()) == set(due)
    assert place.states()[held] == "stored"
    assert Counter(line["subject"] for line in place.lines("segment.destroying")) == Counter(due)
    for segment in due:
        gone(place, segment)
    for segment in due[:3]:
        audio = [each for each in place.bodies()[segment]["removed"] if each["bucket"] == "audio"]
        assert len(audio) == 3, "what a kill interrupted is named"
