"""What is held stays: every kind of hold, calls that come later, two persons, and no way around."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from fsgov.catalog.holds import Extent, Holds
from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from tests.parts.catalog import START, World, call_file, enter, sidecar


def party(number: str, e164: str | None, *, party: int = 1, **facts: str) -> dict[str, Any]:
    return {
        "party": party, "side": "outside", "number": number, "e164": e164, "country": "DE", "facts": facts
    }  # fmt: skip


def recorded(world: World, call: str, *parties: dict[str, Any], tenant: str = "default", **more: Any) -> None:
    """A call with one segment, as ship enters it."""
    said = {"parties": list(parties)} if parties else {}
    enter(world.ship, call_file(call, tenant=tenant, **said, **more), sidecar(f"{call}-01", tenant=tenant))


@pytest.fixture
def people(world: World) -> World:
    """alice (privacy) and sam (supervisor) act for every tenant; olga (privacy) for `other` alone."""
    world.person("alice", "privacy")
    world.person("bob", "privacy")
    world.person("sam", "supervisor")
    world.person("olga", "privacy", tenants=["other"])
    return world


def holds(world: World, name: str = "alice") -> Holds:
    made = Holds(world.as_person(name))
    world.closing.append(made.close)
    return made


def held(world: World, hold: str = "") -> set[str]:
    """What is held (by that hold): one by one and all at once, which is the same."""
    rows = world.sql("admin", "SELECT segment, unnest(fsgov.held(segment)) FROM fsgov.segments")
    assert sorted(rows) == sorted(world.sql("admin", "SELECT segment, hold FROM fsgov.held_segments()"))
    return {segment for segment, by in rows if hold in ("", by)}


def destroy(world: World, segment: str) -> None:
    """As purge begins: refused, whoever does it, under a hold."""
    world.sql("admin", "UPDATE fsgov.segments SET state = 'destroying' WHERE segment = %s", values=[segment])


# -- kinds -----------------------------------------------------------------------------------------------


KINDS: list[tuple[dict[str, Any], set[str]]] = [
    ({"kind": "call", "value": "c1"}, {"c1"}),
    ({"kind": "segment", "value": "c1-01"}, {"c1"}),
    ({"kind": "number", "value": "+493012345"}, {"c1", "c2"}),
    ({"kind": "subject", "value": "K-17"}, {"c2"}),
    ({"kind": "subject", "value": "id=K-17"}, {"c2"}),
    ({"kind": "subject", "value": "CRM-c3"}, {"c3"}),
    ({"kind": "query", "filter": {"tag": "complaint", "subject": "K-17"}}, {"c2"}),
    ({"kind": "query", "filter": {"number": "+493012345", "direction": "inbound"}}, {"c1", "c2"}),
    ({"kind": "query", "filter": {"rule": "german service line", "until": "2027-01-01"}}, {"c1", "c2", "c3"}),
    ({"kind": "query", "filter": {"since": "2026-11-22"}}, set()),
    ({"kind": "query", "filter": {"outcome": "refused"}}, set()),
]


def test_each_kind_holds_what_is_there_and_what_comes(people: World) -> None:
    calls = [
        ("c1", party("03012345", "+493012345")),
        ("c2", party("03012345", "+493012345", id="K-17")),
        ("c3", party("0301", "+49301")),
    ]

    def enter_all() -> None:
        for call, who in calls:
            consent = {"id": "c-1", "party": 1, "purpose": "training", "state": "given", "method": "crm",
                       "at": START, "evidence": {"row": f"CRM-{call}"}}  # fmt: skip
            recorded(people, call, who, consents=[consent])

    enter_all()
    placed = [holds(people).place([item], "case 7") for item, _ in KINDS]
    for (item, reached), hold in zip(KINDS, placed, strict=True):
        assert held(people, hold.hold) == {f"{c}-01" for c in reached}, item
        assert hold.extent.segments == len(reached), item
    # the same again, as calls that come later
    people.sql("admin", "SET session_replication_role = replica", *(
        f"DELETE FROM fsgov.{table}" for table in ("segment_keys", "masks", "segments", "tags", "consents",
                                                   "parties", "legs", "calls")),
        "DELETE FROM fsgov.hold_calls WHERE NOT follows")  # fmt: skip
    enter_all()
    for (item, reached), hold in zip(KINDS, placed, strict=True):
        assert held(people, hold.hold) == {f"{c}-01" for c in reached}, item


def test_a_call_is_held_before_anything_of_it_is_known(people: World) -> None:
    placed = holds(people).place(
        [{"kind": "call", "value": "c1"}, {"kind": "segment", "value": "c2-02"}], "case 7"
    )
    assert placed.extent == Extent(calls=0, segments=0, late=0, unknown=2)
    enter(people.ship, None, sidecar("c1-01"))  # its call file is lost
    enter(people.ship, call_file("c2"), sidecar("c2-01"))
    enter(people.ship, None, sidecar("c2-02"))
    assert held(people) == {"c1-01", "c2-02"}


WRITTEN = [
    party("03012345", "+493012345"),
    party("+49 30 123-45", "+493012345"),
    party("03012345", None),  # nobody knew the region of the call
    party("3012345", None),
    party("00493012345", None),
    party("493012345", None),
    party("+493012345", None),
]
OTHERS = [party("03054321", "+493054321"), party("54321", None), party("03012345", "+433012345"),
          party("anonymous", None)]  # fmt: skip


@pytest.mark.parametrize("wanted", ["+49 (30) 12345", "0049 30/12345"])
def test_a_number_is_found_however_it_is_written(people: World, wanted: str) -> None:
    for n, who in enumerate([*WRITTEN, *OTHERS]):
        recorded(people, f"a{n}", who)
    holds(people).place([{"kind": "number", "value": wanted}], "case 7")
    assert held(people) == {f"a{n}-01" for n in range(len(WRITTEN))}
    for n, who in enumerate([*WRITTEN, *OTHERS]):
        recorded(people, f"b{n}", party("1", None), {**who, "party": 2})
    assert held(people) == {f"{x}{n}-01" for x in "ab" for n in range(len(WRITTEN))}


def test_a_number_as_the_switch_gives_it(people: World) -> None:
    for n, number in enumerate(("1001", "anonymous", "*98", "alice", "+1001", "21001")):
        recorded(people, f"c{n}", party(number, None))
    for number in ("1001", "anonymous", "*98"):
        holds(people).place([{"kind": "number", "value": number}], "case 7")
    assert held(people) == {"c0-01", "c1-01", "c2-01", "c4-01"}  # + or none is all the same


def test_of_every_tenant_or_of_ones_own(people: World) -> None:
    for call, tenant in (("c1", "default"), ("c2", "other")):
        recorded(people, call, party("03012345", "+493012345"), tenant=tenant)
    number = [{"kind": "number", "value": "+493012345"}]
    placed = holds(people, "olga").place([*number, {"kind": "call", "value": "c1"}], "hers")
    assert held(people) == {"c2-01"}
    assert placed.extent == Extent(calls=1, segments=1, late=0, unknown=1)
    assert holds(people).place(number, "everybody's").extent.segments == 2
    assert held(people) == {"c1-01", "c2-01"}
    recorded(people, "c3", party("03012345", "+493012345"), tenant="third")
    assert held(people) == {"c1-01", "c2-01", "c3-01"}
    assert [row.matter for row in holds(people, "olga").holds()] == ["hers"]
    with pytest.raises(NotPermitted):
        holds(people, "olga").place(number, "x", tenant="default")
    with pytest.raises(NotPermitted):
        holds(people, "olga").place(number, "x", tenant="*")
    assert people.sql("olga", "SELECT DISTINCT segment FROM fsgov.held_segments()") == [("c2-01",)]


def test_who_goes_on_in_another_call_is_held_there(people: World) -> None:
    recorded(people, "a1", outcome="merged", merged_into="a2", ended=1)
    recorded(people, "a2")
    holds(people).place([{"kind": "call", "value": "a1"}], "case 7")
    assert held(people) == {"a1-01", "a2-01"}
    recorded(people, "a3", parted_from="a2")
    recorded(people, "a3", parted_from="a2", revision=2, outcome="merged", merged_into="a4", ended=1)
    recorded(people, "a4")
    recorded(people, "b1")
    assert held(people) == {"a1-01", "a2-01", "a3-01", "a4-01"}


def test_there_is_no_limit_on_the_number_of_items(people: World) -> None:
    for n in range(3):
        recorded(people, f"c{n}")
    items = [{"kind": "call", "value": f"c{n}"} for n in range(12_000)]
    placed = holds(people).place(items, "everything")
    assert placed.extent == Extent(calls=3, segments=3, late=0, unknown=11_997)
    assert len(holds(people).hold(placed.hold)[1]) == 12_000
    recorded(people, "c11999")
    assert len(held(people)) == 4


def test_what_was_reached_stays_held_whatever_becomes_of_its_rows(people: World) -> None:
    known = party("03012345", "+493012345", id="K-17")
    recorded(people, "c1", known)
    revision = 1
    for item in ({"kind": "number", "value": "+493012345"}, {"kind": "query", "filter": {"tag": "complaint"}},
                 {"kind": "subject", "value": "K-17"}):  # fmt: skip
        placed = holds(people).place([item], "case 7")
        people.sql("admin", "UPDATE fsgov.parties SET number = NULL, e164 = NULL, facts = NULL")
        recorded(people, "c1", party("anonymous", None), revision=revision + 1, tags=[])
        assert held(people) == {"c1-01"}
        holds(people).ask_release(placed.hold, "over")
        holds(people, "bob").approve_release(placed.hold)
        revision += 2
        recorded(people, "c1", known, revision=revision)
        assert held(people) == set()


def test_what_nothing_can_be_about_is_refused(people: World) -> None:
    mine = holds(people)
    for items in (
        [],
        [{"kind": "host", "value": "fs1"}],
        [{"kind": "call", "value": "no call"}],
        [{"kind": "segment", "value": "c1"}],
        [{"kind": "number", "value": " "}],
        [{"kind": "subject"}],
        [{"kind": "case", "value": "k-nosuch"}],
        [{"kind": "query", "filter": {}}],
        [{"kind": "query"}],
        [{"kind": "query", "filter": {"colour": "red"}}],
        [{"kind": "query", "filter": {"since": "some day"}}],
        [{"kind": "query", "filter": {"tag": ["a"]}}],
    ):
        with pytest.raises(Damaged):
            mine.place(items, "case 7")
    with pytest.raises(Damaged, match="matter"):
        mine.place([{"kind": "call", "value": "c1"}], "")
    assert mine.holds() == []


# -- nothing is destroyed --------------------------------------------------------------------------------


def test_nobody_can_begin_to_destroy_what_is_held(people: World) -> None:
    recorded(people, "c1")
    recorded(people, "c2")
    holds(people).place([{"kind": "call", "value": "c1"}], "case 7")
    for attack in (
        "UPDATE fsgov.segments SET state = 'destroying' WHERE call = 'c1'",
        "DELETE FROM fsgov.segment_keys WHERE segment = 'c1-01'",
        "DELETE FROM fsgov.segments WHERE segment = 'c1-01'",
    ):
        with pytest.raises(psycopg2.Error, match="under a hold") as refused:
            people.sql("admin", attack)
        assert refused.value.pgcode == "FG409"
    people.sql("admin", "DELETE FROM fsgov.segment_keys WHERE segment = 'c2-01'")


def test_a_ledger_is_applied_to_what_an_older_dump_calls_held(people: World) -> None:
    recorded(people, "c1")
    holds(people).place([{"kind": "call", "value": "c1"}], "case 7")
    assert people.sql("admin", "SELECT keys FROM fsgov.apply_ledger('{c1-01}')") == [(1,)]


def test_a_hold_that_comes_too_late_says_so(people: World) -> None:
    recorded(people, "c1", segments=["c1-01"], outcome="recorded", ended=1)
    recorded(people, "c2")
    people.sql("admin", "UPDATE fsgov.segments SET dispose_reason = 'withdrawn'")
    destroy(people, "c1-01")
    for item in ({"kind": "call", "value": "c1"}, {"kind": "segment", "value": "c1-01"}):
        with pytest.raises(Conflict, match="too late") as refused:
            holds(people).place([item], "case 7")
        assert refused.value.detail == "c1-01 is destroying: withdrawn"
    assert holds(people).holds() == []
    placed = holds(people).place([{"kind": "number", "value": "+493012345"}], "case 7")
    assert placed.extent == Extent(calls=2, segments=1, late=1, unknown=0)
    assert [(row.segment, row.state, row.reason) for row in placed.late] == [
        ("c1-01", "destroying", "withdrawn")
    ]
    assert held(people) == {"c2-01"}
    people.sql("admin", "UPDATE fsgov.segments SET state = 'destroyed' WHERE segment = 'c1-01'")  # goes on


def purge_begins(world: World, segment: str, *, isolation: str = "READ COMMITTED") -> Any:
    """The first transaction of purge, open: it has looked, and not committed."""
    connection = psycopg2.connect(world.dsn)
    with connection.cursor() as cursor:
        cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        cursor.execute("SET LOCAL ROLE fsgov_owner")
        cursor.execute("SELECT fsgov.lock_holds(false)")
        cursor.execute("SELECT fsgov.held(%s)", (segment,))
        assert cursor.fetchone() == ([],)
    return connection


def test_a_hold_waits_for_what_has_begun_and_then_comes_too_late(people: World) -> None:
    recorded(people, "c1", segments=["c1-01"], outcome="recorded", ended=1)
    with closing(purge_begins(people, "c1-01")) as purge:
        answer: list[BaseException | str] = []

        def place() -> None:
            try:
                answer.append(holds(people).place([{"kind": "call", "value": "c1"}], "case 7").hold)
            except Conflict as refused:
                answer.append(refused)

        thread = threading.Thread(target=place)
        thread.start()
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7377472 AND NOT granted"
        )
        while people.sql("admin", waiting) != [(1,)]:
            assert thread.is_alive(), answer
            time.sleep(0.01)
        with purge, purge.cursor() as cursor:
            cursor.execute("UPDATE fsgov.segments SET state = 'destroying' WHERE segment = 'c1-01'")
        thread.join()
    assert [type(a) for a in answer] == [Conflict]


def test_a_call_that_is_entered_while_a_hold_is_placed_is_held(people: World) -> None:
    with closing(psycopg2.connect(people.as_person("alice"))) as placing, placing.cursor() as cursor:
        cursor.execute("SELECT fsgov.place_hold(%s, 'case 7', '', '', NULL)", (
            '[{"kind": "number", "value": "+493012345"}]',))  # fmt: skip
        thread = threading.Thread(target=recorded, args=(people, "c1"))
        thread.start()
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7377472 AND NOT granted"
        )
        while people.sql("admin", waiting) != [(1,)]:
            assert thread.is_alive()
            time.sleep(0.01)
        placing.commit()
        thread.join()
    assert held(people) == {"c1-01"}


def test_nobody_looks_at_holds_with_an_older_snapshot(people: World) -> None:
    recorded(people, "c1")
    with pytest.raises(psycopg2.Error, match="READ COMMITTED"):
        purge_begins(people, "c1-01", isolation="REPEATABLE READ")


# -- two persons -----------------------------------------------------------------------------------------


def test_a_hold_is_released_by_two_logins(people: World) -> None:
    recorded(people, "c1")
    hold = holds(people).place([{"kind": "call", "value": "c1"}], "case 7", "legal", "order 17").hold
    with pytest.raises(Conflict, match="Nobody has asked"):
        holds(people, "bob").approve_release(hold)
    holds(people).ask_release(hold, "settled")
    with pytest.raises(NotPermitted, match="Nobody approves"):
        holds(people).approve_release(hold)
    with pytest.raises(NotPermitted):  # a supervisor may ask, not approve
        holds(people, "sam").approve_release(hold)
    with pytest.raises(Conflict, match="already"):
        holds(people, "bob").ask_release(hold, "again")
    with pytest.raises(NotFound):
        holds(people, "olga").approve_release(hold)
    assert held(people) == {"c1-01"}
    holds(people, "bob").approve_release(hold)
    assert held(people) == set()
    row = holds(people).holds(released=True)[0]
    assert (row.matter, row.custodian, row.reason, row.asked_why, row.state) == (
        "case 7", "legal", "order 17", "settled", "released"
    )  # fmt: skip
    assert row.asked_by != row.released_by
    for again in (lambda: holds(people).ask_release(hold, "x"), lambda: holds(people).add(hold, [])):
        with pytest.raises(Conflict, match="is released"):
            again()


def test_what_was_asked_may_be_refused_and_is_over_when_the_hold_grows(people: World) -> None:
    recorded(people, "c1")
    hold = holds(people).place([{"kind": "call", "value": "c1"}], "case 7").hold
    holds(people, "sam").ask_release(hold, "settled")
    holds(people, "bob").refuse_release(hold)
    with pytest.raises(Conflict):
        holds(people).approve_release(hold)
    holds(people, "sam").ask_release(hold, "settled")
    holds(people, "bob").add(hold, [{"kind": "call", "value": "c2"}])
    with pytest.raises(Conflict):
        holds(people).approve_release(hold)


def test_one_hold_of_two_released_holds_still(people: World) -> None:
    recorded(people, "c1")
    first = holds(people).place([{"kind": "call", "value": "c1"}], "one").hold
    second = holds(people).place([{"kind": "segment", "value": "c1-01"}], "two").hold
    holds(people).ask_release(first, "settled")
    holds(people, "bob").approve_release(first)
    assert people.sql("admin", "SELECT fsgov.held('c1-01')") == [([second],)]
    assert [row.id for row in holds(people).holds(of_call="c1")] == [second]
    assert {row.id for row in holds(people).holds(of_call="c1-01", released=True)} == {first, second}


# -- complaints ------------------------------------------------------------------------------------------


def test_a_complaint_is_a_hold_and_is_closed_with_it(people: World) -> None:
    for call in ("c1", "c2", "c3"):
        recorded(people, call)
    opened = holds(people, "sam").place([{"kind": "call", "value": "c1"}], "ticket 4711", complaint=True)
    assert held(people) == {"c1-01"}
    lawsuit = holds(people).place([{"kind": "case", "value": opened.case}], "lawsuit")
    holds(people, "sam").add(opened.hold, [{"kind": "call", "value": "c2"}])
    assert held(people) == {"c1-01", "c2-01"}
    assert holds(people).hold(lawsuit.hold)[2].segments == 2
    holds(people, "sam").ask_release(opened.hold, "answered")
    holds(people).approve_release(opened.hold)
    assert held(people) == {"c1-01", "c2-01"}, "the lawsuit holds what the complaint was about"
    holds(people).ask_release(lawsuit.hold, "lost")
    holds(people, "bob").approve_release(lawsuit.hold)
    assert held(people) == set()


# -- who may, and what is told ---------------------------------------------------------------------------


def test_a_dry_run_says_the_same_and_does_nothing(people: World) -> None:
    recorded(people, "c1")
    placed = holds(people).place([{"kind": "call", "value": "c1"}], "case 7", dry=True)
    assert placed.extent == Extent(calls=1, segments=1, late=0, unknown=0)
    assert held(people) == set()
    assert holds(people).holds() == []


def test_the_log_tells_of_holds_without_what_they_are_about(people: World) -> None:
    recorded(people, "c1")
    opened = holds(people).place(
        [{"kind": "number", "value": "+493012345"}], "Schmidt ./. us", "Dr. Weber", "order", complaint=True
    )
    holds(people).add(opened.hold, [{"kind": "subject", "value": "K-17"}])
    holds(people).ask_release(opened.hold, "Schmidt has settled")
    holds(people, "bob").refuse_release(opened.hold)
    holds(people).ask_release(opened.hold, "Schmidt has settled")
    holds(people, "bob").approve_release(opened.hold)
    lines = [bytes(text).decode() for (text,) in people.sql(
        "admin", "SELECT line FROM fsgov.outbox WHERE convert_from(line, 'UTF8') ~ 'fsgov[.](hold|case)'"
        " ORDER BY entered_at")]  # fmt: skip
    for secret in ("12345", "Schmidt", "Weber", "K-17", "order"):
        assert not any(secret in text for text in lines)
    assert len(lines) == 7
    assert any('"type":"fsgov.hold.placed.v1"' in text and '"segments":1' in text for text in lines)


def test_holds_are_for_supervisors_and_privacy(people: World) -> None:
    for role in ("agent", "auditor", "ops", "integrator"):
        people.person(role, role)
        with pytest.raises(NotPermitted):
            holds(people, role).place([{"kind": "call", "value": "c1"}], "x")
    for role in ("agent", "ops", "integrator"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            people.sql(role, "SELECT matter FROM fsgov.holds")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            people.sql(role, "SELECT value FROM fsgov.hold_items")
    for function in ("lock_holds(true)", "reach('h', 0)", "take_items('h', '[]')"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            people.sql("alice", f"SELECT fsgov.{function}")
