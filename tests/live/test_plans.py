"""Plans in the database: two logins, one digest, an end; and the three steps of a destruction."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from fsgov.catalog.plans import Plans
from fsgov.catalog.rows import text_array
from fsgov.errors import Conflict, Damaged, FsgovError, NotFound, NotPermitted
from tests.parts import holds
from tests.parts.catalog import World, call_file, enter, sidecar
from tests.parts.schemas import faults

WEEK = timedelta(days=7)
SEGMENTS = ["0f6c-01", "0f6c-02", "0f6c-03"]


@contextmanager
def as_(world: World, name: str) -> Iterator[Plans]:
    with closing(Plans(world.as_person(name))) as plans:
        yield plans


@pytest.fixture
def staffed(world: World) -> World:
    """bob and beth are of privacy, alice a supervisor, tina of one tenant; three recordings are stored."""
    for name in ("bob", "beth"):
        world.person(name, "privacy")
    world.person("alice", "supervisor")
    world.person("tina", "privacy", tenants=["acme"])
    world.person("carol", "agent", "ops", "auditor", "integrator")
    ship = world.ship
    enter(ship, call_file())
    for segment in SEGMENTS:
        enter(ship, segment=sidecar(segment))
    return world


def test_any_text_is_an_element_of_an_array(staffed: World) -> None:
    texts = ["", "a,b", 'say "no"', "{}", "\\", "null", "NULL", " a ", "zwei\nzeilen", "ß"]
    with as_(staffed, "bob") as plans, plans.database.transaction() as cursor:
        cursor.execute("SELECT %s::text[]", (text_array(texts),))
        assert cursor.fetchone() == (texts,)


def propose(
    world: World, segments: list[str], kind: str = "manual", valid: timedelta = WEEK
) -> tuple[str, str]:
    with as_(world, "bob") as plans:
        made = plans.propose(kind, segments, ["named"], "wrongly recorded", valid)
    return made.plan, made.sha256


def approved(world: World, segments: list[str], kind: str = "manual") -> str:
    plan, digest = propose(world, segments, kind)
    with as_(world, "alice") as plans:
        plans.approve(plan, digest)
    world.sql("keep", "SELECT fsgov.begin_plan(%s)", values=[plan])
    return plan


def begun(world: World, plan: str, segments: list[str]) -> dict[str, str]:
    rows = world.sql(
        "keep", "SELECT segment, verdict FROM fsgov.begin_destruction(%s, %s)", values=[plan, segments]
    )
    return dict(rows)


def lines(world: World) -> list[dict[str, Any]]:
    rows = world.sql("admin", "SELECT line FROM fsgov.outbox ORDER BY entered_at, n")
    found = [bytes(row[0]) for row in rows]
    assert [fault for line in found for fault in faults(line)] == []
    return [each for each in map(json.loads, found) if ".plan." in each["type"]]


def test_two_persons_are_two_logins(staffed: World) -> None:
    plan, digest = propose(staffed, SEGMENTS)
    for who in ("bob", "carol", "tina"):
        with as_(staffed, who) as plans, pytest.raises(NotPermitted if who != "tina" else NotFound):
            plans.approve(plan, digest)
    with pytest.raises(psycopg2.Error, match="not approved"):
        staffed.sql("keep", "SELECT fsgov.begin_plan(%s)", values=[plan])
    with as_(staffed, "alice") as plans:
        with pytest.raises(Damaged, match="not the plan"):
            plans.approve(plan, "00" * 32)
        plans.approve(plan, digest)
        with pytest.raises(Conflict, match="does not wait"):
            plans.approve(plan, digest)
        row = plans.plan(plan)
    assert (row.shown, row.items, row.causes, row.size) == ("approved", 3, {"named": 3}, 3 * 144300)
    assert row.approved_by not in (None, row.proposed_by)
    proposed, approval = lines(staffed)
    assert proposed["data"] == {
        "kind": "manual", "items": 3, "causes": {"named": 3}, "sha256": digest, "actor": row.proposed_by
    }  # fmt: skip
    assert (approval["subject"], approval["data"]["proposed_by"]) == (plan, row.proposed_by)


def test_what_may_not_be_planned_is_left_out(staffed: World) -> None:
    silent = sidecar("0f6c-04")
    del silent["stored"]
    enter(staffed.ship, segment=silent)
    with as_(staffed, "bob") as plans:
        made = plans.propose("manual", [SEGMENTS[0], "0f6c-04", "nope-01"], ["named"], "", WEEK)
        assert made.left_out == ["0f6c-04", "nope-01"]
        with pytest.raises(Conflict, match="nothing"):
            plans.propose("manual", ["nope-01"], ["named"], "", WEEK)
    with as_(staffed, "tina") as plans, pytest.raises(NotPermitted):
        plans.propose("manual", SEGMENTS, ["named"], "", WEEK)
    with as_(staffed, "alice") as plans, pytest.raises(NotPermitted):
        plans.propose("manual", SEGMENTS, ["named"], "", WEEK)


def test_a_plan_is_no_larger_than_it_may_be(staffed: World) -> None:
    with (
        as_(staffed, "bob") as plans,
        pytest.raises(Conflict, match="larger"),
        plans.drafting("manual", "*", "", 2, WEEK) as draft,
    ):
        draft.add(SEGMENTS, ["named"] * 3)
        draft.seal({})
    with as_(staffed, "bob") as plans:
        assert plans.plans() == []


def test_an_expired_plan_is_neither_approved_nor_applied(staffed: World) -> None:
    plan, digest = propose(staffed, SEGMENTS)
    other = approved(staffed, SEGMENTS[:1])
    staffed.sql("admin", "SET session_replication_role = replica",
                "UPDATE fsgov.plans SET expires_at = now() - interval '1 second'")  # fmt: skip
    with as_(staffed, "alice") as plans:
        with pytest.raises(Conflict, match="expired"):
            plans.approve(plan, digest)
        assert {row.shown for row in plans.plans(over=True)} == {"expired"}
    with pytest.raises(psycopg2.Error, match="expired"):
        begun(staffed, other, SEGMENTS[:1])
    with pytest.raises(psycopg2.Error, match="expired"):
        staffed.sql("keep", "SELECT fsgov.begin_plan(%s)", values=[other])
    assert staffed.sql("keep", "SELECT * FROM fsgov.plan_work()") == []


def test_a_plan_that_was_changed_is_not_begun(staffed: World) -> None:
    plan, digest = propose(staffed, SEGMENTS[:2])
    row = (
        "INSERT INTO fsgov.plan_items (plan, segment, tenant, cause, size) VALUES (%s, %s, 'default', 'x', 1)"
    )
    staffed.sql("admin", row, values=[plan, SEGMENTS[2]])
    with as_(staffed, "alice") as plans, pytest.raises(Damaged, match="not the plan"):
        plans.approve(plan, digest)
    plan, digest = propose(staffed, SEGMENTS[:2])
    with as_(staffed, "alice") as plans:
        plans.approve(plan, digest)
    staffed.sql("admin", row, values=[plan, SEGMENTS[2]])
    with pytest.raises(psycopg2.Error, match="not the plan"):
        staffed.sql("keep", "SELECT fsgov.begin_plan(%s)", values=[plan])


def test_a_stopped_plan_begins_nothing_more(staffed: World) -> None:
    plan = approved(staffed, SEGMENTS)
    assert begun(staffed, plan, SEGMENTS[:1]) == {SEGMENTS[0]: "destroying"}
    with as_(staffed, "beth") as plans:
        plans.stop(plan, "the wrong ones")
        with pytest.raises(Conflict, match="over"):
            plans.stop(plan, "again")
    with pytest.raises(psycopg2.Error, match="not being applied"):
        begun(staffed, plan, SEGMENTS[1:])
    (unfinished,) = staffed.sql("keep", "SELECT segment FROM fsgov.unfinished('', 10)")
    assert unfinished == (SEGMENTS[0],)


def test_what_is_held_is_not_begun(staffed: World) -> None:
    plan = approved(staffed, SEGMENTS)
    holds.place(staffed, segment=SEGMENTS[1])
    assert begun(staffed, plan, SEGMENTS) == {
        SEGMENTS[0]: "destroying", SEGMENTS[1]: "held", SEGMENTS[2]: "destroying"
    }  # fmt: skip
    assert begun(staffed, plan, SEGMENTS)[SEGMENTS[1]] == "held"
    states = staffed.sql("admin", "SELECT state FROM fsgov.segments ORDER BY segment")
    assert states == [("destroying",), ("stored",), ("destroying",)]
    with pytest.raises(psycopg2.Error, match="not in the plan"):
        begun(staffed, plan, ["0f6c-09"])
    with as_(staffed, "bob") as plans:
        (item,) = plans.items(plan, ["held"])
    assert item.why.startswith("h-")


def test_a_hold_that_is_being_placed_is_waited_for(staffed: World) -> None:
    """The check is under the lock: a hold that another transaction is about to commit counts."""
    plan = approved(staffed, SEGMENTS[:1])
    found: dict[str, str] = {}
    with closing(psycopg2.connect(staffed.dsn)) as placing:
        with placing.cursor() as cursor:
            cursor.execute("SELECT fsgov.lock_holds(true)")
            thread = threading.Thread(target=lambda: found.update(begun(staffed, plan, SEGMENTS[:1])))
            thread.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            for _ in range(600):
                if staffed.sql("admin", waiting) == [(1,)] or not thread.is_alive():
                    break
                thread.join(0.05)
            cursor.execute(holds.PLACE, (holds.items(segment=SEGMENTS[0]),))
        placing.commit()
        thread.join(30)
    assert found == {SEGMENTS[0]: "held"}


def test_another_plan_finds_it_gone(staffed: World) -> None:
    first, second = approved(staffed, SEGMENTS), approved(staffed, SEGMENTS)
    begun(staffed, first, SEGMENTS[:2])
    assert begun(staffed, second, SEGMENTS) == dict(
        zip(SEGMENTS, ("gone", "gone", "destroying"), strict=True)
    )


def body(of: str, by: str, **changes: object) -> bytes:
    said = {"segment": of, "plan": by, "cause": "named", "destroyed_at": "2026-11-22T04:00:00Z",
            "complete_after": "2026-12-22T04:00:00Z"}  # fmt: skip
    return json.dumps({**said, **changes}).encode()


def certify(world: World, segment: str, content: bytes) -> None:
    world.sql(
        "keep",
        "SELECT fsgov.certify('b-abcdefghijkl', %s, %s::bytea[], 'fs1.keep.1', 1)",
        values=[[segment], [content]],
    )


def test_three_steps_in_their_order_and_no_other(staffed: World) -> None:
    plan = approved(staffed, SEGMENTS[:1])
    one = SEGMENTS[0]
    with as_(staffed, "bob") as plans:
        row = plans.plan(plan)
    whole = body(one, plan, proposed_by=row.proposed_by, approved_by=row.approved_by)
    for early in ("SELECT fsgov.destroy_keys(%s)", "SELECT fsgov.note_versions(%s, '[]')"):
        with pytest.raises(psycopg2.Error, match="not being destroyed"):
            staffed.sql("keep", early, values=[one if "note" in early else [one]])
    begun(staffed, plan, [one])
    with pytest.raises(psycopg2.Error, match="no certificate"):
        certify(staffed, one, whole)
    staffed.sql("keep", "SELECT fsgov.destroy_keys(%s)", values=[[one]])
    assert staffed.sql(
        "admin", "SELECT count(*) FROM fsgov.segment_keys WHERE segment = %s", values=[one]
    ) == [(0,)]
    for wrong in (
        {"plan": "pl-x"},
        {"cause": "x"},
        {"approved_by": row.proposed_by},
        {"segment": SEGMENTS[1]},
    ):
        forged = body(one, plan, **{"proposed_by": row.proposed_by, "approved_by": row.approved_by, **wrong})
        with pytest.raises(psycopg2.Error, match="no certificate"):
            certify(staffed, one, forged)
    certify(staffed, one, whole)
    with pytest.raises(psycopg2.Error, match="not being destroyed"):
        certify(staffed, one, whole)
    assert staffed.sql("admin", "SELECT state FROM fsgov.segments WHERE segment = %s", values=[one]) == [
        ("destroyed",)
    ]
    assert staffed.sql("keep", "SELECT state FROM fsgov.end_plan(%s)", values=[plan]) == [("done",)]
    for statement in ("UPDATE fsgov.certificates SET tenant = 'x'", "DELETE FROM fsgov.certificates"):
        with pytest.raises(psycopg2.Error, match="never changed"):
            staffed.sql("admin", statement)


def test_what_is_destroyed_is_given_to_nobody_and_enters_no_more(staffed: World) -> None:
    one = SEGMENTS[0]
    access = staffed.desk("beth").request_access(one, "evidence", "before")
    plan = approved(staffed, [one])
    begun(staffed, plan, [one])
    desk = staffed.desk("beth")
    with pytest.raises(Conflict, match="destroyed"):
        desk.request_access(one, "evidence", "after")
    with pytest.raises(NotFound, match="destroyed"):
        desk.release_key(access)
    staffed.sql("keep", "SELECT fsgov.destroy_keys(%s)", values=[[one]])
    with staffed.ship.entering() as entering:
        assert entering.segment(json.dumps(sidecar(one)), b"wrapped") is False
    assert staffed.sql(
        "admin", "SELECT count(*) FROM fsgov.segment_keys WHERE segment = %s", values=[one]
    ) == [(0,)]
    assert staffed.sql("ship", "SELECT fsgov.erased_among(%s)", values=[SEGMENTS]) == [(one,)]
    assert staffed.sql("keep", "SELECT fsgov.objects_of(%s)", values=[one]) != []


def test_an_erasure_waits_for_the_release_of_a_hold_even_after_its_end(staffed: World) -> None:
    plan = approved(staffed, SEGMENTS[:1], kind="erasure")
    holds.place(staffed, segment=SEGMENTS[0])
    assert begun(staffed, plan, SEGMENTS[:1]) == {SEGMENTS[0]: "held"}
    assert staffed.sql("keep", "SELECT state FROM fsgov.end_plan(%s)", values=[plan]) == [("waiting",)]
    holds.release(staffed)
    staffed.sql("admin", "SET session_replication_role = replica",
                "UPDATE fsgov.plans SET expires_at = now() - interval '1 day'")  # fmt: skip
    assert staffed.sql("keep", "SELECT * FROM fsgov.plan_work()") == [(plan, "waiting")]
    assert begun(staffed, plan, SEGMENTS[:1]) == {SEGMENTS[0]: "destroying"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fsgov.plans SET approved_by = 'p-x', approved_at = now(), state = 'approved'",
        "DELETE FROM fsgov.plan_items",
        "UPDATE fsgov.segments SET state = 'destroyed'",
        "SELECT fsgov.begin_destruction('pl-x', '{}')",
        "SELECT fsgov.destroy_keys('{}')",
    ],
)
def test_nothing_is_written_by_hand(staffed: World, statement: str) -> None:
    approved(staffed, SEGMENTS)
    for who in ("bob", "alice"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            staffed.sql(who, statement)


def test_only_keep_tells_of_destruction_and_only_people_of_plans(staffed: World) -> None:
    for type_ in ("segment.destroyed", "purge.certified", "plan.approved"):
        origin = "fs1.ship.1"
        entry = {"id": f"{origin}.1", "source": "/fsgov/fs1", "type": f"fsgov.{type_}.v1"}
        with pytest.raises(FsgovError, match="not one its origin may"), staffed.ship.entering() as entering:
            entering.lines(origin, 1, [json.dumps(entry).encode()])
