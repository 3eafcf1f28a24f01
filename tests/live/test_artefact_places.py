"""What was made of recordings, wherever it lies: read again, compared, locked, copied as its recording is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.copying import Copies
from fsgov.catalog.placing import Placing
from fsgov.catalog.purging import Purging
from fsgov.catalog.reconciling import Reconciling
from fsgov.cli.exporting import Need
from fsgov.cli.verifying import child_of
from fsgov.config import Settings, VaultSettings
from fsgov.copies import Copying, copying
from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from fsgov.purge.applying import Limits, Purge
from fsgov.purge.removing import Vaults
from fsgov.reconcile import Kind, Worlds
from fsgov.reconcile.compare import compare
from fsgov.reconcile.resolving import Resolving
from fsgov.reconcile.vaults import listing
from fsgov.vault import Vault, open_vault
from tests.live.shipping import CALL, Site, call_file
from tests.live.test_copies import SEGMENT, Place, row_vault
from tests.live.test_locks import DAY, change, ends, locking, now, recorded
from tests.live.test_scrub import scrub
from tests.live.test_shipper_s3 import site_on
from tests.parts import artefacts, holds
from tests.parts.catalog import World
from tests.parts.purging import file_vault, yard
from tests.parts.rgw import Rgw
from tests.parts.schemas import faults

TEXT = b"hallo, hier spricht der Anrufer"


@pytest.fixture
def place(world: World, tmp_path: Path) -> Iterator[Place]:
    made = Place(world, tmp_path)
    world.person("ingo", "integrator")
    yield made
    made.catalog.close()


def made_of(place: Place, text: bytes = TEXT, stowed: bool = True) -> str:
    """An artefact of the recording, stored by ship."""
    artefact = artefacts.attach(place.world.as_person("ingo"), SEGMENT, text)
    if stowed:
        audio = {name: vault.audio for name, vault in place.vaults.items()}
        assert artefacts.stow(place.world.dsn, place.world.credentials, **audio) == 1
    return artefact


def file_of(place: Place, vault: str, artefact: str) -> Path:
    (found,) = (place.root / vault / "audio").rglob(f"{artefact}.age/*.object")
    return found


def lines(dsn_place: Any, kind: str) -> list[dict[str, Any]]:
    rows = dsn_place.ask("SELECT line FROM fsgov.outbox WHERE origin LIKE '%%.keep.%%' ORDER BY origin, n")
    assert [fault for row in rows for fault in faults(bytes(row[0]))] == []
    found = [json.loads(bytes(row[0])) for row in rows]
    return [line for line in found if line["type"] == f"fsgov.{kind}.v1"]


# -- read again ------------------------------------------------------------------------------------------


def test_the_scrub_looks_at_it_as_at_its_recording(place: Place) -> None:
    place.ship()
    lost, cut, other = (made_of(place, f"{n}".encode()) for n in range(3))
    assert scrub(place.site).troubles == {}
    files = {each: file_of(place, "eu", each) for each in (lost, cut, other)}
    whole = {each: file.read_bytes() for each, file in files.items()}
    files[lost].unlink()
    files[cut].write_bytes(whole[cut][:-1])
    files[other].write_bytes(whole[other][:-1] + bytes([whole[other][-1] ^ 1]))
    assert set(scrub(place.site).troubles) == {"scrub.missing", "scrub.truncated", "scrub.corrupted"}
    told = {line["subject"]: line["data"] for line in lines(place.site, "artefact.scrubbed")}
    about = {"call": CALL, "segment": SEGMENT, "before": "intact"}
    assert told == {
        lost: about | {"verdict": "missing"}, cut: about | {"verdict": "truncated"},
        other: about | {"verdict": "corrupted"},
    }  # fmt: skip
    place.world.person("alice", "supervisor")
    state = place.world.desk("alice").scrubs()
    assert (state.objects, {(each.segment, each.artefact) for each in state.faults}) == (
        4, {(SEGMENT, each) for each in files},
    )  # fmt: skip
    place.world.sql("olga", "SELECT fsgov.note_difference('damaged-object', %s, %s)", values=[lost, lost])
    assert set(scrub(place.site).troubles) == {"scrub.truncated", "scrub.corrupted"}, "one loss is accepted"
    for each, file in files.items():
        file.write_bytes(whole[each])
    assert scrub(place.site).troubles == {}
    assert place.world.sql("admin", "SELECT FROM fsgov.noted") == []


def test_verify_finds_what_is_not_as_its_row_says(place: Place) -> None:
    place.ship()
    artefact, waiting = made_of(place), made_of(place, b"another", stowed=False)
    place.world.person("alice", "supervisor")
    desk = place.world.desk("alice")
    settings = cast(
        Settings,
        SimpleNamespace(vaults={"eu": VaultSettings(name="eu", url=place.vaults["eu"].audio.url, keys="")}),
    )

    def verified(of: str, purpose: str = "evidence", opened: bool = True) -> dict[str, str]:
        mine, need = (place.site.identity,) if opened else (), Need(purpose, "to see")
        return child_of(settings, desk, desk.artefacts.one(of), mine, need, lambda _: None)

    assert verified(artefact) == {"object": "ok", "audio": "ok"}
    assert verified(artefact, opened=False) == {"object": "ok", "audio": "not opened"}
    assert verified(artefact, purpose="training")["audio"] == "not opened: made for evidence"
    assert verified(waiting) == {"object": "waiting"}
    file = file_of(place, "eu", artefact)
    whole = file.read_bytes()
    for wrong in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(wrong)
        with pytest.raises(Damaged):
            verified(artefact, opened=False)
    file.unlink()
    with pytest.raises(NotFound):
        verified(artefact, opened=False)


# -- compared --------------------------------------------------------------------------------------------


class Compared:
    """What reconcile tells of the vaults, and does about it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.known = {
            name: VaultSettings(name=name, url=vault.audio.url, keys=vault.keys.url)
            for name, vault in place.vaults.items()
        }

    def told(self, resolve: Kind | None = None) -> list[tuple[str, str]]:
        """Kind and subject of each difference; those of this kind are resolved."""
        with closing(Reconciling(self.place.world.as_person("olga"))) as catalog:
            worlds = Worlds(
                catalog.catalog("fs1", 0, []), tuple(listing(each) for each in self.known.values())
            )
            found = [each for each in compare(worlds, 1 << 60, 0) if each.where.startswith("vault")]
            spool = SimpleNamespace(directory=self.place.root / "spool")
            settings = cast(Settings, SimpleNamespace(vaults=self.known, spool=spool))
            for each in found:
                if each.kind is resolve:
                    Resolving(settings, catalog, worlds).resolve(each)
        return [(each.kind.value, each.subject) for each in found]


