"""Purge and a real object store: versions, delete markers, uploads, locks and legal holds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from minio import Minio

from fsgov.errors import Conflict
from fsgov.vault import Credentials, open_vault
from tests.parts.catalog import World
from tests.parts.purging import Yard, yard

_numbers = itertools.count(1)


@pytest.fixture(params=["moto_s3", "rgw"])
def place(request: pytest.FixtureRequest, world: World) -> Iterator[Yard]:
    server = request.getfixturevalue(request.param)
    login = Credentials(server.access, server.secret)
    n = next(_numbers)
    vault = open_vault("eu", server.url(f"purge-{n}-audio"), server.url(f"purge-{n}-keys"), login)
    vault.audio.create()
    vault.keys.create()
    made = yard(world, vault)
    made.server, made.bucket = server, f"purge-{n}-audio"
    yield made
    vault.audio.close()
    vault.keys.close()


def client(place: Yard) -> Minio:
    """The store as another program sees it."""
    server = place.server
    return Minio(server.endpoint, server.access, server.secret, secure=False, region="us-east-1")


def test_every_version_marker_and_upload_is_removed(place: Yard) -> None:
    due = place.store(3)
    other, key = client(place), f"default/2026/11/{due[0]}.age"
    place.vault.audio.put_bytes(key, b"again", {})
    other.remove_object(place.bucket, key)  # a delete marker: nothing is gone
    upload = other._create_multipart_upload(place.bucket, key, {})
    other._upload_part(place.bucket, key, b"x" * 64, {}, upload, 1)
    other.remove_object(place.bucket, f"default/2026/11/{due[1]}.age")
    assert len(list(place.vault.audio.list(key))) == 3
    assert place.vault.audio.uploads(key) == [upload]
    place.plan(due)
    assert place.apply() == 3
    place.whole()
    assert place.vault.audio.uploads(key) == []
    assert len([each for each in place.bodies()[due[0]]["removed"] if each["bucket"] == "audio"]) == 3
    assert len([each for each in place.bodies()[due[1]]["removed"] if each["bucket"] == "audio"]) == 2


def test_what_is_locked_is_scheduled_and_not_begun(place: Yard) -> None:
    due = place.store(3)
    locked, held = (f"default/2026/11/{segment}.age" for segment in due[:2])
    version = place.vault.audio.stat(locked).version_id
    until = int(time.time() + 4) * 1_000_000
    place.vault.audio.lock(locked, version, until, "COMPLIANCE")
    place.vault.audio.hold(held, place.vault.audio.stat(held).version_id, True)
    plan = place.plan(due)
    assert place.apply() == 1
    place.whole()
    assert place.items(plan) == {due[0]: "scheduled", due[1]: "scheduled", due[2]: "destroyed"}
    assert place.plan_state(plan) == "waiting"
    rows = dict(
        place.world.sql("admin", "SELECT segment, again_at FROM fsgov.plan_items WHERE again_at IS NOT NULL")
    )
    assert rows[due[0]].timestamp() * 1_000_000 >= until
    assert rows[due[1]] > datetime.now(UTC)
    while time.time() < rows[due[0]].timestamp() + 0.5:
        time.sleep(0.1)
    assert place.apply() == 1
    assert place.states()[due[0]] == "destroyed"
    place.vault.audio.hold(held, place.vault.audio.stat(held).version_id, False)
    assert place.apply() == 0, "asked again tomorrow"
    place.whole()


def test_a_lock_that_comes_after_the_key_has_gone_is_waited_for(place: Yard) -> None:
    (one,) = place.store(1)
    key = f"default/2026/11/{one}.age"
    version = place.vault.audio.stat(key).version_id
    place.plan([one])
    with place.purge() as purge:
        assert purge.turn() == 1, "it is begun"
        until = int(time.time() + 4) * 1_000_000
        place.vault.audio.lock(key, version, until, "COMPLIANCE")
        with pytest.raises(Conflict):
            place.vault.audio.remove(key, version)
        while purge.turn():
            pass
        assert purge.destroyed == 0
        assert place.states() == {one: "destroying"}
        assert place.keys() == set()
        assert place.bodies() == {}
        ((why, again),) = place.world.sql("admin", "SELECT why, again_at FROM fsgov.erased")
        assert why == "locked in eu"
        while time.time() < again.timestamp() + 0.5:
            time.sleep(0.1)
        while purge.turn():
            pass
    assert place.states() == {one: "destroyed"}
    place.whole()
