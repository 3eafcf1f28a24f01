"""The dialplans that are shipped, run by the simulated switch, answered by the real service. A minute."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from fsgov.catalog.desk import Desk
from fsgov.catalog.rows import WholeCall
from fsgov.demo import playing
from fsgov.demo.playing import Mark, Played
from fsgov.demo.scenes import END, START, Between, Do, Scene, Step, Talk, Until
from fsgov.demo.stage import Stage
from fsgov.demo.verdict import opened
from fsgov.simulator import timecode
from tests.acceptance.play import (
    ENTERING,
    SHIPPED,
    eventually,
    fsgov,
    go_on,
    good,
    hang_up,
    judged,
    staged,
    started,
)

OPT_IN, OPT_OUT, NOTICE, NONE, STRICT, HELD, HELD_IN, TOLD = (f"+4722{n:06}" for n in range(8))
POLICY = f"""
version = "gate"
timezone = "Europe/Berlin"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[purpose.training]
basis = "consent"
retain_max = "6 months"
[prompt.question]
file = "prompts/question-de.wav"
[prompt.sorry]
file = "prompts/notice-en.wav"

[[rule]]
name = "opt in"
when.dialled = ["{OPT_IN}"]
consent = "opt_in"
purposes = ["evidence", "training"]
ask = {{ prompt = "question", yes = "1", no = "2", timeout = "2 s", withdraw = "*9" }}
[[rule]]
name = "opt out"
when.dialled = ["{OPT_OUT}"]
consent = "opt_out"
purposes = ["evidence"]
ask = {{ prompt = "question", no = "2", timeout = "1 s" }}
on_refusal = "hangup"
[[rule]]
name = "notice"
when.dialled = ["{NOTICE}"]
consent = "notice"
purposes = ["evidence"]
ask = {{ prompt = "question" }}
[[rule]]
name = "none"
when.dialled = ["{NONE}"]
consent = "none"
purposes = ["evidence"]
[[rule]]
name = "strict"
when.dialled = ["{STRICT}"]
consent = "none"
purposes = ["evidence"]
on_failure = "hangup"
[[rule]]
name = "held"
when.dialled = ["{HELD}"]
consent = "none"
purposes = ["evidence"]
gate = true
require = "before_answer"
on_failure = "hangup"
[[rule]]
name = "held opt in"
when.dialled = ["{HELD_IN}"]
consent = "opt_in"
purposes = ["evidence", "training"]
ask = {{ prompt = "question", yes = "1", no = "2", timeout = "2 s" }}
gate = true
require = "before_answer"
on_failure = "announce"
announce = "sorry"
[[rule]]
name = "told"
when.dialled = ["{TOLD}"]
consent = "notice"
purposes = ["evidence"]
ask = {{ prompt = "question" }}
gate = true
on_failure = "announce"
announce = "sorry"
[[rule]]
name = "never"
record = "never"
"""
OPERATOR = f"""<include>{ENTERING}
  <context name="past">
    <extension name="agents"><condition field="destination_number" expression="^\\+47">
      <action application="bridge" data="sofia/internal/1000@127.0.0.1:5070"/>
    </condition></extension>
  </context>
