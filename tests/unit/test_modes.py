"""When a call is recorded: samples that can be recomputed, on demand, in the middle; and what fails."""

from __future__ import annotations

import hashlib
from itertools import product

import pytest

from fsgov import events as ev
from fsgov.commands import HangUp, OpenSegment, Play
from fsgov.events import Act
from fsgov.policy import OnFailure, Require
from fsgov.policy.deciding import in_sample
from tests.unit.conversation import ALWAYS, NOTICE, ON_DEMAND, OPT_IN, OPT_OUT, PROMPT, Talk, moves

CALLS = [f"{n:08x}-0000-4000-8000-{n * 2_654_435_761 % (1 << 48):012x}" for n in range(20_000)]
POLICIES = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(5)]


def share(policy: str, millionths: int) -> list[bool]:
    return [in_sample(policy, call, millionths) for call in CALLS]


# -- a sample -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("millionths", [10_000, 100_000, 250_000, 500_000, 900_000])
def test_a_sample_has_its_share(millionths: int) -> None:
    """Over fixed ids, so it is the same for ever: within four standard deviations, for each policy."""
    p = millionths / 1_000_000
    for each in POLICIES:
        found = sum(share(each, millionths))
        assert abs(found - p * len(CALLS)) < 4 * (p * (1 - p) * len(CALLS)) ** 0.5


def test_a_sample_is_as_even_in_every_stretch_of_calls() -> None:
    """Chi-square over a hundred stretches of 200 calls: below the bound that one in 10,000 exceeds."""
    taken = share(POLICIES[0], 250_000)
    stretches = [sum(taken[at : at + 200]) for at in range(0, len(taken), 200)]
    chi_square = sum((found - 50) ** 2 / (200 * 0.25 * 0.75) for found in stretches)
    assert 48 < chi_square < 161


def test_another_policy_takes_another_sample() -> None:
    """Of two policies each takes a quarter of what the other took: none can be known by another."""
    for one, two in product(POLICIES, POLICIES):
        if one != two:
            both = sum(a and b for a, b in zip(share(one, 250_000), share(two, 250_000), strict=True))
            assert abs(both - len(CALLS) / 16) < 4 * (len(CALLS) * 15 / 256) ** 0.5


def test_a_larger_share_takes_all_of_a_smaller_one() -> None:
    small, large = share(POLICIES[0], 100_000), share(POLICIES[0], 300_000)
    assert all(b for a, b in zip(small, large, strict=True) if a)


def test_the_boundaries_of_a_sample() -> None:
    assert sum(share(POLICIES[0], 1_000_000)) == len(CALLS)
    assert sum(share(POLICIES[0], 1)) <= 1
    digest = hashlib.sha256(bytes.fromhex(POLICIES[0]) + CALLS[0].encode()).digest()
    first = int.from_bytes(digest[:8], "big") * 1_000_000 >> 64
    assert not in_sample(POLICIES[0], CALLS[0], first), "its own place is not below itself"
    assert in_sample(POLICIES[0], CALLS[0], first + 1)


def test_a_call_out_of_the_sample_is_told_so_and_nobody_starts_it() -> None:
    talk = Talk(OPT_IN.replace("consent =", 'record = "sample 0.0001%"\nconsent ='))
    talk.inbound()
    talk.act(Act.START)
    talk.wait(60)
    assert not talk.all(Play)
    assert not talk.all(OpenSegment)
    talk.hangs_up("a", "b")
    assert talk.over() == "sampled-out"


# -- on demand, in the middle, again --------------------------------------------------------------------

ASKS = {"notice": NOTICE, "opt_out": OPT_OUT, "opt_in": OPT_IN}


@pytest.mark.parametrize("mode", ASKS)
def test_a_recording_that_is_asked_for_in_the_middle_is_asked_about_then(mode: str) -> None:
    talk = Talk(ASKS[mode].replace("consent =", 'record = "on_demand"\nconsent ='))
    talk.inbound()
    talk.wait(120)
    assert not talk.all(Play)
    talk.act(Act.START)
    assert [play.leg for play in talk.all(Play)] == ["a"]
    assert not talk.all(OpenSegment)
    talk.plays()
    talk.presses("1" if mode == "opt_in" else "")
    talk.wait(5.1 if mode == "opt_out" else 0)
    assert len(talk.all(OpenSegment)) == 1
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


