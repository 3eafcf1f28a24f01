"""Calls that come through the gate of a dialplan, and the codes of agents: what is answered, what counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov import events as ev
from fsgov.announcements import Announcements
from fsgov.call import Capture, Stage
from fsgov.call.gated import WITHIN
from fsgov.call.stops import Stops, StopsInForce
from fsgov.commands import (
    Answer,
    AnswerDialplan,
    HangUp,
    LookUpParty,
    MaskSegment,
    OpenSegment,
    Play,
    Remember,
    StopPlaying,
    Transfer,
)
from fsgov.dialplan import CodePressed, GateOpened, GatePassed
from fsgov.errors import Unreachable
from fsgov.esl.pool import Pool, Reply
from fsgov.events import Act, Direction
from tests.unit.conversation import (
    ALWAYS,
    NEVER,
    NOTICE,
    ON_DEMAND,
    OPT_IN,
    OPT_OUT,
    PROMPT,
    SAMPLES,
    SECOND,
    T0,
    Talk,
    moves,
)

MENU = {
    "fsgov_prompt": PROMPT,
    "fsgov_purpose": "training",
    "fsgov_yes": "1",
    "fsgov_no": "2",
    "fsgov_timeout": "8000",
    "fsgov_refusal": "continue",
    "fsgov_action": "opt_in",
}


def rows(talk: Talk) -> list[tuple[str, str, str]]:
    return [(row.purpose, row.state.value, row.method.value) for row in talk.call().consents]


def at_gate(*rules: str, **fields: object) -> Talk:
    talk = Talk(*rules)
    talk.created("a", **fields)
    talk.push(GateOpened, leg="a")
    return talk


def told(talk: Talk) -> dict[str, str]:
    """The variables of the one answer."""
    (answer,) = talk.all(AnswerDialplan)
    assert answer.leg == "a"
    return dict(answer.variables)


def in_menu(*rules: str) -> Talk:
    """Answered by the dialplan, its prompt not begun."""
    talk = at_gate(*rules)
    talk.answered("a", variables={**MENU, "fsgov_answer": "none", "fsgov_dialled": "+442079460100"})
    return talk


def passes(talk: Talk, **variables: str) -> None:
    talk.push(GatePassed, leg="a", variables=variables)


def bridges(talk: Talk) -> None:
    talk.created("b", other="a")
    talk.answered("b")
    talk.push(ev.LegsBridged, leg="a", other="b")


# -- what the gate is told -----------------------------------------------------------------------------


def test_the_gate_is_told_the_menu_of_the_rule_with_the_action_last_and_a_time() -> None:
    talk = at_gate(OPT_IN)
    (answer,) = talk.all(AnswerDialplan)
    assert dict(answer.variables) == MENU
    assert answer.variables[-1] == ("fsgov_action", "opt_in")
    assert answer.due == talk.now + WITHIN
    kinds = [type(command) for command in talk.last]
    assert kinds.index(Remember) < kinds.index(AnswerDialplan)


@pytest.mark.parametrize(
    ("on_refusal", "said"),
    [
        ('"hangup"', {"fsgov_refusal": "hangup"}),
        ('"transfer 7001"', {"fsgov_refusal": "transfer", "fsgov_transfer": "7001"}),
    ],
)
def test_the_gate_is_told_what_becomes_of_those_who_decline(on_refusal: str, said: dict[str, str]) -> None:
    talk = at_gate(OPT_IN + f"on_refusal = {on_refusal}\n")
    assert said.items() <= told(talk).items()


@pytest.mark.parametrize("rules", [(ALWAYS,), (NEVER,), (ON_DEMAND,)], ids=["none", "never", "on demand"])
def test_where_nothing_is_owed_the_gate_is_told_to_go_on(rules: tuple[str, ...]) -> None:
    assert told(at_gate(*rules)) == {"fsgov_action": "go"}


def test_a_caller_inside_goes_on_and_the_party_outside_is_asked_by_fsgov() -> None:
    talk = at_gate(OPT_IN, profile="sofia/internal", caller="1001", dialled="+4930123456")
    assert told(talk) == {"fsgov_action": "go"}
    talk.created("b", other="a", profile="sofia/external", dialled="+4930123456", caller="1001")
    talk.answered("b")
    talk.answered("a")
    assert [play.leg for play in talk.all(Play)] == ["b"]


def test_while_a_stop_is_in_force_nobody_is_asked() -> None:
    talk = Talk(OPT_IN)
    talk.board.handle(StopsInForce(now=talk.now, stops=Stops(whole=("s-1",))))
    talk.created("a")
    talk.push(GateOpened, leg="a")
    assert told(talk) == {"fsgov_action": "go"}


def test_the_gate_waits_for_the_crm_and_no_longer_than_its_deadline() -> None:
    talk = Talk(ALWAYS.replace('"all"\n', '"all"\nwhen.crm.x = ["y"]\n'), OPT_IN)
    talk.created("a")
    talk.push(GateOpened, leg="a")
    assert talk.all(LookUpParty)
    assert not talk.all(AnswerDialplan)
    talk.wait(0.4)
    assert told(talk)["fsgov_action"] == "opt_in"


def test_a_gate_is_not_answered_too_late_and_nothing_that_needs_an_answer_is_recorded_then() -> None:
    talk = Talk(OPT_IN)
    talk.created("a")
    talk.push(ev.SwitchLost)
    talk.push(GateOpened, leg="a")
    talk.now += WITHIN + 1
    talk.resync(a=())
    assert not talk.all(AnswerDialplan)
    talk.answered("a", variables={"fsgov_action": "failure", "fsgov_answer": "none"})
    bridges(talk)
    talk.wait(60)
    assert not talk.all(Play)
    assert not talk.all(OpenSegment)
    talk.hangs_up("a", "b")
    assert talk.over() == "consent-unanswered"


def test_a_gate_nobody_heard_of_is_known_by_the_variables_of_its_leg() -> None:
    """fsgov was away, or the event was lost: the dialplan went on by its failure mode."""
    talk = Talk(OPT_IN)
    talk.created("a", found=True, answered=True, variables={"fsgov_action": "failure"})
    bridges(talk)
    talk.wait(60)
    assert not talk.all(Play)
    assert not talk.all(OpenSegment)


def test_a_leg_that_was_sent_on_without_a_question_may_be_asked_later() -> None:
    talk = at_gate(ON_DEMAND.replace('"none"\np', '"notice"\nask = { prompt = "ask" }\np'))
    assert told(talk) == {"fsgov_action": "go"}
    talk.answered("a")
    bridges(talk)
    talk.act(Act.START)
    assert [play.leg for play in talk.all(Play)] == ["a"]


# -- what is heard and said in the menu ----------------------------------------------------------------


def test_a_yes_in_the_menu_is_proven_by_the_events_and_fsgov_plays_nothing() -> None:
    talk = in_menu(OPT_IN)
    assert talk.state() == (Stage.ASKING, Capture.OFF)
    talk.plays()
    assert moves(talk.presses("1")) == ["open"]
    assert rows(talk) == [("training", "given", "key")]
    evidence = talk.call().consents[0].evidence
    assert (evidence["samples"], evidence["of"], evidence["digit"]) == (SAMPLES, SAMPLES, "1")
    passes(talk, fsgov_consent_training="given")
    assert rows(talk) == [("training", "given", "key")]
    assert not talk.all(Play)
    assert not talk.all(StopPlaying)


def test_a_key_before_the_prompt_has_begun_is_no_yes() -> None:
    talk = in_menu(OPT_IN)
    talk.presses("1")
    assert rows(talk) == []
    passes(talk)
    assert rows(talk) == [("training", "unanswered", "notice")]
    talk.wait(60)
    assert not talk.all(OpenSegment)


@pytest.mark.parametrize("on_refusal", ['"hangup"', '"transfer 7001"'])
def test_who_declines_in_the_menu_is_left_to_the_dialplan(on_refusal: str) -> None:
    talk = in_menu(OPT_IN + f"on_refusal = {on_refusal}\n")
    talk.push(ev.PromptStarted, leg="a", file=PROMPT)
    talk.presses("2")
    talk.push(ev.PromptStopped, leg="a", file=PROMPT, status="break", samples=6_240)
    passes(talk, fsgov_consent_training="refused")
    assert rows(talk) == [("training", "refused", "key")]
    for kind in (HangUp, Transfer, StopPlaying, Play, OpenSegment):
        assert not talk.all(kind), kind


def test_a_notice_in_the_dialplan_is_proven_by_its_samples() -> None:
    talk = in_menu(NOTICE)
    assert moves(talk.plays()) == ["open"]
    assert rows(talk) == [("evidence", "given", "notice")]


@pytest.mark.parametrize("rules", [NOTICE, OPT_OUT, OPT_IN])
def test_a_prompt_that_was_cut_short_is_not_played_again_by_fsgov_and_proves_nothing(rules: str) -> None:
    talk = in_menu(rules)
    talk.plays(samples=6_240)
    passes(talk)
    talk.wait(60)
    assert [state for _, state, _ in rows(talk)] == ["unanswered"]
    assert not talk.all(Play)
    assert not talk.all(OpenSegment)


def test_silence_after_an_opt_out_that_was_heard_opens_when_the_dialplan_goes_on() -> None:
    talk = in_menu(OPT_OUT)
    assert moves(talk.plays()) == []
    talk.now += 4 * SECOND
    passes(talk)
    assert rows(talk) == [("evidence", "given", "notice")]
    assert len(talk.all(OpenSegment)) == 1


def test_a_no_counts_before_silence_does_where_the_events_are_swapped() -> None:
    """The dialplan's last word overtakes the DTMF event, or that one is lost."""
    talk = in_menu(OPT_OUT)
    talk.plays()
    passes(talk, fsgov_consent_evidence="refused", fsgov_key="2")
    assert rows(talk) == [("evidence", "refused", "variable")]
    talk.presses("2")
    talk.wait(60)
    assert not talk.all(OpenSegment)


