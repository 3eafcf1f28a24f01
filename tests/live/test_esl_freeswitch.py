"""The same against the real FreeSWITCH that FSGOV_LIVE_FREESWITCH names, on legs of the test's own."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import PurePosixPath

import gevent
import pytest

from fsgov.esl.link import Link
from fsgov.esl.pool import Pool
from fsgov.esl.resync import Survey
from fsgov.esl.translate import Translator
from fsgov.events import (
    Event,
    LegAnswered,
    LegCreated,
    LegGone,
    LegsBridged,
    LegsUnbridged,
    PromptMissing,
    RecordingSeen,
    RecordingStarted,
    RecordingStopped,
    Resynced,
    RoomJoined,
    RoomLeft,
)
from tests.scripted_socket import eventually

pytestmark = pytest.mark.freeswitch

AUDIO = PurePosixPath(f"/tmp/fsgov-live-{uuid.uuid4().hex[:8]}")


class Switch:
    def __init__(self) -> None:
        host, port, password = os.environ["FSGOV_LIVE_FREESWITCH"].split(":", 2)
        self.address = host, int(port), password
        self.pool = Pool(*self.address)
        self.pool.start()
        self.translator = Translator(["tenant"])
        self.survey = Survey(self.pool, self.translator, AUDIO)
        self.legs: list[str] = []

    def api(self, command: str) -> str:
        return self.pool.send(command, 10.0).text

    def leg(self, **variables: str) -> str:
        """A parked, answered leg without a telephone (mod_loopback's `null`)."""
        leg = str(uuid.uuid4())
        self.legs.append(leg)
        given = ",".join(f"{n}={v}" for n, v in {"origination_uuid": leg, **variables}.items())
        assert self.api(f"originate {{{given}}}null/{leg[:8]} &park").startswith("+OK")
        return leg

    def listen(self) -> tuple[Link, list[Event]]:
        told: list[Event] = []
        link = Link(*self.address, self.survey, self.translator, told.append)
        link.start()
        assert eventually(lambda: any(isinstance(e, Resynced) for e in told), 20)
        return link, told


@pytest.fixture
def switch() -> Iterator[Switch]:
    it = Switch()
    yield it
    for leg in it.legs:
        it.api(f"uuid_kill {leg}")
    it.pool.stop()


def of(told: list[Event], leg: str) -> list[Event]:
    return [e for e in told if getattr(e, "leg", None) == leg]


def test_a_leg_is_told_live_and_again_by_a_resync(switch: Switch) -> None:
    link, told = switch.listen()
    a = switch.leg(tenant="acme", fsgov_consent_training="given", origination_caller_id_number="+49301234")
    b = switch.leg()
    assert switch.api(f"uuid_bridge {a} {b}").startswith("+OK")
    assert eventually(lambda: any(isinstance(e, LegsBridged) for e in of(told, a) + of(told, b)))
    path = f"{AUDIO}/{a}-01.wav"
    started = switch.api(f"uuid_record {a} start {path} 0 {{fsgov_segment={a}-01}}")
    assert started.startswith("+OK")
    assert eventually(lambda: any(isinstance(e, RecordingSeen) for e in of(told, a)))
    recorded = next(e for e in of(told, a) if isinstance(e, RecordingStarted))
    assert (recorded.path, recorded.segment) == (path, f"{a}-01")
    created = next(e for e in of(told, a) if isinstance(e, LegCreated))
    assert created.variables == {"tenant": "acme", "fsgov_consent_training": "given"}
    assert any(isinstance(e, LegAnswered) for e in of(told, a))

    again, told_again = switch.listen()
    found = next(e for e in of(told_again, a) if isinstance(e, LegCreated))
    assert found.found
    assert found.answered
    assert (found.caller, found.dialled, found.profile) == (created.caller, created.dialled, created.profile)
    assert (found.direction, found.variables) == (created.direction, created.variables)
    bridged = [{e.leg, e.other} for e in told_again if isinstance(e, LegsBridged)]
    assert {a, b} in bridged
    assert any(isinstance(e, RecordingStarted) and e.segment == f"{a}-01" for e in of(told_again, a))
    again.stop()

    switch.api(f"uuid_kill {a}")
    assert eventually(lambda: any(isinstance(e, LegGone) for e in of(told, a)))
    kinds = [type(e) for e in of(told, a)]
    assert kinds.index(RecordingStopped) < kinds.index(LegGone)
    assert any(isinstance(e, LegsUnbridged) for e in told)
    link.stop()


def test_a_bridge_that_ended_is_not_found_again(switch: Switch) -> None:
    a, b = switch.leg(), switch.leg()
    assert switch.api(f"uuid_bridge {a} {b}").startswith("+OK")
    gevent.sleep(0.3)
    assert switch.api(f"uuid_transfer {a} -both park inline").startswith("+OK")
    gevent.sleep(0.5)
    link, told = switch.listen()
    assert {a, b} <= {e.leg for e in told if isinstance(e, LegCreated)}
    assert not [e for e in told if isinstance(e, LegsBridged) and e.leg in (a, b)]
    link.stop()


def test_a_conference_is_a_room_live_and_found(switch: Switch) -> None:
    link, told = switch.listen()
    a, b = switch.leg(), switch.leg()
    name = f"fsgov{uuid.uuid4().hex[:6]}"
    for leg in (a, b):
        assert switch.api(f"uuid_transfer {leg} conference:{name}@default inline").startswith("+OK")
    assert eventually(lambda: sum(isinstance(e, RoomJoined) for e in of(told, a) + of(told, b)) == 2)
    rooms = {e.room for e in told if isinstance(e, RoomJoined) and e.leg in (a, b)}
    assert len(rooms) == 1
    again, told_again = switch.listen()
    found = {e.leg: e.room for e in told_again if isinstance(e, RoomJoined)}
    assert {found[a], found[b]} == rooms
    again.stop()
    assert switch.api(f"uuid_transfer {a} park inline").startswith("+OK")
    assert eventually(lambda: any(isinstance(e, RoomLeft) for e in of(told, a)))
    again, told_again = switch.listen()
    assert [e.leg for e in told_again if isinstance(e, RoomJoined) and e.leg in (a, b)] == [b]
    again.stop()
    link.stop()


def test_a_missing_prompt_is_told(switch: Switch) -> None:
    link, told = switch.listen()
    a = switch.leg()
    assert switch.api(f"uuid_broadcast {a} /nonexistent/fsgov.wav aleg").startswith("+OK")
    assert eventually(lambda: any(isinstance(e, PromptMissing) for e in of(told, a)))
    assert next(e.file for e in told if isinstance(e, PromptMissing)) == "/nonexistent/fsgov.wav"
    link.stop()


def test_a_hundred_legs_are_told_again_though_the_list_of_channels_lags(switch: Switch) -> None:
    legs = [switch.leg() for _ in range(100)]
    begin = time.monotonic()
    link, told = switch.listen()
    assert set(legs) <= {e.leg for e in told if isinstance(e, LegCreated)}
    assert time.monotonic() - begin < 10
    link.stop()


def test_inspect(switch: Switch) -> None:
    leg = switch.leg()
    seen = switch.survey.inspect(leg, True)
    assert seen.exists
    assert seen.leg_found is not None
    assert not switch.survey.inspect(str(uuid.uuid4()), True).exists
    assert not switch.survey.inspect(str(uuid.uuid4())).exists
