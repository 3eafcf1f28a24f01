"""Who hears whom: rooms, transfers of every kind, people who are taken apart and come together again."""

from __future__ import annotations

import json
from typing import Any

from fsgov import events as ev
from fsgov.call import Call, Capture
from fsgov.commands import OpenSegment, Play, Release, Remember
from fsgov.events import Act, Direction
from tests.unit.conversation import ALWAYS, NOTICE, OPT_IN, PROMPT, SECOND, Talk, moves

OUTSIDE = {"direction": Direction.OUTBOUND, "profile": "sofia/external", "dialled": "+4940555"}


def recorded(rule: str = ALWAYS) -> Talk:
    """a and b talk, and a records."""
    talk = Talk(rule)
    talk.inbound()
    if rule != ALWAYS:
        talk.plays()
        talk.presses("1")
    talk.opens()
    return talk


def calls_in(talk: Talk, leg: str) -> None:
    """Another caller, in a conversation of his own, recorded."""
    talk.now += SECOND
    talk.created(leg, direction=Direction.INBOUND, caller="+4930777")
    talk.answered(leg)
    if isinstance(talk.call(leg).flight, type(None)):
        return
    flight = talk.flight(leg)
    talk.push(ev.CommandAccepted, call=leg, command=flight.number, sent=talk.now)
    talk.recording(flight.segment, leg=leg)


def carried_out(talk: Talk) -> None:
    """The switch does what it has been told, until nothing is under way."""
    for _ in range(20):
        flights = [call.flight.command for call in talk.board.calls if call.flight is not None]
        if not flights:
            return
        for command in flights:
            talk.push(ev.CommandAccepted, call=command.call, command=command.number, sent=talk.now)
            kind = type(command).__name__
            if kind == "OpenSegment":
                talk.recording(command.segment, leg=command.leg)
            elif kind == "CloseSegment":
                talk.stops(command.segment, leg=command.leg, cause="success-maxtime")
    raise AssertionError("it never settles")


def both_parked(talk: Talk) -> None:
    """uuid_transfer -both."""
    talk.push(ev.LegsUnbridged, leg="a", other="b")


def dialled(talk: Talk, leg: str, by: str, **more: Any) -> None:
    """`by` runs an extension that calls somebody: he answers, they talk."""
    talk.created(leg, other=by, **more)
    talk.answered(leg)
    talk.push(ev.LegsBridged, leg=by, other=leg)
    carried_out(talk)


def of(talk: Talk, leg: str) -> Call:
    """The conversation that a leg is in now."""
    (call,) = [c for c in talk.board.calls if leg in c.legs and not c.legs[leg].gone]
    return call


def running(talk: Talk) -> dict[str, str]:
    """Which leg records for which conversation."""
    return {c.id: c.segment.leg for c in talk.board.calls if c.segment and c.actual is Capture.ON}


def sidecars(talk: Talk) -> list[dict[str, Any]]:
    return [json.loads(release.sidecar) for release in talk.all(Release)]


# -- taken apart --------------------------------------------------------------------------------------


def test_two_who_are_sent_on_to_different_people_are_two_conversations_from_then_on() -> None:
    talk = recorded()
    both_parked(talk)
    dialled(talk, "c", by="a")
    dialled(talk, "d", by="b", **OUTSIDE)
    assert of(talk, "a").id == of(talk, "c").id == "a"
    new = of(talk, "b")
    assert new.id == of(talk, "d").id != "a"
    assert new.parted_from == "a"
    assert [leg.name for leg in new.legs.values()] == ["b", "c"]
    assert running(talk) == {"a": "a", new.id: "b"}
    (entry,) = talk.entries("call.parted")
    assert (entry.subject, entry.facts) == ("a", {"into": new.id})
    talk.hangs_up("a", "c", "b", "d")
    assert (talk.over("a"), talk.over(new.id)) == ("recorded", "recorded")
    assert [(side["call"], side["parties"]) for side in sidecars(talk)] == [
        ("a", [1, 2, 3]),
        (new.id, [1, 2]),
    ]


