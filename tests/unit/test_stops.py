"""The kill switch in the core: whom a stop concerns, what becomes of what runs, how it is accounted for."""

from __future__ import annotations

import pytest

from fsgov import events as ev
from fsgov.call import Capture
from fsgov.call.stops import Stop, Stops, StopsInForce
from fsgov.commands import Answer, Command, Enter, OpenSegment, Play, Remember
from fsgov.events import Act
from fsgov.policy import Tenant
from tests.unit.conversation import ALWAYS, NEVER, ON_DEMAND, OPT_IN, SECOND, Talk, moves

CALLER = "+4930123456"
DIALLED = "+442079460100"


HOST = Stop("s-host", "host", host="fs1")
NUMBER = Stop("s-number", "number", number=CALLER)
TENANT = Stop("s-tenant", "tenant", tenant="default")


def stop(talk: Talk, *placed: Stop) -> list[Command]:
    return talk.push(StopsInForce, stops=Stops.of("fs1", placed))


def running() -> Talk:
    talk = Talk(ALWAYS)
    talk.inbound()
    talk.opens()
    return talk


def halted(talk: Talk) -> list[object]:
    return [entry.facts["stops"] for entry in talk.entries("call.halted")]


def cause(talk: Talk) -> object:
    return talk.entries("call.over")[-1].facts["cause"]


@pytest.mark.parametrize(
    "placed",
    [
        HOST,
        NUMBER,
        TENANT,
        Stop("s-dialled", "number", number=DIALLED),
        Stop("s-agent", "number", number="1001"),
        Stop("s-mine", "number", number=CALLER, tenant="default"),
    ],
    ids=lambda placed: placed.id,
)
def test_what_runs_is_closed_at_once(placed: Stop) -> None:
    talk = running()
    assert moves(stop(talk, placed)) == ["close"]
    talk.closes()
    assert talk.state()[1] is Capture.OFF
    assert halted(talk) == [[placed.id]]
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded-in-part"
    assert cause(talk) == "stop"


@pytest.mark.parametrize(
    "placed",
    [
        Stop("s-host", "host", host="fs2"),
        Stop("s-number", "number", number="+4930123457"),
        Stop("s-other", "number", number=CALLER, tenant="acme"),
        Stop("s-tenant", "tenant", tenant="acme"),
    ],
    ids=lambda placed: placed.id,
)
def test_whom_a_stop_does_not_concern_runs_on(placed: Stop) -> None:
    talk = running()
    assert stop(talk, placed) == []
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded"
    assert halted(talk) == []


def test_a_call_of_the_stopped_tenant_is_one_by_its_dialled_number() -> None:
    acme = Tenant(name="acme", dialled=(DIALLED,))
    talk = Talk(ALWAYS, tenants={"acme": acme})
    stop(talk, Stop("s-tenant", "tenant", tenant="acme"))
    talk.inbound()
    assert not talk.all(OpenSegment)


def test_nothing_begins_under_a_stop_and_the_call_is_accounted_for() -> None:
    talk = Talk(ALWAYS)
    stop(talk, HOST)
    talk.inbound()
    talk.wait(5)
    assert not talk.all(OpenSegment)
    talk.hangs_up("a", "b")
    assert talk.over() == "not-required"
    assert cause(talk) == "stop"
    assert halted(talk) == [["s-host"]]


def test_a_party_who_joins_brings_the_stop_along() -> None:
    talk = running()
    stop(talk, Stop("s-late", "number", number="+4989777"))
    assert talk.state()[1] is Capture.ON
    talk.created("c", other="a", caller=CALLER, dialled="+4989777", profile="sofia/external")
    assert "close" in moves(talk.sent[-6:])
    assert halted(talk) == [["s-late"]]