def test_reconcile_tells_of_it_as_of_its_recording(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    artefact = made_of(place)
    made_of(place, b"waiting", stowed=False)
    place.turn()
    compared = Compared(place)
    assert compared.told() == []
    file = file_of(place, "eu", artefact)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert compared.told() == [("truncated-object", artefact)]
    file.unlink()
    assert compared.told(Kind.ROW_WITHOUT_OBJECT) == [("row-without-object", artefact)]
    assert compared.told() == [("damaged-object", artefact)], "keep has its alarm"
    key = place.world.sql(
        "admin", "SELECT object_key FROM fsgov.artefacts WHERE artefact = %s", values=[artefact]
    )
    back = place.vaults["eu"].audio.put_bytes(key[0][0], whole, {})
    assert ("restored-object", f"eu/{key[0][0]}#{back.version_id}") in compared.told(Kind.RESTORED_OBJECT)
    assert scrub(place.site).troubles == {}
    assert compared.told() == []


def test_what_has_lost_its_row_gets_one_for_no_purpose_and_goes_with_its_recording(place: Place) -> None:
    place.ship()
    artefact = made_of(place)
    place.world.sql("admin", "DELETE FROM fsgov.artefacts")
    key = f"default/2026/11/{SEGMENT}/{artefact}.age"
    compared = Compared(place)
    ((kind, subject),) = compared.told(Kind.ORPHAN_OBJECT)
    assert (kind, subject.rpartition("#")[0]) == ("orphan-object", f"eu/{key}")
    assert compared.told() == []
    place.world.person("petra", "privacy", "auditor")
    desk = place.world.desk("petra")
    row = desk.artefacts.one(artefact)
    assert (row.segment, row.kind, row.purpose, row.state) == (SEGMENT, "adopted", "", "stored")
    desk.artefacts.request(artefact, "audit", "what is it")
    assert ("eu", key, "artefact") in place.world.sql(
        "keep", "SELECT * FROM fsgov.objects_of(%s)", values=[SEGMENT]
    )
    place.world.sql("admin", "DELETE FROM fsgov.artefacts", "UPDATE fsgov.segments SET state = 'destroying'")
    with pytest.raises(Conflict, match="belongs to no recording"):
        compared.told(Kind.ORPHAN_OBJECT)


# -- copied ----------------------------------------------------------------------------------------------


def test_what_is_made_later_comes_to_the_copies_that_are_there(place: Place) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.turn()
    artefact = made_of(place)
    assert place.places() == [("eu", "recording"), ("dr", "tried")]
    assert [row.said for row in place.rows()] == ["", "something was made of it since, and is to come"]
    assert place.turn().troubles == {}, "and nobody is woken for it"
    assert place.places() == [("eu", "recording"), ("dr", "stored")]
    assert file_of(place, "dr", artefact).read_bytes() == file_of(place, "eu", artefact).read_bytes()
    assert place.told()[-2:] == [("copy.begun", "dr"), ("copied", "dr")]
    place.turn()
    assert len(place.objects("dr")) == 3, "once"


def test_what_is_made_while_a_copy_is_put_comes_after_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.ship()
    place.olga.ask(SEGMENT, "dr", False, "second site")
    made: list[str] = []

    def meanwhile(name: str) -> None:
        if name == "keep.copy.made" and not made:
            made.append(made_of(place))

    monkeypatch.setattr(copying, "failpoint", meanwhile)
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "tried")]
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored")]
    assert file_of(place, "dr", made[0])


