"""The directory `.demo`: taken for one demo at a time, and made anew by each."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fsgov import embedded
from fsgov.errors import Conflict, NotPermitted

MARK = "THIS-IS-A-DEMO"
"""A file that says: `fsgov demo` made this directory and may replace it."""
SAYING = """`fsgov demo` made this directory and replaces it on each run.
host/ is what a switch host has, desk/ what people have at theirs. The identity in desk/ opens the recordings
of the demo; yours never comes near a switch host.
"""


@contextmanager
def taken(root: Path) -> Iterator[None]:
    """Empty `root` and keep other demos out of it for the block. Raises Conflict, NotPermitted."""
    try:
        _make(root)
        lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError as fault:
        hint = "start the demo where this user may write"
        raise NotPermitted("The demo's directory cannot be made", f"{fault.filename}", hint) from None
    except OSError as fault:
        raise Conflict("The demo's directory cannot be made", f"{root}: {fault.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "Another demo is running here", str(root), "wait for it, or start this one elsewhere"
            ) from None
        _empty(root)
        yield
    finally:
        os.close(lock)


def _make(root: Path) -> None:
    """The directory with its mark. Conflict where something else has that name."""
    if root.is_symlink() or (root.exists() and not (root.is_dir() and (root / MARK).is_file())):
        if root.is_dir() and not root.is_symlink() and not any(root.iterdir()):
            (root / MARK).write_text(SAYING)
            return
        raise Conflict(
            "There is something else where the demo's directory should be", str(root), "move it away"
        )
    root.mkdir(mode=0o700, exist_ok=True)
    (root / MARK).write_text(SAYING)


def _empty(root: Path) -> None:
    """Everything but the mark goes; a database that a command still uses is stopped first."""
    database = root / "database"
    if database.is_dir():
        with suppress(NotPermitted):
            embedded.stop(database)
    for path in root.iterdir():
        if path.name == MARK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