def test_lifted_it_goes_on_as_a_new_segment_and_is_recorded_in_part() -> None:
    talk = running()
    stop(talk, HOST, NUMBER)
    talk.closes()
    assert moves(stop(talk, NUMBER)) == []
    assert moves(stop(talk)) == ["open"]
    talk.opens()
    talk.hangs_up("a", "b")
    assert halted(talk) == [["s-host", "s-number"], ["s-number"], []]
    assert talk.over() == "recorded-in-part"
    assert talk.entries("call.over")[0].facts["segments"] == ["a-01", "a-02"]


def test_a_start_that_is_under_way_is_closed_when_it_is_confirmed() -> None:
    talk = Talk(ALWAYS)
    talk.inbound()
    stop(talk, HOST)
    talk.opens()
    assert isinstance(talk.last, list)
    assert "close" in moves(talk.sent)
    talk.closes(ms=100)
    assert talk.state()[1] is Capture.OFF
    talk.hangs_up("a", "b")
    assert talk.over() == "recorded-in-part"


def test_nobody_is_asked_under_a_stop_and_everybody_after_it() -> None:
    talk = Talk(OPT_IN)
    stop(talk, HOST)
    talk.inbound()
    assert not talk.all(Play)
    stop(talk)
    assert len(talk.all(Play)) == 1
    talk.plays()
    talk.presses("1")
    assert isinstance(talk.flight(), OpenSegment)


def test_an_opt_in_call_under_a_stop_was_not_required_rather_than_unanswered() -> None:
    talk = Talk(OPT_IN)
    stop(talk, HOST)
    talk.inbound()
    talk.hangs_up("a", "b")
    assert (talk.over(), cause(talk)) == ("not-required", "stop")


def test_what_no_rule_wanted_is_not_put_down_to_the_stop() -> None:
    for rule, outcome in ((NEVER, "not-required"), (ON_DEMAND, "not-requested")):
        talk = Talk(rule)
        stop(talk, HOST)
        talk.inbound()
        talk.hangs_up("a", "b")
        assert (talk.over(), cause(talk)) == (outcome, "")


def test_a_call_that_rang_in_vain_was_not_answered() -> None:
    talk = Talk(ALWAYS)
    stop(talk, HOST)
    talk.created("a")
    talk.hangs_up("a")
    assert talk.over() == "not-answered"


def test_no_act_starts_or_resumes_a_stopped_call() -> None:
    talk = Talk(ON_DEMAND)
    talk.inbound()
    stop(talk, HOST)
    talk.act(Act.START)
    (answer,) = talk.all(Answer)
    assert (answer.status, "stop" in answer.reason) == (409, True)
    assert not talk.all(OpenSegment)
    stop(talk)
    talk.act(Act.START)
    assert isinstance(talk.flight(), OpenSegment)


def test_a_paused_call_that_is_stopped_is_not_resumed() -> None:
    talk = running()
    talk.act(Act.PAUSE)
    talk.accept()
    assert moves(stop(talk, HOST)) == ["close"]
    talk.closes()
    talk.act(Act.RESUME)
    assert talk.all(Answer)[-1].status == 409


def test_the_stop_is_in_the_file_before_the_switch_hears_of_it() -> None:
    talk = running()
    first = next(command for command in stop(talk, HOST) if not isinstance(command, Enter))
    assert isinstance(first, Remember)
    assert first.durable


def test_a_restart_knows_what_was_told_and_what_was_kept_off() -> None:
    talk = running()
    stop(talk, HOST)
    talk.closes()
    twin = talk.restarted()
    twin.push(StopsInForce, stops=Stops.of("fs1", [HOST]))
    twin.push(ev.SwitchConnected, core="core-1")
    twin.resync(a=(), b=())
    twin.now += SECOND
    assert halted(twin) == []
    assert not twin.all(OpenSegment)
    twin.push(StopsInForce, stops=Stops.of("fs1", []))
    assert halted(twin) == [[]]
    twin.opens()
    twin.hangs_up("a", "b")
    assert (twin.over(), cause(twin)) == ("recorded-in-part", "stop")