def test_what_is_damaged_beside_a_copy_is_made_anew(place: Place) -> None:
    place.ship()
    artefact = made_of(place)
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.turn()
    stored = file_of(place, "dr", artefact)
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + b"x")
    place.world.sql("admin", "UPDATE fsgov.copies SET proven_at = now() - interval '91 days'")
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "tried")]
    place.turn()
    assert place.places() == [("eu", "recording"), ("dr", "stored")]
    assert whole in place.content("dr")


def test_its_copies_are_destroyed_with_its_recording_and_the_listing_proves_it(
    world: World, tmp_path: Path
) -> None:
    place = yard(world, file_vault(tmp_path))
    other = open_vault("dr", f"file:{tmp_path}/dr/audio", f"file:{tmp_path}/dr/keys")
    other.audio.create()
    other.keys.create()
    vaults = {"eu": place.vault, "dr": other}
    (segment,) = place.store(1)
    key = f"default/2026/11/{segment}/d-aaaaaaaaaaaa.age"
    put = place.vault.audio.put_bytes(key, b"sealed", {})
    world.person("olga", "ops")
    world.sql("admin", "UPDATE fsgov.segments SET policy_sha256 = NULL")
    world.sql(
        "admin",
        "INSERT INTO fsgov.artefacts (artefact, segment, tenant, state, kind, media_type, purpose, size,"
        " sealed_size, sealed_sha256, vault, object_key, version_id, attached_by)"
        " SELECT 'd-aaaaaaaaaaaa', %s, 'default', 'stored', 'score', 'text/plain', 'evidence', 5, 6, %s,"
        " 'eu', %s, %s, id FROM fsgov.people LIMIT 1",
        values=[segment, put.sha256, key, put.version_id],
    )
    with (
        closing(Placing(world.as_person("olga"))) as olga,
        closing(Copies(world.dsn, migrate.service_password(world.credentials, "keep"))) as catalog,
    ):
        olga.ask(segment, "dr", False, "second site")
        Copying(catalog, vaults, {}, {}, "fs1", place.now).run_once()
    assert key in [each.key for each in other.audio.list()]
    place.plan([segment])
    assert place.apply(vaults=Vaults(vaults, place.now)) == 1
    for vault in vaults.values():
        assert list(vault.audio.list()) == []
    listed = {(each["vault"], each["key"]) for each in place.bodies()[segment]["listed"]}
    assert {("eu", key), ("dr", key)} <= listed


