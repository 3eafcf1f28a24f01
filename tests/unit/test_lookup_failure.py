"""What is decided while the CRM cannot be asked: `on_lookup_failure`, and that a replay comes to the same."""

from __future__ import annotations

import json
from functools import cache

import pytest

from fsgov import events as ev
from fsgov.call import Call
from fsgov.commands import CloseSegment, Enter, LookUpParty, OpenSegment, Remember
from fsgov.errors import BadConfiguration
from fsgov.policy import Inputs, Policy, PromptFacts, RecordMode, decide, describe, explain, parse, run_tests
from tests.unit.conversation import ALWAYS, HEAD, NOTICE, ON_FILE, OPT_IN, REST, Talk

VIP = '[[rule]]\nname = "vip"\nwhen.crm.vip = ["yes"]\nrecord = "never"\n'
ASKED = (
    '[[rule]]\nname = "asked"\nwhen.crm.vip = ["yes"]\nconsent = "opt_in"\npurposes = ["evidence"]\n'
    'ask = { prompt = "ask", yes = "1" }\n'
)
MODES = ("strictest", "never", "ignore")


def facts(file: str) -> PromptFacts:
    return PromptFacts(file=file, samples=8_000, rate=8_000, sha256="ab" * 32)


@cache
def policy(mode: str, *rules: str) -> Policy:
    top = f'on_lookup_failure = "{mode}"\n' if mode else ""
    return parse(top + HEAD + "\n".join(rules), prompts=facts, packs={})


def unreachable() -> Inputs:
    return describe(caller="+493012345", dialled="+4930999", unreachable=True)


def unknown() -> Inputs:
    return describe(caller="+493012345", dialled="+4930999")


@pytest.mark.parametrize(
    ("mode", "rule", "record"),
    [
        ("", "asked", RecordMode.ALWAYS),
        ("strictest", "asked", RecordMode.ALWAYS),
        ("never", "on_lookup_failure", RecordMode.NEVER),
        ("ignore", "all", RecordMode.ALWAYS),
    ],
)
def test_what_is_decided_without_the_crm(mode: str, rule: str, record: RecordMode) -> None:
    decision = decide(policy(mode, ASKED, ALWAYS), unreachable())
    assert (decision.rule, decision.record) == (rule, record)


@pytest.mark.parametrize("mode", MODES)
def test_a_party_without_a_row_is_another_matter(mode: str) -> None:
    """The CRM was asked, and knows nobody: as ever, the strictest rule that may match."""
    assert decide(policy(mode, ASKED, ALWAYS), unknown()).rule == "asked"


@pytest.mark.parametrize("mode", MODES)
def test_a_call_whose_rule_does_not_rest_on_the_crm_is_decided_as_ever(mode: str) -> None:
    """Certain before any CRM condition, or one that fails for another reason."""
    first = ALWAYS.replace("[[rule]]", '[[rule]]\nwhen.dialled = "+4930*"', 1)
    assert decide(policy(mode, first, ASKED, REST), unreachable()).rule == "all"
    elsewhere = VIP.replace("[[rule]]", '[[rule]]\nwhen.dialled = "+44*"', 1)
    assert decide(policy(mode, elsewhere, ALWAYS), unreachable()).rule == "all"


def test_a_party_inside_needs_no_crm() -> None:
    inside = describe(caller="1000", dialled="+4930999", crm={"vip": "no"})
    assert decide(policy("never", ASKED, ALWAYS), inside).rule == "all"


@pytest.mark.parametrize("mode", MODES)
def test_explain_says_which_it_was(mode: str) -> None:
    found = policy(mode, ASKED, ALWAYS)
    for inputs, word in ((unreachable(), "could not be asked about"), (unknown(), "does not know")):
        trace = explain(found, inputs)
        assert trace.decision == decide(found, inputs)
        assert word in trace.text()


def test_the_key_is_hashed_and_its_values_are_checked() -> None:
    assert len({policy(mode, ASKED, ALWAYS).sha256 for mode in ("", *MODES)}) == 4
    with pytest.raises(BadConfiguration, match=r"'nevr' is not known .did you mean never"):
        policy("nevr", ALWAYS)
    with pytest.raises(BadConfiguration, match="what decides where the CRM cannot be asked"):
        policy("never", ALWAYS.replace("all", "on_lookup_failure"))


def test_a_test_of_the_document_can_say_that_the_crm_is_away() -> None:
    trial = (
        '[[test]]\nname = "away"\nexpect = { rule = "all" }\n'
        'call = { caller = "+493012345", dialled = "+4930999", crm = "unreachable" }\n'
    )
    assert run_tests(policy("ignore", ASKED, ALWAYS, trial)) == []
    (failure,) = run_tests(policy("", ASKED, ALWAYS, trial))
    assert failure.decided == "asked"
    with pytest.raises(BadConfiguration, match=r"test\[1\].call.crm"):
        policy("", ALWAYS, trial.replace("unreachable", "away"))


