"""A switch that refuses, stays silent, loses events, moves or stops recordings, or restarts."""

from __future__ import annotations

import itertools
import json

import pytest

from fsgov import events as ev
from fsgov.call import Capture
from fsgov.commands import (
    Answer,
    CloseSegment,
    HangUp,
    Inspect,
    OpenSegment,
    RecorderCommand,
    Release,
    Remember,
)
from fsgov.events import Act, Direction
from tests.unit.conversation import ALWAYS, AUDIO, OPT_IN, SECOND, Talk, moves


def running(*rules: str) -> Talk:
    talk = Talk(*rules or (ALWAYS,))
    talk.inbound()
    talk.opens()
    return talk


def test_a_start_without_an_answer_is_unknown_driven_to_off_and_opened_anew() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    assert moves(talk.silence()) == ["close"]
    assert talk.state()[1] is Capture.UNKNOWN
    assert moves(talk.refuse("-ERR Cannot stop record session!")) == ["inspect"]
    commands = talk.push(ev.LegInspected, leg="a", exists=True)
    assert moves(commands) == ["open"]
    assert talk.flight().segment == "a-02"
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded-in-part"


def test_the_core_itself_gives_up_on_a_reply_that_never_comes() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    assert moves(talk.wait(5))[:1] == ["close"]


def test_a_start_that_was_accepted_without_effect() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.accept()
    assert moves(talk.wait(1.9)) == []
    assert moves(talk.wait(0.2)) == ["close"]
    talk.accept()
    assert moves(talk.wait(2.1)) == ["inspect"]
    assert moves(talk.push(ev.LegInspected, leg="a", exists=True)) == ["open"]


def test_a_start_that_was_given_up_and_comes_about_late_is_stopped_first() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.silence()
    talk.refuse()
    talk.wait(1)
    talk.push(ev.LegInspected, leg="a", exists=True)
    assert talk.flight().segment == "a-02"
    talk.recording("a-01")
    commands = talk.opens()
    assert moves(commands) == ["close"]
    assert talk.flight().segment == "a-01"
    talk.accept()
    talk.stops("a-01")
    assert talk.state()[1] is Capture.ON
    assert talk.call().segment is not None