def test_who_parts_takes_along_what_he_has_said_and_what_was_asked_for() -> None:
    talk = recorded(OPT_IN)
    dialled(talk, "d", by="a", **OUTSIDE)
    talk.plays(leg="d")
    talk.presses("1", leg="d")
    carried_out(talk)
    talk.act(Act.PAUSE)
    carried_out(talk)
    talk.push(ev.LegsUnbridged, leg="a", other="d")
    talk.push(ev.LegsUnbridged, leg="a", other="b")
    dialled(talk, "c", by="a")
    dialled(talk, "e", by="d")
    new = of(talk, "d")
    assert new.paused is not None
    assert [(row.party, row.state.value, row.evidence["from"]) for row in new.consents] == [
        (1, "given", "c-a-2")
    ]
    talk.act(Act.RESUME, call=new.id)
    carried_out(talk)
    assert running(talk)[new.id] == "d"
    talk.presses("*9", leg="d")
    carried_out(talk)
    assert new.id not in running(talk)
    assert talk.call("a").paused is not None, "the pause of the others goes on"


def test_a_refusal_goes_along_with_who_refused() -> None:
    talk = recorded(OPT_IN)
    dialled(talk, "d", by="a", **OUTSIDE)
    talk.push(ev.PromptStarted, leg="d", file=PROMPT)
    talk.presses("2", leg="d")
    carried_out(talk)
    both_parked(talk)
    talk.push(ev.LegsUnbridged, leg="a", other="d")
    dialled(talk, "c", by="a")
    dialled(talk, "e", by="d")
    talk.wait(60)
    assert running(talk) == {}, (
        "refused here and there: a no holds for whoever was in that call, and goes along"
    )


def test_who_is_parked_counts_no_more_and_counts_again_when_he_is_back() -> None:
    talk = recorded(NOTICE)
    talk.push(ev.RoomJoined, leg="a", room="r1")
    talk.push(ev.RoomJoined, leg="b", room="r1")
    talk.created("c", other="a", **OUTSIDE)
    talk.answered("c")
    carried_out(talk)
    talk.push(ev.RoomJoined, leg="c", room="r1")
    talk.push(ev.RoomLeft, leg="c", room="r1")  # before he has heard the notice
    carried_out(talk)
    assert running(talk) == {"a": "a"}
    talk.push(ev.RoomJoined, leg="c", room="r1")
    carried_out(talk)
    assert running(talk) == {}
    assert [play.leg for play in talk.all(Play)] == ["a", "c", "c"]
    talk.plays(leg="c")
    carried_out(talk)
    assert running(talk) == {"a": "a"}


def test_the_leg_that_records_leaves_the_others_and_hands_over_to_them() -> None:
    talk = recorded()
    calls_in(talk, "x")
    for leg in "abx":
        talk.push(ev.RoomJoined, leg=leg, room="r1")
        carried_out(talk)
    assert running(talk) == {"a": "a"}
    talk.push(ev.RoomLeft, leg="a", room="r1")
    assert moves(talk.last) == ["close"]
    carried_out(talk)
    assert running(talk) == {"a": "b"}
    assert [side["parties"] for side in sidecars(talk)][-1] == [1, 2, 3]
    talk.hangs_up("x")
    talk.hangs_up("b")
    carried_out(talk)
    talk.hangs_up("a")
    assert talk.over("a") == "recorded"
    assert [side["parties"] for side in sidecars(talk)][-2:] == [[2, 3], [1]]  # then a alone


def test_from_one_room_to_another_he_leaves_one_conversation_for_the_other() -> None:
    talk = recorded()
    calls_in(talk, "x")
    calls_in(talk, "y")
    for leg in "abx":
        talk.push(ev.RoomJoined, leg=leg, room="r1")
    talk.push(ev.RoomJoined, leg="y", room="r2")
    carried_out(talk)
    assert running(talk) == {"a": "a", "y": "y"}
    talk.now += SECOND
    talk.push(ev.RoomLeft, leg="x", room="r1")
    talk.push(ev.RoomJoined, leg="x", room="r2")
    carried_out(talk)
    assert [of(talk, leg).id for leg in "abxy"] == ["a", "a", "y", "y"]
    assert running(talk) == {"a": "a", "y": "y"}
    talk.push(ev.RoomLeft, leg="x", room="r2")
    talk.push(ev.RoomJoined, leg="x", room="r1")  # and back
    carried_out(talk)
    assert [of(talk, leg).id for leg in "abxy"] == ["a", "a", "a", "y"]
    talk.hangs_up("x", "a", "b", "y")
    assert (talk.over("a"), talk.over("y")) == ("recorded", "recorded")
    merged = [e for e in talk.entries("call.over") if e.facts["outcome"] == "merged"]
    assert len(merged) == 3, "x's own call, and twice the one that he was between two rooms"


