"""The index finds the rule that a scan would find, and finds it fast among ten thousand."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fsgov.policy import RecordMode, Verdict, decide, describe, explain, parse
from fsgov.policy.conditions import Call, judge

PREFIXES = ["+4", "+49", "+4930", "+49309", "+44", "+4420794601", "1", "10", "100", "2"]
NUMBERS = ["+493012345", "+4930901820", "+442079460100", "+442079460199", "1001", "100", "2000", "", "*9"]
COUNTRIES = {"+49": "DE", "+44": "GB"}

numbers = st.lists(
    st.one_of(
        st.sampled_from(PREFIXES).map(lambda p: p + "*"),
        st.sampled_from([n for n in NUMBERS if n]),
        st.sampled_from(["@DE", "@GB"]),
    ),
    min_size=1,
    max_size=3,
    unique=True,
)
values = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2, unique=True)
mixed = st.fixed_dictionaries(
    {},
    optional={
        "caller": numbers,
        "dialled": numbers,
        "tenant": values,
        "direction": st.lists(st.sampled_from(["inbound", "outbound"]), min_size=1, unique=True),
        "variable": st.dictionaries(st.sampled_from(["x", "y"]), values, min_size=1),
        "crm": st.dictionaries(st.sampled_from(["f", "g"]), values, min_size=1),
    },
)
# most rules of most policies look at one number: only these match often enough to put the index to the test
plain = st.fixed_dictionaries({"dialled": numbers}) | st.fixed_dictionaries({"caller": numbers})
rules = st.lists(plain | mixed, max_size=8)
calls = st.fixed_dictionaries(
    {
        "caller": st.sampled_from(NUMBERS),
        "dialled": st.sampled_from(NUMBERS),
        "tenant": st.sampled_from(["default", "a", "b"]),
        "variables": st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["a", "b", "z"])),
        "crm": st.none() | st.dictionaries(st.sampled_from(["f", "g"]), st.sampled_from(["a", "b", "z"])),
    }
)


def toml(rules: list[dict[str, Any]]) -> str:
    def entry(value: str) -> str:
        return f'{{ country = "{value[1:]}" }}' if value.startswith("@") else f'"{value}"'

    text = 'version = "1"\ntimezone = "UTC"\n[purpose.p]\nbasis = "contract"\nretain_max = "1 year"\n'
    for number, when in enumerate([w for w in rules if w]):
        text += f'[[rule]]\nname = "{number}"\nconsent = "none"\npurposes = ["p"]\n'
        for key, wanted in when.items():
            if isinstance(wanted, dict):
                for name, choices in wanted.items():
                    text += f"when.{key}.{name} = [{', '.join(map(entry, choices))}]\n"
            else:
                text += f"when.{key} = [{', '.join(map(entry, wanted))}]\n"
    return text + '[[rule]]\nname = "rest"\nconsent = "none"\npurposes = ["p"]\n'


def fits(wanted: list[str], number: str) -> bool:
    return any(
        (number.startswith(w[:-1]) if len(w) > 1 and w.endswith("*") else number == w)
        if not w.startswith("@")
        else COUNTRIES.get(number[:3]) == w[1:]
        for w in wanted
    )


def oracle(rules: list[dict[str, Any]], call: dict[str, Any]) -> str:
    """A scan in the test's own words. Open CRM rules are never stricter here, so they never decide."""
    for number, when in enumerate([w for w in rules if w]):
        crm = call["crm"] or {}
        if (
            ("caller" not in when or fits(when["caller"], call["caller"]))
            and ("dialled" not in when or fits(when["dialled"], call["dialled"]))
            and ("tenant" not in when or call["tenant"] in when["tenant"])
            and ("direction" not in when or "inbound" in when["direction"])
            and all(call["variables"].get(name) in v for name, v in when.get("variable", {}).items())
            and all(crm.get(name) in v for name, v in when.get("crm", {}).items())
        ):
            return str(number)
    return "rest"


@settings(deadline=None)
@given(rules=rules, call=calls)
def test_the_index_decides_as_a_scan(rules: list[dict[str, Any]], call: dict[str, Any]) -> None:
    policy = parse(toml(rules))
    inputs = describe(**call)
    decision = decide(policy, inputs)
    assert decision.rule == oracle(rules, call)
    assert explain(policy, inputs).decision == decision