def test_a_yes_whose_event_was_lost_is_known_by_the_variable() -> None:
    talk = in_menu(OPT_IN)
    talk.plays()
    passes(talk, fsgov_consent_training="given")
    assert rows(talk) == [("training", "given", "variable")]
    assert len(talk.all(OpenSegment)) == 1


def test_a_menu_that_never_says_that_it_is_over_ends_by_its_time() -> None:
    talk = in_menu(OPT_IN)
    talk.plays()
    talk.wait(8 + 5.1)
    assert rows(talk) == [("training", "unanswered", "notice")]
    assert talk.state() == (Stage.SETTLED, Capture.OFF)


def test_a_prompt_that_never_begins_is_not_played_by_fsgov() -> None:
    talk = in_menu(OPT_IN)
    talk.wait(60)
    assert rows(talk) == [("training", "unanswered", "notice")]
    assert not talk.all(Play)


def test_hanging_up_in_the_menu_is_no_answer() -> None:
    talk = in_menu(OPT_OUT)
    talk.plays()
    talk.hangs_up("a")
    assert talk.over() == "consent-unanswered"


def test_a_menu_for_another_mode_than_the_one_in_force_asks_nothing_and_fsgov_asks_when_it_is_over() -> None:
    """It was a notice when the gate asked; then a German joined."""
    talk = Talk(NOTICE.replace('"british"\n', '"british"\nwhen.variable.x = ["1"]\n'), OPT_IN)
    talk.created("a", variables={"x": "1"})
    talk.push(GateOpened, leg="a")
    assert told(talk)["fsgov_action"] == "notice"
    talk.push(ev.LegCreated, leg="a", direction=Direction.INBOUND, caller="", dialled="", found=True)
    talk.answered("a", variables={"x": "2"})
    talk.plays()
    assert not talk.all(Play)
    passes(talk)
    assert rows(talk) == []
    assert [play.leg for play in talk.all(Play)] == ["a"]
    assert not talk.all(OpenSegment)
    talk.plays()
    assert moves(talk.presses("1")) == ["open"]


