"""What has to be said, asked and answered before a frame is captured; and what takes it back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fsgov import events as ev
from fsgov.call import Capture, Stage
from fsgov.call.consent import Gate, gate
from fsgov.commands import (
    HangUp,
    LookUpParty,
    OpenSegment,
    Play,
    Release,
    Remember,
    StopPlaying,
    Transfer,
)
from fsgov.events import Direction
from tests.unit.conversation import (
    ALWAYS,
    NEVER,
    NOTICE,
    ON_FILE,
    OPT_IN,
    OPT_OUT,
    PROMPT,
    SAMPLES,
    Talk,
    moves,
)


def rows(talk: Talk) -> list[tuple[int, str, str, str]]:
    return [(row.party, row.purpose, row.state.value, row.method.value) for row in talk.call().consents]


# -- notice -------------------------------------------------------------------------------------------


def test_a_notice_is_played_to_its_end_before_anything_is_captured() -> None:
    talk = Talk(NOTICE)
    talk.inbound()
    (play,) = talk.all(Play)
    assert (play.leg, play.file) == ("a", PROMPT)
    assert talk.state() == (Stage.ASKING, Capture.OFF)
    assert moves(talk.plays()) == ["open"]
    (entry,) = talk.entries("notice.played")
    assert entry.facts["samples"] == SAMPLES
    assert rows(talk) == [(1, "evidence", "given", "notice")]


def test_hanging_up_during_the_notice_means_no_recording() -> None:
    talk = Talk(NOTICE)
    talk.inbound()
    talk.push(ev.PromptStarted, leg="a", file=PROMPT)
    talk.push(ev.LegHungUp, leg="a")
    talk.push(ev.PromptStopped, leg="a", file=PROMPT, status="done", samples=11_200)
    talk.hangs_up("b", "a")
    assert not talk.all(OpenSegment)
    assert talk.over() == "consent-unanswered"


@pytest.mark.parametrize("samples", [SAMPLES - 1, 0, None])
def test_a_prompt_that_was_cut_is_played_again_and_then_given_up(samples: int | None) -> None:
    talk = Talk(NOTICE)
    talk.inbound()
    talk.plays(samples=samples)
    assert len(talk.all(Play)) == 2
    talk.plays(samples=samples)
    talk.wait(60)
    assert len(talk.all(Play)) == 2
    assert not talk.all(OpenSegment)
    assert len(talk.entries("notice.interrupted")) == 2


@pytest.mark.parametrize("rule", [NOTICE, OPT_OUT])
def test_another_sound_that_was_heard_proves_nothing(rule: str) -> None:
    """Music, a greeting, another rule's prompt: only the file that the rule names is evidence."""
    talk = Talk(rule)
    talk.inbound()
    talk.push(ev.PromptStarted, leg="a", file="/p/greeting.wav")
    talk.push(ev.PromptStopped, leg="a", file="/p/greeting.wav", status="done", samples=10 * SAMPLES)
    assert not talk.entries("notice.played")
    assert rows(talk) == []
    talk.hangs_up("a", "b")
    assert talk.over() == "consent-unanswered"


def test_a_prompt_that_the_switch_does_not_have_means_no_recording() -> None:
    talk = Talk(NOTICE)
    talk.inbound()
    talk.push(ev.PromptMissing, leg="a", file=PROMPT)
    talk.wait(60)
    assert not talk.all(OpenSegment)
    assert talk.entries("recorder.failed")[0].facts["cause"] == "prompt-missing"


def test_a_prompt_whose_end_is_never_told_means_no_recording() -> None:
    talk = Talk(NOTICE)
    talk.inbound()
    talk.push(ev.PromptStarted, leg="a", file=PROMPT)
    talk.wait(60)
    assert talk.state() == (Stage.SETTLED, Capture.OFF)
    assert not talk.all(OpenSegment)


# -- opt_out ------------------------------------------------------------------------------------------


def test_opt_out_records_after_the_prompt_and_its_time_without_the_key() -> None:
    talk = Talk(OPT_OUT)
    talk.inbound()
    assert moves(talk.plays()) == []
    assert moves(talk.wait(4.9)) == []
    assert moves(talk.wait(0.2)) == ["open"]
    assert rows(talk) == [(1, "evidence", "given", "notice")]


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_opt_out_by_key(when: str) -> None:
    talk = Talk(OPT_OUT)
    talk.inbound()
    if when != "before":
        talk.push(ev.PromptStarted, leg="a", file=PROMPT)
    if when == "after":
        talk.push(ev.PromptStopped, leg="a", file=PROMPT, status="done", samples=SAMPLES)
    talk.presses("2")
    assert len(talk.all(StopPlaying)) == (when != "after")
    talk.wait(60)
    talk.hangs_up("a", "b")
    assert talk.over() == "refused"
    assert not talk.all(OpenSegment)


