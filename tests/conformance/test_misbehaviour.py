"""The faults a test can ask for, and what the socket does without being asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fsgov.simulator import Fault, ManualClock, Switch
from tests.conformance.client import Client

AUTH = "auth ClueCon"
Connect = Callable[..., Client]


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    made = Switch(ManualClock(), recordings=tmp_path, heartbeat=0)
    yield made
    made.close()


@pytest.fixture
def connect(switch: Switch) -> Iterator[Connect]:
    made: list[Client] = []

    def one(*commands: str) -> Client:
        made.append(Client(switch, AUTH, *commands))
        return made[-1]

    yield one
    for client in made:
        client.close()


def test_an_event_can_be_dropped_doubled_delayed_and_overtaken(switch: Switch, connect: Connect) -> None:
    client = connect("event plain CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_HANGUP_COMPLETE")
    switch.misbehave(
        Fault("drop", event="CHANNEL_CREATE", nth=2),
        Fault("duplicate", event="CHANNEL_BRIDGE"),
        Fault("reorder", event="CHANNEL_ANSWER"),
        Fault("late", event="CHANNEL_HANGUP_COMPLETE", seconds=5.0),
    )
    call = switch.call().bridge()
    call.hang_up("a")
    client.pump()
    names = client.names()
    assert names == [
        "CHANNEL_CREATE",
        *["CHANNEL_ANSWER"] * 2,
        *["CHANNEL_BRIDGE"] * 2,
        "CHANNEL_HANGUP_COMPLETE",
    ]
    answers = [e.uuid for e in client.events() if e.name == "CHANNEL_ANSWER"]
    assert answers == [call.a.uuid, call.b.uuid]
    switch.clock.advance(5.0)
    client.pump()
    assert client.names().count("CHANNEL_HANGUP_COMPLETE") == 2


def test_a_header_can_have_a_hostile_value(switch: Switch, connect: Connect) -> None:
    client = connect("event plain CHANNEL_CREATE")
    switch.misbehave(Fault("hostile", event="CHANNEL_CREATE", header="Unique-ID", text="../../etc\nX: 1"))
    switch.call()
    client.pump()
    assert client.events()[0].uuid == "../../etc\nX: 1"


def test_a_mask_can_be_refused_ignored_slow_or_unanswered(
    switch: Switch, connect: Connect, tmp_path: Path
) -> None:
    call = switch.call().bridge()
    start = f"uuid_record {call.a.uuid} start {tmp_path}/x.wav"
    mask = start.replace("start", "mask")
    client = connect("api " + start)
    switch.misbehave(
        Fault("error", command="uuid_record * mask", text="-ERR no\n"),
        Fault("ignore", command="uuid_record * mask", nth=2),
        Fault("slow", command="uuid_record * mask", nth=3, seconds=2.0),
        Fault("silence", command="uuid_record * mask", nth=4),
    )
    client.send("api " + mask)
    client.send("api " + mask)
    assert client.replies()[1:] == ["+OK Success\n", "-ERR no\n", "+OK Success\n"]
    assert not switch.world.of("masked")
    client.send("api " + mask)
    assert (len(client.replies()), len(switch.world.of("masked"))) == (4, 1)
    switch.clock.advance(2.0)
    client.pump()
    assert client.replies()[-1] == "+OK Success\n"
    client.send("api " + mask)
    client.send("api hostname")
    assert len(client.replies()) == 5
    assert len(switch.world.of("masked")) == 2


@pytest.mark.parametrize("kind", ["cut", "half"])
def test_a_connection_can_end_in_the_middle(kind: str, switch: Switch, connect: Connect) -> None:
    client = connect("event plain CHANNEL_CREATE")
    switch.misbehave(Fault(kind, event="CHANNEL_CREATE"))  # type: ignore[arg-type]
    switch.call()
    client.pump()
    assert client.closed
    assert not client.names()
    assert bool(client.rest) is (kind == "half")


def test_a_fault_hits_one_leg_and_as_often_as_said(switch: Switch, connect: Connect) -> None:
    client = connect("event plain CHANNEL_HANGUP")
    one, two = switch.call().bridge(), switch.call().bridge()
    switch.misbehave(Fault("drop", event="CHANNEL_HANGUP", leg=one.a.uuid, times=0))
    one.hang_up("a")
    two.hang_up("a")
    client.pump()
    assert [e.uuid for e in client.events()] == [one.b.uuid, two.a.uuid, two.b.uuid]


def test_no_event_comes_while_a_command_runs_on_that_connection(switch: Switch, connect: Connect) -> None:
    busy = connect("event plain CHANNEL_CREATE")
    idle = connect("event plain CHANNEL_CREATE")
    switch.misbehave(Fault("slow", command="hostname", seconds=3.0))
    switch.bus.latency = 0.5
    switch.call()
    busy.send("api hostname")
    switch.clock.advance(1.0)
    busy.pump()
    idle.pump()
    assert (busy.names(), idle.names()) == ([], ["CHANNEL_CREATE"])
    switch.clock.advance(3.0)
    busy.pump()
    assert busy.frames[-2].get("Content-Type") == "api/response"
    assert busy.names() == ["CHANNEL_CREATE"]


def test_an_event_waits_for_the_poll_of_its_listener(switch: Switch, connect: Connect) -> None:
    switch.bus.latency = 0.02
    client = connect("event plain CHANNEL_CREATE")
    switch.call()
    client.pump()
    assert not client.names()
    switch.clock.advance(0.031)
    client.pump()
    assert client.names() == ["CHANNEL_CREATE"]


def test_a_command_in_pieces_and_a_body_without_an_end_are_understood(
    switch: Switch, connect: Connect
) -> None:
    client = connect()
    client.sock.sendall(b"api host")
    client.pump()
    client.sock.sendall(
        b"name\n\nsendevent CUSTOM\nEvent-Subclass: a::b\nContent-Length: 5\n\nhelloapi switchname\n\n"
    )
    client.pump()
    assert client.replies()[1:2] + client.replies()[3:] == ["fs1.example.net", "fs1"]


def test_a_paused_switch_takes_no_calls(switch: Switch) -> None:
    from fsgov.errors import Conflict

    switch.paused.add("inbound")
    with pytest.raises(Conflict):
        switch.call()


def test_the_ledger_has_when_an_event_went_out_and_a_command_came_in(
    switch: Switch, connect: Connect
) -> None:
    switch.bus.latency = 0.02
    switch.world.watch = frozenset({"CHANNEL_ANSWER"})
    client = connect("event plain CHANNEL_ANSWER")
    switch.call().bridge()
    switch.clock.advance(1.0)
    client.pump()
    client.send("api hostname")
    delivered, command = switch.world.of("delivered"), switch.world.of("command")
    assert len(delivered) == 2
    assert all(0.017 <= d["at"] <= 0.03 for d in delivered)
    assert command[0]["received"] == 1.0
