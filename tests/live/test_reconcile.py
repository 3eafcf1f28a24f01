"""`fsgov reconcile` on a real PostgreSQL, a vault, a switch: each difference is made, told, resolved. 50 s"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog import reconciling
from fsgov.config.secret import Secret
from fsgov.config.settings import Login, VaultSettings
from fsgov.errors import NotFound
from fsgov.reconcile import Kind, Worlds, compare, vaults
from fsgov.reconcile.host import wall_clock
from fsgov.reconcile.worlds import Catalog
from fsgov.simulator.remote import Remote
from fsgov.vault import Vault
from tests.live.cli import Company, company
from tests.live.shipping import CALL, OPENED, Site, talk
from tests.live.test_shipper_s3 import site_on
from tests.parts.moto import Moto
from tests.parts.schemas import faults

FIRST, SECOND = f"{CALL}-01", f"{CALL}-02"
NOW = ("--grace", "0 s")
STRAY = talk(300)


@dataclass
class Office(Company):
    """The company, its switch, and a hand in the database that no grant holds back."""

    switch: Remote = field(kw_only=True)

    def change(self, *statements: str, values: tuple[object, ...] = ()) -> None:
        with (
            closing(psycopg2.connect(self.site.dsn)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement, values if "%s" in statement else ())


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The company with a switch, and with olga, who is ops and sits at the host."""
    root = tmp_path_factory.mktemp("r")
    with company(root) as made:
        made.hire("olga", "ops")
        made.hire("oscar", "ops", "--tenant", "default")
        (root / "sim").mkdir()
        (root / "cdr").mkdir()
        with Remote.start(recordings=root / "spool" / "audio", directory=root / "sim") as switch:
            host = (root / "host.toml").read_text().replace("port = 1\n", f"port = {switch.address[1]}\n")
            host = host.replace("[switch]\n", '[switch]\ncdr = "cdr"\n')
            for login in ("olga", "oscar"):
                admin = f'[admin]\nuser = "{login}"\npassword = "file:{login}.password"\n'
                (root / f"{login}.toml").write_text(host + admin)
            office = Office(made.root, made.site, made.public, switch=switch)
            found = told(office, "--apply", "all", code=0)  # the recording that a crash cut
            assert {each["kind"] for each in found["differences"]} == {"truncated-media"}
            yield office


def told(firm: Office, *words: str, code: int | None = None) -> Any:
    return firm.fsgov("reconcile", "--json", *NOW, *words, who="olga", code=code).json


def kinds(found: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["subject"]) for each in found["differences"]]


def resolved(firm: Office, kind: str, *words: str) -> str:
    """Apply one kind, which has one difference; what was done. Afterwards it is not told any more."""
    dry = told(firm, code=8)
    assert [each["kind"] for each in dry["differences"]] == [kind], dry
    (done,) = told(firm, "--apply", kind, *words, code=0)["differences"]
    assert not done["left"]
    assert last_line(firm)["data"]["kind"] == kind
    return str(done["done"])


def last_line(firm: Office) -> Any:
    """The newest line of a desk; it fits its schema."""
    ((text,),) = firm.site.ask(
        "SELECT line FROM fsgov.outbox WHERE origin LIKE 'p-%%' ORDER BY entered_at DESC, n DESC LIMIT 1"
    )
    assert faults(bytes(text)) == []
    return json.loads(bytes(text))


def agreed(firm: Office) -> bool:
    return told(firm, code=0)["differences"] == []  # type: ignore[no-any-return]


def stray(firm: Office, name: str, content: bytes = STRAY) -> Path:
    path = firm.root / "spool" / "audio" / name
    path.write_bytes(content)
    return path


def one(firm: Office, question: str, *values: object) -> Any:
    ((answer,),) = firm.site.ask(question, *values)
    return answer


@contextmanager
def away(firm: Office, segment: str) -> Iterator[None]:
    """Its object is not in the vault for the length of the block."""
    (place,) = (firm.root / "vault" / "audio").rglob(f"{segment}.age")
    place.rename(firm.root / "away")
    yield
    (firm.root / "away").rename(place)


