"""What `policy check` says of rules that no call comes to, and of those that contradict each other.

The oracle is the decision itself: a rule that is said never to be reached decides no call.
"""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgov import config
from fsgov.policy import Policy, PromptFacts, RecordMode, decide, describe, numbers, parse
from fsgov.policy.document import When
from fsgov.policy.findings import Finding, Severity, findings
from fsgov.policy.shapes import READ
from fsgov.policy.terms import CallDirection
from tests.unit.test_policy_index import PREFIXES, toml, values

HEAD = """
version = "1"
timezone = "UTC"
[purpose.p]
basis = "contract"
retain_max = "1 year"
[prompt.ask]
file = "/p/ask.wav"
"""
NONE = 'consent = "none"\npurposes = ["p"]'
NEVER = 'record = "never"'
NOTICE = 'consent = "notice"\npurposes = ["p"]\nask = { prompt = "ask" }'
OPT_OUT = 'consent = "opt_out"\npurposes = ["p"]\nask = { prompt = "ask", no = "2" }'
OPT_IN = 'consent = "opt_in"\npurposes = ["p"]\nask = { prompt = "ask", yes = "1" }'


def policy(*rules: tuple[str, str], top: str = "") -> Policy:
    """Rules named 1, 2, … of their `when` and their wishes, and a last one for the rest."""
    text = top + HEAD
    for number, (when, wishes) in enumerate(rules, 1):
        conditions = "\n".join(f"when.{line}" for line in when.splitlines())
        text += f'[[rule]]\nname = "{number}"\n{conditions}\n{wishes}\n'
    return parse(
        text + '[[rule]]\nname = "rest"\nrecord = "never"\n',
        prompts=lambda file: PromptFacts(file=file, samples=8_000, rate=8_000, sha256="ab" * 32),
        packs=config.law_packs(),
    )


def told(*rules: tuple[str, str], top: str = "") -> list[Finding]:
    return findings(policy(*rules, top=top))


def test_every_condition_that_there_is_can_be_compared() -> None:
    assert set(READ) == {field.name for field in fields(When)}, "shapes.READ: one line for each condition"


AWAY = [f'direction = ["outbound", "internal"]\ntenant = "{tenant}"' for tenant in ("a", "b")]
INSIDE = [
    ('dialled = "+4930*"', 'dialled = "+49301*"'),
    ('dialled = "+4930*"', 'dialled = "+4930901820"'),
    ('dialled = "+4930*"', 'dialled = ["+49301*", "+49302*"]'),
    ('dialled = "+4930901820"', 'dialled = "+4930901820"'),
    ('dialled = { country = "DE" }', 'dialled = "+4930*"'),
    ('dialled = { country = "GB" }', 'dialled = "+442079460100"'),
    ('dialled = "+49*"', 'dialled = { country = "DE" }'),
    ('dialled = "+44*"', 'dialled = { country = ["GB", "JE"] }'),
    ('caller = "10*"', 'caller = ["1001", "10"]'),
    ('dialled = "+49*"', 'dialled = "+49*"\ncaller = "+49*"'),
    ('direction = ["inbound", "outbound"]', 'direction = "inbound"'),
    ('tenant = ["a", "b"]', 'tenant = "b"\ndirection = "inbound"'),
    ('variable.x = ["a", "b"]', 'variable.x = "a"\nvariable.y = "a"'),
    ('crm.x = ["a", "b"]', 'crm.x = "b"\ncrm.y = "a"'),
    ('queue = "sales"', 'queue = ["sales@default", "sales"]'),
    ('agent = ["1001", "1002"]', 'agent = "1002"'),
    ('tag = ["vip", "gold"]', 'tag = "gold"'),
    ('caller = { country = "US-CA" }', 'caller = "+12135550123"'),
    ('caller = { country = "US" }', 'caller = { country = ["US-CA", "US-NY"] }'),
    ('caller = "+1*"', 'caller = { country = "US-CA" }'),
    ('time = { days = "mon-fri" }', 'time = { days = "tue", hours = "08:00-18:00" }'),
    (
        'time = { days = "mon-fri", hours = "08:00-18:00" }',
        'time = { days = ["mon", "fri"], hours = "08:00-18:00" }',
    ),
    ('time = { hours = "08:00-18:00" }', 'time = { hours = "08:00-18:00", days = "sat-sun" }'),
    ('time = [{ days = "mon-thu" }, { days = "fri-sun" }]', 'tag = "any"'),
]
BESIDE = [
    ('dialled = "+49301*"', 'dialled = "+4930*"'),
    ('dialled = "+4930901820"', 'dialled = "+4930901820*"'),
    ('dialled = "+49301*"', 'dialled = ["+49301*", "+49302*"]'),
    ('dialled = { country = "GB" }', 'dialled = "+44*"'),
    ('dialled = { country = "DE" }', 'dialled = "+4*"'),
    ('dialled = "+495*"', 'dialled = { country = "DE" }'),
    ('dialled = "1001"', 'dialled = "+491001*"'),
    ('dialled = "+49*"', 'caller = "+49*"'),
    ('dialled = "+49*"\ncaller = "+49*"', 'dialled = "+49*"'),
    ('direction = ["inbound", "outbound"]', 'dialled = "+49*"'),
    ('tenant = "a"', 'tenant = ["a", "b"]'),
    ('variable.x = "a"', 'variable.y = "a"'),
    ('crm.x = "a"', 'crm.x = ["a", "b"]'),
    ('queue = "sales@default"', 'queue = "sales"'),
    ('agent = "1001"', 'agent = ["1001", "1002"]'),
    ('tag = "a"', 'agent = "a"'),
    ('caller = { country = "US-CA" }', 'caller = { country = "US" }'),
    ('caller = { country = "US-CA" }', 'caller = "+12*"'),
    ('time = { days = "mon" }', 'time = { days = "mon", hours = "22:00-06:00" }'),
    ('time = { hours = "08:00-18:00" }', 'time = { hours = "09:00-19:00" }'),
    ('time = { days = "mon-fri", hours = "08:00-18:00" }', 'time = { days = "mon-fri" }'),
    ('time = { days = "mon-sat" }', 'tag = "any"'),
]


