"""The dialplans that are shipped, run by the simulator; what is asserted was seen on FreeSWITCH 1.10.12.

`fsgov` is played here by api commands; the real one answers in tests/acceptance/test_dialplans.py.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsgov.errors import BadConfiguration
from fsgov.simulator import Fault, ManualClock, Switch, api
from fsgov.simulator.call import Call
from fsgov.simulator.plan import Plan
from tests.conformance.client import Client

SHIPPED = Path(__file__).parents[2] / "dialplans"
PROMPT = "/prompts/question.wav"
OPERATOR = """<include>
  <context name="default">
    <X-PRE-PROCESS cmd="include" data="ENTER"/>
    <extension name="agents"><condition field="destination_number" expression="^2000$">
      <action application="set" data="hangup_after_bridge=true"/>
      <action application="bridge" data="sofia/internal/1000@127.0.0.1:5070"/>
    </condition></extension>
    <extension name="mailbox"><condition field="destination_number" expression="^7001$">
      <action application="park"/>
    </condition></extension>
  </context>
  <context name="fsgov_failure">
    <extension name="rule 1"><condition field="${fsgov_dialled}" expression="^2001$">
      <action application="hangup" data="NORMAL_TEMPORARY_FAILURE"/>
    </condition></extension>
    <extension name="otherwise"><condition>
      <action application="set" data="fsgov_action=failed"/>
    </condition></extension>
  </context>
