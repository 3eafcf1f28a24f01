"""Who takes part in a conversation, and where a segment is cut: where its bonds change, nowhere else."""

from __future__ import annotations

import json
from typing import Any

from fsgov import events as ev
from fsgov.call import Capture
from fsgov.commands import LookUpParty, OpenSegment, Play, Release
from fsgov.events import Act, Direction
from tests.unit.conversation import ALWAYS, NEVER, NOTICE, OPT_IN, PROMPT, Talk, moves

OUTSIDE = {"direction": Direction.OUTBOUND, "other": "a", "profile": "sofia/external"}
GERMAN, BRITISH = "+4940555", "+442079460101"
FLOORS = '[floor]\nDE = "opt_in"\nGB = "notice"\n'


def joins(talk: Talk, leg: str = "c", dialled: str = GERMAN) -> list[Any]:
    """Somebody outside is called and answers."""
    talk.created(leg, dialled=dialled, **OUTSIDE)
    return talk.answered(leg)


def noticed(talk: Talk, *legs: str) -> Talk:
    """The caller, and who joins him, have heard the notice; a segment runs."""
    talk.inbound()
    talk.plays(leg="a")
    talk.opens()
    for leg in legs:
        joins(talk, leg)
        talk.closes()
        talk.plays(leg=leg)
        talk.opens()
    return talk


def sidecars(talk: Talk) -> list[dict[str, Any]]:
    return [json.loads(release.sidecar) for release in talk.all(Release)]


# -- where a segment is cut ---------------------------------------------------------------------------


def test_whoever_joins_where_nobody_is_asked_cuts_nothing_and_is_named() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.opens()
    assert moves(joins(talk)) == []
    talk.hangs_up("c")
    joins(talk, "d")
    talk.hangs_up("a")
    (side,) = sidecars(talk)
    assert side["parties"] == [1, 2, 3, 4]
    (closed,) = talk.entries("segment.closed")
    assert closed.facts["parties"] == [1, 2, 3, 4]


def test_who_joins_is_asked_alone_and_each_segment_names_who_is_in_it_and_what_they_said() -> None:
    talk = noticed(Talk(NOTICE), "c")
    assert [play.leg for play in talk.all(Play)] == ["a", "c"]
    assert moves(talk.push(ev.LegHungUp, leg="c")) == ["close"]  # the next one rests on less
    talk.closes()
    talk.opens()
    talk.hangs_up("a", "b", "c")
    assert [play.leg for play in talk.all(Play)] == ["a", "c"], "nobody is asked again"
    assert [(side["parties"], side["consents"]) for side in sidecars(talk)] == [
        ([1, 2, 3], ["c-a-1"]),  # c's first word may be in it: it was stopped when he was there
        ([1, 2, 3], ["c-a-1", "c-a-2"]),
        ([1, 2], ["c-a-1"]),
    ]
    assert talk.over() == "recorded"


def test_another_rule_cuts_though_it_wants_the_recording_as_well() -> None:
    private = ALWAYS.replace('name = "all"', 'name = "private"\nwhen.crm.kind = ["private"]\nvault = "de"')
    talk = Talk(private.replace('"always"', '"on_demand"'), ALWAYS)
    talk.created("a")
    talk.push(ev.PartyFound, call="a", command=talk.all(LookUpParty)[0].number, party=1, facts={"kind": "x"})
    talk.answered("a")
    talk.opens()
    talk.act(Act.START)
    talk.created("c", dialled=GERMAN, **OUTSIDE)
    number = talk.all(LookUpParty)[1].number
    talk.push(ev.PartyFound, call="a", command=number, party=2, facts={"kind": "private"})
    assert moves(talk.last) == [], "his telephone only rings"
    assert moves(talk.answered("c")) == ["close"]
    talk.closes()
    talk.opens()
    talk.hangs_up("a")
    assert [(side["rule"], side["vault"]) for side in sidecars(talk)] == [("all", ""), ("private", "de")]


def agreed() -> Talk:
    """The caller was asked about training and said yes; nobody knows about analytics."""
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("1")
    talk.opens()
    return talk


def says(talk: Talk, purpose: str) -> list[Any]:
    """The caller's dialplan tells that he has agreed to another purpose."""
    talk.push(ev.LegAnswered, leg="a", variables={f"fsgov_consent_{purpose}": "given"})
    return talk.last


def test_a_purpose_more_cuts_and_so_does_one_less() -> None:
    talk = agreed()
    assert moves(says(talk, "analytics")) == ["close"]
    talk.closes()
    talk.opens()
    joins(talk)
    talk.closes()
    talk.plays(leg="c")
    talk.presses("1", leg="c")  # he was asked about training
    talk.opens()
    talk.hangs_up("a")
    assert [(side["purposes"], len(side["consents"])) for side in sidecars(talk)] == [
        (["evidence", "training"], 1),
        (["evidence", "training", "analytics"], 2),
        (["evidence", "training"], 2),
    ]


def test_a_yes_to_what_somebody_else_keeps_closed_cuts_nothing() -> None:
    talk = agreed()
    joins(talk)
    talk.closes()
    talk.plays(leg="c")
    talk.presses("1", leg="c")
    talk.opens()
    assert moves(says(talk, "analytics")) == []