# -- opt_in -------------------------------------------------------------------------------------------


def test_opt_in_wants_an_active_yes() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    assert moves(talk.presses("1")) == ["open"]
    assert rows(talk) == [(1, "training", "given", "key")]
    segment = talk.call().segment
    assert segment is not None
    assert segment.purposes == (
        "evidence",
        "training",
    )  # analytics has a consent of its own, and nobody asked for it
    assert segment.consents == ("c-a-1",)
    (entry,) = talk.entries("consent.given")
    assert entry.facts["method"] == "key"
    evidence = talk.call().consents[0].evidence
    assert (evidence["digit"], evidence["sha256"], evidence["samples"]) == ("1", "ab" * 32, SAMPLES)


def test_a_yes_may_come_while_the_prompt_is_heard_but_not_before() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    assert moves(talk.presses("1")) == []  # he cannot know what he says yes to
    talk.push(ev.PromptStarted, leg="a", file=PROMPT)
    assert moves(talk.presses("1")) == ["open"]
    assert talk.all(StopPlaying)


def test_silence_is_never_consent() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("34567890*#")
    talk.wait(600)
    assert rows(talk) == [(1, "training", "unanswered", "notice")]
    talk.hangs_up("a", "b")
    assert talk.over() == "consent-unanswered"
    assert not talk.all(OpenSegment)


def test_a_question_that_the_switch_never_began_to_play_is_put_once_more() -> None:
    """As seen with a queue that bridges the caller at that moment: +OK, and no PLAYBACK_START."""
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.wait(8)  # 3 s of prompt and 5 s of grace
    assert len(talk.all(Play)) == 2
    assert rows(talk) == []
    talk.plays()
    assert moves(talk.presses("1")) == ["open"]


def test_a_question_that_is_never_played_is_not_answered() -> None:
    talk = Talk(OPT_OUT)
    talk.inbound()
    talk.wait(60)
    assert len(talk.all(Play)) == 2
    assert [row[2] for row in rows(talk)] == ["unanswered"]
    assert not talk.all(OpenSegment)


def test_only_the_leg_that_was_asked_answers() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    assert moves(talk.presses("1", leg="b")) == []
    assert talk.state() == (Stage.ASKING, Capture.OFF)


def test_no_other_digit_is_ever_stored() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("4567")
    talk.presses("1")
    talk.opens()
    talk.presses("53378*4567")
    talk.hangs_up("a", "b")
    everything = repr([c for c in talk.sent if not isinstance(c, OpenSegment)]) + repr(talk.call.__doc__)
    assert "4567" not in everything.replace("+442079460100", "")
    assert "3378" not in everything


@pytest.mark.parametrize(
    ("refusal", "kind"), [("hangup", HangUp), ("transfer 7001", Transfer), ("continue", None)]
)
def test_what_becomes_of_somebody_who_declines(refusal: str, kind: type | None) -> None:
    talk = Talk(OPT_IN + f'on_refusal = "{refusal}"\n')
    talk.inbound()
    talk.plays()
    talk.presses("2")
    acts = [c for c in talk.last if isinstance(c, HangUp | Transfer)]
    assert [type(c) for c in acts] == ([] if kind is None else [kind])
    assert all(c.leg == "a" for c in acts)
    if kind is Transfer:
        assert isinstance(acts[0], Transfer)
        assert acts[0].destination == "7001"
    assert next(c.durable for c in talk.last if isinstance(c, Remember))


# -- withdrawal ---------------------------------------------------------------------------------------


def recorded(talk: Talk) -> None:
    talk.inbound()
    talk.plays()
    talk.presses("1")
    talk.opens()


def test_the_withdraw_code_stops_capture_at_once_and_marks_the_audio() -> None:
    talk = Talk(OPT_IN)
    recorded(talk)
    assert moves(talk.presses("*9")) == ["close"]
    talk.closes()
    (released,) = talk.all(Release)
    side = json.loads(released.sidecar)
    assert (side["dispose"], side["dispose_reason"]) == (True, "withdrawn by party 1")
    talk.wait(60)
    talk.hangs_up("a", "b")
    assert talk.over() == "withdrawn"
    assert len(talk.all(OpenSegment)) == 1


def test_the_code_counts_in_a_row_and_from_its_leg_only() -> None:
    talk = Talk(OPT_IN)
    recorded(talk)
    assert moves(talk.presses("*")) == []
    assert moves(talk.presses("9", leg="b")) == []
    assert moves(talk.presses("19")) == []
    assert moves(talk.presses("**9")) == ["close"]


