"""What holds starts back: marks of the spool's disk, and starts that fail across calls."""

from __future__ import annotations

import pytest

from fsgov import events as ev
from fsgov.call import Capture
from fsgov.call.holding import SpoolRoom
from fsgov.commands import HangUp
from fsgov.events import Direction
from fsgov.switchboard.breaker import ACROSS, LAST_PROBE, TRIP
from fsgov.watermarks import Mark, Watermark, Watermarks, mark_of
from tests.unit.conversation import ALWAYS, SECOND, Talk, moves

LOW = ALWAYS + 'priority = "low"\n'
NEEDED = ALWAYS + 'require = "during"\n'
MARKS = Watermarks(warn=Watermark(share=0.1), shed=Watermark(share=0.05), refuse=Watermark(size=20))
SOME, EVERY = Mark.SHED, Mark.REFUSE


def room(talk: Talk, mark: Mark) -> list[str]:
    return moves(talk.push(SpoolRoom, mark=mark))


# -- marks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "mark"),
    [
        *((1000, Mark.AMPLE), (100, Mark.AMPLE), (99, Mark.WARN), (50, Mark.WARN)),
        *((49, Mark.SHED), (20, Mark.SHED), (19, Mark.REFUSE), (0, Mark.REFUSE)),
    ],
)
def test_a_mark_is_reached_when_less_is_free(free: int, mark: Mark) -> None:
    assert mark_of(free, 1000, 1.0, MARKS, Mark.AMPLE) is mark


@pytest.mark.parametrize(
    ("was", "free", "mark"),
    [
        *((Mark.WARN, 119, Mark.WARN), (Mark.WARN, 120, Mark.AMPLE), (Mark.REFUSE, 23, Mark.REFUSE)),
        *((Mark.REFUSE, 24, Mark.SHED), (Mark.REFUSE, 60, Mark.WARN), (Mark.SHED, 59, Mark.SHED)),
    ],
)
def test_it_is_left_when_a_fifth_more_is(was: Mark, free: int, mark: Mark) -> None:
    assert mark_of(free, 1000, 1.0, MARKS, was) is mark


def test_inodes_count_where_a_share_was_named() -> None:
    assert mark_of(1000, 1000, 0.04, MARKS, Mark.AMPLE) is Mark.SHED
    assert mark_of(1000, 1000, 0.0, Watermarks(warn=Watermark(size=1)), Mark.AMPLE) is Mark.REFUSE
    never = Watermark()
    assert mark_of(0, 1000, 0.0, Watermarks(warn=never, shed=never, refuse=never), Mark.REFUSE) is Mark.AMPLE


@pytest.mark.parametrize(
    ("rule", "mark", "begins"),
    [
        *((ALWAYS, Mark.WARN, True), (ALWAYS, SOME, True), (ALWAYS, EVERY, False)),
        *((LOW, Mark.WARN, True), (LOW, SOME, False), (LOW, EVERY, False)),
        *((NEEDED, SOME, True), (NEEDED, EVERY, True)),
    ],
)
def test_who_may_begin_at_which_mark(rule: str, mark: Mark, begins: bool) -> None:
    talk = Talk(rule)
    room(talk, mark)
    assert moves(talk.inbound()) == (["open"] if begins else [])


@pytest.mark.parametrize(("rule", "mark", "cause"), [(LOW, SOME, "shed"), (ALWAYS, EVERY, "disk")])
def test_what_was_not_begun_says_why(rule: str, mark: Mark, cause: str) -> None:
    talk = Talk(rule)
    room(talk, mark)
    talk.inbound()
    assert moves(talk.wait(100)) == []
    talk.hangs_up("a", "b")
    assert talk.over() == f"failed:{cause}"


def test_what_runs_goes_on_in_its_next_segment_too() -> None:
    talk = Talk(ALWAYS, longest=60 * SECOND)
    talk.inbound()
    talk.opens()
    assert room(talk, EVERY) == []
    assert moves(talk.wait(60)) == ["close"]
    assert moves(talk.closes()) == ["open"]
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


def test_what_was_held_back_begins_when_there_is_room_and_is_recorded_in_part() -> None:
    talk = Talk(ALWAYS)
    room(talk, EVERY)
    talk.inbound()
    talk.wait(5)
    assert room(talk, SOME) == ["open"]
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded-in-part"
    assert talk.entries("call.over")[0].facts["cause"] == "disk"