# -- one alone is removed --------------------------------------------------------------------------------


class Removing:
    """Two persons of privacy, a supervisor, and keep that carries removals out."""

    def __init__(self, place: Place) -> None:
        self.place, self.world = place, place.world
        for name in ("bob", "beth"):
            self.world.person(name, "privacy")
        self.world.person("alice", "supervisor")
        self.desk = {name: self.world.desk(name).artefacts for name in ("alice", "bob", "beth")}

    def keep(self) -> tuple[int, str]:
        """One turn; how much was removed, and what fails."""
        password = migrate.service_password(self.world.credentials, "keep")
        vaults, limits = Vaults(self.place.vaults, now), Limits(rate=10, canary=1, canary_wait=0, complete=1)
        with closing(Purge(Purging(self.world.dsn, password), vaults, limits, "fs1", now)) as purge:
            return purge.turn(), str(purge.failing.trouble() or "")

    def state(self, artefact: str) -> str:
        return self.desk["bob"].one(artefact).state


def test_a_wrong_one_goes_from_everywhere_by_two_persons_and_its_recording_stays(place: Place) -> None:
    place.ship()
    wrong, right = made_of(place, b"of somebody else"), made_of(place)
    place.olga.ask(SEGMENT, "dr", False, "second site")
    of = Removing(place)
    of.desk["bob"].ask_detach(wrong, "it is of another call")
    with pytest.raises(Conflict, match="copy of its recording is being made"):
        of.desk["beth"].approve_detach(wrong)
    place.turn()
    with pytest.raises(NotPermitted, match="Nobody approves"):
        of.desk["bob"].approve_detach(wrong)
    with pytest.raises(NotPermitted):
        of.desk["alice"].approve_detach(wrong)
    with pytest.raises(Conflict, match="Nobody has asked"):
        of.desk["beth"].approve_detach(right)
    assert of.keep() == (0, "")
    holds.place(place.world, segment=SEGMENT)
    with pytest.raises(Conflict, match="Its recording is under a hold"):
        of.desk["beth"].approve_detach(wrong)
    with pytest.raises(psycopg2.Error, match="under a hold"):
        place.world.sql("admin", "UPDATE fsgov.artefacts SET state = 'removing'")
    holds.release(place.world)
    of.desk["beth"].approve_detach(wrong)
    with pytest.raises(Conflict, match="is removing"):
        of.desk["bob"].request(wrong, "evidence", "to read")
    assert Compared(place).told() == []
    assert of.keep() == (1, "")
    assert [key for name in ("eu", "dr") for key in place.objects(name) if wrong in key] == []
    assert [len([key for key in place.objects(name) if right in key]) for name in ("eu", "dr")] == [1, 1]
    row = of.desk["bob"].one(wrong)
    assert (row.state, row.sha256, row.made_by) == ("destroyed", None, "")
    bob, beth = (place.world.desk(name).whoami().person for name in ("bob", "beth"))
    assert (row.asked_by, row.approved_by, row.removed_at is None) == (bob, beth, False)
    (line,) = lines(place.site, "artefact.destroyed")
    assert (line["subject"], line["data"]) == (wrong, {
        "call": CALL, "segment": SEGMENT, "asked_by": bob, "approved_by": beth, "versions": 2,
    })  # fmt: skip
    assert of.keep() == (0, "")
    assert place.turn().troubles == {}
    assert scrub(place.site).troubles == {}
    assert (row_vault(place), of.state(right), Compared(place).told()) == ("eu", "stored", [])
    again = made_of(place, b"of somebody else")
    assert again != wrong, "what was removed is not there"


