"""Commands as processes, on a real PostgreSQL and a file vault: what they show, export, verify."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fsgov import config, embedded
from fsgov.catalog.keep import Keep
from fsgov.policy import decide, describe, parse
from fsgov.vault import open_bucket
from tests.live.cli import (
    CALL,
    DESK,
    NOBODY,
    OPEN,
    POLICY,
    QUARANTINED,
    SOUND,
    UNRECORDED,
    Company,
    company,
    environment_of,
    fsgov,
)
from tests.live.shipping import talk
from tests.parts import artefacts

FIRST, SECOND, MISSING = (f"{CALL}-{n:02}" for n in (1, 2, 3))
SCHEMAS = Path(__file__).parents[2] / "fsgov" / "schemas"
IDENTITY = ("--identity", "desk/id.txt")
WHY = ("--purpose", "evidence", "--reason", "the customer asks")


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp("firm")) as found:
        yield found


# -- calls -----------------------------------------------------------------------------------------------


def test_calls_are_listed_and_narrowed(firm: Company) -> None:
    def listed(*words: str) -> set[str]:
        return {row["call"] for row in firm.fsgov("calls", "list", *words, "--json", who="alice").json}

    assert listed() == {CALL, QUARANTINED, UNRECORDED}
    assert listed("--outcome", "recorded") == {CALL, QUARANTINED}
    assert listed("--outcome", "not-required") == {UNRECORDED}
    assert listed("--number", "+493012345", "--rule", "german service line") == {CALL, QUARANTINED}
    assert listed("--since", "2026-11-22") == set()
    assert listed("--until", "2026-11-22T00:00+01:00", "--limit", "1") <= {CALL, QUARANTINED, UNRECORDED}
    assert CALL in firm.fsgov("calls", "list", who="alice").out


def test_numbers_are_shown_to_those_who_may_see_them(firm: Company) -> None:
    assert "+493012345" in firm.fsgov("calls", "show", CALL, who="alice").out
    assert firm.fsgov("calls", "show", CALL, "--json", who="alice").json["parties"][0]["e164"] == "+493012345"
    for words in ((), ("--json",)):
        assert "493012345" not in firm.fsgov("calls", "show", CALL, *words, who="carol").out


def test_a_decision_is_explained_and_replayed(firm: Company) -> None:
    told = firm.fsgov("calls", "explain", CALL, who="alice").out
    assert "rule german service line: matched" in told
    found = firm.fsgov("calls", "explain", CALL, "--replay", "--json", who="alice").json
    assert found == {"call": CALL, "policy": parse(POLICY).sha256, "identical": True, "bytes": found["bytes"],
                     "inputs_in_log": None}  # fmt: skip
    assert "same decision" in firm.fsgov("calls", "explain", CALL, "--replay", who="alice").out


def test_a_decision_that_was_changed_afterwards_is_found(firm: Company) -> None:
    changed = (
        "UPDATE fsgov.calls SET decision = jsonb_set(decision, '{consent}', %s) WHERE call = %s RETURNING 1"
    )
    with superuser(firm, changed, '"opt_in"', QUARANTINED):
        done = firm.fsgov("calls", "explain", QUARANTINED, "--replay", who="alice", code=8)
    assert "consent" in done.err
    firm.fsgov("calls", "explain", QUARANTINED, "--replay", who="alice")


class superuser:  # noqa: N801 - reads as a phrase
    """A change by somebody who is above the rules, taken back at the end of the block."""

    def __init__(self, firm: Company, statement: str, *values: object) -> None:
        self.firm, self.statement, self.values = firm, statement, values
        self.table = "segments" if "segments" in statement else "calls"

    def __enter__(self) -> None:
        self._run(f"CREATE TABLE public.before AS TABLE fsgov.{self.table}")
        self._run(f"ALTER TABLE fsgov.{self.table} DISABLE TRIGGER USER")
        self._run(self.statement, *self.values)

    def __exit__(self, *_: object) -> None:
        column = "decision" if self.table == "calls" else "audio_sha256"
        key = "call" if self.table == "calls" else "segment"
        back = f"SET {column} = b.{column} FROM public.before b WHERE b.{key} = t.{key}"
        self._run(f"UPDATE fsgov.{self.table} t {back}")
        self._run(f"ALTER TABLE fsgov.{self.table} ENABLE TRIGGER USER")
        self._run("DROP TABLE public.before")

    def _run(self, statement: str, *values: object) -> None:
        import psycopg2

        connection = psycopg2.connect(self.firm.site.dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
        connection.close()


# -- recordings ------------------------------------------------------------------------------------------


def test_export_gives_back_the_exact_bytes_and_a_manifest(firm: Company, tmp_path: Path) -> None:
    done = firm.fsgov(
        "recordings", "export", CALL, *WHY, "--output", str(tmp_path), *IDENTITY, "--json", who="alice"
    )
    first, second = done.json
    assert (tmp_path / f"{FIRST}.wav").read_bytes() == SOUND
    assert firm.fsgov("recordings", "show", FIRST, "--json", who="carol").json[0]["retention"] is None
    row = firm.fsgov("recordings", "show", FIRST, "--json", who="alice").json[0]
    assert (
        first["sha256"] == first["stored_sha256"] == row["audio_sha256"] == hashlib.sha256(SOUND).hexdigest()
    )
    assert (tmp_path / f"{SECOND}.wav").read_bytes() == talk(500)
    assert second["repaired"]
    assert second["stored_sha256"] == hashlib.sha256(OPEN).hexdigest() != second["sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{FIRST}.json", f"{FIRST}.wav", f"{SECOND}.json", f"{SECOND}.wav",
    ]  # fmt: skip
    manifest = json.loads((tmp_path / f"{FIRST}.json").read_text())
    assert manifest["exported_by"] == "alice"
    assert manifest["purpose"] == "evidence"
    assert "493012345" not in json.dumps(manifest)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_a_person_gets_what_there_is_of_them_and_nothing_of_others(firm: Company, tmp_path: Path) -> None:
    others = [(2, "inside", "1000", None), (3, "outside", "+44777123", "+44777123")]
    for party, side, number, e164 in others:
        firm.site.tell(
            "INSERT INTO fsgov.parties (call, party, tenant, side, number, e164, facts)"
            """ VALUES (%s, %s, 'default', %s, %s, %s, '{"name": "Somebody Else"}')"""
            " ON CONFLICT (call, party) DO UPDATE SET number = excluded.number, facts = excluded.facts",
            CALL, party, side, number, e164,
        )  # fmt: skip
    firm.site.tell("UPDATE fsgov.segments SET parties = '{1,2}' WHERE segment = %s", FIRST)
    alice = embedded.resolve(firm.site.dsn, "alice", (firm.root / "alice.password").read_text().strip())
    ours, theirs = (artefacts.attach(alice, each, b"hallo") for each in (FIRST, SECOND))
    artefacts.stow(firm.site.dsn, firm.root / "logins", eu=firm.site.vault().audio)
    waiting = artefacts.attach(alice, FIRST, b"7", kind="score")
    asked = firm.fsgov("subject", "open", "export", "+49 30 12345", "--json", who="bob").json
    words = ("subject", "export", asked["id"], "--recipient", "Jane Doe", *IDENTITY)
    assert firm.fsgov(*words[:-2], "--output", str(tmp_path / "none"), who="bob", code=2)
    done = firm.fsgov(*words, "--output", str(tmp_path), "--json", who="bob").json
    assert (done["calls"], done["given"], done["withheld"], done["artefacts"]) == (2, 1, 3, 1)
    place = tmp_path / asked["id"]
    manifest = json.loads((place / "manifest.json").read_text())
    assert (manifest["recipient"], manifest["exported_by"]) == ("Jane Doe", "bob")
    assert {each.get("artefact", each["segment"]): each["reasons"] for each in manifest["withheld"]} == {
        SECOND: ["others"], MISSING: ["missing", "others"], f"{QUARANTINED}-01": ["quarantined"],
        theirs: ["others"], waiting: ["waiting"],
    }  # fmt: skip
    (given,), made = manifest["recordings"], manifest["artefacts"]
    assert [(each["artefact"], each["segment"], each["kind"]) for each in made] == [
        (ours, FIRST, "transcript")
    ]
    for each in (given, *made, *manifest["calls"]):
        assert hashlib.sha256((place / each["file"]).read_bytes()).hexdigest() == each["sha256"]
    assert (place / made[0]["file"]).read_bytes() == b"hallo"
    assert (place / given["file"]).read_bytes() == SOUND
    written = [path for path in place.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    told = b"".join(path.read_bytes() for path in written if path.suffix != ".wav")
    assert [word for word in (b"1000", b"44777123", b"Somebody Else") if word in told] == []
    call = json.loads((place / "calls" / f"{CALL}.json").read_text())
    assert [each["e164"] for each in call["you"]] == ["+493012345"]
    assert call["decision"]["rule"] == "german service line"
    assert [each["segment"] for each in call["recordings"]] == [FIRST, SECOND, MISSING]
    assert "Jane Doe" in (place / "README.txt").read_text()
    again = firm.fsgov(*words, "--output", str(tmp_path / "again"), who="bob", code=7)
    assert "no open export" in again.err
    reported = firm.fsgov("report", "access", "--recording", FIRST, "--json", who="bob").json
    assert [each["recipient"] for each in reported["accesses"] if each["purpose"] == "subject_request"] == [
        "Jane Doe", "Jane Doe",
    ]  # fmt: skip
    assert (reported["compared"], reported["differences"]) == (True, [])
    firm.site.tell("DELETE FROM fsgov.parties WHERE call = %s AND party > 2", CALL)


def test_an_access_that_rows_and_log_do_not_both_have_is_told(firm: Company, tmp_path: Path) -> None:
    out = tmp_path / "one.wav"
    firm.fsgov(
        "recordings",
        "export",
        FIRST,
        *WHY,
        *IDENTITY,
        "--output",
        str(out),
        "--recipient",
        "the court",
        who="alice",
    )
    assert json.loads(out.with_suffix(".json").read_text())["recipient"] == "the court"
    listed = firm.fsgov("report", "access", "--login", "alice", "--json", who="bob").json
    access = listed["accesses"][-1]
    assert (access["recipient"], access["login"], access["segment"]) == ("the court", "alice", FIRST)
    assert {each["login"] for each in listed["logins"] if not each["administers"]} >= {"alice", "bob"}
    assert "carol" not in {each["login"] for each in listed["logins"]}
    firm.site.tell("UPDATE fsgov.accesses SET purpose = 'audit' WHERE id = %s", access["id"])
    said = firm.fsgov("report", "access", who="bob", code=8)
    assert access["id"] in said.err
    firm.site.tell("UPDATE fsgov.accesses SET id = 'x-struckoutxx' WHERE id = %s", access["id"])
    wrong = firm.fsgov("report", "access", "--since", "2026-01-01", "--json", who="bob", code=8).json[
        "differences"
    ]
    assert [each for each in wrong if "x-struckoutxx" in each]
    firm.site.tell(
        "UPDATE fsgov.accesses SET id = %s, purpose = 'evidence' WHERE id = 'x-struckoutxx'", access["id"]
    )
    rights = {
        (each["kind"], each["name"]): each
        for each in firm.fsgov("report", "access", "--rights", "--json", who="bob").json
    }
    assert rights["table", "segment_keys"]["roles"] == []
    assert rights["function", "release_key"]["roles"] == ["auditor", "privacy", "supervisor"]


def test_as_found_is_as_the_switch_left_it(firm: Company, tmp_path: Path) -> None:
    words = ("recordings", "export", SECOND, *WHY, "--output", str(tmp_path / "a.wav"), "--as-found")
    firm.fsgov(*words, who="alice", FSGOV_IDENTITY="desk/id.txt")
    assert (tmp_path / "a.wav").read_bytes() == OPEN


def test_every_export_is_an_access_in_the_log(firm: Company, tmp_path: Path) -> None:
    done = firm.fsgov(
        "recordings", "export", FIRST, *WHY, "--output", str(tmp_path), *IDENTITY, "--json", who="alice"
    )
    access = done.json[0]["access"]
    rows = firm.site.ask("SELECT line FROM fsgov.outbox ORDER BY origin, n")
    lines = [json.loads(bytes(row[0])) for row in rows]
    told = [line["type"] for line in lines if line["data"].get("access") == access]
    assert told == ["fsgov.access.requested.v1", "fsgov.access.released.v1"]
    assert "customer" not in json.dumps(lines)
    assert firm.site.ask("SELECT reason FROM fsgov.accesses WHERE id = %s", access) == [
        ("the customer asks",)
    ]


def test_quarantine_is_for_privacy(firm: Company, tmp_path: Path) -> None:
    words = (
        "recordings",
        "export",
        QUARANTINED,
        "--purpose",
        "review",
        "--reason",
        "x",
        "--output",
        str(tmp_path),
    )
    firm.fsgov(*words, *IDENTITY, who="alice", code=5)
    assert list(tmp_path.iterdir()) == []
    firm.fsgov(*words, *IDENTITY, who="bob")


def test_a_damaged_object_is_found_and_leaves_no_file(firm: Company, tmp_path: Path) -> None:
    row = firm.fsgov("recordings", "show", FIRST, "--json", who="alice").json[0]
    (place,) = (
        p for p in (firm.root / "vault").rglob("*") if p.is_file() and p.stat().st_size == row["sealed_size"]
    )
    whole = place.read_bytes()
    mode = place.stat().st_mode
    place.chmod(0o600)
    place.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    try:
        done = firm.fsgov("recordings", "verify", CALL, "--json", who="alice", code=8)
        assert [verdict["object"] == "ok" for verdict in done.json[:2]] == [False, True]
        assert f"1 of {len(done.json)} recordings" in done.err
        words = ("recordings", "export", FIRST, *WHY, "--output", str(tmp_path), *IDENTITY)
        firm.fsgov(*words, who="alice", code=8)
        assert list(tmp_path.iterdir()) == []
    finally:
        place.write_bytes(whole)
        place.chmod(mode)
    firm.fsgov("recordings", "verify", CALL, *IDENTITY, "--purpose", "evidence", who="bob")
    firm.fsgov("recordings", "verify", QUARANTINED, *IDENTITY, "--purpose", "review", who="bob")


def test_verify_opens_only_with_an_identity(firm: Company) -> None:
    before = firm.snapshot()
    found = firm.fsgov("recordings", "verify", CALL, "--json", who="alice").json
    assert audio_of(found) == ["not opened", "not opened", "-"]
    assert firm.snapshot() == before
    words = ("recordings", "verify", CALL, *IDENTITY)
    assert "audit is the auditor's" in firm.fsgov(*words, who="alice", code=5).err
    found = firm.fsgov(*words, "--purpose", "evidence", "--json", who="alice").json
    assert audio_of(found) == ["ok", "ok", "-"]


def audio_of(verdicts: list[dict[str, str]]) -> list[str]:
    """Of recordings: what was made of them is verified beside, in tests/live/test_artefact_places.py."""
    return [row["audio"] for row in verdicts if "artefact" not in row]


def test_a_row_that_lies_about_the_audio_is_found(firm: Company) -> None:
    with superuser(firm, "UPDATE fsgov.segments SET audio_sha256 = %s WHERE segment = %s", "0" * 64, FIRST):
        firm.fsgov("recordings", "verify", FIRST, who="alice")
        firm.fsgov("recordings", "verify", FIRST, *IDENTITY, "--purpose", "evidence", who="alice", code=8)


# -- events ----------------------------------------------------------------------------------------------


def test_the_log_is_tailed_from_a_cursor_without_gap(firm: Company) -> None:
    state = firm.fsgov("status", "--json", who="alice").json["catalog"]
    lines = [
        json.loads(line)
        for line in firm.fsgov(
            "events", "tail", "--after", f"{state['log']}:2", "--json", who="alice"
        ).out.splitlines()
    ]
    assert [line["seq"] for line in lines] == list(range(3, state["lines"]))
    assert all(line["entry"]["specversion"] == "1.0" for line in lines)
    assert f"{state['log']}:{state['lines'] - 1}" in firm.fsgov("events", "tail", who="alice").out


def test_following_shows_a_line_that_comes_later(firm: Company) -> None:
    command = [sys.executable, "-m", "fsgov", "--config", str(firm.root / "alice.toml"), "events", "tail"]
    with subprocess.Popen(
        [*command, "--follow"], stdout=subprocess.PIPE, text=True, env=environment_of()
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        person = firm.hire("later", "auditor")
        firm.keep()
        assert any(person in line for line in process.stdout)
        process.terminate()


def test_verify_live_and_exported_say_the_same(firm: Company, tmp_path: Path) -> None:
    firm.keep()
    live = firm.fsgov("events", "verify", "--live", "--key", "keys/log.key.pub", "--json", who="alice").json
    assert live.pop("waiting") == 0
    firm.fsgov("events", "export", str(tmp_path / "log"), who="alice")
    found = fsgov("events", "verify", str(tmp_path / "log"), "--key", firm.public, "--json", cwd=tmp_path)
    assert found.code == 0
    assert found.json == live
    assert live["covered"] == live["lines"] > 0


def test_live_verification_counts_what_waits(firm: Company, tmp_path: Path) -> None:
    firm.keep()
    firm.fsgov("recordings", "export", FIRST, *WHY, "--output", str(tmp_path), *IDENTITY, who="alice")
    words = ("events", "verify", "--live", "--key", firm.public)
    assert firm.fsgov(*words, "--json", who="alice").json["waiting"] == 2
    assert "2 entered and waiting" in firm.fsgov(*words, who="alice").out


def edit(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b"people", b"People"), *lines[1:]]


def remove(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], *lines[4:]]


def add(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[2], *lines[3:]]


def swap(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], *lines[2:]]


def cut(lines: list[bytes]) -> list[bytes]:
    return lines[:3]


@pytest.fixture(scope="module")
def exported(firm: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("exported") / "log"
    firm.fsgov("events", "export", str(directory), who="alice")
    return directory


@pytest.mark.parametrize("harm", [edit, remove, add, swap, cut])
def test_verify_finds_what_was_done_to_an_export(
    firm: Company, exported: Path, tmp_path: Path, harm: Any
) -> None:
    shutil.copytree(exported, tmp_path / "log")
    entries = tmp_path / "log" / "entries.jsonl"
    entries.write_bytes(b"".join(harm(entries.read_bytes().splitlines(keepends=True))))
    done = fsgov("events", "verify", str(tmp_path / "log"), "--key", firm.public, cwd=tmp_path)
    assert done.code == 8
    assert "hint: compare with the copy in a sink or the vault" in done.err


def test_a_log_cut_with_its_checkpoints_is_found_by_one_from_elsewhere(firm: Company, tmp_path: Path) -> None:
    firm.fsgov("recordings", "verify", FIRST, *IDENTITY, "--purpose", "evidence", who="alice")
    firm.keep()
    bucket = open_bucket(f"file:{firm.root}/vault/audio")
    anchor = list(bucket.list("log/"))[-1]
    (tmp_path / "anchor").write_bytes(b"".join(bucket.get(anchor.key, anchor.version_id)))
    firm.fsgov("events", "export", str(tmp_path / "log"), who="alice")
    words = ("events", "verify", str(tmp_path / "log"), "--key", firm.public)
    assert fsgov(*words, "--expect", "anchor", "--json", cwd=tmp_path).json["expected"] is True
    entries, notes = (tmp_path / "log" / name for name in ("entries.jsonl", "checkpoints.txt"))
    whole = entries.read_bytes().splitlines(keepends=True)
    size = int(notes.read_bytes().splitlines()[1])
    entries.write_bytes(b"".join(whole[:size]))
    first = b"\n\n".join(notes.read_bytes().split(b"\n\n")[:2])
    notes.write_bytes(first.rstrip(b"\n") + b"\n")
    assert fsgov(*words, cwd=tmp_path).code == 0
    assert fsgov(*words, "--expect", "anchor", cwd=tmp_path).code == 8


def test_every_line_fits_its_schema(firm: Company) -> None:
    types = {row["type"] for row in fsgov("events", "schema", "--json", cwd=firm.root).json}
    seen = set()
    log = firm.fsgov("db", "status", "--json").json["log"]
    told = firm.fsgov("events", "tail", "--after", f"{log}:0", "--json", who="alice")
    for line in told.out.splitlines():
        entry = json.loads(line)["entry"]
        name = entry["type"].removeprefix("fsgov.").removesuffix(".v1")
        assert name in types
        if name not in seen:
            seen.add(name)
            jsonschema.validate(entry, json.loads((SCHEMAS / f"{name}.v1.json").read_text()))
    assert "segment.stored" in seen
    shown = fsgov("events", "schema", "fsgov.segment.stored.v1", cwd=firm.root).json
    assert shown == json.loads((SCHEMAS / "segment.stored.v1.json").read_text())


# -- the rest --------------------------------------------------------------------------------------------


def test_check_tells_a_line_for_each_thing(firm: Company) -> None:
    before = firm.snapshot()
    found = firm.fsgov("check", "--json", code=4).json
    assert {finding["of"] for finding in found if finding["state"] == "failed"} == {"switch"}
    assert {"policy", "keys", "spool", "database", "vault.eu.audio"} <= {finding["of"] for finding in found}
    left = firm.snapshot()
    assert left == before
    assert " alice is p-" in firm.fsgov("check", who="alice").out


def test_check_fails_where_an_identity_is_within_reach(firm: Company) -> None:
    lost = firm.root / "forgotten.txt"
    lost.write_text((firm.root / "desk" / "id.txt").read_text())
    try:
        done = firm.fsgov("check", code=3)
        assert f"an identity can be read on this switch host: {lost}" in done.out
    finally:
        lost.unlink()


def test_status_tells_each_part_as_far_as_it_answers(firm: Company) -> None:
    told = firm.fsgov("status", "--json", code=4).json
    assert "does not answer" in told["govern"]["fault"]
    assert told["spool"]["segments"] == {"entered": 4}
    assert told["catalog"]["calls"] == {"not-required": 1, "recorded": 2}
    assert told["catalog"]["recordings"] == {"missing": 1, "quarantined": 1, "stored": 2}


def test_the_alarms_of_keep_are_in_the_catalog_and_so_in_the_status(firm: Company) -> None:
    settings = config.load(firm.root / "host.toml")
    keep = Keep(embedded.resolve(settings.database.dsn), settings.database.password("keep"))
    keep.say("fs1", {"sink.file": "The file takes no line"})
    told = firm.fsgov("status", "--json", who="alice", code=None).json
    assert list(told["catalog"]["keep_heard"]) == ["fs1"]
    (raised,) = told["alarms"]
    assert (raised["part"], raised["alarm"], raised["reason"]) == (
        "keep", "sink.file", "The file takes no line",
    )  # fmt: skip
    keep.say("fs1", {})
    assert firm.fsgov("status", "--json", who="alice", code=None).json["alarms"] == []
    keep.close()


def test_past_calls_are_decided_again_under_another_policy(firm: Company) -> None:
    lines = '[[rule]]\nname = "no line"\nwhen.dialled = ["+4930901820*"]\nrecord = "never"\n'
    (firm.root / "stricter.toml").write_text(
        POLICY.replace("2026-11-21", "stricter").replace("[[rule]]", lines + "[[rule]]", 1)
    )
    words = ("policy", "simulate", "stricter.toml", "--since", "2026-11-01")
    told = firm.fsgov(*words, "--json", who="alice").json
    (change,) = told["changes"]
    assert (change["outcome"], change["was"], change["would_be"]) == (
        "recorded",
        "recorded, nobody told",
        "not recorded",
    )
    assert change["calls"] == told["decided"] == 2
    assert set(change["newest"]) == {CALL, QUARANTINED}
    assert [(rule["was"], rule["would_be"]) for rule in told["rules"]] == [("german service line", "no line")]
    assert told["left_out"]["undecided"]["newest"] == [UNRECORDED]
    shown = firm.fsgov(*words, who="alice").out
    assert "2 of 2 calls otherwise" in shown
    assert "1 left out: nothing was ever decided" in shown
    same = firm.fsgov("policy", "simulate", "policy.toml", "--since", "2026-11-01", who="alice").out
    assert "0 of 2 calls otherwise" in same
    nobody = firm.fsgov(*words, "--tenant", "acme", "--json", who="alice").json
    assert (nobody["decided"], nobody["left_out"]) == (0, {})


def test_keys_and_policy_are_shown(firm: Company) -> None:
    assert firm.public in firm.fsgov("keys", "list").out
    assert "2 rules, 1 tests hold" in firm.fsgov("policy", "check").out
    assert firm.fsgov("policy", "show", "--json").json["text"] == POLICY
    assert "german service line" in firm.fsgov("policy", "show", "policy.toml").out
    words = ("policy", "explain", "--caller", "+493012345", "--dialled", "+493090182012")
    inputs = describe(caller="+493012345", dialled="+493090182012", call="explain")
    assert firm.fsgov(*words, "--json").json["decision"] == decide(parse(POLICY), inputs).to_json()
    assert "decided by rule german service line" in firm.fsgov(*words).out


def test_a_person_who_is_shut_acts_no_more(firm: Company) -> None:
    person = firm.hire("dave", "supervisor")
    assert "would shut dave" in firm.fsgov("people", "disable", "dave", "--dry-run").out
    firm.fsgov("people", "disable", "dave", code=130)  # nobody there to confirm it
    firm.fsgov("calls", "list", who="dave")
    assert firm.fsgov("people", "disable", "dave", "--yes", "--json").json["person"] == person
    assert "PostgreSQL refuses this login" in firm.fsgov("calls", "list", who="dave", code=5).err
    rows = {row["login"]: row for row in firm.fsgov("people", "list", "--json").json}
    assert rows["dave"]["disabled_at"]
    assert not rows["alice"]["disabled_at"]


def test_a_password_comes_as_libpq_takes_it(firm: Company, tmp_path: Path) -> None:
    (firm.root / "libpq.toml").write_text('[admin]\ndsn = "embedded:pg"\n')
    password = (firm.root / "alice.password").read_text()
    assert firm.fsgov("calls", "list", who="libpq", PGUSER="alice", PGPASSWORD=password).out
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:alice:{password}\n")
    passfile.chmod(0o600)
    assert firm.fsgov("calls", "list", who="libpq", PGUSER="alice", PGPASSFILE=str(passfile)).out
    firm.fsgov("calls", "list", who="libpq", PGUSER="alice", PGPASSFILE="/nowhere", code=5)


def test_db_commands_on_a_finished_database_change_nothing(firm: Company) -> None:
    before = firm.snapshot()
    firm.fsgov("db", "init")
    assert firm.fsgov("db", "upgrade", "--json").json == {"applied": [], "step": 1}
    assert firm.fsgov("db", "status", "--json").json["current"] is True
    assert firm.snapshot() == before


def test_parts_stop_well_and_say_why_they_cannot_start(firm: Company) -> None:
    with firm.part("ship"):
        pass
    second = firm.root / "second.toml"
    second.write_text((firm.root / "host.toml").read_text().replace('"keys/log.key"', '"keys/absent.key"'))
    done = firm.fsgov("run", "--part", "keep", who="second", code=3)
    assert "The signing key of the log is missing" in done.err
    assert "Traceback" not in done.err


def test_a_desk_needs_no_server_of_its_own(firm: Company, tmp_path: Path) -> None:
    """An embedded database that nobody runs is started for the command, and stopped after it."""
    (tmp_path / "desk.toml").write_text(DESK.format(login="alice"))
    done = fsgov("--config", str(tmp_path / "desk.toml"), "calls", "list", cwd=tmp_path)
    assert done.code == 3
    assert "admin.password" in done.err
    (tmp_path / "alice.password").touch(mode=0o600)
    (tmp_path / "alice.password").write_text("x")
    done = fsgov("--config", str(tmp_path / "desk.toml"), "calls", "list", cwd=tmp_path)
    assert done.code == 6
    assert "fsgov db init" in done.err
    assert not (tmp_path / "pg").exists()


def test_startup_is_quick(firm: Company) -> None:
    took = []
    for _ in range(3):
        before = os.times()
        fsgov("--help", cwd=firm.root)
        after = os.times()
        took.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(took) < 0.6, "CPU seconds; 0.1 on an idle machine"


__all__ = ["MISSING", "NOBODY"]
