"""Holds are legal holds in the vaults that can: set, seen again, lifted after; what cannot is said, once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fsgov.catalog import migrate
from fsgov.catalog.mirroring import Mirroring
from fsgov.errors import Conflict, NotPermitted, Unreachable
from fsgov.mirror import PATIENCE, Mirror
from fsgov.vault import Bucket, Stat, Vault
from fsgov.vault.s3 import S3Bucket
from tests.parts import holds
from tests.parts.catalog import World
from tests.parts.purging import Yard, file_vault, yard
from tests.parts.rgw import Rgw


@contextmanager
def mirror(place: Yard, **vaults: Vault) -> Iterator[Mirror]:
    password = migrate.service_password(place.world.credentials, "keep")
    catalog = Mirroring(place.world.dsn, password)
    known = vaults or {"eu": place.vault}
    with closing(Mirror(catalog, known, "fs1", lambda: time.time_ns() // 1000)) as made:
        yield made


def legal_holds(bucket: Bucket) -> dict[str, bool]:
    """Each version in the bucket, as the server shows it."""
    return {
        f"{v.key} {n}": bucket.stat(v.key, v.version_id).legal_hold
        for n, v in enumerate(bucket.list())
        if not v.marker
    }


def states(world: World) -> list[tuple[Any, ...]]:
    return world.sql(
        "admin", "SELECT segment, held, unable, why <> '', due IS NULL FROM fsgov.mirrors ORDER BY 1"
    )


def due_again(world: World) -> None:
    """As if the time had come to look again."""
    world.sql("admin", "UPDATE fsgov.mirrors SET due = now() WHERE due IS NOT NULL")


@pytest.fixture
def s3(world: World, rgw: Rgw) -> Yard:
    def bucket(name: str) -> S3Bucket:
        opened = S3Bucket(rgw.endpoint, f"mirror-{os.getpid()}-{name}", rgw.access, rgw.secret, tls=False)
        opened.create()
        return opened

    stamp = time.time_ns()
    return yard(world, Vault("eu", bucket(f"{stamp}-audio"), bucket(f"{stamp}-keys")))


def test_what_is_held_cannot_be_removed_from_the_store_until_it_is_released(s3: Yard) -> None:
    one, two = s3.store(2)
    version = s3.vault.audio.stat(f"default/2026/11/{one}.age").version_id
    again = s3.vault.audio.put_bytes(f"default/2026/11/{one}.age", b"an older upload", {}).version_id
    first, second = holds.place(s3.world, segment=one), holds.place(s3.world, segment=one)
    with mirror(s3) as keep:
        assert keep.run_once() == 1
        assert keep.run_once() == 0
        assert sum(legal_holds(s3.vault.audio).values()) == 2, "every version of the one"
        assert sum(legal_holds(s3.vault.keys).values()) == 1
        assert legal_holds(s3.vault.audio)[f"default/2026/11/{two}.age 2"] is False
        for each in (version, again):
            with pytest.raises(Conflict):
                s3.vault.audio.remove(f"default/2026/11/{one}.age", each)
        assert states(s3.world) == [(one, True, [], False, False)]
        # somebody lifts it by hand: it is seen, and set again
        s3.vault.audio.hold(f"default/2026/11/{one}.age", version, False)
        due_again(s3.world)
        keep.run_once()
        assert sum(legal_holds(s3.vault.audio).values()) == 2
        # one hold of two is over
        s3.world.sql("admin", f"{holds.RELEASE} AND id = '{first}'")
        assert keep.run_once() == 1
        assert sum(legal_holds(s3.vault.audio).values()) == 2
        s3.world.sql("admin", f"{holds.RELEASE} AND id = '{second}'")
        assert keep.run_once() == 1
        assert not any({**legal_holds(s3.vault.audio), **legal_holds(s3.vault.keys)}.values())
        assert states(s3.world) == [(one, False, [], False, True)]
    told = [(line["subject"], line["data"]["on"]) for line in s3.lines("segment.held")]
    assert told == [(one, True), (one, False)]
    assert [line["data"]["objects"] for line in s3.lines("segment.held")] == [3, 3]


def test_copies_and_calls_that_come_are_held_as_well(s3: Yard, tmp_path: Path) -> None:
    holds.place(s3.world, number="+493012345")
    (one,) = s3.store(1)
    with mirror(s3, eu=s3.vault, us=s3.vault) as keep:
        assert keep.run_once() == 1
        s3.world.sql("admin", "INSERT INTO fsgov.copies (id, segment, tenant, vault, state, object_key)"
                     f" VALUES ('c-1', '{one}', 'default', 'us', 'copying', 'copies/{one}.age')")  # fmt: skip
        s3.vault.audio.put_bytes(f"copies/{one}.age", b"a copy", {})
        assert keep.run_once() == 0
        s3.world.sql("admin", "UPDATE fsgov.copies SET state = 'stored'")
        assert keep.run_once() == 1
        assert all(legal_holds(s3.vault.audio).values())
        assert len(legal_holds(s3.vault.audio)) == 2


def test_a_directory_holds_nothing_and_that_is_no_alarm(world: World, tmp_path: Path) -> None:
    place = yard(world, file_vault(tmp_path))
    (one,) = place.store(1)
    holds.place(world, call="0f6c")
    with mirror(place) as keep:
        assert keep.run_once() == 1
        assert keep.troubles == {}
        assert states(world) == [(one, False, ["eu.audio", "eu.keys"], False, False)]
        holds.release(world)
        assert keep.run_once() == 1
    assert states(world) == [(one, False, ["eu.audio", "eu.keys"], False, True)]
    assert place.lines("segment.held") == []


class Failing(Bucket):
    """A bucket whose legal holds fail as told, and are counted; all else is the bucket's own."""

    def __init__(self, inner: Bucket) -> None:
        self.inner = inner
        self.fault: Exception | None = None
        self.held: dict[tuple[str, str], bool] = {}

    def hold(self, key: str, version_id: str, on: bool) -> Stat:
        if self.fault:
            raise self.fault
        self.held[key, version_id] = on
        return self.inner.stat(key, version_id)

    def __getattribute__(self, name: str) -> Any:
        own = ("inner", "fault", "held", "hold", "__class__", "__dict__")
        return object.__getattribute__(self, name) if name in own else getattr(self.inner, name)