</include>
"""
SPOKEN = frozenset({"evidence", "training"})
UNCONSENTED = frozenset({"evidence"})
BEFORE = Between(START, "asked")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("gate"), POLICY) as stage:
        where = stage.site
        said = fsgov(stage, "policy", "export-dialplan", str(where.host / "policy.toml"))
        assert said.code == 0, said.err
        (where.switch / "failure.xml").write_text(said.out)
        (where.switch / "operator.xml").write_text(OPERATOR)
        mine = [where.switch / "operator.xml", where.switch / "failure.xml"]
        stage.do("plan", files=[str(file) for file in (*mine, *sorted(SHIPPED.glob("*.xml")))])
        yield stage


@pytest.fixture
def stage(made: Stage) -> Iterator[Stage]:
    started(made)
    yield made
    made.do("api", text="hupall")


def scene(name: str, dialled: str, *steps: Step, outcome: str, **more: object) -> Scene:
    rules = ("opt in", "opt out", "notice", "none", "strict", "held", "held opt in", "told")
    rule = dict(zip((OPT_IN, OPT_OUT, NOTICE, NONE, STRICT, HELD, HELD_IN, TOLD), rules, strict=True))[
        dialled
    ]
    facts: dict[str, object] = {
        "name": name, "title": name, "caller": "+4722999001", "dialled": dialled, "steps": steps,
        "outcome": outcome, "rule": rule, **more,
    }  # fmt: skip
    return Scene(**facts)  # type: ignore[arg-type]


def comes_in(stage: Stage, wanted: Scene, **more: object) -> Played:
    """The scene's call, by way of the dialplan."""
    played = Played(wanted)
    now = stage.moment()
    played.marks[START] = Mark(now, now)
    facts = {"caller": wanted.caller, "dialled": wanted.dialled, "caller_name": wanted.caller_name, **more}
    facts.setdefault("context", "default")
    played.call = stage.do("call", **{"as": wanted.name}, **facts)["call"]
    return played


def whole(stage: Stage, *scenes: Scene) -> list[Played]:
    """All of them at once, each to its end."""
    played = [comes_in(stage, each) for each in scenes]

    def one(each: Played) -> None:
        for step in each.scene.steps:
            playing.carry_out(stage, each, step, threading.Event())

    threads = [threading.Thread(target=one, args=(each,)) for each in played]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return played


def entered(stage: Stage, played: Played) -> WholeCall:
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        return desk.call(played.call)


def agents(stage: Stage, call: str) -> int:
    return len(stage.ledger.legs(call)) - 1


HEARD = Until("heard", "asked")
NO_BROADCAST = "uuid_broadcast"


def press(digits: str, mark: str = "said", by: str = "a") -> Do:
    return Do("press", {"digits": digits, "by": by}, mark)


def test_what_the_menus_lead_to(stage: Stage) -> None:
    """Consent is proven by what the switch told of prompt and key; not a frame before it."""
    on = Between("on the record", END)
    recorded = {"segments": 1, "heard": (on,)}
    begun = Until("opened", "on the record")
    scenes = (
        scene("yes", OPT_IN, HEARD, press("1"), begun, Talk(1.0), hang_up(), outcome="recorded",
              purposes=SPOKEN, silent=(Between(START, "said"),), **recorded),
        scene("no", OPT_IN, HEARD, press("2"), Talk(1.5), hang_up(), outcome="refused",
              silent=(Between(START, END),)),
        scene("silent", OPT_IN, HEARD, Talk(4.0), hang_up(), outcome="consent-unanswered",
              silent=(Between(START, END),)),
        scene("another key", OPT_IN, HEARD, press("5"), Talk(2.5), hang_up(), outcome="consent-unanswered"),
        scene("gone", OPT_IN, HEARD, hang_up(), outcome="consent-unanswered"),
        scene("yes, then withdrawn", OPT_IN, HEARD, press("1"), begun, Talk(0.5), press("*9", "withdrawn"),
              Talk(2.0), hang_up(), outcome="withdrawn", segments=1, purposes=SPOKEN, dispose=True,
              silent=(Between(START, "said"),)),
        scene("opt out", OPT_OUT, HEARD, press("2"), Do("time", mark=END, of_call=False),
              outcome="refused", silent=(Between(START, END),)),
        scene("heard and silent", OPT_OUT, HEARD, begun, Talk(1.0), hang_up(), outcome="recorded",
              purposes=UNCONSENTED, silent=(BEFORE,), **recorded),
        scene("notice", NOTICE, HEARD, begun, Talk(1.0), hang_up(), outcome="recorded",
              purposes=UNCONSENTED, silent=(BEFORE,), **recorded),
        scene("none", NONE, begun, Talk(1.0), hang_up(), outcome="recorded", purposes=UNCONSENTED,
              **recorded),
    )  # fmt: skip
    played = whole(stage, *scenes)
    eventually(lambda: not stage.live())
    good(*judged(stage, *played))
    calls = {each.scene.name: each for each in played}
    assert not [c for c in stage.ledger.all("command") if c["command"] == NO_BROADCAST]
    assert [(row.state, row.method) for row in entered(stage, calls["yes"]).consents] == [("given", "key")]
    assert [(r.state, r.method) for r in entered(stage, calls["no"]).consents] == [("refused", "key")]
    assert agents(stage, calls["opt out"].call) == 0  # on_refusal = "hangup", by the dialplan
    assert agents(stage, calls["no"].call) == 1
    breaks = [c for c in stage.ledger.all("command") if c["command"] == "uuid_break"]
    assert len(breaks) == len(played)


