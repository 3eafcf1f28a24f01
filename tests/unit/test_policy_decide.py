"""What a policy decides: first match, floors of everybody's jurisdiction, samples, JSON, explanations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fsgov import config
from fsgov.errors import Damaged
from fsgov.policy import (
    CallDirection,
    ConsentMode,
    Decision,
    Inputs,
    PartyFacts,
    Policy,
    PromptFacts,
    RecordMode,
    RefusalAct,
    Side,
    decide,
    describe,
    explain,
    parse,
    run_tests,
)

POLICIES = Path(__file__).parents[1] / "policies"
HEAD = """
version = "1"
timezone = "Europe/Berlin"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[purpose.training]
basis = "consent"
retain_max = "6 months"
[prompt.ask]
file = "/p/ask.wav"
[prompt.other]
file = "/p/other.wav"
"""
REST = '[[rule]]\nname = "rest"\nrecord = "never"\n'


def facts(file: str) -> PromptFacts:
    return PromptFacts(file=file, samples=8_000, rate=8_000, sha256="ab" * 32)


def policy(rules: str, top: str = "", packs: bool = False) -> Policy:
    return parse(f"{top}\n{HEAD}\n{rules}", prompts=facts, packs=config.law_packs() if packs else {})


def recorded(name: str, extra: str = "", consent: str = "none", purposes: str = '["evidence"]') -> str:
    text = f'[[rule]]\nname = "{name}"\nconsent = "{consent}"\npurposes = {purposes}\n{extra}\n'
    if consent in ("notice", "opt_out", "opt_in") and "ask" not in extra:
        keys = {"notice": "", "opt_out": ', no = "2"', "opt_in": ', yes = "1", no = "2"'}[consent]
        text += f'ask = {{ prompt = "ask"{keys} }}\n'
    return text


def two_countries() -> Policy:
    text = (POLICIES / "two-countries.toml").read_text()
    return parse(text, prompts=facts, packs=config.law_packs())


def test_the_example_policy_passes_its_own_tests() -> None:
    assert run_tests(two_countries()) == []


def test_a_test_that_does_not_come_out_is_named_with_both_values() -> None:
    text = (
        recorded("all")
        + """
        [[test]]
        name = "wrong"
        call = { caller = "+493012345" }
        expect = { rule = "all", consent = "opt_in", purposes = ["training"] }
    """
    )
    assert [str(failure) for failure in run_tests(policy(text))] == [
        "wrong: consent is none, expected opt_in",
        "wrong: purposes is evidence, expected training",
    ]


@pytest.mark.parametrize("longer", ["+4930*", "+4930901820", "+4930901820*"])
def test_the_first_rule_that_matches_decides_not_the_longest_prefix(longer: str) -> None:
    p = policy(
        recorded("short", 'when.dialled = "+49*"') + recorded("long", f'when.dialled = "{longer}"') + REST
    )
    assert decide(p, describe(dialled="+4930901820")).rule == "short"


@pytest.mark.parametrize(
    ("condition", "call", "holds"),
    [
        ('dialled = "+4930901820"', {"dialled": "+4930901820"}, True),
        ('dialled = "+49 30 901820"', {"dialled": "030 901820", "region": "DE"}, True),
        ('dialled = "+4930901820"', {"dialled": "+49309018201"}, False),
        ('dialled = "+4930*"', {"dialled": "+49309018201"}, True),
        ('dialled = "+4930*"', {"dialled": "+44930123456"}, False),
        ('dialled = ["+441*", "10*"]', {"dialled": "1001"}, True),
        ('dialled = "1001"', {"dialled": "1001", "region": "DE"}, True),
        ('dialled = "1*"', {"dialled": "1001"}, True),
        ('dialled = "1001*"', {"dialled": "1001"}, True),
        ('dialled = "1001*"', {"dialled": "100"}, False),
        ('dialled = "*97"', {"dialled": "*97"}, True),
        ('dialled = "100"', {"dialled": "1001"}, False),
        ('caller = { country = "NO" }', {"caller": "+4722334455"}, True),
        ('caller = { country = ["DE", "AT"] }', {"caller": "+4312345678"}, True),
        ('caller = { country = "DE" }', {"caller": "+4312345678"}, False),
        ('caller = { country = "DE" }', {"caller": ""}, False),
        ('caller = ["+44*", { country = "DE" }]', {"caller": "+493012345"}, True),
        ('direction = "inbound"', {}, True),
        ('direction = ["outbound", "internal"]', {}, False),
        ('tenant = "acme"', {"tenant": "acme"}, True),
        ('tenant = "acme"', {"tenant": "other"}, False),
        ('variable.sales = ["a", "b"]', {"variables": {"sales": "b"}}, True),
        ('variable.sales = "a"', {"variables": {"sales": "A"}}, False),
        ('variable.sales = "a"', {}, False),
        ('crm.segment = ["retail"]', {"crm": {"segment": "retail"}}, True),
        ('crm.segment = ["retail"]', {"crm": {"segment": "other"}}, False),
        ('crm.segment = ["retail"]', {"crm": {}}, False),
    ],
)
def test_a_condition(condition: str, call: dict[str, object], holds: bool) -> None:
    p = policy(recorded("it", f"when.{condition}") + REST)
    assert (decide(p, describe(**call)).rule == "it") is holds  # type: ignore[arg-type]


def test_every_condition_of_a_rule_must_hold() -> None:
    p = policy(recorded("both", 'when = { tenant = "a", variable = { x = "1" } }') + REST)
    assert decide(p, describe(tenant="a", variables={"x": "1"})).rule == "both"
    assert decide(p, describe(tenant="a")).rule == decide(p, describe(variables={"x": "1"})).rule == "rest"


def test_a_declared_default_records_nothing() -> None:
    p = policy(recorded("line", 'when.dialled = "1001"'), 'default = "never"')
    assert decide(p, describe(dialled="1002")).record is RecordMode.NEVER
    assert decide(p, describe(dialled="1001")).rule == "line"


# -- whom the CRM does not know -----------------------------------------------------------------------


def test_an_unknown_party_is_treated_by_the_strictest_rule_that_may_apply() -> None:
    p = policy(
        recorded("vip", 'when.crm.vip = "yes"', "opt_in")
        + recorded("other vip", 'when.crm.vip = "also"', "notice")
        + recorded("all", consent="opt_out")
    )
    assert decide(p, describe(caller="+493012345")).rule == "vip"
    assert decide(p, describe(caller="+493012345", crm={})).rule == "all"
    assert decide(p, describe(caller="+493012345", crm={"vip": "also"})).rule == "other vip"


def test_a_certain_rule_decides_when_no_open_one_is_stricter() -> None:
    p = policy(recorded("vip", 'when.crm.vip = "yes"') + recorded("all"))
    assert decide(p, describe(caller="+493012345")).rule == "all"


def test_never_is_stricter_than_any_consent() -> None:
    p = policy(
        '[[rule]]\nname = "protected"\nrecord = "never"\nwhen.crm.protected = "yes"\n'
        + recorded("all", consent="opt_in")
    )
    assert decide(p, describe(caller="+493012345")).record is RecordMode.NEVER


def test_facts_count_only_for_parties_outside() -> None:
    p = policy(recorded("vip", 'when.crm.vip = "yes"', "opt_in") + recorded("all"))
    inside = PartyFacts(party=1, side=Side.INSIDE, known=True, facts={"vip": "yes"})
    call = Inputs(call="c", direction=CallDirection.INTERNAL, parties=(inside,))
    assert decide(p, call).rule == "all"


# -- floors -------------------------------------------------------------------------------------------

NOTICE_LINE = recorded("line", consent="notice")


@pytest.mark.parametrize(
    ("caller", "dialled", "consent"),
    [
        ("+442079460999", "+442079460100", "notice"),
        ("+493012345", "+442079460100", "opt_in"),
        ("+442079460999", "+4930901820", "opt_in"),
        ("", "+442079460100", "opt_out"),
        ("+33123456789", "+442079460100", "opt_out"),
    ],
)
def test_the_strictest_floor_of_all_parties_raises_the_mode(caller: str, dialled: str, consent: str) -> None:
    p = policy(NOTICE_LINE, 'include = ["law:de", "law:uk"]\nfloor = { default = "opt_out" }', packs=True)
    assert decide(p, describe(caller=caller, dialled=dialled)).consent.value == consent


def test_a_floor_never_lowers_the_mode() -> None:
    p = policy(recorded("line", consent="opt_in"), 'floor = { GB = "notice" }')
    assert decide(p, describe(caller="+442079460999")).consent is ConsentMode.OPT_IN


def test_a_consent_on_file_is_as_good_as_an_opt_in() -> None:
    p = policy(recorded("line", consent="on_file", purposes='["training"]'), 'floor = { DE = "opt_in" }')
    assert decide(p, describe(caller="+493012345")).consent is ConsentMode.ON_FILE


def test_outbound_the_number_that_is_called_has_a_floor_too() -> None:
    p = policy(NOTICE_LINE, 'include = ["law:de"]', packs=True)
    call = describe(direction=CallDirection.OUTBOUND, caller="+442079460999", dialled="+493012345")
    assert decide(p, call).floors == (("DE", ConsentMode.OPT_IN), ("GB", ConsentMode.NONE))
    assert decide(p, call).consent is ConsentMode.OPT_IN


def test_an_extension_is_where_its_line_or_its_tenant_is() -> None:
    p = policy(NOTICE_LINE, 'include = ["law:de"]', packs=True)
    inside = PartyFacts(party=2, side=Side.INSIDE, number="1001")
    inbound = replace(describe(caller="+442079460999", dialled="+4930901820"), parties=(inside,))
    internal = Inputs(call="c", direction=CallDirection.INTERNAL, region="DE", parties=(inside,))
    assert decide(p, inbound).floors == decide(p, internal).floors == (("DE", ConsentMode.OPT_IN),)
    assert decide(p, replace(internal, region="")).consent is ConsentMode.NOTICE


def test_a_third_party_brings_its_floor() -> None:
    p = policy(NOTICE_LINE, 'include = ["law:de"]', packs=True)
    call = describe(caller="+442079460999", dialled="+442079460100")
    third = PartyFacts(party=3, side=Side.OUTSIDE, e164="+493012345", country="DE")
    assert decide(p, call).consent is ConsentMode.NOTICE
    assert decide(p, replace(call, parties=(*call.parties, third))).consent is ConsentMode.OPT_IN


def test_a_rule_is_not_armed_where_a_floor_wants_to_be_asked_first() -> None:
    p = policy(recorded("line", "armed = true"), 'floor = { DE = "notice" }')
    assert decide(p, describe(caller="+442079460999")).armed
    assert not decide(p, describe(caller="+493012345")).armed


# -- what a decision says -----------------------------------------------------------------------------


def test_a_decision_says_everything_the_call_needs() -> None:
    p = policy(
        recorded(
            "line",
            """
            ask = { prompt = "ask", yes = "1", no = "2", timeout = "5 s", withdraw = "*9" }
            on_refusal = "transfer 7001"
            pause = { by = "cut", max = "3 min", at_max = "resume" }
            vault = "eu"
            """,
            "opt_in",
            '["evidence", "training"]',
        )
    )
    decision = decide(p, describe())
    assert decision.ask is not None
    assert (decision.ask.file, decision.ask.yes, decision.ask.no) == ("/p/ask.wav", "1", "2")
    assert (decision.ask.timeout, decision.ask.withdraw) == (5_000_000, "*9")
    assert (decision.ask.sha256, decision.ask.samples) == ("ab" * 32, 8_000)
    assert (decision.on_refusal.act, decision.on_refusal.destination) == (RefusalAct.TRANSFER, "7001")
    assert (decision.pause.by.value, decision.pause.max, decision.pause.at_max.value) == (
        "cut",
        180_000_000,
        "resume",
    )
    assert {name: basis.value for name, basis in decision.basis.items()} == {
        "evidence": "contract",
        "training": "consent",
    }
    assert (decision.asks_for, decision.vault) == ("training", "eu")
    assert (decision.policy, decision.version) == (p.sha256, "1")


def test_inputs_and_decisions_survive_json_to_the_byte() -> None:
    p = two_countries()
    call = describe(caller="+493012345", dialled="+4930901820", crm={"segment": "retail", "a": "b"})
    again = Inputs.from_json(json.loads(json.dumps(call.to_json())))
    assert call.text() == json.dumps(call.to_json(), ensure_ascii=False)
    assert again == call
    one, other = decide(p, call), decide(p, again)
    assert json.dumps(one.to_json()) == json.dumps(other.to_json())
    assert one.text() == json.dumps(one.to_json(), ensure_ascii=False)
    assert Decision.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_stored_text_gives_the_same_policy_without_any_file() -> None:
    p = two_countries()
    again = parse(p.text)
    assert again == p
    call = describe(caller="+493012345", dialled="+442079460100")
    assert json.dumps(decide(again, call).to_json()) == json.dumps(decide(p, call).to_json())


def test_a_changed_prompt_makes_another_policy() -> None:
    text = (POLICIES / "two-countries.toml").read_text()
    other = parse(text, prompts=lambda f: replace(facts(f), sha256="cd" * 32), packs=config.law_packs())
    assert other.sha256 != two_countries().sha256


@pytest.mark.parametrize("kind", [Inputs, Decision])
@pytest.mark.parametrize("broken", [{}, {"call": 1}, {"parties": [1]}, {"rule": "x", "record": "perhaps"}])
def test_what_is_not_ours_is_damaged(kind: type[Inputs | Decision], broken: dict[str, object]) -> None:
    with pytest.raises(Damaged):
        kind.from_json(broken)


# -- samples ------------------------------------------------------------------------------------------


def sampled(share: str, calls: int) -> int:
    p = policy(recorded("all", f'record = "sample {share}%"'))
    return sum(decide(p, describe(call=f"call-{n}")).sampled for n in range(calls))


def test_a_sample_of_ten_percent_takes_about_a_tenth() -> None:
    # 10,000 calls: the standard deviation is 30, so this is five of them; the calls are always the same
    assert 850 <= sampled("10", 10_000) <= 1_150


def test_a_small_share_and_the_whole() -> None:
    assert sampled("100", 200) == 200
    assert sampled("0.0001", 200) == 0


def test_another_policy_takes_another_sample_and_the_same_call_the_same_answer() -> None:
    one = policy(recorded("all", 'record = "sample 50%"'))
    other = policy(recorded("all2", 'record = "sample 50%"'))
    calls = [describe(call=f"call-{n}") for n in range(64)]
    first = [decide(one, call).sampled for call in calls]
    assert first == [decide(one, call).sampled for call in calls]
    assert first != [decide(other, call).sampled for call in calls]


def test_only_a_sample_leaves_calls_out() -> None:
    assert decide(policy(recorded("all")), describe()).sampled


# -- explanations -------------------------------------------------------------------------------------


def test_an_explanation_names_what_failed_and_the_floors_but_no_number() -> None:
    p = two_countries()
    call = describe(caller="+493012345", dialled="+442079460100")
    trace = explain(p, call)
    assert trace.decision == decide(p, call)
    text = trace.text()
    assert "rule german service line: failed" in text
    assert "✗ dialled: a number of GB" in text
    assert "? crm.segment: a party the CRM does not know" in text
    assert "consent opt_in, raised from notice" in text
    assert "floor of DE: opt_in" in text
    everything = text + json.dumps(trace.to_json()) + json.dumps(trace.decision.to_json())
    assert "3012345" not in everything
    assert "2079460100" not in everything
    assert "call from +493012345 to +442079460100" in trace.text(call)


def test_an_explanation_says_whether_a_call_is_in_the_sample() -> None:
    text = explain(policy(recorded("all", 'record = "sample 100%"')), describe()).text()
    assert "sample (in the sample)" in text
