"""What govern remembers on disk of what is in force, so that it starts without PostgreSQL.

spool/in-force.toml   the text of the policy that was activated last
spool/stops.json      the stops in force: of the database, and those placed on this host alone
Both 0600, replaced whole, fsynced. Numbers of stops stand in here, as those of parties do in the call files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from fsgov.call.stops import Stop
from fsgov.errors import Damaged, Unreachable

POLICY, STOPS = "in-force.toml", "stops.json"
Stops = tuple[Stop, ...]


class Kept:
    """The two files. Blocking; writes raise Unreachable."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def policy(self) -> str | None:
        """The text, None where no policy was ever activated. Raises Damaged."""
        text = self._read(POLICY)
        return text or None

    def keep_policy(self, text: str) -> None:
        self._write(POLICY, text)

    def stops(self) -> tuple[Stops, Stops]:
        """Those of the database, and this host's own. Raises Damaged."""
        text = self._read(STOPS)
        try:
            found = json.loads(text or '{"database": [], "here": []}')
            of_database, here = (tuple(Stop(**row) for row in found[name]) for name in ("database", "here"))
        except (ValueError, TypeError, KeyError) as fault:
            raise Damaged("The stops on disk cannot be read", f"{self._directory / STOPS}: {fault}") from None
        return of_database, here

    def keep_stops(self, of_database: Sequence[Stop], here: Sequence[Stop]) -> None:
        rows = {"database": [asdict(row) for row in of_database], "here": [asdict(row) for row in here]}
        self._write(STOPS, json.dumps(rows))

    def _read(self, name: str) -> str:
        path = self._directory / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as fault:
            raise Damaged("What is in force cannot be read from disk", f"{path}: {fault}") from None

    def _write(self, name: str, text: str) -> None:
        path = self._directory / name
        new = path.with_name(f".govern-{name}")
        try:
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            new.replace(path)
            directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as fault:
            raise Unreachable(
                "What is in force cannot be kept on disk", f"{path}: {fault.strerror}"
            ) from fault
