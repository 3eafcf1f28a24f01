"""What ship enters, read back by a person: calls by revision, segments once, lines without a gap."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from fsgov.catalog.connection import Database
from fsgov.catalog.holds import Holds
from fsgov.catalog.ship import storable
from fsgov.errors import Conflict, Damaged, FsgovError, NotFound, Unreachable
from tests.parts.catalog import START, World, call_file, enter, line, sidecar

OPENED = datetime(2026, 11, 21, 16, 37, 25, tzinfo=UTC)


# -- calls -----------------------------------------------------------------------------------------------


def test_a_call_file_becomes_rows(world: World) -> None:
    enter(world.ship, call_file())
    world.person("alice", "supervisor")
    found = world.desk("alice").call("0f6c")
    assert (found.call.opened_at, found.call.answered_at) == (OPENED, OPENED + timedelta(seconds=2))
    assert (found.call.rule, found.call.outcome, found.call.missing) == (
        "german service line",
        None,
        ["0f6c-01"],
    )
    assert [(leg.name, leg.leg) for leg in found.legs] == [("a", "0f6c")]
    assert found.parties is not None
    assert [(p.number, p.e164, p.facts) for p in found.parties] == [
        ("03012345", "+493012345", {"segment": "retail"})
    ]
    assert [(c.purpose, c.state, c.method) for c in found.consents] == [("training", "given", "key")]
    assert [tag.tag for tag in found.tags] == ["complaint"]
    assert found.inputs == {"caller": "+493012345"}


def test_a_newer_revision_replaces_the_call_whole(world: World) -> None:
    enter(world.ship, call_file(revision=3))
    ended = call_file(revision=4, ended=START + 60_000_000, outcome="recorded", tags=[], consents=[])
    with world.ship.entering() as entering:
        assert entering.call(json.dumps(ended))
        assert not entering.call(json.dumps(ended))
    world.person("alice", "supervisor")
    found = world.desk("alice").call("0f6c")
    assert (found.call.revision, found.call.outcome) == (4, "recorded")
    assert (found.tags, found.consents) == ([], [])


@pytest.mark.parametrize("older", [1, 2, 3])
def test_an_older_revision_never_overwrites(world: World, older: int) -> None:
    enter(world.ship, call_file(revision=3, outcome="refused"))
    with world.ship.entering() as entering:
        assert not entering.call(json.dumps(call_file(revision=older, outcome="recorded", tags=[])))
    assert world.sql("admin", "SELECT revision, outcome FROM fsgov.calls") == [(3, "refused")]
    assert world.sql("admin", "SELECT count(*) FROM fsgov.tags") == [(1,)]


def test_the_audio_may_say_less_than_govern_believed(world: World) -> None:
    ship = world.ship
    with ship.entering() as entering:
        assert not entering.outcome("0f6c", "failed", "media")
    enter(ship, call_file(revision=2, outcome="recorded"))
    with ship.entering() as entering:
        assert entering.outcome("0f6c", "failed", "media")
        entering.call(json.dumps(call_file(revision=9, outcome="recorded")))
    world.person("alice", "agent")
    (call,) = world.desk("alice").calls(outcome="failed")
    assert (call.outcome, call.outcome_cause) == ("failed", "media")


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "lost"},
        {"direction": "sideways"},
        {"call": "../../etc"},
        {"opened": "yesterday"},
        {"tenant": ""},
        {"consents": [{"id": "c", "party": 1, "purpose": "x", "state": "maybe", "method": "key", "at": 1}]},
    ],
)
def test_a_call_that_makes_no_sense_is_refused_for_good(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(FsgovError) as refused, world.ship.entering() as entering:
        entering.call(json.dumps(call_file(**changes)))
    assert not isinstance(refused.value, Unreachable)
    assert world.sql("admin", "SELECT count(*) FROM fsgov.calls") == [(0,)]


def test_what_a_hostile_caller_sends_is_entered_all_the_same(world: World) -> None:
    hostile = 'x\x00y\udcff\\u0000"); DROP TABLE fsgov.calls; --\u202e'
    party = {
        "party": 1,
        "side": "outside",
        "number": hostile,
        "e164": "",
        "country": "",
        "facts": {hostile: "1"},
    }
    enter(world.ship, call_file(parties=[party]))
    ((number,),) = world.sql("admin", "SELECT number FROM fsgov.parties")
    assert number == 'x\ufffdy?\\u0000"); DROP TABLE fsgov.calls; --\u202e'


@pytest.mark.parametrize("text", ["a\x00", "\\u0000", "\\\x00", "\\\\u0000\x00", "\udc80", "plain"])
def test_storable_changes_nothing_else(text: str) -> None:
    kept = json.loads(storable(json.dumps([text, {"n": 1.5, text: None}])))
    expected = text.replace("\x00", "\ufffd").encode(errors="replace").decode()
    assert kept == [expected, {"n": 1.5, expected: None}]


# -- segments --------------------------------------------------------------------------------------------


def test_a_sidecar_becomes_a_row_with_its_masks(world: World) -> None:
    enter(world.ship, call_file(), sidecar())
    world.person("alice", "agent")
    found = world.desk("alice").call("0f6c")
    (segment,) = found.segments
    assert (segment.state, segment.vault, segment.mask_proof) == ("stored", "eu", "proven")
    assert (segment.audio_sha256, segment.sealed_sha256, segment.ms) == ("cd" * 32, "ef" * 32, 9000)
    assert (segment.purposes, segment.start_lost_ms) == (["evidence", "training"], 60)
    assert [(m.by, m.from_ms, m.to_ms) for m in found.masks] == [("mask", 4180, 6000)]
    assert (found.call.missing, found.parties, found.inputs) == ([], None, None)


def test_a_segment_is_entered_once(world: World) -> None:
    with world.ship.entering() as entering:
        assert entering.segment(json.dumps(sidecar()), b"wrapped")
        assert not entering.segment(json.dumps(sidecar()), b"another")
    assert world.sql("admin", "SELECT wrapped_key FROM fsgov.segment_keys")[0][0].tobytes() == b"wrapped"


def test_another_digest_under_the_same_name_is_refused(world: World) -> None:
    enter(world.ship, None, sidecar())
    other = sidecar()
    other["stored"]["sha256"] = "00" * 32
    with pytest.raises(Damaged, match="another digest"):
        enter(world.ship, None, other)


def test_the_states_of_a_segment(world: World) -> None:
    enter(world.ship, None, sidecar("0f6c-01"))
    enter(world.ship, None, sidecar("0f6c-02", quarantine="mask-not-proven", review_by=START))
    missing = {name: value for name, value in sidecar("0f6c-03").items() if name != "stored"}
    enter(world.ship, None, missing)
    world.person("alice", "agent")
    desk = world.desk("alice")
    assert {s.segment: s.state for s in desk.segments()} == {
        "0f6c-01": "stored", "0f6c-02": "quarantined", "0f6c-03": "missing"
    }  # fmt: skip
    assert [s.segment for s in desk.segments(state="quarantined")] == ["0f6c-02"]
    with pytest.raises(Damaged, match="wrapped key"), world.ship.entering() as entering:
        entering.segment(json.dumps(sidecar("0f6c-04")), None)
    with pytest.raises(Damaged, match="named for its call"), world.ship.entering() as entering:
        entering.segment(json.dumps({**sidecar("0f6c-05"), "call": "other"}), b"x")


def test_what_is_held_is_seen(world: World) -> None:
    enter(world.ship, call_file(), sidecar("0f6c-01"))
    enter(world.ship, None, sidecar("0f6c-02"))
    world.person("alice", "agent")
    world.person("bob", "privacy")
    holds = Holds(world.as_person("bob"))
    world.closing.append(holds.close)
    desk = world.desk("alice")
    assert not desk.call("0f6c").call.held
    holds.place([{"kind": "segment", "value": "0f6c-01"}], "case 7")
    assert {s.segment: s.held for s in desk.segments()} == {"0f6c-01": True, "0f6c-02": False}
    assert desk.call("0f6c").call.held, "a part of it"
    holds.place([{"kind": "call", "value": "0f6c"}], "case 8")
    assert {s.segment: s.held for s in desk.segments()} == {"0f6c-01": True, "0f6c-02": True}


# -- lines -----------------------------------------------------------------------------------------------


def test_lines_are_entered_once_and_without_a_gap(world: World) -> None:
    lines = {n: line("fs1.ship.1", n) for n in range(1, 8)}
    with world.ship.entering() as entering:
        assert entering.entered("fs1.ship.1") == 0
        assert entering.lines("fs1.ship.1", 1, [lines[1], lines[2]]) == 2
        assert entering.lines("fs1.ship.1", 1, [lines[n] for n in (1, 2, 3)]) == 3
        assert entering.lines("fs1.ship.1", 2, [lines[2]]) == 3
        assert entering.lines("fs1.ship.1", 4, []) == 3
        assert entering.entered("fs1.ship.1") == 3
    for first in (5, 0, -1):
        with pytest.raises(Conflict, match="gaps"), world.ship.entering() as entering:
            entering.lines("fs1.ship.1", first, [lines[5]])
    assert world.sql("admin", "SELECT n FROM fsgov.outbox WHERE origin LIKE 'fs1%' ORDER BY n") == [
        (1,),
        (2,),
        (3,),
    ]


def test_lines_that_are_in_the_log_already_are_known(world: World) -> None:
    with world.ship.entering() as entering:
        entering.lines("fs1.ship.1", 1, [line("fs1.ship.1", 1)])
    keep = world.keep
    assert keep.lead()
    log_id = keep.log_id()
    with keep.moving() as move:
        move.into_log(log_id, 0, move.waiting(9))
    with world.ship.entering() as entering:
        assert entering.lines("fs1.ship.1", 1, [line("fs1.ship.1", 1), line("fs1.ship.1", 2)]) == 2
    with pytest.raises(Damaged, match="Another line"), world.ship.entering() as entering:
        entering.lines("fs1.ship.1", 1, [line("fs1.ship.1", 1, "call.over")])


def test_another_line_under_a_number_is_refused(world: World) -> None:
    with world.ship.entering() as entering:
        entering.lines("fs1.ship.1", 1, [line("fs1.ship.1", 1)])
    with pytest.raises(Damaged, match="Another line"), world.ship.entering() as entering:
        entering.lines("fs1.ship.1", 1, [line("fs1.ship.1", 1, "call.over")])


@pytest.mark.parametrize(
    "text",
    [
        line("fs1.ship.1", 2),
        line("fs2.ship.1", 1),
        line("fs1.ship.1", 1) + b"\n",
        b"{}",
        b"not json",
        b"\xff",
        line("fs1.ship.1", 1).replace(b"/fsgov/fs1", b"/fsgov/desk"),
        line("fs1.ship.1", 1, "access.requested"),
    ],
)
def test_a_line_that_is_not_of_its_origin_is_refused(world: World, text: bytes) -> None:
    with pytest.raises(Damaged), world.ship.entering() as entering:
        entering.lines("fs1.ship.1", 1, [text])
    assert world.sql("admin", "SELECT count(*) FROM fsgov.outbox WHERE origin LIKE 'fs1%'") == [(0,)]


def test_everything_of_one_transaction_or_nothing(world: World) -> None:
    with pytest.raises(Conflict), world.ship.entering() as entering:
        entering.call(json.dumps(call_file()))
        entering.segment(json.dumps(sidecar()), b"wrapped")
        entering.lines("fs1.ship.1", 2, [line("fs1.ship.1", 2)])
    for table in ("calls", "segments", "segment_keys", "masks"):
        assert world.sql("admin", f"SELECT count(*) FROM fsgov.{table}") == [(0,)]


# -- asking ----------------------------------------------------------------------------------------------


def test_calls_are_found_by_what_people_know_of_them(world: World) -> None:
    enter(world.ship, call_file("one"))
    enter(world.ship, call_file("two", opened=START + 3_600_000_000, outcome="refused", tags=[], parties=[]))
    world.person("alice", "supervisor")
    desk = world.desk("alice")

    def found(**by: Any) -> list[str]:
        return [call.call for call in desk.calls(**by)]

    assert found() == ["two", "one"]
    assert found(limit=1) == ["two"]
    assert found(number="+493012345") == found(number="03012345") == ["one"]
    assert found(tag="complaint") == ["one"]
    assert found(outcome="refused") == ["two"]
    assert found(since=OPENED + timedelta(minutes=1)) == ["two"]
    assert found(until=OPENED + timedelta(minutes=1)) == ["one"]
    assert found(rule="german service line", outcome="refused", tag="complaint") == []
    with pytest.raises(NotFound):
        desk.call("three")


def test_a_policy_is_kept_under_its_digest(world: World) -> None:
    with world.ship.entering() as entering:
        digest = entering.policy("2026", "[[rule]]\n")
        assert entering.policy("2026", "[[rule]]\n") == digest
    world.person("alice", "supervisor")
    assert world.desk("alice").policy(digest) == "[[rule]]\n"
    with pytest.raises(NotFound):
        world.desk("alice").policy("00" * 32)


# -- connections -----------------------------------------------------------------------------------------


def ended(world: World, application: str) -> None:
    world.sql(
        "admin",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
        values=[application],
    )


def test_a_connection_that_lay_idle_is_tried_before_it_is_used(world: World) -> None:
    now = [0.0]
    with closing(
        Database(world.dsn, application="test idle", connections=1, clock=lambda: now[0])
    ) as database:
        with database.transaction() as cursor:
            cursor.execute("SELECT 1")
        ended(world, "test idle")
        now[0] += 5
        with database.transaction() as cursor:
            cursor.execute("SELECT 2")
            assert cursor.fetchone() == (2,)


def test_a_connection_that_broke_is_unreachable_once(world: World) -> None:
    with closing(
        Database(world.dsn, application="test broken", connections=1, clock=lambda: 0.0)
    ) as database:
        with pytest.raises(Unreachable), database.transaction() as cursor:
            cursor.execute("SELECT 1")
            ended(world, "test broken")
            cursor.execute("SELECT 1")
        with database.transaction() as cursor:
            cursor.execute("SELECT 2")


def test_a_connection_serves_again_after_a_refusal(world: World) -> None:
    with closing(Database(world.dsn, connections=1)) as database:
        with database.transaction() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            first = cursor.fetchone()
        with pytest.raises(FsgovError), database.transaction() as cursor:
            cursor.execute("SELECT 1/0")
        with pytest.raises(ValueError, match="ours"), database.transaction():
            raise ValueError("ours")
        with database.transaction() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            assert cursor.fetchone() == first


def test_an_endless_statement_is_ended(world: World) -> None:
    with (
        closing(Database(world.dsn)) as database,
        pytest.raises(Unreachable, match="does not answer"),
        database.transaction() as cursor,
    ):
        cursor.execute("SET LOCAL statement_timeout = 50")
        cursor.execute("SELECT pg_sleep(5)")


def test_errors_repeat_no_parameters(world: World) -> None:
    party = {"party": 1, "side": "outside", "number": "03012345", "e164": "", "country": "", "facts": {}}
    with pytest.raises(FsgovError) as refused, world.ship.entering() as entering:
        entering.call(json.dumps(call_file(parties=[party, party])))
    assert "03012345" not in f"{refused.value} {refused.value.hint}"
    assert isinstance(refused.value.__cause__, psycopg2.Error)
