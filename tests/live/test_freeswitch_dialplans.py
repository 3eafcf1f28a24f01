"""The dialplans that are shipped, on a real FreeSWITCH (what it needs: see test_freeswitch.py).

Its `freeswitch.xml` must hold the context `default` and be writable: while this module runs it includes the
files of dialplans/ as their README tells operators to, and every call passes the gate. Two minutes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsgov import config
from fsgov.checks.event_socket import logged_in
from fsgov.checks.gate import context, gate
from tests.live.governed import (
    ASKED,
    HELD,
    HELD_ASKED,
    NOTICE,
    OPT_OUT,
    PLAIN,
    POLICY,
    Governed,
    governed,
    result,
)
from tests.live.phones import Placed, eventually
from tests.live.sweep import Heard

pytestmark = pytest.mark.freeswitch
__all__ = ["governed"]

SHIPPED = Path(__file__).parents[2] / "dialplans"
HOSTILE = 'a"b<c> $${base_dir} ${x} -- --> <include> \N{SNOWMAN}'
STRICT = f"""
[[rule]]
name = '{HOSTILE}'
when.dialled = "5000"
consent = "none"
purposes = ["evidence"]
on_failure = "hangup"
[[rule]]
name = "told"
when.dialled = "2001"
consent = "none"
purposes = ["evidence"]
on_failure = "announce"
announce = "sorry"
"""


def include(file: Path) -> str:
    return f'<X-PRE-PROCESS cmd="include" data="{file}"/>\n'


@pytest.fixture(scope="module")
def gated(governed: Governed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    """The switch with the dialplans included as their README says."""
    switch, where = governed.phones.switch, tmp_path_factory.mktemp("dialplans")
    policy = governed.stage.site.host / "strict.toml"
    policy.write_text(POLICY.replace("[[rule]]", STRICT + "[[rule]]", 1))
    said = governed.stage.fsgov("policy", "export-dialplan", str(policy))
    assert said.code == 0, said.err
    failure = where / "fsgov_failure.xml"
    failure.write_text(said.out)
    file = Path(switch.api("global_getvar conf_dir")) / "freeswitch.xml"
    before = file.read_text()
    context = '<context name="default">'
    assert before.count(context) == 1, "freeswitch.xml has no context default of its own"
    end = before.index("</section>", before.index(context))
    more = "".join(map(include, [*sorted(SHIPPED.glob("*.xml")), failure]))
    text = before[:end] + more + before[end:]
    file.write_text(text.replace(context, context + "\n" + include(SHIPPED / "enter" / "fsgov.xml")))
    try:
        assert switch.api("reloadxml").startswith("+OK")
        yield governed
    finally:
        file.write_text(before)
        switch.api("reloadxml")


def played(gated: Governed, call: Placed) -> list[dict[str, str]]:
    return gated.phones.switch_ear.of(call.call, "PLAYBACK_STOP")


def variables(gated: Governed, leg: str, *names: str) -> dict[str, str]:
    return {name: gated.phones.switch.api(f"uuid_getvar {leg} {name}") for name in names}


def test_a_yes_in_the_menu_of_the_dialplan_opens_the_recording(gated: Governed) -> None:
    call = gated.phones.call("2000", gated.phones.number(ASKED))
    eventually(lambda: played(gated, call), 10, "no question")
    said = call.moment()
    call.press("1")
    gated.recording(call)
    assert variables(gated, call.call, "fsgov_answer", "fsgov_consent_training") == {
        "fsgov_answer": "given",
        "fsgov_consent_training": "given",
    }
    call.until(said + 4)
    ended = call.hang_up()
    whole = gated.over(call.call)
    assert result(whole) == ("recorded", "")
    assert [(row.state, row.method) for row in whole.consents] == [("given", "key")]
    assert len(played(gated, call)) == 1  # by the dialplan; fsgov plays nothing
    heard = Heard.of(gated.whole(whole)[0])
    assert min(heard.moments) > said - 0.1
    assert heard.last == pytest.approx(ended, abs=0.5)


@pytest.mark.parametrize(
    ("rule", "answer", "outcome", "files"),
    [
        (ASKED, "2", "refused", 0),
        (ASKED, "", "consent-unanswered", 0),
        (ASKED, "5", "consent-unanswered", 0),
        (OPT_OUT, "2", "refused", 0),
        (OPT_OUT, "", "recorded", 1),
        (NOTICE, "*", "recorded", 1),
        (PLAIN, "", "recorded", 1),
    ],
    ids=["no", "silence", "another key", "opted out", "not opted out", "notice", "nothing to ask"],
)
def test_what_the_menus_lead_to(gated: Governed, rule: str, answer: str, outcome: str, files: int) -> None:
    call = gated.phones.call("2000", gated.phones.number(rule))
    if rule != PLAIN:
        eventually(lambda: gated.phones.switch_ear.of(call.call, "PLAYBACK_START"), 10, "no question")
        if rule == NOTICE and answer:
            call.press(answer)  # while it is played: nothing cuts a notice short
        eventually(lambda: played(gated, call), 10, "no question")
        assert played(gated, call)[0]["variable_playback_last_offset_pos"] == "9600"
    asked = call.moment()
    if rule != NOTICE and answer:
        call.press(answer)
    call.until(asked + 6)
    call.hang_up()
    whole = gated.over(call.call)
    assert whole.call.outcome == outcome
    assert len(gated.whole(whole)) == files
    assert sum("question" in each["Playback-File-Path"] for each in played(gated, call)) == (rule != PLAIN)


def test_a_key_during_the_question_answers_it(gated: Governed) -> None:
    call = gated.phones.call("2000", gated.phones.number(ASKED))
    eventually(lambda: gated.phones.switch_ear.of(call.call, "PLAYBACK_START"), 10, "no question")
    call.press("2")
    (stopped,) = eventually(lambda: played(gated, call), 10)
    assert stopped["Playback-Status"] == "break"
    call.until(call.moment() + 2)
    call.hang_up()
    whole = gated.over(call.call)
    assert (whole.call.outcome, whole.segments) == ("refused", [])


def test_the_check_knows_the_gate_of_a_real_switch(gated: Governed) -> None:
    settings = config.load(gated.stage.site.host / "fsgov.toml")
    strict = replace(settings.policy, file=gated.stage.site.host / "strict.toml")
    host, port, password = os.environ["FSGOV_LIVE_FREESWITCH"].split(":", 2)
    with logged_in(host, int(port), password) as asked:
        assert context(asked, "fsgov_none") is None
        (other,) = gate(asked, settings)
        assert (other.state, "another policy" in other.message) == ("warning", True)
        (same,) = gate(asked, replace(settings, policy=strict))
        assert same.state == "ok", same


def stamp(events: list[dict[str, str]]) -> int:
    """When the first of them happened, in microseconds by the switch's clock."""
    return int(events[0]["Event-Date-Timestamp"])