def test_inputs_tell_the_two_apart_and_old_ones_are_still_read() -> None:
    for inputs in (unreachable(), unknown()):
        assert Inputs.from_json(json.loads(inputs.text())) == inputs
        assert json.loads(inputs.text()) == inputs.to_json()
    old = unreachable().to_json()
    for party in old["parties"]:  # type: ignore[attr-defined]
        del party["unasked"]
    assert Inputs.from_json(old) == unknown()


# -- the conversation ------------------------------------------------------------------------------------


def talk(mode: str, *rules: str) -> Talk:
    made = Talk(*rules)
    made.policy = policy(mode, *rules)
    made.board.use_policy(made.policy)
    made.created("a")
    made.answered("a")
    return made


def told(made: Talk) -> Call:
    return made.call()


@pytest.mark.parametrize(("unasked", "rule"), [(True, "all"), (False, "asked")])
def test_what_the_asker_says_is_what_counts(unasked: bool, rule: str) -> None:
    made = talk("ignore", ASKED, ALWAYS)
    (ask,) = made.all(LookUpParty)
    made.push(ev.PartyUnknown, call="a", command=ask.number, party=1, unasked=unasked, reason="why")
    decision = told(made).decision
    assert decision is not None
    assert decision.rule == rule
    (entry,) = [each for each in made.all(Enter) if each.type == "party.found"]
    assert entry.facts == {"party": 1, "known": False, "reason": "why"}


def test_silence_of_the_asker_is_no_answer_of_the_crm() -> None:
    made = talk("ignore", ASKED, ALWAYS)
    made.wait(0.31)
    decision = told(made).decision
    assert decision is not None
    assert decision.rule == "all"


def test_a_late_answer_still_makes_it_stricter() -> None:
    made = talk("ignore", ASKED, ALWAYS)
    (ask,) = made.all(LookUpParty)
    made.wait(0.31)
    made.push(ev.PartyFound, call="a", command=ask.number, party=1, facts={"vip": "yes"})
    decision = told(made).decision
    assert decision is not None
    assert decision.rule == "asked"
    assert not told(made).parties[0].facts.unasked


def test_who_remembers_says_so() -> None:
    made = talk("ignore", ASKED, ALWAYS)
    (ask,) = made.all(LookUpParty)
    found = {"party": 1, "facts": {"vip": "no"}, "remembered": "deadline"}
    made.push(ev.PartyFound, call="a", command=ask.number, **found)
    (entry,) = [each for each in made.all(Enter) if each.type == "party.found"]
    assert entry.facts == {"party": 1, "known": True, "reason": "deadline"}


def test_a_restart_keeps_it_and_ends_a_look_up_that_was_under_way() -> None:
    made = talk("never", ASKED, ALWAYS)
    (ask,) = made.all(LookUpParty)
    made.push(ev.PartyUnknown, call="a", command=ask.number, party=1, unasked=True)
    assert told(made.restarted()).parties[0].facts.unasked
    under_way = talk("never", ON_FILE)
    under_way.push(ev.ActAsked, call="a", act=ev.Act.TAG, actor="p-abcdefghijkl", request="r", tag="t")
    assert under_way.all(Remember)
    assert told(under_way).parties[0].lookup
    assert told(under_way.restarted()).parties[0].facts.unasked


# -- a call that needs nothing of the CRM ------------------------------------------------------------------


def here(rule: str) -> str:
    """For the number that the calls of these tests dial."""
    return rule.replace("[[rule]]", '[[rule]]\nwhen.dialled = "+44*"', 1)


def test_a_call_that_needs_nothing_of_the_crm_does_not_wait_for_it() -> None:
    made = talk("never", here(ALWAYS), ASKED, REST)
    assert made.all(LookUpParty)  # its consents may count all the same
    assert told(made).parties[0].lookup
    assert [type(command) for command in made.all(OpenSegment)] == [OpenSegment]
    made.opens()
    made.wait(0.31)
    assert [each.facts["rule"] for each in made.all(Enter) if each.type == "call.decided"] == ["all"]
    assert made.all(CloseSegment) == []


def test_what_the_crm_says_late_counts_from_then_on() -> None:
    made = talk("strictest", here(ALWAYS), ASKED, REST)
    (ask,) = made.all(LookUpParty)
    made.opens()
    made.push(ev.PartyFound, call="a", command=ask.number, party=1, consents={"evidence": False})
    assert made.all(CloseSegment)
    assert told(made).dispose == ("a-01",)


@pytest.mark.parametrize(
    "rules",
    [(ASKED, here(ALWAYS), REST), *((here(rule), ASKED, REST) for rule in (NOTICE, OPT_IN, ON_FILE))],
    ids=("a fact", "notice", "opt_in", "on_file"),
)
def test_one_that_does_waits(rules: tuple[str, ...]) -> None:
    """For a fact that may decide, and for a consent that may spare a question or forbid it."""
    made = talk("strictest", *rules)
    assert made.all(LookUpParty)
    assert told(made).decision is None
    made.wait(0.31)
    assert told(made).decision is not None