def test_what_waits_for_ship_is_removed_too_and_what_is_locked_waits(place: Place) -> None:
    place.ship()
    of = Removing(place)
    waiting = made_of(place, stowed=False)
    of.desk["alice"].ask_detach(waiting, "wrong")
    of.desk["bob"].approve_detach(waiting)
    assert place.world.sql("admin", "SELECT FROM fsgov.artefact_bytes") == []
    place.world.sql(
        "keep", "SELECT fsgov.note_lock(%s, 'eu', 'GOVERNANCE', now() + interval '1 day')", values=[SEGMENT]
    )
    assert (of.keep(), of.state(waiting)) == ((0, ""), "removing")
    place.world.sql("admin", "DELETE FROM fsgov.locks")
    holds.place(place.world, segment=SEGMENT)
    assert (of.keep(), of.state(waiting)) == ((0, ""), "removing"), "it came late, and not too late"
    holds.release(place.world)
    assert (of.keep(), of.state(waiting)) == ((1, ""), "destroyed")


def test_a_copy_that_leaves_takes_along_what_is_being_removed(place: Place) -> None:
    place.ship()
    of = Removing(place)
    artefact = made_of(place)
    place.olga.ask(SEGMENT, "dr", False, "second site")
    place.turn()
    of.desk["bob"].ask_detach(artefact, "wrong")
    of.desk["beth"].approve_detach(artefact)
    place.olga.drop(SEGMENT, "dr", "one is enough")
    place.turn()
    assert (place.places(), place.objects("dr")) == ([("eu", "recording")], [])
    assert (of.keep(), of.state(artefact), len(place.objects("eu"))) == ((1, ""), "destroyed", 2)


def test_a_vault_that_is_away_keeps_a_removal_waiting(place: Place) -> None:
    place.ship()
    of = Removing(place)
    artefact = made_of(place)
    of.desk["bob"].ask_detach(artefact, "wrong")
    of.desk["beth"].approve_detach(artefact)
    (place.root / "eu" / "audio").rename(place.root / "away")
    assert of.keep()[0] == 0
    assert of.state(artefact) == "removing"
    (place.root / "away").rename(place.root / "eu" / "audio")
    assert (of.keep(), of.state(artefact)) == ((1, ""), "destroyed")


# -- locked ----------------------------------------------------------------------------------------------


def on_rgw(rgw: Rgw, database: str, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Site, World]:
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    site = site_on(rgw, database, tmp_path, f"child-{name}")
    world = World(database, tmp_path / "logins")
    world.person("ingo", "integrator")
    return site, world


def child_on(site: Site, world: World, segment: str, text: bytes = TEXT) -> tuple[str, str]:
    """Attached and stored; key and version."""
    artefact = artefacts.attach(world.as_person("ingo"), segment, text)
    assert artefacts.stow(site.dsn, world.credentials, eu=site.vault().audio) == 1
    ((key, version),) = site.ask(
        "SELECT object_key, version_id FROM fsgov.artefacts WHERE artefact = %s", artefact
    )
    return str(key), str(version)


def lock_of(vault: Vault, key: str, version: str) -> tuple[str | None, int | None]:
    told = vault.audio.stat(key, version)
    return told.lock_mode, told.retain_until


