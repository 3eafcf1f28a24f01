"""The whole `fsgov run` against a real FreeSWITCH, with SIP calls and RTP audio.

FSGOV_LIVE_FREESWITCH=host:port:password   the governed switch's event socket (on this host)
FSGOV_LIVE_PHONES=host:port:password       a second FreeSWITCH, which places the calls
FSGOV_LIVE_DIAL=sofia/internal/{}@127.0.0.1:5060   how the phones dial an extension of the governed switch

The governed switch must be able to write below pytest's directory (same host, same user or root) and to read
it, as the phones must. Its extensions, in a context that takes calls of the phones without registration:

2000  bridge to a telephone that answers at once and plays a tone below 700 Hz
2010  the same, ringing for three seconds first
2040  the same, and the dialplan records by itself (record_session)
2050  the same with recording_follow_transfer=true set and exported
4000  answer, park      5000  answer, conference

PCMU or PCMA at 8 kHz. About four minutes.
"""

from __future__ import annotations

import pytest

from tests.live.governed import ARMED, ASKED, CUT, PLAIN, Governed, governed, result
from tests.live.sweep import Heard

pytestmark = pytest.mark.freeswitch
__all__ = ["governed"]


def test_a_bridged_call_is_recorded_whole_and_exported_as_the_switch_wrote_it(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(PLAIN))
    governed.recording(call)
    begun = call.moment()
    call.until(7)
    ended = call.hang_up()
    whole = governed.over(call.call)
    assert (*result(whole), whole.call.rule) == ("recorded", "", "plain")
    (segment,) = whole.segments
    assert (segment.state, segment.truncated, segment.findings) == ("stored", False, [])
    assert segment.ms is not None
    assert abs(segment.ms / 1000 - (ended - begun)) < 0.4
    (audio,) = governed.whole(whole)
    heard = Heard.of(audio)
    assert heard.straight > 0.9
    assert heard.first < 1.0
    assert heard.last == pytest.approx(ended, abs=0.4)
    assert any(each.loud and each.spoken is None for each in heard.tenths) or heard.first > -0.2


@pytest.mark.parametrize("rule", [PLAIN, CUT])
def test_a_pause_is_missing_from_the_audio_and_nothing_else_is(governed: Governed, rule: str) -> None:
    call = governed.phones.call("2000", governed.phones.number(rule))
    governed.recording(call)
    call.until(3)
    assert governed.act(call, "pause") == 200
    paused = call.moment()
    call.until(6)
    resumed = call.moment()
    assert governed.act(call, "resume") == 200
    call.until(9)
    ended = call.hang_up()
    whole = governed.over(call.call)
    assert result(whole) == ("recorded", "")
    (segment,) = whole.segments
    (audio,) = governed.whole(whole)
    heard = Heard.of(audio)
    assert not [moment for moment in heard.moments if paused + 0.2 < moment < resumed - 0.2]
    assert [moment for moment in heard.moments if resumed + 0.3 < moment < ended]
    if rule == CUT:
        assert not heard.zeros
        return
    assert (segment.mask_proof, segment.state) == ("proven", "stored")
    assert min(heard.zeros) == pytest.approx(paused, abs=0.3)
    assert max(heard.zeros) == pytest.approx(resumed, abs=0.3)
    outside = [t for t in heard.tenths if not paused - 0.3 < t.at + heard.first < resumed + 0.3]
    assert all(each.loud for each in outside)


def test_a_pause_after_a_hold_of_the_recorded_leg_is_where_the_file_has_it(governed: Governed) -> None:
    """While its leg is on hold the file does not grow: what is reported of the mask must know that."""
    call = governed.phones.call("2000", governed.phones.number(PLAIN))
    governed.recording(call)
    call.until(2)
    assert governed.phones.socket.api(f"uuid_hold {call.leg}").startswith("+OK")
    call.until(5)
    assert governed.phones.socket.api(f"uuid_hold off {call.leg}").startswith("+OK")
    call.until(7)
    assert governed.act(call, "pause") == 200
    call.until(9)
    assert governed.act(call, "resume") == 200
    call.until(11)
    call.hang_up()
    whole = governed.over(call.call)
    assert result(whole) == ("recorded", "")
    (segment,) = whole.segments
    assert segment.ms is not None
    assert (segment.mask_proof, segment.state) == ("proven", "stored")
    assert segment.ms == pytest.approx(8_000, abs=900)
    (mask,) = whole.masks
    assert mask.from_ms == pytest.approx(3_900, abs=900)
    governed.whole(whole)


def test_an_armed_recording_takes_the_first_word_and_not_the_ringing(governed: Governed) -> None:
    call = governed.phones.call("2010", governed.phones.number(ARMED))
    ear = governed.phones.switch_ear
    kinds = ("CHANNEL_PROGRESS_MEDIA", "RECORD_START", "CHANNEL_ANSWER")
    early, began, answered = (ear.of(call.call, kind)[0] for kind in kinds)  # early: the 183
    places = [int(event["Event-Sequence"]) for event in (early, began, answered)]
    assert places == sorted(places)
    call.until(4)
    ended = call.hang_up()
    whole = governed.over(call.call)
    assert result(whole) == ("recorded", "")
    (segment,) = whole.segments
    assert segment.start_lost_ms == 0
    (audio,) = governed.whole(whole)
    heard = Heard.of(audio)
    assert -0.15 < heard.first < 0.15
    assert (segment.ms or 0) / 1000 == pytest.approx(ended, abs=0.6)


def test_what_the_dialplan_records_is_told_and_left_alone(governed: Governed) -> None:
    call = governed.phones.call("2040", governed.phones.number(PLAIN))
    governed.recording(call)
    call.until(4)
    call.hang_up()
    whole = governed.over(call.call)
    assert whole.call.outcome == "foreign"


def test_a_caller_who_is_parked_is_recorded(governed: Governed) -> None:
    call = governed.phones.call("4000", governed.phones.number(PLAIN))
    governed.recording(call)
    call.until(4)
    ended = call.hang_up()
    whole = governed.over(call.call)
    assert result(whole) == ("recorded", "")
    assert Heard.of(governed.whole(whole)[0]).last == pytest.approx(ended, abs=0.7)


@pytest.mark.parametrize("rule", [PLAIN, ASKED, ARMED])
def test_hanging_up_while_it_rings_records_nothing(governed: Governed, rule: str) -> None:
    call = governed.phones.call("2010", governed.phones.number(rule), speaks=False)
    call.until(1.5)
    call.hang_up()
    whole = governed.over(call.call)
    assert whole.call.outcome == "not-answered"
    assert [segment.state for segment in whole.segments] == ["missing"] * (rule == ARMED)  # empty: discarded
    assert governed.whole(whole) == []


def test_a_pause_of_a_leg_that_hears_nothing_is_not_taken_as_proven(governed: Governed) -> None:
    """Nothing is written to a parked leg: the switch masks half a second too early."""
    call = governed.phones.call("4000", governed.phones.number(PLAIN))
    governed.recording(call)
    call.until(3)
    assert governed.act(call, "pause") == 200
    call.until(5)
    resumed = call.moment()
    assert governed.act(call, "resume") == 200
    call.until(7)
    call.hang_up()
    (segment,) = governed.over(call.call).segments
    heard = Heard.of(governed.audio(segment))
    assert [moment for moment in heard.moments if resumed - 0.45 < moment < resumed - 0.1]
    assert (segment.mask_proof, segment.state) == ("failed", "quarantined")