@pytest.mark.parametrize(("wide", "narrow"), INSIDE)
def test_a_rule_inside_an_earlier_one_is_refused(wide: str, narrow: str) -> None:
    (found,) = told((wide, NONE), (narrow, NONE))
    assert (found.severity, found.kind, found.path) == (Severity.FAULT, "unreachable", "rule[2]")
    assert found.others == ("rule[1]",)
    assert "rule[1] takes every call" in str(found)


@pytest.mark.parametrize(("one", "other"), [*BESIDE, *((narrow, wide) for wide, narrow in INSIDE[:3])])
def test_a_rule_that_some_call_comes_to_is_not(one: str, other: str) -> None:
    assert told((one, NONE), (other, NONE)) == []


def test_two_rules_of_the_same_conditions_and_opposite_wishes() -> None:
    (found,) = told(('dialled = "+49*"', NONE), ('dialled = "+49*"', NEVER))
    assert (found.severity, found.kind) == (Severity.FAULT, "contradiction")
    assert "it wants no recording, but always, none is done" in found.message


@pytest.mark.parametrize(
    ("rules", "others"),
    [
        (['direction = "inbound"', 'direction = ["outbound", "internal"]', 'caller = "1*"'], (1, 2)),
        (['dialled = "+49*"', 'dialled = ["+44*", "+33*"]', 'dialled = ["+4930*", "+44*"]'], (1, 2)),
        (['tenant = "a"\ndirection = "inbound"', 'tenant = "a"', 'tenant = ["a"]'], (2,)),
        (
            [
                'direction = "inbound"\ntenant = ["a", "b"]',
                *AWAY,
                'tenant = ["a", "b"]',
            ],
            (1, 2, 3),
        ),
    ],
)
def test_several_rules_take_everything_together(rules: list[str], others: tuple[int, ...]) -> None:
    found = told(*((when, NONE) for when in rules))[-1]
    assert (found.severity, found.path) == (Severity.FAULT, f"rule[{len(rules)}]")
    assert found.others == tuple(f"rule[{number}]" for number in others)