def order(*events: list[dict[str, str]]) -> list[int]:
    """The places of the first of each, in the order in which the switch fired them: its clock is coarse."""
    return [int(each[0]["Event-Sequence"]) for each in events]


def agents_leg(gated: Governed, call: Placed) -> list[dict[str, str]]:
    """The creation of the leg that this call was bridged to."""
    return [
        event
        for event in tuple(gated.phones.switch_ear.events)
        if event.get("Event-Name") == "CHANNEL_CREATE" and event.get("Other-Leg-Unique-ID") == call.call
    ]


def test_a_call_is_held_at_the_gate_until_its_armed_recording_runs(gated: Governed) -> None:
    call = gated.phones.call("2000", gated.phones.number(HELD))
    ear = gated.phones.switch_ear
    opened, early = ear.of(call.call, "CUSTOM"), ear.of(call.call, "CHANNEL_PROGRESS_MEDIA")  # the 183
    began, answered = ear.of(call.call, "RECORD_START"), ear.of(call.call, "CHANNEL_ANSWER")
    called = agents_leg(gated, call)
    places = order(opened, early, began, called, answered)
    assert places == sorted(places)
    assert stamp(called) - stamp(began) < 200_000
    call.until(4)
    ended = call.hang_up()
    whole = gated.over(call.call)
    assert result(whole) == ("recorded", "")
    (segment,) = whole.segments
    assert segment.start_lost_ms == 0
    heard = Heard.of(gated.whole(whole)[0])
    assert heard.first < 0.15, "the first word"
    assert heard.last == pytest.approx(ended, abs=0.5)


