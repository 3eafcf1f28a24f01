"""Rules with a gate of their own, and calls that may not go on before their recording runs."""

from __future__ import annotations

import pytest

from fsgov import events as ev
from fsgov.call import Capture
from fsgov.call.gated import WITHIN
from fsgov.call.holding import Limits, SpoolRoom
from fsgov.commands import AnswerDialplan, HangUp, OpenSegment, Play, Remember
from fsgov.dialplan import GateHeld, GateOpened, GatePassed
from fsgov.watermarks import Mark
from tests.unit.conversation import ALWAYS, NOTICE, ON_FILE, OPT_IN, OPT_OUT, SECOND, Talk, moves

GATE = "gate = true\n"
HELD = GATE + 'require = "before_answer"\n'
HANG_UP = 'on_failure = "hangup"\n'
GONE_ON = {"fsgov_action": "go"}
SAMPLE = ALWAYS.replace('"always"', '"sample 0.0001%"')


def at_gate(*rules: str, **fields: object) -> Talk:
    talk = Talk(*rules)
    talk.created("a", **fields)
    talk.push(GateOpened, leg="a")
    return talk


def held(rule: str) -> Talk:
    """In the second wait, after a menu that was heard to its end; the key is still to be pressed."""
    talk = at_gate(rule + HELD)
    ((*_, last),) = [answer.variables for answer in talk.all(AnswerDialplan)]
    assert last[1] != "go"
    talk.answered("a")
    talk.plays()
    return talk


def passes(talk: Talk) -> None:
    talk.push(GatePassed, leg="a", variables={})
    talk.push(GateHeld, leg="a")


def said(talk: Talk) -> list[dict[str, str]]:
    return [dict(answer.variables) for answer in talk.all(AnswerDialplan)]


def failures(talk: Talk) -> list[tuple[object, object]]:
    return [(entry.facts["cause"], entry.facts["on_failure"]) for entry in talk.entries("recorder.failed")]


def missed(talk: Talk) -> list[tuple[object, object]]:
    return [(entry.facts["leg"], entry.facts["reason"]) for entry in talk.entries("gate.missed")]


# -- held at the gate, where nothing is to be asked -----------------------------------------------------


def test_where_nothing_is_asked_the_call_goes_on_when_its_armed_recording_is_confirmed() -> None:
    talk = at_gate(ALWAYS + HELD)
    (opened,) = talk.all(OpenSegment)
    assert opened.armed
    assert said(talk) == []
    talk.accept()
    assert said(talk) == [], "+OK is no proof that it runs"
    talk.recording(opened.segment)
    assert said(talk) == [GONE_ON]
    assert talk.all(AnswerDialplan)[0].due == talk.now + WITHIN
    assert talk.call().actual is Capture.ARMED
    talk.created("b", other="a")
    talk.answered("b")
    assert moves(talk.answered("a")) == []
    assert talk.call().actual is Capture.ON
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"
    assert len(talk.all(OpenSegment)) == 1


def test_it_waits_for_nothing_where_nothing_is_to_be_recorded() -> None:
    for rule in (SAMPLE, ON_FILE):
        talk = at_gate(rule + HELD)
        talk.wait(0.4)  # the CRM knows nobody
        assert said(talk) == [GONE_ON], rule
        assert not talk.all(OpenSegment)


def test_a_yes_on_file_is_enough_to_arm() -> None:
    talk = at_gate(ON_FILE + HELD)
    assert said(talk) == []
    talk.push(
        ev.PartyFound, call="a", command=1, party=1, facts={}, consents={"training": True}, evidence="r"
    )
    (opened,) = talk.all(OpenSegment)
    assert opened.armed
    assert '"purposes": ["evidence", "training"]' in opened.sidecar
    assert said(talk) == []
    talk.opens()
    assert said(talk) == [GONE_ON]