def test_who_was_never_asked_can_withdraw_by_the_code_as_well() -> None:
    """His consent came by a channel variable: no question, but an opt-out at any time."""
    talk = Talk(OPT_IN)
    talk.created("a", variables={"fsgov_consent_training": "given"})
    talk.created("b", other="a")
    talk.answered("b")
    talk.answered("a")
    talk.opens()
    assert not talk.all(Play)
    assert moves(talk.presses("*9", leg="b")) == []  # the agent's consent does not count
    assert moves(talk.presses("2")) == []  # no question is open
    assert moves(talk.presses("*9")) == ["close"]
    talk.closes()
    assert [row[2] for row in rows(talk)] == ["given", "withdrawn"]
    talk.wait(60)
    talk.hangs_up("a", "b")
    assert talk.over() == "withdrawn"


def test_a_withdrawal_overtakes_a_start_that_was_accepted() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("1")
    talk.accept()  # +OK, its RECORD_START is under way
    assert moves(talk.presses("*9")) == ["close"]


def test_a_withdrawal_waits_for_the_reply_of_the_command_under_way() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("1")
    assert moves(talk.presses("*9")) == []  # one recorder command at a time
    assert moves(talk.accept()) == ["close"]


# -- other ways of consent ----------------------------------------------------------------------------


def test_a_variable_of_the_inbound_leg_answers_for_its_party() -> None:
    talk = Talk(OPT_IN)
    talk.created("a")
    talk.created(
        "b", other="a", variables={"fsgov_consent_training": "given"}
    )  # exported: says nothing of anybody
    talk.answered("b")
    assert moves(talk.answered("a", variables={"fsgov_consent_training": "given"})) == ["open"]
    assert rows(talk) == [(1, "training", "given", "variable")]
    assert not talk.all(Play)


def test_an_exported_variable_is_nobodys_consent() -> None:
    talk = Talk(OPT_IN)
    talk.created("a")
    talk.created("b", other="a", variables={"fsgov_consent_training": "given"})
    talk.answered("b", variables={"fsgov_consent_training": "given"})
    talk.answered("a")
    assert rows(talk) == []
    assert talk.state() == (Stage.ASKING, Capture.OFF)


def test_a_refusal_by_variable_is_not_overwritten() -> None:
    talk = Talk(OPT_IN)
    talk.created("a", variables={"fsgov_consent_training": "refused"})
    talk.created("b", other="a")
    talk.answered("a", variables={"fsgov_consent_training": "given"})
    assert not talk.all(OpenSegment)
    assert not talk.all(Play)
    talk.hangs_up("a", "b")
    assert talk.over() == "refused"


def test_consent_on_file() -> None:
    talk = Talk(ON_FILE)
    talk.created("a")
    (ask,) = talk.all(LookUpParty)
    assert (ask.party, ask.e164) == (1, "+4930123456")
    talk.answered("a")
    assert talk.state() == (Stage.DECIDING, Capture.OFF)
    talk.push(
        ev.PartyFound, call="a", command=ask.number, party=1, consents={"training": True}, evidence="crm-7"
    )
    assert moves(talk.last) == ["open"]
    assert talk.call().consents[0].evidence == {"row": "crm-7", "policy": talk.policy.sha256}


@pytest.mark.parametrize(
    ("consents", "outcome"), [({}, "consent-unanswered"), ({"training": False}, "refused")]
)
def test_no_consent_on_file(consents: dict[str, bool], outcome: str) -> None:
    talk = Talk(ON_FILE)
    talk.created("a")
    (ask,) = talk.all(LookUpParty)
    talk.answered("a")
    talk.push(ev.PartyFound, call="a", command=ask.number, party=1, consents=consents)
    talk.wait(60)
    talk.hangs_up("a")
    assert talk.over() == outcome
    assert not talk.all(OpenSegment)


def test_a_look_up_has_a_deadline_and_then_the_call_is_decided_without() -> None:
    rule = '[[rule]]\nname = "retail"\nwhen.crm.segment = ["retail"]\nrecord = "never"\n'
    talk = Talk(rule, ALWAYS)
    talk.created("a")
    assert talk.call().decision is None
    talk.answered("a")
    talk.wait(0.29)
    assert talk.call().decision is None
    talk.wait(0.02)
    decision = talk.call().decision
    assert decision is not None
    assert decision.rule == "retail"  # unknown: the strictest that may match


def test_a_policy_without_facts_asks_no_crm() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    assert not talk.all(LookUpParty)


# -- whose consent ------------------------------------------------------------------------------------


