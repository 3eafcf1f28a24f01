"""SIGKILL of govern, scribe, ship and keep at random moments and steps, under a load of time-coded calls.

`make crash` (FSGOV_CRASH=long) kills each of them 200 times, which takes about half an hour on two cores;
`make test` does it for as long as fits into a minute. The seed is in the name of each test;
FSGOV_CRASH_SEED=N repeats its plan. Nothing is asked of fsgov's journal that the switch's ledger and the
vault cannot answer.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from fsgov.demo import site as sites
from fsgov.demo.stage import Stage
from tests.acceptance.crash import loop, oracle
from tests.acceptance.crash.evidence import Evidence, collect
from tests.acceptance.crash.loop import Script
from tests.acceptance.crash.parts import scratch
from tests.acceptance.load import judge
from tests.acceptance.load.end import to_the_end
from tests.acceptance.load.kills import POINTS, Kills
from tests.acceptance.load.phones import Phones

LONG = os.environ.get("FSGOV_CRASH") == "long"
EACH = int(os.environ.get("FSGOV_CRASH_KILLS", "200" if LONG else "4"))
"""Kills of each part."""
RATE = 0.7
"""Calls a second."""
FRAMES_A_SECOND = 50
pytestmark = pytest.mark.timeout(5400 if LONG else 600)


def seed() -> int:
    if given := os.environ.get("FSGOV_CRASH_SEED"):
        return int(given)
    return random.SystemRandom().randrange(1 << 32) if LONG else 20_260_000


@dataclass(frozen=True, slots=True)
class Aftermath:
    site: sites.Site
    phones: Phones
    kills: Kills
    evidence: Evidence
    faults: list[str]


@pytest.fixture(scope="module", params=[seed()], ids=lambda n: f"seed {n}")
def after(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    site = sites.Site(tmp_path_factory.mktemp("kills"))
    scratch(site).mkdir()
    sites.check_path(site.root)
    sites.make(site, (Path(__file__).parent / "load" / "policy.toml").read_text())
    scripts: dict[str, Script] = {}
    with Stage.open(site) as stage:
        stage.start_switch("--no-commands")
        kills = Kills(site, request.param, EACH)
        phones = Phones(stage, scripts, request.param, RATE, lambda: kills.parts.get("govern"))
        scripts |= kills.scripts() | {
            "phones": phones.script(),
            "end": to_the_end(stage, kills, phones, lambda: kills.over),
        }
        try:
            loop.play(scripts, set(), kills.watch, kills.words, 0.05, 120.0 if not LONG else 1200.0)
        finally:
            kills.close()
        evidence = collect(stage)
    return Aftermath(site, phones, kills, evidence, judge.faults(site, evidence, phones.calls))


def test_vault_catalog_and_log_agree_with_the_world_to_the_frame(after: Aftermath) -> None:
    assert not after.faults, "\n".join(after.faults)


def test_no_plaintext_was_anywhere_at_any_kill(after: Aftermath) -> None:
    assert after.kills.scan.found == []


def test_each_part_was_killed_as_often_as_was_said_and_stopped_well_at_last(after: Aftermath) -> None:
    assert {name: after.kills.count[name] >= EACH for name in POINTS} == dict.fromkeys(POINTS, True)
    assert after.kills.wrong == []
    assert after.kills.codes == {"govern": 0, "ship": 0, "keep": 0}


def test_it_was_a_load_of_calls_of_every_kind_and_audio_of_each_that_is_recorded(after: Aftermath) -> None:
    """That there was something to lose."""
    assert {each.kind for each in after.phones.calls} == set(after.phones.kinds)
    heard = sum(map(len, oracle.written(after.evidence).values()))  # a busy host starts govern late
    assert heard > FRAMES_A_SECOND * len(after.phones.calls)
    assert sum(len(each.silent) for each in after.phones.calls) > len(after.phones.calls) / 4
