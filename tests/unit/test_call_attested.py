"""Consent by the word of somebody else: who may say it, what it opens and what it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsgov import events as ev
from fsgov.attested import Attested
from fsgov.call import Capture, Stage
from fsgov.call.consent import Gate, gate
from fsgov.commands import Answer, AnswerDialplan, HangUp, LookUpParty, OpenSegment, Play
from fsgov.dialplan import CodePressed, GateOpened
from fsgov.events import Act, Direction
from tests.unit.conversation import ALWAYS, NOTICE, ON_FILE, OPT_IN, OPT_OUT, Talk, moves

ATTESTED = """[[rule]]
name = "attested"
consent = "agent_attested"
purposes = ["evidence", "training"]
"""


def says(talk: Talk, state: str, **more: Any) -> tuple[int, str]:
    """What a person at a desk is answered."""
    talk.act(Act.CONSENT, consent=Attested(state=state, **more), request=f"r-{len(talk.sent)}")
    return answer(talk)


def answer(talk: Talk) -> tuple[int, str]:
    found = [command for command in talk.last if isinstance(command, Answer)]
    return (found[0].status, found[0].reason) if found else (0, "")


def code(talk: Talk, said: str, leg: str = "b") -> None:
    talk.push(CodePressed, leg=leg, act=Act.CONSENT, said=said, source="core-1/7")


def rows(talk: Talk) -> list[tuple[int, str, str, str]]:
    return [(row.party, row.purpose, row.state.value, row.method.value) for row in talk.call().consents]


def inbound(*rules: str) -> Talk:
    talk = Talk(*rules)
    talk.inbound()
    for ask in talk.all(LookUpParty):
        talk.push(ev.PartyUnknown, call="a", command=ask.number, party=ask.party)
    return talk


def test_nothing_is_captured_before_somebody_inside_says_that_the_party_has_agreed() -> None:
    talk = inbound(ATTESTED)
    talk.wait(60)
    assert not talk.all(OpenSegment)
    assert not talk.all(Play)
    code(talk, "given")
    assert moves(talk.last) == ["open"]
    assert rows(talk) == [(1, "training", "given", "agent")]
    talk.opens()
    evidence = talk.call().consents[0].evidence
    assert {k: evidence[k] for k in ("leg", "by", "events")} == {"leg": "b", "by": 2, "events": "core-1/7"}
    assert evidence["policy"] == talk.policy.sha256
    (answered,) = talk.all(AnswerDialplan)
    assert (answered.leg, answered.variables) == ("b", (("fsgov_done", "yes"),))


@pytest.mark.parametrize("said", ["given", "refused"])
def test_somebody_outside_attests_nothing(said: str) -> None:
    talk = inbound(ATTESTED)
    code(talk, said, leg="a")
    assert (rows(talk), moves(talk.last), answer(talk)[0]) == ([], [], 403)
    talk.created("c", dialled="+49891234567", profile="sofia/external", other="a")
    talk.answered("c")
    code(talk, said, leg="c")
    assert (rows(talk), moves(talk.last), answer(talk)[0]) == ([], [], 403)


def test_a_person_at_a_desk_says_it_and_is_answered_when_the_switch_records() -> None:
    talk = inbound(ATTESTED)
    assert says(talk, "given") == (0, "")
    talk.opens()
    assert answer(talk)[0] == 200
    evidence = talk.call().consents[0].evidence
    assert evidence["actor"] == "p-alice"
    assert str(evidence["request"]).startswith("r-")
    assert rows(talk) == [(1, "training", "given", "cli")]


def test_who_was_told_and_not_confirmed_is_answered_202() -> None:
    talk = inbound(ATTESTED)
    says(talk, "given")
    talk.wait(3)
    assert answer(talk)[0] == 202


def test_hanging_up_unattested_is_no_consent() -> None:
    talk = inbound(ATTESTED)
    talk.hangs_up("a", "b")
    assert talk.over() == "consent-unanswered"


@pytest.mark.parametrize("said", ["refused", "withdrawn"])
def test_a_no_before_and_after_capture(said: str) -> None:
    talk = inbound(ATTESTED)
    assert says(talk, said) == (200, "")
    assert says(talk, "given")[0] == 409
    talk.hangs_up("a", "b")
    assert talk.over() == "refused"
    talk = inbound(ATTESTED)
    code(talk, "given")
    talk.opens()
    assert says(talk, said) == (0, "")
    assert moves(talk.last) == ["close"]
    talk.closes()
    assert answer(talk) == (200, "")
    assert rows(talk)[-1] == (1, "training", "withdrawn", "cli")
    assert talk.call().dispose == ("a-01",)
    talk.hangs_up("a", "b")
    assert talk.over() == "withdrawn"


def test_who_declines_by_somebody_elses_word_is_treated_as_the_rule_says() -> None:
    talk = inbound(ATTESTED + 'on_refusal = "hangup"\n')
    code(talk, "refused")
    assert [command.leg for command in talk.all(HangUp)] == ["a"]


def test_two_parties_outside_have_to_be_named_and_everybody_must_have_agreed() -> None:
    talk = inbound(ATTESTED)
    talk.created("c", dialled="+49891234567", profile="sofia/external", other="a")
    talk.answered("c")
    assert says(talk, "given")[0] == 409
    assert says(talk, "given", party=2)[0] == 409, "an agent's consent does not count"
    assert says(talk, "given", party=9)[0] == 409
    assert says(talk, "given", party=1)[0] == 200
    assert talk.state()[1] is Capture.OFF
    says(talk, "given", party=3)
    assert moves(talk.last) == ["open"]


def test_nobody_attests_for_himself_where_nobody_is_outside() -> None:
    talk = Talk(ATTESTED)
    talk.created("a", caller="1001", dialled="1002", profile="sofia/internal", user="1001@x")
    talk.created("b", dialled="1002", other="a", user="1002@x")
    talk.answered("b")
    talk.answered("a")
    code(talk, "given")
    assert answer(talk)[0] == 409
    talk.act(Act.CONSENT, consent=Attested(state="given", party=2, by=2))
    assert answer(talk)[0] == 409


@pytest.mark.parametrize("state", ["given", "refused"])
def test_who_is_not_on_the_line_has_not_agreed(state: str) -> None:
    talk = Talk(ATTESTED)
    talk.created("a")
    assert says(talk, state)[0] == (409 if state == "given" else 200)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (ALWAYS, "rest on consent"),
        (NOTICE, "rest on consent"),
        (OPT_OUT, "own answer"),
        (OPT_IN, "own answer"),
        (ON_FILE, "on file"),
    ],
)
def test_a_yes_counts_only_where_a_rule_rests_on_somebodys_word(rule: str, why: str) -> None:
    talk = inbound(rule)
    status, reason = says(talk, "given")
    assert status == 409
    assert why in reason
    assert not [row for row in talk.call().consents if row.method.value == "cli"]
    says(talk, "refused")
    assert rows(talk)[-1][2:] == ("refused", "cli")
    assert says(talk, "given") == (409, "a party has declined")


def test_under_opt_in_another_purpose_is_attested_and_the_recording_serves_it_from_then_on() -> None:
    talk = inbound(OPT_IN)
    talk.plays()
    talk.presses("1")
    talk.opens()
    assert talk.all(OpenSegment)[-1].segment == "a-01"
    says(talk, "given", purpose="analytics")
    assert moves(talk.last) == ["close"]
    talk.closes()
    talk.opens()
    assert answer(talk) == (200, "")
    sidecar = json.loads(talk.all(OpenSegment)[-1].sidecar)
    assert sidecar["purposes"] == ["evidence", "training", "analytics"]
    assert says(talk, "given", purpose="evidence")[0] == 409
    assert says(talk, "given", purpose="marketing")[0] == 409


def test_a_yes_of_the_crm_is_no_attestation() -> None:
    talk = inbound(ATTESTED)
    talk.push(ev.PartyFound, call="a", command=0, party=1, consents={"training": True}, evidence="crm-7")
    assert rows(talk) == [(1, "training", "given", "crm")]
    assert not talk.all(OpenSegment)


def test_an_attested_yes_is_no_answer_of_the_party_himself() -> None:
    """A call that joins may bring a rule that wants it."""
    talk = inbound(ATTESTED)
    code(talk, "given")
    call, opt_in = talk.call(), inbound(OPT_IN).call().decision
    assert call.decision is not None
    assert opt_in is not None
    assert gate(call, call.decision, call.parties[0]) is Gate.OPEN
    assert gate(call, opt_in, call.parties[0]) is not Gate.OPEN


def test_at_the_gate_of_a_dialplan_nothing_is_asked() -> None:
    talk = Talk(ATTESTED)
    talk.created("a")
    talk.push(GateOpened, leg="a")
    (told,) = talk.all(AnswerDialplan)
    assert told.variables == (("fsgov_action", "go"),)


def test_what_was_attested_is_known_after_a_restart() -> None:
    talk = inbound(ATTESTED)
    code(talk, "given")
    talk.opens()
    twin = talk.restarted()
    twin.resync(a=("a-01",), b=())
    assert rows(twin) == [(1, "training", "given", "agent")]
    assert twin.state() == (Stage.SETTLED, Capture.ON)
    talk = inbound(ATTESTED)
    code(talk, "refused")
    twin = talk.restarted()
    twin.resync(a=(), b=())
    assert says(twin, "given")[0] == 409


def test_outbound_it_is_the_callee() -> None:
    talk = Talk(ATTESTED)
    talk.created("a", caller="1001", dialled="+49891234567", profile="sofia/internal", user="1001@x")
    talk.created(
        "b", direction=Direction.OUTBOUND, dialled="+49891234567", profile="sofia/external", other="a"
    )
    talk.answered("b")
    talk.answered("a")
    code(talk, "given", leg="a")
    assert rows(talk) == [(2, "training", "given", "agent")]
    assert moves(talk.last) == ["open"]
