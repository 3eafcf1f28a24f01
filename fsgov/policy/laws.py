"""Law packs: what they may say, how a policy includes them, and how it replaces a value of one.

A pack is data with a date, not legal advice. Each key is enforced: by the decision or by `policy check`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fsgov.policy.document import Law, Override, Retention
from fsgov.policy.floors import read_floors
from fsgov.policy.numbers import is_country
from fsgov.policy.purposes import A_SPAN, EVENTS
from fsgov.policy.purposes import NAME as KIND
from fsgov.policy.reading import Faults, Table, document, nearest
from fsgov.policy.spans import Span, duration, span
from fsgov.policy.terms import AtMax, Lock, RecordMode
from fsgov.policy.when import check_country

BINDING = ("floor", "record", "residency", "retain", "language", "pause")
LAW_KEYS = ("reviewed_on", "source", *BINDING)
FOR_TESTS = ("example", "test", "refused")
"""What a pack shows of itself; fsgov's own tests execute it, and no policy has to do with it."""
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
BARE = re.compile(r"[A-Za-z0-9_-]+")
RECORDS = {mode.value: mode for mode in RecordMode if mode is not RecordMode.NEVER}


def inline(value: Any) -> str:
    """A value as TOML on one line; JSON's escapes are among TOML's, except for DEL."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(inline, value))}]"
        case dict():
            pairs = (f"{k if BARE.fullmatch(k) else inline(k)} = {inline(v)}" for k, v in value.items())
            return f"{{ {', '.join(pairs)} }}"
    return str(value)


def read_pack(name: str, text: str) -> Law:
    """A pack as shipped; raises BadConfiguration with every fault."""
    faults = Faults()
    table = Table(document(text, f"The law pack {name}"), "", faults)
    law = read_law(name, table)
    table.asked.update(FOR_TESTS)
    table.end()
    faults.raise_any(f"The law pack {name}", "reinstall fsgov, or correct the pack")
    return law


def read_law(name: str, table: Table) -> Law:
    """What a pack and the text of a loaded policy say of a law."""
    reviewed_on = table.text("reviewed_on", needed="the day somebody compared it with the law")
    if reviewed_on and not ISO_DATE.fullmatch(reviewed_on):
        table.fault("reviewed_on", f"{reviewed_on!r} is no date", "YYYY-MM-DD")
    if not any(table.has(key) for key in BINDING):
        table.fault("floor", "is missing", f"a law binds something: {' '.join(BINDING)}")
    floor = table.table("floor")
    longest, at_max = _pause(table)
    return Law(
        name=name,
        reviewed_on=reviewed_on,
        source=table.text("source", needed="the provisions it is made from"),
        floors={} if floor is None else read_floors(floor),
        records={country: _modes(inner, country) for inner, country in _countries(table, "record")},
        residency=read_residency(table),
        retention={kind: _retention(inner) for kind, inner in table.named_tables("retain")},
        languages=frozenset(table.texts("language")),
        pause_max=longest,
        pause_at_max=at_max,
        text="".join(f"{key} = {inline(table.source[key])}\n" for key in LAW_KEYS if key in table.source),
    )


def _countries(table: Table, key: str) -> Iterator[tuple[Table, str]]:
    """The countries that are keys of the table at `key`."""
    inner = table.table(key)
    for country in () if inner is None else inner.source:
        if inner is not None and is_country(country):
            yield inner, country
        elif inner is not None and check_country(country, inner.at(country), inner):
            inner.fault(country, "is a state", "this binds whole countries")


def _modes(table: Table, country: str) -> frozenset[RecordMode]:
    found = []
    for value in table.texts(country):
        if value in RECORDS:
            found.append(RECORDS[value])
        else:
            table.fault(country, f"{value!r} is no way to record", nearest(value, RECORDS))
    return frozenset(found)


def read_residency(table: Table) -> dict[str, frozenset[str]]:
    """`residency`: country of a party -> countries of the vaults that may hold the call."""
    found = {}
    for inner, country in _countries(table, "residency"):
        found[country] = frozenset(inner.texts(country))
        for region in found[country]:
            check_country(region, inner.at(country), inner)
    return found


def _retention(table: Table) -> Retention:
    if not KIND.fullmatch(table.path.rpartition(".")[2]):
        table.faults.add(table.path, "is no kind of purpose", "small letters, digits and _")
    anchor = table.text("anchor", "call_end")
    if anchor not in EVENTS:
        table.fault("anchor", f"{anchor!r} is no event that a period starts from", nearest(anchor, EVENTS))
    read = Retention(
        least=_span(table, "min"),
        most=_span(table, "max"),
        anchor=anchor,
        lock=table.choice("lock", Lock, Lock.NONE),
    )
    if not any(table.has(key) for key in ("min", "max", "lock")):
        table.faults.add(table.path, "binds nothing", 'min = "5 years" or max = "6 months"')
    table.end()
    return read


def _span(table: Table, key: str) -> Span | None:
    text = table.text(key)
    read = span(text) if text else None
    if text and read is None:
        table.fault(key, f"{text!r} is no span of calendar time", A_SPAN)
    return read


def _pause(table: Table) -> tuple[int | None, AtMax | None]:
    pause = table.table("pause")
    if pause is None:
        return None, None
    text = pause.text("max")
    longest = duration(text) if text else None
    if text and not longest:
        pause.fault("max", f"{text!r} is no duration", "write 300 s, 15 min or 2 h")
    at_max = pause.choice("at_max", AtMax, AtMax.STOP) if pause.has("at_max") else None
    pause.end()
    return longest, at_max


def include(
    top: Table, packs: Mapping[str, str] | None, loaded: Mapping[str, Law]
) -> tuple[dict[str, Law], tuple[Override, ...]]:
    """The laws a policy includes, overridden: from packs when it is being loaded, else as it was loaded."""
    known = loaded if packs is None else packs
    overriding = dict(top.named_tables("override"))
    found: dict[str, Law] = {}
    overrides: list[Override] = []
    for name in top.texts("include"):
        if name not in known:
            top.fault("include", f"{name} is not enforced by this version of fsgov", nearest(name, known))
            continue
        law = loaded[name] if packs is None else read_pack(name, packs[name])
        if name in overriding:
            source = document(law.text, name)
            table = overriding.pop(name)
            overrides += _replaced(name, table, source, "")
            law = replace(read_law(name, Table(source, table.path, table.faults)), text=law.text)
        found[name] = law
    for name, table in overriding.items():
        table.faults.add(table.path, "is of no law that is included", nearest(name, found))
    return found, tuple(overrides)


def _replaced(law: str, table: Table, source: dict[str, Any], path: str) -> Iterator[Override]:
    """Put the values of an override into the source of a law."""
    known = [key for key in source if path or key in BINDING]
    for key in table.source:
        inner = table.table(key)
        if inner is None:
            continue
        if key not in known:
            table.fault(key, f"is nothing that {law} says", nearest(key, known))
        elif isinstance(source[key], dict) and not {"value", "reason"} & inner.source.keys():
            yield from _replaced(law, inner, source[key], f"{path}{key}.")
        else:
            reason = inner.text("reason", needed="who decided it and why: it is kept in the policy's text")
            value = inner.source.get("value")
            if not inner.has("value"):
                inner.fault("value", "is missing", f"{law} says {inline(source[key])}")
            elif type(value) is not type(source[key]):
                inner.fault("value", f"is not of the kind of {inline(source[key])}", "as in the pack")
            elif value == source[key]:
                inner.fault("value", f"is what {law} says", "leave the override out")
            else:
                yield Override(
                    law=law,
                    key=f"{path}{key}",
                    instead_of=inline(source[key]),
                    value=inline(value),
                    reason=reason,
                )
                source[key] = value
            inner.end()
