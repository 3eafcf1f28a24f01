"""Laws 1 to 5 over random histories of a scripted world. `FSGOV_LAWS=long` runs a hundred times as many."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fsgov.policy import Policy
from tests.laws.found import FOUND, Found
from tests.laws.history import History
from tests.laws.switch import SECOND
from tests.unit.conversation import ALWAYS, NEVER, NOTICE, ON_DEMAND, OPT_IN, OPT_OUT, policy

EXAMPLES = 700 * (100 if os.environ.get("FSGOV_LAWS") == "long" else 1)
# a mutant only has to be found, not to be made small
PHASES = (Phase.explicit, Phase.generate, *(() if os.environ.get("FSGOV_MUTANT") else (Phase.shrink,)))

ATTESTED = """[[rule]]
name = "attested"
consent = "agent_attested"
purposes = ["evidence", "training"]
"""
STATUTORY = """[purpose.law]
basis = "legal_obligation"
retain_max = "5 years"
[[rule]]
name = "law"
consent = "statutory"
purposes = ["law", "training"]
ask = { prompt = "ask", withdraw = "*9" }
"""
PAUSE = 'pause = { by = "mask", max = "20 s", at_max = "stop" }\n'
RULES: dict[tuple[str, str], str] = {
    ("none", "always"): ALWAYS + PAUSE,
    ("none", "never"): NEVER,
    ("none", "on_demand"): ON_DEMAND,
    ("notice", "always"): NOTICE,
    ("opt_out", "always"): OPT_OUT,
    ("opt_in", "always"): OPT_IN.replace('"8 s"', '"5 s"'),
    ("agent_attested", "always"): ATTESTED,
    ("statutory", "always"): STATUTORY + PAUSE,
}
POLICIES: dict[tuple[str, str], Policy] = {key: policy(rule) for key, rule in RULES.items()}

PEOPLE = (
    "call a", "call b", "answer a", "answer b", "bridge b", "call c", "answer c",
    "hangup a", "hangup b", "hangup c",
    "press a 1", "press a 2", "press a *9", "press a 1", "press b 1", "press c 1", "press c 2", "press a 57",
    "attest given", "attest given", "attest refused", "attest withdrawn",
    "act pause", "act resume", "act stop", "act start", "hold a", "hold b",
)  # fmt: skip
TIME = ("wait 0.1", "wait 0.5", "wait 1", "wait 4", "wait 9", "wait 30")
TROUBLE = (
    "disconnect", "connect", "restart fsgov", "restart switch", "move", "stray", "junk",
    "kill 1", "kill 2", "kill 3", "halt on", "halt off",
)  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(PEOPLE), st.sampled_from(TIME), st.sampled_from(TIME), st.sampled_from(TROUBLE)
)
SCENES = st.sampled_from((
    ["answer a", "wait 1", "press a 1", "wait 1"],
    ["wait 1", "press a 1", "wait 1", "press a *9", "wait 1"],
    ["wait 9", "press a *9", "wait 1"],
    ["act pause", "wait 1", "act resume", "wait 1"],
    ["hold a", "wait 4", "hold a", "wait 1", "act pause", "wait 4", "act resume", "wait 4"],
    ["attest given", "wait 1"],
    ["attest given", "wait 1", "attest refused", "wait 1"],
    ["kill 1", "act stop", "wait 1"],
    ["act stop", "kill 1", "wait 1", "act start", "wait 1"],
))  # fmt: skip
SCRIPTS = st.lists(st.one_of(WORDS.map(lambda word: [word]), SCENES), max_size=20).map(
    lambda parts: [word for part in parts for word in part]
)
FAULTS = st.lists(
    st.sampled_from(("fine", "fine", "lost", "twice", "late", "refused", "dropped", "no effect")), max_size=14
)
OPENING = st.sampled_from((
    [],
    ["call a", "call b", "answer b", "answer a", "bridge b"],
    ["call a", "answer a", "wait 1"],
    ["call a", "call b", "answer b", "answer a", "wait 1", "press a 1", "wait 1"],
    ["call a", "call b", "answer b", "answer a", "wait 10", "act pause", "wait 1"],
))  # fmt: skip


@settings(max_examples=EXAMPLES, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(sorted(RULES)),
    opening=OPENING,
    script=SCRIPTS,
    faults=FAULTS,
    late=st.booleans(),
    longest=st.sampled_from((0, 20 * SECOND)),
)
def test_laws_1_to_5(
    kind: tuple[str, str], opening: list[str], script: list[str], faults: list[str], late: bool, longest: int
) -> None:
    judge(kind, opening, script, faults, late, longest)


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.why)
def test_a_history_that_once_broke_a_law(found: Found) -> None:
    opening, script = found.opening.split(", "), found.script.split(", ")
    judge(
        (found.mode, found.record),
        opening,
        script,
        found.faults.split(", ") if found.faults else [],
        found.late,
    )


def judge(
    kind: tuple[str, str],
    opening: list[str],
    script: list[str],
    faults: list[str],
    late: bool,
    longest: int = 0,
) -> None:
    history = History(POLICIES[kind], [], longest)
    history.mode, history.record = kind
    history.go_through(opening, script, faults, late)
