"""Laws 1 and 5 over histories of two calls that merge and part; see test_laws.py for the long form."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.laws.found import SEVERAL, Found
from tests.laws.several import Several
from tests.laws.test_laws import EXAMPLES, FAULTS, PHASES, RULES
from tests.unit.conversation import NEVER, ON_FILE, policy

POLICIES = {key: policy(rule) for key, rule in {**RULES, ("on_file", "always"): ON_FILE}.items()}
NOTHING = policy(NEVER)

PEOPLE = (
    "call b", "answer b", "call c", "answer c", "call d", "answer d", "call x", "answer x", "call y",
    "answer y",
    "hangup a", "hangup b", "hangup c", "hangup x",
    "attest given", "attest given", "attest refused",
    "press a 1", "press a 2", "press c 1", "press c 2", "press x 1", "press x 2", "press d 1", "press a *9",
    "act pause", "act resume", "act stop", "act start", "unfile c", "unfile x",
)  # fmt: skip
MOVES = (
    "meet a b", "meet a c", "meet b d", "meet a x", "meet x y", "meet b x", "meet a y", "apart a", "apart b",
    "room a 1", "room b 1", "room c 1", "room x 1", "room a 2", "room x 2", "room y 2",
)  # fmt: skip
TIME = ("wait 0.1", "wait 0.5", "wait 1", "wait 4", "wait 9")
TROUBLE = (
    "disconnect",
    "connect",
    "restart fsgov",
    "kill 1",
    "kill 2",
    "kill 3",
    "halt on",
    "halt off",
    "policy never",
)
WORDS = st.one_of(
    st.sampled_from(PEOPLE), st.sampled_from(MOVES), st.sampled_from(MOVES), st.sampled_from(TIME),
    st.sampled_from(TIME), st.sampled_from(TROUBLE),
)  # fmt: skip
SCENES = st.sampled_from(
    [
        scene.split(", ")
        for scene in (
            "call x, answer x, wait 1, press x 1, wait 1",
            "call x, answer x, wait 1, press x 2, wait 1, meet a x, wait 1, press x 1, wait 9, apart a",
            "call x, answer x, call y, answer y, meet x y, wait 1, press x 1, wait 9, meet a y, hangup x",
            "call c, answer c, meet a c, wait 1, press c 1, wait 1",
            "call b, answer b, call c, answer c, wait 1, press c 2, wait 1, room a 1, room b 1",
            "call x, answer x, wait 1, press x 1, room x 2, room c 2, wait 1, press c 1, wait 9",
            "call b, answer b, meet a b, apart a, call d, answer d, meet b d, call c, answer c, meet a c, "
            "wait 1, press c 1, press d 1, wait 9",
            "call d, answer d, meet b d, wait 1, press d 1, wait 1",
            "call b, answer b, room a 1, room b 1, wait 1, call x, answer x, press x 1, room x 1, wait 9, "
            "room a 2",
            "room x 2, call y, answer y, room y 2, wait 9",
        )
    ]
)
SCRIPTS = st.lists(st.one_of(SCENES, SCENES, WORDS.map(lambda word: [word])), max_size=12).map(
    lambda parts: [word for part in parts for word in part]
)
OPENING = st.sampled_from((
    ["call a", "answer a", "wait 1", "press a 1", "wait 9"],
    ["call a", "call b", "answer b", "answer a", "meet a b", "wait 1", "press a 1", "wait 9"],
    ["call a", "answer a", "wait 1", "press a 1", "call x", "answer x", "wait 1", "press x 1", "wait 9"],
))  # fmt: skip


@settings(max_examples=EXAMPLES // 2, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(sorted(POLICIES)), opening=OPENING, script=SCRIPTS, faults=FAULTS, late=st.booleans()
)
def test_laws_1_and_5_of_several(
    kind: tuple[str, str], opening: list[str], script: list[str], faults: list[str], late: bool
) -> None:
    judge(kind, opening, script, faults, late)


@pytest.mark.parametrize("found", SEVERAL, ids=lambda found: found.why)
def test_a_history_of_several_that_once_broke_a_law(found: Found) -> None:
    faults = found.faults.split(", ") if found.faults else []
    judge((found.mode, found.record), found.opening.split(", "), found.script.split(", "), faults, found.late)


def judge(
    kind: tuple[str, str], opening: list[str], script: list[str], faults: list[str], late: bool
) -> None:
    history = Several(POLICIES[kind], [], NOTHING)
    history.mode, history.record = kind
    history.go_through(opening, script, faults, late)
