"""Live acts: start, stop, pause, resume, tag; what the file says of a pause; who gets which answer when."""

from __future__ import annotations

import json

import pytest

from fsgov import events as ev
from fsgov.call import Capture
from fsgov.commands import Answer, MaskSegment, Release, Remember, UnmaskSegment
from fsgov.events import Act
from tests.unit.conversation import ALWAYS, AUDIO, NEVER, ON_DEMAND, OPT_IN, SECOND, T0, Talk, moves

PAUSE = 'pause = { by = "mask", max = "3 min", at_max = "stop" }\n'
CUT = 'pause = { by = "cut" }\n'


def answers(talk: Talk) -> list[tuple[str, int]]:
    return [(a.request, a.status) for a in talk.all(Answer)]


def running(*rules: str) -> Talk:
    talk = Talk(*rules)
    talk.inbound()
    talk.opens()
    return talk


def masks(talk: Talk) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(talk.all(Release)[-1].sidecar)["masks"]
    return found


def test_a_pause_is_acknowledged_by_the_switch_not_by_us() -> None:
    talk = running(ALWAYS)
    talk.now += 4 * SECOND
    assert moves(talk.act(Act.PAUSE)) == ["mask"]
    assert talk.state()[1] is Capture.ON
    assert answers(talk) == []
    assert not talk.entries("segment.masked")
    talk.now += 100_000
    talk.accept()
    assert talk.state()[1] is Capture.MASKED
    assert answers(talk) == [("r-pause", 200)]
    (entry,) = talk.entries("segment.masked")
    assert (entry.facts["file_ms"], entry.facts["actor"]) == (4100, "p-alice")


def test_a_pause_is_remembered_durably_before_the_switch_hears_of_it() -> None:
    talk = running(ALWAYS)
    talk.act(Act.PAUSE)
    _, remembered, sent = talk.last
    assert isinstance(remembered, Remember)
    assert remembered.durable
    assert isinstance(sent, MaskSegment)


def test_the_mask_is_a_file_interval_from_its_acknowledgement_to_when_the_unmask_was_sent() -> None:
    talk = running(ALWAYS)
    talk.now += 4 * SECOND
    talk.act(Act.PAUSE)
    talk.now += 20_000
    talk.accept()
    talk.now += 3 * SECOND
    talk.act(Act.RESUME)
    sent = talk.now + 5_000
    talk.now += 30_000
    flight = talk.flight()
    assert isinstance(flight, UnmaskSegment)
    talk.push(ev.CommandAccepted, call="a", command=flight.number, sent=sent)
    assert talk.state()[1] is Capture.ON
    talk.hangs_up("a", "b")
    (mask,) = masks(talk)
    assert (mask["from_ms"], mask["to_ms"], mask["by"], mask["actor"]) == (4020, 7025, "mask", "p-alice")
    assert talk.over() == "recorded"


def test_a_mask_that_lasts_to_the_end_has_no_end() -> None:
    talk = running(ALWAYS)
    talk.act(Act.PAUSE)
    talk.accept()
    talk.hangs_up("a", "b")
    assert masks(talk)[0]["to_ms"] is None


def test_holds_of_the_recorded_leg_and_cuts_shorten_the_file_and_those_of_others_do_not() -> None:
    talk = running(ALWAYS + CUT)
    talk.now += 2 * SECOND
    talk.push(ev.LegHeld, leg="a")
    talk.now += 5 * SECOND
    talk.push(ev.LegUnheld, leg="a")
    talk.push(ev.LegHeld, leg="b")
    talk.now += 1 * SECOND
    talk.act(Act.PAUSE)
    assert isinstance(talk.flight(), MaskSegment)
    talk.accept()
    talk.now += 10 * SECOND
    talk.act(Act.RESUME)
    talk.accept()
    talk.now += 4 * SECOND
    talk.act(Act.PAUSE)
    talk.accept()
    talk.hangs_up("a", "b")
    first, second = masks(talk)
    assert (first["from_ms"], first["to_ms"]) == (3000, 3000)
    assert (second["from_ms"], second["to_ms"]) == (7000, None)
    side = json.loads(talk.all(Release)[-1].sidecar)
    assert side["holds"] == [{"from": T0 + 2 * SECOND, "to": T0 + 7 * SECOND}]


def test_the_switchs_clock_opens_the_timeline_where_it_can_be_believed() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.accept()
    talk.push(ev.RecordingStarted, leg="a", path="/x/a-01.wav", segment="a-01", at=talk.now - 30_000)
    talk.now += 1 * SECOND
    talk.act(Act.PAUSE)
    talk.accept()
    assert talk.entries("segment.masked")[0].facts["file_ms"] == 1030
    other = Talk(ALWAYS)
    other.inbound()
    other.accept()
    other.push(ev.RecordingStarted, leg="a", path="/x/a-01.wav", segment="a-01", at=other.now - 3600 * SECOND)
    other.now += 1 * SECOND
    other.act(Act.PAUSE)
    other.accept()
    assert other.entries("segment.masked")[0].facts["file_ms"] == 1000