def test_it_is_locked_as_long_as_its_recording_and_grows_with_it(
    rgw: Rgw, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    site, world = on_rgw(rgw, database, tmp_path, request)
    try:
        segment = recorded(site)
        site.ship()
        key, version = child_on(site, world, segment)
        assert lock_of(site.vault(), key, version) == ("COMPLIANCE", ends(2)), "before its row says stored"
        with locking(site) as made:
            made.run_once()
        (line,) = lines(site, "artefact.locked")
        assert (line["data"]["segment"], line["data"]["mode"]) == (segment, "compliance")
        call = call_file(CALL, [segment])
        ended = call | {"opened": now(), "ended": now() + 3 * DAY, "outcome": "recorded"}
        change(site, "SELECT fsgov.enter_call(%s::jsonb)", json.dumps(ended))
        with locking(site) as made:
            made.run_once()
        assert lock_of(site.vault(), key, version) == ("COMPLIANCE", ends(5))
        with pytest.raises(Conflict, match="locked"):
            site.vault().audio.remove(key, version)
        other = Site(
            **{**vars(site), "url": rgw.url("child-dr-audio"), "keys": rgw.url("child-dr-keys")}
        ).vault()
        other.audio.create()
        other.keys.create()
        site.vault().audio.hold(*site.ask("SELECT object_key, version_id FROM fsgov.segments")[0], True)
        change(
            site,
            "INSERT INTO fsgov.copies (id, segment, tenant, vault, object_key)"
            " SELECT 'c-aaaaaaaa', segment, tenant, 'dr', object_key FROM fsgov.segments",
        )
        with closing(Copies(database, migrate.service_password(tmp_path / "logins", "keep"))) as catalog:
            Copying(catalog, {"eu": site.vault(), "dr": other}, {}, {}, "fs1", now).run_once()
        ((there,),) = site.ask("SELECT artefacts ->> %s FROM fsgov.copies", key)
        assert lock_of(other, key, there) == ("COMPLIANCE", ends(5))
        assert other.audio.stat(key, there).legal_hold, "what is held there is held here"
        change(site, "UPDATE fsgov.calls SET ended_at = to_timestamp(%s)", (now() + 6 * DAY) / 1e6)
        with locking(site, {"eu": site.vault(), "dr": other}) as made:
            made.run_once()
        assert {lock_of(site.vault(), key, version), lock_of(other, key, there)} == {("COMPLIANCE", ends(8))}
    finally:
        world.close()


def test_it_is_locked_neither_in_quarantine_nor_on_its_way_to_destruction(
    rgw: Rgw, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    site, world = on_rgw(rgw, database, tmp_path, request)
    try:
        set_aside, refused = recorded(site, 1), recorded(site, 2)
        site.ship()
        for segment in (set_aside, refused):
            artefacts.attach(world.as_person("ingo"), segment, TEXT)
        change(site, "UPDATE fsgov.segments SET state = 'quarantined', quarantine = 'withdrawn' WHERE n = 1")
        change(site, "UPDATE fsgov.segments SET dispose = true WHERE n = 2")
        assert artefacts.stow(site.dsn, world.credentials, eu=site.vault().audio) == 2
        with locking(site) as made:
            made.run_once()
        rows = site.ask("SELECT object_key, version_id FROM fsgov.artefacts")
        assert [lock_of(site.vault(), *row) for row in rows] == [(None, None)] * 2
        change(site, "UPDATE fsgov.segments SET state = 'stored', quarantine = '' WHERE n = 1")
        with locking(site) as made:
            made.run_once()
        kept = site.ask("SELECT object_key, version_id FROM fsgov.artefacts WHERE segment = %s", set_aside)
        assert lock_of(site.vault(), *kept[0]) == ("COMPLIANCE", ends(2)), "a reviewer released it"
    finally:
        world.close()
