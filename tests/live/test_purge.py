"""Approved plans are applied to real rows and a real vault: what is gone, what stays, what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from fsgov.errors import Conflict, NotPermitted, Unreachable
from fsgov.purge.applying import Limits
from fsgov.purge.removing import Place, Vaults
from fsgov.vault import Vault
from tests.parts.catalog import World, call_file, enter
from tests.parts.purging import Yard, file_vault, yard


@pytest.fixture
def place(world: World, tmp_path: Path) -> Yard:
    return yard(world, file_vault(tmp_path))


def test_a_plan_is_applied_to_its_end(place: Yard) -> None:
    due, kept = place.store(5), place.store(2)
    plan = place.plan(due)
    assert place.apply() == 5
    place.whole()
    assert place.states() == {**dict.fromkeys(due, "destroyed"), **dict.fromkeys(kept, "stored")}
    assert place.plan_state(plan) == "done"
    assert place.ledger() == set(due)
    one = place.bodies()[due[0]]
    assert {(each["bucket"], each["key"]) for each in one["removed"]} == {
        ("audio", f"default/2026/11/{due[0]}.age"),
        ("keys", f"keys/{due[0]}"),
    }
    assert [each["versions"] for each in one["listed"]] == [0, 0]
    assert one["plan"] == plan
    assert one["approved_by"] not in (None, one["proposed_by"])
    assert one["complete_after"] > one["destroyed_at"] >= one["key"]["destroyed_at"] >= one["begun_at"]
    assert [line["subject"] for line in place.lines("segment.destroying")] == due
    (ended,) = place.lines("purge.ended")
    assert ended["data"] == {"state": "done", "destroyed": 5, "held": 0, "scheduled": 0, "kept": 0, "gone": 0}
    assert sum(line["data"]["certificates"] for line in place.lines("purge.certified")) == 5


def test_older_versions_and_what_a_cut_upload_left_go_too(place: Yard, tmp_path: Path) -> None:
    (one,) = place.store(1)
    key = f"default/2026/11/{one}.age"
    place.vault.audio.put_bytes(key, b"again", {})
    part = tmp_path / "audio" / key / "00ab.part"
    part.write_bytes(b"half")
    place.plan([one])
    assert place.apply() == 1
    place.whole()
    assert not part.exists()
    assert len(place.bodies()[one]["removed"]) == 3


def test_a_neighbour_whose_id_begins_the_same_stays(place: Yard) -> None:
    first = place.store(10)[0]
    longer = f"default/2026/11/{first}.age"  # a listing by prefix shows it as well
    place.vault.audio.put_bytes(longer + "x", b"another", {})
    place.vault.keys.put_bytes(f"keys/{first}0", b"another", {})
    place.plan([first])
    assert place.apply() == 1
    assert [each.key for each in place.vault.audio.list(longer)] == [longer + "x"]
    assert [each.key for each in place.vault.keys.list(f"keys/{first}")] == [f"keys/{first}0"]


def test_what_is_held_stays_and_is_told(place: Yard) -> None:
    due = place.store(4)
    place.hold(due[1])
    plan = place.plan(due)
    assert place.apply() == 3
    place.whole()
    assert place.items(plan)[due[1]] == "held"
    assert place.plan_state(plan) == "done"
    place.release()
    assert place.apply() == 0, "the plan is over: what was held needs another"


def test_an_erasure_is_done_when_the_hold_is_released(place: Yard) -> None:
    due = place.store(2)
    place.hold(due[0])
    plan = place.plan(due, kind="erasure")
    assert place.apply() == 1
    assert place.plan_state(plan) == "waiting"
    assert place.apply() == 0
    place.release()
    assert place.apply() == 1
    place.whole()
    assert place.plan_state(plan) == "done"


@pytest.mark.parametrize("kind", ["retention", "quarantine"])
def test_what_is_not_due_any_more_is_kept(place: Yard, kind: str) -> None:
    due = place.store(3)
    asked: list[Sequence[str]] = []

    def judge(segments: Sequence[str]) -> list[str]:
        asked.append(segments)
        return [segment for segment in segments if segment != due[2]]

    plan = place.plan(due, kind=kind, cause="expired")
    assert place.apply(judge=judge) == 2
    assert place.items(plan)[due[2]] == "kept"
    assert [segment for some in asked for segment in some] == due
    place.whole()


def test_the_canary_goes_first_and_is_waited_for(place: Yard) -> None:
    due = place.store(6)
    plan = place.plan(due)
    slow = Limits(rate=10_000, canary=2, canary_wait=3600, complete=0)
    assert place.apply(limits=slow) == 2
    place.whole()
    assert place.plan_state(plan) == "applying"
    assert place.apply(limits=slow) == 0, "another keep waits as well"
    place.skew = 3_700_000_000
    assert place.apply(limits=slow) == 4


class Refusing(Vaults):
    """A vault that does not remove what has this in its key."""

    def __init__(self, vault: Vault, place: Yard, what: str, fault: Exception) -> None:
        super().__init__({"eu": vault}, place.now)
        self.what, self.fault = what, fault

    def versions(self, places: Sequence[Place]) -> list:  # type: ignore[type-arg]
        if len(places) == 1 and self.what in places[0].key:
            raise self.fault
        return super().versions(places)


def test_a_canary_that_a_vault_refuses_stops_the_plan(place: Yard) -> None:
    due = place.store(6)
    plan = place.plan(due)
    refusing = Refusing(place.vault, place, due[1], NotPermitted("no"))
    assert place.apply(vaults=refusing) == 1
    assert place.plan_state(plan) == "stopped"
    assert place.states()[due[1]] == "destroying"
    assert [place.states()[segment] for segment in due[2:]] == ["stored"] * 4
    (ended,) = place.lines("purge.ended")
    assert (ended["data"]["state"], ended["data"]["destroyed"]) == ("stopped", 1)
    assert place.apply() == 1, "what was begun is brought to its end all the same"
    place.whole()


def test_an_outage_only_waits(place: Yard) -> None:
    due = place.store(4)
    plan = place.plan(due)
    refusing = Refusing(place.vault, place, due[0], Unreachable("away"))
    clock = [0.0]
    with place.purge(vaults=refusing, clock=lambda: clock[0]) as purge:
        while purge.turn():
            pass
        assert purge.destroyed == 1
        assert place.plan_state(plan) == "applying"
        assert purge.failing.trouble() is None
        clock[0] += 400
        purge.turn()
        assert purge.failing.trouble() is not None
        clock[0] += 400
        refusing.what = "nothing"
        while purge.turn():
            pass
        assert purge.destroyed == 4
    place.whole()
    assert place.plan_state(plan) == "done"


def test_what_comes_back_again_and_again_is_not_certified(
    place: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = place.store(1)
    place.plan([one])
    removed = type(place.vault.audio).remove

    def returning(bucket: object, key: str, version: str) -> None:
        removed(bucket, key, version)  # type: ignore[arg-type]
        if key.startswith("default/"):
            place.vault.audio.put_bytes(key, b"from a replica", {})

    monkeypatch.setattr(type(place.vault.audio), "remove", returning)
    with place.purge() as purge:
        while purge.turn():
            pass
        assert isinstance(purge.failing.trouble(), Conflict)
    assert place.states() == {one: "destroying"}
    assert place.bodies() == {}
    monkeypatch.undo()
    assert place.apply() == 1
    place.whole()
    assert len(place.bodies()[one]["removed"]) > 5


def test_a_stopped_plan_ends_what_it_began_and_no_more(place: Yard) -> None:
    due = place.store(5)
    plan = place.plan(due)
    with place.purge() as purge:
        purge.turn()
        place.world.sql("beth", "SELECT fsgov.stop_plan(%s, 'the wrong ones')", values=[plan])
        while purge.turn():
            pass
    place.whole()
    assert list(place.states().values()).count("destroyed") == 2


def test_one_purges_at_a_time(place: Yard) -> None:
    place.plan(place.store(1))
    with place.purge() as first, place.purge() as second:
        assert first.turn() == 1
        assert second.turn() == 0
        assert first.turn() == 1


def test_whoever_may_purge_keeps_nobody_from_entering_and_holding(place: Yard) -> None:
    (one,) = place.store(1)
    with place.purge() as purge:
        purge.turn()
        enter(place.world.ship, call_file(revision=2))
        place.hold(one)
