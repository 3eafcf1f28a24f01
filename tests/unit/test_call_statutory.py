"""Recordings that a law demands: nobody's no ends them, and what rests on consent still needs its yes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsgov import events as ev
from fsgov.attested import Attested
from fsgov.call import Capture, Stage
from fsgov.commands import Answer, AnswerDialplan, HangUp, LookUpParty, OpenSegment, Play
from fsgov.dialplan import GateOpened
from fsgov.events import Act
from fsgov.policy import parse
from tests.unit.conversation import HEAD, PROMPT, SAMPLES, Talk, moves, prompt_facts

LAW = '[purpose.mifid]\nbasis = "legal_obligation"\nretain_max = "7 years"\n'
PLAIN = LAW + '[[rule]]\nname = "mifid"\nconsent = "statutory"\npurposes = ["mifid"]\n'
TOLD = PLAIN + 'ask = { prompt = "ask" }\n'
BOTH = (
    LAW
    + '[[rule]]\nname = "mifid"\nconsent = "statutory"\npurposes = ["training", "mifid"]\n'
    + 'ask = { prompt = "ask", withdraw = "*9" }\n'
)


def inbound(rule: str, **variables: str) -> Talk:
    talk = Talk(rule)
    talk.created("a", variables=variables)
    for ask in talk.all(LookUpParty):
        talk.push(ev.PartyUnknown, call="a", command=ask.number, party=ask.party)
    talk.created("b", other="a")
    talk.answered("b")
    talk.answered("a")
    talk.push(ev.LegsBridged, leg="a", other="b")
    return talk


def says(talk: Talk, state: str, **more: Any) -> int:
    talk.act(Act.CONSENT, consent=Attested(state=state, **more), request=f"r-{len(talk.sent)}")
    return next((command.status for command in talk.last if isinstance(command, Answer)), 0)


def rows(talk: Talk) -> list[tuple[int, str, str, str]]:
    return [(row.party, row.purpose, row.state.value, row.method.value) for row in talk.call().consents]


def purposes(talk: Talk) -> list[str]:
    found: list[str] = json.loads(talk.all(OpenSegment)[-1].sidecar)["purposes"]
    return found


def test_it_is_recorded_from_the_answer_on_and_told_meanwhile() -> None:
    talk = inbound(TOLD)
    assert len(talk.all(OpenSegment)) == 1
    assert [play.leg for play in talk.all(Play)] == ["a"]
    talk.opens()
    assert talk.state() == (Stage.SETTLED, Capture.ON)
    talk.plays()
    assert rows(talk) == [(1, "mifid", "given", "notice")]
    (entry,) = talk.entries("notice.played")
    assert entry.facts["samples"] == SAMPLES
    talk.wait(30)
    assert talk.state() == (Stage.SETTLED, Capture.ON)
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"
    assert len(talk.all(OpenSegment)) == 1


def test_a_notice_that_was_not_heard_is_kept_as_such_and_ends_nothing() -> None:
    talk = inbound(TOLD)
    talk.opens()
    talk.plays(samples=100)
    talk.plays(samples=100)
    assert rows(talk) == [(1, "mifid", "unanswered", "notice")]
    assert talk.state()[1] is Capture.ON
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


@pytest.mark.parametrize("said", ["refused", "withdrawn"])
def test_a_no_is_kept_as_a_row_and_does_not_end_the_recording(said: str) -> None:
    talk = inbound(PLAIN)
    talk.opens()
    assert says(talk, said) == 200
    assert moves(talk.last) == []
    assert rows(talk) == [(1, "mifid", said, "cli")]
    assert talk.call().dispose == ()
    talk.act(Act.STOP)
    talk.closes()
    talk.act(Act.START)
    assert moves(talk.last) == ["open"], "a no of the party does not forbid it"
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


def test_a_yes_to_what_the_law_demands_means_nothing() -> None:
    talk = inbound(PLAIN)
    assert says(talk, "given") == 409
    assert not talk.all(HangUp)


def test_a_purpose_with_basis_consent_needs_its_yes_and_a_no_takes_it_out() -> None:
    talk = inbound(BOTH, fsgov_consent_training="given")
    assert purposes(talk) == ["training", "mifid"]
    talk.opens()
    talk.presses("*9")
    assert moves(talk.last) == ["close"]
    talk.closes()
    assert purposes(talk) == ["mifid"]
    assert [row[1:3] for row in rows(talk)] == [("training", "given"), ("training", "withdrawn")]
    talk.opens()
    assert talk.call().dispose == ()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


def test_a_yes_that_comes_later_opens_a_segment_that_serves_it() -> None:
    talk = inbound(BOTH)
    assert purposes(talk) == ["mifid"]
    talk.opens()
    assert says(talk, "given") == 0
    assert moves(talk.last) == ["close"]
    talk.closes()
    assert purposes(talk) == ["training", "mifid"]
    talk.opens()
    assert says(talk, "refused") == 0
    talk.closes()
    assert purposes(talk) == ["mifid"]
    assert says(talk, "given") == 409


def test_what_is_taken_back_during_a_pause_is_not_captured_again_when_it_ends() -> None:
    talk = inbound(BOTH, fsgov_consent_training="given")
    talk.opens()
    talk.act(Act.PAUSE)
    talk.accept()
    assert says(talk, "withdrawn") == 0
    assert moves(talk.last) == ["close"]
    talk.closes()
    assert talk.state()[1] is Capture.OFF
    assert moves(talk.act(Act.RESUME)) == ["open"]
    assert purposes(talk) == ["mifid"]


def test_the_crm_is_asked_for_a_yes_where_a_purpose_rests_on_one() -> None:
    assert Talk(BOTH).policy.looks_up
    assert not Talk(PLAIN).policy.looks_up


def test_it_waits_for_no_crm_and_a_yes_that_comes_serves_another_segment() -> None:
    talk = Talk(BOTH)
    talk.created("a")
    (ask,) = talk.all(LookUpParty)
    talk.created("b", other="a")
    talk.answered("b")
    talk.answered("a")
    assert purposes(talk) == ["mifid"]
    talk.opens()
    talk.push(
        ev.PartyFound, call="a", command=ask.number, party=1, consents={"training": True}, evidence="crm-7"
    )
    assert moves(talk.last) == ["close"]
    talk.closes()
    assert purposes(talk) == ["training", "mifid"]


def test_the_gate_is_told_to_play_a_notice_and_it_is_recorded_meanwhile() -> None:
    talk = Talk(TOLD)
    talk.created("a")
    talk.push(GateOpened, leg="a")
    (told,) = talk.all(AnswerDialplan)
    assert dict(told.variables)["fsgov_action"] == "notice"
    talk.answered("a")
    assert moves(talk.last) == ["open"]
    talk.opens()
    talk.plays()
    assert rows(talk) == [(1, "mifid", "given", "notice")]
    assert not talk.all(Play)


def test_no_floor_raises_it_and_each_is_told() -> None:
    text = HEAD + '[floor]\ndefault = "opt_in"\n' + PLAIN
    policy = parse(text, prompts=prompt_facts, packs={})
    talk = Talk(PLAIN)
    talk.policy = policy
    talk.board = type(talk.board)(policy, talk.site)
    talk.inbound()
    decision = talk.call().decision
    assert decision is not None
    assert decision.consent.value == "statutory"
    assert [mode.value for _, mode in decision.floors] == ["opt_in", "opt_in"]
    assert len(talk.all(OpenSegment)) == 1
    assert PROMPT not in [play.file for play in talk.all(Play)]


@pytest.mark.parametrize(
    ("rule", "runs_on"), [(PLAIN, True), (TOLD, True), (BOTH, False)], ids=["plain", "told", "both"]
)
def test_at_the_end_of_fsgov_it_runs_on_where_nobody_can_take_anything_back(rule: str, runs_on: bool) -> None:
    talk = inbound(rule)
    talk.opens()
    talk.push(ev.Stopping)
    assert moves(talk.last) == ([] if runs_on else ["close"])


def test_it_goes_on_after_a_restart_though_somebody_declined() -> None:
    talk = inbound(PLAIN)
    talk.opens()
    says(talk, "refused")
    twin = talk.restarted()
    twin.resync(a=("a-01",), b=())
    assert twin.state() == (Stage.SETTLED, Capture.ON)
    twin.wait(5)
    assert moves(twin.sent) == []
