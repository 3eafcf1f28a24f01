"""What the simulator writes, as measured: length, masks, cuts, crashes, full disks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fsgov.simulator import Call, ManualClock, Switch, api, timecode
from fsgov.simulator.timecode import Moment, Zero
from fsgov.simulator.world import spoken


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    made = Switch(ManualClock(1795280000.0), recordings=tmp_path, heartbeat=0)
    yield made
    made.close()


@pytest.fixture
def call(switch: Switch) -> Call:
    made = switch.call().bridge("1000")
    switch.clock.advance(0.1)
    return made


def ask(switch: Switch, text: str) -> str:
    command, _, argument = text.partition(" ")
    return api.execute(switch, command, argument)


def record(switch: Switch, call: Call, path: Path, act: str = "start", more: str = "") -> str:
    return ask(switch, f"uuid_record {call.a.uuid} {act} {path} {more}".strip())


def test_a_recording_is_as_long_as_it_ran_and_tells_each_moment_once(
    switch: Switch, call: Call, tmp_path: Path
) -> None:
    file = tmp_path / "x.wav"
    first = timecode.moment(switch.clock.epoch())
    assert record(switch, call, file) == "+OK Success\n"
    switch.clock.advance(2.0)
    record(switch, call, file, "stop")
    got = timecode.decode(file.read_bytes())
    assert got == [Moment(call.a.number, first + i, call.b.number) for i in range(100)]
    assert switch.world.of("closed")[0]["spans"] == [[first, first + 99, False]]


def test_masked_frames_are_zero_and_the_length_stays(switch: Switch, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    record(switch, call, file)
    for act in ("mask", "unmask", "stop"):
        switch.clock.advance(1.0)
        assert record(switch, call, file, act) == "+OK Success\n"
    got = timecode.decode(file.read_bytes())
    assert len(got) == 150
    assert [i for i, f in enumerate(got) if isinstance(f, Zero)] == list(range(50, 100))


def test_paused_frames_are_cut_out(switch: Switch, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    record(switch, call, file)
    for act in ("pause", "resume", "stop"):
        switch.clock.advance(1.0)
        record(switch, call, file, act)
    indexes = [m for _, m in timecode.moments(file.read_bytes())]
    assert len(indexes) == 100
    assert indexes[50] - indexes[49] == 51


def test_a_hold_of_the_recorded_leg_shortens_the_file_one_of_the_other_silences_it(
    switch: Switch, call: Call, tmp_path: Path
) -> None:
    file = tmp_path / "x.wav"
    record(switch, call, file)
    switch.clock.advance(1.0)
    call.hold(by="a")
    switch.clock.advance(3.0)
    call.unhold(by="a")
    switch.clock.advance(1.0)
    call.hold(by="b")
    switch.clock.advance(1.0)
    record(switch, call, file, "stop")
    got = [f for f in timecode.decode(file.read_bytes()) if isinstance(f, Moment)]
    assert len(got) == 150
    assert {f.hears for f in got[100:]} == {0}


def test_an_announcement_is_heard_instead_of_the_partner(switch: Switch, call: Call, tmp_path: Path) -> None:
    switch.prompts["/p.wav"] = 1.0
    file = tmp_path / "x.wav"
    record(switch, call, file)
    ask(switch, f"uuid_broadcast {call.a.uuid} /p.wav aleg")
    switch.clock.advance(0.5)
    call.hang_up("a")
    heard = switch.world.of("heard")[0]
    assert (heard["of"], heard["complete"], heard["samples"]) == (8000, False, 2560)
    got = [f for f in timecode.decode(file.read_bytes()) if isinstance(f, Moment) and f.prompt]
    assert len(got) == 16 or len(got) == 17


def test_what_a_crash_leaves_is_whole_blocks_and_an_empty_header(
    switch: Switch, call: Call, tmp_path: Path
) -> None:
    file = tmp_path / "x.wav"
    record(switch, call, file)
    switch.clock.advance(2.0)
    assert file.stat().st_size == 44
    switch.clock.advance(8.0)
    switch.close()
    assert file.stat().st_size == 44 + 2 * 65536
    raw = file.read_bytes()
    assert (raw[4:8], raw[40:44]) == (b"\x08\0\0\0", b"\0\0\0\0")
    assert len(timecode.moments(raw)) == 2 * 65536 // 320


def test_unbuffered_every_frame_is_on_disk(switch: Switch, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    record(switch, call, file, more="0 {enable_file_write_buffering=false}")
    switch.clock.advance(2.0)
    assert file.stat().st_size >= 44 + 95 * 320


def test_a_full_disk_is_told_only_at_the_end(switch: Switch, call: Call, tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    switch.disk.limit(place, 65536)
    file = place / "x.wav"
    record(switch, call, file)
    switch.clock.advance(12.0)
    assert file.stat().st_size == 65536
    assert record(switch, call, file, "stop") == "+OK Success\n"
    end = switch.world.of("closed")[0]
    assert (end["cause"], end["frames"]) == ("uri-failure", 600)
    assert len(timecode.moments(file.read_bytes())) == (65536 - 44) // 320
    assert record(switch, call, place / "second.wav") == "-ERR Cannot record session!\n"
    assert (place / "second.wav").stat().st_size == 0


def test_an_armed_recording_takes_audio_from_the_answer_on(switch: Switch, tmp_path: Path) -> None:
    call = switch.call().ring("1000")
    file = tmp_path / "x.wav"
    record(switch, call, file, more="0 {RECORD_ANSWER_REQ=true}")
    switch.clock.advance(2.0)
    answered = timecode.moment(switch.clock.epoch())
    call.answer()
    switch.clock.advance(1.0)
    record(switch, call, file, "stop")
    indexes = [m for _, m in timecode.moments(file.read_bytes())]
    assert (indexes[0], len(indexes)) == (answered, 50)


def test_an_empty_recording_leaves_no_file(switch: Switch, tmp_path: Path) -> None:
    call = switch.call(dialplan={}).queue("q1")
    file = tmp_path / "x.wav"
    record(switch, call, file)
    switch.clock.advance(1.0)
    record(switch, call, file, "stop")
    assert switch.world.of("closed")[0]["cause"] == "empty-file"
    assert not file.exists()


def test_stereo_keeps_the_sides_apart(switch: Switch, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    record(switch, call, file, more="0 {RECORD_STEREO=true}")
    switch.clock.advance(0.1)
    record(switch, call, file, "stop")
    raw = file.read_bytes()
    assert {f.leg for f in timecode.decode(raw) if isinstance(f, Moment)} == {call.a.number}
    assert {f.leg for f in timecode.decode_right(raw) if isinstance(f, Moment)} == {call.b.number}


def test_a_recording_follows_an_attended_transfer_when_the_dialplan_says_so(
    switch: Switch, call: Call, tmp_path: Path
) -> None:
    file = tmp_path / "x.wav"
    call.b.set("recording_follow_transfer", "true")
    assert ask(switch, f"uuid_record {call.b.uuid} start {file}") == "+OK Success\n"
    switch.clock.advance(1.0)
    call.attended_transfer("2001", by="b")
    switch.clock.advance(3.0)
    assert switch.world.of("moved")[0]["to"] == call.a.number
    assert record(switch, call, file, "mask") == "-ERR Cannot mask recording session!\n"
    assert record(switch, call, "all", "stop") == "+OK Success\n"  # type: ignore[arg-type]
    assert switch.world.of("closed")[0]["leg"] == call.a.number


def test_a_caller_who_gives_up_takes_the_ringing_leg_along(switch: Switch) -> None:
    call = switch.call().ring("1000")
    call.hang_up("a")
    assert not switch.channels
    assert {h["cause"] for h in switch.world.of("hangup")} == {"ORIGINATOR_CANCEL"}


def test_several_phones_ring_and_one_answers(switch: Switch) -> None:
    call = switch.call().ring("1000").dial("1001").dial("1002")
    call.answer(by="c")
    assert [c.up for c in call.legs] == [True, False, True, False]
    assert call.a.peer is call.legs[2]
    assert {h["cause"] for h in switch.world.of("hangup")} == {"LOSE_RACE"}


def test_a_caller_who_was_answered_by_the_dialplan_and_leaves_takes_the_ringing_leg_along(
    switch: Switch,
) -> None:
    call = switch.call().answer()
    call.ring("1000")
    call.hang_up("a")
    assert not switch.channels


def test_in_a_conference_the_others_are_heard(switch: Switch, tmp_path: Path) -> None:
    one = switch.call(dialplan={}).conference("r")
    file = tmp_path / "x.wav"
    record(switch, one, file)
    switch.clock.advance(1.0)
    two = switch.call(dialplan={}).conference("r")
    switch.clock.advance(1.0)
    two.hang_up("a")
    switch.clock.advance(1.0)
    record(switch, one, file, "stop")
    hears = [f.hears for f in timecode.decode(file.read_bytes()) if isinstance(f, Moment)]
    assert hears == [0] * 50 + [two.a.number] * 50 + [0] * 50


def test_the_world_knows_when_a_leg_spoke(switch: Switch, call: Call) -> None:
    start = timecode.moment(switch.clock.epoch()) - 5
    switch.clock.advance(0.9)
    call.hold(by="b")
    switch.clock.advance(1.0)
    call.unhold(by="b")
    switch.clock.advance(1.0)
    call.hang_up("a")
    assert spoken(switch.world.entries, call.b.number) == [(start, start + 50), (start + 100, start + 150)]
    assert spoken(switch.world.entries, call.a.number) == [(start, start + 150)]


def test_a_leg_can_go_through_a_gateway(switch: Switch) -> None:
    call = switch.call(variables={"channel_name": "sofia/internal/1000@pbx", "user_name": "1000"})
    call.dial("+4930", variables={"channel_name": "sofia/external/+4930@trunk", "sip_gateway_name": "trunk"})
    headers = dict(call.b.headers("CHANNEL_CREATE"))
    assert headers["Channel-Name"] == headers["Caller-Channel-Name"] == "sofia/external/+4930@trunk"
    assert headers["variable_sip_gateway_name"] == "trunk"
    assert headers["Other-Leg-Channel-Name"] == call.a.name == "sofia/internal/1000@pbx"
