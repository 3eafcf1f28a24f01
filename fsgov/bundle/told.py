"""A bundle whose bytes are what was signed, as it is read: its rows, its lines, its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proven:
    """One thing that was looked at, and what was found: nothing that contradicts it."""

    what: str
    says: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log, parsed."""

    seq: int
    entry: Row

    @property
    def type(self) -> str:
        return str(self.entry["type"]).removeprefix("fsgov.").removesuffix(".v1")

    @property
    def subject(self) -> str:
        return str(self.entry.get("subject", ""))

    @property
    def facts(self) -> Row:
        return dict(self.entry["data"])


@dataclass(frozen=True, slots=True)
class About:
    """Whose life a bundle proves."""

    call: str
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose bytes are what was signed. digests: of each file by its name."""

    directory: Path
    digests: Mapping[str, str]
    about: Row
    rows: Row
    lines: tuple[Line, ...]

    def table(self, name: str) -> list[Row]:
        """The rows of a table; none where whoever made the bundle might not read it."""
        return list(self.rows.get(name) or ())

    def told(self, type_: str, subject: str | None = None) -> list[Line]:
        """The lines of a type, in their order."""
        return [line for line in self.lines if line.type == type_ and subject in (None, line.subject)]