def test_a_file_of_nobodys_goes_the_way_of_a_recording(firm: Office) -> None:
    assert agreed(firm)
    path = stray(firm, "2026-11-21 +493012345.wav")
    said = resolved(firm, "orphan-file")
    segment = said.rpartition(" ")[2]
    assert not path.exists()
    assert (path.parent / f"{segment}.wav").read_bytes() == STRAY
    firm.site.ship()
    assert firm.site.audio(segment) == STRAY
    row = firm.site.ask(
        "SELECT state, quarantine, review_by - stored_at <= interval '24 hours', adopted, found_as, masks.n"
        " FROM fsgov.segments JOIN fsgov.provenance USING (segment) LEFT JOIN fsgov.masks USING (segment)"
        " WHERE segment = %s",
        segment,
    )
    assert row == [("quarantined", "adopted", True, "spool", path.name, None)]
    assert last_line(firm)["subject"] == segment
    assert b"493012345" not in json.dumps(firm.site.lines()).encode()
    assert agreed(firm)


def test_a_file_of_a_call_keeps_its_name_or_gets_a_free_number(firm: Office) -> None:
    stray(firm, f"{CALL}-77.wav")
    assert resolved(firm, "orphan-file").endswith(f"{CALL}-77")
    firm.site.ship()
    assert firm.site.audio(f"{CALL}-77") == STRAY
    before = firm.site.audio(FIRST)
    (firm.root / "spool" / "segments" / f"{FIRST}.json").unlink()
    stray(firm, f"{FIRST}.wav")  # a copy that was restored, of a segment that has its row
    assert resolved(firm, "orphan-file").endswith(f"{CALL}-901")
    firm.site.ship()
    assert (firm.site.audio(FIRST), firm.site.audio(f"{CALL}-901")) == (before, STRAY)
    assert one(firm, "SELECT tenant FROM fsgov.segments WHERE segment = %s", f"{CALL}-901") == "default"


def test_an_empty_file_and_what_is_no_file(firm: Office) -> None:
    stray(firm, "empty.wav", b"")
    said = resolved(firm, "orphan-file")
    firm.site.ship()
    segment = said.rpartition(" ")[2]
    assert one(firm, "SELECT quarantine FROM fsgov.segments WHERE segment = %s", segment) == "empty"
    link = firm.root / "spool" / "audio" / "link.wav"
    link.symlink_to(firm.root / "host.toml")
    (left,) = told(firm, "--apply", "all", code=8)["differences"]
    assert left["left"]
    assert "no ordinary file" in left["resolution"]
    assert link.is_symlink()
    link.unlink()


def test_a_segment_that_nobody_hands_over(firm: Office) -> None:
    call = "44444444-aaaa-4bbb-8ccc-0123456789ab"
    firm.site.capture(audio=talk(400), call=call, state="open", closed=None)
    resolved(firm, "forgotten-segment")
    firm.site.ship()
    assert firm.site.audio(f"{call}-01") == talk(400)
    row = firm.site.ask("SELECT state, quarantine, rule FROM fsgov.segments WHERE segment = %s", f"{call}-01")
    assert row == [("quarantined", "adopted", "german service line")]


def test_a_call_that_its_host_forgot_and_a_segment_that_never_came(firm: Office) -> None:
    call = "55555555-aaaa-4bbb-8ccc-0123456789ab"
    segments = [f"{call}-01", f"{call}-02"]
    firm.site.capture(call=call, audio=talk(200))
    firm.site.remember(call, segments)
    firm.site.ship()
    (firm.root / "spool" / "calls" / f"{call}.json").unlink()
    found = told(firm, code=8)
    assert kinds(found) == [("segment-without-row", segments[1]), ("call-without-outcome", call)]
    assert found["totals"] == {"segment-without-row": 1, "call-without-outcome": 1}
    done = told(firm, "--apply", "all", code=0)
    assert [each["done"] for each in done["differences"]] == ["its row says missing", "recorded-in-part"]
    row = firm.site.ask("SELECT outcome, outcome_cause FROM fsgov.calls WHERE call = %s", call)
    assert row == [("recorded-in-part", "lost")]
    assert one(firm, "SELECT state FROM fsgov.segments WHERE segment = %s", segments[1]) == "missing"
    assert agreed(firm)
    firm.site.remember(call, segments, revision=2, outcome="recorded", ended=OPENED)  # it comes after all
    firm.site.ship()
    assert one(firm, "SELECT outcome FROM fsgov.calls WHERE call = %s", call) == "recorded"


