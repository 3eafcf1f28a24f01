"""What changes between two policy documents, by key path: what a person wants to know before one is in force.

Rules, tests, purposes and prompts are compared by their names, so that a rule that moved is one line and not
two different rules. The order of rules decides calls: a change of it is a change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fsgov.policy.reading import document

NAMED = ("rule", "test")
"""Lists of tables whose entries have names."""
ABSENT = object()


class Kind(Enum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs, or a whole rule that is new, gone or moved. `before`, `after`: TOML or None."""

    kind: Kind
    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        match self.kind:
            case Kind.ADDED:
                return f"+ {self.path} = {_shown(self.after)}"
            case Kind.REMOVED:
                return f"- {self.path} = {_shown(self.before)}"
            case Kind.MOVED:
                return f"~ {self.path}: from place {self.before} to {self.after}"
        return f"~ {self.path}: {_shown(self.before)} -> {_shown(self.after)}"


def difference(before: str, after: str) -> list[Change]:
    """Every change from one text to the other, in the order of their paths. Raises BadConfiguration."""
    old, new = document(before, "The former policy"), document(after, "The new policy")
    changes = list(_of_tables("", _unlisted(old), _unlisted(new)))
    for name in NAMED:
        changes += _of_lists(name, _names(old.get(name)), _names(new.get(name)))
    return changes


def _unlisted(whole: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in whole.items() if key not in NAMED}


def _of_tables(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in sorted({*old, *new}):
        place = f"{path}.{key}" if path else key
        before, after = old.get(key, ABSENT), new.get(key, ABSENT)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _of_tables(place, before, after)
        elif before is ABSENT:
            yield Change(Kind.ADDED, place, None, after)
        elif after is ABSENT:
            yield Change(Kind.REMOVED, place, before, None)
        elif before != after or type(before) is not type(after):
            yield Change(Kind.CHANGED, place, before, after)


def _of_lists(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    was = {key: place for place, key in enumerate(old, 1)}
    stayed = _longest_rise([was[key] for key in new if key in old])
    for key in old:
        if key not in new:
            yield Change(Kind.REMOVED, f"{name}[{key}]", old[key], None)
    for place, key in enumerate(new, 1):
        if key not in old:
            yield Change(Kind.ADDED, f"{name}[{key}]", None, new[key])
            continue
        yield from _of_tables(f"{name}[{key}]", old[key], new[key])
        if name == "rule" and was[key] not in stayed:
            yield Change(Kind.MOVED, f"{name}[{key}]", was[key], place)


def _longest_rise(places: list[int]) -> set[int]:
    """The most of these that stand in rising order: what is not among them has moved."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for place in places:
        at = bisect_left(ends, place)
        before[place] = ends[at - 1] if at else None
        ends[at : at + 1] = [place]
    found: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found


def _names(entries: Any) -> dict[str, Any]:
    """The entries by name; one without a name, or with a name that came before, by its place."""
    found: dict[str, Any] = {}
    for place, entry in enumerate(entries if isinstance(entries, list) else (), 1):
        name = str(entry.get("name", "")) if isinstance(entry, dict) else ""
        found[name if name and name not in found else f"{name}#{place}"] = entry
    return found


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_shown(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