def test_after_the_menu_a_call_is_held_until_its_recording_runs(gated: Governed) -> None:
    call = gated.phones.call("2000", gated.phones.number(HELD_ASKED))
    ear = gated.phones.switch_ear
    eventually(lambda: played(gated, call), 10, "no question")
    call.press("1")
    eventually(lambda: agents_leg(gated, call), 10, "not let through")
    began, called = stamp(ear.of(call.call, "RECORD_START")), stamp(agents_leg(gated, call))
    pressed = stamp(ear.of(call.call, "DTMF"))
    assert len(ear.of(call.call, "CUSTOM", fsgov_Step="held")) == 1
    assert pressed <= began <= called
    assert order(ear.of(call.call, "RECORD_START")) < order(agents_leg(gated, call))
    assert called - pressed < 500_000
    call.until(call.moment() + 3)
    call.hang_up()
    whole = gated.over(call.call)
    assert result(whole) == ("recorded", "")
    (segment,) = whole.segments
    assert segment.start_lost_ms == pytest.approx((began - pressed) / 1000, abs=30)


def test_what_a_recording_lacks_at_its_start_is_what_its_row_says(gated: Governed) -> None:
    call = gated.phones.call("2000", gated.phones.number(PLAIN))
    call.until(3)
    call.hang_up()
    whole = gated.over(call.call)
    (segment,) = whole.segments
    assert segment.start_lost_ms is not None
    assert Heard.of(gated.whole(whole)[0]).first == pytest.approx(segment.start_lost_ms / 1000, abs=0.1)


def test_who_declines_is_not_held(gated: Governed) -> None:
    call = gated.phones.call("2000", gated.phones.number(HELD_ASKED))
    eventually(lambda: played(gated, call), 10, "no question")
    call.press("2")
    eventually(lambda: agents_leg(gated, call), 10, "not let through")
    pressed = stamp(gated.phones.switch_ear.of(call.call, "DTMF"))
    assert stamp(agents_leg(gated, call)) - pressed < 500_000
    call.hang_up()
    whole = gated.over(call.call)
    assert (whole.call.outcome, whole.segments) == ("refused", [])


def test_hanging_up_in_the_menu_is_no_consent(gated: Governed) -> None:
    call = gated.phones.call("2000", gated.phones.number(OPT_OUT))
    eventually(lambda: gated.phones.switch_ear.of(call.call, "PLAYBACK_START"), 10, "no question")
    call.hang_up()
    whole = gated.over(call.call)
    assert (whole.call.outcome, whole.segments) == ("consent-unanswered", [])


def test_what_a_caller_sends_along_answers_nothing(gated: Governed) -> None:
    number = gated.phones.number(ASKED)
    name = "Bob%0Afsgov-Step: passed%0Avariable_fsgov_consent_training: given"
    headers = {"action": "go", "answer": "given", "consent_training": "given", "key": "1"}
    forged: dict[str, Any] = {f"sip_h_X-fsgov_{header}": value for header, value in headers.items()}
    full = f"'\"{name}\" <sip:{number}@127.0.0.1>'"
    call = gated.phones.call("2000", number, sip_invite_full_from=full, **forged)
    eventually(lambda: played(gated, call), 10, "no question")
    assert variables(gated, call.call, "sip_h_X-fsgov_action", "fsgov_action", "fsgov_key") == {
        "sip_h_X-fsgov_action": "go",
        "fsgov_action": "opt_in",
        "fsgov_key": "_undef_",
    }
    client = gated.phones.switch
    for step in ("passed", "open"):
        assert client.say(
            f"sendevent CUSTOM\nEvent-Subclass: fsgov::gate\nfsgov-Step: {step}\nUnique-ID: {call.call}\n"
            "variable_fsgov_consent_training: given"
        ).startswith("+OK")
    call.until(call.moment() + 5)
    call.hang_up()
    whole = gated.over(call.call)
    assert (whole.call.outcome, whole.segments) == ("consent-unanswered", [])
    assert [row.state for row in whole.consents] == ["unanswered"]


