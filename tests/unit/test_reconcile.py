"""Comparing the worlds: every difference that was put in is found, and nothing else; both ways."""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov.errors import NotFound
from fsgov.reconcile import Difference, Kind, Worlds, cdr, compare
from fsgov.reconcile.worlds import (
    RESOLUTION,
    AudioFile,
    Catalog,
    Copy,
    Host,
    OpenCall,
    Recording,
    Row,
    Session,
    SidecarFile,
    StoredObject,
    Unarrived,
    VaultListing,
)

PACKAGE = Path(__file__).parents[2] / "fsgov" / "reconcile"
NOW = 1_795_279_045_000_000
HOUR = 3_600_000_000
OLD, NEW = NOW - 5 * HOUR, NOW - HOUR // 2
AUDIO = "/switch/audio"


def key(segment: str) -> str:
    return f"default/2026/11/{segment}.age"


def row(segment: str, vault: str = "eu", **changes: object) -> Row:
    return replace(Row(segment, vault, key(segment), "v1", 900, OLD), **changes)  # type: ignore[arg-type]


def sound(stored: int, live: int, waiting: int, age: int) -> Worlds:
    """A day without a difference: `stored` segments long ago, `waiting` on their way, `live` calls up."""
    rows, objects, keys, sidecars, audio, calls, sessions, running = [], [], {}, [], [], {}, [], []
    for n in range(stored):
        segment = f"stored{n}-01"
        rows.append(row(segment, stored=NOW - age))
        objects.append(StoredObject(key(segment), "v1", 900, NOW - age))
        keys[segment] = NOW - age
        if n % 2:
            sidecars.append(SidecarFile(segment, f"stored{n}", "entered", NOW - age, key(segment)))
    for n in range(waiting):  # in the vault, and not entered: PostgreSQL is away since yesterday
        segment = f"waits{n}-01"
        sidecars.append(SidecarFile(segment, f"waits{n}", "stored", OLD, key(segment)))
        audio.append(AudioFile(f"{segment}.wav", OLD))
        objects.append(StoredObject(key(segment), "v1", 900, OLD))
        keys[segment] = OLD
        calls[f"waits{n}"] = frozenset({f"leg-waits{n}"})
    for n in range(live):
        calls[f"live{n}"] = frozenset({f"leg-live{n}"})
        sessions.append(Session(f"leg-live{n}", OLD))
        running.append(Recording(f"leg-live{n}", f"{AUDIO}/live{n}-01.wav"))
        sidecars.append(SidecarFile(f"live{n}-01", f"live{n}", "open", OLD))
        audio.append(AudioFile(f"live{n}-01.wav", OLD))
    objects += [
        StoredObject("log/log-a/000000000001.checkpoint", "v1", 9, OLD),
        StoredObject("probe/0011", "v1", 3, OLD),
    ]
    ended = tuple(Session(f"leg-stored{n}", NOW - age, "catalog") for n in range(stored))
    catalog = Catalog(
        rows=(*rows, row("elsewhere-01", "us"), row("silent-01", key=None, version=None, size=None)),
        open_calls=(
            *(OpenCall(f"live{n}", "fs1", OLD, frozenset({f"leg-live{n}"})) for n in range(live)),
            *(OpenCall(f"waits{n}", "fs1", OLD) for n in range(waiting)),
            OpenCall("theirs", "fs2", OLD),
        ),
        unarrived=(
            *(Unarrived(f"waits{n}-01", f"waits{n}", "fs1", OLD) for n in range(waiting)),
            Unarrived("theirs-01", "theirs", "fs2", OLD),
        ),
        legs=frozenset(session.leg for session in ended),
        ended=ended,
    )
    host = Host(
        name="fs1",
        switch_audio=AUDIO,
        audio=tuple(audio),
        sidecars=tuple(sidecars),
        calls=calls,
        live=tuple(sessions),
        recordings=tuple(running),
        cdr=tuple(replace(session, source="cdr") for session in ended),
    )
    return Worlds(catalog, (VaultListing("eu", tuple(objects), keys),), host)


SOUND = st.builds(
    sound, st.integers(1, 4), st.integers(0, 3), st.integers(0, 3), st.sampled_from([HOUR, HOUR * 900])
)


def with_host(worlds: Worlds, **more: tuple[object, ...]) -> Worlds:
    """The worlds with more of something on the host."""
    assert worlds.host is not None
    changes: dict[str, Any] = {name: (*getattr(worlds.host, name), *these) for name, these in more.items()}
    return replace(worlds, host=replace(worlds.host, **changes))


