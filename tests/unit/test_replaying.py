"""A stored decision beside the one that its inputs give, where fsgov has learned new keys in between."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsgov.cli.replaying import as_stored, canonical
from fsgov.policy import decide, describe
from tests.unit.conversation import OPT_IN, policy

AGAIN = decide(policy(OPT_IN), describe(caller="+493012345", dialled="+4930901820")).to_json()


def identical(stored: dict[str, Any]) -> bool:
    return canonical(as_stored(AGAIN, stored)) == canonical(json.loads(json.dumps(stored)))


@pytest.mark.parametrize("absent", [(), ("gate", "announce"), ("unbuffered", "priority")])
def test_a_decision_from_before_a_key_is_the_same(absent: tuple[str, ...]) -> None:
    assert identical({key: value for key, value in AGAIN.items() if key not in absent})


@pytest.mark.parametrize(
    "changed",
    [{"gate": True}, {"consent": "none"}, {"consent": "?"}, {"rule": "x"}, {"extra": 1}, {"purposes": []}],
)
def test_a_decision_that_was_changed_is_not(changed: dict[str, Any]) -> None:
    assert not identical({**AGAIN, **changed})
    assert not identical({key: value for key, value in {**AGAIN, **changed}.items() if key != "announce"})


def test_a_key_that_says_something_is_not_left_out() -> None:
    assert not identical({key: value for key, value in AGAIN.items() if key != "purposes"})
    again = {**AGAIN, "gate": True}
    stored = {key: value for key, value in AGAIN.items() if key != "gate"}
    assert as_stored(again, stored)["gate"] is True