def test_without_fsgov_the_gate_ends_by_itself_and_each_number_has_its_failure_mode(stage: Stage) -> None:
    assert stage.service is not None
    assert stage.stop_service() == 0
    asked = comes_in(stage, scene("asked", OPT_IN, outcome="consent-unanswered"))
    strict = comes_in(stage, scene("strict", STRICT, outcome="not-answered"))
    eventually(lambda: agents(stage, asked.call) == 1 and stage.ledger.all("hangup", uuid=strict.call), 10)
    at = {call: stage.ledger.all("leg", uuid=call)[0]["at"] for call in (asked.call, strict.call)}
    legs = stage.ledger.legs(asked.call).values()
    bridged = [each["at"] for each in stage.ledger.all("answered") if each["leg"] in legs]
    (ended,) = stage.ledger.all("hangup", uuid=strict.call)
    assert 1.9 < min(bridged) - at[asked.call] < 2.5
    assert 1.9 < ended["at"] - at[strict.call] < 2.5
    assert ended["cause"] == "NORMAL_TEMPORARY_FAILURE"
    stage.start_service()
    stage.wait_ready()
    go_on(stage, asked, Talk(3.0), hang_up())
    good(*judged(stage, asked))  # found by the resync, neither asked nor recorded
    assert not stage.ledger.all("heard", uuid=asked.call)


LOST = {
    "asked too late": {"kind": "late", "event": "CUSTOM"},
    "refused": {"kind": "error", "command": "uuid_setvar_multi"},
}
UNSURE = {
    "answered too late": {"kind": "slow", "command": "uuid_setvar_multi"},
    "never confirmed": {"kind": "silence", "command": "uuid_setvar_multi"},
    "never broken": {"kind": "error", "command": "uuid_break"},
}


@pytest.mark.parametrize("name", LOST)
def test_an_answer_that_does_not_arrive_in_time_leaves_the_call_to_its_failure_mode(
    stage: Stage, name: str
) -> None:
    stage.do("fault", seconds=2.4, **LOST[name])
    wanted = scene(name, OPT_IN, Talk(5.5), hang_up(), outcome="consent-unanswered")
    (played,) = whole(stage, wanted)
    good(*judged(stage, played))
    assert agents(stage, played.call) == 1
    assert not stage.ledger.all("heard", uuid=played.call)


@pytest.mark.parametrize("name", UNSURE)
def test_an_answer_without_its_reply_costs_two_seconds_and_the_call_is_asked(stage: Stage, name: str) -> None:
    stage.do("fault", seconds=2.4, **UNSURE[name])
    begun = Until("opened", "on the record")
    facts = {"outcome": "recorded", "segments": 1, "purposes": SPOKEN, "silent": (Between(START, "said"),)}
    steps = (HEARD, press("1"), begun, Talk(1.0), hang_up())
    (played,) = whole(stage, scene(name, OPT_IN, *steps, **facts))  # type: ignore[arg-type]
    good(*judged(stage, played))
    assert agents(stage, played.call) == 1