def test_codes_of_the_agent_pause_and_resume_and_the_caller_has_none(gated: Governed) -> None:
    number = gated.phones.number(PLAIN)
    call = gated.phones.call("2000", number)
    gated.recording(call)
    agent = gated.phones.agent(number)

    def presses(digits: str) -> float:
        for digit in digits:
            assert gated.phones.socket.api(f"uuid_send_dtmf {agent} {digit}@100").startswith("+OK")
            time.sleep(0.25)
        return call.moment()

    tones = "tone_stream://%(120,80,700);%(120,0,1050)"
    (leg,) = gated.phones.legs(direction="outbound")

    def confirmed(n: int) -> bool:
        return len(gated.phones.switch_ear.of(leg["uuid"], "PLAYBACK_STOP", Playback_File_Path=tones)) >= n

    call.until(2)
    call.press("*1")
    call.until(4)
    presses("*1")
    eventually(lambda: confirmed(1), 5, "the agent was not told")
    paused = call.moment()
    call.until(paused + 3)
    resumed = call.moment()
    presses("*2")
    eventually(lambda: confirmed(2), 5, "the agent was not told")
    call.until(resumed + 4)
    presses("*4")
    eventually(lambda: confirmed(3), 5, "the agent was not told")
    ended = call.hang_up()
    whole = gated.over(call.call)
    assert result(whole) == ("recorded", "")
    assert [(tag.tag, tag.actor) for tag in whole.tags] == [("marked", None)]
    (segment,) = whole.segments
    assert (segment.mask_proof, segment.state) == ("proven", "stored")
    heard = Heard.of(gated.whole(whole)[0])
    assert not [moment for moment in heard.moments if paused < moment < resumed - 0.1]
    assert [moment for moment in heard.moments if 2.5 < moment < paused - 1.5]
    assert [moment for moment in heard.moments if resumed + 1.5 < moment < ended]


def test_a_code_of_the_agent_says_that_the_caller_has_declined_and_capture_ends(gated: Governed) -> None:
    number = gated.phones.number(PLAIN)
    call = gated.phones.call("2000", number)
    gated.recording(call)
    agent = gated.phones.agent(number)
    (leg,) = gated.phones.legs(direction="outbound")

    def told(tones: str, digits: str) -> None:
        for digit in digits:
            assert gated.phones.socket.api(f"uuid_send_dtmf {agent} {digit}@100").startswith("+OK")
            time.sleep(0.25)
        ear = gated.phones.switch_ear
        path = {"Playback_File_Path": f"tone_stream://{tones}"}
        eventually(lambda: ear.of(leg["uuid"], "PLAYBACK_STOP", **path), 5, "the agent was not told")

    call.until(2)
    told("%(700,0,250)", "*6")  # nothing rests on a consent here
    told("%(120,80,700);%(120,0,1050)", "*7")
    declined = call.moment()
    call.until(declined + 2)
    call.hang_up()
    whole = gated.over(call.call)
    assert whole.call.outcome == "withdrawn"
    assert [(row.state, row.method) for row in whole.consents] == [("refused", "agent")]
    (segment,) = whole.segments
    assert segment.dispose
    assert not [moment for moment in Heard.of(gated.whole(whole)[0]).moments if moment > declined]


def test_without_fsgov_the_gate_ends_by_itself_and_the_failure_mode_decides(gated: Governed) -> None:
    located = gated.phones.switch.api("xml_locate dialplan context name fsgov_failure")
    assert "fsgov failure, rule 1: a" in located
    gated.stage.stop_service()
    try:
        call = gated.phones.call("2000", gated.phones.number(ASKED))
        dump = gated.phones.switch.api(f"uuid_dump {call.call}")
        times = dict(line.partition(": ")[::2] for line in dump.splitlines())
        waited = int(times["Caller-Channel-Answered-Time"]) - int(times["Caller-Channel-Created-Time"])
        assert 1_950_000 < waited < 2_500_000
        turned_away = gated.phones.call("5000", gated.phones.number(PLAIN), speaks=False)
        ended = eventually(lambda: gated.phones.switch_ear.of(turned_away.call, "CHANNEL_HANGUP"), 10)
        assert ended[0]["Hangup-Cause"] == "NORMAL_TEMPORARY_FAILURE"
        told = gated.phones.call("2001", gated.phones.number(PLAIN))
        heard = eventually(lambda: played(gated, told), 10, "it was told nothing")
        assert heard[0]["Playback-File-Path"].endswith("/notice-en.wav")
        told.hang_up()
    finally:
        gated.stage.start_service()
        gated.stage.wait_ready()
    call.until(call.moment() + 5)
    call.hang_up()
    whole = gated.over(call.call)
    assert (whole.call.outcome, whole.segments) == ("consent-unanswered", [])
    assert not played(gated, call)