def test_a_second_gate_on_the_leg_ends_the_first_question() -> None:
    talk = in_menu(OPT_IN)
    talk.push(GateOpened, leg="a")
    assert rows(talk) == [("training", "unanswered", "notice")]
    assert dict(talk.all(AnswerDialplan)[-1].variables) == {"fsgov_action": "go"}


def test_after_a_restart_the_menu_is_still_the_dialplans() -> None:
    talk = in_menu(OPT_IN)
    talk.push(ev.PromptStarted, leg="a", file=PROMPT)
    again = talk.restarted()
    again.created("a", found=True, answered=True, variables=MENU)
    again.resync(a=())
    again.push(ev.PromptStopped, leg="a", file=PROMPT, status="done", samples=SAMPLES)
    assert not again.all(Play)
    assert moves(again.presses("1")) == ["open"]


def test_after_a_restart_at_the_gate_what_it_was_told_is_known() -> None:
    again = at_gate(OPT_IN).restarted()
    again.created("a", found=True, variables=MENU)
    again.resync(a=())
    again.answered("a", variables=MENU)
    again.plays()
    assert moves(again.presses("1")) == ["open"]
    assert not again.all(AnswerDialplan)


def test_what_a_dialplan_needs_for_itself_is_no_input_and_no_key_is_kept() -> None:
    talk = in_menu(OPT_IN)
    passes(talk, fsgov_key_invalid="7", fsgov_consent_training="refused")
    talk.answered("a", variables={"fsgov_key_invalid": "7", "fsgov_key": "7", "fsgov_consent_x": "given"})
    assert "fsgov_key" not in talk.all(Remember)[-1].text
    inputs = talk.call().inputs
    assert inputs is not None
    assert inputs.variables == {"fsgov_consent_x": "given"}