def test_an_object_without_a_row_is_adopted_and_opens(firm: Office) -> None:
    segment = FIRST
    before = firm.site.audio(segment)
    state = firm.site.ask("SELECT * FROM fsgov.segments WHERE segment = %s", segment)
    _forget(firm, segment)
    resolved(firm, "orphan-object")
    assert firm.site.audio(segment) == before
    row = firm.site.ask(
        "SELECT state, quarantine, rule, tenant, audio_sha256, sealed_sha256 = %s FROM fsgov.segments"
        " WHERE segment = %s",
        *(str(state[0][_column(firm, "sealed_sha256")]), segment),
    )
    assert row == [("quarantined", "adopted", "german service line", "default", None, True)]
    export = ("recordings", "export", segment, "--reason", "x", "--identity", "desk/id.txt")
    done = firm.fsgov(*export, "--purpose", "evidence", "--output", "no", who="alice", code=5)
    assert "not for this login" in done.err
    firm.fsgov(*export, "--purpose", "review", "--output", "adopted", who="bob")
    assert (firm.root / "adopted" / f"{segment}.wav").read_bytes() == before


def test_what_ship_knows_takes_the_place_of_what_was_adopted(firm: Office) -> None:
    """PostgreSQL was restored, the object adopted; then the host with the sidecar comes back."""
    call = "66666666-aaaa-4bbb-8ccc-0123456789ab"
    segment = firm.site.capture(call=call, audio=talk(250))
    firm.site.ship()
    place = firm.root / "spool" / "segments" / f"{segment}.json"
    kept = place.read_text()
    _forget(firm, segment)
    resolved(firm, "orphan-object")
    place.write_text(kept.replace('"state": "entered"', '"state": "stored"'))
    firm.site.ship()
    row = firm.site.ask("SELECT state, adopted, purposes FROM fsgov.segments WHERE segment = %s", segment)
    assert row == [("stored", "", ["evidence"])]
    assert firm.site.audio(segment) == talk(250)


def _forget(firm: Office, segment: str) -> None:
    """The catalog and the spool have lost it; vault and key bucket have not."""
    firm.change(
        "DELETE FROM fsgov.masks WHERE segment = %s", "DELETE FROM fsgov.segment_keys WHERE segment = %s",
        "DELETE FROM fsgov.segments WHERE segment = %s", values=(segment,),
    )  # fmt: skip
    (firm.root / "spool" / "segments" / f"{segment}.json").unlink(missing_ok=True)


def _column(firm: Office, name: str) -> int:
    return int(
        one(
            firm,
            "SELECT ordinal_position - 1 FROM information_schema.columns"
            " WHERE table_schema = 'fsgov' AND table_name = 'segments' AND column_name = %s",
            name,
        )
    )


def test_objects_that_nothing_proves_are_left(firm: Office) -> None:
    vault = firm.site.vault()
    for key, metadata in (
        ("readme.txt", {}),
        ("default/2026/11/77777777-aaaa-4bbb-8ccc-0123456789ab-01.age", {}),  # no key
        ("acme/2026/11/x-1-01.age", {"segment": "y-1-01"}),
    ):
        vault.audio.put_bytes(key, b"unknown", metadata)
    vault.audio.put_bytes(f"acme/2026/11/{CALL}-88.age", b"of another tenant", {})
    vault.keys.put_bytes(f"keys/{CALL}-88", b"wrapped", {})
    vault.audio.put_bytes(f"default/2026/11/{CALL}-87.age", b"it was so", {})
    vault.keys.put_bytes(f"keys/{CALL}-87", b"wrapped", {})
    (place,) = (firm.root / "vault" / "audio").rglob(f"{CALL}-87.age/*.object")
    place.write_bytes(b"it is not")
    found = told(firm, "--apply", "all", code=8)
    assert [each["kind"] for each in found["differences"]] == ["orphan-object"] * 5
    assert all(each["left"] for each in found["differences"])
    assert vault.audio.stat("readme.txt").size == 7
    assert one(firm, "SELECT count(*) FROM fsgov.segments WHERE segment LIKE '%%-8_'") == 0
    for version in list(vault.audio.list()):
        if version.size in (7, 9, 17):
            vault.audio.remove(version.key, version.version_id)
    _no_key(vault, f"{CALL}-87")
    _no_key(vault, f"{CALL}-88")
    assert agreed(firm)


def _no_key(vault: Vault, segment: str) -> None:
    for version in list(vault.keys.list(f"keys/{segment}")):
        vault.keys.remove(version.key, version.version_id)


