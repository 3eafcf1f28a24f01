"""fsgov/policy/areas.py, made from phonenumbers' own geographical data: `python -m tests.areas` writes it.

At run time its geocoder would take half a second and 99 MB for these four hundred codes.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from fsgov.policy import areas

PLACE = Path(areas.__file__)
NAMES = {
    "Alabama": "US-AL", "Alaska": "US-AK", "Arizona": "US-AZ", "Arkansas": "US-AR", "California": "US-CA",
    "Colorado": "US-CO", "Connecticut": "US-CT", "Delaware": "US-DE", "Washington D.C.": "US-DC",
    "Florida": "US-FL", "Georgia": "US-GA", "Hawaii": "US-HI", "Idaho": "US-ID", "Illinois": "US-IL",
    "Indiana": "US-IN", "Iowa": "US-IA", "Kansas": "US-KS", "Kentucky": "US-KY", "Louisiana": "US-LA",
    "Maine": "US-ME", "Maryland": "US-MD", "Massachusetts": "US-MA", "Michigan": "US-MI",
    "Minnesota": "US-MN", "Mississippi": "US-MS", "Missouri": "US-MO", "Montana": "US-MT",
    "Nebraska": "US-NE", "Nevada": "US-NV", "New Hampshire": "US-NH", "New Jersey": "US-NJ",
    "New Mexico": "US-NM", "New York": "US-NY", "North Carolina": "US-NC", "North Dakota": "US-ND",
    "Ohio": "US-OH", "Oklahoma": "US-OK", "Oregon": "US-OR", "Pennsylvania": "US-PA",
    "Rhode Island": "US-RI", "South Carolina": "US-SC", "South Dakota": "US-SD", "Tennessee": "US-TN",
    "Texas": "US-TX", "Utah": "US-UT", "Vermont": "US-VT", "Virginia": "US-VA",
    "Washington State": "US-WA", "West Virginia": "US-WV", "Wisconsin": "US-WI", "Wyoming": "US-WY",
    "Alberta": "CA-AB", "British Columbia": "CA-BC", "British Colombia": "CA-BC", "Manitoba": "CA-MB",
    "New Brunswick": "CA-NB", "Newfoundland and Labrador": "CA-NL", "Nova Scotia": "CA-NS",
    "Northwest Territories": "CA-NT", "Nunavut": "CA-NU", "Ontario": "CA-ON",
    "Prince Edward Island": "CA-PE", "Quebec": "CA-QC", "Saskatchewan": "CA-SK", "Yukon": "CA-YT",
}  # fmt: skip
"""As phonenumbers spells them, one of them wrongly."""
SHORT = {state[3:]: state for state in NAMES.values()}


def of_a_name(name: str) -> set[str]:
    """The states that an English description names: `San Antonio, TX`, `Texas`, `Nunavut/Yukon`."""
    _, comma, short = name.rpartition(", ")
    if comma and short in SHORT:
        return {SHORT[short]}
    return {NAMES[part] for part in name.split("/") if part in NAMES}


def found() -> dict[str, set[str]]:
    """Area code -> every state that phonenumbers names for it as a whole, else for what begins with it."""
    from phonenumbers.geodata import GEOCODE_DATA

    whole: dict[str, set[str]] = {}
    parts: dict[str, set[str]] = {}
    for prefix, names in GEOCODE_DATA.items():
        states = of_a_name(names.get("en", ""))
        if prefix.startswith("1") and states:
            (whole if len(prefix) == 4 else parts).setdefault(prefix[1:4], set()).update(states)
    return {code: whole.get(code) or parts[code] for code in {*whole, *parts}}


def made() -> str:
    """The text of fsgov/policy/areas.py, with the table as phonenumbers has it now."""
    codes: dict[str, list[str]] = {}
    for code, states in sorted(found().items()):
        if len(states) == 1:
            codes.setdefault(next(iter(states)), []).append(code)
    lines = ["CODES = {"]
    for state, own in sorted(codes.items()):
        rows = textwrap.wrap(" ".join(own), 90)
        if len(rows) == 1:
            lines.append(f'    "{state}": "{rows[0]}",')
            continue
        lines.append(f'    "{state}": (')
        lines += [f'        "{row} "' for row in rows[:-1]]
        lines += [f'        "{rows[-1]}"', "    ),"]
    text = PLACE.read_text()
    start, end = text.index("CODES = {"), text.index("\n}\n")
    return text[:start] + "\n".join(lines) + text[end:]


if __name__ == "__main__":
    PLACE.write_text(made())
