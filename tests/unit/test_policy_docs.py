"""docs/policy.md says what this version enforces: its example loads, and it names every key and value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fsgov import config
from fsgov.policy import (
    AtMax,
    Basis,
    CallDirection,
    ConsentMode,
    OnFailure,
    OnLookupFailure,
    OnWithdrawal,
    PauseBy,
    Priority,
    PromptFacts,
    RecordMode,
    RefusalAct,
    Require,
    parse,
    run_tests,
)
from fsgov.policy.purposes import EVENTS
from fsgov.policy.trials import EXPECTED

DOC = (Path(__file__).parents[2] / "docs/policy.md").read_text()
KINDS = (
    AtMax,
    Basis,
    CallDirection,
    ConsentMode,
    OnFailure,
    OnWithdrawal,
    OnLookupFailure,
    PauseBy,
    Priority,
    RecordMode,
    RefusalAct,
    Require,
)
KEYS = """
version timezone include default on_lookup_failure floor purpose prompt rule test name when record consent ask
purposes on_refusal on_withdrawal pause vault require on_failure announce gate leg armed unbuffered priority
ask_agents yes no timeout withdraw by max at_max basis retain_min retain_max anchor anchor_fallback file
switch_file
language caller dialled direction tenant variable crm country region call expect
queue agent tag time days hours holidays at override residency kind reason value min
"""
# what stands in code: blocks, and spans of one line
CODE = " ".join(re.findall(r"```.*?```|`[^`\n]+`", DOC, re.DOTALL))


def test_the_example_loads_and_passes_its_tests() -> None:
    example = re.search(r"```toml\n(.*?)```", DOC, re.DOTALL)
    assert example is not None
    facts = PromptFacts(file="/p/x.wav", samples=8_000, rate=8_000, sha256="ab" * 32)
    assert run_tests(parse(example[1], prompts=lambda _: facts, packs=config.law_packs())) == []


WORDS = sorted(
    {*KEYS.split(), *EVENTS, *EXPECTED, *config.law_packs(), *(m.value for kind in KINDS for m in kind)}
)


@pytest.mark.parametrize("word", WORDS)
def test_every_key_and_value_is_documented(word: str) -> None:
    assert re.search(rf"(?<![\w:]){re.escape(word)}(?![\w:])", CODE)
