"""Keep states the days that are over, once; what comes late is a further statement, never a change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from fsgov import entries
from fsgov.errors import Conflict, NotPermitted
from fsgov.journal import Sequencer
from fsgov.journal.stating import Statements
from fsgov.merkle import PublicKey, generate_signing_key
from fsgov.verify import verify_export
from tests.parts.catalog import World, call_file, enter
from tests.parts.schemas import faults

KEY = generate_signing_key(lambda n: b"k" * n)
HOUR = 3_600_000_000
DAY = (datetime.now(UTC) - timedelta(days=4)).date()
MIDNIGHT = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp()) * 1_000_000
OVER = MIDNIGHT + 25 * HOUR


class Clock:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def call(
    world: World, name: str, outcome: str | None = "recorded", *, hour: float = 12, **changes: Any
) -> None:
    """A call with two legs."""
    opened = MIDNIGHT + int(hour * HOUR)
    legs = [
        {
            "leg": f"{name}-{n}",
            "name": "ab"[n],
            "direction": "inbound",
            "party": 1,
            "created": opened + n * 1000,
            "answered": None,
            "ended": None,
            "cause": "",
        }
        for n in range(2)
    ]
    facts = {"outcome": outcome, "opened": opened, "legs": legs, "segments": [], "parties": [], **changes}
    enter(world.ship, call_file(name, **facts))


def counted(world: World, n: int, hour: float, sessions: int, ungoverned: int = 0) -> None:
    """The switch's own count, as govern enters it."""
    line = entries.line(
        origin="fs1.govern.1",
        n=n,
        host="fs1",
        type_="sessions.counted",
        subject="fs1",
        time=MIDNIGHT + int(hour * HOUR),
        facts={"core": "c0", "sessions": sessions, "seen": 0, "ungoverned": ungoverned},
    )
    with world.ship.entering() as entering:
        entering.lines("fs1.govern.1", n, [line])


def stated(world: World) -> list[tuple[Any, ...]]:
    return world.sql("admin", "SELECT host, tenant, n, facts FROM fsgov.statements ORDER BY day, tenant, n")


def of_sessions(world: World) -> list[tuple[int, int, int]]:
    return [(n, f["legs"], f["difference"]) for _, tenant, n, f in stated(world) if tenant == "*"]


def test_a_day_is_stated_once_when_it_is_over_and_signed(world: World) -> None:
    for name in ("one", "two", "three"):
        call(world, name)
    call(world, "four", "refused")
    call(world, "five", None)
    call(world, "next", hour=24.5)
    counted(world, 1, 1, 100)
    counted(world, 2, 13, 112, 1)
    clock = Clock(OVER - 1_000_000)
    keep = world.keep
    statements = Statements(keep, "fs1", clock)
    sequencer = Sequencer(keep, KEY, clock)
    assert sequencer.run_once().leading
    assert statements.look() == 0, "there is an hour for what is late"
    clock.now = OVER
    assert statements.look() == 2
    assert statements.look() == 0
    assert Statements(keep, "fs2", clock).look() == 0, "another keep, or this one after a start"
    sessions, conversations = stated(world)
    said = {"conversations": 5, "outcomes": ["recorded 3", "refused 1"], "under_way": 1}
    assert conversations == ("fs1", "default", 1, {"day": str(DAY), "tenant": "default", **said})
    assert sessions[:3] == ("fs1", "*", 1)
    expected = {"sessions": 12, "legs": 10, "ungoverned": 1, "away": 0, "difference": 1}
    assert {name: sessions[3][name] for name in expected} == expected

    sequencer.run_once(sign=True)
    lines = [bytes(text) for (text,) in world.sql("admin", "SELECT line FROM fsgov.event_log ORDER BY seq")]
    notes = world.sql("admin", "SELECT note FROM fsgov.checkpoints ORDER BY size")
    public = PublicKey.of("fsgov", KEY)
    report = verify_export([line + b"\n" for line in lines], [note.encode() for (note,) in notes], public)
    assert report.covered == len(lines)
    told = [line for line in lines if b"fsgov.statement." in line]
    assert [fault for line in told for fault in faults(line)] == []
    assert len(told) == 2
    for line in told:
        data = json.loads(line)["data"]
        assert data.pop("statement") == 1
        assert data in (sessions[3], conversations[3])