def test_a_row_whose_object_is_gone_or_cut_is_marked_until_it_is_back(firm: Office) -> None:
    with away(firm, SECOND):
        resolved_marked(firm, "row-without-object", "missing")
    (place,) = (firm.root / "vault" / "audio").rglob(f"{SECOND}.age/*.object")
    whole = place.read_bytes()
    firm.change("DELETE FROM fsgov.scrubs WHERE segment = %s", values=(SECOND,))
    place.write_bytes(whole[:-1])
    resolved_marked(firm, "truncated-object", "truncated")
    place.write_bytes(whole)
    done = told(firm, "--apply", "damaged-object", code=0)["differences"]
    assert [each["kind"] for each in done] == ["damaged-object"]
    firm.change("DELETE FROM fsgov.scrubs", "DELETE FROM fsgov.noted WHERE kind = 'damaged-object'")
    assert agreed(firm)


def test_an_object_that_was_put_back_as_another_version(firm: Office) -> None:
    (place,) = (firm.root / "vault" / "audio").rglob(f"{FIRST}.age/*.object")
    key, before, whole = (
        str(place.parent.relative_to(firm.root / "vault/audio")),
        place.stem,
        place.read_bytes(),
    )
    place.rename(firm.root / "lost")
    vault = firm.site.vault()
    wrong = vault.audio.put_bytes(key, whole[:-1] + b"x", {})
    (left,) = told(firm, "--apply", "all", code=8)["differences"]
    assert (left["kind"], left["left"]) == ("restored-object", True)
    assert "not the bytes" in left["resolution"]
    vault.audio.remove(key, wrong.version_id)
    stored = vault.audio.put_bytes(key, whole, {})
    resolved(firm, "restored-object")
    assert one(firm, "SELECT version_id FROM fsgov.segments WHERE segment = %s", FIRST) == stored.version_id
    assert stored.version_id != before
    assert firm.site.audio(FIRST)


def resolved_marked(firm: Office, kind: str, verdict: str) -> None:
    assert kinds(told(firm, code=8)) == [(kind, SECOND)]
    told(firm, "--apply", "all", code=0)
    assert one(firm, "SELECT verdict FROM fsgov.scrubs WHERE segment = %s", SECOND) == verdict
    assert kinds(told(firm, "--apply", "all", code=8)) == [("damaged-object", SECOND)]


def test_keys_and_copies_are_noted_and_nothing_is_taken_away(firm: Office) -> None:
    vault = firm.site.vault()
    vault.keys.put_bytes("keys/lonely-01", b"wrapped", {"segment": "lonely-01"})
    resolved(firm, "key-without-object")
    assert vault.keys.stat("keys/lonely-01").size == 7
    (key,) = [version.key for version in vault.audio.list() if SECOND in version.key]
    vault.audio.put_bytes(key, b"again", {"segment": SECOND})
    resolved(firm, "second-copy")
    assert len(list(vault.audio.list(key))) == 2
    assert last_line(firm)["subject"] == SECOND


def test_sessions_of_the_cdrs_and_of_the_switch(firm: Office) -> None:
    switch = firm.switch
    ghost = "88888888-aaaa-4bbb-8ccc-0123456789ab"
    (firm.root / "cdr" / f"a_{ghost}.cdr.xml").write_text("<cdr/>")
    resolved(firm, "ungoverned-session")
    placed = switch.do("call", **{"as": "x", "caller": "+493012345", "dialled": "100"})
    leg = str(placed["call"])
    _later(1.1)
    assert kinds(told(firm, code=8)) == [("ungoverned-session", leg)]
    assert told(firm, "--grace", "1 h", code=0)["differences"] == []
    switch.do("api", text=f"uuid_record {leg} start {firm.root}/elsewhere.wav")
    found = told(firm, "--apply", "all", code=8)
    assert kinds(found) == [("foreign-recording", leg), ("ungoverned-session", leg)]
    assert [each["left"] for each in found["differences"]] == [True, False]
    assert switch.do("api", text=f"uuid_buglist {leg}")["reply"].count("session_record")
    resolved(firm, "foreign-recording")
    assert not switch.do("api", text=f"uuid_buglist {leg}")["reply"].count("session_record")
    switch.do("api", text="hupall")


def _later(seconds: float) -> None:
    time.sleep(seconds)  # the switch tells when a leg began in whole seconds


