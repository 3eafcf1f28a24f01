"""Use the embedded server: join the running one, or start it for as long as somebody uses it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from fsgov import errors
from fsgov.embedded.server import DATABASE, START_SECONDS, SUPERUSER, listening
from fsgov.errors import BadConfiguration, FsgovError, NotFound, NotPermitted, Unreachable

SCHEME = "embedded:"


@dataclass(frozen=True, slots=True)
class Joined:
    """The running server of a directory: on 127.0.0.1, at this port."""

    path: Path
    port: int
    host: str = "127.0.0.1"

    def dsn(self, user: str | None = None, password: str | None = None, database: str = DATABASE) -> str:
        """A libpq URI; of the superuser, with the password of its file, where no user is named."""
        if user is None:
            user, password = SUPERUSER, _password(self.path)
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
        return f"postgresql://{login}@{self.host}:{self.port}/{quote(database, safe='')}"

    def revive(self) -> Joined:
        """The server again, started anew where it has gone (its guard was killed or told to stop)."""
        return _started(self.path)


@contextlib.contextmanager
def joined(path: Path, create: bool = True) -> Iterator[Joined]:
    """The server of `path`, for the length of the block; started where needed, and made where it may be.

    The last to leave sees it stopped. Any number of threads and processes may be inside.
    Raises NotFound (nothing there, and it may not be made), BadConfiguration (no PostgreSQL here, wrong
    directory), NotPermitted, Unreachable (it does not start).
    """
    path = path.expanduser().absolute()
    if not create and not _made(path):
        raise NotFound("There is no embedded database", str(path), "make it with `fsgov db init`")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = os.open(path / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as refused:
        raise NotPermitted("This login may not use the embedded database", str(path)) from refused
    except OSError as failure:
        raise BadConfiguration(
            "The directory of the embedded database cannot be used", f"{path}: {failure.strerror}"
        ) from failure
    try:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while a guard stops the server that nobody used
        yield _started(path)
    finally:
        _leave(path, users)


def resolve(
    dsn: str, user: str | None = None, password: str | None = None, database: str | None = None
) -> str:
    """The libpq DSN behind a `database.dsn`: of the running server for `embedded:PATH`, else the same DSN.

    user, password, database replace what the DSN says.
    Raises Unreachable where an embedded server is not running.
    """
    if dsn.startswith(SCHEME):
        path = Path(dsn.removeprefix(SCHEME)).expanduser().absolute()
        port = _listening(path)
        if port is None:
            raise Unreachable(
                "The embedded database is not running", str(path), "start it with `fsgov run`, or join it"
            )
        return Joined(path, port).dsn(user, password, database or DATABASE)
    if "://" not in dsn:
        named = {"user": user, "password": password, "dbname": database}
        words = [f"{key}='{_escape(value)}'" for key, value in named.items() if value is not None]
        return " ".join([dsn, *words]).strip()
    parts = urlsplit(dsn)
    login, _, address = parts.netloc.rpartition("@")
    if user is not None:
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
    place = f"/{quote(database, safe='')}" if database else parts.path
    return urlunsplit(parts._replace(netloc=f"{login}@{address}" if login else address, path=place))


def stop(path: Path) -> None:
    """Stop the server whoever uses it, and wait until it is down; the next to join or revive starts it."""
    path = path.expanduser().absolute()
    end = time.monotonic() + START_SECONDS
    asked = False
    while (guard := _guarded(path)) is not None:
        if guard and not asked:
            asked = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(guard, signal.SIGTERM)
        if time.monotonic() > end:
            raise Unreachable("The embedded PostgreSQL does not stop", str(path), "see its postgres.log")
        time.sleep(0.01)


def _started(path: Path) -> Joined:
    end = time.monotonic() + START_SECONDS
    while (port := _listening(path)) is None:
        if time.monotonic() > end:
            raise Unreachable("The embedded PostgreSQL does not start", str(path), "see its postgres.log")
        if _guarded(path) is None:
            _start_guard(path)
        else:
            time.sleep(0.02)
    return Joined(path, port)


def _start_guard(path: Path) -> None:
    """Run the guard's first half, which ends with the word "ready" or with a failure."""
    package_root = str(Path(errors.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package_root, inherited]))}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fsgov.embedded", str(path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    if done.stdout == "ready":
        return
    if not done.stdout:
        raise Unreachable("The guard of the embedded PostgreSQL ended early", done.stderr.strip()[-500:])
    told = json.loads(done.stdout)
    kind: type[FsgovError] = getattr(errors, told["kind"], Unreachable)
    raise kind(*told["failure"])


def _leave(path: Path, users: int) -> None:
    """Let go of the lock; who is the last stops the server, while the lock keeps the next one out."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # others use it, or the guard was faster and stops it: then this waits for it
        fcntl.flock(users, fcntl.LOCK_SH)
    else:
        stop(path)
    finally:
        os.close(users)


def _guarded(path: Path) -> int | None:
    """The process id of the guard of this directory (0 while it is just starting), None if there is none."""
    try:
        lock = os.open(path / "guard.lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(lock, 20, 0) or 0)
    finally:
        os.close(lock)
    return None


def _made(path: Path) -> bool:
    try:
        return (path / "data" / "PG_VERSION").exists()
    except PermissionError as refused:
        raise NotPermitted("This login may not use the embedded database", str(path)) from refused


def _listening(path: Path) -> int | None:
    try:
        return listening(path / "data")
    except PermissionError as refused:
        raise NotPermitted("This login may not use the embedded database", str(path)) from refused


def _password(path: Path) -> str:
    try:
        return (path / "password").read_text().strip()
    except PermissionError as refused:
        raise NotPermitted(
            "This login may not read the superuser's password",
            str(path / "password"),
            "name a user and password",
        ) from refused


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