def outbound(talk: Talk) -> None:
    talk.created("a", user="1001@x", profile="sofia/internal", caller="1001", dialled="+4930999")
    talk.created("b", other="a", profile="sofia/external", dialled="+4930999")
    talk.answered("b")
    talk.answered("a")


def test_outbound_asks_the_callee() -> None:
    talk = Talk(OPT_IN)
    outbound(talk)
    assert [play.leg for play in talk.all(Play)] == ["b"]
    assert talk.call().direction.value == "outbound"
    talk.plays(leg="b")
    assert moves(talk.presses("1", leg="b")) == ["open"]


def test_a_third_party_outside_is_asked_and_nothing_is_captured_until_he_says_yes() -> None:
    talk = Talk(OPT_IN)
    recorded(talk)
    talk.created("c", direction=Direction.OUTBOUND, other="a", profile="sofia/external", dialled="+4940555")
    assert moves(talk.last) == []
    assert moves(talk.answered("c")) == ["close"]
    assert [play.leg for play in talk.last if isinstance(play, Play)] == ["c"]
    talk.closes()
    talk.plays(leg="c")
    assert moves(talk.presses("1", leg="c")) == ["open"]
    segment = talk.call().segment
    assert segment is not None
    assert segment.id == "a-02"
    assert segment.consents == ("c-a-1", "c-a-2")


def test_agents_are_asked_by_rule() -> None:
    talk = Talk(OPT_IN + "ask_agents = true\n")
    talk.inbound()
    assert sorted(play.leg for play in talk.all(Play)) == ["a", "b"]
    talk.plays(leg="a")
    assert moves(talk.presses("1", leg="a")) == []
    talk.plays(leg="b")
    assert moves(talk.presses("1", leg="b")) == ["open"]


def test_on_demand_asks_when_somebody_wants_it() -> None:
    rule = OPT_IN.replace('name = "german"', 'name = "german"\nrecord = "on_demand"')
    talk = Talk(rule)
    talk.inbound()
    assert not talk.all(Play)
    talk.act(ev.Act.START)
    assert talk.all(Play)
    talk.plays()
    assert moves(talk.presses("1")) == ["open"]


def test_a_floor_that_the_rules_prompt_cannot_meet_means_no_recording() -> None:
    """A German on the British line: opt_in is owed, the notice has no key for yes."""
    talk = Talk('[floor]\nDE = "opt_in"\n' + NOTICE)
    talk.inbound()
    decision = talk.call().decision
    assert decision is not None
    assert decision.consent.value == "opt_in"
    assert not talk.all(Play)
    talk.wait(60)
    talk.hangs_up("a", "b")
    assert talk.over() == "consent-unanswered"
    assert not talk.all(OpenSegment)


def test_on_file_is_no_yes_under_opt_in() -> None:
    """Whoever has a consent on file is asked all the same where the mode wants an active yes."""
    rule = OPT_IN.replace('name = "german"', 'name = "german"\nwhen.crm.segment = ["retail"]')
    talk = Talk(rule, NEVER)
    talk.created("a")
    (ask,) = talk.all(LookUpParty)
    found = {"facts": {"segment": "retail"}, "consents": {"training": True}}
    talk.push(ev.PartyFound, call="a", command=ask.number, party=1, **found)
    talk.answered("a")
    assert not talk.all(OpenSegment)
    assert talk.all(Play)


def test_silence_after_a_notice_is_no_yes() -> None:
    """What opened the gate under one mode does not under a stricter one; a call that joins may bring it."""
    talk = Talk(OPT_OUT)
    talk.inbound()
    talk.plays()
    talk.wait(6)
    call, opt_in = talk.call(), Talk(OPT_IN)
    opt_in.inbound()
    stricter = opt_in.call().decision
    assert call.decision is not None
    assert stricter is not None
    heard = replace(stricter, asks_for="evidence")
    assert gate(call, call.decision, call.parties[0]) is Gate.OPEN
    assert gate(call, heard, call.parties[0]) is not Gate.OPEN


def test_somebody_new_is_not_captured_before_he_is_decided_about() -> None:
    rule = '[[rule]]\nname = "vip"\nwhen.crm.segment = ["vip"]\nrecord = "never"\n'
    talk = Talk(rule, ALWAYS)
    talk.created("a")
    (ask,) = talk.all(LookUpParty)
    talk.push(ev.PartyFound, call="a", command=ask.number, party=1, facts={"segment": "retail"})
    talk.answered("a")
    talk.opens()
    talk.created("c", direction=Direction.OUTBOUND, other="a", profile="sofia/external", dialled="+4940555")
    assert moves(talk.answered("c")) == ["close"]  # his row is still being looked up
