"""A switch that is mute, events that are lost, a clock that is set, and an hour without fsgov."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from fsgov.demo.scenes import Do, Talk, Until
from fsgov.demo.stage import Stage
from tests import parts
from tests.acceptance.play import (
    alarms,
    begun,
    eventually,
    go_on,
    good,
    hang_up,
    judged,
    of_demo,
    plain,
    refused,
)
from tests.acceptance.test_switch_misbehaves import call, fault, faulty

HOUR = 3600


@pytest.mark.slow
def test_a_mute_switch_is_left_and_found_again(stage: Stage) -> None:
    """It hangs, its sockets stay open: no event, no answer. What was spoken is in its files all the same."""
    goes_on = begun(stage, plain("goes on"))
    eventually(lambda: "on" in [each["capture"] for each in stage.live() if each["call"] == goes_on.call])
    assert stage.switch is not None
    os.kill(stage.switch.child.pid, signal.SIGSTOP)
    try:
        eventually(lambda: not stage.connected(), 90)
    finally:
        os.kill(stage.switch.child.pid, signal.SIGCONT)
    eventually(stage.connected, 60)
    after = begun(stage, of_demo("recorded", name="after"))
    go_on(stage, goes_on, Talk(0.5), hang_up())
    good(*judged(stage, goes_on, after))


LOST = (
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_DESTROY",
    "CHANNEL_UNBRIDGE",
    "RECORD_STOP",
)


def test_a_call_whose_end_is_never_told_ends_all_the_same(stage: Stage) -> None:
    faults = [fault(41, "drop", event=event) for event in LOST]
    untold = begun(stage, faulty(41, plain("untold", Talk(1.0)), *faults))
    other = begun(stage, plain("told", Talk(1.0)))
    for each in (untold, other):
        go_on(stage, each, hang_up())
    good(*judged(stage, other))
    (over,) = judged(stage, untold, within=90)
    assert [each for each in over.faults if "outcome" not in each and "findings" not in each] == []
    assert call(41) not in {each["call"] for each in stage.live()}


@pytest.mark.parametrize(
    "step", [pytest.param(HOUR, id="forward", marks=pytest.mark.slow), pytest.param(-HOUR, id="back")]
)
def test_a_clock_that_is_set_ends_no_question_and_no_pause_and_makes_none_longer(
    stage: Stage, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "ahead"
    clock.write_text("0")
    stage.stop_service()
    monkeypatch.setenv("PYTHONPATH", str(Path(parts.__file__).parent / "stepping"))
    monkeypatch.setenv("FSGOV_TEST_CLOCK", str(clock))
    try:
        stage.start_service()
        stage.wait_ready()
        eventually(lambda: people(stage))
        paused = begun(stage, of_demo("paused", steps=of_demo("paused").steps[:5]))
        declines, silent = begun(stage, refused("declines")), begun(stage, of_demo("silent", steps=()))
        go_on(stage, silent, *of_demo("silent").steps[:2])
        clock.write_text(str(step))
        eventually(lambda: "clock" in alarms(stage))
        asked = begun(stage, of_demo("recorded"))
        go_on(stage, silent, *of_demo("silent").steps[2:])
        go_on(stage, paused, *of_demo("paused").steps[5:])
        go_on(stage, declines, hang_up())
        good(*judged(stage, paused, declines, silent, asked))
        eventually(lambda: "clock" not in alarms(stage))
    finally:
        monkeypatch.undo()
        stage.stop_service()


def people(stage: Stage) -> bool:
    path = stage.site.spool / "people.json"
    return path.exists() and bool(json.loads(path.read_text()))


def test_an_hour_without_fsgov(stage: Stage) -> None:
    """Who needs nobody is recorded on, what ended is entered, what came and went was not recorded."""
    goes_on = begun(stage, plain("goes on"))
    ends = begun(stage, plain("ends", outcome="recorded-in-part"))
    said_no = begun(stage, refused("said no"))
    assert stage.stop_service() == 0
    go_on(stage, ends, Talk(0.5), hang_up())
    came = [
        begun(stage, plain(f"came {n}", steps=(Do("bridge", {"agent": "1000"}), Talk(0.2)))) for n in (1, 2)
    ]
    stage.do("skip", seconds=HOUR)
    for each in came:
        go_on(stage, each, hang_up())
    stays = begun(stage, plain("stays", steps=(Do("bridge", {"agent": "1000"}),), heard=()))
    stage.start_service()
    stage.wait_ready()
    go_on(stage, stays, Until("opened", "on the record"), Talk(0.5), hang_up())
    for each in (goes_on, said_no):
        go_on(stage, each, hang_up())
    *whole, in_part, late = judged(stage, goes_on, said_no, ends, stays, within=120)
    good(*whole)
    for each in (in_part, late):
        assert [fault for fault in each.faults if "outcome" not in fault] == []
    (opened,) = stage.ledger.all("opened", uuid=goes_on.call)
    (closed,) = stage.ledger.all("closed", uuid=goes_on.call)
    assert closed["moment"] - opened["moment"] > HOUR * 50
    assert not [each for each in came if stage.ledger.all("opened", uuid=each.call)]
