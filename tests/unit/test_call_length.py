"""A segment that has its full length is closed, and what is still wanted goes on in the next one."""

from __future__ import annotations

import json

from fsgov import events as ev
from fsgov.call import Capture
from fsgov.call.length import LAST_CUT
from fsgov.commands import OpenSegment, Release
from fsgov.events import Act
from tests.unit.conversation import ALWAYS, OPT_IN, SECOND, Talk, moves

HOUR = 3600


def running(*rules: str) -> Talk:
    talk = Talk(*rules or (ALWAYS,), longest=HOUR * SECOND)
    talk.inbound()
    talk.opens()
    return talk


def sidecars(talk: Talk) -> list[dict[str, object]]:
    return [json.loads(released.sidecar) for released in talk.all(Release)]


def test_a_segment_of_full_length_is_followed_by_the_next() -> None:
    talk = running()
    assert moves(talk.wait(HOUR - 1)) == []
    assert moves(talk.wait(1)) == ["close"]
    assert moves(talk.closes()) == ["open"]
    assert talk.flight().segment == "a-02"
    talk.opens()
    assert talk.state()[1] is Capture.ON
    assert moves(talk.wait(HOUR - 1)) == []
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded", "a cut that was meant is no part that is missing"
    assert [side["n"] for side in sidecars(talk)] == [1, 2]


def test_without_a_limit_it_runs_as_long_as_the_call() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.opens()
    assert moves(talk.wait(20 * HOUR)) == []


def test_the_consent_is_carried_over_and_nobody_is_asked_again() -> None:
    talk = Talk(OPT_IN, longest=HOUR * SECOND)
    talk.inbound()
    talk.plays()
    talk.presses("1")
    talk.opens()
    talk.wait(HOUR)
    talk.closes()
    talk.opens()
    talk.hangs_up("a", "b")
    first, second = sidecars(talk)
    assert first["consents"]
    assert (first["consents"], first["purposes"], first["basis"]) == (
        second["consents"], second["purposes"], second["basis"],
    )  # fmt: skip


def test_while_it_is_paused_it_is_closed_and_nothing_is_opened_before_the_pause_is_over() -> None:
    talk = running()
    talk.wait(HOUR - 10)
    talk.act(Act.PAUSE)
    talk.accept()
    assert talk.state()[1] is Capture.MASKED
    assert moves(talk.wait(11)) == ["close"]
    assert moves(talk.closes()) == []
    assert moves(talk.wait(60)) == []
    assert moves(talk.act(Act.RESUME)) == ["open"]
    talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"


def test_a_stop_that_is_not_answered_leaves_unknown_and_then_the_next_segment() -> None:
    talk = running()
    talk.wait(HOUR)
    assert moves(talk.silence()) == ["close"]
    assert talk.state()[1] is Capture.UNKNOWN
    assert moves(talk.closes()) == ["open"]


def test_it_is_not_forgotten_over_a_restart() -> None:
    talk = running()
    talk.wait(HOUR - 5)
    again = talk.restarted()
    again.resync(a=("a-01",))
    assert moves(again.wait(6)) == ["close"]


def test_while_the_switch_is_not_seen_nothing_is_sent_and_it_is_cut_afterwards() -> None:
    talk = running()
    talk.push(ev.SwitchLost, reason="EOF")
    assert moves(talk.wait(2 * HOUR)) == []
    assert moves(talk.resync(a=("a-01",))) == ["close"]


def test_the_last_numbers_are_not_used_up_by_cuts() -> None:
    talk = running()
    for _ in range(LAST_CUT - 1):
        assert moves(talk.wait(HOUR)) == ["close"]
        talk.closes()
        talk.opens()
    assert moves(talk.wait(10 * HOUR)) == []
    assert talk.state()[1] is Capture.ON
    assert len(talk.all(OpenSegment)) == LAST_CUT