def test_two_rooms_at_once_are_two_conversations() -> None:
    talk = Talk(ALWAYS)
    for leg, room in (("a", "r1"), ("x", "r2"), ("y", "r1"), ("z", "r2")):
        talk.now += SECOND
        talk.created(leg, direction=Direction.INBOUND)
        talk.answered(leg)
        carried_out(talk)
        talk.push(ev.RoomJoined, leg=leg, room=room)
        carried_out(talk)
    assert running(talk) == {"a": "a", "x": "x"}


# -- still together -----------------------------------------------------------------------------------


def test_both_sent_into_one_conference_are_one_conversation_in_one_segment() -> None:
    talk = recorded()
    both_parked(talk)
    talk.push(ev.RoomJoined, leg="a", room="r1")
    talk.push(ev.RoomJoined, leg="b", room="r1")
    talk.hangs_up("a", "b")
    assert len(talk.all(OpenSegment)) == 1
    assert [call.subject for call in talk.entries("call.over")] == ["a"]


def test_a_room_left_that_is_told_late_takes_nobody_from_the_next_room() -> None:
    talk = recorded(NOTICE)
    talk.created("c", other="a", **OUTSIDE)
    for leg, room in (("a", "r1"), ("b", "r1"), ("c", "r0"), ("c", "r1")):
        talk.push(ev.RoomJoined, leg=leg, room=room)
    talk.push(ev.RoomLeft, leg="c", room="r0")
    talk.answered("c")
    carried_out(talk)
    assert [play.leg for play in talk.all(Play)] == ["a", "c"]
    talk.wait(60)
    assert running(talk) == {}, "c has heard nothing, and he is with a"


def test_two_who_were_taken_apart_do_not_hear_each_other() -> None:
    talk = recorded(NOTICE)
    dialled(talk, "c", by="a", **OUTSIDE)
    assert running(talk) == {}, "c has heard nothing"
    talk.push(ev.LegsUnbridged, leg="a", other="c")
    carried_out(talk)
    assert running(talk) == {"a": "a"}


def test_the_last_one_in_a_room_keeps_nobody_elses_talk_from_being_recorded() -> None:
    talk = recorded()
    calls_in(talk, "x")
    for leg in "abx":
        talk.push(ev.RoomJoined, leg=leg, room="r1")
        carried_out(talk)
    talk.push(ev.RoomLeft, leg="b", room="r1")
    talk.push(ev.RoomLeft, leg="x", room="r1")
    talk.push(ev.LegsBridged, leg="b", other="x")  # a is still in the room
    carried_out(talk)
    assert running(talk)[of(talk, "b").id] in ("b", "x")


def test_a_lost_unbridge_forgets_nobody() -> None:
    talk = recorded(NOTICE)
    dialled(talk, "d", by="b", **OUTSIDE)
    assert of(talk, "d").id == "a"
    assert running(talk) == {}
    assert [play.leg for play in talk.all(Play)] == ["a", "d"]


def test_a_consultation_while_the_caller_waits_is_heard_by_all_as_far_as_anybody_knows() -> None:
    """att_xfer: b talks to c, a hears music; then b is gone and a has c."""
    talk = recorded()
    talk.push(ev.LegHeld, leg="a")
    dialled(talk, "c", by="b")
    talk.push(ev.LegUnheld, leg="a")
    talk.push(ev.LegsUnbridged, leg="b", other="c")
    talk.hangs_up("b")
    talk.push(ev.LegsBridged, leg="a", other="c")
    talk.hangs_up("a", "c")
    assert len(talk.all(OpenSegment)) == 1
    assert talk.over() == "recorded"


