"""The events of fsgov's dialplans: headers of the event count, what a channel carries along does not."""

from __future__ import annotations

import pytest

from fsgov.dialplan import CodePressed, GateOpened, GatePassed
from fsgov.esl.frames import Frames
from fsgov.esl.translate import Translator
from fsgov.events import Act
from tests.unit.test_esl_translate import NOW, A, B, event, told

GATE, CODE = "fsgov%3A%3Agate", "fsgov%3A%3Acode"


def test_a_gate_opens_and_is_passed_with_what_was_said() -> None:
    asked = told("CUSTOM", Event_Subclass=GATE, Unique_ID=A, fsgov_Step="open", variable__fsgov__key="1")
    assert asked == GateOpened(now=NOW, at=NOW - 5, leg=A)
    said = told(
        "CUSTOM", Event_Subclass=GATE, Unique_ID=A, fsgov_Step="passed", variable__fsgov__answer="refused"
    )
    assert said == GatePassed(now=NOW, at=NOW - 5, leg=A, variables={"fsgov_answer": "refused"})


@pytest.mark.parametrize("act", [act for act in Act if act is not Act.CONSENT])
def test_a_code_is_an_act(act: Act) -> None:
    pressed = told("CUSTOM", Event_Subclass=CODE, Unique_ID=A, fsgov_Act=act.value, fsgov_Tag="marked")
    tag = "marked" if act is Act.TAG else ""
    assert pressed == CodePressed(now=NOW, at=NOW - 5, leg=A, act=act, tag=tag)


@pytest.mark.parametrize(("code", "said"), [("agreed", "given"), ("declined", "refused")])
def test_a_code_tells_what_the_party_outside_has_said_and_which_event_it_was(code: str, said: str) -> None:
    pressed = told(
        "CUSTOM", Event_Subclass=CODE, Unique_ID=A, fsgov_Act=code, Core_UUID="core-1", Event_Sequence="5218"
    )
    assert pressed == CodePressed(
        now=NOW, at=NOW - 5, leg=A, source="core-1/5218", act=Act.CONSENT, said=said
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Event_Subclass": GATE, "fsgov_Step": "open"},
        {"Event_Subclass": GATE, "Unique_ID": "../x", "fsgov_Step": "open"},
        {"Event_Subclass": GATE, "Unique_ID": A, "fsgov_Step": "Open"},
        {"Event_Subclass": GATE, "Unique_ID": A},
        {"Event_Subclass": GATE, "Unique_ID": A, "variable__fsgov_Step": "passed"},
        {"Event_Subclass": CODE, "Unique_ID": A},
        {"Event_Subclass": CODE, "Unique_ID": A, "fsgov_Act": "export"},
        {"Event_Subclass": CODE, "Unique_ID": A, "fsgov_Act": "consent"},
        {"Event_Subclass": CODE, "Unique_ID": A, "fsgov_Act": "tag"},
        {"Event_Subclass": CODE, "Unique_ID": A, "fsgov_Act": "tag", "fsgov_Tag": "a%20caller%27s%20name"},
        {"Event_Subclass": CODE, "Unique_ID": A, "fsgov_Act": "tag", "fsgov_Tag": "x" * 33},
    ],
)
def test_what_no_shipped_dialplan_says_is_dropped_and_counted(headers: dict[str, str]) -> None:
    translator = Translator()
    assert translator.translate(event("CUSTOM", **headers), NOW) is None
    assert translator.counts == {"unreadable": 1}


@pytest.mark.parametrize("subclass", [GATE, CODE])
def test_a_client_cannot_speak_for_a_dialplan(subclass: str) -> None:
    translator = Translator()
    forged = event(
        "CUSTOM", Event_Subclass=subclass, Unique_ID=A, fsgov_Step="passed", fsgov_Act="stop",
        Command="sendevent%20CUSTOM",
    )  # fmt: skip
    assert translator.translate(forged, NOW) is None
    assert translator.counts == {"forged": 1}


def test_an_event_of_two_legs_is_nobodys() -> None:
    legs = f"Unique-ID: {A}\nUnique-ID: {B}"
    body = f"Event-Name: CUSTOM\nEvent-Subclass: fsgov::gate\nfsgov-Step: open\n{legs}\n\n"
    (frame,) = Frames().feed(
        b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(body), body.encode())
    )
    assert Translator().translate(frame.headers, NOW) is None


def test_a_display_name_is_no_header_of_the_event() -> None:
    name = "Bob%0Afsgov-Step: passed%0Avariable_fsgov_consent_training: given"
    asked = told("CUSTOM", Event_Subclass=GATE, Unique_ID=A, fsgov_Step="open", Caller_Caller_ID_Name=name)
    assert asked == GateOpened(now=NOW, at=NOW - 5, leg=A)
