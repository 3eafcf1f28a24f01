"""Law 4 by itself: any event in any state raises nothing; what means nothing is counted."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsgov import events as ev
from fsgov.attested import Attested
from fsgov.events import Act, Direction
from tests.laws.test_laws import EXAMPLES, PHASES, POLICIES
from tests.unit.conversation import AUDIO, PROMPT, T0, Site, Switchboard

KINDS = [
    kind
    for kind in vars(ev).values()
    if isinstance(kind, type) and issubclass(kind, ev.Event) and kind not in (ev.Event, ev.LegEvent, ev.Reply)
]
LEGS = st.sampled_from(("a", "b", "c", "zz", "", "../x"))
PATHS = st.sampled_from(
    (f"{AUDIO}/a-01.wav", f"{AUDIO}/a-02.wav", f"{AUDIO}/b-01.wav", "/tmp/theirs.wav", "")
)
NUMBERS = st.integers(-5, 12) | st.integers()
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "now": st.integers(T0, T0 + 10**8),
    "at": st.none() | st.integers(T0, T0 + 10**8) | st.integers(),
    "leg": LEGS,
    "other": LEGS,
    "call": LEGS,
    "command": NUMBERS,
    "party": st.integers(-1, 4),
    "direction": st.sampled_from(Direction),
    "act": st.sampled_from(Act),
    "path": PATHS,
    "recordings": st.dictionaries(LEGS, st.lists(PATHS, max_size=2).map(tuple), max_size=3),
    "segment": st.none() | st.sampled_from(("a-01", "a-02", "b-01", "x")),
    "file": st.sampled_from((PROMPT, "/x")),
    "digit": st.sampled_from("12*9#") | st.text(max_size=2),
    "samples": st.none() | st.sampled_from((0, 23_999, 24_000, -1)),
    "variables": st.dictionaries(
        st.sampled_from(("fsgov_consent_training", "fsgov_consent_evidence", "fsgov_consent_", "x")),
        st.sampled_from(("given", "refused", "", "perhaps")),
        max_size=2,
    ),
    "consents": st.dictionaries(st.sampled_from(("training", "evidence", "x")), st.booleans(), max_size=2),
    "facts": st.just({}),
    "leg_found": st.none(),
    "core": st.sampled_from(("core-1", "core-2", "")),
    "profile": st.sampled_from(("sofia/external", "sofia/internal", "loopback", "")),
    "room": st.sampled_from(("r1", "r2")),
    "consent": st.none()
    | st.builds(
        Attested,
        state=st.sampled_from(("given", "refused", "withdrawn")),
        party=st.integers(-1, 4),
        purpose=st.sampled_from(("", "training", "evidence", "x")),
    ),
    "text": st.sampled_from(("", "{}", '{"format": 1}', "[1]")) | st.text(max_size=20),
}
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(max_size=8),
    "bool": st.booleans(),
    "int": st.integers(-1, 10**6),
    "str | None": st.none() | st.text(max_size=8),
    "int | None": st.none() | st.integers(-1, 10**6),
    "Instant": st.integers(T0, T0 + 10**8),
}


def strategy(kind: type[ev.Event], field: dataclasses.Field[Any]) -> st.SearchStrategy[Any]:
    if kind is ev.LegInspected and field.name == "recordings":
        return st.lists(PATHS, max_size=2).map(tuple)
    if field.name in VALUES:
        return VALUES[field.name]
    return BY_TYPE[str(field.type)]


EVENTS = st.one_of([
    st.builds(kind, **{field.name: strategy(kind, field) for field in dataclasses.fields(kind)})
    for kind in KINDS
])  # fmt: skip


@settings(max_examples=EXAMPLES // 2, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(sorted(POLICIES)), events=st.lists(EVENTS, max_size=40), a_is_told=st.booleans())
def test_law_4(kind: tuple[str, str], events: list[ev.Event], a_is_told: bool) -> None:
    board = Switchboard(POLICIES[kind], Site(host="fs1", trunks=("external",), audio=AUDIO))
    now = T0
    legs = (("a", Direction.INBOUND), ("b", Direction.OUTBOUND))
    for leg, direction in legs if a_is_told else legs[1:]:
        created = ev.LegCreated(
            now=now, leg=leg, direction=direction, caller="+49301", dialled="2", profile="sofia/external",
            other=None if leg == "a" else "a", core="core-1",
        )  # fmt: skip
        board.handle(created)
    board.handle(ev.LegAnswered(now=now, leg="a"))
    for event in events:
        now = max(now, event.now)
        commands = board.handle(event)
        assert isinstance(commands, list)
        board.tick(now)
    for seconds in range(1, 400, 7):
        board.tick(now + seconds * 1_000_000)