def test_parked_in_a_lot_and_fetched_by_somebody_else() -> None:
    talk = recorded()
    both_parked(talk)
    talk.hangs_up("b")
    calls_in(talk, "x")  # he dials the number of the lot
    talk.push(ev.LegsBridged, leg="a", other="x")
    carried_out(talk)
    assert running(talk) == {"a": "a"}
    assert of(talk, "x").id == "a"
    talk.hangs_up("a", "x")
    assert len([side for side in sidecars(talk) if side["call"] == "a"]) == 1


def test_the_halves_of_a_loopback_are_one_wire() -> None:
    talk = Talk(ALWAYS)
    talk.created("a")
    talk.answered("a")
    talk.opens()
    talk.created("l", other="a", profile="loopback")
    talk.created("m", other="l", direction=Direction.INBOUND, profile="loopback")
    for leg in "lm":
        talk.answered(leg)
    talk.push(ev.LegsBridged, leg="a", other="l")
    talk.created("b", other="m")
    talk.answered("b")
    talk.push(ev.LegsBridged, leg="m", other="b")
    assert [call.id for call in talk.board.calls] == ["a"]
    talk.hangs_up("a")
    assert sidecars(talk)[0]["parties"] == [1, 2]


def test_partners_exchanged_by_uuid_bridge_are_one_conversation_when_the_old_ones_are_gone() -> None:
    talk = recorded()
    calls_in(talk, "x")
    dialled(talk, "y", by="x")
    talk.push(ev.LegsUnbridged, leg="a", other="b")
    talk.hangs_up("b")
    talk.push(ev.LegsUnbridged, leg="x", other="y")
    talk.hangs_up("y")
    talk.push(ev.LegsBridged, leg="a", other="x")
    carried_out(talk)
    assert running(talk) == {"a": "a"}


# -- after a restart ----------------------------------------------------------------------------------


def test_after_a_restart_those_who_parted_are_still_two() -> None:
    talk = recorded()
    both_parked(talk)
    dialled(talk, "c", by="a")
    dialled(talk, "d", by="b", **OUTSIDE)
    new = of(talk, "b").id
    for turn in (1, -1):
        texts = {r.call: r.text for r in talk.all(Remember)}
        twin = Talk(ALWAYS)
        twin.now = talk.now
        for id_ in list(texts)[::turn]:
            twin.push(ev.CallRestored, text=texts[id_])
        twin.resync(a=("a-01",), b=(f"{new}-01",), c=(), d=())
        assert running(twin) == {"a": "a", new: "b"}
        assert [of(twin, leg).id for leg in "abcd"] == ["a", new, "a", new]
        twin.hangs_up("a", "c", "b", "d")
        assert (twin.over("a"), twin.over(new)) == ("recorded", "recorded")


def test_after_a_restart_the_legs_of_a_merged_call_that_still_closes_are_its_elders() -> None:
    talk = recorded()
    calls_in(talk, "x")
    talk.push(ev.LegsBridged, leg="a", other="x")
    texts = {r.call: r.text for r in talk.all(Remember)}
    for turn in (1, -1):
        twin = Talk(ALWAYS)
        twin.now = talk.now
        for id_ in list(texts)[::turn]:
            twin.push(ev.CallRestored, text=texts[id_])
        twin.resync(a=("a-01",), b=(), x=("x-01",))
        carried_out(twin)
        assert twin.over("x") == "merged"
        assert of(twin, "x").id == "a"


def again(texts: dict[str, str], talk: Talk, rule: str, **recordings: tuple[str, ...]) -> Talk:
    """fsgov started anew with these files; the switch tells of its rooms, then what runs."""
    twin = Talk(rule)
    twin.now = talk.now
    for text in texts.values():
        twin.push(ev.CallRestored, text=text)
    twin.push(ev.SwitchConnected, core="core-1")
    for leg, room in (("a", "r2"), ("b", "r1"), ("d", "r1")):
        inbound = {"direction": Direction.INBOUND} if leg == "a" else {}
        twin.created(leg, found=True, answered=True, other=None if leg == "a" else "a", **inbound)
        twin.push(ev.RoomJoined, leg=leg, room=room)
    twin.resync(**recordings)
    carried_out(twin)
    return twin