</include>
"""
MENU = f"fsgov_prompt={PROMPT};fsgov_purpose=training;fsgov_yes=1;fsgov_no=2;fsgov_timeout=3000"


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    made = Switch(ManualClock(), recordings=tmp_path, heartbeat=0)
    mine = tmp_path / "operator.xml"
    mine.write_text(OPERATOR.replace("ENTER", str(SHIPPED / "enter" / "fsgov.xml")))
    for file in (mine, *sorted(SHIPPED.glob("*.xml"))):
        made.plan.load(file)
    made.prompts[PROMPT] = 1.2
    yield made
    made.close()


def incoming(switch: Switch, dialled: str = "2000", **variables: str) -> Call:
    return switch.call(dialled=dialled, context="default", variables=variables)


def tell(switch: Switch, call: Call, words: str, *, leg: str = "a") -> None:
    uuid = call.leg(leg).uuid
    assert api.execute(switch, "uuid_setvar_multi", f"{uuid} {words}") == "+OK\n"
    assert api.execute(switch, "uuid_break", uuid) == "+OK\n"


def executed(switch: Switch, leg: int) -> list[tuple[str, str]]:
    return [
        (entry["application"], entry["data"])
        for entry in switch.world.entries
        if entry["what"] == "executed" and entry["leg"] == leg
    ]


def asked(switch: Switch, mode: str, more: str = "") -> Call:
    """A call in its menu, the prompt just begun."""
    call = incoming(switch)
    tell(switch, call, f"{MENU}{more};fsgov_action={mode}")
    switch.clock.advance(0.1)
    assert call.a.answered
    return call


def test_every_file_that_is_shipped_is_understood() -> None:
    files = [*SHIPPED.glob("*.xml"), *SHIPPED.glob("enter/*.xml")]
    assert {file.name for file in files} == {
        "gate.xml", "notice.xml", "opt_out.xml", "opt_in.xml", "codes.xml", "fsgov.xml",
    }  # fmt: skip
    plan = Plan()
    for file in files:
        plan.load(file)
    assert set(plan.contexts) == {
        "fsgov", "fsgov_go", "fsgov_notice", "fsgov_opt_out", "fsgov_opt_in", "fsgov_codes",
    }  # fmt: skip


def test_the_gate_goes_on_at_once_when_it_is_answered(switch: Switch) -> None:
    call = incoming(switch)
    tell(switch, call, "fsgov_action=go")
    switch.clock.advance(0.05)
    assert [leg.tokens["agent"] for leg in call.legs[1:]] == ["1000"]
    assert not [entry for entry in switch.world.entries if entry["what"] == "heard"]


def test_the_gate_that_nobody_answers_goes_on_after_two_seconds_by_its_failure_mode(switch: Switch) -> None:
    call, turned_away = incoming(switch), incoming(switch, "2001")
    switch.clock.advance(1.9)
    assert len(call.legs) == 1
    assert turned_away.a.answer_state == "ringing"
    switch.clock.advance(0.2)
    assert len(call.legs) == 2
    assert turned_away.a.hangup_cause == "NORMAL_TEMPORARY_FAILURE"


def test_a_gate_without_its_failure_modes_goes_on(switch: Switch) -> None:
    del switch.plan.contexts["fsgov_failure"]
    call = incoming(switch)
    switch.clock.advance(2.1)
    assert len(call.legs) == 2


def test_what_a_channel_brings_along_is_not_believed(switch: Switch) -> None:
    """Variables of another dialplan, or of a caller whose headers somebody copies, answer no gate."""
    forged = {
        "fsgov_action": "go", "fsgov_answer": "given", "fsgov_key": "1", "fsgov_prompt": "/theirs.wav",
        "fsgov_purpose": "training", "fsgov_refusal": "transfer", "fsgov_transfer": "7001",
        "sip_h_X-fsgov_action": "go", "fsgov_dialled": "2001",
    }  # fmt: skip
    client = Client(switch, "auth ClueCon", "event plain CUSTOM fsgov::gate")
    call = incoming(switch, **forged)
    client.pump()
    (event,) = client.events()
    ours = {name: value for name, value in event.headers if name.startswith("variable_fsgov")}
    assert ours == {
        "variable_fsgov_action": "failure",
        "variable_fsgov_answer": "none",
        "variable_fsgov_dialled": "2000",
    }
    switch.clock.advance(1.0)
    assert len(call.legs) == 1
    client.close()


def test_a_late_answer_changes_nothing_and_cuts_nothing(switch: Switch) -> None:
    call = incoming(switch)
    switch.clock.advance(2.5)
    tell(switch, call, f"{MENU};fsgov_action=opt_in")
    switch.clock.advance(0.5)
    assert len(call.legs) == 2
    assert not [entry for entry in switch.world.entries if entry["what"] == "heard"]


@pytest.mark.parametrize(
    ("mode", "key", "answer"),
    [("opt_in", "1", "given"), ("opt_in", "2", "refused"), ("opt_in", "5", "none"), ("opt_in", "", "none"),
     ("opt_out", "2", "refused"), ("opt_out", "1", "none"), ("opt_out", "", "none")],
)  # fmt: skip
@pytest.mark.parametrize("barge_in", [True, False])
def test_what_a_menu_makes_of_a_key(switch: Switch, mode: str, key: str, answer: str, barge_in: bool) -> None:
    call = asked(switch, mode)
    switch.clock.advance(0.5 if barge_in else 2.0)
    if key:
        call.press(key)
    switch.clock.advance(5.0)
    variables = call.a.variables
    assert variables["fsgov_answer"] == answer
    assert variables.get("fsgov_consent_training", "none") == answer
    assert len(call.legs) == 2
    (heard,) = (e for e in switch.world.entries if e["what"] == "heard" and e["file"] == PROMPT)
    assert heard["complete"] is not (barge_in and bool(key))


def test_a_key_before_the_question_is_no_answer_and_is_never_told(switch: Switch) -> None:
    client = Client(switch, "auth ClueCon", "event plain DTMF")
    call = incoming(switch)
    call.press("1")
    switch.clock.advance(0.3)
    tell(switch, call, f"{MENU};fsgov_action=opt_in")
    switch.clock.advance(6.0)
    client.pump()
    assert call.a.variables["fsgov_answer"] == "none"
    assert client.names() == []
    client.close()


def test_a_notice_is_played_to_its_end_whatever_is_pressed(switch: Switch) -> None:
    call = asked(switch, "notice")
    call.press("*#1")
    switch.clock.advance(2.0)
    (heard,) = (entry for entry in switch.world.entries if entry["what"] == "heard")
    assert heard["complete"]
    assert "playback_terminators" not in call.a.variables
    assert len(call.legs) == 2


@pytest.mark.parametrize(
    ("refusal", "legs", "up"),
    [("continue", 2, True), ("hangup", 1, False), ("transfer;fsgov_transfer=7001", 1, True)],
)
def test_who_declines_goes_where_the_policy_says(switch: Switch, refusal: str, legs: int, up: bool) -> None:
    call = asked(switch, "opt_in", f";fsgov_refusal={refusal}")
    switch.clock.advance(1.5)
    call.press("2")
    switch.clock.advance(0.5)
    assert (len(call.legs), call.a.up) == (legs, up)
    if refusal.startswith("transfer"):
        assert call.a.profile["Destination-Number"] == "7001"


@pytest.mark.parametrize("confirmed", [True, False])
def test_after_a_menu_the_call_is_held_and_without_a_word_its_failure_mode_decides(
    switch: Switch, confirmed: bool
) -> None:
    client = Client(switch, "auth ClueCon", "event plain CUSTOM fsgov::gate")
    call = incoming(switch, "2001")
    tell(switch, call, f"{MENU};fsgov_require=before_answer;fsgov_action=notice")
    switch.clock.advance(1.5)
    client.pump()
    assert [event.get("fsgov-Step") for event in client.events()] == ["open", "passed", "held"]
    assert call.a.variables["fsgov_action"] == "failure"
    assert len(call.legs) == 1
    if confirmed:
        tell(switch, call, "fsgov_action=go")
    switch.clock.advance(2.1)
    assert call.a.hangup_cause == ("NORMAL_CLEARING" if confirmed else "NORMAL_TEMPORARY_FAILURE")
    assert len([e for e in switch.world.entries if e["what"] == "heard"]) == 1
    client.close()


def test_what_came_along_holds_no_call(switch: Switch) -> None:
    call = incoming(switch, fsgov_require="before_answer")
    tell(switch, call, f"{MENU};fsgov_action=notice")
    switch.clock.advance(1.5)
    assert len(call.legs) == 2


def test_hanging_up_ends_the_dialplan(switch: Switch) -> None:
    call = asked(switch, "opt_in")
    call.hang_up()
    switch.clock.advance(10.0)
    assert len(call.legs) == 1
    assert executed(switch, call.a.number)[-1][0] == "play_and_get_digits"


# -- codes -----------------------------------------------------------------------------------------------


def bridged(switch: Switch) -> Call:
    call = incoming(switch)
    tell(switch, call, "fsgov_action=go")
    switch.clock.advance(0.5)
    return call


@pytest.mark.parametrize(
    ("code", "act"), [("*1", "pause"), ("*2", "resume"), ("*3", "stop"), ("*4", "tag"), ("*5", "start")]
)
def test_a_code_of_the_agent_fires_its_event_and_tells_what_came_of_it(
    switch: Switch, code: str, act: str
) -> None:
    client = Client(switch, "auth ClueCon", "event plain CUSTOM fsgov::code")
    call = bridged(switch)
    call.press(code, by="b")
    switch.clock.advance(0.6)
    client.pump()
    (event,) = client.events()
    assert (event.uuid, event.get("fsgov-Act"), event.get("fsgov-Tag")) == (call.b.uuid, act, "marked")
    tell(switch, call, "fsgov_done=yes", leg="b")
    switch.clock.advance(1.0)
    (tones,) = (data for app, data in executed(switch, call.b.number) if app == "playback")
    assert tones == "tone_stream://%(120,80,700);%(120,0,1050)"
    assert call.a.up
    client.close()


def test_a_code_that_nobody_answers_says_no_after_three_seconds(switch: Switch) -> None:
    switch.globals["fsgov_prompts"] = "/prompts/en"
    call = bridged(switch)
    call.press("*1", by="b")
    switch.clock.advance(4.0)
    (words,) = (data for app, data in executed(switch, call.b.number) if app == "playback")
    assert words == "/prompts/en/pause-no.wav"


def test_the_caller_has_no_codes(switch: Switch) -> None:
    client = Client(switch, "auth ClueCon", "event plain CUSTOM fsgov::code")
    call = bridged(switch)
    call.press("*1", by="a")
    switch.clock.advance(4.0)
    client.pump()
    assert client.names() == []
    client.close()


# -- the interpreter is honest ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        '<extension><condition field="x" expression="y" hour="9"/></extension>',
        '<extension><condition><action application="set" data="a=b" inline="true"/></condition></extension>',
        "<extension><regex/></extension>",
        '<extension><condition break="perhaps"/></extension>',
    ],
)
def test_what_the_simulator_cannot_read_it_refuses(tmp_path: Path, body: str) -> None:
    file = tmp_path / "x.xml"
    file.write_text(f'<include><context name="c">{body}</context></include>')
    with pytest.raises(BadConfiguration):
        Plan().load(file)


def test_an_application_that_is_not_known_is_an_error(switch: Switch, tmp_path: Path) -> None:
    file = tmp_path / "x.xml"
    file.write_text(
        '<include><context name="c"><extension><condition>'
        '<action application="fifo" data="in"/></condition></extension></context></include>'
    )
    switch.plan.load(file)
    with pytest.raises(BadConfiguration, match="application"):
        switch.call(context="c")


def test_a_lost_reply_to_the_answer_costs_the_gate_its_two_seconds_and_no_more(switch: Switch) -> None:
    """The variables were set and nobody broke the sleep: the dialplan goes on as it was told."""
    call = incoming(switch)
    switch.misbehave(Fault("silence", command="uuid_setvar_multi"))
    api.execute(switch, "uuid_setvar_multi", f"{call.a.uuid} {MENU};fsgov_action=opt_in")
    switch.clock.advance(2.1)
    assert call.a.playback is not None


# -- the page for operators ------------------------------------------------------------------------------


def test_the_page_names_every_file_code_and_prompt() -> None:
    page = (SHIPPED / "README.md").read_text(encoding="utf-8")
    for file in (*SHIPPED.glob("*.xml"), *SHIPPED.glob("enter/*.xml")):
        assert f"`{file.relative_to(SHIPPED)}`" in page, file
    for code, act in (("*1", "pause"), ("*2", "resume"), ("*3", "stop"), ("*4", "tag"), ("*5", "start")):
        assert f"`{code}` {act}" in page
        assert f"`{act}-yes.wav`" in page
        assert f"`{act}-no.wav`" in page


def test_the_xml_of_the_page_is_understood(tmp_path: Path) -> None:
    page = (SHIPPED / "README.md").read_text(encoding="utf-8")
    blocks = [textwrap.dedent(block.split("```")[0]) for block in re.split(r"```xml", page)[1:]]
    assert len(blocks) == 3
    file = tmp_path / "page.xml"
    inside = f"<extension><condition>{blocks[2]}</condition></extension>"
    file.write_text(f'<include><context name="c">{inside}</context></include>')
    plan = Plan()
    plan.load(file)
    found = plan.hunt("c", "x", lambda _: "")
    assert found is not None
    assert [application for application, _ in found] == [
        "set", "execute_extension", "execute_extension", "bridge",
    ]  # fmt: skip
    assert "/enter/fsgov.xml" in blocks[1]
