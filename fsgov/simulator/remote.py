"""A simulator in a process of its own, driven from here: for the demo, acceptance tests and benches.

    with Remote.start(recordings=spool / "audio", directory=tmp, speed=4.0) as sim:
        sim.address                                       # ("127.0.0.1", port)
        sim.do("call", **{"as": "one", "caller": "+49…", "dialled": "+49…"})
        sim.do("bridge", call="one", agent="1000")
        sim.world("closed")                               # the oracle's entries

Uses plain blocking sockets: safe from threads and without gevent's monkey patching.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from fsgov.errors import Unreachable


class Remote:
    """The other side of `python -m fsgov.simulator --control`."""

    def __init__(self, child: subprocess.Popen[str], control: Path, ledger: Path) -> None:
        self.child, self.ledger = child, ledger
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            raise Unreachable("the simulator did not start", f"exit code {child.wait()}", "see its stderr")
        hello = json.loads(line)
        self.address: tuple[str, int] = (hello["listening"][0], hello["listening"][1])
        self.core_uuid: str = hello["core_uuid"]
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30.0)
        self._socket.connect(str(control))
        self._lines = self._socket.makefile("rw", encoding="utf-8")

    @classmethod
    def start(
        cls,
        *,
        recordings: Path,
        directory: Path,
        speed: float = 1.0,
        arguments: tuple[str, ...] = (),
        stderr: Any = None,
        preexec: Callable[[], Any] | None = None,
    ) -> Remote:
        """Start one; its control socket and its ledger (`world.jsonl`, appended) are in `directory`.

        A unix socket's path may have 107 bytes. arguments: more of `python -m fsgov.simulator`'s options.
        preexec: called in the child before it becomes the simulator, as `fsgov.daemon.die_with` wants it.
        """
        control, ledger = directory / "sim.sock", directory / "world.jsonl"
        command = [
            sys.executable,
            "-m",
            "fsgov.simulator",
            "--recordings",
            str(recordings),
            "--world",
            str(ledger),
            "--control",
            str(control),
            "--speed",
            str(speed),
            *arguments,
        ]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, preexec_fn=preexec
        )
        return cls(child, control, ledger)

    def do(self, what: str, **step: Any) -> dict[str, Any]:
        """One step of `fsgov.simulator.steps`. Raises ValueError with the simulator's words if it refuses."""
        self._lines.write(json.dumps({"do": what, **step}) + "\n")
        self._lines.flush()
        line = self._lines.readline()
        if not line:
            raise Unreachable("the simulator is gone")
        reply: dict[str, Any] = json.loads(line)
        if not reply.pop("ok"):
            raise ValueError(reply.get("error"))
        return reply

    def world(self, what: str = "", **facts: Any) -> list[dict[str, Any]]:
        """The ledger's entries of a kind (all without one) with these facts, read from its file."""
        if not self.ledger.exists():
            return []
        rows = [json.loads(line) for line in self.ledger.read_text(encoding="utf-8").splitlines()]
        return [r for r in rows if what in ("", r["what"]) and all(r.get(k) == v for k, v in facts.items())]

    def wait_for(self, what: str, timeout: float = 10.0, **facts: Any) -> dict[str, Any]:
        """The first entry of a kind, waited for. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = self.world(what, **facts)
            if found:
                return found[0]
            time.sleep(0.02)
        raise TimeoutError(f"the world has no {what} {facts}")

    def kill(self) -> None:
        """A crash: files stay as they are."""
        self.child.kill()
        self.child.wait()

    def stop(self, timeout: float = 15.0) -> int:
        """SIGTERM and wait: calls are hung up, files closed. Its exit code."""
        if self.child.poll() is None:
            self.child.terminate()
        return self.child.wait(timeout)

    def quit(self) -> int:
        """End at once, without hanging up; its exit code."""
        if self.child.poll() is None:
            self.do("quit")
        return self.child.wait(15.0)

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.child.poll() is None:
            self.kill()
        self._lines.close()
        self._socket.close()
        if self.child.stdout:
            self.child.stdout.close()
