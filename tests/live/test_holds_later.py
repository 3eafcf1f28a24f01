"""What a hold reaches however late it comes, in whatever order, by whatever spelling; and after a restore."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import permutations
from typing import Any

import psycopg2
import pytest

from fsgov.errors import Conflict
from tests.live.test_holds import held, holds, party, people, recorded
from tests.parts.catalog import START, World, call_file, enter, sidecar
from tests.parts.schemas import faults

__all__ = ["people"]
DAY = 86_400_000_000


FAMILY: dict[str, dict[str, Any]] = {
    "a1": {"outcome": "merged", "merged_into": "a2", "ended": 1},
    "a2": {"outcome": "merged", "merged_into": "a3", "ended": 1},
    "a3": {},
    "a4": {"parted_from": "a3"},
    "a5": {"parted_from": "a4"},
}


@pytest.mark.parametrize("order", [*list(permutations(FAMILY))[::29], tuple(reversed(FAMILY))], ids="-".join)
def test_who_goes_on_is_held_in_whatever_order_their_calls_are_entered(
    people: World, order: tuple[str, ...]
) -> None:
    recorded(people, order[0], **FAMILY[order[0]])
    placed = holds(people).place([{"kind": "call", "value": "a1"}], "case 7").hold
    for call in order[1:]:
        recorded(people, call, **FAMILY[call])
    recorded(people, "b1", parted_from="b0")
    assert held(people) == {f"{call}-01" for call in FAMILY}
    # and of all that is there, at once
    again = holds(people).place([{"kind": "call", "value": "a1"}], "case 8").hold
    assert held(people, again) == held(people, placed)


def test_a_case_of_a_case_is_held_whichever_was_named_first(people: World) -> None:
    for call in ("c1", "c2", "c3", "c4"):
        recorded(people, call)
    first, second = (
        holds(people).place([{"kind": "call", "value": call}], "ticket", complaint=True)
        for call in ("c1", "c2")
    )
    lawsuit = holds(people).place([{"kind": "case", "value": second.case}], "lawsuit").hold
    holds(people).add(second.hold, [{"kind": "case", "value": first.case}])
    assert held(people, lawsuit) == {"c1-01", "c2-01"}
    holds(people).add(first.hold, [{"kind": "call", "value": "c3"}, {"kind": "case", "value": second.case}])
    assert held(people, lawsuit) == held(people, first.hold) == {"c1-01", "c2-01", "c3-01"}
    third = holds(people).place([{"kind": "call", "value": "c5"}], "ticket", complaint=True)
    holds(people).add(second.hold, [{"kind": "case", "value": third.case}])
    appeal = holds(people).place([{"kind": "case", "value": second.case}], "appeal").hold
    holds(people).add(third.hold, [{"kind": "call", "value": "c4"}])
    everything = {"c1-01", "c2-01", "c3-01", "c4-01"}
    assert held(people, appeal) == held(people, lawsuit) == everything
    for complaint in (first, second):  # closed: the lawsuit is about them all the same, and about what comes
        holds(people).ask_release(complaint.hold, "answered")
        holds(people, "bob").approve_release(complaint.hold)
    assert held(people, lawsuit) == everything


def test_what_a_case_has_reached_is_held_by_a_later_hold_on_it(people: World) -> None:
    recorded(people, "c1", party("03012345", "+493012345"))
    opened = holds(people).place(
        [{"kind": "query", "filter": {"tag": "complaint"}}, {"kind": "segment", "value": "c9-01"}],
        "ticket", complaint=True,
    )  # fmt: skip
    recorded(people, "c1", revision=2, tags=[])
    lawsuit = holds(people).place([{"kind": "case", "value": opened.case}], "lawsuit").hold
    recorded(people, "c9")
    recorded(people, "c8", tags=[])
    assert held(people, lawsuit) == held(people, opened.hold) == {"c1-01", "c9-01"}


def test_the_days_of_a_query_are_those_of_its_placing(people: World) -> None:
    with psycopg2.connect(people.as_person("alice")) as berlin, berlin.cursor() as cursor:
        cursor.execute("SET timezone = 'Europe/Berlin'; SET datestyle = 'German'")
        days = {"since": "2026-11-21", "until": "tomorrow", "rule": "r"}
        items = json.dumps([{"kind": "query", "filter": days}])
        cursor.execute("SELECT fsgov.place_hold(%s, 'x', '', '', NULL)", (items,))
    berlin.close()
    ((stored,),) = people.sql("admin", "SELECT filter FROM fsgov.hold_items")
    ((tomorrow,),) = people.sql("admin", "SET timezone = 'Europe/Berlin'", "SELECT 'tomorrow'::timestamptz")
    assert datetime.fromisoformat(stored.pop("until")) == tomorrow
    assert stored == {"since": "2026-11-20T23:00:00.000000Z", "rule": "r"}
    midnight = 1_795_215_600_000_000
    for call, opened in (("c1", midnight), ("c2", midnight - 1)):
        recorded(people, call, opened=opened, decision={"rule": "r"})
    people.sql("admin", "UPDATE fsgov.hold_items SET filter = filter - 'until'")
    recorded(people, "c1", opened=midnight, decision={"rule": "r"}, revision=2)
    recorded(people, "c2", opened=midnight - 1, decision={"rule": "r"}, revision=2)
    assert held(people) == {"c1-01"}


def test_every_condition_of_a_query_reaches_what_is_there_and_what_comes_alike(people: World) -> None:
    known = {
        "since": "2026-11-21", "until": "2026-11-22", "direction": "inbound", "outcome": "recorded",
        "rule": "german service line", "tag": "complaint", "number": "+493012345", "subject": "K-17",
    }  # fmt: skip
    other = {
        "since": "2026-11-22", "until": "2026-11-21", "direction": "outbound", "outcome": "refused",
        "rule": "another", "tag": "praise", "number": "+493012346", "subject": "K-18",
    }  # fmt: skip
    mine = holds(people)
    before = {
        name: [mine.place([{"kind": "query", "filter": {**known, **wrong}}], "x").hold
               for wrong in ({}, {name: other[name]})]
        for name in known
    }  # fmt: skip
    recorded(people, "c1", party("03012345", None, id="K-17"), outcome="recorded", ended=1)
    for name, (fits, not_) in before.items():
        assert held(people, fits) == {"c1-01"}
        assert held(people, not_) == set(), name
        for wrong, reached in (({}, 1), ({name: other[name]}, 0)):
            placed = mine.place([{"kind": "query", "filter": {**known, **wrong}}], "x", dry=True)
            assert placed.extent.segments == reached, name


@pytest.mark.parametrize("first", ["row", "name"])
def test_a_file_with_the_number_in_its_name_is_held(people: World, first: str) -> None:
    people.person("otto", "ops")
    placed = holds(people).place([{"kind": "number", "value": "+493012345678"}], "case 7").hold

    def adopted(call: str, name: str) -> None:
        row = sidecar(f"{call}-01", adopted="spool", quarantine="adopted", review_by=START + DAY)
        acts = [
            lambda: enter(people.ship, None, row),
            lambda: people.sql("otto", "SELECT fsgov.difference_resolved('orphan-file', %s, %s)",
                               values=[f"{call}-01", name]),
        ]  # fmt: skip
        for act in acts if first == "row" else reversed(acts):
            act()

    for call, name in (("c1", "call-03012345678-1.wav"), ("c2", "4930-12345.wav"), ("c3", "20261121.wav")):
        adopted(call, name)
    assert held(people, placed) == {"c1-01"}
    again = holds(people).place([{"kind": "number", "value": "0049 30 12345678"}], "case 8").hold
    assert held(people, again) == {"c1-01"}
    assert people.sql("alice", "SELECT fsgov.is_held('c1', NULL)") == [(True,)], "it has no row of calls"


def test_facts_of_any_shape_keep_no_call_from_being_entered(people: World) -> None:
    holds(people).place([{"kind": "subject", "value": "K-17"}], "case 7")
    for n, facts in enumerate((["K-17"], "K-17", 17, None)):
        recorded(people, f"c{n}", {**party("1", None), "facts": facts})
    recorded(people, "c9", party("1", None, id="K-17"))
    assert held(people) == {"c9-01"}


def test_what_a_hold_keeps_is_found_by_it(people: World) -> None:
    for call in ("c1", "c2", "c3"):
        recorded(people, call)
    items = [{"kind": "call", "value": "c1"}, {"kind": "segment", "value": "c2-01"}]
    hold = holds(people).place(items, "case 7").hold
    for who in ("alice", "sam"):
        desk = people.desk(who)
        assert {row.segment for row in desk.segments(hold=hold)} == {"c1-01", "c2-01"}
        assert {row.call for row in desk.calls(hold=hold)} == {"c1", "c2"}
    assert people.desk("olga").segments(hold=hold) == []
    assert people.desk("olga").calls(hold=hold) == []


# -- after a restore of an older dump --------------------------------------------------------------------


def restored(world: World, *, lacking: bool = False) -> int:
    ((lost,),) = world.sql("admin", "SELECT fsgov.lost_holds(%s)", values=[lacking])
    return int(lost)


def test_what_a_restore_loses_of_holds_is_on_everything_until_two_persons_let_it_go(people: World) -> None:
    for call in ("c1", "c2"):
        recorded(people, call, outcome="recorded", ended=1)
    mine = holds(people)
    kept = mine.place([{"kind": "call", "value": "c1"}], "kept").hold
    grown = mine.place([{"kind": "call", "value": "c1"}], "grown").hold
    over = mine.place([{"kind": "call", "value": "c1"}], "over").hold
    assert restored(people) == 0
    mine.add(grown, [{"kind": "number", "value": "+493012345"}])
    later = mine.place([{"kind": "segment", "value": "c1-01"}], "later").hold
    for hold in (over, released := mine.place([{"kind": "call", "value": "c2"}], "brief").hold):
        mine.ask_release(hold, "settled")
        holds(people, "bob").approve_release(hold)
    # the dump was made before
    people.sql(
        "admin", "SET session_replication_role = replica",
        f"DELETE FROM fsgov.hold_items WHERE hold IN ('{later}', '{released}') OR hold = '{grown}' AND n > 1",
        *(f"DELETE FROM fsgov.{table} WHERE {name} IN ('{later}', '{released}')" for table, name in (
            ("hold_sources", "hold"), ("hold_calls", "hold"), ("hold_segments", "hold"), ("holds", "id"))),
        f"DELETE FROM fsgov.hold_calls WHERE hold = '{grown}'",
        "UPDATE fsgov.holds SET released_at = NULL, released_by = NULL, asked_by = NULL, asked_at = NULL"
        f" WHERE id = '{over}'",
    )  # fmt: skip
    assert held(people) == {"c1-01"}
    assert restored(people) == 2
    assert restored(people) == 0, "twice is once"
    assert {row.id: row.state for row in mine.holds()} == {
        kept: "in force", over: "in force", grown: "lost", later: "lost"
    }  # fmt: skip
    for hold in (grown, later):
        assert held(people, hold) == {"c1-01", "c2-01"}
        assert mine.hold(hold)[2].segments == mine.hold(hold)[2].calls == 2
    assert people.sql("alice", "SELECT fsgov.is_held('c2', NULL), fsgov.is_held('c2', 'c2-01')") == [
        (True, True)
    ]
    recorded(people, "c3", tenant="other")
    assert "c3-01" in held(people, later)
    with pytest.raises(psycopg2.Error, match="under a hold"):
        people.sql("admin", "UPDATE fsgov.segments SET state = 'destroying' WHERE segment = 'c2-01'")
    told = "SELECT line FROM fsgov.outbox WHERE convert_from(line, 'UTF8') ~ 'hold[.]lost'"
    lines = [bytes(line) for (line,) in people.sql("admin", told)]
    assert {json.loads(line)["subject"] for line in lines} == {grown, later}
    assert [fault for line in lines for fault in faults(line)] == []
    for hold in (grown, later):
        mine.ask_release(hold, "placed again")
        with pytest.raises(Conflict):
            mine.ask_release(hold, "placed again")
        holds(people, "bob").approve_release(hold)
    assert held(people) == {"c1-01"}
    assert people.sql("admin", "SELECT count(*) FROM fsgov.mirrors WHERE due <= now()") == [(3,)], (
        "the vaults may show legal holds of what they were about"
    )
    assert restored(people) == 0


def test_where_lines_are_lost_there_may_have_been_holds_among_them(people: World) -> None:
    recorded(people, "c1")
    assert restored(people, lacking=True) == 1
    assert held(people) == {"c1-01"}
    ((row),) = holds(people).holds()
    assert (row.state, row.tenant, row.items) == ("lost", "*", 0)


def test_a_call_that_a_spool_enters_again_after_a_restore_is_held(people: World) -> None:
    """The dump has the hold, and not yet the call."""
    placed = holds(people).place([{"kind": "number", "value": "+493012345"}], "case 7").hold
    enter(people.ship, call_file("c1"), sidecar("c1-01"))
    assert held(people, placed) == {"c1-01"}