@settings(deadline=None)
@given(
    rules=st.lists(
        mixed
        | st.fixed_dictionaries({"crm": st.dictionaries(st.sampled_from(["f", "g"]), values, min_size=1)}),
        max_size=8,
    ),
    wishes=st.lists(
        st.sampled_from(['record = "never"', 'consent = "on_file"', 'consent = "none"']),
        min_size=8,
        max_size=8,
    ),
    call=calls,
    another=st.none() | st.dictionaries(st.sampled_from(["f", "g"]), st.sampled_from(["a", "b", "z"])),
)
def test_what_the_crm_does_not_tell_is_decided_as_in_a_scan(
    rules: list[dict[str, Any]], wishes: list[str], call: dict[str, Any], another: dict[str, str] | None
) -> None:
    """Rules that may match for all we know count as well, the strictest of them; two parties are outside."""
    text = toml(rules).replace('[purpose.p]\nbasis = "contract"', '[purpose.p]\nbasis = "consent"')
    for number, wish in enumerate(wishes):
        full = wish if "never" in wish else f'{wish}\npurposes = ["p"]'
        text = text.replace(
            f'name = "{number}"\nconsent = "none"\npurposes = ["p"]', f'name = "{number}"\n{full}'
        )
    policy = parse(
        text.replace('consent = "none"\npurposes = ["p"]', 'consent = "on_file"\npurposes = ["p"]')
    )
    inputs = describe(**call)
    (caller, *_), outside = inputs.parties, {"known": another is not None, "facts": another or {}}
    inputs = replace(inputs, parties=(*inputs.parties, replace(caller, party=3, **outside)))
    best, strictest = "", -1
    for rule in policy.rules:
        verdict = judge(rule.when, Call(inputs))
        weight = 9 if rule.record is RecordMode.NEVER else rule.consent.rank
        if verdict is Verdict.MATCHED:
            best = rule.name if weight >= strictest else best
            break
        if verdict is Verdict.OPEN and weight > strictest:
            best, strictest = rule.name, weight
    assert decide(policy, inputs).rule == explain(policy, inputs).decision.rule == best


def test_a_fact_of_one_party_decides_though_nothing_is_known_of_another() -> None:
    policy = parse(toml([{"crm": {"g": ["z"]}}, {"crm": {"f": ["a"]}}]))
    inputs = describe(caller="+493012345", crm={"f": "a"})
    unknown = replace(inputs.parties[0], party=3, known=False, facts={})
    assert decide(policy, replace(inputs, parties=(*inputs.parties, unknown))).rule == "1"


def test_a_thousand_rules_on_facts_of_the_crm_are_no_scan() -> None:
    wanted = [{"crm": {"customer": [f"c{n}"]}} for n in range(1_000)]
    policy = parse(toml(wanted))
    known, unknown = describe(crm={"customer": "c700"}), describe(dialled="+442079460100")
    assert decide(policy, known).rule == "700"
    assert decide(policy, unknown).rule == "rest"
    assert list(policy.index.candidates(Call(known))) == [700, 1_000]
    assert policy.index.anywhere == (1_000,)


def test_ten_thousand_rules_decide_within_a_millisecond() -> None:
    wanted = [{"dialled": [f"+4930{n:05}*"]} for n in range(9_990)]
    wanted += [{"dialled": ["+4930*"], "variable": {"x": [f"{n}"]}} for n in range(10)]
    policy = parse(toml(wanted))
    calls = [describe(caller="+442079460100", dialled=f"+4930{n:05}77") for n in range(0, 9_990, 50)]
    calls += [describe(dialled="+442079460100"), describe(dialled="+493099999", variables={"x": "7"})]
    took = []
    for call in calls:
        start = time.perf_counter()
        decide(policy, call)
        took.append(time.perf_counter() - start)
    assert decide(policy, calls[10]).rule == "500"
    assert decide(policy, calls[-1]).rule == "9997"
    # a scan takes about 20 ms here, the index below 0.1 ms; the goal is 1 ms at an idle machine
    assert statistics.median(took) < 0.002
