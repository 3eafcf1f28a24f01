"""What is in quarantine is reviewed, or reminded of, or comes to its end; never under a hold."""

from __future__ import annotations

import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from fsgov.catalog.quarantine import QuarantineRow, Reviewing
from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from fsgov.journal.quarantine import Quarantine
from tests.parts import holds
from tests.parts.catalog import START, World, call_file, enter, sidecar
from tests.parts.schemas import faults

ONE, TWO = "0f6c-01", "0f6c-02"


@pytest.fixture
def place(world: World) -> World:
    """A stored recording, and one whose mask was not proven; sam may set aside, alice reviews."""
    enter(world.ship, call_file(), sidecar(ONE))
    enter(world.ship, None, sidecar(TWO, quarantine="mask-not-proven", review_by=now() + 86_400_000_000))
    world.person("alice", "privacy")
    world.person("sam", "supervisor")
    world.person("tina", "privacy", tenants=["other"])
    return world


def now() -> int:
    return time.time_ns() // 1000


def reviewing(world: World, name: str) -> Reviewing:
    made = Reviewing(world.as_person(name))
    world.closing.append(made.close)
    return made


def row(world: World, segment: str) -> tuple[str, str, bool, str]:
    query = "SELECT state, quarantine, dispose, dispose_reason FROM fsgov.segments WHERE segment = %s"
    return world.sql("admin", query, values=[segment])[0]  # type: ignore[return-value]


def passed(world: World, segment: str, share: float) -> None:
    """As if so much of its time for review were over."""
    ago = timedelta(days=10) * share
    world.sql(
        "admin",
        "UPDATE fsgov.segments SET review_by = now() + %s, stored_at = now() - %s WHERE segment = %s",
        values=[timedelta(days=10) - ago, ago, segment],
    )


def keeps(world: World) -> Quarantine:
    return Quarantine(world.keep, "fs1", now)


def told(world: World, type_: str) -> list[str]:
    rows = world.sql("admin", "SELECT line FROM fsgov.outbox ORDER BY entered_at, n")
    lines = [bytes(line) for (line,) in rows]
    assert [fault for line in lines for fault in faults(line)] == []
    return [each["subject"] for each in map(json.loads, lines) if each["type"] == f"fsgov.{type_}.v1"]


def test_a_person_sets_aside_and_a_reviewer_keeps(place: World) -> None:
    until = reviewing(place, "sam").set(ONE, "names a card", None)
    assert timedelta(days=13) < until - datetime.now(UTC) <= timedelta(days=14)
    assert row(place, ONE) == ("quarantined", "person", False, "")
    with pytest.raises(NotPermitted):
        place.desk("sam").request_access(ONE, "evidence", "curious")
    with pytest.raises(NotPermitted):
        reviewing(place, "sam").release(ONE, True, "mine")
    with pytest.raises(NotFound):
        reviewing(place, "tina").release(ONE, True, "not hers")
    assert [(each.segment, each.quarantine, each.said) for each in reviewing(place, "alice").waiting()] == [
        (TWO, "mask-not-proven", ""), (ONE, "person", "names a card")
    ]  # fmt: skip
    reviewing(place, "alice").release(ONE, True, "no card")
    assert row(place, ONE) == ("stored", "", False, "")
    assert place.desk("sam").request_access(ONE, "evidence", "why")
    with pytest.raises(Conflict, match="not in quarantine"):
        reviewing(place, "alice").release(ONE, False, "again")
    assert (told(place, "quarantine.set"), told(place, "quarantine.released")) == ([ONE], [ONE])
    assert place.sql("admin", "SELECT act, reason FROM fsgov.reviews ORDER BY n") == [
        ("set", "names a card"), ("kept", "no card")
    ]  # fmt: skip