def test_a_switch_that_refuses_starts_gets_no_storm() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    tries = []
    for _ in range(300):
        if talk.call().flight is not None:
            tries.append(talk.now)
            talk.refuse("-ERR Cannot record session!")
        talk.wait(1)
    assert 5 <= len(tries) <= 8
    gaps = [b - a for a, b in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 20 * SECOND
    assert talk.entries("recorder.failed")
    talk.hangs_up("a", "b")
    assert talk.over() == "failed:refused"


def test_a_start_on_a_leg_that_is_just_ending_is_made_on_another_at_once() -> None:
    """Its hang-up and the refusal cross: nothing is wrong with the recorder, and nothing is missing."""
    talk = Talk(ALWAYS + 'leg = "b"\n')
    talk.inbound()
    talk.push(ev.LegHungUp, leg="b")
    talk.created("c", direction=Direction.OUTBOUND, other="a")
    talk.answered("c")
    assert moves(talk.refuse("-ERR Cannot locate session!")) == ["open"]
    assert talk.flight().leg == "a"
    talk.opens()
    talk.hangs_up("b", "a", "c")
    assert talk.over() == "recorded"
    assert json.loads(talk.all(Remember)[-1].text)["segments"] == ["a-02"]


def test_a_start_on_a_leg_the_switch_knows_no_more_waits_for_what_is_under_way() -> None:
    talk = Talk(ALWAYS + 'leg = "b"\n')
    talk.inbound()
    talk.created("c", direction=Direction.OUTBOUND, other="a")
    talk.answered("c")
    assert moves(talk.refuse("-ERR Cannot locate session!")) == []
    talk.push(ev.LegHungUp, leg="b")
    assert moves(talk.wait(0.6)) == ["open"]
    assert talk.flight().leg == "a"
    talk.opens()
    talk.hangs_up("b", "a", "c")
    assert talk.over() == "recorded"


def test_a_start_that_was_refused_and_runs_nevertheless_is_stopped() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.refuse("-ERR Cannot record session!")
    talk.recording("a-01")
    assert moves(talk.wait(0.6)) == ["close"]
    assert talk.flight().segment == "a-01"


@pytest.mark.parametrize(("on_failure", "hangs_up"), [("hangup", True), ("alert", False)])
def test_on_failure_during(on_failure: str, hangs_up: bool) -> None:
    talk = Talk(ALWAYS + f'require = "during"\non_failure = "{on_failure}"\n')
    talk.inbound()
    talk.refuse()
    assert bool(talk.all(HangUp)) is hangs_up
    assert len(talk.entries("recorder.failed")) == 1


def test_a_number_that_was_used_before() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    flight = talk.flight()
    commands = talk.push(ev.SegmentTaken, call="a", command=flight.number)
    assert moves(commands) == ["open"]
    assert talk.flight().segment == "a-02"
    assert talk.call().segments == ("a-02",)


def test_a_stop_without_its_event() -> None:
    talk = running()
    talk.act(Act.STOP)
    talk.accept()
    assert moves(talk.wait(2.1)) == ["inspect"]
    talk.push(ev.LegInspected, leg="a", exists=True)
    assert talk.state()[1] is Capture.OFF
    side = json.loads(talk.all(Release)[0].sidecar)
    assert (side["cause"], side["reported_ms"]) == ("unconfirmed", None)


def test_a_recording_that_moved_by_itself_is_regained_with_stop_all() -> None:
    talk = running()
    commands = talk.push(ev.RecordingSeen, leg="b", path=f"{AUDIO}/a-01.wav")
    assert moves(commands) == ["close"]
    flight = talk.flight()
    assert isinstance(flight, CloseSegment)
    assert (flight.leg, flight.every) == ("b", True)
    talk.accept()
    commands = talk.stops("a-01", leg="b")
    assert moves(commands) == ["open"]
    assert talk.flight().leg == "a"


def test_somebody_elses_recording() -> None:
    talk = running()
    talk.push(ev.RecordingStarted, leg="a", path="/tmp/theirs.wav", segment=None)
    assert talk.entries("recording.foreign")[0].facts == {"leg": "a"}
    talk.hangs_up("a", "b")
    assert talk.over() == "foreign"


def test_a_segment_variable_of_another_call_is_not_ours() -> None:
    talk = running()
    talk.push(ev.RecordingStarted, leg="a", path="/tmp/x.wav", segment="zzz-01")
    assert talk.entries("recording.foreign")


def test_the_limit_or_somebody_else_stops_our_segment() -> None:
    talk = running()
    talk.now += 60 * SECOND
    assert moves(talk.stops("a-01", cause="success-maxtime")) == ["open"]
    assert talk.flight().segment == "a-02"


def test_somebody_who_stops_every_segment_at_once_does_not_get_a_storm() -> None:
    talk = running()
    assert moves(talk.stops("a-01", cause="success-maxtime")) == []
    assert moves(talk.wait(1)) == ["open"]


@pytest.mark.parametrize(
    ("cause", "fields"), [("empty-file", {"discarded": True, "ms": 0}), ("uri-failure", {})]
)
def test_a_switch_that_says_the_file_failed(cause: str, fields: dict[str, object]) -> None:
    talk = running()
    talk.now += 10 * SECOND
    talk.push(ev.LegHungUp, leg="a")
    talk.stops("a-01", cause=cause, **fields)
    talk.hangs_up("a", "b")
    assert talk.over() == ("failed:empty-file" if cause == "empty-file" else "recorded-in-part")


def test_a_leg_that_ends_without_record_stop_is_released_as_lost() -> None:
    talk = running()
    talk.push(ev.LegHungUp, leg="a")
    talk.push(ev.LegGone, leg="a")
    talk.push(ev.LegGone, leg="b")
    assert not talk.all(Release)
    talk.wait(3)
    side = json.loads(talk.all(Release)[0].sidecar)
    assert side["cause"] == "lost"
    assert talk.over() == "recorded-in-part"


def test_record_stop_swapped_with_the_end_of_its_leg() -> None:
    talk = running()
    talk.push(ev.LegGone, leg="b")
    talk.push(ev.LegGone, leg="a")
    talk.stops("a-01")
    assert json.loads(talk.all(Release)[0].sidecar)["cause"] == "success-silence"
    assert talk.over() == "recorded"


def test_a_gap_of_seconds_is_told() -> None:
    talk = running()
    talk.now += 60 * SECOND
    talk.stops("a-01", cause="success-maxtime")
    talk.now += 3 * SECOND
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded-in-part"


def test_hung_up_before_the_start_was_confirmed() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.push(ev.LegHungUp, leg="a")
    talk.refuse("-ERR Cannot locate session!")
    talk.push(ev.LegGone, leg="a")
    talk.push(ev.LegGone, leg="b")
    assert talk.over() == "failed:hung-up"


# -- the connection breaks ----------------------------------------------------------------------------


def test_a_segment_that_ran_on_while_we_were_away_is_adopted() -> None:
    talk = running()
    talk.push(ev.SwitchLost)
    assert talk.state()[1] is Capture.UNKNOWN
    talk.now += 30 * SECOND
    talk.push(ev.SwitchConnected, core="core-1")
    assert moves(talk.resync(a=("a-01",), b=())) == []
    assert talk.state()[1] is Capture.ON
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


def test_nothing_is_sent_while_the_switch_cannot_be_seen() -> None:
    talk = running()
    talk.push(ev.SwitchLost)
    talk.act(Act.STOP)
    talk.wait(100)
    assert moves(talk.sent) == ["open"]
    assert moves(talk.resync(a=("a-01",), b=())) == ["close"]


def test_a_command_under_way_when_the_connection_broke_leaves_unknown() -> None:
    talk = running()
    talk.act(Act.PAUSE)
    talk.push(ev.SwitchLost)
    assert moves(talk.resync(a=("a-01",), b=())) == ["close"]
    talk.closes()
    assert talk.call().actual is Capture.OFF


def test_after_a_resync_a_call_is_tried_again_that_failed_while_nobody_answered() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    for _ in range(4):
        talk.silence()
        talk.wait(60)
    talk.silence()
    talk.push(ev.SwitchLost)
    assert moves(talk.resync(a=(), b=())) == ["open"]


def test_legs_that_a_resync_does_not_find_are_gone() -> None:
    talk = running()
    talk.push(ev.SwitchLost)
    talk.resync()
    assert talk.over() == "recorded-in-part"
    assert json.loads(talk.all(Release)[0].sidecar)["cause"] == "lost"


def test_a_switch_that_restarted_has_none_of_our_legs() -> None:
    talk = running()
    talk.push(ev.SwitchConnected, core="core-2")
    talk.resync(core="core-2", a=(), b=())
    assert talk.over() == "recorded-in-part"


# -- fsgov restarts -----------------------------------------------------------------------------------


def test_a_call_refused_before_is_not_recorded_after() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("2")
    again = talk.restarted()
    again.resync(a=(), b=())
    again.wait(60)
    assert not [c for c in again.sent if isinstance(c, OpenSegment)]
    again.hangs_up("a", "b")
    assert again.over() == "refused"


def test_a_running_segment_is_adopted_after_a_restart() -> None:
    talk = running()
    again = talk.restarted()
    assert moves(again.resync(a=("a-01",), b=())) == []
    assert again.state()[1] is Capture.ON
    again.hangs_up("a", "b")
    assert again.over() == "recorded"


def test_a_pause_closes_a_segment_that_ran_unseen() -> None:
    """A hold may have been missed: nobody could say where in the file the mask is."""
    talk = running()
    talk.push(ev.SwitchLost)
    talk.resync(a=("a-01",), b=())
    assert moves(talk.act(Act.PAUSE)) == ["close"]
    talk.closes()
    assert [a.status for a in talk.all(Answer)] == [200]
    assert moves(talk.act(Act.RESUME)) == ["open"]


def test_a_pause_before_a_restart_is_closed_and_not_reopened_until_resumed() -> None:
    talk = running()
    talk.act(Act.PAUSE)
    talk.accept()
    again = talk.restarted()
    assert moves(again.resync(a=("a-01",), b=())) == ["close"]
    again.closes()
    again.wait(60)
    assert again.state()[1] is Capture.OFF
    assert moves(again.act(Act.RESUME)) == ["open"]
    assert again.flight().segment == "a-02"


def test_a_mask_under_way_at_a_restart_makes_the_mask_state_unknown() -> None:
    talk = running()
    talk.act(Act.PAUSE)
    talk.accept()
    talk.act(Act.RESUME)  # the unmask is under way
    again = talk.restarted()
    assert moves(again.resync(a=("a-01",), b=())) == ["close"]
    assert moves(again.closes()) == ["open"]


def test_a_start_under_way_at_a_restart() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    again = talk.restarted()
    assert moves(again.resync(a=("a-01",), b=())) == ["close"]
    assert moves(again.closes()) == ["open"]
    assert again.flight().segment == "a-02"


def test_command_numbers_are_unique_across_restarts() -> None:
    talk = running()
    again = talk.restarted()
    again.resync(a=("a-01",), b=())
    again.act(Act.PAUSE)
    used = {c.number for c in talk.sent if isinstance(c, RecorderCommand)}
    assert again.flight().number not in used


def test_a_damaged_call_file_is_counted_and_left_alone() -> None:
    talk = Talk(ALWAYS)
    for text in ("", "{", "[]", '{"format": 1}', "null"):
        assert talk.push(ev.CallRestored, text=text) == []
    assert talk.board.ignored == 5


def test_stopping_closes_what_a_party_may_withdraw_and_leaves_the_rest() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("1")
    talk.opens()
    assert moves(talk.push(ev.Stopping)) == ["close"]
    assert talk.board.busy
    talk.closes()
    assert not talk.board.busy
    again = talk.restarted()
    assert moves(again.resync(a=(), b=())) == ["open"]
    other = running()
    assert moves(other.push(ev.Stopping)) == []


def test_armed_takes_audio_from_the_answer_on() -> None:
    talk = Talk(ALWAYS + "armed = true\n")
    commands = talk.created("a")
    opened = next(c for c in commands if isinstance(c, OpenSegment))
    assert opened.armed
    talk.opens()
    assert talk.state()[1] is Capture.ARMED
    talk.now += 10 * SECOND
    talk.answered("a")
    assert talk.state()[1] is Capture.ON
    talk.now += 2 * SECOND
    talk.act(Act.PAUSE)
    talk.accept()
    assert talk.entries("segment.masked")[0].facts["file_ms"] == 2000


def test_armed_and_never_answered() -> None:
    talk = Talk(ALWAYS + "armed = true\n")
    talk.created("a")
    talk.opens()
    talk.push(ev.LegHungUp, leg="a")
    talk.stops("a-01", cause="empty-file", discarded=True, ms=0)
    talk.push(ev.LegGone, leg="a")
    assert talk.over() == "not-answered"


def test_never_on_an_outbound_leg_before_its_answer() -> None:
    talk = Talk(ALWAYS + 'leg = "b"\n')
    talk.created("a")
    talk.answered("a")
    talk.created("b", direction=Direction.OUTBOUND, other="a")
    talk.wait(10)
    assert not talk.all(OpenSegment)
    assert moves(talk.answered("b")) == ["open"]
    assert talk.flight().leg == "b"


def test_an_inspect_whose_answer_is_late_is_not_taken_for_the_next_one() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.silence()
    talk.refuse()
    talk.wait(1)
    old = talk.flight()
    assert isinstance(old, Inspect)
    talk.silence()
    talk.wait(1.1)
    assert talk.flight().number != old.number
    talk.push(ev.LegInspected, leg="a", exists=True, command=old.number)
    assert talk.state()[1] is Capture.UNKNOWN


def test_the_reply_to_an_earlier_command_means_nothing() -> None:
    talk = running()
    talk.act(Act.PAUSE)
    old = talk.flight()
    talk.silence()
    assert moves(talk.push(ev.CommandAccepted, call="a", command=old.number)) == []
    assert talk.state()[1] is Capture.UNKNOWN
    assert talk.flight().number != old.number
    flight = talk.call().flight
    assert flight is not None
    assert not flight.accepted


def test_a_mask_under_way_at_a_restart_that_was_already_taken_back() -> None:
    talk = running()
    talk.act(Act.PAUSE)  # the mask is under way
    talk.act(Act.RESUME)
    again = talk.restarted()
    assert moves(again.resync(a=("a-01",), b=())) == ["close"]


def test_a_segment_is_handed_over_before_its_call_forgets_it() -> None:
    talk = running()
    talk.act(Act.STOP)
    talk.closes()
    kinds = [type(c) for c in talk.last]
    assert kinds.index(Release) < kinds.index(Remember)