def test_who_says_nothing_in_the_middle_is_not_recorded_and_the_act_is_not_acknowledged() -> None:
    talk = Talk(OPT_IN.replace("consent =", 'record = "on_demand"\nconsent ='))
    talk.inbound()
    talk.act(Act.START)
    talk.plays()
    talk.wait(60)
    assert not talk.all(OpenSegment)
    assert [entry.facts["status"] for entry in talk.entries("live.answered")] == [202]
    talk.hangs_up("a", "b")
    assert talk.over() == "consent-unanswered"


@pytest.mark.parametrize("rule", [ALWAYS, ON_DEMAND, OPT_IN])
def test_stopped_and_started_again_nobody_is_asked_twice(rule: str) -> None:
    talk = Talk(rule)
    talk.inbound()
    talk.act(Act.START)
    if rule is OPT_IN:
        talk.plays()
        talk.presses("1")
    for n in (1, 2, 3):
        assert len(talk.all(OpenSegment)) == n
        talk.opens()
        assert moves(talk.act(Act.STOP, request=f"stop-{n}")) == ["close"]
        talk.closes()
        assert moves(talk.act(Act.START, request=f"start-{n}")) == ["open"]
    assert len(talk.all(Play)) == (rule is OPT_IN)
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


def test_never_is_never_whoever_asks() -> None:
    talk = Talk(
        ALWAYS.replace('"always"', '"never"').replace('consent = "none"\npurposes = ["evidence"]\n', "")
    )
    talk.inbound()
    talk.act(Act.START)
    assert [entry.facts["status"] for entry in talk.entries("live.answered")] == [409]
    assert not talk.all(OpenSegment)


# -- require and on_failure -----------------------------------------------------------------------------


@pytest.mark.parametrize(("require", "on_failure"), list(product(Require, OnFailure)))
def test_what_is_required_and_what_becomes_of_it(require: Require, on_failure: OnFailure) -> None:
    """When it is told, once; what is done then; and that it is tried again all the same."""
    rule = f'{ALWAYS}require = "{require.value}"\non_failure = "{on_failure.value}"\n'
    if on_failure is OnFailure.ANNOUNCE:
        rule += 'announce = "ask"\n'
    if require is Require.BEFORE_ANSWER:
        rule += "gate = true\n"
    talk = Talk(rule)
    talk.created("a", variables={"fsgov_action": "go"})
    talk.created("b", other="a")
    talk.answered("b")
    talk.answered("a")
    needed = require is not Require.BEST_EFFORT
    for n in range(1, 9):
        flight = talk.call().flight
        if flight is None:  # armed and refused while it rang
            talk.wait(((talk.call().retry_at or talk.now) - talk.now) / 1e6)
        talk.refuse()
        if len(talk.all(Play)) > len(talk.entries("failure.announced")):
            talk.push(ev.PromptStopped, leg="a", file=PROMPT, status="done", samples=24_000)
        told = [entry.facts["on_failure"] for entry in talk.entries("recorder.failed")]
        if n < 8:
            assert told == ([on_failure.value] if needed else [])
            talk.wait(((talk.call().retry_at or 0) - talk.now) / 1e6)
            assert moves(talk.last) == ["open"], "tried again"
    assert set(told) == {on_failure.value}
    assert [kill.leg for kill in talk.all(HangUp)] == ["a"] * (on_failure is OnFailure.HANGUP) * len(told)
    assert [play.leg for play in talk.all(Play)] == ["a"] * (on_failure is OnFailure.ANNOUNCE)
    talk.wait(600)
    assert len(talk.all(OpenSegment)) == 8
    talk.hangs_up("a", "b")
    assert talk.over() == "failed:refused"
