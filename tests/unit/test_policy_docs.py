"""docs/policy.md says what this version enforces: its examples are executed, every key and value is named."""

from __future__ import annotations

import re
import shlex
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner

from fsgov import config
from fsgov.cli.root import fsgov
from fsgov.cli.simulating import show
from fsgov.policy import (
    AtMax,
    Basis,
    CallDirection,
    ConsentMode,
    OnFailure,
    OnLookupFailure,
    OnWithdrawal,
    PauseBy,
    Policy,
    Priority,
    PromptFacts,
    RecordMode,
    RefusalAct,
    Require,
    decide,
    describe,
    parse,
    run_tests,
)
from fsgov.policy.findings import findings
from fsgov.policy.purposes import EVENTS
from fsgov.policy.raising import obtainable
from fsgov.policy.simulating import Past, Simulation
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


DOCUMENTS = re.findall(r"```toml\n(version.*?)```", DOC, re.DOTALL)
"""Complete policies; other blocks show a key or two."""
TRANSCRIPTS = re.findall(
    r"^```\n\$ (fsgov policy (?:check|test|explain) policy\.toml.*?)\n(.*?)^```$", DOC, re.M | re.S
)


def loaded(text: str) -> Policy:
    facts = PromptFacts(file="/p/x.wav", samples=8_000, rate=8_000, sha256="ab" * 32)
    return parse(text, prompts=lambda _: facts, packs=config.law_packs())


def test_the_page_has_an_example_of_each_kind() -> None:
    assert len(DOCUMENTS) == 7
    assert {line.split()[2] for line, _ in TRANSCRIPTS} == {"check", "test", "explain"}
    assert len(TRANSCRIPTS) == 3


@pytest.mark.parametrize("text", DOCUMENTS, ids=lambda text: text.split('"')[1])
def test_an_example_loads_passes_its_tests_and_says_what_it_means(text: str) -> None:
    policy = loaded(text)
    assert len(policy.trials) >= 2
    assert run_tests(policy) == []
    # the first shows a floor that its question cannot serve, and says so
    assert {finding.kind for finding in findings(policy)} == ({"floor"} if text == DOCUMENTS[0] else set())


@pytest.mark.parametrize(("line", "said"), TRANSCRIPTS, ids=[line[:19] for line, _ in TRANSCRIPTS])
def test_what_the_page_shows_is_printed(line: str, said: str, tmp_path: Path) -> None:
    """Of the first example; the digest, which holds the place of the prompts, is another everywhere."""
    (tmp_path / "policy.toml").write_text(DOCUMENTS[0])
    (tmp_path / "prompts").mkdir()
    for name in ("de", "en"):
        with wave.open(str(tmp_path / "prompts" / f"quality-{name}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8_000)
            sound.writeframes(b"\1\0" * 8_000)
    words = shlex.split(line.replace("policy.toml", str(tmp_path / "policy.toml")))[1:]
    done = CliRunner().invoke(fsgov, words, catch_exceptions=False)
    assert without_digest(done.output) == without_digest(said)


def test_the_simulation_of_the_page_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the first example, whose british line asks from now on; with calls of three days."""
    old = loaded(DOCUMENTS[0])
    notice, question = (
        'consent = "notice"\nask = {',
        'consent = "opt_out"\nask = { no = "2", withdraw = "*9",',
    )
    assert notice in DOCUMENTS[0]
    told = Simulation(
        loaded(DOCUMENTS[0].replace(notice, question).replace("2026-11-21", "2026-12-01")), nothing
    )
    for n in range(1, 601):
        caller = ("+442079460199", "+493012345", "+33142685300")[n % 5 % 3]
        inputs = describe(caller=caller, dialled="+442079460100", call=str(UUID(int=n << 100, version=4)))
        decision = decide(old, inputs)
        outcome = "failed" if not obtainable(decision) else "recorded" if n % 9 else "not-answered"
        at = datetime(2026, 11, 18, tzinfo=UTC) + timedelta(minutes=7 * n)
        stored = None if n % 150 == 0 else inputs.to_json()
        told.add(Past(inputs.call, at, outcome, old.sha256, stored, decision.to_json()))
    show(told)
    said = DOC.partition("$ fsgov policy simulate new.toml --since 2026-11-18\n")[2].partition("```")[0]
    assert without_digest(capsys.readouterr().out) == without_digest(said)


def nothing(_: str) -> frozenset[str]:
    return frozenset()


def without_digest(text: str) -> str:
    return re.sub(r" +$", "", re.sub(r"\([0-9a-f]{16}\)", "(digest)", text), flags=re.MULTILINE)


WORDS = sorted(
    {*KEYS.split(), *EVENTS, *EXPECTED, *config.law_packs(), *(m.value for kind in KINDS for m in kind)}
)


@pytest.mark.parametrize("word", WORDS)
def test_every_key_and_value_is_documented(word: str) -> None:
    assert re.search(rf"(?<![\w:]){re.escape(word)}(?![\w:])", CODE)
