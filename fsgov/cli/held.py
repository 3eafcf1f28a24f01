"""What a hold is about, as people write it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fsgov.cli.frame import a_call, read_text
from fsgov.cli.spelling import region_of
from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.catalog.holds import Item
    from fsgov.config import Settings

KINDS = ("call", "segment", "number", "subject", "case")
CALL = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PLAIN = {
    "call": re.compile(CALL),
    "segment": re.compile(CALL + "-[0-9]{2,}"),
    "number": re.compile(r"[+][0-9 ()./-]{4,}"),
    "case": re.compile(r"k-[a-z]{8,}"),
}
"""What needs no word before it that says what it is."""


def items_of(
    settings: Settings,
    what: Sequence[str],
    file: Path | None,
    query: Sequence[str],
    region: str | None,
    tenant: str | None,
) -> Iterator[Item]:
    """What the hold is about, as place_hold takes it. Raises BadUsage, NotFound (the file)."""
    where = region or region_of(settings, tenant)
    lines = _lines(file) if file else []
    if not what and not lines and not query:
        raise BadUsage("Say what to hold", "neither WHAT, nor --from, nor --query", "fsgov hold place --help")
    for text in (*what, *lines):
        yield meant(text, where)
    if query:
        conditions = dict(_condition(each, where) for each in query)
        yield {"kind": "query", "filter": conditions}


def _lines(file: Path) -> list[str]:
    text = sys.stdin.read() if str(file) == "-" else read_text(file, "list of what to hold")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _condition(text: str, region: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise BadUsage("A condition is NAME=VALUE", repr(text[:40]), "--query tag=complaint")
    return name, number(value, region) if name == "number" else value


def meant(text: str, region: str = "") -> Item:
    """One item of what somebody wrote. Raises BadUsage where it is not clear what it is."""
    kind, colon, value = text.partition(":")
    if not colon or kind not in KINDS:
        kind = next((kind for kind, form in PLAIN.items() if form.fullmatch(text)), "")
        value = text
    if not kind or not value:
        hint = "call:ID, segment:ID, number:1001, subject:ID or case:ID"
        raise BadUsage("It is not clear what to hold", repr(text[:80]), hint)
    if kind == "number":
        value = number(value, region)
    elif kind in ("call", "segment"):
        a_call(value)
    return {"kind": kind, "value": value}


def number(text: str, region: str) -> str:
    """The international form, where there is one; else the number as it is written."""
    from fsgov.policy.numbers import e164

    return e164(text, region) or text