def test_a_kill_between_the_two_files_leaves_each_leg_in_one_conversation() -> None:
    talk = recorded(OPT_IN)
    talk.created("d", other="a", **OUTSIDE)
    talk.answered("d")
    talk.push(ev.PromptStarted, leg="d", file=PROMPT)
    talk.presses("2", leg="d")
    carried_out(talk)
    for leg in "abd":
        talk.push(ev.RoomJoined, leg=leg, room="r1")
    before = {r.call: r.text for r in talk.all(Remember)}
    talk.push(ev.RoomLeft, leg="a", room="r1")
    talk.push(ev.RoomJoined, leg="a", room="r2")
    after = {r.call: r.text for r in talk.all(Remember)}
    new = next(id_ for id_ in after if id_ != "a")
    legs: dict[str, tuple[str, ...]] = {"a": (), "b": (), "d": ()}
    halves = ({"a": after["a"]}, {"a": before["a"], new: after[new]}, {new: after[new], "a": before["a"]})
    for texts in halves:
        twin = again(texts, talk, OPT_IN, **legs)
        twin.wait(60)
        assert of(twin, "b").id == of(twin, "d").id != of(twin, "a").id
        assert running(twin) == {}
        assert not twin.all(OpenSegment), "what d has said is known"
        twin.hangs_up("a", "b", "d")
        twin.wait(60)
        assert twin.board.calls == ()


def test_a_kill_while_two_become_one_leaves_one() -> None:
    talk = recorded()
    calls_in(talk, "d")
    before = {r.call: r.text for r in talk.all(Remember)}
    for leg in "abd":
        talk.push(ev.RoomJoined, leg=leg, room="r1")
    after = {r.call: r.text for r in talk.all(Remember)}
    for texts in ({"a": after["a"], "d": before["d"]}, {"d": after["d"], "a": before["a"]}):
        twin = Talk(ALWAYS)
        twin.now = talk.now
        for text in texts.values():
            twin.push(ev.CallRestored, text=text)
        twin.push(ev.SwitchConnected, core="core-1")
        twin.resync(a=("a-01",), b=(), d=("d-01",))
        carried_out(twin)
        assert twin.over("d") == "merged"
        assert (of(twin, "d").id, running(twin)) == ("a", {"a": "a"})


# -- what was captured before ---------------------------------------------------------------------------


def merged() -> Talk:
    """a and b talk and are recorded, x talks elsewhere and is recorded; then they are one conversation."""
    talk = recorded(OPT_IN)
    calls_in(talk, "x")
    dialled(talk, "y", by="x")
    talk.plays(leg="x")
    talk.presses("1", leg="x")
    carried_out(talk)
    talk.push(ev.LegsBridged, leg="a", other="y")
    talk.push(ev.LegsBridged, leg="a", other="x")
    carried_out(talk)
    assert of(talk, "x").id == "a"
    return talk


def test_a_withdrawal_reaches_what_was_captured_before_two_calls_were_one() -> None:
    talk = merged()
    before = talk.call("a").segments
    talk = talk.restarted()
    talk.presses("*9", leg="x")
    assert set(talk.call("a").dispose) == {"x-01", *before}


def test_a_withdrawal_reaches_nothing_that_the_party_was_no_part_of() -> None:
    talk = merged()
    before = talk.call("a").segments
    talk.presses("*9", leg="a")
    assert set(talk.call("a").dispose) == set(before)


def test_a_withdrawal_reaches_what_was_captured_before_the_party_went_on_apart() -> None:
    talk = recorded(OPT_IN)
    dialled(talk, "d", by="a", **OUTSIDE)
    talk.plays(leg="d")
    talk.presses("1", leg="d")
    carried_out(talk)
    talk.push(ev.LegsUnbridged, leg="a", other="d")
    talk.push(ev.LegsUnbridged, leg="a", other="b")
    dialled(talk, "c", by="a")
    dialled(talk, "e", by="d")
    new, before = of(talk, "d"), of(talk, "a").segments
    assert new.id != "a"
    talk = talk.restarted()
    talk.presses("*9", leg="d")
    assert set(of(talk, "d").dispose) >= set(before[:1])
    assert of(talk, "a").dispose == ()