def test_what_is_away_is_said_and_is_an_exit_code(firm: Office) -> None:
    text = (firm.root / "olga.toml").read_text()
    port = str(firm.switch.address[1])
    (firm.root / "noswitch.toml").write_text(text.replace(f"port = {port}", "port = 1"))
    done = firm.fsgov("reconcile", *NOW, who="noswitch", code=4)
    assert "not compared: switch" in done.out
    (firm.root / "novault.toml").write_text(text.replace("file:vault/audio", "file:nowhere"))
    done = firm.fsgov("reconcile", *NOW, who="novault", code=6)
    assert "not compared: vault eu" in done.out
    assert "row-without-object" not in done.out
    done = firm.fsgov("reconcile", who="olga")
    assert done.out == "no differences\n"


def test_who_may(firm: Office) -> None:
    for who in ("alice", "bob", "carol", "oscar"):
        done = firm.fsgov("reconcile", who=who, code=5)
        assert "Only ops of every tenant" in done.err


def test_as_json_and_in_words(firm: Office) -> None:
    stray(firm, "x.wav")
    os.utime(firm.root / "spool" / "audio" / "x.wav", (1_795_279_045, 1_795_279_045))
    (found,) = told(firm, code=8)["differences"]
    assert datetime.fromisoformat(found["since"]).timestamp() == 1_795_279_045
    assert found | {"since": ""} == {
        "kind": "orphan-file", "subject": "x.wav", "where": "spool", "since": "",
        "detail": f"{len(STRAY)} bytes", "left": True,
        "resolution": "would adopt it: ship seals and stores it, quarantined",
    }  # fmt: skip
    before = firm.snapshot()
    done = firm.fsgov("reconcile", *NOW, who="olga", code=8)
    assert firm.snapshot() == before, "a dry run changes nothing"
    assert done.out.splitlines()[0] == (
        f"orphan-file  x.wav  in spool since 2026-11-21 16:37:25Z ({len(STRAY)} bytes): would adopt it: ship"
        " seals and stores it, quarantined"
    )
    assert done.out.splitlines()[-1] == "1 differences: 1 orphan-file; 1 left"
    assert "The worlds do not agree" in done.err
    resolved(firm, "orphan-file")


# -- an object store -------------------------------------------------------------------------------------


def test_on_s3_orphans_losses_and_copies_are_found_and_resolved(
    moto_s3: Moto, database: str, tmp_path: Path
) -> None:
    site = site_on(moto_s3, database, tmp_path, "reconcile")
    for n in (1, 2, 3):
        site.capture(n, audio=talk(200 * n))
    site.ship()
    vault = site.vault()
    settings = VaultSettings(
        name="eu", url=site.url, keys=site.keys, credentials=Login(access=plain("moto"), secret=plain("moto"))
    )
    assert differences(site, settings) == set()
    of = dict(site.ask("SELECT object_key, version_id FROM fsgov.segments ORDER BY 1"))
    first, second, _ = of
    vault.audio.remove(first, of[first])
    whole = b"".join(vault.audio.get(second, of[second]))
    copy = vault.audio.put_bytes(second, whole, {})
    vault.audio.remove(second, of[second])
    stray = vault.audio.put_bytes("acme/2026/11/x-1-01.age", b"x" * 300, {"segment": "x-1-01"})
    _no_key(vault, f"{CALL}-03")
    assert differences(site, settings) == {
        (Kind.ROW_WITHOUT_OBJECT, f"{CALL}-01"),
        (Kind.RESTORED_OBJECT, f"eu/{second}#{copy.version_id}"),
        (Kind.ORPHAN_OBJECT, f"eu/{stray.key}#{stray.version_id}"),
        (Kind.OBJECT_WITHOUT_KEY, f"{CALL}-03"),
    }
    assert vaults.digest_of(vault.audio, second, copy.version_id)[1] == len(whole)
    with vaults.opened(settings) as (_, keys), pytest.raises(NotFound):
        vaults.wrapped_key(keys, "x-1-01")
    vault.audio.close()
    vault.keys.close()


def plain(text: str) -> Secret:
    return Secret("vault.eu.credentials", "plain", text)


def differences(site: Site, vault: VaultSettings) -> set[tuple[Kind, str]]:
    """What vault and catalog disagree about, as the superuser sees it."""
    with closing(psycopg2.connect(site.dsn)) as connection, connection, connection.cursor() as cursor:
        rows = tuple(reconciling._rows(cursor))
    listed = vaults.listing(vault)
    found = compare(Worlds(Catalog(rows=rows), (listed,)), wall_clock() + 1_000_000, 0)
    return {(each.kind, each.subject) for each in found}