Failing.__abstractmethods__ = frozenset()


@pytest.fixture
def failing(world: World, tmp_path: Path) -> tuple[Yard, Failing, Failing]:
    place = yard(world, file_vault(tmp_path))
    place.store(2)
    audio, keys = Failing(place.vault.audio), Failing(place.vault.keys)
    place.vault = Vault("eu", audio, keys)
    return place, audio, keys


def test_what_does_not_work_is_tried_again_and_then_an_alarm(failing: tuple[Yard, Failing, Failing]) -> None:
    place, audio, keys = failing
    audio.fault = Unreachable("The vault does not answer")
    holds.place(place.world, segment="0f6c-01")
    with mirror(place) as keep:
        for n in range(PATIENCE):
            assert keep.troubles == {}, n
            assert keep.run_once() == 1
            assert keep.run_once() == 0, "not at once"
            due_again(place.world)
        assert "does not answer" in keep.troubles["mirror"].detail
        holds.release(place.world)  # meanwhile: what was set of it is lifted, too
        keep.run_once()
        assert set(keys.held.values()) == {False}
        audio.fault = None
        due_again(place.world)
        keep.run_once()
        assert keep.troubles == {}
    assert set(audio.held.values()) == {False}


def test_a_login_that_may_not_touch_keys_is_no_fault_and_one_that_may_not_hold_audio_is(
    failing: tuple[Yard, Failing, Failing],
) -> None:
    place, audio, keys = failing
    keys.fault = NotPermitted("not for this login")
    holds.place(place.world, segment="0f6c-01")
    with mirror(place) as keep:
        keep.run_once()
        assert states(place.world) == [("0f6c-01", True, ["eu.keys"], False, False)]
        audio.fault = NotPermitted("not for this login")
        due_again(place.world)
        keep.run_once()
        assert states(place.world) == [("0f6c-01", True, ["eu.keys"], True, False)]


def test_a_hold_that_comes_while_the_last_one_is_lifted_is_not_forgotten(
    failing: tuple[Yard, Failing, Failing],
) -> None:
    place, audio, _ = failing
    holds.place(place.world, segment="0f6c-01")
    with mirror(place) as keep:
        keep.run_once()
        holds.release(place.world)
        placed = []
        inner = audio.inner.stat

        def stat(key: str, version: str | None = None) -> Stat:
            if not placed:
                placed.append(holds.place(place.world, segment="0f6c-01"))
            return inner(key, version)

        audio.inner.stat = stat  # type: ignore[method-assign]
        assert keep.run_once() == 1
        assert set(audio.held.values()) == {False}
        assert keep.run_once() == 1
        assert set(audio.held.values()) == {True}


def test_a_vault_that_keep_does_not_know_is_told(failing: tuple[Yard, Failing, Failing]) -> None:
    place, audio, _ = failing
    holds.place(place.world, segment="0f6c-01")
    with mirror(place, us=place.vault) as keep:
        keep.run_once()
    assert states(place.world)[0][3] is True
    assert audio.held == {}
