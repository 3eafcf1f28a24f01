"""`[[test]]` tables: what can be expected of a decision holds where it does, and fails where not."""

from __future__ import annotations

import pytest

from fsgov.policy import Policy, PromptFacts, parse, run_tests
from fsgov.policy.trials import EXPECTED, FLAGS, LISTS

RULES = """
version = "1"
timezone = "UTC"
floor = { DE = "opt_in", GB = "notice" }
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[purpose.training]
basis = "consent"
retain_max = "6 months"
[prompt.ask]
file = "/p/ask.wav"
language = "de"
[[rule]]
name = "line"
when.dialled = "+4930*"
consent = "opt_in"
ask = { prompt = "ask", yes = "1", no = "2", withdraw = "*9" }
purposes = ["evidence", "training"]
on_refusal = "transfer 7001"
on_withdrawal = "keep"
on_failure = "continue"
require = "during"
vault = "eu"
leg = "b"
ask_agents = true
[[rule]]
name = "rest"
consent = "notice"
ask = { prompt = "ask" }
purposes = ["evidence"]
"""
LINE, REST = '{ caller = "+442079460100", dialled = "+493012345" }', '{ caller = "+493012345" }'
RIGHT = {
    "rule": '"line"',
    "record": '"always"',
    "consent": '"opt_in"',
    "purposes": '["evidence", "training"]',
    "floors": '["DE:opt_in", "GB:notice"]',
    "obtainable": "true",
    "armed": "false",
    "ask_agents": "true",
    "prompt": '"ask"',
    "language": '"de"',
    "yes": '"1"',
    "no": '"2"',
    "withdraw": '"*9"',
    "asks_for": '"training"',
    "on_refusal": '"transfer 7001"',
    "on_withdrawal": '"keep"',
    "on_failure": '"continue"',
    "require": '"during"',
    "vault": '"eu"',
    "leg": '"b"',
    "pause": '"mask"',
}


def policy_with(call: str, expect: str) -> Policy:
    return parse(
        f'{RULES}[[test]]\nname = "t"\ncall = {call}\nexpect = {{ {expect} }}\n',
        prompts=lambda file: PromptFacts(file=file, samples=8_000, rate=8_000, sha256="ab" * 32),
        packs={},
    )


def test_all_that_can_be_expected_is_tried_here() -> None:
    assert set(RIGHT) == set(EXPECTED)
    assert run_tests(policy_with(LINE, ", ".join(f"{key} = {value}" for key, value in RIGHT.items()))) == []


@pytest.mark.parametrize("of", EXPECTED)
def test_what_is_not_so_fails_by_name(of: str) -> None:
    wrong = {**dict.fromkeys(LISTS, '["evidence"]'), **dict.fromkeys(FLAGS, "false"), "armed": "true"}
    (failure,) = run_tests(policy_with(LINE, of + " = " + wrong.get(of, '"x"')))
    assert failure.of == of
    assert failure.decided == RIGHT[of].strip('[]"').replace('"', "")


def test_a_consent_that_a_floor_wants_and_nobody_can_give_can_be_expected() -> None:
    assert run_tests(policy_with(REST, 'rule = "rest", consent = "opt_in", obtainable = false')) == []
    (failure,) = run_tests(policy_with(REST, "obtainable = true"))
    assert str(failure) == "t: obtainable is false, expected true"
