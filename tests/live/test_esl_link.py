"""The link against the simulated switch: what it tells, in which order, and after which interruption."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import gevent
import pytest

from fsgov.esl.connection import Connection
from fsgov.esl.link import Link
from fsgov.esl.pool import Pool
from fsgov.esl.resync import Survey
from fsgov.esl.translate import Translator
from fsgov.events import (
    Direction,
    Event,
    Heartbeat,
    KeyPressed,
    LegAnswered,
    LegCreated,
    LegGone,
    LegsBridged,
    RecordingStarted,
    RecordingStopped,
    Resynced,
    RoomJoined,
    SwitchConnected,
    SwitchLost,
)
from fsgov.simulator import Clock, Fault, Switch
from tests import wire
from tests.scripted_socket import Peer, eventually, serving

PASSWORD = "ClueCon"
AUDIO = PurePosixPath("/spool/audio")


class Ear:
    """A link to a switch, and what it told."""

    def __init__(self, port: int, password: str = PASSWORD, names: tuple[str, ...] = (), **more: Any) -> None:
        self.told: list[Event] = []
        self.pool = Pool("127.0.0.1", port, password, size=4)
        self.translator = Translator(names)
        self.survey = Survey(self.pool, self.translator, AUDIO)
        emit = more.pop("emit", self.told.append)
        self.link = Link("127.0.0.1", port, password, self.survey, self.translator, emit, **more)

    def start(self) -> None:
        self.pool.start()
        self.link.start()

    def stop(self) -> None:
        self.link.stop()
        self.pool.stop()

    def all(self, kind: type[Event]) -> list[Any]:
        return [e for e in self.told if isinstance(e, kind)]

    def heard(self, kind: type[Event], count: int = 1) -> bool:
        return eventually(lambda: len(self.all(kind)) >= count)


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    simulated = Switch(Clock(speed=20), recordings=tmp_path, password=PASSWORD, root=tmp_path, audio=False)
    simulated.listen()
    yield simulated
    simulated.hangup_all()
    simulated.close()


def port_of(switch: Switch) -> int:
    assert switch._server is not None
    return int(switch._server.server_port)


@contextmanager
def ear(switch: Switch, **more: Any) -> Iterator[Ear]:
    listening = Ear(port_of(switch), **more)
    listening.start()
    try:
        yield listening
    finally:
        listening.stop()


def test_a_call_from_its_first_event_to_its_last(switch: Switch) -> None:
    with ear(switch, names=("tenant",)) as it:
        assert it.heard(Resynced)
        call = switch.call(caller="+49301234", dialled="2000", variables={"tenant": "acme", "other": "x"})
        call.bridge("1000")
        assert it.heard(LegsBridged)
        call.press("1")
        assert it.heard(KeyPressed)
        call.hang_up(by="a")
        assert it.heard(LegGone, 2)
        a, b = call.a.uuid, call.b.uuid
        first, second = it.all(LegCreated)
        assert (first.leg, first.caller, first.dialled) == (a, "+49301234", "2000")
        assert (first.direction, second.direction) == (Direction.INBOUND, Direction.OUTBOUND)
        assert first.variables == {"tenant": "acme"}
        assert second.other == a
        assert {e.leg for e in it.all(LegAnswered)} == {a, b}
        assert [(e.leg, e.other) for e in it.all(LegsBridged)] == [(a, b)]
        assert all(e.at is not None and e.now > 0 for e in it.all(LegGone))
        assert it.link.connected
        assert it.link.trouble == ""


def test_a_resync_tells_all_there_is(switch: Switch) -> None:
    one = switch.call(caller="+49301", variables={"tenant": "acme"})
    one.bridge("1000")
    alone = switch.call(caller="+49302")
    room = switch.call(caller="+49303")
    room.conference("room1")
    ours, foreign = f"{AUDIO}/{one.a.uuid}-01.wav", "/elsewhere/x.wav"
    pool = Pool("127.0.0.1", port_of(switch), PASSWORD, size=2)
    pool.start()
    for path in (ours, foreign):
        assert pool.send(f"uuid_record {one.a.uuid} start {path}", 5.0).text.startswith("+OK")
    with ear(switch, names=("tenant",)) as it:
        assert it.heard(Resynced)
        kinds = [type(e) for e in it.told]
        assert kinds[0] is SwitchConnected
        assert kinds[-1] is Resynced
        legs = {e.leg: e for e in it.all(LegCreated)}
        assert set(legs) == {one.a.uuid, one.b.uuid, alone.a.uuid, room.a.uuid}
        assert all(e.found and e.at is None for e in legs.values())
        assert legs[one.a.uuid].answered
        assert not legs[alone.a.uuid].answered
        assert legs[one.a.uuid].variables["tenant"] == "acme"
        assert [(e.leg, e.other) for e in it.all(LegsBridged)] == [(one.a.uuid, one.b.uuid)]
        assert {(e.leg, e.path, e.segment) for e in it.all(RecordingStarted)} == {
            (one.a.uuid, ours, f"{one.a.uuid}-01"),
            (one.a.uuid, foreign, None),
        }
        (end,) = it.all(Resynced)
        assert set(end.recordings) == set(legs)
        assert set(end.recordings[one.a.uuid]) == {ours, foreign}
        assert [e.leg for e in it.all(RoomJoined)] == [room.a.uuid]
    pool.stop()


def test_an_idle_switch_has_no_rows(switch: Switch) -> None:
    with ear(switch) as it:
        assert it.heard(Resynced)
        assert [type(e) for e in it.told] == [SwitchConnected, Resynced]
        assert it.all(Resynced)[0].recordings == {}
        assert it.all(Resynced)[0].core == switch.identity.core_uuid


def test_events_during_a_resync_come_after_it(switch: Switch) -> None:
    call = switch.call()
    call.bridge("1000")
    switch.misbehave(Fault("slow", command="uuid_dump *", seconds=30.0, times=1))
    with ear(switch) as it:
        assert it.heard(SwitchConnected)
        late = switch.call(caller="+49309")
        call.hang_up(by="a")
        gevent.sleep(0.1)
        assert not it.all(Resynced)
        assert not it.all(LegGone)
        assert it.heard(LegGone, 1)
        place = [type(e) for e in it.told].index(Resynced)
        assert it.heard(LegCreated)
        assert late.a.uuid in {e.leg for e in it.told[place:] if isinstance(e, LegCreated)}
        assert all(isinstance(e, LegCreated | SwitchConnected | LegsBridged) for e in it.told[:place])


def test_a_dropped_connection_is_made_again_and_resynced(switch: Switch) -> None:
    with ear(switch) as it:
        assert it.heard(Resynced)
        call = switch.call()
        switch.misbehave(Fault("half", event="CHANNEL_ANSWER", times=1))
        call.bridge("1000")
        assert it.heard(SwitchLost)
        assert it.heard(Resynced, 2)
        again = it.told[[type(e) for e in it.told].index(SwitchLost) :]
        assert {e.leg for e in again if isinstance(e, LegCreated)} == {call.a.uuid, call.b.uuid}
        assert it.link.connected
        assert it.link.counts["connected"] == 2


def test_a_silent_switch_counts_as_lost(tmp_path: Path) -> None:
    simulated = Switch(Clock(), recordings=tmp_path, password=PASSWORD, audio=False, heartbeat=0)
    simulated.listen()
    with ear(simulated, beat=0.2) as it:
        assert it.heard(SwitchLost)
        assert "no word" in it.all(SwitchLost)[0].reason
        assert it.heard(Resynced, 2)
        assert it.link.counts["silent"] >= 1
    simulated.close()


def test_heartbeats_keep_it_and_are_told(tmp_path: Path) -> None:
    simulated = Switch(Clock(), recordings=tmp_path, password=PASSWORD, audio=False, heartbeat=0.1)
    simulated.listen()
    with ear(simulated, beat=0.5) as it:
        assert it.heard(Resynced)
        simulated.call()
        assert it.heard(Heartbeat, 18)
        assert not it.all(SwitchLost)
        last = it.all(Heartbeat)[-1]
        assert (last.since_startup, last.live, last.core) == (1, 1, simulated.identity.core_uuid)
    simulated.close()


def test_a_wrong_password_is_trouble_and_is_tried_again(switch: Switch) -> None:
    with ear(switch, password="wrong") as it:
        assert eventually(lambda: "password" in it.link.trouble)
        assert not it.link.connected
        assert it.told == []


def test_an_access_list_is_trouble() -> None:
    streams = wire.connections(wire.CAPTURES / "acl-reject.jsonl").values()
    rejected = next(s for s in streams if b"rude-rejection" in s)
    with serving(lambda peer: peer.write(rejected)) as port:
        it = Ear(port)
        it.link.start()
        assert eventually(lambda: "does not let" in it.link.trouble)
        it.link.stop()
    assert it.told == []


def test_an_intake_that_is_full_ends_in_a_resync_not_in_silent_loss(switch: Switch) -> None:
    told: list[Event] = []
    gate = gevent.event.Event()
    gate.set()

    def emit(event: Event) -> None:
        gate.wait()
        told.append(event)

    with ear(switch, emit=emit, backlog=5) as it:
        assert eventually(lambda: any(isinstance(e, Resynced) for e in told))
        gate.clear()
        calls = [switch.call() for _ in range(30)]
        assert eventually(lambda: it.link._connection is not None and not it.link._connection.connected)
        gate.set()
        assert eventually(lambda: sum(isinstance(e, Resynced) for e in told) == 2)
        assert it.link.counts["lagged"] >= 1
        place = next(n for n, e in enumerate(told) if isinstance(e, SwitchLost))
        live = [e.leg for e in told[:place] if isinstance(e, LegCreated)]
        assert live == [c.a.uuid for c in calls][: len(live)]  # none out of order, none left out between two
        assert {e.leg for e in told[place:] if isinstance(e, LegCreated)} == {c.a.uuid for c in calls}


def test_a_forged_event_changes_nothing(switch: Switch) -> None:
    with ear(switch) as it:
        assert it.heard(Resynced)
        call = switch.call()
        call.bridge("1000")
        assert it.heard(LegsBridged)
        with Connection("127.0.0.1", port_of(switch), PASSWORD) as forger:
            # the class refuses a command of several lines; a forger's own client does not
            forger.sock.sendall(
                f"sendevent RECORD_STOP\nUnique-ID: {call.a.uuid}\nRecord-File-Path: /x.wav\n\n".encode()
            )
            assert eventually(lambda: it.translator.counts["forged"] == 1)
        assert not it.all(RecordingStopped)


def test_inspect(switch: Switch) -> None:
    with ear(switch) as it:
        assert it.heard(Resynced)
        call = switch.call(caller="+49301")
        call.bridge("1000")
        path = f"{AUDIO}/{call.a.uuid}-01.wav"
        it.pool.send(f"uuid_record {call.a.uuid} start {path}", 5.0)
        seen = it.survey.inspect(call.a.uuid)
        assert (seen.exists, seen.recordings, seen.leg_found) == (True, (path,), None)
        seen = it.survey.inspect(call.b.uuid, True)
        assert (seen.exists, seen.recordings) == (True, ())
        assert seen.leg_found is not None
        assert seen.leg_found.direction is Direction.OUTBOUND
        assert not it.survey.inspect("00000000-0000-0000-0000-000000000000").exists
        assert not it.survey.inspect("00000000-0000-0000-0000-000000000000", True).exists


def test_a_thousand_channels(switch: Switch) -> None:
    calls = [switch.call() for _ in range(1000)]
    with ear(switch) as it:
        with gevent.Timeout(30):
            assert eventually(lambda: it.all(Resynced), 30)
        assert {e.leg for e in it.all(LegCreated)} == {c.a.uuid for c in calls}


def test_a_list_of_channels_that_lags_is_asked_for_again() -> None:
    """`show channels` reads a database that the switch writes late; `status` counts at once (measured)."""
    late, gone = "35b1259e-d598-4732-ab29-dc44b9dddc3f", "d432c24a-7541-4859-91e2-fab1147b34eb"
    rows = f'{{"row_count":2,"rows":[{{"uuid":"{gone}"}},{{"uuid":"{late}"}}]}}'
    lists = ['{"row_count": 0}\n', f'{{"row_count":1,"rows":[{{"uuid":"{gone}"}}]}}', rows]

    def script(peer: Peer) -> None:
        peer.greet()
        while command := peer.command():
            match command.split()[1:]:
                case ["global_getvar", "core_uuid"]:
                    peer.answer("5f9e6d25-b626-473b-a61c-c63284987e7d")
                case ["status"]:
                    peer.answer("UP\n1 session(s) since startup\n1 session(s) - peak 1, last 5min 1 \n")
                case ["show", *_]:
                    peer.answer(lists.pop(0))
                case ["uuid_dump", leg] if leg == late:
                    peer.answer(f"Event-Name: CHANNEL_DATA\nUnique-ID: {leg}\nAnswer-State: answered\n\n")
                case ["uuid_buglist", leg] if leg == late:
                    peer.answer("<media-bugs>\n</media-bugs>\n")
                case ["plain", *_]:
                    peer.accept("+OK event listener enabled plain")
                case _:
                    peer.answer("-ERR No such channel!\n")

    with serving(script) as port:
        it = Ear(port)
        it.start()
        assert it.heard(Resynced)
        it.stop()
    assert [e.leg for e in it.all(LegCreated)] == [late]
    assert it.all(Resynced)[0].recordings == {late: ()}
    assert lists == []


def test_a_path_is_ours_only_in_our_directory() -> None:
    survey = Survey(Pool("127.0.0.1", 1, ""), Translator(), AUDIO)
    leg = "35b1259e-d598-4732-ab29-dc44b9dddc3f"
    assert survey.segment(f"{AUDIO}/{leg}-01.wav") == f"{leg}-01"
    for foreign in (
        f"/else/{leg}-01.wav",
        f"{AUDIO}/./{leg}-01.wav",
        f"{AUDIO}/x/{leg}-01.wav",
        f"{AUDIO}/{leg}.wav",
    ):
        assert survey.segment(foreign) is None


def test_a_resync_that_is_not_answered_starts_again(
    switch: Switch, capfd: pytest.CaptureFixture[str]
) -> None:
    calls = [switch.call() for _ in range(3)]
    switch.misbehave(Fault("cut", command="uuid_buglist *", times=1))
    with ear(switch) as it:
        assert it.heard(Resynced)
        kinds = [type(e) for e in it.told]
        assert kinds.index(SwitchLost) < kinds.index(Resynced)
        again = it.told[kinds.index(SwitchLost) :]
        assert {e.leg for e in again if isinstance(e, LegCreated)} == {c.a.uuid for c in calls}
    assert "Traceback" not in capfd.readouterr().err
