"""The guard: keeps one embedded server running for as long as somebody uses it (see the package's rules).

`python -m fsgov.embedded PATH`, started by `joined`: it prints "ready" or the failure as JSON and ends, while
its fork goes on as the guard, in a process group of its own: a Ctrl-C for the command does not end it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

from fsgov.embedded.binaries import find
from fsgov.embedded.server import Server
from fsgov.errors import FsgovError

SMART_SECONDS = 3.0
LOOK_SECONDS = 1.0
_WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def guard(path: Path, told: int) -> None:
    """Start the server and tell so, restart it when it falls, stop it after its last user or on SIGTERM."""
    with os.fdopen(told, "w") as words:
        try:
            server, users = _begin(path)
        except (FsgovError, OSError) as failure:
            words.write(json.dumps(_told(failure)))
            return
        words.write("ready")
        if server is None:
            return
    asked = _watch(server, users)
    server.stop(SMART_SECONDS if asked else 0.0)


def _begin(path: Path) -> tuple[Server | None, int]:
    """The server, running, and the descriptor of `users.lock`; no server where another guard is at it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    own = os.open(path / "guard.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None, own
    os.ftruncate(own, 0)
    os.pwrite(own, f"{os.getpid()}\n".encode(), 0)
    users = os.open(path / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    version = path / "data" / "PG_VERSION"
    server = Server(path, find(major=int(version.read_text()) if version.exists() else None))
    server.create()
    server.start()
    return server, users


def _told(failure: FsgovError | OSError) -> dict[str, str | list[str]]:
    if isinstance(failure, FsgovError):
        return {"kind": type(failure).__name__, "failure": [failure.message, failure.detail, failure.hint]}
    return {"kind": "Unreachable", "failure": ["The embedded PostgreSQL does not start", str(failure), ""]}


def _watch(server: Server, users: int) -> bool:
    """Return True when asked to end, False when the last user has gone."""
    started = time.monotonic()
    while True:
        caught = signal.sigtimedwait(_WATCHED, LOOK_SECONDS)
        if caught is not None and caught.si_signo in (signal.SIGTERM, signal.SIGINT):
            return True
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return False
        if server.fallen():
            time.sleep(max(0.0, 1.0 - (time.monotonic() - started)))  # no faster than once a second
            started = time.monotonic()
            server.start()


def main() -> None:
    """Fork the guard, wait for its word, pass it on."""
    path = Path(sys.argv[1])
    heard, told = os.pipe()
    if os.fork():
        os.close(told)
        with os.fdopen(heard) as words:
            sys.stdout.write(words.read())
        return
    os.close(heard)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.chdir("/")
    guard(path, told)


if __name__ == "__main__":
    main()
