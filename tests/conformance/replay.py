"""Plays a capture against the simulator: its `out` lines at their moments, the scenario's phones beside."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent import socket

from fsgov.simulator import ManualClock, Switch
from fsgov.simulator.connection import Connection
from fsgov.simulator.steps import Steps, schedule
from tests import wire

HERE = Path(__file__).parent
T0 = re.compile(rb"t0 = ([\d.]+)")


@dataclass
class Heard:
    """What one connection got, and whether the switch closed it."""

    data: bytes = b""
    closed: bool = False
    sock: Any = None


@dataclass
class Replay:
    """A capture, its scenario, and the simulated switch that answers."""

    name: str
    directory: Path
    scenario: dict[str, Any] = field(init=False)
    clients: dict[int, Heard] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scenario = tomllib.loads((HERE / f"{self.name}.toml").read_text(encoding="utf-8"))

    def run(self) -> dict[int, Heard]:
        """The bytes each connection of the capture gets from the simulator."""
        setting = dict(self.scenario.get("switch", {}))
        lines = list(wire.lines(wire.CAPTURES / f"{self.name}.jsonl"))
        lead = float(setting.pop("lead", 0.0))
        first = T0.search(lines[0].data)
        clock = ManualClock(float(first[1]) - lead if first else None)
        after = {k: setting.pop(k) for k in list(setting) if k in ("acl", "core_uuid")}
        limits = setting.pop("disks", {})
        self.switch = Switch(clock, root=self.directory, **setting)
        for name, value in after.items():
            setattr(self.switch, name, value)
        for name, size in limits.items():
            self.switch.disk.limit(self.switch.on_disk(name), size)
        for place in self.scenario.get("directories", []):
            self.switch.on_disk(place).mkdir(parents=True)
        for place in self.scenario.get("read_only", []):
            self.switch.on_disk(place).parent.mkdir(parents=True, exist_ok=True)
            self.switch.on_disk(place).touch()  # a file where a directory is wanted: fails for root, too
        clock.advance(lead)
        steps = Steps(self.switch)
        last = schedule(steps, self.scenario, lead)
        for line in lines:
            if line.direction == "in":
                continue
            clock.advance(max(0.0, line.t + lead - clock.now()))
            if line.direction == "note" and line.data.startswith(b"connect "):
                self._connect(line.connection)
            elif line.direction == "out":
                self._send(line)
            self._pump()
        clock.advance(max(0.0, last + lead - clock.now()) + 0.2)
        self._pump()
        self.switch.close()
        for heard in self.clients.values():
            heard.sock.close()
        gevent.sleep(0.001)
        return self.clients

    def _connect(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        connection = Connection(self.switch, theirs, ("127.0.0.1", 40000 + number))
        gevent.spawn(connection.run)
        self.clients[number] = Heard(sock=ours)

    def _send(self, line: wire.Line) -> None:
        try:
            self.clients[line.connection].sock.sendall(line.data)
        except OSError:
            self.clients[line.connection].closed = True

    def _pump(self) -> None:
        """Let everybody read and write until nothing moves."""
        quiet = 0
        while quiet < 2:
            gevent.sleep(0)
            gevent.sleep(0.0003)
            self.switch.clock.settle()
            moved = [self._receive(h) for h in self.clients.values()]
            quiet = 0 if any(moved) else quiet + 1

    def _receive(self, heard: Heard) -> bool:
        if heard.closed:
            return False
        heard.sock.setblocking(False)
        try:
            data = heard.sock.recv(1 << 20)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        finally:
            heard.sock.setblocking(True)
        heard.data += data
        heard.closed = not data
        return True
