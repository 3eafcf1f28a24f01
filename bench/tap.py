"""A tap on the event socket, a process of its own: when did an answer reach govern, when did its start leave?

`python -m bench.tap PORT OUT` prints its own port, passes everything on to PORT unchanged, and on SIGTERM
writes {"answered": {leg: seconds}, "started": {leg: seconds}} (CLOCK_MONOTONIC) to OUT.
"""

from __future__ import annotations

import json
import re
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

ANSWER = re.compile(rb"Event-Name: CHANNEL_ANSWER\n.*?\nUnique-ID: ([0-9a-f-]+)\n", re.DOTALL)
START = re.compile(rb"api uuid_record ([0-9a-f-]+) start ")


class Tap:
    def __init__(self, port: int) -> None:
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.answered: dict[str, float] = {}
        self.started: dict[str, float] = {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.running = True

    def run(self) -> None:
        while self.running:
            for key, _ in self.selector.select(0.2):
                if key.data is None:
                    self._accept()
                elif key.fileobj.fileno() >= 0:  # type: ignore[union-attr]  # else closed with its twin just now
                    self._pass_on(key.fileobj, *key.data)  # type: ignore[arg-type]

    def _accept(self) -> None:
        ours = self.listener.accept()[0]
        theirs = socket.create_connection(("127.0.0.1", self.port))
        for side in (ours, theirs):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(ours, selectors.EVENT_READ, (theirs, START, self.started, bytearray()))
        self.selector.register(theirs, selectors.EVENT_READ, (ours, ANSWER, self.answered, bytearray()))

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        what: re.Pattern[bytes],
        seen: dict[str, float],
        buffer: bytearray,
    ) -> None:
        try:
            chunk = source.recv(1 << 16)
            if chunk:
                target.sendall(chunk)
        except OSError:
            chunk = b""
        if not chunk:
            for side in (source, target):
                if side.fileno() >= 0:
                    self.selector.unregister(side)
                    side.close()
            return
        now = time.monotonic()
        buffer += chunk
        whole, mark, rest = bytes(buffer).rpartition(b"\n\n")
        if mark:
            for part in whole.split(b"\n\n"):
                found = what.search(part + b"\n")
                if found:
                    seen.setdefault(found[1].decode(), now)
            buffer[:] = rest


def main(port: int, out: Path) -> None:
    tap = Tap(port)

    def stop(_number: int, _frame: FrameType | None) -> None:
        tap.running = False

    signal.signal(signal.SIGTERM, stop)
    print(tap.listener.getsockname()[1], flush=True)
    tap.run()
    out.write_text(json.dumps({"answered": tap.answered, "started": tap.started}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
