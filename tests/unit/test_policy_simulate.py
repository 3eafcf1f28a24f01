"""Past calls decided again: each counts once, by what was done and what would be; no answer is made up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fsgov.policy import ConsentMode, Decision, Inputs, Policy, decide, describe
from fsgov.policy.grounds import Ground, again, read, text
from fsgov.policy.simulating import CONSENT, SHOWN, Past, Simulation, done
from tests.unit.conversation import ALWAYS, NEVER, NOTICE, ON_DEMAND, ON_FILE, OPT_IN, OPT_OUT, policy

T0 = datetime(2026, 11, 1, tzinfo=UTC)
GERMAN = {"caller": "+493012345", "dialled": "+4930901820"}
BRITISH = {"caller": "+442079460100", "dialled": "+442079460199"}


def when(rule: str, condition: str) -> str:
    return f"{rule}[rule.when]\n{condition}\n"


def inputs(n: int = 1, **words: Any) -> Inputs:
    return describe(**{**GERMAN, **words}, call=f"call-{n}")


def past(old: Policy, n: int = 1, outcome: str = "recorded", **words: Any) -> Past:
    """As the catalog has it: JSON."""
    found = inputs(n, **words)
    decision = json.loads(decide(old, found).text())
    return Past(f"call-{n}", T0 + timedelta(hours=n), outcome, old.sha256, json.loads(found.text()), decision)


def simulated(new: Policy, *calls: Past, lacks: frozenset[str] = frozenset()) -> dict[str, Any]:
    told = Simulation(new, lambda _: lacks)
    for call in calls:
        told.add(call)
    found = json.loads(json.dumps(told.to_json()))
    left_out = sum(kind["calls"] for kind in found["left_out"].values())
    assert found["decided"] + left_out == len(calls)
    assert found["changed"] == sum(kind["calls"] for kind in found["changes"])
    return dict(found)


def test_the_same_rules_change_nothing() -> None:
    old, new = policy(ALWAYS), policy("# a remark\n", ALWAYS)
    assert old.sha256 != new.sha256
    told = simulated(new, *(past(old, n) for n in range(5)))
    assert (told["decided"], told["same"], told["changes"], told["rules"]) == (5, 5, [], [])
    assert told["details"] == []


@pytest.mark.parametrize(
    ("old", "new", "was", "would_be"),
    [
        (ALWAYS, NEVER, "recorded, nobody told", "not recorded"),
        (NEVER, ALWAYS, "not recorded", "recorded, nobody told"),
        (NOTICE, OPT_IN, "recorded, after a notice", "recorded, asked, if everybody says yes"),
        (
            OPT_IN,
            OPT_OUT,
            "recorded, asked, if everybody says yes",
            "recorded, asked, unless somebody says no",
        ),
        (ALWAYS, ON_DEMAND, "recorded, nobody told", "on demand, nobody told"),
        (ON_FILE, ALWAYS, "recorded, with a yes on file", "recorded, nobody told"),
    ],
)
def test_what_is_done_otherwise_is_told_by_outcome(old: str, new: str, was: str, would_be: str) -> None:
    calls = [past(policy(old), n, outcome) for n, outcome in enumerate(("recorded", "refused", "refused"), 1)]
    told = simulated(policy(new), *calls)
    assert [(c["outcome"], c["was"], c["would_be"], c["calls"]) for c in told["changes"]] == [
        ("refused", was, would_be, 2),
        ("recorded", was, would_be, 1),
    ]
    assert told["changes"][0]["newest"] == ["call-3", "call-2"]
    assert [(rule["was"], rule["calls"]) for rule in told["rules"]] == [(decided(old).rule, 3)]


def decided(rules: str) -> Decision:
    return decide(policy(rules), inputs())


def test_a_mode_that_the_question_cannot_obtain_is_no_recording() -> None:
    lax = policy(NOTICE)
    strict = policy('[floor]\nDE = "opt_in"\n', NOTICE)
    told = simulated(strict, past(lax), past(lax, 2, **BRITISH))
    assert [(c["was"], c["would_be"], c["calls"]) for c in told["changes"]] == [
        ("recorded, after a notice", "not recorded, opt_in cannot be obtained", 1)
    ]


def test_what_cannot_be_decided_again_is_counted_and_never_called_the_same() -> None:
    old = policy(ALWAYS)
    one = past(old)
    told = simulated(
        policy(NEVER),
        one,
        replace(one, inputs=None),
        replace(one, inputs=None, decision=None, outcome="not-answered", policy=""),
        replace(one, outcome="merged"),
        replace(one, inputs={"call": "x"}),
        replace(one, decision={**one.decision, "consent": "telepathy"}),
        replace(one, inputs=[["nonsense"]]),
    )
    left_out = {why: kind["calls"] for why, kind in told["left_out"].items()}
    assert left_out == {"erased": 1, "undecided": 1, "merged": 1, "unreadable": 3}
    assert (told["decided"], told["same"], told["changed"]) == (1, 0, 1)


def test_a_decision_of_several_grounds_is_the_stricter_of_their_decisions_again() -> None:
    old = policy(when(OPT_IN, 'dialled = "+4930*"'), ALWAYS)
    new = policy(when(NEVER, 'caller = { country = "GB" }'), when(NOTICE, 'dialled = "+4930*"'), ALWAYS)
    joined = inputs(1, caller="+442079460100")
    grounds = (Ground(old.sha256, inputs(1)), (Ground(old.sha256, joined), Ground(old.sha256, inputs(1))))
    stored = again(grounds, lambda ground: decide(old, ground.inputs))
    one = Past("call-1", T0, "recorded", old.sha256, json.loads(text(grounds)), json.loads(stored.text()))
    assert read(one.inputs) == grounds
    told = simulated(new, one)
    assert [(c["was"], c["would_be"]) for c in told["changes"]] == [
        ("recorded, asked, if everybody says yes", "not recorded")
    ]


def test_another_draw_of_the_same_sample_is_no_change() -> None:
    sample = ALWAYS.replace('"always"', '"sample 50%"')
    old, new = policy(sample), policy("# a remark\n", sample)
    calls = [past(old, n) for n in range(100)]
    told = simulated(new, *calls)
    assert told["same"] == 100
    inside = [decide(one, inputs(n)).sampled for one in (old, new) for n in range(100)]
    assert told["sampled"] == {"was": sum(inside[:100]), "would_be": sum(inside[100:])}
    assert told["sampled"]["was"] not in (0, 100)
    told = simulated(policy(ALWAYS), *calls)
    assert {(c["was"], c["calls"]) for c in told["changes"]} == {
        ("sample, nobody told", sum(inside[:100])),
        ("not in the sample", 100 - sum(inside[:100])),
    }


def test_what_else_differs_is_told_where_the_same_is_done() -> None:
    old = policy(ALWAYS)
    new = policy(ALWAYS.replace('["evidence"]', '["evidence"]\nvault = "eu"\nleg = "b"'))
    told = simulated(new, past(old), past(old, 2))
    assert (told["same"], told["changes"]) == (2, [])
    assert {detail["of"]: detail["calls"] for detail in told["details"]} == {"leg": 2, "vault": 2}


def test_calls_whose_facts_were_not_kept_are_counted() -> None:
    new = policy(when(NEVER, 'crm.protected = "yes"'), ALWAYS)
    told = simulated(new, past(policy(ALWAYS)), past(policy(ALWAYS), 2), lacks=frozenset({"crm.protected"}))
    assert told["without"] == {"crm.protected": 2}


def test_of_many_calls_the_newest_are_named() -> None:
    old = policy(ALWAYS)
    (change,) = simulated(policy(NEVER), *(past(old, n) for n in (*range(50, 100), *range(50))))["changes"]
    assert change["calls"] == 100
    assert change["newest"] == [f"call-{n}" for n in range(99, 99 - SHOWN, -1)]


def test_every_mode_has_its_words() -> None:
    assert set(CONSENT) == set(ConsentMode)
    every = [done(decided(one)) for one in (ALWAYS, NEVER, NOTICE, OPT_OUT, OPT_IN, ON_FILE, ON_DEMAND)]
    assert len(set(every)) == len(every)