def test_a_gate_of_a_leg_that_has_ended_or_is_not_there_does_nothing() -> None:
    talk = Talk(OPT_IN)
    talk.created("a")
    talk.push(ev.LegHungUp, leg="a")
    talk.push(GateOpened, leg="a")
    talk.push(GatePassed, leg="a", variables={"fsgov_consent_training": "given"})
    talk.push(GateOpened, leg="zz")
    assert not talk.all(AnswerDialplan)
    assert rows(talk) == []


# -- in any order --------------------------------------------------------------------------------------

SAID = st.sampled_from(
    [{}, {"fsgov_consent_training": "refused"}, {"fsgov_action": "failure"}, {"fsgov_action": "opt_in"},
     {"fsgov_key": "1", "fsgov_answer": "given"}, {"fsgov_action": "notice"}]
)  # fmt: skip
LEG = st.sampled_from(["a", "b", "zz"])
HAPPENING = st.one_of(
    st.builds(lambda leg: (GateOpened, {"leg": leg}), LEG),
    st.builds(lambda leg, said: (GatePassed, {"leg": leg, "variables": said}), LEG, SAID),
    st.builds(
        lambda leg, act: (CodePressed, {"leg": leg, "act": act, "tag": "x"}), LEG, st.sampled_from(Act)
    ),
    st.builds(lambda leg, said: (ev.LegAnswered, {"leg": leg, "variables": said}), LEG, SAID),
    st.builds(lambda leg: (ev.PromptStarted, {"leg": leg, "file": PROMPT}), LEG),
    st.builds(
        lambda leg, samples: (
            ev.PromptStopped,
            {"leg": leg, "file": PROMPT, "status": "done", "samples": samples},
        ),
        LEG,
        st.sampled_from([0, SAMPLES]),
    ),
    st.builds(lambda leg, digit: (ev.KeyPressed, {"leg": leg, "digit": digit}), LEG, st.sampled_from("2*9")),
    st.just((ev.LegHungUp, {"leg": "b"})),
    st.just((ev.SwitchLost, {})),
    st.just((ev.Resynced, {"core": "core-1", "recordings": {"a": (), "b": ()}})),
)


@given(st.lists(st.tuples(HAPPENING, st.sampled_from([0.0, 0.1, 2.0, 20.0])), max_size=20), st.booleans())
def test_without_a_yes_no_order_of_events_records_and_no_leg_is_asked_twice(
    happenings: list[tuple[tuple[Any, dict[str, Any]], float]], restarts: bool
) -> None:
    talk = Talk(OPT_IN)
    talk.created("a")
    talk.created("b", other="a")
    legs = {"a", "b"}
    for number, ((kind, fields), later) in enumerate(happenings):
        talk.push(kind, **fields)
        talk.wait(later)
        if restarts and number == 5 and talk.board.calls:
            before = talk.sent
            talk = talk.restarted()
            talk.resync(a=(), b=())
            talk.sent = before + talk.sent
    assert not talk.all(OpenSegment)
    for leg in legs:
        told = [answer for answer in talk.all(AnswerDialplan) if answer.leg == leg]
        menus = [answer for answer in told if ("fsgov_action", "opt_in") in answer.variables]
        if menus:
            first = talk.sent.index(menus[0])
            assert not [c for c in talk.sent[first:] if isinstance(c, Play) and c.leg == leg]


# -- codes ---------------------------------------------------------------------------------------------


def recording(*rules: str) -> Talk:
    talk = Talk(*(rules or (ALWAYS,)))
    talk.inbound()
    if talk.call().flight is not None:
        talk.opens()
    return talk


def codes(talk: Talk) -> list[tuple[str, dict[str, str]]]:
    return [(answer.leg, dict(answer.variables)) for answer in talk.all(AnswerDialplan)]


