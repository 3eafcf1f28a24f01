"""Laws 1 to 5 over random histories of a scripted world. `FSGOV_LAWS=long` runs a hundred times as many."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from fsgov.policy import Policy
from tests.laws.history import History
from tests.unit.conversation import ALWAYS, NEVER, NOTICE, ON_DEMAND, OPT_IN, OPT_OUT, policy

EXAMPLES = 700 * (100 if os.environ.get("FSGOV_LAWS") == "long" else 1)
# a mutant only has to be found, not to be made small
PHASES = (Phase.explicit, Phase.generate, *(() if os.environ.get("FSGOV_MUTANT") else (Phase.shrink,)))

RULES: dict[tuple[str, str], str] = {
    ("none", "always"): ALWAYS + 'pause = { by = "mask", max = "20 s", at_max = "stop" }\n',
    ("none", "never"): NEVER,
    ("none", "on_demand"): ON_DEMAND,
    ("notice", "always"): NOTICE,
    ("opt_out", "always"): OPT_OUT,
    ("opt_in", "always"): OPT_IN.replace('"8 s"', '"5 s"'),
}
POLICIES: dict[tuple[str, str], Policy] = {key: policy(rule) for key, rule in RULES.items()}

PEOPLE = (
    "call a", "call b", "answer a", "answer b", "bridge b", "call c", "answer c",
    "hangup a", "hangup b", "hangup c",
    "press a 1", "press a 2", "press a *9", "press a 1", "press b 1", "press c 1", "press c 2", "press a 57",
    "act pause", "act resume", "act stop", "act start", "hold a", "hold b",
)  # fmt: skip
TIME = ("wait 0.1", "wait 0.5", "wait 1", "wait 4", "wait 9", "wait 30")
TROUBLE = (
    "disconnect", "connect", "restart fsgov", "restart switch", "move", "stray", "junk",
    "kill 1", "kill 2", "kill 3",
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
)
@example(  # found by the long form: the end of a stray ended the question about it
    kind=("none", "always"),
    opening=["call a", "answer a", "wait 1"],
    script=["wait 0.1", "wait 1", "kill 2"],
    faults=["late", "fine"],
    late=False,
)
@example(  # a pause of a call that its pause's limit has stopped was accepted, and its resume, too
    kind=("none", "always"),
    opening=["call a", "call b", "answer b", "answer a", "wait 10", "act pause", "wait 1"],
    script=["disconnect", "wait 30", "act pause", "wait 1", "act resume", "wait 1"],
    faults=[],
    late=False,
)
@example(  # the end of the segment ended the stop of a stray
    kind=("opt_out", "always"),
    opening=["call a", "answer a", "wait 1"],
    script=["wait 9", "press a *9", "wait 1", "hangup a"],
    faults=["late", "fine", "fine", "fine", "fine", "fine", "fine", "lost", "late", "fine"],
    late=True,
)
@example(  # a pause was acknowledged while the unmask before it was still under way
    kind=("none", "always"),
    opening=["call a", "answer a", "wait 1"],
    script=["act pause", "wait 1", "act resume", "wait 1", "act pause", "wait 1", "act resume", "wait 1"],
    faults=["lost", "fine"],
    late=True,
)
@example(  # killed after an unmask was sent: the mask had ended
    kind=("none", "always"),
    opening=["call a", "answer a", "wait 1"],
    script=["act pause", "wait 1", "act resume", "wait 1", "restart fsgov"],
    faults=["lost", "fine"],
    late=True,
)
@example(  # a stop was acknowledged while a recording that had been given up ran
    kind=("notice", "always"),
    opening=["call a", "call b", "answer b", "answer a", "bridge b"],
    script=["wait 1", "answer a", "wait 1", "press a 1", "wait 1", "wait 9", "act stop", "kill 1", "wait 1"],
    faults=[
        "late",
        "fine",
        "fine",
        "lost",
        "dropped",
        "lost",
        "refused",
        "fine",
        "fine",
        "late",
        *["fine"] * 4,
    ],
    late=True,
)
@example(  # and so was a pause
    kind=("notice", "always"),
    opening=["call a", "call b", "answer b", "answer a", "bridge b"],
    script=["answer a", "wait 1", "press a 1", "wait 1", "hold a", "wait 4", "hold a", "wait 1", "act pause",
            "wait 4", "act resume", "wait 4"],
    faults=["lost", *["fine"] * 4, "late", *["fine"] * 4],
    late=True,
)  # fmt: skip
def test_laws_1_to_5(
    kind: tuple[str, str], opening: list[str], script: list[str], faults: list[str], late: bool
) -> None:
    history = History(POLICIES[kind], [] if late else list(faults))
    history.mode, history.record = kind
    for word in opening:
        history.do(word)
    if late:
        history.faults = list(faults)
    for word in script:
        history.do(word)
    history.settle()
    history.end()