@pytest.mark.parametrize("ends", ["refused", "silent", "unanswered"])
@pytest.mark.parametrize("hangs", [True, False], ids=["hangup", "alert"])
def test_what_becomes_of_a_call_whose_recording_cannot_be_confirmed(ends: str, hangs: bool) -> None:
    talk = at_gate(ALWAYS + HELD + (HANG_UP if hangs else ""))
    match ends:
        case "refused":
            talk.refuse()
        case "silent":
            talk.accept()
        case "unanswered":
            pass
    talk.wait(1.8)
    assert [kill.leg for kill in talk.all(HangUp)] == (["a"] if hangs else [])
    assert said(talk) == ([GONE_ON] if ends == "refused" and not hangs else [])
    assert len(failures(talk)) == 1
    if ends == "refused":
        assert missed(talk) == [("a", "late")][:hangs]  # nobody answers a call that is being ended
    else:
        assert missed(talk) == [("a", "late")]


@pytest.mark.parametrize("hangs", [True, False], ids=["hangup", "alert"])
def test_while_starts_fail_across_calls_it_is_told_at_the_gate(hangs: bool) -> None:
    talk = Talk(ALWAYS + HELD + (HANG_UP if hangs else ""))
    talk.created("a")
    talk.call().limits = Limits(starts_fail=True)
    talk.push(GateOpened, leg="a")
    assert not talk.all(OpenSegment)
    assert failures(talk) == [("starts-fail", "hangup" if hangs else "alert")]
    assert [kill.leg for kill in talk.all(HangUp)] == (["a"] if hangs else [])
    assert said(talk) == ([] if hangs else [GONE_ON])
    talk.answered("a")
    assert len(failures(talk)) == 1


def test_a_start_that_is_held_back_while_it_rings_is_told_at_the_answer() -> None:
    talk = Talk(ALWAYS + "armed = true\n")
    talk.board.handle(SpoolRoom(now=talk.now, mark=Mark.REFUSE))
    talk.created("a")
    assert failures(talk) == []
    talk.answered("a")
    assert failures(talk) == [("disk", "alert")]


def test_a_late_confirmation_breaks_no_sleep() -> None:
    talk = at_gate(ALWAYS + HELD)
    talk.accept()
    talk.wait(1.8)
    talk.recording(talk.all(OpenSegment)[0].segment)
    assert said(talk) == []
    talk.answered("a")
    assert talk.call().actual is Capture.ON  # the failure mode of the dialplan let it go on


def test_after_a_restart_at_the_gate_it_still_waits() -> None:
    talk = at_gate(ALWAYS + HELD)
    segment = talk.all(OpenSegment)[0].segment
    assert any(f'[{talk.now}, "go", {talk.now}]' in remember.text for remember in talk.all(Remember))
    again = talk.restarted()
    again.created("a", found=True, variables={"fsgov_action": "failure"})
    again.resync(a=(segment,))
    again.wait(1.8)
    assert not [words for words in said(again) if again.call().actual is not Capture.ARMED]
    assert [entry.facts["reason"] for entry in again.entries("gate.missed")] == ["late"]


# -- held after the menu --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "key"), [(NOTICE, ""), (OPT_OUT, ""), (OPT_IN, "1")])
def test_after_a_menu_the_call_is_held_until_its_recording_runs(rule: str, key: str) -> None:
    talk = held(rule)
    assert said(talk)[0]["fsgov_require"] == "before_answer"
    talk.presses(key)
    passes(talk)
    assert len(said(talk)) == 1, "not before the recording is confirmed"
    assert not talk.all(OpenSegment)[0].armed
    talk.opens()
    assert said(talk)[1:] == [GONE_ON]


def test_a_question_that_is_still_open_holds_the_call() -> None:
    """The event that the menu is over was lost: nobody has answered yet, so nothing is wanted yet."""
    talk = held(OPT_IN)
    talk.push(GateHeld, leg="a")
    assert len(said(talk)) == 1
    talk.presses("1")
    talk.opens()
    assert said(talk)[1:] == [GONE_ON]


@pytest.mark.parametrize(("rule", "key"), [(OPT_OUT, "2"), (OPT_IN, "2"), (OPT_IN, "")])
def test_who_declines_or_says_nothing_is_not_held(rule: str, key: str) -> None:
    talk = held(rule)
    talk.presses(key)
    passes(talk)
    assert said(talk)[1:] == [GONE_ON]
    assert not talk.all(OpenSegment)
    assert failures(talk) == []