def test_a_code_of_the_agent_pauses_and_says_so_when_the_switch_has_confirmed_it() -> None:
    talk = recording()
    assert moves(talk.push(CodePressed, leg="b", act=Act.PAUSE)) == ["mask"]
    assert codes(talk) == []
    talk.accept()
    assert codes(talk) == [("b", {"fsgov_done": "yes"})]
    (asked,) = talk.entries("live.asked")
    assert asked.facts["actor"] is None
    assert str(asked.facts["request"]).startswith("code-b-")
    talk.push(CodePressed, leg="b", act=Act.RESUME)
    talk.accept()
    assert codes(talk)[1:] == [("b", {"fsgov_done": "yes"})]


def test_a_code_that_the_switch_does_not_confirm_is_answered_no() -> None:
    talk = recording()
    talk.push(CodePressed, leg="b", act=Act.PAUSE)
    talk.wait(2.1)
    assert codes(talk) == [("b", {"fsgov_done": "no"})]


@pytest.mark.parametrize("act", Act)
def test_somebody_outside_has_no_codes(act: Act) -> None:
    talk = recording()
    before = talk.call()
    talk.push(CodePressed, leg="a", act=act, tag="x")
    after = talk.call()
    assert codes(talk) == [("a", {"fsgov_done": "no"})]
    assert (after.paused, after.stopped, after.tags) == (None, False, ())
    assert moves(talk.last) == []
    assert before.actual is after.actual is Capture.ON
    assert not talk.entries("live.asked")


def test_a_code_does_what_its_rule_allows_and_no_more() -> None:
    talk = recording(NEVER)
    talk.push(CodePressed, leg="b", act=Act.START)
    assert codes(talk) == [("b", {"fsgov_done": "no"})]
    assert not talk.all(OpenSegment)


def test_a_tag_by_code_is_nobodys() -> None:
    talk = recording()
    talk.push(CodePressed, leg="b", act=Act.TAG, tag="marked")
    (tag,) = talk.call().tags
    assert (tag.tag, tag.actor) == ("marked", None)
    assert codes(talk) == [("b", {"fsgov_done": "yes"})]
    assert json.loads(talk.all(Remember)[-1].text)["tags"][0]["actor"] is None
    talk.restarted()


def test_a_code_of_a_leg_that_does_not_speak_means_nothing() -> None:
    talk = Talk(ALWAYS)
    talk.created("a")
    talk.created("b", other="a")
    talk.push(CodePressed, leg="b", act=Act.STOP)
    assert codes(talk) == []
    assert not talk.call().stopped


def test_an_act_of_a_person_tells_no_dialplan() -> None:
    talk = recording()
    talk.act(Act.PAUSE)
    talk.accept()
    assert talk.all(MaskSegment)
    assert talk.all(Answer)
    assert codes(talk) == []


# -- the answer on the wire ----------------------------------------------------------------------------


class Wire(Pool):
    """A pool that notes what is sent; the clock moves with each command."""

    def __init__(self, replies: list[str | None], took: int = 0) -> None:
        self.sent: list[str] = []
        self.now = T0
        self._replies = replies
        self._took = took

    def send(self, command: str, deadline: float, *, urgent: bool = False) -> Reply:
        assert not urgent  # stops and masks go first
        self.sent.append(command.partition(" ")[0])
        self.now += self._took
        text = self._replies.pop(0)
        if text is None:
            raise Unreachable("no answer")
        return Reply(text, self.now, self.now)


@pytest.mark.parametrize(
    ("replies", "took", "late", "sent"),
    [
        (["+OK\n", "+OK\n"], 0, 0, ["uuid_setvar_multi", "uuid_break"]),
        (["-ERR No such channel!\n"], 0, 0, ["uuid_setvar_multi"]),
        ([None], 0, 0, ["uuid_setvar_multi"]),
        (["+OK\n"], SECOND, 0, ["uuid_setvar_multi"]),
        ([], 0, SECOND, []),
    ],
    ids=["in time", "refused", "unanswered", "answered too late", "begun too late"],
)
def test_the_sleep_is_broken_only_in_time_and_only_when_the_variables_are_set(
    replies: list[str | None], took: int, late: int, sent: list[str]
) -> None:
    wire = Wire(replies, took)
    told_to_core: list[ev.Event] = []
    hands = Announcements(wire, told_to_core.append, lambda: wire.now + late)
    variables = (("fsgov_yes", "1"), ("fsgov_action", "opt_in"))
    hands.carry_out(AnswerDialplan(call="a", number=7, leg="a", variables=variables, due=T0 + SECOND // 2))
    assert wire.sent == sent
    assert told_to_core == []
