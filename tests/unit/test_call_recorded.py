"""A call that is recorded, one that never is, and how each ends."""

from __future__ import annotations

import json

import pytest

from fsgov import events as ev
from fsgov.call import Capture, Stage
from fsgov.commands import Enter, OpenSegment, Release, Remember, SetVariable
from tests.unit.conversation import ALWAYS, NEVER, ON_DEMAND, OPT_IN, SECOND, Talk, moves


def test_reads_like_the_call() -> None:
    talk = Talk(ALWAYS)
    talk.created("a")
    assert talk.state() == (Stage.RINGING, Capture.OFF)
    assert talk.call().decision is not None  # decided before anybody answers
    talk.created("b", other="a")
    assert moves(talk.answered("b")) == []  # the a-leg records, and it rings
    assert moves(talk.answered("a")) == ["open"]
    assert talk.state() == (Stage.SETTLED, Capture.OFF)  # nothing is believed before RECORD_START
    assert moves(talk.accept()) == []
    assert talk.state() == (Stage.SETTLED, Capture.OFF)
    talk.recording("a-01")
    assert talk.state() == (Stage.SETTLED, Capture.ON)
    talk.now += 10 * SECOND
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"
    (released,) = talk.all(Release)
    side = json.loads(released.sidecar)
    assert side["state"] == "captured"
    assert (side["opened"] is not None, side["closed"] is not None, side["cause"]) == (
        True,
        True,
        "success-silence",
    )
    assert side["basis"] == {"evidence": "contract"}


def test_the_file_is_written_before_the_start_and_the_follow_variable_set_beside_it() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    kinds = [type(c) for c in talk.sent]
    assert kinds.index(Remember) < kinds.index(OpenSegment) < kinds.index(SetVariable)
    (variable,) = talk.all(SetVariable)
    assert (variable.name, variable.value, variable.leg) == ("recording_follow_transfer", "false", "a")


def test_a_call_that_is_never_recorded_ends_not_required() -> None:
    talk = Talk(NEVER)
    talk.inbound()
    talk.wait(60)
    talk.hangs_up("a", "b")
    assert talk.over() == "not-required"
    assert not talk.all(OpenSegment)
    end = talk.all(Remember)[-1]
    document = json.loads(end.text)
    assert end.durable
    assert document["outcome"] == "not-required"
    assert document["decision"]["rule"] == "none"
    assert [leg["name"] for leg in document["legs"]] == ["a", "b"]
    assert [party["side"] for party in document["parties"]] == ["outside", "inside"]


def test_hung_up_while_ringing() -> None:
    talk = Talk(ALWAYS)
    talk.created("a")
    talk.created("b", other="a")
    talk.hangs_up("b", "a")
    assert talk.over() == "not-answered"


def test_on_demand_unused() -> None:
    talk = Talk(ON_DEMAND)
    talk.inbound()
    talk.hangs_up("a", "b")
    assert talk.over() == "not-requested"


@pytest.mark.parametrize(("share", "outcome"), [("100%", "recorded"), ("0.0001%", "sampled-out")])
def test_a_sample(share: str, outcome: str) -> None:
    rule = f'[[rule]]\nname = "some"\nrecord = "sample {share}"\nconsent = "none"\npurposes = ["evidence"]\n'
    talk = Talk(rule)
    talk.inbound()
    if outcome == "recorded":
        talk.opens()
    talk.hangs_up("a", "b")
    assert talk.over() == outcome


def test_every_event_that_means_nothing_is_counted_and_ignored() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.opens()
    before = talk.call()
    for kind, fields in (
        (ev.KeyPressed, {"leg": "a", "digit": "5"}),
        (ev.PromptStopped, {"leg": "a", "file": "/x.wav", "status": "done"}),
        (ev.CommandAccepted, {"call": "a", "command": 9999}),
        (ev.LegInspected, {"leg": "a", "exists": True}),
        (ev.LegAnswered, {"leg": "a"}),
        (ev.PartyFound, {"call": "a", "command": 5, "party": 77}),
    ):
        assert talk.push(kind, **fields) == []
    after = talk.call()
    assert after.ignored == before.ignored + 6
    assert (after.stage, after.actual, after.segment) == (before.stage, before.actual, before.segment)


def test_no_entry_names_a_number() -> None:
    talk = Talk(OPT_IN)
    talk.inbound()
    talk.plays()
    talk.presses("1")
    talk.opens()
    talk.hangs_up("a", "b")
    for entry in talk.all(Enter):
        assert "4930123456" not in json.dumps(dict(entry.facts))
        assert "442079460100" not in json.dumps(dict(entry.facts))


def test_a_rule_may_ask_that_the_switch_writes_each_frame_at_once() -> None:
    talk = Talk(ALWAYS + "unbuffered = true\n")
    talk.inbound()
    (opened,) = talk.all(OpenSegment)
    assert opened.unbuffered
    assert json.loads(opened.sidecar)["unbuffered"] is True
    talk.opens()
    again = talk.restarted()
    again.resync(a=("a-01",))
    again.hangs_up("a", "b")
    (released,) = again.all(Release)
    assert json.loads(released.sidecar)["unbuffered"] is True
    other = Talk(ALWAYS)
    other.inbound()
    assert not other.all(OpenSegment)[0].unbuffered
