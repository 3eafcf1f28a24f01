"""What systemd is told of a part: it works, it goes on working, it stops (sd_notify(3), a datagram each).

Where NOTIFY_SOCKET names no socket nobody is told, and nothing else changes. A part says `turned` each time
its loop has gone round, and from nowhere else: a loop that is stuck is killed by systemd's watchdog.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

TELL_EVERY = 5.0
"""Seconds between two statuses; a shorter watchdog is fed three times in its time."""


class Systemd:
    """The service manager at the other end of NOTIFY_SOCKET, if there is one. Any thread may speak."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        within = int(environment.get("WATCHDOG_USEC", "0")) / 1e6 if ours else 0.0
        self.every = min(TELL_EVERY, within / 3) if within else TELL_EVERY
        """Seconds between two datagrams of `turned`."""
        self._ready = False
        self._next = 0.0

    def turned(self, tell: Callable[[], str]) -> None:
        """The loop has gone round. READY the first time; later WATCHDOG, as often as is needed.

        tell: what the part is at, in words for `systemctl status`.
        """
        now = time.monotonic()
        if not self._address or now < self._next:
            return
        self._next = now + 0.9 * self.every  # a caller that comes each `every` is never a moment too early
        self._say("WATCHDOG=1" if self._ready else "READY=1", f"STATUS={tell()}")
        self._ready = True

    def reloading(self) -> None:
        """SIGHUP has come; `reloaded` ends it."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self, status: str) -> None:
        self._say("READY=1", f"STATUS={status}")

    def stopping(self) -> None:
        self._say("STOPPING=1", "STATUS=stopping")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.setblocking(False)  # a manager that does not listen holds nobody up
            way.sendto("\n".join(lines).encode(), self._address)
