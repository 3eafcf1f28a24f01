"""What a real FreeSWITCH does to fsgov's calls when one of the two ends, or the socket between them.

Needs what test_freeswitch.py's docstring says; and FSGOV_LIVE_RESTART='a command', which kills the governed
switch with SIGKILL and starts it again, for the one test that needs it. About a minute.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from fsgov.catalog.rows import WholeCall
from tests.live.governed import AT_ONCE, CUT, PLAIN, Governed, governed
from tests.live.phones import eventually
from tests.live.sweep import Heard

pytestmark = pytest.mark.freeswitch
__all__ = ["governed"]


def kill_govern(governed: Governed) -> None:
    service = governed.stage.service
    assert service is not None
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
    (govern,) = [pid for pid in children if b"fsgov.govern" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(govern), signal.SIGKILL)
    assert service.wait(30) != 0
    governed.stage.service = None


def again(governed: Governed) -> None:
    governed.stage.start_service()
    governed.stage.wait_ready()


def paused_and_covered(
    governed: Governed, whole: WholeCall, paused: float, resumed: float, ended: float
) -> None:
    """Nothing of the pause is heard, all else is. Where it cannot be known whether the telephone was on hold
    meanwhile, a pause closes the segment that was running, and what follows is another."""
    assert (whole.call.outcome, whole.call.outcome_cause) == ("recorded", "")
    assert {segment.mask_proof for segment in whole.segments} <= {"proven", "none"}
    parts = [Heard.of(audio) for audio in governed.whole(whole)]
    assert parts[0].first < 1
    assert parts[-1].last == pytest.approx(ended, abs=0.5)
    said = sorted(moment for part in parts for moment in part.moments)
    assert not [moment for moment in said if paused + 0.2 < moment < resumed - 0.2]
    gaps = [(a, b) for a, b in pairwise(said) if b - a > 0.8]
    assert [gap for gap in gaps if gap[1] < paused or gap[0] > resumed + 0.5] == []


def test_a_call_is_adopted_after_govern_was_killed(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(PLAIN))
    governed.recording(call)
    call.until(2)
    kill_govern(governed)
    again(governed)
    eventually(lambda: governed.now(call).get("capture") == "on", 10, "not adopted")
    assert governed.act(call, "pause") == 200
    paused = call.moment()
    call.until(paused + 2)
    assert governed.act(call, "resume") == 200
    call.until(paused + 4)
    ended = call.hang_up()
    whole = governed.over(call.call)
    paused_and_covered(governed, whole, paused, paused + 2, ended)


def test_a_pause_in_force_when_govern_is_killed_stays_in_force(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(PLAIN))
    governed.recording(call)
    call.until(1.5)
    assert governed.act(call, "pause") == 200
    paused = call.moment()
    kill_govern(governed)
    again(governed)
    call.until(call.moment() + 3)
    resumed = call.moment()
    assert governed.act(call, "resume") == 200
    call.until(resumed + 3)
    ended = call.hang_up()
    whole = governed.over(call.call)
    parts = [Heard.of(audio) for audio in governed.whole(whole)]
    said = sorted(moment for part in parts for moment in part.moments)
    assert not [moment for moment in said if paused + 0.2 < moment < resumed - 0.2]
    assert said[-1] == pytest.approx(ended, abs=0.6)
    assert {segment.mask_proof for segment in whole.segments} <= {"proven", "none"}
    assert {segment.state for segment in whole.segments} == {"stored"}
    assert whole.call.outcome == "recorded"


def test_a_call_whose_rule_needs_nobody_is_recorded_on_while_fsgov_is_stopped(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(CUT))
    governed.recording(call)
    call.until(2)
    assert governed.stage.stop_service() == 0
    again(governed)
    call.until(call.moment() + 2)
    ended = call.hang_up()
    whole = governed.over(call.call)
    assert (whole.call.outcome, len(whole.segments)) == ("recorded", 1)
    assert Heard.of(governed.whole(whole)[0]).last == pytest.approx(ended, abs=0.5)


def test_a_call_that_ends_while_fsgov_is_stopped_is_entered(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(CUT))
    governed.recording(call)
    call.until(3)
    assert governed.stage.stop_service() == 0
    call.until(5)
    ended = call.hang_up()
    time.sleep(0.5)
    again(governed)
    whole = governed.over(call.call)
    assert (whole.call.outcome, whole.call.outcome_cause) == ("recorded-in-part", "lost")
    assert Heard.of(governed.whole(whole)[0]).last == pytest.approx(ended, abs=0.5)


def test_a_closed_event_socket_is_opened_again_and_the_call_goes_on(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(PLAIN))
    governed.recording(call)
    call.until(2)
    governed.phones.switch.api("reload mod_event_socket")
    governed.phones.reconnect()
    governed.stage.wait_ready()
    eventually(lambda: governed.now(call).get("capture") == "on", 10, "not seen again")
    assert governed.act(call, "pause") == 200
    paused = call.moment()
    call.until(paused + 2)
    resumed = call.moment()
    assert governed.act(call, "resume") == 200
    call.until(resumed + 2)
    ended = call.hang_up()
    whole = governed.over(call.call)
    paused_and_covered(governed, whole, paused, resumed, ended)


def test_thirty_calls_at_once_are_thirty_rows(governed: Governed) -> None:
    numbers = [governed.phones.number(PLAIN) for _ in range(30)]
    known = {row.call for row in governed.desk.calls(limit=1000)}
    for number in numbers:
        given = f"origination_caller_id_number={number},execute_on_answer='sched_hangup +8'"
        target = governed.phones.dial.format("2000")
        governed.phones.socket.say(f"bgapi originate {{{given}}}{target} &playback({governed.phones.sweep})")
        time.sleep(0.1)

    def entered() -> bool:
        rows = [row for row in governed.desk.calls(limit=1000) if row.call not in known]
        return len(rows) == 30 and all(row.outcome and not row.missing for row in rows)

    eventually(entered, 60, "not all calls are entered")
    rows = [row for row in governed.desk.calls(limit=1000) if row.call not in known]
    assert [row.call for row in rows if (row.outcome, row.outcome_cause) != ("recorded", "")] == []
    for row in rows:
        whole = governed.desk.call(row.call)
        (segment,) = whole.segments
        assert segment.state == "stored"
        assert row.ended_at is not None
        assert row.answered_at is not None
        assert segment.ms == pytest.approx((row.ended_at - row.answered_at).total_seconds() * 1000, abs=400)
        assert segment.audio_sha256 == governed.shelf.sha256(segment.segment)


@pytest.mark.skipif("FSGOV_LIVE_RESTART" not in os.environ, reason="FSGOV_LIVE_RESTART is not set")
def test_what_a_killed_switch_has_written_is_sealed_as_it_lies(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(PLAIN))
    at_once = governed.phones.call("2000", governed.phones.number(AT_ONCE))
    governed.recording(call)
    governed.recording(at_once)
    call.until(10)
    subprocess.run(os.environ["FSGOV_LIVE_RESTART"], shell=True, check=True, timeout=60)
    governed.phones.reconnect()
    for each in (call, at_once):
        governed.phones.socket.api(f"uuid_kill {each.leg}")
    (unbuffered,) = governed.over(at_once.call).segments
    assert unbuffered.truncated
    assert unbuffered.lost_ms is not None
    assert unbuffered.lost_ms <= 500
    assert (unbuffered.ms or 0) > 8300, "more than two blocks of 64 KiB"
    whole = governed.over(call.call)
    (segment,) = whole.segments
    assert (whole.call.outcome, whole.call.outcome_cause) == ("recorded-in-part", "lost")
    assert segment.truncated
    assert segment.lost_ms is not None
    assert 0 < segment.lost_ms <= 4096
    audio = governed.whole(whole)[0]
    assert len(audio) == 44 + 2 * 65536
    heard = Heard.of(audio)
    assert heard.straight > 0.9
    after = governed.phones.call("2000", governed.phones.number(PLAIN))
    governed.recording(after)
    after.until(2)
    after.hang_up()
    assert governed.over(after.call).call.outcome == "recorded"
