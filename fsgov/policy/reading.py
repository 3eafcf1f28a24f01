"""How a TOML document is read so that every fault is found at once and no key is ever ignored.

A `Table` hands out values by key and notes which keys were asked for; what is left over at `end()` is a
fault by name, with the nearest known key as a hint.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from fsgov.errors import BadConfiguration

E = TypeVar("E", bound=Enum)

KINDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def kind(value: object) -> str:
    """What a TOML value is, in words."""
    return KINDS.get(type(value), "a date or time")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word most like this one, else all of them."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, 1, 0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known here: {', '.join(choices)}" if choices else ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (key path), what, and what to do."""

    path: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" + (f" ({self.hint})" if self.hint else "")


@dataclass(slots=True)
class Faults:
    """Every fault of one document, in the order found."""

    found: list[Fault] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    """Every faulty key and what it is inside of."""

    def add(self, path: str, message: str, hint: str = "") -> None:
        self.found.append(Fault(path, message, hint))
        self.places.add(path)
        self.places.update(path[:end] for end, sign in enumerate(path) if sign in ".[")

    def touches(self, path: str) -> bool:
        """Whether a fault has been found at this key or inside it."""
        return path in self.places

    def raise_any(self, what: str, hint: str) -> None:
        """Raise BadConfiguration with one line a fault, or do nothing when there is none."""
        if self.found:
            number = "1 fault" if len(self.found) == 1 else f"{len(self.found)} faults"
            raise BadConfiguration(f"{what} has {number}", "\n".join(map(str, self.found)), hint)


def document(text: str, what: str) -> dict[str, object]:
    """The TOML tables of a text; raises BadConfiguration with line and column."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadConfiguration(
            f"{what} is not TOML", str(fault), "texts need quotes; the same key may not come twice"
        ) from fault


@dataclass(slots=True)
class Table:
    """One table of a document under reading."""

    source: Mapping[str, object]
    path: str
    faults: Faults
    asked: set[str] = field(default_factory=set)

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def fault(self, key: str, message: str, hint: str = "") -> None:
        self.faults.add(self.at(key), message, hint)

    def has(self, key: str) -> bool:
        self.asked.add(key)
        return key in self.source

    def value(self, key: str, type_: type, *, needed: str = "") -> object | None:
        """The value if it is there and of this type; `needed` is the hint when it must be there."""
        if not self.has(key):
            if needed:
                self.fault(key, "is missing", needed)
            return None
        value = self.source[key]
        if type(value) is not type_:
            self.fault(key, f"must be {KINDS[type_]}, is {kind(value)}", needed)
            return None
        return value

    def text(self, key: str, default: str = "", *, needed: str = "") -> str:
        """A text; an empty one is a fault where the text is needed."""
        value = self.value(key, str, needed=needed)
        if value == "" and needed:
            self.fault(key, "is empty", needed)
        return value if isinstance(value, str) else default

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.value(key, bool)
        return value if isinstance(value, bool) else default

    def integer(self, key: str, default: int, least: int, most: int) -> int:
        value = self.value(key, int)
        if not isinstance(value, int):
            return default
        if not least <= value <= most:
            self.fault(key, f"{value} is out of range", f"from {least} to {most}")
            return default
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A text or a list of texts, each once."""
        found: list[str] = []
        for where, value in self.items(key):
            if not isinstance(value, str) or not value:
                self.faults.add(where, f"must be a text that is not empty, is {kind(value)}")
            elif value in found:
                self.faults.add(where, f"{value!r} comes twice")
            else:
                found.append(value)
        return tuple(found)

    def items(self, key: str) -> Iterator[tuple[str, object]]:
        """The entries of a list, or a single value as a list of one, each with its path."""
        if not self.has(key):
            return
        value = self.source[key]
        if not isinstance(value, list):
            yield self.at(key), value
        elif not value:
            self.fault(key, "is an empty list", "leave the key out")
        else:
            for number, entry in enumerate(value, 1):
                yield f"{self.at(key)}[{number}]", entry

    def choice(self, key: str, values: type[E], default: E) -> E:
        """One value of an enumeration."""
        value = self.value(key, str, needed="")
        if not isinstance(value, str):
            return default
        for member in values:
            if member.value == value:
                return member
        self.fault(key, f"{value!r} is not known", nearest(value, [str(member.value) for member in values]))
        return default

    def table(self, key: str) -> Table | None:
        value = self.value(key, dict)
        return Table(value, self.at(key), self.faults) if isinstance(value, dict) else None

    def named_tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """The tables `[key.NAME]`."""
        outer = self.table(key)
        if outer is None:
            return
        for name in outer.source:
            inner = outer.table(name)
            if inner is not None:
                yield name, inner

    def listed_tables(self, key: str) -> Iterator[Table]:
        """The tables `[[key]]`, their paths counted from 1."""
        value = self.value(key, list)
        if not isinstance(value, list):
            return
        for number, entry in enumerate(value, 1):
            where = f"{self.at(key)}[{number}]"
            if isinstance(entry, dict):
                yield Table(entry, where, self.faults)
            else:
                self.faults.add(where, f"must be a table, is {kind(entry)}")

    def end(self) -> None:
        """Report every key that nobody asked for."""
        for key in self.source:
            if key not in self.asked:
                self.fault(key, "is not known", nearest(key, self.asked))
