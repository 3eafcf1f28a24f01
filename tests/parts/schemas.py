"""Whether a line is one that its schema describes, by jsonschema; nothing of fsgov but the files."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = resources.files("fsgov") / "schemas"
SUFFIX = ".v1.json"


def types() -> list[str]:
    """Every entry type that has a schema: `segment.masked`, ..."""
    return sorted(item.name.removesuffix(SUFFIX) for item in FOLDER.iterdir() if item.name.endswith(SUFFIX))


@cache
def schema(type_: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{type_}{SUFFIX}").read_text())
    return found


def faults(line: bytes) -> list[str]:
    """What is wrong with a line, [] when nothing is. A type without a schema is a fault."""
    entry = json.loads(line)
    name = str(entry.get("type", ""))
    type_ = name.removeprefix("fsgov.").removesuffix(".v1")
    if name != f"fsgov.{type_}.v1" or type_ not in types():
        return [f"no schema for {name}"]
    found = Draft202012Validator(schema(type_)).iter_errors(entry)
    return [f"{type_} {'.'.join(map(str, fault.path))}: {fault.message}" for fault in found]
