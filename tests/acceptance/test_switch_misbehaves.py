"""A switch that refuses, forgets to answer, or loses events: all of it at once, each on a call of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsgov.demo import run
from fsgov.demo.display import Display
from fsgov.demo.scenes import END, Act, Between, Do, Scene, Talk, Until
from fsgov.demo.stage import Stage
from fsgov.demo.verdict import Verdict
from tests.acceptance.play import hang_up, judged, of_demo, plain, started, together


def call(n: int) -> str:
    return f"0bad0bad-0000-4000-8000-{n:012}"


def fault(n: int, kind: str, **facts: object) -> Do:
    return Do("fault", {"kind": kind, "leg": call(n), **facts}, of_call=False)


def faulty(n: int, scene: Scene, *faults: Do, **changes: object) -> Scene:
    return replace(scene, call=call(n), steps=(*faults, *scene.steps), **changes)  # type: ignore[arg-type]


PAUSE = (
    Talk(0.5),
    Act("pause", asked="pause asked", done="paused"),
    Talk(1.0),
    Act("resume", asked="resume asked", done="resumed"),
    Talk(1.0),
    hang_up(),
)
UNSURE = (
    Talk(0.5),
    Act("pause", asked="pause asked", done="asked in vain", code=4),
    Talk(3.5),
    Do("time", mark="paused", of_call=False),
    Talk(0.5),
    Act("resume", asked="resume asked", done="resumed"),
    Talk(1.0),
    hang_up(),
)
AROUND = (Between("on the record", "pause asked"), Between("resumed", END))
HUSH = (Between("paused", "resume asked"),)

SCENES = {
    # -ERR: what cannot be masked is closed, and opened again afterwards
    "mask refused": faulty(
        1,
        plain("mask refused", *PAUSE, segments=2, heard=AROUND, silent=HUSH),
        fault(1, "error", command="uuid_record * mask"),
    ),
    # the switch masks, but nobody hears of it: closed as well
    "mask unanswered": faulty(
        2,
        plain("mask unanswered", *UNSURE, segments=2, heard=AROUND, silent=HUSH),
        fault(2, "silence", command="uuid_record * mask"),
    ),
    # +OK without effect: only the audio tells, and it is quarantined
    "mask pretended": faulty(
        3,
        plain("mask pretended", *PAUSE, heard=AROUND, silent=HUSH, proof="proven"),
        fault(3, "ignore", command="uuid_record * mask"),
    ),
    # the start is carried out and never answered: unknown, so closed and opened anew
    "start unanswered": faulty(
        4,
        plain(
            "start unanswered",
            Until("opened", "again", nth=2),
            Talk(1.5),
            hang_up(),
            outcome="recorded-in-part",
            heard=(Between("again", END),),
        ),
        fault(4, "silence", command="uuid_record * start"),
        fault(4, "drop", event="RECORD_START"),
        segments=2,
    ),
    # the end of the file is never told
    "stop untold": faulty(
        6,
        plain("stop untold", Talk(1.0), hang_up(), outcome="recorded-in-part"),
        fault(6, "drop", event="RECORD_STOP"),
    ),
    # events twice and in the wrong order
    "events twice": faulty(
        7,
        of_demo("recorded", name="events twice"),
        fault(7, "duplicate", event="CHANNEL_ANSWER"),
        fault(7, "duplicate", event="DTMF"),
        fault(7, "reorder", event="CHANNEL_BRIDGE"),
        fault(7, "duplicate", event="RECORD_START"),
        fault(7, "duplicate", event="RECORD_STOP"),
    ),
}


@pytest.fixture(scope="module")
def verdicts(everything: Stage) -> dict[str, Verdict]:
    """All of it at once; by the name of the scene."""
    started(everything)
    played = together(everything, *SCENES.values())
    return {each.scene: each for each in judged(everything, *played)}


@pytest.mark.parametrize("name", sorted(set(SCENES) - {"mask pretended"}))
def test_what_was_promised_holds_all_the_same(verdicts: dict[str, Verdict], name: str) -> None:
    """Heard is what must be, nothing else; what was odd is told as a finding."""
    assert [fault for fault in verdicts[name].faults if "findings" not in fault] == []


def test_a_mask_that_was_never_acknowledged_is_told(verdicts: dict[str, Verdict]) -> None:
    assert "never acknowledged" in str(verdicts["mask refused"].faults)


def test_a_mask_that_does_nothing_is_found_in_the_audio(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["mask pretended"]
    assert verdict.proof == "failed"
    assert any("quarantine is 'mask-not-proven'" in fault for fault in verdict.faults)
    assert any("s were recorded from paused to resume asked" in fault for fault in verdict.faults)


def test_the_demo_would_say_so(verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]) -> None:
    fine, pretended = verdicts["events twice"], verdicts["mask pretended"]
    assert run.tell(Display(list), [fine], None, [], as_json=False) == 0
    assert "NOT" not in capsys.readouterr().out
    assert run.tell(Display(list), [fine, pretended], None, [], as_json=False) == run.NOT_AS_EXPECTED
    shown = capsys.readouterr().out
    assert "NOT everything came out as expected" in shown
    assert "mask pretended: " in shown