def test_what_comes_late_makes_a_further_statement(world: World) -> None:
    call(world, "one")
    call(world, "open", None)
    clock = Clock(OVER)
    keep = world.keep
    assert keep.lead()
    statements = Statements(keep, "fs1", clock)
    assert statements.look() == 1
    call(world, "open", "failed", revision=2, outcome_cause="media")
    call(world, "late", hour=3)
    assert statements.look() == 1
    with world.ship.entering() as entering:
        entering.outcome("one", "recorded-in-part", "media")
    assert Statements(keep, "fs1", clock).look() == 1, "the audio says less: that counts as late, too"
    assert [(n, facts["outcomes"], facts["under_way"]) for *_, n, facts in stated(world)] == [
        (1, ["recorded 1"], 1),
        (2, ["failed 1", "recorded 2"], 0),
        (3, ["failed 1", "recorded 1", "recorded-in-part 1"], 0),
    ]
    for change in ("UPDATE fsgov.statements SET n = 9", "DELETE FROM fsgov.statements"):
        with pytest.raises(psycopg2.Error, match="never changed"):
            world.sql("admin", change)


def test_legs_after_the_last_count_of_a_day_are_the_next_days(world: World) -> None:
    """And where they come late, that day is stated again as well."""
    counted(world, 1, 1, 0)
    counted(world, 2, 22, 2)
    counted(world, 3, 30, 4)
    call(world, "one")
    keep = world.keep
    assert keep.lead()
    statements = Statements(keep, "fs1", Clock(OVER + 24 * HOUR))
    statements.look()
    assert of_sessions(world) == [(1, 2, 0), (1, 0, 2)]
    world.sql("admin", "UPDATE fsgov.session_counts SET entered_at = entered_at - interval '1 hour'")
    call(world, "late", hour=23)
    statements.look()
    assert of_sessions(world) == [(1, 2, 0), (1, 0, 2), (2, 2, 0)]


def test_only_the_keep_that_leads_states(world: World) -> None:
    call(world, "one")
    first, second = world.keep, world.keep
    assert first.lead()
    with pytest.raises(Conflict, match="nother sequencer"):
        Statements(second, "fs2", Clock(OVER)).look()
    assert stated(world) == []
    assert world.sql("admin", "SELECT origin FROM fsgov.outbox WHERE origin LIKE 'fs2%'") == []


def test_keep_sees_no_number_and_no_input(world: World) -> None:
    call(world, "one")
    assert world.sql("keep", "SELECT call FROM fsgov.calls") == [("one",)]
    for what in ("inputs FROM fsgov.calls", "decision FROM fsgov.calls", "number FROM fsgov.parties"):
        with pytest.raises(psycopg2.Error) as refused:
            world.sql("keep", f"SELECT {what}")
        assert refused.value.pgcode == "42501"


def test_a_person_counts_what_they_may_see(world: World) -> None:
    call(world, "one", tenant="acme")
    call(world, "two", tenant="init")
    counted(world, 1, 1, 0)
    counted(world, 2, 13, 4)
    keep = world.keep
    assert keep.lead()
    Statements(keep, "fs1", Clock(OVER)).look()
    world.person("all", "auditor")
    world.person("one", "supervisor", tenants=["acme"])
    world.person("talker", "agent")
    since = datetime.fromtimestamp(MIDNIGHT / 1e6, UTC)
    time = since, since + timedelta(days=1), since + timedelta(hours=30)
    whole = world.desk("all").statement(*time)
    assert [(each.tenant, each.conversations) for each in whole.outcomes] == [("acme", 1), ("init", 1)]
    assert [(each.sessions, each.legs, each.difference) for each in whole.sessions] == [(4, 4, 0)]
    assert [row.tenant for row in whole.stated] == ["*", "acme", "init"]
    mine = world.desk("one").statement(*time)
    assert [(each.tenant, each.conversations) for each in mine.outcomes] == [("acme", 1)]
    assert mine.sessions == []
    assert [row.tenant for row in mine.stated] == ["acme"]
    with pytest.raises(NotPermitted):
        world.desk("talker").statement(*time)
