"""What the core makes of the conversations in the captures, where a rule records everything.

`[[call]]` in tests/golden/<capture>.toml, written from the capture's story: each leg (name, direction,
ordinal of its party), each segment (the leg that recorded, the ordinals of who could be heard), the outcome.
The captures do not subscribe to CHANNEL_CREATE: a leg that nobody knows is asked about, and the answer is the
first event that tells of it. What was recorded by hand is left out; the switch does what the core asks.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsgov import events as ev
from fsgov.commands import CloseSegment, Command, Enter, Inspect, OpenSegment, Release, Remember
from fsgov.esl.frames import Frames, Headers
from fsgov.esl.translate import Translator
from tests import wire
from tests.unit.conversation import ALWAYS, Talk

GOLDEN = Path(__file__).parents[1] / "golden"
CONVERSATIONS = sorted(path.stem for path in GOLDEN.glob("*.toml") if "[[call]]" in path.read_text())
BY_HAND = (ev.RecordingStarted, ev.RecordingStopped, ev.RecordingSeen)


class Replay:
    """One connection's events, told to a switchboard whose switch answers at once."""

    def __init__(self, frames: list[Headers]) -> None:
        self.talk = Talk(ALWAYS)
        self.frames = frames
        self.translator = Translator()
        self.waiting: list[Command] = []

    def run(self) -> None:
        for n, headers in enumerate(self.frames):
            event = self.translator.translate(headers, self.talk.now + 20_000)
            self.talk.now += 20_000
            if event is None or isinstance(event, BY_HAND):
                continue
            if isinstance(event, ev.LegGone):
                self.ends(event.leg)
            self.tell(event, n)
        self.talk.wait(60)

    def tell(self, event: ev.Event, n: int) -> None:
        self.waiting += self.talk._took(self.talk.board.handle(event))
        while self.waiting:
            self.carry_out(self.waiting.pop(0), n)

    def carry_out(self, command: Command, n: int) -> None:
        now, path = self.talk.now, f"{self.talk.site.audio}/{getattr(command, 'segment', '')}.wav"
        match command:
            case Inspect(leg=leg) if not command.call:
                found = self.found(leg, n)
                self.tell(ev.LegInspected(now=now, leg=leg, exists=found is not None, leg_found=found), n)
            case OpenSegment(call=call, number=number, segment=segment, leg=leg):
                self.tell(ev.CommandAccepted(now=now, call=call, command=number), n)
                self.tell(ev.RecordingStarted(now=now, leg=leg, path=path, segment=segment), n)
            case CloseSegment(call=call, number=number, segment=segment, leg=leg):
                self.tell(ev.CommandAccepted(now=now, call=call, command=number), n)
                self.tell(ev.RecordingStopped(now=now, leg=leg, path=path, segment=segment, ms=20), n)
            case _:
                pass

    def found(self, leg: str, n: int) -> ev.LegCreated | None:
        """What uuid_dump would say of it: from the first event of its own."""
        own = [h for h in self.frames if h.find("Unique-ID") == leg and h.find("Call-Direction")]
        if not own:
            return None
        return replace(self.translator.leg_found(own[0], self.talk.now), answered=True)

    def ends(self, leg: str) -> None:
        """What runs on a leg ends with it."""
        for call in self.talk.board.calls:
            segment = call.segment
            if segment is not None and segment.leg == leg:
                path = f"{self.talk.site.audio}/{segment.id}.wav"
                stop = ev.RecordingStopped(
                    now=self.talk.now, leg=leg, path=path, segment=segment.id, cause="success-silence", ms=20
                )
                self.tell(stop, 0)

    def concluded(self) -> Iterator[dict[str, Any]]:
        texts = {command.call: json.loads(command.text) for command in self.talk.all(Remember)}
        sidecars = [json.loads(command.sidecar) for command in self.talk.all(Release)]
        over = {c.subject: c.facts["outcome"] for c in self.talk.all(Enter) if c.type == "call.over"}
        for call, document in texts.items():
            yield {
                "legs": [f"{leg['name']} {leg['direction']} {leg['party']}" for leg in document["legs"]],
                "segments": [
                    f"{side['leg_name']}: {' '.join(map(str, sorted(side['parties'])))}"
                    for side in sidecars
                    if side["call"] == call
                ],
                "outcome": over[call],
            }


def concluded(name: str) -> list[dict[str, Any]]:
    stream = wire.connections(wire.CAPTURES / f"{name}.jsonl")[1]
    replay = Replay([frame.headers for frame in Frames().feed(stream) if frame.is_event])
    replay.run()
    return list(replay.concluded())


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_core_concludes_what_the_story_says(name: str) -> None:
    assert concluded(name) == tomllib.loads((GOLDEN / f"{name}.toml").read_text())["call"]