def test_nobody_but_the_party_and_its_switch_can_answer(stage: Stage) -> None:
    """A display name, headers, variables that came along, keys before the question, events of some client."""
    forged = {
        "sip_h_X-fsgov_action": "go", "sip_h_X-fsgov_consent_training": "given", "fsgov_action": "go",
        "fsgov_key": "1", "fsgov_answer": "given", "fsgov_dialled": STRICT,
    }  # fmt: skip
    stage.do("fault", kind="late", event="CUSTOM", seconds=0.7)
    name = "Bob%0Afsgov-Step: passed%0Avariable_fsgov_consent_training: given"
    played = comes_in(
        stage,
        scene("forger", OPT_IN, HEARD, outcome="consent-unanswered", silent=(Between(START, END),)),
        caller_name=name,
        variables=forged,
    )
    stage.do("press", call="forger", digits="1")
    go_on(stage, played, HEARD)
    client = Client(stage)
    for step in ("passed", "open"):
        assert client.say(
            f"sendevent CUSTOM\nEvent-Subclass: fsgov::gate\nfsgov-Step: {step}\nUnique-ID: {played.call}\n"
            "variable_fsgov_consent_training: given"
        ).startswith("+OK")
    client.say(f"sendevent DTMF\nDTMF-Digit: 1\nDTMF-Source: RTP\nUnique-ID: {played.call}")
    go_on(stage, played, Talk(4.0), hang_up())
    client.close()
    good(*judged(stage, played))
    assert [row.state for row in entered(stage, played).consents] == ["unanswered"]


def test_codes_of_the_agent_act_and_those_of_the_caller_do_not(stage: Stage) -> None:
    played = comes_in(
        stage,
        scene(
            "codes", NONE, outcome="recorded", segments=1, purposes=UNCONSENTED, proof="proven",
            heard=(Between("on the record", "pause asked"), Between("resumed", END)),
            silent=(Between("paused", "resume asked"),),
        ),
    )  # fmt: skip
    yes = "tone_stream://%(120,80,700);%(120,0,1050)"
    go_on(stage, played, Until("opened", "on the record"), Talk(1.0), press("*1", by="a"), Talk(1.0))
    assert not stage.ledger.all("masked")
    go_on(stage, played, press("*1", "pause asked", by="b"))
    stage.ledger.wait("heard", file=yes, nth=1)
    go_on(stage, played, Do("time", mark="paused", of_call=False), Talk(1.0))
    go_on(stage, played, press("*2", "resume asked", by="b"))
    stage.ledger.wait("heard", file=yes, nth=2)
    go_on(stage, played, Do("time", mark="resumed", of_call=False), press("*4", by="b"))
    stage.ledger.wait("heard", file=yes, nth=3)
    go_on(stage, played, press("*2", by="b"))
    stage.ledger.wait("heard", file="tone_stream://%(700,0,250)")  # it is not paused
    go_on(stage, played, hang_up())
    good(*judged(stage, played))
    tags = entered(stage, played).tags
    assert [(tag.tag, tag.actor) for tag in tags] == [("marked", None)]


def at(stage: Stage, what: str, **facts: object) -> float:
    """When it first happened, in seconds by the frames of the audio."""
    return float(stage.ledger.all(what, **facts)[0]["moment"] * timecode.FRAME_SECONDS)


def log_of(stage: Stage) -> list[dict[str, Any]]:
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        return [json.loads(row.line) for row in desk.log.lines(desk.log.state().log_id)]


def lacks(stage: Stage, played: Played, since: float) -> None:
    """The row says how much later than `since` its first frame was spoken; the audio is the witness."""
    (row,) = entered(stage, played).segments
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        audio = opened(stage.site, desk, row)
    first = timecode.moments(audio)[0][1] * timecode.FRAME_SECONDS
    assert row.start_lost_ms is not None
    assert row.start_lost_ms / 1000 == pytest.approx(first - since, abs=0.03)


