"""Floors: the least consent mode that a party is owed, by country or state.

A state's floor is never below its country's. A number that tells a country but none of its states (freephone,
personal numbers, a code that states share) is owed the strictest of them: nobody gets less for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsgov.policy.areas import UNTOLD
from fsgov.policy.document import Law
from fsgov.policy.reading import Table, nearest
from fsgov.policy.terms import ConsentMode
from fsgov.policy.when import check_country

FLOORS = {
    mode.value: mode
    for mode in (ConsentMode.NONE, ConsentMode.NOTICE, ConsentMode.OPT_OUT, ConsentMode.OPT_IN)
}
DEFAULT = "default"


def stricter(one: ConsentMode, other: ConsentMode) -> ConsentMode:
    """The stricter of two modes; the first of two that are as strict."""
    return other if other.rank > one.rank else one


def read_floors(table: Table, but: tuple[str, ...] = ()) -> dict[str, ConsentMode]:
    """Country or state -> mode, for every key of a table except those in `but`."""
    found: dict[str, ConsentMode] = {}
    for place in table.source:
        if place in but:
            continue
        value = table.text(place)
        known = check_country(place, table.at(place), table)
        if value in FLOORS:
            if known:
                found[place] = FLOORS[value]
        elif value or isinstance(table.source[place], str):
            table.fault(place, f"{value!r} is no floor of consent", nearest(value, FLOORS))
    return found


def floors(top: Table, laws: Mapping[str, Law]) -> tuple[dict[str, ConsentMode], ConsentMode]:
    """Place -> the strictest floor that a law or the policy itself declares; and the default."""
    found: dict[str, ConsentMode] = {}
    for law in laws.values():
        for place, mode in law.floors.items():
            found[place] = stricter(found.get(place, ConsentMode.NONE), mode)
    own = top.table("floor")
    default = ConsentMode.NONE
    if own is not None:
        value = own.text(DEFAULT, ConsentMode.NONE.value)
        if value not in FLOORS:
            own.fault(DEFAULT, f"{value!r} is no floor of consent", nearest(value, FLOORS))
        default = FLOORS.get(value, ConsentMode.NONE)
        _add(own, found, laws)
        own.end()
    return _with_states(found, default), default


def _add(own: Table, found: dict[str, ConsentMode], laws: Mapping[str, Law]) -> None:
    """The policy's own floors: stricter than a law's, or as strict."""
    for place, mode in read_floors(own, but=(DEFAULT,)).items():
        by_law = found.get(place, ConsentMode.NONE)
        if mode.rank < by_law.rank:
            names = " or ".join(f'[override."{law.name}"]' for law in laws.values() if place in law.floors)
            hint = f"a floor can only be stricter; {names} replaces what the law says, with a reason"
            own.fault(place, f"is below the {by_law.value} of an included law", hint)
        found[place] = stricter(by_law, mode)
    for place in own.source:
        country = found.get(place[:2], ConsentMode.NONE)
        if place in found and found[place].rank < country.rank:
            hint = "a state's floor can only be stricter than its country's"
            own.fault(place, f"is below the {country.value} of {place[:2]}", hint)


def _with_states(found: dict[str, ConsentMode], default: ConsentMode) -> dict[str, ConsentMode]:
    """The floors with those of states raised to their countries', and of numbers that tell no state."""
    whole = dict(found)
    for state in sorted(place for place in found if place[2:]):
        country = found.get(state[:2], default)
        whole[state] = stricter(country, found[state])
        untold = state[:2] + UNTOLD
        whole[untold] = stricter(whole.get(untold, country), whole[state])
    return whole


def place_of(floors: Mapping[str, ConsentMode], country: str, state: str) -> str:
    """What names a party's floor: its country, where states count its state, or that none was told."""
    untold = country + UNTOLD
    if untold not in floors:
        return country
    return state if state.startswith(f"{country}-") else untold


def floor_at(floors: Mapping[str, ConsentMode], place: str, default: ConsentMode) -> ConsentMode:
    """The floor of a place; of a state without one, that of its country."""
    return floors.get(place, floors.get(place[:2], default))