def test_what_the_reviewer_disposes_of_waits_for_purge(place: World) -> None:
    reviewing(place, "alice").release(TWO, False, "a card is named")
    assert row(place, TWO) == (
        "quarantined",
        "mask-not-proven",
        True,
        "quarantine: the reviewer has decided",
    )
    keeps(place).look()
    assert told(place, "review.due") == []
    reviewing(place, "alice").release(TWO, True, "I was wrong")
    assert row(place, TWO)[:3] == ("stored", "", False)


def test_who_refused_is_not_reviewed_back(place: World) -> None:
    place.sql("admin", "UPDATE fsgov.segments SET dispose = true, dispose_reason = 'withdrawn'")
    with pytest.raises(Conflict, match="whatever a review says"):
        reviewing(place, "alice").release(TWO, True, "useful")


def test_reasons_and_times_are_needed(place: World) -> None:
    sam = reviewing(place, "sam")
    with pytest.raises(Damaged):
        sam.set(ONE, "", None)
    for until in (timedelta(days=-1), timedelta(days=91)):
        with pytest.raises(Damaged):
            sam.set(ONE, "x", datetime.now(UTC) + until)
    with pytest.raises(Conflict):
        sam.set(TWO, "x", None)
    with pytest.raises(Damaged):
        reviewing(place, "alice").release(TWO, True, "")


def test_keep_reminds_once_and_then_ends_it(place: World) -> None:
    keep = keeps(place)
    passed(place, TWO, 0.7)
    keep.look()
    assert (told(place, "review.due"), keep.troubles) == ([], {})
    passed(place, TWO, 0.8)
    keep.look()
    keep.look()
    assert told(place, "review.due") == [TWO]
    assert "unless somebody reviews" in keep.troubles["quarantine"].message
    assert row(place, TWO)[2] is False
    passed(place, TWO, 1.1)
    keep.look()
    keep.look()
    assert row(place, TWO) == ("quarantined", "mask-not-proven", True, "quarantine: not reviewed in time")
    assert told(place, "review.ended") == [TWO]
    assert keep.troubles == {}
    assert row(place, ONE) == ("stored", "", False, "")
    # a day late, and purge has not begun
    reviewing(place, "alice").release(TWO, True, "it is needed")
    assert row(place, TWO)[:3] == ("stored", "", False)


def test_what_is_set_aside_again_is_reminded_of_again(place: World) -> None:
    keep = keeps(place)
    reviewing(place, "sam").set(ONE, "names a card", None)
    for told_of in (1, 2):
        assert keep.troubles == {}
        place.sql(
            "admin",
            "UPDATE fsgov.reviews SET at = at - interval '13 days'",
            f"UPDATE fsgov.segments SET review_by = now() + interval '1 day' WHERE segment = '{ONE}'",
        )
        keep.look()
        keep.look()
        assert told(place, "review.due") == [ONE] * told_of
        assert set(keep.troubles) == {"quarantine"}
        reviewing(place, "alice").release(ONE, True, "no card")
        reviewing(place, "sam").set(ONE, "names a card after all", None)
        keep.look()


def test_under_a_hold_nothing_ends(place: World) -> None:
    keep = keeps(place)
    holds.place(place, call="0f6c")
    passed(place, TWO, 1.1)
    keep.look()
    assert row(place, TWO)[2] is False
    assert told(place, "review.ended") == []
    assert "kept by a hold" in keep.troubles["quarantine"].message
    with closing(Reviewing(place.as_person("alice"))) as alice:
        waiting: list[QuarantineRow] = alice.waiting()
    assert [each.held for each in waiting] == [True]
    holds.release(place)
    keep.look()
    assert row(place, TWO)[2] is True


def test_what_was_reviewed_is_not_sent_back_by_a_later_revision(place: World) -> None:
    doc = call_file(quarantine={ONE: START}, revision=2)
    enter(place.ship, doc)
    assert row(place, ONE)[:2] == ("quarantined", "withdrawn")
    reviewing(place, "alice").release(ONE, True, "the other party agreed")
    enter(place.ship, {**doc, "revision": 3})
    assert row(place, ONE)[:2] == ("stored", "")
