"""Wire events into the core's: what they carry, and what never passes."""

from __future__ import annotations

from typing import Any

import pytest

from fsgov import events as ev
from fsgov.dialplan import VariablesTold
from fsgov.esl.frames import Frames, Headers
from fsgov.esl.translate import SUBSCRIPTION, Translator
from fsgov.events import Direction, Event
from tests import wire

NOW = 1_795_279_045_000_000
A, B = "35b1259e-d598-4732-ab29-dc44b9dddc3f", "d432c24a-7541-4859-91e2-fab1147b34eb"


def event(name: str, **headers: str) -> Headers:
    """An event of these headers, percent-encoded by the caller; `_` in a name reads as `-`."""
    lines = [f"Event-Name: {name}", f"Event-Date-Timestamp: {NOW - 5}"]
    lines += [f"{n.replace('__', ':').replace('_', '-').replace(':', '_')}: {v}" for n, v in headers.items()]
    body = "\n".join(lines).encode() + b"\n\n"
    (frame,) = Frames().feed(b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(body), body))
    return frame.headers


def told(name: str, names: tuple[str, ...] = (), **headers: str) -> Any:
    return Translator(names).translate(event(name, **headers), NOW)


def of_capture(name: str, names: tuple[str, ...] = (), connection: int = 1) -> list[Event]:
    translator = Translator(names)
    stream = wire.connections(wire.CAPTURES / f"{name}.jsonl")[connection]
    found = [translator.translate(f.headers, NOW) for f in Frames().feed(stream) if f.is_event]
    return [e for e in found if e is not None]


def test_a_leg_of_a_real_call() -> None:
    created = [e for e in of_capture("record-basic", ("sip_from_user",)) if isinstance(e, ev.LegCreated)]
    a, b = created
    assert (a.leg, a.direction, a.caller, a.dialled) == (A, Direction.INBOUND, "15551230001", "2000")
    assert (b.leg, b.direction, b.other, b.dialled) == (B, Direction.OUTBOUND, A, "1000")
    assert (a.profile, b.profile, a.domain) == ("sofia/internal", "sofia/internal", "127.0.0.1")
    assert a.variables == {"sip_from_user": "15551230001"}
    assert a.core == b.core != ""
    assert a.at is not None
    assert (a.now, a.found, a.answered) == (NOW, False, False)


def test_the_recording_of_a_real_call() -> None:
    told = of_capture("record-basic")
    (started,) = [e for e in told if isinstance(e, ev.RecordingStarted)]
    (stopped,) = [e for e in told if isinstance(e, ev.RecordingStopped)]
    (seen,) = [e for e in told if isinstance(e, ev.RecordingSeen)]
    assert started.leg == A
    assert started.path == stopped.path == seen.path
    assert started.path.endswith(f"{A}.wav")
    assert (started.segment, stopped.segment) == (None, None)
    assert (stopped.cause, stopped.ms, stopped.size) == ("success-maxtime", 2020, 32364)
    assert not stopped.discarded


def test_an_empty_recording_was_thrown_away() -> None:
    (stopped,) = [e for e in of_capture("call-fifo") if isinstance(e, ev.RecordingStopped)]
    assert (stopped.cause, stopped.discarded) == ("empty-file", True)


def test_a_prompt_cut_by_a_hang_up_tells_how_much_was_played() -> None:
    ended = [e for e in of_capture("live-announce-hangup") if isinstance(e, ev.PromptStopped)]
    assert [(e.status, e.samples) for e in ended] == [("done", 11200), ("break", 10880), ("done", 24000)]


def test_keys_that_a_program_pressed_are_nobodys() -> None:
    assert told("DTMF", Unique_ID=A, DTMF_Digit="1", DTMF_Source="APP") is None
    pressed = told("DTMF", Unique_ID=A, DTMF_Digit="%23", DTMF_Source="RTP")
    assert (pressed.leg, pressed.digit) == (A, "#")
    assert told("DTMF", Unique_ID=A, DTMF_Digit="x", DTMF_Source="RTP") is None


@pytest.mark.parametrize("command", ["sendevent%20RECORD_STOP", "SendEvent%20RECORD_STOP", "sendevent"])
def test_an_event_that_a_client_made_is_dropped_and_counted(command: str) -> None:
    translator = Translator()
    forged = event("RECORD_STOP", Command=command, Unique_ID=A, Record_File_Path="/x.wav")
    assert translator.translate(forged, NOW) is None
    assert translator.counts == {"forged": 1}


