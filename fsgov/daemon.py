"""`fsgov run`: the three parts as child processes under one small supervisor.

    govern   its end is the end of everything: exit != 0, and systemd restarts the unit
    ship     restarted with a growing pause; its work waits in the spool
    keep     restarted with a growing pause; its work waits in the outbox

Signal handlers only set flags. The children die with their parent (PR_SET_PDEATHSIG), also after kill -9.
Stopping goes against the flow of the work, so that the last entries still arrive: govern, ship, keep.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import structlog

from fsgov import embedded
from fsgov.config import Settings
from fsgov.spool.layout import ENDS

log = structlog.get_logger()

PARTS = ("govern", "ship", "keep")
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a part that ended is started again; doubled while it keeps ending soon."""
LIVED_LONG = 60.0
"""Seconds after which an end counts as a new story."""
STOP_WITHIN = 20.0
"""Seconds that one part may take to stop before it is killed."""
REMEMBERED = 10
"""Ends of a part that are written down."""
PR_SET_PDEATHSIG = 1


class Flags:
    """What signals have asked for. `stop` after SIGTERM or SIGINT, `reload` after SIGHUP."""

    def __init__(self) -> None:
        self.stop = False
        self.reload = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[Flags]:
        """Take the signals for the length of the block; a wait in it ends early when one comes."""

        def on(number: int, _: FrameType | None) -> None:
            self.stop = self.stop or number != signal.SIGHUP
            self.reload = self.reload or number == signal.SIGHUP

        before = {n: signal.signal(n, on) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            yield self
        finally:
            for number, old in before.items():
                signal.signal(number, old)


@dataclass(slots=True)
class Child:
    """One part as a process, and when it may be started again."""

    part: str
    command: list[str]
    popen: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    not_before: float = 0.0
    pause: float = field(default=SHORTEST_PAUSE)
    restarts: int = -1
    ends: list[int] = field(default_factory=list)
    """When it ended without being told to, lately: microseconds since the epoch."""

    def start(self) -> None:
        self.restarts += 1
        self.started = time.monotonic()
        environment = {**os.environ, "FSGOV_RESTARTS": str(self.restarts)}
        self.popen = subprocess.Popen(self.command, env=environment, preexec_fn=die_with(os.getpid()))
        log.info("part.started", part=self.part, pid=self.popen.pid, restarts=self.restarts)

    def ended(self) -> int | None:
        """Its exit code once it has ended (negative: the signal), else None."""
        return None if self.popen is None else self.popen.poll()

    def back_off(self, code: int) -> None:
        lived = time.monotonic() - self.started
        self.pause = SHORTEST_PAUSE if lived > LIVED_LONG else min(2 * self.pause, LONGEST_PAUSE)
        self.not_before = time.monotonic() + self.pause
        self.popen = None
        self.ends = [*self.ends[1 - REMEMBERED :], time.time_ns() // 1000]
        log.error("part.ended", part=self.part, code=code, lived=round(lived, 1), again_in=self.pause)

    def stop(self) -> None:
        if self.popen is None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            log.error("part.killed", part=self.part)
            self.popen.kill()
            self.popen.wait()


def die_with(parent: int) -> Callable[[], None]:
    """For Popen(preexec_fn=…): the child gets SIGTERM when its parent is gone, however it went."""
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def write_down(children: list[Child], path: Path) -> None:
    """Each part's unwanted ends. What cannot be written is in the log all the same."""
    with contextlib.suppress(OSError):
        new = path.with_name(f".run-{path.name}")
        new.write_text(json.dumps({child.part: child.ends for child in children}))
        new.replace(path)


def command_of(part: str, config: Path) -> list[str]:
    """How a part is started: govern patches gevent in before anything else is imported, the others do not."""
    if part == "govern":
        return [sys.executable, "-m", "fsgov.govern", "--config", str(config)]
    return [sys.executable, "-m", "fsgov", "--config", str(config), "run", "--part", part]


def run(settings: Settings, config: Path) -> int:
    """Start the parts, keep them running until a signal or the end of govern; the exit code."""
    with contextlib.ExitStack() as stack:
        flags = stack.enter_context(Flags().listening())
        if settings.database.dsn.startswith(embedded.SCHEME):
            stack.enter_context(embedded.joined(Path(settings.database.dsn.removeprefix(embedded.SCHEME))))
        children = [Child(part, command_of(part, config)) for part in PARTS]
        try:
            return watch(children, flags, settings.spool.directory / ENDS)
        finally:
            for child in children:
                child.stop()


def watch(children: list[Child], flags: Flags, ends: Path) -> int:
    """Loop until told to stop (0) or govern has ended (its exit code, never 0).

    ends: where it is written down how the others ended, for govern to tell.
    """
    while not flags.stop:
        for child in children:
            code = child.ended()
            if code is not None and child.part == "govern":
                log.error("part.ended", part="govern", code=code)
                return code if code > 0 else 1
            if code is not None:
                child.back_off(code)
                write_down(children, ends)
            if child.popen is None and time.monotonic() >= child.not_before:
                child.start()
        if flags.reload:
            flags.reload = False
            for child in children:
                if child.popen is not None:
                    child.popen.send_signal(signal.SIGHUP)
        time.sleep(0.1)
    return 0