def test_not_acknowledged_in_two_seconds() -> None:
    talk = running(ALWAYS)
    talk.act(Act.PAUSE)
    talk.wait(1.9)
    assert answers(talk) == []
    talk.wait(0.2)
    assert answers(talk) == [("r-pause", 202)]


def test_a_pause_the_switch_refuses_closes_the_segment() -> None:
    talk = running(ALWAYS)
    talk.act(Act.PAUSE)
    assert moves(talk.refuse()) == ["close"]
    assert talk.state()[1] is Capture.UNKNOWN
    talk.closes()
    assert answers(talk) == [("r-pause", 200)]  # nothing is captured: that is what a pause is for
    talk.wait(30)
    assert talk.state()[1] is Capture.OFF
    assert moves(talk.act(Act.RESUME)) == ["open"]


def test_a_pause_nobody_answers_is_driven_to_off_and_reopened_when_resumed() -> None:
    talk = running(ALWAYS)
    talk.act(Act.PAUSE)
    assert moves(talk.silence()) == ["close"]
    talk.closes()
    assert masks(talk)[0]["acknowledged"] is None
    talk.act(Act.RESUME)
    flight = talk.flight()
    assert flight.segment == "a-02"


@pytest.mark.parametrize(("at_max", "next_move"), [("stop", "close"), ("resume", "unmask")])
def test_the_watchdog_of_a_pause(at_max: str, next_move: str) -> None:
    talk = running(ALWAYS + PAUSE.replace("stop", at_max))
    talk.act(Act.PAUSE)
    talk.accept()
    talk.wait(179)
    assert talk.state()[1] is Capture.MASKED
    assert moves(talk.wait(2)) == [next_move]


def test_pause_and_resume_where_they_make_no_sense() -> None:
    talk = Talk(NEVER)
    talk.inbound()
    talk.act(Act.PAUSE)
    talk.act(Act.RESUME)
    talk.act(Act.STOP)
    talk.act(Act.START)
    assert [status for _, status in answers(talk)] == [409, 409, 409, 409]
    assert talk.act(Act.PAUSE, call="nobody")[0] == Answer(
        call="nobody", request="r-pause", status=404, reason="no such live call"
    )


def test_stop_and_start_again_is_a_new_segment() -> None:
    talk = running(ALWAYS)
    assert moves(talk.act(Act.STOP)) == ["close"]
    assert answers(talk) == []
    talk.closes()
    assert answers(talk) == [("r-stop", 200)]
    talk.wait(60)
    assert moves(talk.act(Act.START)) == ["open"]
    talk.opens()
    assert answers(talk)[-1] == ("r-start", 200)
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"
    assert [json.loads(r.sidecar)["segment"] for r in talk.all(Release)] == ["a-01", "a-02"]


def test_on_demand() -> None:
    talk = Talk(ON_DEMAND)
    talk.inbound()
    assert moves(talk.act(Act.START)) == ["open"]
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


def test_a_call_refused_cannot_be_started_or_resumed() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("2")
    talk.act(Act.START)
    assert answers(talk) == [("r-start", 409)]


def test_a_pause_while_the_start_is_under_way() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    assert moves(talk.act(Act.PAUSE)) == []
    assert moves(talk.opens()) == ["mask"]
    talk.accept()
    assert answers(talk) == [("r-pause", 200)]


def test_tags() -> None:
    talk = Talk(NEVER)
    talk.inbound()
    talk.act(Act.TAG, tag="complaint")
    assert answers(talk) == [("r-tag", 200)]
    talk.act(Act.TAG, tag="x" * 500, request="r-2")
    assert answers(talk)[-1] == ("r-2", 409)
    for _ in range(200):
        talk.act(Act.TAG, tag="more", request="r-3")
    assert answers(talk)[-1] == ("r-3", 409)
    document = json.loads(talk.all(Remember)[-1].text)
    assert len(document["tags"]) == 100
    assert document["tags"][0]["tag"] == "complaint"


def test_what_waits_is_answered_at_the_end() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.act(Act.START)
    talk.hangs_up("a", "b")
    assert answers(talk) == [("r-start", 409)]


def test_a_start_that_is_told_of_seconds_later_does_not_shift_its_masks() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    segment = talk.flight().segment
    talk.now += 3 * SECOND
    talk.push(
        ev.RecordingStarted, at=talk.now - 3 * SECOND + 20_000, leg="a", path=f"{AUDIO}/{segment}.wav",
        segment=segment,
    )  # fmt: skip
    talk.now += SECOND
    talk.act(Act.PAUSE)
    talk.accept()
    (entry,) = talk.entries("segment.masked")
    assert entry.facts["file_ms"] == 3980
