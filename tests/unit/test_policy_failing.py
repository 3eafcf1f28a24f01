"""What becomes of a number when fsgov gives no answer: the modes, and the dialplan that says them."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov.policy import OnFailure, Policy, PromptFacts, RecordMode, parse
from fsgov.policy.conditions import Call, Verdict
from fsgov.policy.conditions import judge as judged
from fsgov.policy.failing import dialplan, failures
from fsgov.policy.terms import CallDirection
from fsgov.policy.trials import describe
from fsgov.simulator.plan import Plan

HEAD = """
version = "1"
timezone = "Europe/Berlin"
DEFAULT
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
"""


def facts(file: str) -> PromptFacts:
    return PromptFacts(file=file, samples=8_000, rate=8_000, sha256="ab" * 32)


def policy(*rules: str) -> Policy:
    """Rules as `name: conditions; hangup|alert|never`."""
    last_fits_all = bool(rules) and not rules[-1].split("|")[1].strip()
    text = HEAD.replace("DEFAULT", "" if last_fits_all else 'default = "never"')
    for rule in rules:
        name, conditions, mode = (part.strip() for part in rule.split("|"))
        text += f"[[rule]]\nname = {name}\n{conditions}\n"
        if mode in ("hangup", "alert", "continue"):
            text += f'consent = "none"\npurposes = ["evidence"]\non_failure = "{mode}"\n'
        elif mode == "never":
            text += 'record = "never"\n'
        else:
            text += f'record = "{mode}"\nconsent = "none"\npurposes = ["evidence"]\non_failure = "hangup"\n'
    return parse(text, prompts=facts, packs={})


def mode(found: Policy, number: str, *regions: str) -> str:
    """The mode of a number, by the list."""
    return next(
        each.mode
        for each in failures(found, regions)
        if not each.expression or re.search(each.expression, number)
    )


def run(found: Policy, number: str, directory: Path, *regions: str) -> str:
    """The mode of a number, by the dialplan."""
    file = directory / "failure.xml"
    file.write_text(dialplan(found, regions), encoding="utf-8")
    plan = Plan()
    plan.load(file)
    actions = plan.hunt("fsgov_failure", "ask", lambda name: number if name == "fsgov_dialled" else "")
    assert actions is not None
    (action,) = actions
    return {"hangup": "hangup", "set": "continue"}[action[0]]


@pytest.mark.parametrize(
    ("rules", "number", "expected"),
    [
        ([], "1001", "continue"),
        (['"a" | | hangup'], "1001", "hangup"),
        (['"a" | | alert'], "1001", "continue"),
        (['"a" | | continue'], "1001", "continue"),
        (['"a" | | never'], "1001", "continue"),
        (['"a" | | on_demand'], "1001", "continue"),
        (['"a" | | sample 1%'], "1001", "hangup"),
        (['"a" | when.dialled = "1001" | hangup'], "1001", "hangup"),
        (['"a" | when.dialled = "1001" | hangup'], "10011", "continue"),
        (['"a" | when.dialled = "1001" | hangup'], "21001", "continue"),
        (['"a" | when.dialled = "10*" | hangup'], "1099", "hangup"),
        (['"a" | when.dialled = "*97" | hangup'], "*97", "hangup"),
        (['"a" | when.dialled = "*97" | hangup'], "997", "continue"),
        (['"a" | when.dialled = "a.c" | hangup'], "abc", "continue"),
        (['"a" | when.dialled = "1001" | alert', '"b" | | hangup'], "1001", "continue"),
        (['"a" | when.dialled = "1001" | alert', '"b" | | hangup'], "1002", "hangup"),
        (['"a" | when.dialled = "1001" | hangup', '"b" | | alert'], "1001", "hangup"),
        # a condition that the dialplan cannot see: the rule may govern the call, or may not
        (['"a" | when.caller = "+4930*" | alert', '"b" | | hangup'], "1001", "hangup"),
        (['"a" | when.crm.vip = "yes" | hangup', '"b" | | alert'], "1001", "hangup"),
        (['"a" | when.variable.x = "1" | never', '"b" | when.dialled = "1001" | hangup'], "1001", "hangup"),
        (['"a" | when.tenant = "north" | hangup'], "1001", "hangup"),
        (['"a" | when.direction = "inbound" | alert', '"b" | | hangup'], "1001", "hangup"),
    ],
)
def test_the_first_rule_that_may_turn_away_or_surely_lets_go(
    rules: list[str], number: str, expected: str, tmp_path: Path
) -> None:
    found = policy(*rules)
    assert mode(found, number) == expected
    assert run(found, number, tmp_path) == expected


@pytest.mark.parametrize(
    ("number", "regions", "expected"),
    [
        ("+4930901820", ("DE",), "hangup"),
        ("004930901820", ("DE",), "hangup"),
        ("030901820", ("DE",), "hangup"),
        ("030901821", ("DE",), "continue"),
        ("+493090182", ("DE",), "continue"),
        ("030901820", (), "continue"),
        ("0114930901820", ("US", "DE"), "hangup"),
        ("004930901820", ("US",), "continue"),
        ("1001", ("DE",), "continue"),
    ],
)
def test_a_number_is_known_however_it_is_dialled(
    number: str, regions: tuple[str, ...], expected: str
) -> None:
    assert mode(policy('"a" | when.dialled = "+4930901820" | hangup'), number, *regions) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+39061234567", "hangup"), ("061234567", "hangup"), ("0039061234567", "hangup"), ("1001", "continue"),
     ("+493012345", "continue"), ("00493012345", "continue")],
)  # fmt: skip
def test_a_country_is_known_by_its_code_and_at_home_by_the_length(number: str, expected: str) -> None:
    found = policy('"a" | when.dialled = { country = "IT" } | hangup')
    assert mode(found, number, "IT") == expected


def test_a_rule_that_lets_a_country_go_counts_only_where_the_code_is_its_own() -> None:
    shared = policy('"a" | when.dialled = { country = "CA" } | alert', '"b" | | hangup')
    assert mode(shared, "+16135550100", "CA") == "hangup"
    alone = policy('"a" | when.dialled = { country = "DE" } | alert', '"b" | | hangup')
    assert mode(alone, "+4930901820", "DE") == "continue"


def test_a_rule_that_lets_go_is_narrow_where_tenants_dial_differently() -> None:
    found = policy('"a" | when.dialled = "+4930*" | alert', '"b" | | hangup')
    assert mode(found, "030901820", "DE") == "continue"
    assert mode(found, "030901820", "DE", "GB") == "hangup"
    assert mode(found, "+4930901820", "DE", "GB") == "continue"


NUMBERS = st.sampled_from(
    ["+4930901820", "+4930901821", "+4989123456", "+442079460100", "1001", "1002", "10", "*97", "+49"]
)
CONDITIONS = st.sampled_from(
    ['when.dialled = "+4930*"', 'when.dialled = ["+4930901820", "1001"]', 'when.dialled = "10*"',
     'when.dialled = { country = "GB" }', 'when.dialled = { country = "DE" }', 'when.caller = "+4930*"']
)  # fmt: skip
RULES = st.lists(
    st.tuples(CONDITIONS, st.sampled_from(["hangup", "alert", "never", "on_demand"])), max_size=5
)


@given(rules=RULES, rest=st.sampled_from(["", "hangup", "alert"]), number=NUMBERS)
def test_no_call_that_must_not_go_on_unrecorded_does(
    rules: list[tuple[str, str]], rest: str, number: str
) -> None:
    """Against the policy's own conditions: whatever rule governs the call, a hang-up it wants is there."""
    rules = [*rules, *([("", rest)] if rest else [])]
    found = policy(*(f'"r{i}" | {conditions} | {mode}' for i, (conditions, mode) in enumerate(rules)))
    told = mode(found, number, "DE")
    for caller in ("+4930555", "+1212555"):
        inputs = describe(
            direction=CallDirection.INBOUND, caller=caller, dialled=number, region="DE", call="x"
        )
        governs = next((r for r in found.rules if judged(r.when, Call(inputs)) is Verdict.MATCHED), None)
        wants = (
            governs is not None
            and governs.on_failure is OnFailure.HANGUP
            and governs.record not in (RecordMode.NEVER, RecordMode.ON_DEMAND)
        )
        assert told == "hangup" or not wants
    if not any("caller" in conditions or "GB" in conditions for conditions, _ in rules):
        assert (told == "hangup") is wants


