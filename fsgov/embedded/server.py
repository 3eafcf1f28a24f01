"""One PostgreSQL server below one directory: made, started, stopped by the process that holds it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fsgov.embedded.binaries import Binaries
from fsgov.errors import BadConfiguration, Unreachable

SUPERUSER = "postgres"
DATABASE = "fsgov"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
LOG_BYTES = 8 << 20
_PR_SET_PDEATHSIG = 1

INITDB_OPTIONS = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    # statements and values name people: the log tells of neither
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


class Server:
    """PostgreSQL below `path`, as a child of this process; call from the main thread (PR_SET_PDEATHSIG)."""

    def __init__(self, path: Path, binaries: Binaries) -> None:
        self.path = path
        self.data = path / "data"
        self.log = path / "postgres.log"
        self.binaries = binaries
        self.child: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the data directory where there is none yet; a kill in the middle leaves nothing half done."""
        if (self.data / "PG_VERSION").exists():
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.data.exists():
            raise BadConfiguration(
                "This is no PostgreSQL data directory", str(self.data), "name an empty directory"
            )
        fresh, password = self.path / "data.new", self.path / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password.unlink(missing_ok=True)
        opened = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w") as out:
            out.write(secrets.token_urlsafe(32) + "\n")
            out.flush()
            os.fsync(out.fileno())
        self._once(
            ["initdb", "-D", fresh, "-U", SUPERUSER, "--pwfile", password, *INITDB_OPTIONS],
        )
        self._once(["postgres", "--single", "-D", fresh, "postgres"], f"CREATE DATABASE {DATABASE}\n")
        fresh.rename(self.data)
        _sync(self.path)

    def start(self) -> int:
        """Start the server and answer its port once it accepts connections.

        Raises Unreachable with the end of its log where it does not within a minute.
        """
        self._await_orphan()
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        for attempt in range(4):
            port = self._port(attempt)
            begin = self.log.stat().st_size if self.log.exists() else 0
            options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
            command = [self.binaries.directory / "postgres", "-D", self.data, "-p", str(port), *options]
            with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)) as log:
                self.child = subprocess.Popen(
                    [*_as_nobody(), *map(str, command)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=_environment(),
                    cwd=self.path,
                    preexec_fn=_dies_with(os.getpid()),
                    start_new_session=True,
                )
            if self._ready(self.child):
                return port
            self.stop()
            said = self.log.read_bytes()[begin:].decode(errors="replace")
            if "Address already in use" not in said and "still in use" not in said:
                break
            time.sleep(0.2)
        raise Unreachable(
            "The embedded PostgreSQL does not start", _last_lines(said), f"its log is {self.log}"
        )

    def stop(self, smart_seconds: float = 0.0) -> None:
        """Stop the server: first let clients finish, for `smart_seconds`; then end them; at last by force."""
        steps = [(signal.SIGTERM, smart_seconds)] if smart_seconds else []
        steps += [(signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)]
        for how, seconds in steps:
            if self.child is None:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.send_signal(how)
                self.child.wait(seconds)
                self.child = None

    def fallen(self) -> bool:
        """Whether the server that was started has ended by itself."""
        return self.child is not None and self.child.poll() is not None

    def _ready(self, child: subprocess.Popen[bytes]) -> bool:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and child.poll() is None:
            if listening(self.data) is not None:
                return True
            time.sleep(0.02)
        return False

    def _port(self, attempt: int) -> int:
        """The port of last time, so that addresses handed out before stay true; another where it is taken."""
        kept = self.path / "port"
        if attempt == 0 and kept.exists():
            return int(kept.read_text())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        kept.write_text(f"{port}\n")
        return port

    def _await_orphan(self) -> None:
        """A server whose guard was killed is shutting down: wait, then insist; remove a stale pid file."""
        for how, seconds in ((None, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            end = time.monotonic() + seconds
            while (pid := _postmaster(self.data)) is not None:
                if time.monotonic() > end:
                    break
                time.sleep(0.02)
            else:
                # a pid that something else has by now would make PostgreSQL refuse to start; shared memory
                # still tells it of surviving children
                (self.data / "postmaster.pid").unlink(missing_ok=True)
                return
            if how is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)

    def _once(self, command: Sequence[str | Path], typed: str = "") -> None:
        words = [*_as_nobody(), str(self.binaries.directory / command[0]), *map(str, command[1:])]
        done = subprocess.run(
            words, input=typed, capture_output=True, text=True, env=_environment(), cwd=self.path,
            preexec_fn=_dies_with(os.getpid()),
        )  # fmt: skip
        if done.returncode:
            raise Unreachable(
                f"{command[0]} failed, so there is no embedded database",
                _last_lines(done.stderr or done.stdout),
                "where this host allows no user namespaces, run fsgov as a plain user, not as root"
                if _as_nobody()
                else "is the disk full, the directory writable?",
            )


def listening(data: Path) -> int | None:
    """The port of the server of this data directory, where one accepts connections; else None."""
    if _postmaster(data) is None:
        return None
    lines = _pid_lines(data)
    return int(lines[3]) if len(lines) > 7 and lines[7].strip() == "ready" else None


def _postmaster(data: Path) -> int | None:
    """The process id in postmaster.pid, where it really is a process in this data directory."""
    lines = _pid_lines(data)
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    try:
        if Path(f"/proc/{pid}/cwd").readlink() == data.resolve():
            return pid
    except OSError:
        pass
    return None


def _pid_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return []


def _as_nobody() -> list[str]:
    """PostgreSQL refuses root and a user id without a name: it runs as nobody of a user namespace then.

    No owner and no mode changes, and no other login is involved.
    """
    with contextlib.suppress(KeyError):
        if os.geteuid() != 0 and pwd.getpwuid(os.geteuid()):
            return []
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534"]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _dies_with(parent: int) -> Callable[[], None]:
    """What the child does before exec: ask for SIGINT (fast shutdown) when its parent is gone."""
    libc = ctypes.CDLL(None)

    def ask() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-5:])


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