@pytest.mark.parametrize(
    "rules",
    [
        ['direction = "inbound"', 'direction = "outbound"', 'caller = "1*"'],
        ['tenant = "a"\ndirection = "inbound"', *AWAY, 'tenant = ["a", "b"]'],  # b's inbound calls are left
    ],
)
def test_a_part_that_nobody_takes_keeps_a_rule(rules: list[str]) -> None:
    assert told(*((when, NONE) for when in rules)) == []


def test_while_the_crm_is_silent_the_stricter_of_two_decides() -> None:
    """So a stricter rule for the same facts is no dead one, and a laxer one is."""
    (found,) = told(('crm.x = "a"', NONE), ('crm.x = "a"', NEVER))
    assert (found.severity, found.kind) == (Severity.WARNING, "unreachable")
    assert "only where the CRM tells nothing" in found.message
    (found,) = told(('crm.x = "a"', NEVER), ('crm.x = "a"', NONE))
    assert found.severity is Severity.FAULT


@pytest.mark.parametrize(
    ("lax", "strict", "wishes"),
    [
        ('dialled = "+4930*"', 'caller = "1001"', NEVER),
        ('dialled = "+4930*"', 'caller = { country = "DE" }', OPT_IN),
        ('dialled = "+4930*"', 'crm.protected = "yes"', NEVER),
        ('dialled = "+4930*"\ndirection = "inbound"', 'dialled = "+49301*"', NEVER),
        ('direction = "inbound"', 'tenant = "a"', OPT_OUT),
    ],
)
def test_a_stricter_rule_that_comes_too_late_for_some_calls_is_told(
    lax: str, strict: str, wishes: str
) -> None:
    (found,) = told((lax, NOTICE), (strict, wishes))
    assert (found.severity, found.kind) == (Severity.WARNING, "contradiction")
    assert "rule[1] may match the same call, and comes first" in found.message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (('dialled = "+49301*"', NOTICE), ('dialled = "+4930*"', NEVER)),  # an exception from a rule
        (('caller = "1001"', NEVER), ('dialled = "+4930*"', NONE)),  # what is stricter comes first
        (('dialled = "+4930*"', NOTICE), ('dialled = "+4420*"', NEVER)),  # no call is both
        (('dialled = "+4930*"', NOTICE), ('caller = "1001"', NOTICE)),  # they want the same
    ],
)
def test_what_is_meant_is_not_told(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert told(first, second) == []


def test_a_floor_beyond_the_question_is_told_with_its_countries() -> None:
    found = told(
        ('dialled = "+4420*"', NOTICE),
        ('dialled = "+4930*"', OPT_IN),
        ('dialled = "+33*"', NOTICE),
        ('dialled = "+1*"', NONE),
        top='include = ["law:de", "law:uk"]\nfloor = { AT = "opt_in", FR = "opt_out", default = "notice" }\n',
    )
    assert all(each.severity is Severity.WARNING and each.kind == "floor" for each in found)
    assert [(each.path, each.others) for each in found] == [
        ("rule[1]", ("rule[3]",)),
        ("rule[1]", ("rule[3]",)),
        ("rule[4]", ()),
        ("rule[4]", ()),
        ("rule[4]", ()),
    ]
    assert "has no key for no (as 1 more), and a party of FR is owed opt_out" in found[0].message
    assert "has no key for yes (as 1 more), and a party of AT or DE is owed opt_in" in found[1].message
    assert (
        "has no prompt, and a party of GB, GG, IM, JE or any other country is owed notice" in found[2].message
    )


def test_a_question_with_every_key_serves_every_floor() -> None:
    both = 'consent = "notice"\npurposes = ["p"]\nask = { prompt = "ask", yes = "1", no = "2" }'
    assert told(('dialled = "+4420*"', both), top='include = ["law:de"]\n') == []


def test_no_floor_raises_what_a_law_demands() -> None:
    law = '[purpose.law]\nbasis = "legal_obligation"\nretain_max = "5 years"\n'
    statutory = f'consent = "statutory"\npurposes = ["law"]\n{law}'
    assert told(('dialled = "+4420*"', statutory), top='include = ["law:de"]\n') == []


def test_a_tenant_that_is_not_configured() -> None:
    text = policy(('tenant = ["acme", "default"]', NONE))
    (found,) = findings(text, ["acne"])
    assert (found.path, found.hint) == ("rule[1].when.tenant", "did you mean acne?")
    assert findings(text, ["acme"]) == findings(text) == []


# -- against the decision itself ---------------------------------------------------------------------------

NUMBERS = ["+493012345", "+4930901820", "+442079460100", "+442079460199", "1001", "100", "2000", "", "*9"]
QUEUES = ["sales", "sales@default", "sales@acme", "help"]
few = st.lists(
    st.one_of(
        st.sampled_from(PREFIXES).map(lambda prefix: prefix + "*"),
        st.sampled_from(["+4930901820", "+442079460100", "100", "@DE", "@GB"]),
    ),
    min_size=1,
    max_size=2,
    unique=True,
)
whens = st.fixed_dictionaries(
    {},
    optional={
        "dialled": few,
        "caller": few,
        "direction": st.lists(st.sampled_from([d.value for d in CallDirection]), min_size=1, unique=True),
        "tenant": values,
        "crm": st.dictionaries(st.sampled_from(["f", "g"]), values, min_size=1),
        "queue": st.lists(st.sampled_from(QUEUES), min_size=1, max_size=2, unique=True),
        "tag": values,
    },
)
calls = st.fixed_dictionaries(
    {
        "caller": st.sampled_from(NUMBERS),
        "dialled": st.sampled_from(NUMBERS),
        "direction": st.sampled_from(CallDirection),
        "tenant": st.sampled_from(["default", "a", "b"]),
        "crm": st.none() | st.dictionaries(st.sampled_from(["f", "g"]), st.sampled_from(["a", "b", "z"])),
        "queue": st.sampled_from(["", *QUEUES]),
        "tags": st.lists(st.sampled_from(["a", "b", "z"]), max_size=2),
    }
)


def mixed(rules: list[dict[str, Any]], never: list[bool]) -> Policy:
    """As of the test of the index, some of the rules against recording."""
    text = toml(rules)
    for number, against in enumerate(never):
        if against:
            text = text.replace(
                f'name = "{number}"\nconsent = "none"\npurposes = ["p"]', f'name = "{number}"\n{NEVER}'
            )
    return parse(text)


@settings(deadline=None, max_examples=60)
@given(
    rules=st.lists(whens, min_size=2, max_size=7),
    never=st.lists(st.booleans(), max_size=7),
    tried=st.lists(calls, min_size=20, max_size=40),
)
def test_a_rule_said_never_to_be_reached_decides_no_call(
    rules: list[dict[str, Any]], never: list[bool], tried: list[dict[str, Any]]
) -> None:
    found = mixed(rules, never)
    dead = {each.rule for each in findings(found) if each.severity is Severity.FAULT}
    silent = {each.rule for each in findings(found) if each.kind == "unreachable"} - dead
    for call in tried:
        rule = decide(found, describe(**call)).rule
        assert rule not in dead
        assert rule not in silent or call["crm"] is None


@pytest.mark.parametrize("prefix", ["+49301", "+44", "+1", "+7", "+599", "+3906", "+88", "+999", "+"])
def test_the_country_of_all_numbers_with_a_beginning(prefix: str) -> None:
    """Checked against numbers one by one, for some of each calling code."""
    found = numbers.country_of_all(prefix)
    countries = {
        numbers.country(prefix + tail) for tail in ("301234567", "2079460100", "12345678", "9012345678")
    }
    assert found in ("", *countries)
    assert found == {"+49301": "DE"}.get(prefix, "")


def test_ten_thousand_rules_are_compared_in_seconds() -> None:
    rules = [{"dialled": [f"+4930{n:05}*"], "direction": ["inbound"]} for n in range(5_000)]
    rules += [{"caller": [f"+4420{n:05}*", f"+4421{n:05}*"]} for n in range(4_990)]
    rules += [{"dialled": [f"+4930{n:05}7*"], "direction": ["inbound"]} for n in range(10)]
    found = mixed(rules, [False] * 5_000 + [True] * 100)
    assert sum(rule.record is RecordMode.NEVER for rule in found.rules) >= 100
    begun = time.thread_time()
    told = findings(found)
    assert sum(each.severity is Severity.FAULT for each in told) == 10
    assert sum(each.kind == "contradiction" for each in told) == 100
    # half a second on an idle machine; pair by pair it would be minutes
    assert time.thread_time() - begun < 20