def test_a_masked_segment_that_is_outgrown_ends_instead_of_going_on_after_the_pause() -> None:
    talk = agreed()
    talk.act(Act.PAUSE)
    talk.accept()
    assert moves(says(talk, "analytics")) == ["close"]
    talk.closes()
    assert talk.state()[1] is Capture.OFF
    assert moves(talk.act(Act.RESUME)) == ["open"]


def test_after_a_restart_a_segment_is_as_it_was() -> None:
    talk = noticed(Talk(NOTICE), "c")
    twin = talk.restarted()
    assert moves(twin.resync(a=("a-02",), b=(), c=())) == []
    segment = twin.call().segment
    assert segment is not None
    assert (segment.parties, twin.state()[1]) == ((1, 2, 3), Capture.ON)


# -- several telephones that ring ---------------------------------------------------------------------


def rings(*dialled: str, rule: str = FLOORS + ALWAYS) -> Talk:
    """A British caller; several telephones outside ring for him: b, c, …"""
    talk = Talk(rule)
    talk.created("a", caller=BRITISH)
    for leg, number in zip("bcd", dialled, strict=False):
        talk.created(leg, dialled=number, **OUTSIDE)
    return talk


def mode(talk: Talk) -> str:
    decision = talk.call().decision
    assert decision is not None
    return decision.consent.value


def test_a_telephone_that_only_rang_was_never_a_party() -> None:
    talk = rings(BRITISH, GERMAN, rule=FLOORS + NOTICE)
    assert mode(talk) == "opt_in", "until somebody answers it may become him"
    talk.answered("b")
    assert mode(talk) == "notice"
    talk.hangs_up("c", cause="LOSE_RACE")
    talk.answered("a")
    talk.plays(leg="a")
    assert moves(talk.plays(leg="b")) == ["open"]
    talk.opens()
    talk.hangs_up("a", "b")
    (side,) = sidecars(talk)
    assert side["parties"] == [1, 2]
    assert talk.over() == "recorded"


def test_a_telephone_that_rings_during_the_call_changes_nothing_until_it_is_answered() -> None:
    talk = rings(rule=FLOORS + NOTICE)
    talk.answered("a")
    talk.plays(leg="a")
    talk.opens()
    talk.created("b", dialled=GERMAN, **OUTSIDE)
    assert (mode(talk), moves(talk.last)) == ("notice", [])
    talk.hangs_up("b", cause="NO_ANSWER")
    talk.wait(60)
    assert mode(talk) == "notice"
    assert moves(joins(talk, "c")) == ["close"]
    assert mode(talk) == "opt_in"


def test_a_colleague_is_asked_where_the_telephone_outside_only_rang() -> None:
    talk = Talk(NOTICE)
    talk.created("a", user="1001@x", profile="sofia/internal", caller="1001", dialled="7000")
    talk.created("b", dialled=GERMAN, **OUTSIDE)
    talk.created("c", other="a", user="1002@x", dialled="1002")
    talk.answered("c")
    talk.hangs_up("b", cause="LOSE_RACE")
    talk.answered("a")
    assert {play.leg for play in talk.all(Play)} == {"a", "c"}
    assert talk.call().direction.value == "internal"


def test_a_call_that_nobody_answers_stays_what_it_was() -> None:
    internal = '[[rule]]\nname = "inside"\nwhen.direction = "internal"\nrecord = "never"\n'
    talk = Talk(internal, ALWAYS)
    talk.created("a", user="1001@x", profile="sofia/internal", caller="1001", dialled=GERMAN)
    talk.created("b", dialled=GERMAN, **OUTSIDE)
    talk.push(ev.LegHungUp, leg="b", cause="USER_BUSY")
    talk.wait(60)
    talk.hangs_up("a")
    assert talk.over() == "not-answered"


def test_two_who_answer_at_once_are_two_until_one_is_sent_away() -> None:
    """The race that FreeSWITCH decides only after both have answered: strict until it has."""
    talk = rings(BRITISH, GERMAN, rule=FLOORS + NOTICE)
    talk.answered("b")
    talk.answered("c")
    talk.push(ev.LegHungUp, leg="c", cause="LOSE_RACE")
    talk.answered("a")
    assert mode(talk) == "opt_in"
    assert not talk.all(OpenSegment)


def test_while_who_joined_has_not_said_yes_nobody_is_recorded() -> None:
    talk = agreed()
    joins(talk)
    talk.closes()
    talk.plays(leg="c")
    talk.wait(60)
    assert len(talk.all(OpenSegment)) == 1
    talk.hangs_up("c")
    talk.opens()  # the others have agreed, and he is not there any more


def test_a_joiners_no_stops_the_recording_for_everybody_and_for_good() -> None:
    talk = agreed()
    joins(talk)
    talk.closes()
    talk.push(ev.PromptStarted, leg="c", file=PROMPT)
    talk.presses("2", leg="c")
    talk.hangs_up("c")
    joins(talk, "d")
    talk.wait(60)
    assert len(talk.all(OpenSegment)) == 1
    talk.hangs_up("a", "b", "d")
    assert talk.over() == "withdrawn"


def test_never_is_never_left_by_whoever_comes() -> None:
    talk = Talk(NEVER.replace('name = "none"', 'name = "none"\nwhen.dialled = ["+44*"]'), ALWAYS)
    talk.inbound()
    joins(talk)
    talk.wait(10)
    assert not talk.all(OpenSegment)