def with_rows(worlds: Worlds, **more: tuple[object, ...]) -> Worlds:
    changes: dict[str, Any] = {name: (*getattr(worlds.catalog, name), *these) for name, these in more.items()}
    return replace(worlds, catalog=replace(worlds.catalog, **changes))


def in_vault(worlds: Worlds, *objects: StoredObject, **keys: int) -> Worlds:
    (vault,) = worlds.vaults
    held = {**(vault.keys or {}), **{name.replace("_", "-"): at for name, at in keys.items()}}
    return replace(worlds, vaults=(replace(vault, objects=(*vault.objects, *objects), keys=held),))


def without_object(worlds: Worlds) -> Worlds:
    (vault,) = worlds.vaults
    left = tuple(each for each in vault.objects if each.key != key("stored0-01"))
    return replace(worlds, vaults=(replace(vault, objects=left),))


def cut(worlds: Worlds) -> Worlds:
    (vault,) = worlds.vaults
    cut = [replace(each, size=8) if each.key == key("stored0-01") else each for each in vault.objects]
    return replace(worlds, vaults=(replace(vault, objects=tuple(cut)),))


def without_key(worlds: Worlds) -> Worlds:
    (vault,) = worlds.vaults
    assert vault.keys is not None
    left = {name: at for name, at in vault.keys.items() if name != "stored0-01"}
    return replace(worlds, vaults=(replace(vault, keys=left),))


def without_cdr(worlds: Worlds) -> Worlds:
    assert worlds.host is not None
    assert worlds.host.cdr is not None
    left = tuple(each for each in worlds.host.cdr if each.leg != "leg-stored0")
    return replace(worlds, host=replace(worlds.host, cdr=left))


def changed_row(worlds: Worlds, **changes: object) -> Worlds:
    rows = tuple(
        replace(each, **changes) if each.segment == "stored0-01" else each  # type: ignore[arg-type]
        for each in worlds.catalog.rows
    )
    return replace(worlds, catalog=replace(worlds.catalog, rows=rows))


STRAY = StoredObject(key("stray-01"), "v9", 7, OLD)
INJECTED: dict[str, tuple[Kind, str, Callable[[Worlds], Worlds]]] = {
    "a file": (Kind.ORPHAN_FILE, "x.wav", lambda w: with_host(w, audio=(AudioFile("x.wav", OLD),))),
    "a file with the name of a segment": (
        Kind.ORPHAN_FILE, "gone-01.wav", lambda w: with_host(w, audio=(AudioFile("gone-01.wav", OLD),))
    ),
    "a link": (
        Kind.ORPHAN_FILE, "l", lambda w: with_host(w, audio=(AudioFile("l", OLD, regular=False),))
    ),
    "a sidecar nobody hands over": (
        Kind.FORGOTTEN_SEGMENT, "left-01",
        lambda w: with_host(w, sidecars=(SidecarFile("left-01", "left", "open", OLD),)),
    ),
    "a recording of somebody else's": (
        Kind.FOREIGN_RECORDING, "leg-x",
        lambda w: with_host(w, recordings=(Recording("leg-x", "/tmp/a.wav"),)),
    ),
    "a recording in our directory under another name": (
        Kind.FOREIGN_RECORDING, "leg-x",
        lambda w: with_host(w, recordings=(Recording("leg-x", f"{AUDIO}/+4930.wav"),)),
    ),
    "a live leg": (Kind.UNGOVERNED_SESSION, "leg-y", lambda w: with_host(w, live=(Session("leg-y", OLD),))),
    "a session of the CDRs": (
        Kind.UNGOVERNED_SESSION, "leg-y", lambda w: with_host(w, cdr=(Session("leg-y", OLD, "cdr"),))
    ),
    "a session without CDR": (Kind.SESSION_WITHOUT_CDR, "leg-stored0", without_cdr),
    "a call that its host forgot": (
        Kind.CALL_WITHOUT_OUTCOME, "lost",
        lambda w: with_rows(w, open_calls=(OpenCall("lost", "fs1", OLD, frozenset({"leg-z"})),)),
    ),
    "a segment that never came": (
        Kind.SEGMENT_WITHOUT_ROW, "lost-02",
        lambda w: with_rows(w, unarrived=(Unarrived("lost-02", "lost", "fs1", OLD),)),
    ),
    "an object": (Kind.ORPHAN_OBJECT, f"eu/{STRAY.key}#v9", lambda w: in_vault(w, STRAY, stray_01=OLD)),
    "an object that no segment is named by": (
        Kind.ORPHAN_OBJECT, "eu/readme.txt#v9", lambda w: in_vault(w, replace(STRAY, key="readme.txt"))
    ),
    "another version": (
        Kind.SECOND_COPY, f"eu/{key('stored0-01')}#v2",
        lambda w: in_vault(w, StoredObject(key("stored0-01"), "v2", 900, OLD)),
    ),
    "another version in the place of a lost one": (
        Kind.RESTORED_OBJECT, f"eu/{key('stored0-01')}#v2",
        lambda w: in_vault(without_object(w), StoredObject(key("stored0-01"), "v2", 900, OLD)),
    ),
    "an object of a destroyed recording": (
        Kind.RETURNED_OBJECT, f"eu/{key('gone-01')}#v1",
        lambda w: in_vault(
            with_rows(w, rows=(replace(row("gone-01"), key=None, destroyed=True),)),
            StoredObject(key("gone-01"), "v1", 900, OLD),
        ),
    ),
    "an artefact of one": (
        Kind.RETURNED_OBJECT, "eu/default/2026/11/gone-02/d-a.age#v1",
        lambda w: in_vault(
            with_rows(w, rows=(replace(row("gone-02"), key=None, destroyed=True),)),
            StoredObject("default/2026/11/gone-02/d-a.age", "v1", 90, OLD),
        ),
    ),
    "a key of one": (
        Kind.RETURNED_OBJECT, "eu/keys/gone-03#",
        lambda w: in_vault(
            with_rows(w, rows=(replace(row("gone-03"), key=None, destroyed=True),)), gone_03=OLD
        ),
    ),
    "no object": (Kind.ROW_WITHOUT_OBJECT, "stored0-01", without_object),
    "half an object": (Kind.TRUNCATED_OBJECT, "stored0-01", cut),
    "a key": (Kind.KEY_WITHOUT_OBJECT, "lonely-01", lambda w: in_vault(w, lonely_01=OLD)),
    "no key": (Kind.OBJECT_WITHOUT_KEY, "stored0-01", without_key),
    "media that was cut": (
        Kind.TRUNCATED_MEDIA, "stored0-01", lambda w: changed_row(w, truncated=True)
    ),
    "an object that scrub found wrong": (
        Kind.DAMAGED_OBJECT, "stored0-01", lambda w: changed_row(w, verdict="corrupted")
    ),
}  # fmt: skip