HOSTILE = "a\"b<c>&amp; $${base_dir} ${x} -- --> ' <include> \N{SNOWMAN} </context>\n"


def test_a_rule_may_be_called_anything(tmp_path: Path) -> None:
    quoted = HOSTILE.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    found = policy(f'"{quoted}" | when.dialled = "1001" | hangup')
    text = dialplan(found, ("DE",))
    root = ElementTree.fromstring(text)
    first = root.find("context/extension")
    assert first is not None
    assert first.get("name") == f"fsgov failure, rule 1: {HOSTILE}"
    assert text.isascii()
    for line in text.splitlines()[1:-1]:  # what the switch's preprocessor looks for in each line
        assert "$${" not in line
        assert "include>" not in line
        assert "X-PRE-PROCESS" not in line
    assert run(found, "1001", tmp_path) == "hangup"


def test_the_same_policy_gives_the_same_text_whatever_the_order_of_tenants() -> None:
    found = policy('"a" | when.dialled = "+4930*" | hangup', '"b" | | alert')
    assert dialplan(found, ["DE", "GB", ""]) == dialplan(found, iter(("GB", "DE", "DE")))
    assert found.sha256 in dialplan(found, [])
    assert dialplan(found, []) != dialplan(policy('"a" | | alert'), [])


@pytest.mark.parametrize(
    ("record", "conditions", "told"),
    [
        ("always", 'when.dialled = ["1001"]', True),
        ("sample 10%", 'when.dialled = ["1001"]', False),  # most calls are not wanted
        ("always", 'when.dialled = ["1001"]\nwhen.variable.x = "1"', False),  # that cannot be looked at there
    ],
)
def test_who_would_not_be_recorded_for_want_of_fsgov_is_told_by_the_dialplan(
    record: str, conditions: str, told: bool, tmp_path: Path
) -> None:
    text = HEAD.replace("DEFAULT", 'default = "never"') + (
        f'[prompt.sorry]\nfile = "/p/sorry.wav"\n[[rule]]\nname = "a"\n{conditions}\nrecord = "{record}"\n'
        'consent = "none"\npurposes = ["evidence"]\non_failure = "announce"\nannounce = "sorry"\n'
    )
    found = parse(text, prompts=facts, packs={})
    assert mode(found, "1001") == ("announce" if told else "continue")
    file = tmp_path / "failure.xml"
    file.write_text(dialplan(found, []), encoding="utf-8")
    plan = Plan()
    plan.load(file)
    said = [("answer", ""), ("playback", "/p/sorry.wav"), ("set", "fsgov_action=announced")]
    plain = [("set", "fsgov_action=failed")]
    for number, expected in (("1001", said if told else plain), ("1002", plain)):
        assert plan.hunt("fsgov_failure", "ask", {"fsgov_dialled": number}.__getitem__) == expected