def test_a_rule_that_hangs_up_without_a_recording_does_so_once() -> None:
    talk = Talk(ALWAYS + 'on_failure = "hangup"\n')
    room(talk, EVERY)
    talk.inbound()
    talk.wait(5)
    assert len(talk.all(HangUp)) == 1
    (told,) = talk.entries("recorder.failed")
    assert told.facts["cause"] == "disk"


def test_what_may_be_shed_is_told_by_the_outcome_alone() -> None:
    talk = Talk(LOW)
    room(talk, SOME)
    talk.inbound()
    assert not talk.entries("recorder.failed")


def test_a_call_that_was_read_back_keeps_to_the_marks() -> None:
    talk = Talk(ALWAYS)
    room(talk, EVERY)
    talk.inbound()
    again = talk.restarted()
    room(again, EVERY)
    assert moves(again.resync(a=(), b=())) == []
    assert moves(again.answered("a")) == []
    assert room(again, Mark.AMPLE) == ["open"]


# -- starts that fail ---------------------------------------------------------------------------------------


def call(talk: Talk, n: int) -> str:
    """A call that is answered at once: its id."""
    id_ = f"c{n}"
    talk.push(
        ev.LegCreated, leg=id_, direction=Direction.INBOUND, caller="+4930123456", dialled="+442079460100",
        profile="sofia/external", core="core-1",
    )  # fmt: skip
    talk.answered(id_)
    return id_


def refused(talk: Talk, id_: str) -> None:
    flight = talk.flight(id_)
    talk.push(ev.CommandRefused, call=id_, command=flight.number, reason="-ERR Cannot record session!")


def storm() -> Talk:
    """Ten calls whose starts were refused."""
    talk = Talk(ALWAYS)
    for n in range(TRIP):
        refused(talk, call(talk, n))
    assert talk.board.breaker.open
    return talk


def flying(talk: Talk) -> list[str]:
    return [each.id for each in talk.board.calls if each.flight is not None]


def test_when_starts_fail_across_calls_none_is_sent_but_a_probe_now_and_then() -> None:
    talk = storm()
    call(talk, 50)
    assert flying(talk) == []
    sent = 0
    for _ in range(60):
        talk.wait(1)
        for id_ in flying(talk):
            sent += 1
            refused(talk, id_)
    assert 6 <= sent <= 60 * SECOND // LAST_PROBE + 4, "after 1, 2, 4, 8 and then each 10 seconds"


def test_the_first_recording_that_comes_about_lets_all_go_on() -> None:
    talk = storm()
    while not flying(talk):
        talk.wait(0.1)
    (probe,) = flying(talk)
    flight = talk.flight(probe)
    talk.push(ev.CommandAccepted, call=probe, command=flight.number, sent=talk.now)
    before = talk.board.breaker.open
    assert before, "+OK is no proof"
    talk.recording(flight.segment, leg=probe)
    assert len(flying(talk)) == TRIP - 1
    assert talk.state(probe)[1] is Capture.ON


def test_one_call_alone_is_no_storm() -> None:
    talk = Talk(ALWAYS)
    for n in range(ACROSS - 1):
        call(talk, n)
    for _ in range(200):
        talk.wait(1)
        for id_ in flying(talk):
            refused(talk, id_)
    assert not talk.board.breaker.open


def test_failures_that_are_far_apart_or_have_successes_between_them_are_no_storm() -> None:
    talk = Talk(ALWAYS)
    for n in range(3 * TRIP):
        id_ = call(talk, n)
        if n % TRIP == TRIP - 1:
            flight = talk.flight(id_)
            talk.recording(flight.segment, leg=id_)
        else:
            refused(talk, id_)
        talk.hangs_up(id_)
    assert not talk.board.breaker.open
    for n in range(100, 100 + 2 * TRIP):
        refused(talk, call(talk, n))
        talk.hangs_up(f"c{n}")
        talk.wait(2)
    assert not talk.board.breaker.open


def test_a_call_that_was_held_back_to_its_end_says_so() -> None:
    talk = storm()
    id_ = call(talk, 50)
    talk.hangs_up(id_)
    assert talk.over(id_) == "failed:starts-fail"


def test_the_probe_is_the_call_that_has_failed_least() -> None:
    talk = storm()
    id_ = call(talk, 50)
    talk.wait(1.5)
    assert flying(talk) == [id_]