def names(found: list[Difference]) -> set[tuple[Kind, str]]:
    return {(each.kind, each.subject) for each in found}


@given(SOUND)
def test_worlds_that_agree_have_no_difference(worlds: Worlds) -> None:
    assert compare(worlds, NOW, HOUR // 2) == []


@given(SOUND, st.sets(st.sampled_from(sorted(INJECTED)), max_size=4))
def test_what_was_put_in_is_found_and_nothing_else(worlds: Worlds, chosen: set[str]) -> None:
    if sum("stored0" in INJECTED[name][1] for name in chosen) > 1:  # two faults of one thing hide each other
        chosen = {min(chosen)}
    for name in sorted(chosen):
        worlds = INJECTED[name][2](worlds)
    expected = {INJECTED[name][:2] for name in chosen}
    assert names(compare(worlds, NOW, HOUR // 2)) == expected


@pytest.mark.parametrize("name", sorted(INJECTED))
def test_each_kind_is_found_told_when_and_what_is_done(name: str) -> None:
    kind, subject, put = INJECTED[name]
    (found,) = compare(put(sound(2, 1, 1, 5 * HOUR)), NOW, HOUR)
    assert (found.kind, found.subject, found.resolution) == (kind, subject, RESOLUTION[kind])
    assert found.since in (OLD, None)


@pytest.mark.parametrize("name", sorted(INJECTED))
def test_what_was_noted_is_not_told_again(name: str) -> None:
    kind, subject, put = INJECTED[name]
    worlds = put(sound(2, 1, 1, 5 * HOUR))
    noted = replace(worlds.catalog, noted=frozenset({(kind.value, subject)}))
    assert compare(replace(worlds, catalog=noted), NOW, HOUR) == []


def test_every_kind_is_put_in_by_a_test() -> None:
    assert {kind for kind, _, _ in INJECTED.values()} == set(Kind)


def test_what_scrub_found_wrong_may_be_back_as_another_version() -> None:
    worlds = changed_row(sound(1, 0, 0, 5 * HOUR), verdict="corrupted")
    back = StoredObject(key("stored0-01"), "v2", 900, OLD)
    assert names(compare(in_vault(worlds, back), NOW, HOUR)) == {
        (Kind.RESTORED_OBJECT, f"eu/{back.key}#v2"), (Kind.DAMAGED_OBJECT, "stored0-01")
    }  # fmt: skip
    cut = in_vault(worlds, replace(back, size=899))
    assert (Kind.SECOND_COPY, f"eu/{back.key}#v2") in names(compare(cut, NOW, HOUR))


def test_what_is_young_is_on_its_way() -> None:
    worlds = with_host(
        sound(1, 0, 0, 5 * HOUR),
        audio=(AudioFile("x.wav", NEW),),
        sidecars=(SidecarFile("left-01", "left", "open", NEW),),
        live=(Session("leg-y", NEW),),
        cdr=(Session("leg-w", NEW, "cdr"),),
    )
    worlds = with_rows(
        worlds,
        rows=(row("new-01", stored=NEW),),
        open_calls=(OpenCall("lost", "fs1", NEW),),
        unarrived=(Unarrived("lost-01", "lost", "fs1", NEW),),
        ended=(Session("leg-v", NEW, "catalog"),),
    )
    worlds = in_vault(worlds, replace(STRAY, modified=NEW), lonely_01=NEW)
    assert compare(worlds, NOW, HOUR) == []
    assert len(compare(worlds, NOW + HOUR, HOUR)) == 11


def test_a_vault_that_did_not_answer_has_neither_orphans_nor_losses() -> None:
    worlds = replace(sound(3, 1, 1, 5 * HOUR), vaults=())
    assert compare(worlds, NOW, HOUR) == []
    (vault,) = without_object(sound(3, 0, 0, 5 * HOUR)).vaults
    unlisted = replace(worlds, vaults=(replace(vault, keys=None),))
    assert names(compare(unlisted, NOW, HOUR)) == {(Kind.ROW_WITHOUT_OBJECT, "stored0-01")}


def test_what_is_found_somewhere_is_not_given_up() -> None:
    """The catalog was restored: the object is adopted, and then the segment has its row."""
    worlds = INJECTED["a segment that never came"][2](sound(1, 0, 0, 5 * HOUR))
    assert [kind for kind, _ in names(compare(worlds, NOW, HOUR))] == [Kind.SEGMENT_WITHOUT_ROW]
    assert compare(replace(worlds, whole=False), NOW, HOUR) == []
    stored = in_vault(worlds, replace(STRAY, key=key("lost-02")), lost_02=OLD)
    assert [kind for kind, _ in names(compare(stored, NOW, HOUR))] == [Kind.ORPHAN_OBJECT]
    on_disk = with_host(worlds, audio=(AudioFile("lost-02.wav", OLD),))
    assert [kind for kind, _ in names(compare(on_disk, NOW, HOUR))] == [Kind.ORPHAN_FILE]


def test_without_the_switch_no_call_is_given_up() -> None:
    worlds = INJECTED["a call that its host forgot"][2](sound(1, 1, 0, 5 * HOUR))
    assert worlds.host is not None
    assert compare(replace(worlds, host=replace(worlds.host, live=None)), NOW, HOUR) == []
    assert compare(replace(worlds, host=None), NOW, HOUR) == []


def test_a_call_whose_leg_is_still_up_is_not_given_up() -> None:
    lost = OpenCall("lost", "fs1", OLD, frozenset({"leg-live0"}))
    assert compare(with_rows(sound(1, 1, 0, 5 * HOUR), open_calls=(lost,)), NOW, HOUR) == []


def test_a_call_gets_no_outcome_before_its_audio_has_a_row() -> None:
    worlds = INJECTED["a call that its host forgot"][2](sound(1, 0, 0, 5 * HOUR))
    for change, kind in (
        (with_host(worlds, audio=(AudioFile("lost-01.wav", OLD),)), Kind.ORPHAN_FILE),
        (with_host(worlds, sidecars=(SidecarFile("lost-01", "lost", "open", OLD),)), Kind.FORGOTTEN_SEGMENT),
        (in_vault(worlds, replace(STRAY, key=key("lost-01")), lost_01=OLD), Kind.ORPHAN_OBJECT),
    ):
        assert {found for found, _ in names(compare(change, NOW, HOUR))} == {kind}


def test_a_host_that_is_gone_has_no_calls_any_more() -> None:
    worlds = replace(sound(1, 1, 1, 5 * HOUR), gone=frozenset({"fs2"}))
    assert names(compare(worlds, NOW, HOUR)) == {
        (Kind.CALL_WITHOUT_OUTCOME, "theirs"),
        (Kind.SEGMENT_WITHOUT_ROW, "theirs-01"),
    }


def test_a_row_that_is_marked_is_told_as_damaged_until_that_is_accepted() -> None:
    worlds = changed_row(without_object(sound(1, 0, 0, 5 * HOUR)), verdict="missing")
    assert names(compare(worlds, NOW, HOUR)) == {(Kind.DAMAGED_OBJECT, "stored0-01")}


def test_a_foreign_recording_is_told_without_the_name_of_its_file() -> None:
    (found,) = compare(
        with_host(sound(1, 0, 0, 5 * HOUR), recordings=(Recording("leg-x", "/tmp/+493012345.wav"),)),
        NOW,
        HOUR,
    )
    assert found.detail == "/tmp"


def test_comparing_reaches_for_nothing() -> None:
    allowed = {"__future__", "re", "collections", "pathlib", "dataclasses", "enum", "fsgov"}
    for module in ("compare", "worlds"):
        for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= allowed
            elif isinstance(node, ast.ImportFrom):
                assert node.module
                assert node.module.partition(".")[0] in allowed
                assert not node.module.startswith("fsgov") or node.module == "fsgov.reconcile.worlds"


# -- call detail records ---------------------------------------------------------------------------------

LEG, OTHER = "0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab", "1f6c2d1e-aaaa-4bbb-8ccc-0123456789ab"


def csv_row(name: str, leg: str, ended: int) -> str:
    stamp = datetime.fromtimestamp(ended // 1_000_000).strftime("%Y-%m-%d %H:%M:%S")  # in its zone
    fields = [name, "030", "1", "x", stamp, stamp, stamp, "5", "5", "NONE", leg, "", "", "PCMA", "PCMA"]
    return ",".join(f'"{field}"' for field in fields) + "\n"


def test_sessions_of_mod_cdr_csv(tmp_path: Path) -> None:
    forged = f'x","1","1","1","1","1","1","1","1","1","{OTHER}'
    (tmp_path / "Master.csv").write_text(csv_row("Bob", LEG, OLD) + csv_row("late", OTHER, OLD - 30 * HOUR))
    (tmp_path / "Master.csv.2026-11-21-10-00-00").write_text(
        "torn,row\n" + csv_row(forged, LEG, OLD + 1_000_000)
    )
    found = list(cdr.read(tmp_path, OLD - HOUR))
    assert [(each.leg, each.at) for each in found] == [(LEG, OLD), (LEG, OLD + 1_000_000)]


def test_sessions_of_mod_xml_cdr(tmp_path: Path) -> None:
    now = time.time()
    for name, age in ((f"a_{LEG}.cdr.xml", 60), (f"{OTHER}.cdr.xml", 7200), ("x.cdr.xml", 60)):
        (tmp_path / name).write_text("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>")
        os.utime(tmp_path / name, (now - age, now - age))
    found = list(cdr.read(tmp_path, int((now - 3600) * 1_000_000)))
    assert [each.leg for each in found] == [LEG]
    assert abs(found[0].at - (now - 60) * 1_000_000) < 10


def test_a_directory_of_cdrs_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        list(cdr.read(tmp_path / "nowhere", 0))


def test_what_was_made_of_a_recording_is_compared_as_that_is() -> None:
    worlds = sound(1, 0, 0, 5 * HOUR)
    vault = worlds.vaults[0]
    made = StoredObject(key("stored0-01").replace(".age", "/d-abcdefghijkl.age"), "v1", 90, OLD)
    child = Row("d-abcdefghijkl", vault.name, made.key, "v1", 90, OLD, parent="stored0-01")

    def found(there: StoredObject | None, *rows: Row, **more: Any) -> list[Kind]:
        objects = vault.objects if there is None else (*vault.objects, there)
        catalog = replace(worlds.catalog, rows=(*worlds.catalog.rows, *rows), **more)
        changed = replace(worlds, vaults=(replace(vault, objects=objects),), catalog=catalog)
        return [each.kind for each in compare(changed, NOW, HOUR)]

    assert found(made, child) == []
    assert found(made) == [Kind.ORPHAN_OBJECT]
    assert found(made, replace(child, vault="uk")) == [Kind.ORPHAN_OBJECT], "it lies elsewhere"
    assert found(made, copies=(Copy(child.segment, vault.name, made.key),)) == [], "on its way"
    assert found(None, child) == [Kind.ROW_WITHOUT_OBJECT]
    assert found(replace(made, size=80), child) == [Kind.TRUNCATED_OBJECT]
    assert found(replace(made, version="v2"), child) == [Kind.RESTORED_OBJECT]
    assert found(made, replace(child, verdict="corrupted")) == [Kind.DAMAGED_OBJECT]
    assert found(made, replace(child, key=None)) == [Kind.ORPHAN_OBJECT], "it was destroyed, and is back"
