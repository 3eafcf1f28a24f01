"""A policy that a child compiled: the same policy, in few objects."""

from __future__ import annotations

import gc
import io
import json
import os
import pickle
from dataclasses import replace

import pytest

from fsgov.errors import BadConfiguration
from fsgov.govern.compiling import Frame, _assembled, _frames, main, taken_apart
from fsgov.policy import Policy, decide, describe, parse
from fsgov.policy.packed import OPEN, PackedRules, pack
from tests.unit.conversation import NEVER, ON_FILE, OPT_IN, policy

LINES = 2_000
RULE = 'version = "1"\ntimezone = "UTC"\n[[rule]]\nname = "none"\nrecord = "never"\n'


def lines(count: int) -> str:
    return "".join(
        f'[[rule]]\nname = "{n}"\nrecord = "never"\nwhen.dialled = ["+4930{n:04}*"]\n' for n in range(count)
    )


def frames(whole: Policy) -> list[Frame]:
    return [pickle.loads(pickle.dumps(frame)) for frame in taken_apart(whole)]


def test_a_policy_taken_apart_and_assembled_is_the_same_but_for_its_tests() -> None:
    trial = '[[test]]\nname = "t"\ncall = { dialled = "+49301" }\nexpect = { rule = "none" }\n'
    whole = policy(lines(3), NEVER, trial)
    found = _assembled(iter(frames(whole)))
    assert found == replace(whole, trials=())
    assert found.index == whole.index
    assert (found.sha256, found.text) == (whole.sha256, whole.text)


def test_it_decides_the_same() -> None:
    whole = policy(lines(50), OPT_IN)
    found = _assembled(iter(frames(whole)))
    for dialled in ("+4930001712", "+49300049", "+4940", "1001", ""):
        inputs = describe(caller="+442079460100", dialled=dialled)
        assert decide(found, inputs) == decide(whole, inputs)


def test_ten_thousand_rules_are_few_objects() -> None:
    """What is looked at by each collection, and freed at once when the last call of a policy is over."""
    whole = policy(lines(LINES), NEVER)
    kept = frames(whole)
    gc.collect()
    before = len(gc.get_objects())
    found = _assembled(iter(kept))
    gc.collect()
    # a rule as a value is eight of them; what is left here belongs to the policy as a whole
    assert len(gc.get_objects()) - before < LINES / 10
    assert len(found.rules) == LINES + 1


def test_of_the_packed_only_those_that_calls_come_to_stay_open() -> None:
    whole = policy(lines(OPEN + 10), NEVER)
    packed = PackedRules(pack(rule) for rule in whole.rules)
    assert packed == whole.rules
    assert list(packed) == list(whole.rules)
    assert packed != whole.rules[1:]
    assert packed[2:4] == whole.rules[2:4]
    assert packed[-1].name == "none"
    assert packed[5] is packed[5]
    assert [packed[n].name for n in range(len(packed))] == [rule.name for rule in whole.rules]
    assert len(packed._opened) <= OPEN


def test_whether_the_crm_is_asked_is_known_without_looking_at_the_rules() -> None:
    assert not policy(NEVER).looks_up
    assert policy(ON_FILE).looks_up
    assert policy('[[rule]]\nname = "c"\nrecord = "never"\nwhen.crm.vip = ["y"]\n', NEVER).looks_up
    assert _assembled(iter(frames(policy(ON_FILE)))).looks_up


def test_the_child_compiles_where_it_may_not_make_itself_nicer(monkeypatch: pytest.MonkeyPatch) -> None:
    """SystemCallFilter=~@resources, as in govern's unit, answers setpriority(2) with EPERM."""

    def refused(_: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "nice", refused)
    whole, out = parse(RULE), io.BytesIO()
    assert main(io.BytesIO(json.dumps({"vaults": ["eu"]}).encode() + b"\n" + whole.text.encode()), out) == 0
    out.seek(0)
    assert _assembled(_frames(out.read)) == whole
    out = io.BytesIO()
    main(io.BytesIO(b'{"vaults": []}\nversion = '), out)
    out.seek(0)
    with pytest.raises(BadConfiguration, match="is not TOML"):
        _assembled(_frames(out.read))
