"""Copies, moves and replicas on real PostgreSQL: proven before a row names them, never where forbidden."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.copying import Copies
from fsgov.catalog.placing import PlaceRow, Placing
from fsgov.catalog.reconciling import Reconciling
from fsgov.config import VaultSettings
from fsgov.copies import Copying, copying
from fsgov.envelope import Identity
from fsgov.errors import Conflict, NotFound, NotPermitted
from fsgov.purge.removing import Vaults
from fsgov.reconcile.compare import compare
from fsgov.reconcile.vaults import listing
from fsgov.reconcile.worlds import Worlds
from fsgov.spool import Spool
from fsgov.vault import Bucket, Vault, open_vault
from fsgov.vault.files import FileBucket
from tests.live.shipping import CALL, Site, talk
from tests.live.test_locks import ends, recorded, shown
from tests.live.test_shipper_s3 import site_on
from tests.parts import holds
from tests.parts.catalog import World, call_file
from tests.parts.purging import file_vault, yard
from tests.parts.rgw import Rgw
from tests.parts.schemas import faults

REGIONS = {"eu": "DE", "dr": "DE", "us": "US"}
SEGMENT = f"{CALL}-01"
RESIDENT = """
version = "1"
timezone = "UTC"
[residency]
DE = ["DE", "FR"]
[vault.eu]
region = "DE"
[purpose.evidence]
basis = "contract"
retain_max = "9 years"
[[rule]]
name = "german service line"
consent = "none"
purposes = ["evidence"]
vault = "eu"
"""


class Place:
    """A site whose vaults are directories: eu, where everything is, dr and us."""

    def __init__(self, world: World, root: Path) -> None:
        self.world, self.root = world, root
        (root / "logins").symlink_to(world.credentials)
        self.site = Site(
            root=str(root), dsn=world.dsn, secret=str(Identity.generate(os.urandom)),
            url=f"file:{root}/eu/audio", keys=f"file:{root}/eu/keys",
        )  # fmt: skip
        self.vaults = {
            name: open_vault(name, f"file:{root}/{name}/audio", f"file:{root}/{name}/keys")
            for name in REGIONS
        }
        for vault in self.vaults.values():
            vault.audio.create()
            vault.keys.create()
        self.replicas: dict[str, tuple[str, bool]] = {}
        world.person("olga", "ops")
        self.catalog = Copies(world.dsn, migrate.service_password(world.credentials, "keep"))
        self.later = 0

    def ship(self, text: str = RESIDENT, country: str = "DE", **changes: Any) -> str:
        """A call with one recording, of a party in that country; the id of the segment."""
        with closing(Spool(self.site.spool_directory, "govern")) as spool:
            digest = spool.keep_policy(text)
        segment = self.site.capture(1, talk(700), policy=digest, **changes)
        call = call_file(CALL, segments=[segment])
        call["parties"][0]["country"] = country
        self.site.remember(CALL, [segment], **{name: call[name] for name in ("parties", "policy")})
        self.site.ship()
        return segment

    @property
    def olga(self) -> Placing:
        found = Placing(self.world.as_person("olga"))
        self.world.closing.append(found.close)
        return found

    def copying(self, **vaults: Vault) -> Copying:
        now = lambda: time.time_ns() // 1000 + self.later  # noqa: E731
        return Copying(self.catalog, self.vaults | vaults, REGIONS, self.replicas, "fs1", now)

    def turn(self, **vaults: Vault) -> Copying:
        """One round of keep, as if what failed before were due again."""
        self.world.sql("admin", "UPDATE fsgov.copies SET again_at = NULL")
        made = self.copying(**vaults)
        made.begin()
        made.run_once()
        return made

    def places(self) -> list[tuple[str, str]]:
        return [(row.vault, row.state) for row in self.rows() if row.state != "gone"]

    def rows(self) -> list[PlaceRow]:
        return self.olga.copies(CALL, 100)

    def objects(self, name: str) -> list[str]:
        return [each.key for bucket in self.buckets(name) for each in bucket.list()]

    def buckets(self, name: str) -> tuple[Bucket, Bucket]:
        return self.vaults[name].audio, self.vaults[name].keys

    def content(self, name: str) -> list[bytes]:
        return [b"".join(b.get(v.key, v.version_id)) for b in self.buckets(name) for v in b.list()]

    def told(self) -> list[tuple[str, str]]:
        """What the log has of copies: type and vault."""
        rows = self.world.sql(
            "admin", "SELECT line FROM fsgov.outbox WHERE origin NOT LIKE '%.ship.%' ORDER BY entered_at, n"
        )
        assert [fault for row in rows for fault in faults(bytes(row[0]))] == []
        lines = [json.loads(bytes(row[0])) for row in rows]
        return [
            (line["type"].removeprefix("fsgov.segment.").removesuffix(".v1"), line["data"]["vault"])
            for line in lines if line["subject"] == SEGMENT
        ]  # fmt: skip


@pytest.fixture
def place(world: World, tmp_path: Path) -> Iterator[Place]:
    made = Place(world, tmp_path)
    yield made
    made.catalog.close()


def row_vault(place: Place) -> str:
    ((vault,),) = place.world.sql("admin", "SELECT vault FROM fsgov.segments")
    return str(vault)


# -- copies and moves ------------------------------------------------------------------------------------


def test_a_copy_is_the_same_bytes_and_the_same_key(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    assert place.places() == [("eu", "recording"), ("dr", "asked")]
    assert place.turn().troubles == {}
    assert place.places() == [("eu", "recording"), ("dr", "stored")]
    assert place.content("dr") == place.content("eu")
    assert place.objects("dr") == [f"default/2026/11/{SEGMENT}.age", f"keys/{SEGMENT}"]
    assert place.told() == [("copy.asked", "dr"), ("copy.begun", "dr"), ("copied", "dr")]
    assert row_vault(place) == "eu"
    of = place.world.sql("keep", "SELECT vault, what FROM fsgov.objects_of(%s) ORDER BY 1", values=[SEGMENT])
    assert of == [("dr", "copy"), ("eu", "audio")]
    with pytest.raises(Conflict, match="There is a copy"):
        place.olga.ask(SEGMENT, "dr", False, "again")


def test_a_move_leaves_nothing_behind_and_the_recording_opens_there(place: Place) -> None:
    place.ship()
    before = place.content("eu")
    place.olga.ask(SEGMENT, "dr", True, "leaving eu")
    place.turn()
    assert (row_vault(place), place.places()) == ("dr", [("dr", "recording"), ("eu", "leaving")])
    place.turn()
    assert place.places() == [("dr", "recording")]
    assert place.objects("eu") == []
    assert place.content("dr") == before
    place.site.url, place.site.keys = place.vaults["dr"].audio.url, place.vaults["dr"].keys.url
    assert place.site.audio(SEGMENT) == talk(700)
    assert place.told() == [("copy.asked", "dr"), ("copy.begun", "dr"), ("copied", "dr"), ("copy.gone", "eu")]


class Lying(FileBucket):
    """Gives back other bytes than it was given."""

    def get(self, key: str, version_id: str) -> Iterator[bytes]:
        for block in super().get(key, version_id):
            yield block[:-1] + bytes([block[-1] ^ 1])


def test_what_does_not_come_back_as_it_was_moves_nothing(place: Place) -> None:
    place.ship()
    before = place.content("eu")
    place.olga.ask(SEGMENT, "dr", True, "leaving eu")
    real = place.vaults["dr"]
    place.turn(dr=Vault("dr", Lying(Path(real.audio.url.removeprefix("file:"))), real.keys))
    assert (row_vault(place), place.places()) == ("eu", [("eu", "recording"), ("dr", "tried")])
    assert "not the one that was put there" in next(row.said for row in place.rows() if row.vault == "dr")
    assert place.content("eu") == before
    place.turn()
    place.turn()
    assert place.places() == [("dr", "recording")]
    assert len(place.objects("dr")) == 2, "what an earlier attempt has left is used"


def test_a_copy_is_removed_only_while_the_recording_is_whole(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.turn()
    (stored,) = (Path(place.root) / "eu" / "audio").rglob("*.object")
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + b"x")
    place.olga.drop(SEGMENT, "dr", "one is enough")
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "leaving")]
    assert len(place.objects("dr")) == 2
    stored.write_bytes(whole)
    place.turn()
    assert place.objects("dr") == []
    assert place.told()[-2:] == [("copy.dropped", "dr"), ("copy.gone", "dr")]
    with pytest.raises(NotFound, match="no copy to drop"):
        place.olga.drop(SEGMENT, "eu", "the recording itself")


class Killed(BaseException):
    """The end of the process, as far as its transactions are concerned."""


@pytest.mark.parametrize("at", ["keep.copy.begun", "keep.copy.made", "keep.copy.proven", "keep.copy.removed"])
def test_killed_there_the_next_keep_ends_where_no_kill_would(
    place: Place, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.ship()
    before = place.content("eu")
    place.olga.ask(SEGMENT, "dr", True, "leaving eu")

    def killed(name: str) -> None:
        if name == at:
            raise Killed

    monkeypatch.setattr(copying, "failpoint", killed)
    with pytest.raises(Killed):
        while True:
            place.turn()
    assert before in (place.content("eu"), place.content("dr")), "one of them is whole at any time"
    monkeypatch.undo()
    place.turn()
    place.turn()
    assert (place.places(), place.objects("eu")) == ([("dr", "recording")], [])
    assert place.content("dr") == before
    assert place.told().count(("copied", "dr")) == 1


def test_what_was_copied_already_can_become_the_recording_while_its_vault_is_away(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.turn()
    (place.root / "eu").rename(place.root / "away")
    place.olga.ask(SEGMENT, "dr", True, "eu is lost")
    place.turn()
    assert (row_vault(place), place.places()) == ("dr", [("dr", "recording"), ("eu", "leaving")])
    place.turn()
    assert place.places() == [("dr", "recording"), ("eu", "leaving")], "nobody has seen it go"
    (place.root / "away").rename(place.root / "eu")
    place.turn()
    assert place.places() == [("dr", "recording")]


def test_what_is_held_leaves_nothing_behind_until_it_is_released(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", True, "leaving eu")
    place.turn()
    holds.place(place.world, segment=SEGMENT)
    assert place.turn().troubles == {}, "a hold is no fault"
    assert (place.places(), len(place.objects("eu"))) == ([("dr", "recording"), ("eu", "leaving")], 2)
    holds.release(place.world)
    place.turn()
    assert (place.places(), place.objects("eu")) == ([("dr", "recording")], [])


def test_a_keep_without_room_for_a_copy_tries_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    monkeypatch.setattr(tempfile, "tempdir", str(place.root / "nowhere"))
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "tried")], "and nothing waits for what nobody puts"
    monkeypatch.undo()
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored")]


# -- where it may not be ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("country", "allowed"), [("DE", False), ("GB", True)])
def test_residency_binds_copies_too(place: Place, country: str, allowed: bool) -> None:
    place.ship(country=country)
    place.olga.ask(SEGMENT, "us", False, "cheaper")
    place.turn()
    if allowed:
        assert place.places() == [("eu", "recording"), ("us", "stored")]
        return
    assert place.places() == [("eu", "recording"), ("us", "refused")]
    assert place.objects("us") == []
    assert next(row.said for row in place.rows() if row.vault == "us") == "DE: not kept in vault us (US)"
    assert place.told()[-1] == ("copy.refused", "us")


def test_the_policy_in_force_binds_what_was_recorded_under_another(place: Place) -> None:
    place.ship(RESIDENT.replace('DE = ["DE", "FR"]\n', ""))
    place.world.person("pia", "privacy")
    place.world.sql("pia", "SELECT fsgov.activate_policy('1', %s, 'none', NULL)", values=[RESIDENT])
    place.olga.ask(SEGMENT, "us", False, "cheaper")
    place.turn()
    assert place.places() == [("eu", "recording"), ("us", "refused")]


def test_of_a_party_whom_nobody_places_any_more_what_was_lawful_here_is_asked_there(place: Place) -> None:
    place.ship()
    place.world.sql(
        "admin", "UPDATE fsgov.parties SET number = NULL, e164 = NULL, country = NULL, facts = NULL"
    )
    place.olga.ask(SEGMENT, "us", False, "cheaper")
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored"), ("us", "refused")]


def test_what_is_to_be_destroyed_is_not_copied(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.world.sql("admin", "UPDATE fsgov.segments SET dispose = true")
    place.turn()
    assert (place.places(), place.objects("dr")) == ([("eu", "recording"), ("dr", "refused")], [])
    with pytest.raises(Conflict, match="not to be copied"):
        place.olga.ask(SEGMENT, "us", False, "again")


def test_nothing_is_destroyed_while_a_copy_is_put(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")

    def killed(name: str) -> None:
        if name == "keep.copy.begun":
            raise Killed

    monkeypatch.setattr(copying, "failpoint", killed)
    with pytest.raises(Killed):
        place.turn()
    destroy = "UPDATE fsgov.segments SET state = 'destroying'"
    with pytest.raises(psycopg2.Error, match="a copy of this recording is being made"):
        place.world.sql("admin", destroy)
    place.catalog.interrupted()  # another keep leads: nobody puts it any more
    place.world.sql("admin", destroy)


def test_a_destruction_takes_every_place_and_not_while_one_is_put(world: World, tmp_path: Path) -> None:
    place = yard(world, file_vault(tmp_path))
    vaults = {"eu": place.vault}
    for name in ("dr", "far"):
        vaults[name] = open_vault(name, f"file:{tmp_path}/{name}/audio", f"file:{tmp_path}/{name}/keys")
        vaults[name].audio.create()
        vaults[name].keys.create()
    one, other = place.store(2)
    world.sql("admin", "UPDATE fsgov.segments SET policy_sha256 = NULL")
    world.person("olga", "ops")
    with (
        closing(Placing(world.as_person("olga"))) as olga,
        closing(Copies(world.dsn, migrate.service_password(world.credentials, "keep"))) as catalog,
    ):
        for segment in (one, other):
            olga.ask(segment, "dr", False, "second site")
        made = Copying(catalog, vaults, {}, {"far": ("eu", True)}, "fs1", place.now)
        made.begin()
        made.run_once()
    vaults["far"].audio.put_bytes(f"default/2026/11/{one}.age", b"as the store has copied it", {})
    vaults["far"].keys.put_bytes(f"keys/{one}", b"wrapped", {})
    world.sql("admin", "UPDATE fsgov.copies SET state = 'copying' WHERE segment = %s", values=[other])
    plan = place.plan([one, other])
    known = Vaults(vaults, place.now)
    assert place.apply(vaults=known) == 1
    assert place.items(plan) == {one: "destroyed", other: "planned"}
    buckets = [bucket for vault in vaults.values() for bucket in (vault.audio, vault.keys)]
    left = [each.key for b in buckets for each in b.list() if one in each.key and "erased/" not in each.key]
    assert left == []
    listed = {(each["vault"], each["bucket"]) for each in place.bodies()[one]["listed"]}
    assert listed == {(name, bucket) for name in vaults for bucket in ("audio", "keys")}
    states = world.sql("admin", "SELECT state FROM fsgov.copies WHERE segment = %s", values=[one])
    assert set(states) == {("gone",)}
    world.sql("admin", "UPDATE fsgov.copies SET state = 'stored' WHERE segment = %s", values=[other])
    assert place.apply(vaults=known) == 1
    place.whole()


# -- whose act, and what is told before a key goes -------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "tenants"), [(("supervisor",), ("*",)), (("auditor",), ("*",)), (("ops",), ("default",))]
)
def test_only_ops_or_privacy_of_every_tenant_ask(
    place: Place, roles: tuple[str, ...], tenants: tuple[str, ...]
) -> None:
    place.ship()
    place.world.person("mallory", *roles, tenants=tenants)
    with closing(Placing(place.world.as_person("mallory"))) as mallory:
        for act in (
            lambda: mallory.ask(SEGMENT, "dr", True, "mine"),
            lambda: mallory.drop(SEGMENT, "dr", "mine"),
        ):
            with pytest.raises(NotPermitted):
                act()
    assert place.places() == [("eu", "recording")]


def test_a_key_leaves_only_after_its_line_is_committed(place: Place) -> None:
    place.ship()
    copy = place.olga.ask(SEGMENT, "dr", False, "second site")
    with pytest.raises(psycopg2.Error, match="nothing tells of this copy"):
        place.world.sql("keep", "SELECT fsgov.copy_key(%s)", values=[copy])
    made = place.copying()
    (due,) = place.catalog.due(["dr"], 10)
    begun = made._line(1, "segment.copy.begun", due)
    begin = "SELECT fsgov.copy_begins(%s, %s, 1, %s)"
    with pytest.raises(psycopg2.Error, match="does not tell of the copy"):
        other = made._line(1, "segment.copy.gone", due, versions=0)
        place.world.sql("keep", begin, values=[copy, made._origin, psycopg2.Binary(other)])
    with (
        closing(psycopg2.connect(place.world.as_person("keep"))) as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg2.Error, match="nothing tells of this copy"),
    ):
        cursor.execute(begin, [copy, made._origin, psycopg2.Binary(begun)])
        cursor.execute("SELECT fsgov.copy_key(%s)", [copy])  # in the same transaction
    assert place.catalog.begins(copy, made._origin, lambda _: begun)


# -- replicas --------------------------------------------------------------------------------------------


def test_a_replica_is_filled_and_follows_a_move(place: Place) -> None:
    place.replicas = {"dr": ("eu", False)}
    place.ship()
    place.turn()
    assert place.places() == [("eu", "recording")], "it is not ripe yet"
    place.later = 11 * 60 * 1_000_000
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored")]
    place.world.sql("admin", "UPDATE fsgov.parties SET country = 'GB'")
    place.olga.ask(SEGMENT, "us", True, "leaving eu")
    for _ in range(3):
        place.turn()
    assert place.places() == [("us", "recording")]
    assert place.objects("eu") + place.objects("dr") == []


def test_a_replica_that_the_store_fills_is_proven_and_destroyed_with_the_rest(place: Place) -> None:
    place.replicas = {"dr": ("eu", True)}
    place.ship()
    place.turn()
    of = "SELECT vault, what FROM fsgov.objects_of(%s) ORDER BY 1"
    whole = [("dr", "replica"), ("eu", "audio")]
    assert place.world.sql("keep", of, values=[SEGMENT]) == whole, "the store may have copied it already"
    place.later = 11 * 60 * 1_000_000
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "asked")], "keep puts nothing there"
    for source, target in zip(place.buckets("eu"), place.buckets("dr"), strict=True):
        for version in source.list():
            told = source.stat(version.key, version.version_id)
            content = b"".join(source.get(version.key, version.version_id))
            target.put_bytes(version.key, content, {"segment": told.metadata["segment"]})
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored")]
    assert len(place.objects("dr")) == 2, "what the store brought was used"


def test_copies_that_wait_are_an_alarm(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    (place.root / "dr" / "audio").rename(place.root / "gone")
    assert place.turn().troubles == {}, "it may only be busy"
    place.later = 61 * 60 * 1_000_000
    assert set(place.turn().troubles) == {"copy.dr"}
    del place.vaults["dr"]
    place.later = 0
    assert set(place.turn().troubles) == {"copy.dr"}, "at once, where it is not configured"


def test_a_copy_that_was_damaged_since_is_made_anew(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.turn()
    (stored,) = (place.root / "dr" / "audio").rglob("*.object")
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + b"x")
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored")], "it was read back a moment ago"
    place.world.sql("admin", "UPDATE fsgov.copies SET proven_at = now() - interval '91 days'")
    (place.root / "dr" / "audio").rename(place.root / "unmounted")
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored")], "what is not there has lost nothing"
    (place.root / "unmounted").rename(place.root / "dr" / "audio")
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "tried")]
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored")]
    assert whole in place.content("dr")


def test_reconcile_takes_no_copy_for_an_orphan(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.turn()
    stray = place.vaults["us"].audio.put_bytes(f"default/2026/11/{SEGMENT}.age", b"x", {})
    with closing(Reconciling(place.world.as_person("olga"))) as catalog:
        listings = []
        for name in REGIONS:
            place.vaults[name].audio.put_bytes("log/x/1.checkpoint", b"x", {})
            audio, keys = (bucket.url for bucket in place.buckets(name))
            listings.append(listing(VaultSettings(name=name, url=audio, keys=keys)))
        found = compare(Worlds(catalog.catalog("fs1", 0, []), tuple(listings)), 1 << 60, 0)
    assert [(each.kind.value, each.subject) for each in found if "vault" in each.where] == [
        ("orphan-object", f"us/default/2026/11/{SEGMENT}.age#{stray.version_id}")
    ]


def test_what_was_made_of_a_recording_goes_along(place: Place) -> None:
    place.ship()
    key = f"default/2026/11/{SEGMENT}/d-aaaaaaaa.age"
    content = b"a sealed transcript"
    put = place.vaults["eu"].audio.put_bytes(key, content, {})
    place.world.sql(
        "admin",
        "INSERT INTO fsgov.artefacts (artefact, segment, tenant, state, kind, media_type, purpose, size,"
        " sealed_size, sealed_sha256, vault, object_key, version_id, attached_by)"
        " SELECT 'd-aaaaaaaa', %s, 'default', 'stored', 'transcript', 'text/plain', 'evidence', 5, %s, %s,"
        " 'eu', %s, %s, id FROM fsgov.people LIMIT 1",
        values=[SEGMENT, len(content), put.sha256, key, put.version_id],
    )  # fmt: skip
    place.olga.ask(SEGMENT, "dr", True, "leaving eu")
    place.turn()
    place.turn()
    assert place.objects("eu") == []
    ((vault, version),) = place.world.sql("admin", "SELECT vault, version_id FROM fsgov.artefacts")
    assert vault == "dr"
    assert b"".join(place.vaults["dr"].audio.get(key, version)) == content


# -- locks -----------------------------------------------------------------------------------------------


def test_a_locked_recording_moves_with_its_lock_and_its_old_place_waits_for_the_end(
    rgw: Rgw, database: str, tmp_path: Path
) -> None:
    site = site_on(rgw, database, tmp_path, "move-eu")
    segment = recorded(site)
    site.ship()
    other = Site(**{**vars(site), "url": rgw.url("move-dr-audio"), "keys": rgw.url("move-dr-keys")}).vault()
    other.audio.create()
    other.keys.create()
    vaults = {"eu": site.vault(), "dr": other}
    vaults["eu"].audio.hold(*_at(site, segment), True)
    with closing(psycopg2.connect(database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT fsgov.admin()")
        cursor.execute(
            "INSERT INTO fsgov.copies (id, segment, tenant, vault, moving, object_key)"
            " SELECT 'c-aaaaaaaa', segment, tenant, 'dr', true, object_key FROM fsgov.segments"
        )
    with closing(Copies(database, migrate.service_password(tmp_path / "logins", "keep"))) as catalog:
        made = Copying(catalog, vaults, {}, {}, "fs1", lambda: time.time_ns() // 1000)
        made.run_once()
        new = shown(site, segment, other)
        assert {(told.lock_mode, told.retain_until) for told in new} == {("COMPLIANCE", ends(2))}
        assert [told.legal_hold for told in new] == [True, True], "what is held there is held here"
        made.run_once()
        ((state, said, again),) = site.ask("SELECT state, said, again_at FROM fsgov.copies")
        assert (state, int(again.timestamp())) == ("leaving", ends(2) // 1_000_000)
        assert "locked" in said or "hold" in said
        assert made.troubles == {}, "it cannot go before, and that is no fault"


def _at(site: Site, segment: str) -> tuple[str, str]:
    ((key, version),) = site.ask(
        "SELECT object_key, version_id FROM fsgov.segments WHERE segment = %s", segment
    )
    return str(key), str(version)