def test_a_recording_that_does_not_come_after_the_menu_is_a_failure() -> None:
    talk = held(NOTICE + HANG_UP)
    passes(talk)
    talk.accept()
    talk.wait(1.8)
    assert said(talk)[1:] == []
    assert [kill.leg for kill in talk.all(HangUp)] == ["a"]
    assert missed(talk) == [("a", "late")]
    assert failures(talk) == [("gate", "hangup")]


# -- rules whose calls come through the gate ------------------------------------------------------------


@pytest.mark.parametrize("rule", [ALWAYS, NOTICE, OPT_IN])
@pytest.mark.parametrize("hangs", [True, False])
def test_a_call_that_comes_past_the_gate_is_neither_asked_nor_recorded(rule: str, hangs: bool) -> None:
    talk = Talk(rule + GATE + (HANG_UP if hangs else ""))
    talk.inbound()
    talk.wait(60)
    assert not talk.all(OpenSegment)
    assert not talk.all(Play)
    assert missed(talk) == [("a", "past")]
    assert failures(talk) == [("gate", "hangup" if hangs else "alert")]
    assert [kill.leg for kill in talk.all(HangUp)] == (["a"] if hangs else [])
    talk.hangs_up("a", "b")
    assert talk.over() == "failed:gate"


def test_an_agent_who_calls_past_the_gate_has_nobody_asked() -> None:
    talk = Talk(NOTICE + GATE)
    talk.created("a", profile="sofia/internal", caller="1001", dialled="+4930123456")
    talk.created("b", other="a", profile="sofia/external", dialled="+4930123456", caller="1001")
    talk.answered("b")
    talk.answered("a")
    talk.wait(60)
    assert not talk.all(Play)
    assert failures(talk) == [("gate", "alert")]


def test_a_call_past_the_gate_that_its_rule_did_not_want_is_no_failure() -> None:
    talk = Talk(SAMPLE + GATE)
    talk.inbound()
    assert failures(talk) == []
    talk.hangs_up("a", "b")
    assert talk.over() == "sampled-out"


def test_a_gate_that_did_not_ask_in_time_is_a_failure_of_a_rule_that_counts_on_it() -> None:
    talk = Talk(NOTICE + GATE + HANG_UP)
    talk.created("a", variables={"fsgov_action": "failure"})  # its event was lost
    assert missed(talk) == [("a", "late")]
    assert failures(talk) == [("gate", "hangup")]
    talk.hangs_up("a")
    other = Talk(ALWAYS + GATE)
    other.created("a", variables={"fsgov_action": "failed"})
    other.created("b", other="a")
    other.answered("b")
    assert moves(other.answered("a")) == ["open"], "nothing is owed here, and it came through the gate"
    assert (missed(other), failures(other)) == ([("a", "late")], [])


def test_past_the_gate_is_told_once_also_after_a_restart() -> None:
    talk = Talk(NOTICE + GATE)
    talk.inbound()
    again = talk.restarted()
    again.created("a", found=True, answered=True)
    again.resync(a=(), b=())
    again.wait(60)
    assert failures(again) == []
    assert not again.all(OpenSegment)


def test_an_agent_who_calls_through_the_gate_is_let_go_and_the_other_party_asked_by_fsgov() -> None:
    inside = {"profile": "sofia/internal", "caller": "1001", "dialled": "+4930123456"}
    talk = at_gate(NOTICE + GATE, **inside)
    assert said(talk) == [GONE_ON]
    talk.created("b", other="a", profile="sofia/external", dialled="+4930123456", caller="1001")
    talk.answered("b")
    talk.answered("a")
    assert [play.leg for play in talk.all(Play)] == ["b"]
    assert failures(talk) == []


def test_the_time_of_a_gate_is_not_waited_for_without_end() -> None:
    """No deadline of the past is left standing: the clockwork would spin."""
    talk = at_gate(ALWAYS + HELD)
    talk.now += 10 * SECOND
    talk.wait(1)
    due = talk.board.next_deadline()
    assert due is None or due > talk.now
