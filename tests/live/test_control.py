"""Live acts over a real unix socket: who asks is what the kernel says, and every answer has its status."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import get_hub

from fsgov import control
from fsgov.commands import Answer
from fsgov.control import Acts, Desk, application
from fsgov.events import Act, ActAsked, Event
from fsgov.govern.roster import Roster

AT = 1_795_000_000_000_000
CALL = "0f6c1f5e-7a55-4a6c-9a34-2f4f6f2f1a11"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("fsgov", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(str(self._path))


@dataclass
class Stage:
    """A control socket over a fake core: it answers every act with `status`."""

    path: Path
    status: int | None = 200
    asked: list[ActAsked] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        assert isinstance(event, ActAsked)
        self.asked.append(event)
        if self.status is not None:
            answer = Answer(call=event.call, request=event.request, status=self.status)
            gevent.spawn(self.desk.answer, answer)

    def __post_init__(self) -> None:
        self.desk = Desk(self.emit, lambda: AT)

    def request(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        def blocking() -> tuple[int, Any]:
            connection = UnixConnection(self.path)
            try:
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                response = connection.getresponse()
                return response.status, json.loads(response.read() or b"null")
            finally:
                connection.close()

        answer: tuple[int, Any] = get_hub().threadpool.apply(blocking)
        return answer

    def act(self, act: str, call: str = CALL, body: str | None = None) -> tuple[int, Any]:
        return self.request("POST", f"/v1/calls/{call}/{act}", body)


def rows(*roles: str, tenants: tuple[str, ...] = ("default",), os_user: str = "") -> list[Any]:
    me = pwd.getpwuid(os.getuid()).pw_name
    return [SimpleNamespace(os_user=os_user or me, person="p-7h3k9", roles=roles, tenants=tenants)]


def roster(tmp_path: Path, people: list[Any]) -> Roster:
    made = Roster(tmp_path / "people.json", lambda: people)
    made._refresh()
    return made


@pytest.fixture
def people() -> list[Any]:
    return rows("agent")


@pytest.fixture
def stage(tmp_path: Path, people: list[Any]) -> Iterator[Stage]:
    made = Stage(tmp_path / "control.sock")
    acts = Acts(made.desk, roster(tmp_path, people).person, lambda call: "default" if call == CALL else None)
    server = control.listen(made.path, application(acts, lambda: [{"call": CALL}], lambda: {"calls": 1}))
    yield made
    server.stop(timeout=1)


@pytest.mark.parametrize("act", ["start", "stop", "pause", "resume"])
def test_an_act_reaches_the_core_with_its_actor(stage: Stage, act: str) -> None:
    assert stage.act(act)[0] == 200
    (asked,) = stage.asked
    assert (asked.act, asked.actor, asked.call) == (Act(act), "p-7h3k9", CALL)


@pytest.mark.parametrize("status", [200, 202, 404, 409])
def test_the_status_is_the_one_that_the_core_gave(stage: Stage, status: int) -> None:
    stage.status = status
    assert stage.act("pause")[0] == status


def test_without_an_answer_it_is_not_called_acknowledged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ANSWER_WITHIN", 0.05)
    stage.status = None
    assert stage.act("pause")[0] == 202


def test_a_tag_comes_along(stage: Stage) -> None:
    assert stage.act("tag", body='{"tag": "complaint"}')[0] == 200
    assert stage.asked[0].tag == "complaint"


@pytest.mark.parametrize(
    "body", ['{"tag": ""}', '{"tag": 7}', '{"tag": "a\\nb"}', "[]", "{", '{"tag": "%s"}' % ("x" * 65)]
)
def test_a_tag_that_is_none_is_refused(stage: Stage, body: str) -> None:
    assert stage.act("tag", body=body)[0] == 400
    assert not stage.asked


@pytest.mark.parametrize(
    ("act", "call"),
    [("destroy", CALL), ("pause", "0f6c1f5e-0000-4a6c-9a34-2f4f6f2f1a11"), ("pause", "..%2f..%2fetc")],
)
def test_what_does_not_exist_is_not_found(stage: Stage, act: str, call: str) -> None:
    assert stage.act(act, call)[0] == 404
    assert not stage.asked


@pytest.mark.parametrize(
    "people",
    [[], rows("auditor"), rows("agent", tenants=("acme",)), rows("agent", os_user="another")],
    ids=["nobody", "auditor", "another tenant", "another user"],
)  # fmt: skip
def test_who_may_not_is_refused_and_the_core_hears_nothing(stage: Stage) -> None:
    assert stage.act("pause")[0] == 403
    assert not stage.asked


def test_the_actor_cannot_be_given_by_the_caller(stage: Stage) -> None:
    stage.act("tag", body='{"tag": "x", "actor": "p-bob"}')
    assert stage.asked[0].actor == "p-7h3k9"


def test_calls_and_status_are_told(stage: Stage) -> None:
    assert stage.request("GET", "/v1/calls") == (200, [{"call": CALL}])
    assert stage.request("GET", "/v1/status") == (200, {"calls": 1})


def test_the_socket_is_for_its_group_only(stage: Stage) -> None:
    assert stat.S_IMODE(stage.path.stat().st_mode) == 0o660


def test_a_socket_that_a_killed_daemon_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    stage = Stage(path)
    acts = Acts(stage.desk, lambda _: None, lambda _: None)
    server = control.listen(path, application(acts, list, dict))
    assert stage.request("GET", "/v1/calls") == (200, [])
    server.stop(timeout=1)


def test_the_roster_is_known_without_the_database(tmp_path: Path) -> None:
    from fsgov.errors import Unreachable

    roster(tmp_path, rows("agent"))

    def away() -> list[Any]:
        raise Unreachable("PostgreSQL does not answer")

    again = Roster(tmp_path / "people.json", away)
    again._refresh()
    person = again.person(os.getuid())
    assert person is not None
    assert person.id == "p-7h3k9"
    assert stat.S_IMODE((tmp_path / "people.json").stat().st_mode) == 0o600
