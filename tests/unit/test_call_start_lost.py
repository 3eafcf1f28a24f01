"""How much the start of a recording lacks: since it was allowed and wanted, until its first frame."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from fsgov import events as ev
from fsgov.commands import Release, Remember
from fsgov.events import Act
from tests.unit.conversation import ALWAYS, AUDIO, NOTICE, ON_DEMAND, OPT_IN, OPT_OUT, Talk


def begins(talk: Talk, after: int, *, at: int | None = None) -> int:
    """The start under way comes about after so many ms (`at`: so many before now); what it lacks."""
    flight = talk.flight()
    talk.now += after * 1000
    path = f"{AUDIO}/{flight.segment}.wav"
    told = talk.now if at is None else talk.now - at * 1000
    talk.push(ev.RecordingStarted, leg=flight.leg, path=path, segment=flight.segment, at=told)
    lost = talk.entries("segment.opened")[-1].facts["start_lost_ms"]
    assert isinstance(lost, int)
    assert f'"start_lost_ms": {lost},' in talk.all(Remember)[-1].text
    return lost


def answered(talk: Talk) -> None:
    talk.inbound()


def notice(talk: Talk) -> None:
    talk.inbound()
    talk.plays()


def yes(talk: Talk) -> None:
    notice(talk)
    talk.now += 2_000_000
    talk.presses("1")


def silence(talk: Talk) -> None:
    notice(talk)
    talk.wait(5)


def start(talk: Talk) -> None:
    talk.inbound()
    talk.wait(30)
    talk.act(Act.START)


@pytest.mark.parametrize(
    ("rule", "permitted"),
    [(ALWAYS, answered), (NOTICE, notice), (OPT_IN, yes), (OPT_OUT, silence), (ON_DEMAND, start)],
)
def test_it_is_counted_from_what_opened_the_gate(rule: str, permitted: Callable[[Talk], None]) -> None:
    talk = Talk(rule)
    permitted(talk)
    assert begins(talk, 340) == 340
    talk.hangs_up("a", "b")
    assert json.loads(talk.all(Release)[0].sidecar)["start_lost_ms"] == 340


def test_the_switchs_clock_counts_at_both_ends() -> None:
    talk = Talk(ALWAYS)
    talk.created("a")
    talk.answered("a", at=talk.now - 100_000)  # heard of 0.1 s late
    assert begins(talk, 200, at=50) == 250


def test_an_armed_recording_lacks_nothing() -> None:
    talk = Talk(ALWAYS + "armed = true\n")
    talk.created("a")
    assert begins(talk, 300) == 0
    talk.wait(5)
    talk.answered("a")
    talk.hangs_up("a")
    assert json.loads(talk.all(Release)[0].sidecar)["start_lost_ms"] == 0


def test_one_that_was_armed_too_late_lacks_what_was_said_since_the_answer() -> None:
    talk = Talk(ALWAYS + "armed = true\n")
    talk.created("a")
    flight = talk.flight()
    talk.answered("a")
    talk.now += 120_000
    talk.recording(flight.segment)
    assert talk.entries("segment.opened")[-1].facts["start_lost_ms"] == 120


def test_tries_that_failed_count() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.refuse()
    talk.wait(0.5)
    assert begins(talk, 20) == 520


def test_after_a_stop_it_counts_anew_from_the_act_that_starts_it_again() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    assert begins(talk, 10) == 10
    talk.act(Act.STOP)
    talk.closes()
    talk.wait(60)
    talk.act(Act.START)
    assert begins(talk, 30) == 30


def test_where_somebody_else_ended_it_the_gap_is_counted() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    begins(talk, 10)
    talk.wait(10)
    talk.stops("a-01", cause="success-maxtime")
    assert begins(talk, 40) == 40


def test_a_restart_in_between_forgets_nothing() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.now += 1_000_000
    again = talk.restarted()
    again.created("a", found=True, answered=True)
    again.created("b", found=True, answered=True)
    again.resync(a=(), b=())
    assert begins(again, 500) == 1500
