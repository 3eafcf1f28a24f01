"""A no after capture has begun: what it ends and what becomes of the audio, by each way, at each moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from fsgov import events as ev
from fsgov.attested import Attested
from fsgov.call.withdrawing import REVIEW
from fsgov.commands import OpenSegment, Release, Remember
from fsgov.dialplan import CodePressed
from fsgov.events import Act
from fsgov.evidence import digest
from tests.unit.conversation import OPT_IN, Talk, moves

WAYS: dict[str, Callable[[Talk], object]] = {
    "code": lambda talk: talk.presses("*9"),
    "cli": lambda talk: talk.act(Act.CONSENT, consent=Attested(state="withdrawn")),
    "agent": lambda talk: talk.push(CodePressed, leg="b", act=Act.CONSENT, said="refused"),
    "variable": lambda talk: talk.push(
        ev.LegsBridged, leg="a", other="b", variables={"fsgov_consent_training": "withdrawn"}
    ),
    "refused by variable": lambda talk: talk.push(
        ev.LegsBridged, leg="a", other="b", variables={"fsgov_consent_training": "refused"}
    ),
}
KEPT = {
    "": (("a-01",), {}),
    "destroy": (("a-01",), {}),
    "quarantine": ((), {"a-01"}),
    "keep": ((), {}),
}


def agreed(on_withdrawal: str = "") -> Talk:
    """Everybody has agreed, the start is under way."""
    talk = Talk(OPT_IN + (f'on_withdrawal = "{on_withdrawal}"\n' if on_withdrawal else ""))
    talk.inbound()
    talk.plays()
    talk.presses("1")
    return talk


def file_of(talk: Talk) -> dict[str, object]:
    found: dict[str, object] = json.loads(talk.all(Remember)[-1].text)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("on_withdrawal", KEPT)
def test_capture_stops_at_once_and_the_audio_is_treated_as_the_rule_says(
    way: str, on_withdrawal: str
) -> None:
    talk = agreed(on_withdrawal)
    talk.opens()
    WAYS[way](talk)
    assert moves(talk.last) == ["close"]
    talk.closes()
    dispose, aside = KEPT[on_withdrawal]
    assert (talk.call().dispose, set(talk.call().quarantine)) == (dispose, set(aside))
    (release,) = talk.all(Release)
    assert json.loads(release.sidecar)["dispose"] is bool(dispose)
    document = file_of(talk)
    assert (document["dispose"], set(document["quarantine"])) == (list(dispose), set(aside))  # type: ignore[call-overload]
    entered = talk.entries("segment.quarantined")
    assert [entry.facts["reason"] for entry in entered] == ["withdrawn"] * len(aside)
    talk.wait(20)
    assert len(talk.all(OpenSegment)) == 1
    talk.hangs_up("a", "b")
    assert talk.over() == "withdrawn"


@pytest.mark.parametrize("on_withdrawal", KEPT)
def test_it_is_known_after_a_restart(on_withdrawal: str) -> None:
    talk = agreed(on_withdrawal)
    talk.opens()
    talk.presses("*9")
    twin = talk.restarted()
    assert moves(twin.resync(a=("a-01",), b=())) == ["close"]
    twin.closes()
    dispose, aside = KEPT[on_withdrawal]
    assert (twin.call().dispose, set(twin.call().quarantine)) == (dispose, set(aside))
    assert all(until == twin.now + REVIEW for until in twin.call().quarantine.values())
    twin.hangs_up("a", "b")
    assert twin.over() == "withdrawn"


@pytest.mark.parametrize("way", WAYS)
def test_a_no_while_the_start_is_under_way_is_carried_out_after_it(way: str) -> None:
    talk = agreed("quarantine")
    WAYS[way](talk)
    assert moves(talk.last) == []
    talk.accept()
    assert moves(talk.last) == ["close"]
    talk.recording("a-01")
    talk.closes()
    assert set(talk.call().quarantine) == {"a-01"}
    talk.wait(10)
    talk.hangs_up("a", "b")
    assert talk.over() == "withdrawn"


@pytest.mark.parametrize("way", WAYS)
def test_a_no_while_a_pause_is_under_way(way: str) -> None:
    talk = agreed()
    talk.opens()
    talk.act(Act.PAUSE)
    WAYS[way](talk)
    talk.accept()
    assert moves(talk.last) == ["close"]
    talk.closes()
    talk.act(Act.RESUME)
    talk.wait(10)
    assert len(talk.all(OpenSegment)) == 1


def test_an_old_call_file_has_nothing_set_aside() -> None:
    talk = agreed()
    talk.opens()
    document = file_of(talk)
    del document["quarantine"]
    state = document["state"]
    assert isinstance(state, dict)
    del state["segment"]["evidence"]
    for question in state["questions"]:
        del question["sources"]
    decision = document["decision"]
    assert isinstance(decision, dict)
    del decision["on_withdrawal"]
    twin = Talk(OPT_IN)
    twin.push(ev.CallRestored, text=json.dumps(document))
    twin.resync(a=("a-01",), b=())
    twin.presses("*9")
    assert twin.call().dispose == ("a-01",)


# -- evidence -----------------------------------------------------------------------------------------


def test_a_segment_names_each_consent_it_rests_on_with_its_digest() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.push(ev.PromptStarted, leg="a", file="/p/ask.wav", source="core-1/10")
    talk.push(ev.PromptStopped, leg="a", file="/p/ask.wav", status="done", samples=24_000, source="core-1/11")
    talk.push(ev.KeyPressed, leg="a", digit="1", source="core-1/12")
    talk.opens()
    (row,) = talk.call().consents
    assert row.evidence == {
        "leg": "a", "prompt": "ask", "sha256": "ab" * 32, "language": "", "asked": talk.now,
        "started": talk.now, "samples": 24_000, "of": 24_000, "digit": "1",
        "events": "core-1/10 core-1/11 core-1/12", "policy": talk.policy.sha256,
    }  # fmt: skip
    sidecar = json.loads(talk.all(OpenSegment)[0].sidecar)
    expected = digest(
        call="a", consent=row.id, party=1, purpose="training", state="given", method="key", mode="opt_in",
        at=row.at, evidence=row.evidence,
    )  # fmt: skip
    assert (sidecar["consents"], sidecar["evidence"]) == ([row.id], {row.id: expected})
    segment = talk.restarted().call().segment
    assert segment is not None
    assert segment.evidence == {row.id: expected}


def test_the_digest_is_of_one_form_and_of_every_member() -> None:
    row = {
        "call": "0f6c", "consent": "c-0f6c-1", "party": 1, "purpose": "training", "state": "given",
        "method": "key", "mode": "opt_in", "at": 1_795_279_045_000_001, "evidence": {"b": "é", "a": None},
    }  # fmt: skip
    known = digest(**row)  # type: ignore[arg-type]
    text = (
        '{"at":1795279045000001,"call":"0f6c","consent":"c-0f6c-1","evidence":{"a":null,"b":"é"},'
        '"method":"key","mode":"opt_in","party":1,"purpose":"training","state":"given"}'
    )
    assert known == hashlib.sha256(text.encode()).hexdigest()
    assert digest(**{**row, "evidence": {"a": None, "b": "é"}}) == known  # type: ignore[arg-type]
    for name, value in row.items():
        other = {"a": 1} if name == "evidence" else value + 1 if isinstance(value, int) else f"{value}x"
        assert digest(**{**row, name: other}) != known  # type: ignore[arg-type]
