"""govern's end of the line to the scribe: ask for a write and wait in a greenlet, or just say it.

The loop never waits here: requests queue in memory and one greenlet sends them, many at once under load.
The end of the scribe is the end of govern: without it nothing that must be on disk first would be.
"""

from __future__ import annotations

import socket as blocking
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import gevent
from gevent import socket
from gevent.event import AsyncResult
from gevent.event import Event as Signal
from gevent.exceptions import LoopExit

from fsgov import errors
from fsgov.commands import Enter
from fsgov.errors import FsgovError, Unreachable
from fsgov.spool.scribe import Op, packed, unpacked

START_WITHIN = 10.0
"""Seconds for the scribe to have the spool's lock; a scribe of a govern that was killed lets it go soon."""


class Writing:
    """The scribe as govern sees it. `lost` is called when it has ended without being told to."""

    def __init__(self, directory: Path, host: str, lost: Callable[[], None]) -> None:
        self._lost = lost
        self._closing = False
        self._answers: dict[int, AsyncResult[list[str]]] = {}
        self._numbers = count(1)
        self._outbox: list[bytes] = []
        self._to_send = Signal()
        self._sock = self._start(directory, host)
        self._greenlets = [gevent.spawn(self._send), gevent.spawn(self._receive)]

    def ask(self, ops: list[Op]) -> list[str]:
        """What the disk said of each, "" when all is well; what must be durable is, then.

        Raises Unreachable where the scribe has ended before anything else runs here; later on, `lost` ends
        govern, and what it waits for must not be answered as if it had been refused.
        """
        number = next(self._numbers)
        answer: AsyncResult[list[str]] = AsyncResult()
        self._answers[number] = answer
        self._post(packed(number, ops))
        try:
            faults: list[str] = answer.get()
        except LoopExit:
            raise Unreachable("The scribe has ended", "", "see the log; govern must start again") from None
        return faults

    def tell(self, ops: list[Op]) -> None:
        """The same, without an answer."""
        self._post(packed(0, ops))

    def enter(self, entry: Enter) -> None:
        """One entry of the log, in order; never waits."""
        self._post(packed(0, [("enter", entry.type, entry.subject, entry.time, dict(entry.facts))]))

    def close(self) -> None:
        """Everything said is written afterwards, and the spool's lock is free."""
        self._closing = True
        while self._outbox:
            gevent.sleep(0.01)
        self._sock.shutdown(blocking.SHUT_WR)
        gevent.joinall(self._greenlets[1:])
        gevent.killall(self._greenlets)
        self._process.wait()
        self._sock.close()

    def _start(self, directory: Path, host: str) -> socket.socket:
        """The scribe with its lock on the spool, or what kept it from that."""
        end = time.monotonic() + START_WITHIN
        while True:
            ours, theirs = socket.socketpair()
            command = [sys.executable, "-m", "fsgov.spool.scribe", str(directory), host, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
            theirs.close()
            fault = self._greeting(ours)
            if fault is None:
                return ours
            ours.close()
            self._process.wait()
            if not isinstance(fault, errors.Conflict) or time.monotonic() > end:
                raise fault
            gevent.sleep(0.1)

    @staticmethod
    def _greeting(sock: socket.socket) -> FsgovError | None:
        buffer = bytearray()
        while not (frames := unpacked(buffer)):
            chunk = sock.recv(1 << 16)
            if not chunk:
                return Unreachable("The scribe of the spool did not start")
            buffer += chunk
        told = frames[0][1]
        if not told:
            return None
        kind: type[FsgovError] = getattr(errors, told[0], Unreachable)
        return kind(*told[1:])

    def _post(self, frame: bytes) -> None:
        self._outbox.append(frame)
        self._to_send.set()

    def _send(self) -> None:
        while True:
            self._to_send.wait()
            self._to_send.clear()
            frames, self._outbox = self._outbox, []
            try:
                self._sock.sendall(b"".join(frames))
            except OSError:
                return  # the receiver notices and tells

    def _receive(self) -> None:
        buffer = bytearray()
        while True:
            try:
                chunk = self._sock.recv(1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                break
            buffer += chunk
            for number, faults in unpacked(buffer):
                answer = self._answers.pop(number, None)
                if answer is not None:
                    answer.set(faults)
        if not self._closing:
            self._lost()