@pytest.mark.parametrize(
    "leg", ["", "fake%20uuid", "../x", "a" * 65, "a%0Ab", "%E2%98%83", "1%3B2", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_an_event_of_no_uuid_is_dropped_and_counted(leg: str) -> None:
    translator = Translator()
    assert translator.translate(event("CHANNEL_ANSWER", Unique_ID=leg), NOW) is None
    assert translator.counts == {"unreadable": 1}


def test_an_event_without_what_it_must_have() -> None:
    for name in ("CHANNEL_CREATE", "CHANNEL_BRIDGE", "RECORD_START", "RECORD_STOP", "HEARTBEAT"):
        assert told(name) is None
    assert told("CHANNEL_BRIDGE", Unique_ID=A, Bridge_A_Unique_ID=A) is None
    assert told("RECORD_STOP", Unique_ID=A) is None
    assert told("HEARTBEAT", Core_UUID=A, Session_Count="1", Session_Since_Startup="-1") is None


def test_consent_in_a_display_name_stays_in_the_display_name() -> None:
    created = [e for e in of_capture("hostile-callers", ("consent",)) if isinstance(e, ev.LegCreated)]
    genuine = {e.uuid for e in wire.events(wire.CAPTURES / "hostile-callers.jsonl", 1)}
    assert {e.leg for e in created} <= genuine
    assert all(e.variables == {} for e in created)


def test_variables_are_those_asked_for_and_our_own() -> None:
    headers = {
        "variable_tenant": "acme",
        "variable_other": "x",
        "variable_fsgov_consent_training": "given",
        "variable_fsgov_gate": "a%0Ab",
    }
    names = {n.replace("_", "__", n.count("_")): v for n, v in headers.items()}
    seen = told("CHANNEL_ANSWER", ("tenant", "missing"), Unique_ID=A, **names)
    assert seen.variables == {"tenant": "acme", "fsgov_consent_training": "given", "fsgov_gate": "a\nb"}
    translator = Translator(["tenant"])
    translator.want(["other"])
    again = translator.translate(event("CHANNEL_ANSWER", Unique_ID=A, **names), NOW)
    assert isinstance(again, ev.LegAnswered)
    assert "tenant" not in again.variables
    assert again.variables["other"] == "x"


def test_a_registered_user() -> None:
    seen = told(
        "CHANNEL_CREATE", Unique_ID=A, variable__user__name="1000", variable__domain__name="pbx.example"
    )
    assert (seen.user, seen.domain) == ("1000@pbx.example", "pbx.example")
    called = told(
        "CHANNEL_CREATE", Unique_ID=A, variable__dialed__user="1000", variable__dialed__domain="pbx.example"
    )
    assert called.user == "1000@pbx.example"


@pytest.mark.parametrize("variable", ["cc_member_session_uuid", "fifo_bridge_uuid"])
def test_an_agent_whom_a_queue_calls_is_called_for_the_caller(variable: str) -> None:
    """Such a leg has no Other-Leg; the queue's own variable says for whom it is called."""
    name = f"variable_{variable}".replace("_", "__")
    created = told("CHANNEL_CREATE", Unique_ID=B, Call_Direction="outbound", **{name: A})
    assert created.other == A
    assert told("CHANNEL_CREATE", Unique_ID=B, **{name: "../x"}).other is None


def test_the_halves_of_a_loopback_belong_together() -> None:
    created = [e for e in of_capture("call-loopback") if isinstance(e, ev.LegCreated)]
    caller, first, second = created
    assert (first.other, second.other) == (caller.leg, first.leg)


@pytest.mark.parametrize(
    ("given", "segment"),
    [(f"{A}-01", f"{A}-01"), (f"{A}-123", f"{A}-123"), (A + "-1", None), ("../x-01", None), ("", None)],
)
def test_a_segment_is_ours_only_when_it_looks_it(given: str, segment: str | None) -> None:
    started = told(
        "RECORD_START",
        Unique_ID=A,
        Record_File_Path="/x.wav",
        Recording_Variable_fsgov__segment=given,
    )
    assert started.segment == segment


def test_a_conference_is_a_room_and_a_queue_is_none() -> None:
    joined, left = [e for e in of_capture("call-conference") if isinstance(e, ev.RoomJoined | ev.RoomLeft)]
    assert isinstance(joined, ev.RoomJoined)
    assert joined.room == left.room == "a2ff7ec8-15cb-48c2-9b60-e9502e88c5c4"
    assert joined.leg == left.leg
    assert not [e for e in of_capture("call-fifo") if isinstance(e, ev.RoomJoined)]


@pytest.mark.parametrize(
    ("action", "told_"), [("start", True), ("resume", True), ("end", False), ("count", False)]
)
def test_a_caller_joins_a_queue_of_mod_callcenter(action: str, told_: bool) -> None:
    seen = told(
        "CUSTOM",
        ("cc_queue",),
        Event_Subclass="callcenter::info",
        Unique_ID=A,
        CC_Action=f"member-queue-{action}",
        variable__cc__queue="sales%40default",
    )
    if not told_:
        assert seen is None
    else:
        assert isinstance(seen, VariablesTold)
        assert (seen.leg, seen.variables) == (A, {"cc_queue": "sales@default"})


def test_what_else_mod_callcenter_says_has_no_leg() -> None:
    translator = Translator()
    other = event("CUSTOM", Event_Subclass="callcenter::info", CC_Action="bridge-agent-fail")
    assert translator.translate(other, NOW) is None
    assert not translator.counts


def test_a_bridge_and_its_end() -> None:
    bridged = told(
        "CHANNEL_BRIDGE",
        ("x",),
        Unique_ID=A,
        Bridge_A_Unique_ID=A,
        Bridge_B_Unique_ID=B,
        Other_Leg_Unique_ID="else",
        variable__x="1",
    )
    assert (bridged.leg, bridged.other, bridged.variables) == (A, B, {"x": "1"})
    foreign = told(
        "CHANNEL_BRIDGE", ("x",), Unique_ID=B, Bridge_A_Unique_ID=A, Bridge_B_Unique_ID=B, variable__x="1"
    )
    assert (foreign.leg, foreign.variables) == (A, {})  # the variables are b's, so they are not told of a


def test_the_subscription_ends_with_custom() -> None:
    words = SUBSCRIPTION.split()
    assert words[:2] == ["event", "plain"]
    assert words[words.index("CUSTOM") + 1 :] == [
        "conference::maintenance",
        "callcenter::info",
        "fsgov::gate",
        "fsgov::code",
    ]


def test_a_new_leg_with_two_uuids_is_the_first_and_is_counted() -> None:
    body = f"Event-Name: CHANNEL_CREATE\nUnique-ID: {A}\nUnique-ID: {B}\n\n".encode()
    (frame,) = Frames().feed(b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(body), body))
    translator = Translator()
    created = translator.translate(frame.headers, NOW)
    assert isinstance(created, ev.LegCreated)
    assert created.leg == A
    assert translator.counts == {"repeated": 1}
