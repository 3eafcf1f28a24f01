"""What the CRM said of a party in the last 24 hours, for while it does not answer.

A file for each party in the spool (`parties/`), 0600, named by a hash, with the facts that the policy names
and no others. A consent that was given is not kept: it may have been withdrawn since, and only the CRM knows.
One that was refused is kept: a no may be a day old.

A thread of its own writes and reads, one file after the other: a disk that hangs holds up no call.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from gevent.threadpool import ThreadPool

from fsgov.parties.answer import Row

KEPT_SECONDS = 24 * 3600


class Memory:
    """The files of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._disk = ThreadPool(1)

    def keep(self, tenant: str, e164: str, row: Row, names: frozenset[str]) -> None:
        """Remember this row, as far as policies may ask for it."""
        kept = {
            "facts": {name: row.facts.get(name) for name in names},
            "refused": [purpose for purpose, given in row.consents.items() if not given],
            "evidence": row.evidence,
        }
        self._disk.spawn(write_private, self._path(tenant, e164), json.dumps(kept))

    def forget(self, tenant: str, e164: str) -> None:
        """The CRM says that it knows nobody."""
        self._disk.spawn(self._path(tenant, e164).unlink, missing_ok=True)

    def recall(self, tenant: str, e164: str, names: frozenset[str]) -> Row | None:
        """What was kept, where it is not too old and has an answer for each of these names."""
        row: Row | None = self._disk.apply(read, (self._path(tenant, e164), names))
        return row

    def settle(self) -> None:
        """Wait until everything is written."""
        self._disk.join()

    def _path(self, tenant: str, e164: str) -> Path:
        return self._directory / hashlib.sha256(f"{tenant}\n{e164}".encode()).hexdigest()


def read(path: Path, names: frozenset[str]) -> Row | None:
    """The row of a file; None where it is too old, damaged, or of another policy that asked for less."""
    try:
        if time.time() - path.stat().st_mtime > KEPT_SECONDS:
            return None
        kept = json.loads(path.read_text())
        if not names <= kept["facts"].keys():
            return None
        return Row(kept["facts"], dict.fromkeys(kept["refused"], False), str(kept["evidence"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_private(path: Path, text: str) -> None:
    """Replace a 0600 file atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def forget_old(directory: Path, now: float) -> int:
    """Unlink what is older than a day; how many went."""
    gone = 0
    for path in _files(directory):
        if now - path.stat().st_mtime > KEPT_SECONDS:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _files(directory: Path) -> Iterable[Path]:
    return list(directory.iterdir()) if directory.is_dir() else ()