def test_a_call_is_held_until_its_recording_runs_and_no_word_of_it_is_lost(stage: Stage) -> None:
    begun = Until("opened", "on the record")
    once = {"segments": 1, "purposes": UNCONSENTED}
    on = {"segments": 1, "heard": (Between("on the record", END),)}
    asked = (HEARD, press("1"), begun, Talk(1.0), hang_up())
    slow = {"kind": "slow", "command": "uuid_record", "times": 2, "seconds": 0.6}
    stage.do("fault", **slow)
    held, held_in = whole(
        stage,
        scene("held", HELD, begun, Talk(1.5), hang_up(), outcome="recorded", **once),
        scene("held, asked", HELD_IN, *asked, outcome="recorded", purposes=SPOKEN,
              silent=(Between(START, "said"),), **on),
    )  # fmt: skip
    good(*judged(stage, held, held_in))
    for played in (held, held_in):
        caller, agent = stage.ledger.legs(played.call).values()
        opened_at = at(stage, "opened", uuid=played.call)
        assert opened_at < at(stage, "leg", leg=agent) < opened_at + 0.5
        answered = at(stage, "answered", leg=caller)
        lacks(stage, played, at(stage, "pressed", leg=caller) if played is held_in else answered)
    assert [row.start_lost_ms for row in entered(stage, held).segments] == [0]


@pytest.mark.parametrize("fault", [
    {"kind": "late", "event": "RECORD_START", "seconds": 2.4},
    {"kind": "ignore", "command": "uuid_record"},
    {"kind": "error", "command": "uuid_record"},
], ids=["confirmed too late", "never begun", "refused"])  # fmt: skip
def test_a_call_whose_recording_is_not_confirmed_is_not_let_through(
    stage: Stage, fault: dict[str, object]
) -> None:
    stage.do("fault", **fault)
    played = comes_in(stage, scene("held", HELD, outcome="not-answered"))
    stage.ledger.wait("hangup", uuid=played.call, timeout=10)
    over = {"type": "fsgov.call.over.v1", "subject": played.call}
    eventually(lambda: [e for e in log_of(stage) if over.items() <= e.items()], 15)
    assert agents(stage, played.call) == 0
    assert at(stage, "hangup", uuid=played.call) - at(stage, "leg", uuid=played.call) < 2.5


def test_who_may_not_be_told_by_silence_is_told_by_a_prompt(stage: Stage) -> None:
    """After the menu, past the gate, and by the dialplan itself while fsgov is away: once each."""
    sorry = str(stage.site.host / "prompts" / "notice-en.wav")
    stage.do("fault", kind="error", command="uuid_record", times=1)
    later = Do("time", mark="later", of_call=False)
    refused, past = (
        comes_in(stage, scene("refused", HELD_IN, outcome="recorded-in-part", purposes=SPOKEN, segments=1)),
        comes_in(stage, scene("past", TOLD, outcome="failed", silent=(Between(START, END),)), context="past"),
    )
    go_on(stage, refused, HEARD, press("1"))
    for each in (refused, past):
        stage.ledger.wait("heard", file=sorry, uuid=each.call)
    go_on(stage, past, Talk(1.0), later, hang_up())
    go_on(stage, refused, Until("opened", "on the record"), Talk(1.0), hang_up())
    good(*judged(stage, refused, past))
    assert stage.stop_service() == 0
    away = comes_in(stage, scene("away", TOLD, outcome="failed"))
    stage.ledger.wait("heard", file=sorry, uuid=away.call)
    eventually(lambda: agents(stage, away.call) == 1, 5)
    stage.start_service()
    stage.wait_ready()
    go_on(stage, away, Talk(2.0), hang_up())
    good(*judged(stage, away))
    for each in (refused, past, away):
        (heard,) = stage.ledger.all("heard", uuid=each.call, file=sorry)
        assert heard["complete"]
    told = {
        entry["subject"]: entry["data"] for entry in log_of(stage) if "failure.announced" in entry["type"]
    }
    assert set(told) == {refused.call, past.call}
    assert {facts["leg"] for facts in told.values()} == {"a"}


class Client:
    """Some other client of the event socket, with the password."""

    def __init__(self, stage: Stage) -> None:
        self._socket = socket.create_connection(("127.0.0.1", stage.port), 10)
        self._socket.recv(1000)
        self.say("auth " + (stage.site.host / "switch.password").read_text().strip())

    def say(self, text: str) -> str:
        self._socket.sendall(text.encode() + b"\n\n")
        return self._socket.recv(4000).decode().partition("Reply-Text: ")[2]

    def close(self) -> None:
        self._socket.close()
