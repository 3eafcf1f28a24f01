"""The processes of a demo: the simulated switch, the service with its three parts, and people's commands.

Everything started here ends with the block, and with this process (PR_SET_PDEATHSIG), however it goes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsgov import embedded
from fsgov.cli import live
from fsgov.daemon import die_with
from fsgov.demo.ledger import Ledger
from fsgov.demo.site import Site, configure
from fsgov.errors import FsgovError, Unreachable
from fsgov.simulator.remote import Remote

READY_WITHIN, STOP_WITHIN = 30.0, 40.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str


class Stage:
    """A site with its processes. `open` makes one; the tests also break its pieces one by one."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ledger = Ledger(site.switch / "world.jsonl")
        self.port = 0
        self.database: embedded.Joined | None = None
        self.switch: Remote | None = None
        self.service: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()

    @classmethod
    @contextlib.contextmanager
    def open(cls, site: Site) -> Iterator[Stage]:
        """The database runs, nothing else yet; at the end everything is stopped, or else killed."""
        stage = cls(site)
        with embedded.joined(site.database) as stage.database:
            try:
                yield stage
            finally:
                stage.close()

    # -- the switch --------------------------------------------------------------------------------------

    def start_switch(self, *arguments: str) -> None:
        """A simulated switch that writes time-coded audio; again at the same port once it had one."""
        if self.switch is not None:
            with self.switch:
                self.switch = None
        password = (self.site.host / "switch.password").read_text().strip()
        with (self.site.switch / "stderr.log").open("ab") as log:
            self.switch = Remote.start(
                recordings=self.site.spool / "audio",
                directory=self.site.switch,
                arguments=("--port", str(self.port), f"--password={password}", *arguments),
                stderr=log,
                preexec=die_with(os.getpid()),
            )
        self.port = self.switch.address[1]
        configure(self.site, self.port)

    def do(self, verb: str, **facts: Any) -> dict[str, Any]:
        """One step of the phones or of the switch. Any thread may ask."""
        with self._asking:
            if self.switch is None:
                raise Unreachable("The switch is not running")
            return self.switch.do(verb, **facts)

    def moment(self) -> int:
        """The 20 ms frame that is being spoken now, by the switch's clock."""
        return int(self.do("time")["epoch"] * 50)

    # -- the service -------------------------------------------------------------------------------------

    def start_service(self, *words: str, part: str = "") -> subprocess.Popen[bytes]:
        """`fsgov run`, or one part of it; its logs go to host/<what>.log."""
        command = [sys.executable, "-m", "fsgov", "--config", str(self.site.service), "run", *words]
        if part:
            command += ["--part", part]
        with (self.site.host / f"{part or 'run'}.log").open("ab") as log:
            started = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with(os.getpid())
            )
        if not part:
            self.service = started
        return started

    def wait_ready(self) -> None:
        """Until govern listens to the switch. Raises Unreachable with the log's end."""
        end = time.monotonic() + READY_WITHIN
        while not self.connected():
            ended = self.service.poll() if self.service else None
            if ended is not None or time.monotonic() > end:
                why = "it does not start" if ended is None else f"it ended with {ended}"
                raise Unreachable(f"fsgov run: {why}", self.last_words(), str(self.site.host / "run.log"))
            time.sleep(0.05)

    def connected(self) -> bool:
        try:
            _, told = live.ask(self.site.control, "GET", "/v1/status")
        except FsgovError:
            return False
        return bool(told["switch"]["connected"])

    def live(self) -> list[dict[str, Any]]:
        """The conversations as govern sees them now; nothing where it does not answer."""
        try:
            return list(live.ask(self.site.control, "GET", "/v1/calls")[1])
        except FsgovError:
            return []

    def last_words(self) -> str:
        """The end of the service's log."""
        try:
            return "\n".join((self.site.host / "run.log").read_text(errors="replace").splitlines()[-4:])
        except OSError:
            return ""

    def stop_service(self) -> int:
        """SIGTERM, and its exit code."""
        if self.service is None:
            return 0
        self.service.terminate()
        code = self.service.wait(STOP_WITHIN)
        self.service = None
        return code

    # -- people ------------------------------------------------------------------------------------------

    def fsgov(self, *words: str, person: str = "alice") -> Said:
        """A command at somebody's desk, as a process of its own."""
        command = [sys.executable, "-m", "fsgov", "--config", str(self.site.of(person)), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return Said(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def desk(self, person: str) -> Iterator[str]:
        """The DSN of somebody's own login."""
        with embedded.joined(self.site.database) as server:
            yield server.dsn(person, self.site.password(person))

    # -- the end -----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop what still runs: the service first, so that it sees the end of its calls."""
        if self.service is not None:
            self.service.terminate()
            try:
                self.service.wait(STOP_WITHIN)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                self.service.kill()
                self.service.wait()
            self.service = None
        if self.switch is not None:
            with self.switch:
                pass
            self.switch = None


def sidecars(site: Site) -> list[dict[str, Any]]:
    """What the spool says of its segments."""
    return [json.loads(path.read_text()) for path in sorted((site.spool / "segments").glob("*.json"))]


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a part's log that are JSON."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{")]
