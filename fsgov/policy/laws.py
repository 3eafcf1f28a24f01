"""Floors of consent by jurisdiction: law packs that a policy includes, and its own `[floor]`.

A pack is data with a date, not legal advice: country -> the least consent mode its parties are owed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fsgov.policy.document import Law
from fsgov.policy.reading import Faults, Table, document, nearest
from fsgov.policy.terms import ConsentMode
from fsgov.policy.when import check_country

ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FLOORS = {
    mode.value: mode
    for mode in (ConsentMode.NONE, ConsentMode.NOTICE, ConsentMode.OPT_OUT, ConsentMode.OPT_IN)
}


def stricter(one: ConsentMode, other: ConsentMode) -> ConsentMode:
    """The stricter of two modes; the first of two that are as strict."""
    return other if other.rank > one.rank else one


def read_floors(table: Table, but: tuple[str, ...] = ()) -> dict[str, ConsentMode]:
    """Country -> mode, for every key of a table except those in `but`."""
    found: dict[str, ConsentMode] = {}
    for country in table.source:
        if country in but:
            continue
        value = table.text(country)
        known = check_country(country, table.at(country), table)
        if value in FLOORS:
            if known:
                found[country] = FLOORS[value]
        elif value or isinstance(table.source[country], str):
            table.fault(country, f"{value!r} is no floor of consent", nearest(value, FLOORS))
    return found


def read_pack(name: str, text: str) -> Law:
    """A pack as shipped; raises BadConfiguration with every fault."""
    faults = Faults()
    table = Table(document(text, f"The law pack {name}"), "", faults)
    law = read_law(name, table)
    table.end()
    faults.raise_any(f"The law pack {name}", "reinstall fsgov, or correct the pack")
    return law


def read_law(name: str, table: Table) -> Law:
    """What a pack and the text of a loaded policy say of a law."""
    reviewed_on = table.text("reviewed_on", needed="the day somebody compared it with the law")
    if reviewed_on and not ISO_DATE.fullmatch(reviewed_on):
        table.fault("reviewed_on", f"{reviewed_on!r} is no date", "YYYY-MM-DD")
    floor = table.table("floor")
    if floor is None:
        table.fault("floor", "is missing", "country -> consent mode")
    return Law(
        name=name,
        reviewed_on=reviewed_on,
        source=table.text("source", needed="the provisions it is made from"),
        floors={} if floor is None else read_floors(floor),
    )


def include(top: Table, packs: Mapping[str, str] | None, loaded: Mapping[str, Law]) -> dict[str, Law]:
    """The laws a policy includes: from packs when it is being loaded, else as it was loaded."""
    known = loaded if packs is None else packs
    found: dict[str, Law] = {}
    for name in top.texts("include"):
        if name not in known:
            top.fault("include", f"{name} is not enforced by this version of fsgov", nearest(name, known))
        else:
            found[name] = loaded[name] if packs is None else read_pack(name, packs[name])
    return found


def floors(top: Table, laws: Mapping[str, Law]) -> tuple[dict[str, ConsentMode], ConsentMode]:
    """Country -> the strictest floor that a law or the policy itself declares; and the default."""
    found: dict[str, ConsentMode] = {}
    for law in laws.values():
        for country, mode in law.floors.items():
            found[country] = stricter(found.get(country, ConsentMode.NONE), mode)
    own = top.table("floor")
    if own is None:
        return found, ConsentMode.NONE
    value = own.text("default", ConsentMode.NONE.value)
    if value not in FLOORS:
        own.fault("default", f"{value!r} is no floor of consent", nearest(value, FLOORS))
    for country, mode in read_floors(own, but=("default",)).items():
        by_law = found.get(country, ConsentMode.NONE)
        if mode.rank < by_law.rank:
            hint = "a policy can only be stricter; include the law no longer to be free of it"
            own.fault(country, f"is below the {by_law.value} of an included law", hint)
        found[country] = stricter(by_law, mode)
    own.end()
    return found, FLOORS.get(value, ConsentMode.NONE)
