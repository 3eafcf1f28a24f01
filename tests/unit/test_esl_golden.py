"""Each capture through esl and the core against its golden file, which a person wrote from its notes.

tests/golden/<capture>.toml says in `story` what happened, and for each connection that tells anything what
its subscription can tell: what is not named there is not told. `outcomes` is
"unknown" where the legs and their ends are not told. The rule in force records nothing: every recording is a
foreign one.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fsgov import events as ev
from fsgov.commands import Enter, Inspect, RecorderCommand
from fsgov.esl.frames import Frames
from fsgov.esl.translate import Translator
from fsgov.events import Direction, Event
from tests import wire
from tests.unit.conversation import NEVER, Talk

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = {
    ev.LegAnswered: "answered",
    ev.LegsUnbridged: "unbridged",
    ev.LegHeld: "held",
    ev.LegUnheld: "unheld",
    ev.LegHungUp: "hung_up",
    ev.RoomJoined: "joined",
    ev.RoomLeft: "left",
    ev.PromptStarted: "prompts",
    ev.PromptStopped: "prompts_ended",
    ev.PromptMissing: "missing",
    ev.RecordingSeen: "moved",
    ev.Heartbeat: "beats",
}


def told(stream: bytes) -> tuple[list[Event], Counter[str]]:
    """The core's events of a connection's bytes."""
    translator = Translator()
    found = []
    for n, frame in enumerate(Frames().feed(stream)):
        if frame.is_event:
            now = 1_795_000_000_000_000 + n
            event = translator.translate(frame.headers, now)
            found += [event] if event else []
    return found, translator.counts


def summary(stream: bytes) -> dict[str, Any]:
    """What a golden file says, of these bytes."""
    events, counts = told(stream)
    result: Counter[str] = Counter(NAMES[type(e)] for e in events if type(e) in NAMES)
    created = [e for e in events if isinstance(e, ev.LegCreated)]
    result["inbound"] = sum(e.direction is Direction.INBOUND for e in created)
    result["outbound"] = sum(e.direction is Direction.OUTBOUND for e in created)
    result["bridged"] = len({frozenset((e.leg, e.other)) for e in events if isinstance(e, ev.LegsBridged)})
    result["gone"] = len({e.leg for e in events if isinstance(e, ev.LegGone)})
    started = [e for e in events if isinstance(e, ev.RecordingStarted)]
    assert all(e.segment is None for e in started)
    result["foreign"] = len(started)
    for count in ("forged", "injected", "unreadable", "repeated"):
        result[count] = counts[count]
    seen: dict[str, Any] = {name: n for name, n in result.items() if n}
    stopped = sorted(e.cause for e in events if isinstance(e, ev.RecordingStopped))
    keys = "".join(e.digit for e in events if isinstance(e, ev.KeyPressed))
    seen |= {"stopped": stopped} if stopped else {}
    seen |= {"keys": keys} if keys else {}
    return seen


def judged(stream: bytes) -> dict[str, Any]:
    """What the core makes of it: the outcomes and how many parties they had. Nothing is ever recorded."""
    talk = Talk(NEVER)
    for event in told(stream)[0]:
        talk.now = event.now
        talk._took(talk.board.handle(event))
    talk.wait(60)
    assert all(isinstance(c, Inspect) for c in talk.sent if isinstance(c, RecorderCommand))
    over = [c for c in talk.sent if isinstance(c, Enter) and c.type == "call.over"]
    if not over:
        return {}
    entered = [c for c in talk.sent if isinstance(c, Enter) and c.type == "leg.joined"]
    joined = {(c.subject, c.facts["party"]) for c in entered if c.facts["party"]}  # 0: a loopback is nobody
    return {"outcomes": sorted(str(c.facts["outcome"]) for c in over), "parties": len(joined)}


def cases() -> list[Any]:
    return [
        pytest.param(name, number, stream, id=f"{name}-{number}")
        for name in wire.names()
        for number, stream in wire.connections(wire.CAPTURES / f"{name}.jsonl").items()
    ]


def golden(name: str, number: int) -> dict[str, Any]:
    document = tomllib.loads((GOLDEN / f"{name}.toml").read_text())
    assert document.pop("story").strip()
    return dict(document.get(f"c{number}", {}))


@pytest.mark.parametrize(("name", "number", "stream"), cases())
def test_a_capture_tells_what_its_golden_file_says(name: str, number: int, stream: bytes) -> None:
    expected = golden(name, number)
    expected.pop("parties", None), expected.pop("outcomes", None)
    assert summary(stream) == expected


@pytest.mark.parametrize(("name", "number", "stream"), cases())
def test_the_core_ends_a_capture_as_its_golden_file_says(name: str, number: int, stream: bytes) -> None:
    expected = golden(name, number)
    known = {k: v for k, v in expected.items() if k in ("parties", "outcomes") and v != "unknown"}
    assert judged(stream) == known


def test_there_is_a_golden_file_for_each_capture_and_no_other() -> None:
    assert sorted(p.stem for p in GOLDEN.glob("*.toml")) == wire.names()
