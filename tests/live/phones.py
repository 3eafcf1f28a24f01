"""Telephones for tests against a real FreeSWITCH: a second one that places calls. Nothing of fsgov's."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from tests.live.sweep import speak

T = TypeVar("T")


def eventually(look: Callable[[], T], within: float = 20.0, what: str = "") -> T:
    """What `look` gives once it is true."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, what or "it has not come true"
        time.sleep(0.03)
    return found


class EventSocket:
    """One connection to an event socket that a test drives: commands, or events; nothing of fsgov's."""

    def __init__(self, address: str) -> None:
        host, port, password = address.split(":", 2)
        self._socket = socket.create_connection((host, int(port)), 30)
        self._file = self._socket.makefile("rb")
        self._lock = threading.Lock()
        try:
            self.frame()
            assert self.say(f"auth {password}").startswith("+OK")
        except BaseException:
            self.close()
            raise

    def frame(self) -> tuple[dict[str, str], bytes]:
        headers: dict[str, str] = {}
        while line := self._file.readline().rstrip(b"\n"):
            name, _, value = line.decode("utf-8", "replace").partition(": ")
            headers[name] = value
        if not headers:
            raise EOFError
        return headers, self._file.read(int(headers.get("Content-Length", "0")))

    def say(self, command: str) -> str:
        with self._lock:
            self._socket.sendall(f"{command}\n\n".encode())
            headers, body = self.frame()
        return headers.get("Reply-Text") or body.decode("utf-8", "replace")

    def api(self, command: str) -> str:
        return self.say(f"api {command}").strip()

    def patient(self) -> None:
        """From now on wait for a frame as long as it takes."""
        self._socket.settimeout(None)

    def shut(self) -> None:
        """Who reads now gets the end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut()
        self._file.close()
        self._socket.close()


class Ear:
    """The events of one switch, as they come; values decoded after the lines were split."""

    def __init__(self, address: str) -> None:
        self._connection = EventSocket(address)
        names = "PLAYBACK_START PLAYBACK_STOP RECORD_START RECORD_STOP DTMF CHANNEL_HANGUP"
        names += " CHANNEL_CREATE CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CUSTOM fsgov::gate"
        assert self._connection.say(f"event plain {names}").startswith("+OK")
        self._connection.patient()
        self.events: list[dict[str, str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        try:
            while True:
                _, body = self._connection.frame()
                pairs = (line.partition(": ") for line in body.decode("utf-8", "replace").splitlines())
                self.events.append({name: unquote(value) for name, _, value in pairs})
        except (EOFError, OSError, ValueError):
            return

    def of(self, leg: str, name: str, **headers: str) -> list[dict[str, str]]:
        return [
            event
            for event in tuple(self.events)
            if event.get("Unique-ID") == leg
            and event.get("Event-Name") == name
            and all(event.get(header.replace("_", "-")) == value for header, value in headers.items())
        ]

    def close(self) -> None:
        self._connection.shut()
        self._thread.join(5)
        self._connection.close()


@dataclass
class Placed:
    """One call: the caller's leg at the phones, and the governed switch's, whose uuid is the call's id."""

    phones: Phones
    leg: str
    call: str
    began: float
    """When the caller began to speak, seconds since 1970."""
    pressed: list[float] = field(default_factory=list)

    def moment(self) -> float:
        """Seconds since the caller began to speak."""
        return time.time() - self.began

    def until(self, moment: float) -> None:
        time.sleep(max(0.0, moment - self.moment()))

    def press(self, digits: str) -> float:
        for digit in digits:
            assert self.phones.socket.api(f"uuid_send_dtmf {self.leg} {digit}@100").startswith("+OK")
            time.sleep(0.25)
        return self.moment()

    def hang_up(self) -> float:
        assert self.phones.socket.api(f"uuid_kill {self.leg}").startswith("+OK")
        return self.moment()


class Phones:
    """The switch that plays telephones, and the governed one as seen from outside fsgov."""

    def __init__(self, governed: str, phones: str, dial: str, sweep: Path) -> None:
        self.address = governed
        self.socket, self.ear = EventSocket(phones), Ear(phones)
        self.switch, self.switch_ear = EventSocket(governed), Ear(governed)
        self.dial, self.sweep = dial, sweep
        self.numbers = 0
        speak(sweep)

    def number(self, prefix: str) -> str:
        self.numbers += 1
        return f"{prefix}{os.getpid() % 100:02}{self.numbers:02}"

    def legs(self, **facts: str) -> list[dict[str, Any]]:
        """The governed switch's channels with these facts."""
        return _legs(self.switch, facts)

    def agent(self, number: str) -> str:
        """The telephone that has answered this caller: its leg at the phones."""
        facts = {"cid_num": number, "direction": "inbound", "callstate": "ACTIVE"}
        return str(eventually(lambda: _legs(self.socket, facts), what="nobody answered")[-1]["uuid"])

    def call(self, extension: str, number: str, speaks: bool = True, **variables: str) -> Placed:
        """Call the governed switch; returned when the call is answered and the caller speaks."""
        leg = str(uuid.uuid4())
        facts = {
            "origination_uuid": leg,
            "origination_caller_id_number": number,
            "ignore_early_media": "true",
            "playback_terminators": "none",
            **variables,
        }
        given = ",".join(f"{name}={value}" for name, value in facts.items())
        target = self.dial.format(extension)
        assert self.socket.say(f"bgapi originate {{{given}}}{target} &playback({self.sweep})")[0] == "+"
        rows = eventually(lambda: self.legs(cid_num=number, direction="inbound"), what="no call came in")
        call = str(rows[0]["uuid"])
        if not speaks:
            return Placed(self, leg, call, time.time())
        start = eventually(lambda: self.ear.of(leg, "PLAYBACK_START"), what="not answered")[0]
        return Placed(self, leg, call, int(start["Event-Date-Timestamp"]) / 1e6)

    def reconnect(self) -> None:
        """After the governed switch has closed its event socket."""
        self.switch.close()
        self.switch_ear.close()
        self.switch = _opened(EventSocket, self.address)
        self.switch_ear = _opened(Ear, self.address)

    def close(self) -> None:
        for each in (self.socket, self.ear, self.switch, self.switch_ear):
            each.close()


def _opened(kind: Callable[[str], T], address: str) -> T:
    def now() -> T | None:
        try:
            return kind(address)
        except (OSError, EOFError, AssertionError):
            return None

    return cast(T, eventually(now, 60))


def _legs(switch: EventSocket, facts: dict[str, str]) -> list[dict[str, Any]]:
    rows = json.loads(switch.api("show channels as json")).get("rows", [])
    return [row for row in rows if all(row[name] == value for name, value in facts.items())]
