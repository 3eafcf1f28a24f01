"""The scribe: a process of its own that writes the spool for govern, so that a disk never holds up a call.

Threads of govern would do, but they fight its loop for the interpreter lock: 200 futex calls for each phone
call (measured). The two talk over a socket pair, `marshal`led tuples behind a length: `(number, [op, …])` in,
`(number, [fault, …])` out, where fault is "" or what the disk said. Number 0 wants no answer.

    ("remember", call, text, durable)    ("plan", segment, text)      fault "taken": the number is used
    ("replace", segment, text)           ("settle", segment)          ("policy", text)
    ("probe",)      writes a block and takes it away again: whether the disk can
    ("enter", type, subject, time, facts)      no fault: kept in memory while the disk is full

Requests without an fsync are done at once, in order; one with an fsync goes to a thread and is answered when
it is durable. Two requests of one conversation are never under way together: its lane waits for the answer.
When govern is gone, however it went, the scribe finishes what it was told, lets the spool's lock go and ends.
"""

from __future__ import annotations

import json
import marshal
import select
import signal
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from fsgov.errors import FsgovError
from fsgov.failpoints import failpoint
from fsgov.spool.room import Spool

LENGTH = struct.Struct("<I")
THREADS = 4
"""fsyncs under way at once."""
SYNC_EVERY = 0.2
"""Seconds between two fsyncs of the entry file."""
Op = tuple[Any, ...]
Request = tuple[int, list[Op]]


def packed(number: int, content: list[Any]) -> bytes:
    """One frame of either direction."""
    body = marshal.dumps((number, content))
    return LENGTH.pack(len(body)) + body


def unpacked(buffer: bytearray) -> list[tuple[int, list[Any]]]:
    """The complete frames at the head of `buffer`, which are taken off it."""
    frames, at = [], 0
    while len(buffer) - at >= LENGTH.size:
        (length,) = LENGTH.unpack_from(buffer, at)
        end = at + LENGTH.size + length
        if len(buffer) < end:
            break
        frames.append(marshal.loads(buffer[at + LENGTH.size : end]))  # noqa: S302 - our own child
        at = end
    del buffer[:at]
    return frames


class Scribe:
    """Carries out requests on the spool."""

    def __init__(self, spool: Spool, host: str, peer: socket.socket) -> None:
        self._spool = spool
        self._entries = spool.entry_writer(host, "govern", time.time_ns() // 1000)
        self._peer = peer
        self._speaking = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS)
        self._entering = threading.Lock()
        self._unentered: list[Op] = []
        self._unsynced = False
        self._synced = 0.0

    def run(self) -> None:
        """Until govern hangs up."""
        buffer = bytearray()
        self._peer.setblocking(True)
        while True:
            if select.select([self._peer], [], [], SYNC_EVERY)[0]:
                try:
                    chunk = self._peer.recv(1 << 18)
                except OSError:
                    break
                if not chunk:
                    break
                buffer += chunk
            for number, ops in unpacked(buffer):
                self._take(number, ops)
            self._sync_entries()
        self._threads.shutdown()
        self._enter_what_waits()
        self._entries.close()
        self._spool.close()

    def _take(self, number: int, ops: list[Op]) -> None:
        if any(op[0] in ("settle", "policy", "probe") or (op[0] == "remember" and op[3]) for op in ops):
            self._threads.submit(self._carry_out, number, ops)
        else:
            self._carry_out(number, ops)

    def _carry_out(self, number: int, ops: list[Op]) -> None:
        faults: list[str] = []
        for op in ops:
            # what follows a fault rests on it: a segment is not planned when its call cannot be remembered
            broken = next((fault for fault in faults if fault), "") if op[0] == "plan" else ""
            faults.append(broken or self._fault_of(op))
        if number:
            with self._speaking:
                try:
                    self._peer.sendall(packed(number, faults))
                except OSError:
                    return  # govern is gone; the work is done all the same

    def _fault_of(self, op: Op) -> str:
        try:
            match op:
                case ("remember", call, text, durable):
                    self._spool.remember(call, text, durable=durable)
                case ("plan", segment, text):
                    failpoint("govern.sidecar.before")
                    planned = self._spool.plan(segment, text)
                    failpoint("govern.sidecar.after")
                    return "" if planned else "taken"
                case ("replace", segment, text):
                    failpoint("govern.captured.before")
                    if self._is_governs(segment):
                        self._spool.replace_segment(segment, text)
                    failpoint("govern.captured.after")
                case ("settle", segment):
                    self._spool.settle_segment(segment)
                case ("policy", text):
                    self._spool.keep_policy(text)
                case ("probe",):
                    self._spool.probe()
                case ("enter", *_):
                    with self._entering:
                        self._unentered.append(op)
                        self._enter_what_waits()
                case _:
                    return f"no such op: {op[0]}"
        except FsgovError as fault:
            return str(fault)
        return ""

    def _is_governs(self, segment: str) -> bool:
        """Whether nobody has handed it over yet: killed in between, govern hands it over a second time."""
        try:
            state = json.loads(self._spool.segment(segment) or "{}").get("state")
        except (ValueError, AttributeError):
            return True
        return state in (None, "planned", "open")

    # -- entries -----------------------------------------------------------------------------------------

    def _enter_what_waits(self) -> None:
        for done, (_, type_, subject, at, facts) in enumerate(self._unentered):
            try:
                self._entries.enter(type_, subject, at, facts)
            except FsgovError as fault:
                _complain("entries.unwritable", fault)
                del self._unentered[:done]
                return
            self._unsynced = True
        self._unentered.clear()

    def _sync_entries(self) -> None:
        now = time.monotonic()
        if now - self._synced < SYNC_EVERY:
            return
        self._synced = now
        if self._unentered:
            with self._entering:
                self._enter_what_waits()
        if self._unsynced:
            self._unsynced = False
            self._threads.submit(self._sync)

    def _sync(self) -> None:
        try:
            self._entries.sync()
        except FsgovError as fault:
            _complain("entries.unsynced", fault)
            self._unsynced = True


def _complain(event: str, fault: FsgovError) -> None:
    with suppress(OSError):  # standard error may be a file on the same full disk
        sys.stderr.write(f"level=error event={event} part=scribe detail={fault.detail!r}\n")
        sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """`python -m fsgov.spool.scribe DIRECTORY HOST FD`: started by govern, which has the other end of FD."""
    directory, host, fd = Path(arguments[0]), arguments[1], int(arguments[2])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=fd) as peer:
        try:
            scribe = Scribe(Spool(directory, "govern"), host, peer)
        except FsgovError as fault:
            peer.sendall(packed(0, [type(fault).__name__, fault.message, fault.detail, fault.hint]))
            return fault.exit_code
        peer.sendall(packed(0, []))
        scribe.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
