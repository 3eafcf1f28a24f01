"""What a rule's conditions are made of, so that one can be compared with another without a call at hand.

A condition is a set of *atoms*: a call meets it by any one of them. Two atoms of a field compare by what each
of them lets through: `+4930*` is inside `+49*` and inside Germany.

To add a condition: its field of `When` gets a line in READ here, which a test insists on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from fsgov.policy import areas, numbers
from fsgov.policy.document import Numbers, When
from fsgov.policy.terms import CallDirection
from fsgov.policy.windows import DAY, DAYS, Window

Atom = tuple[str, str]
"""How it is looked at, and the value: `is` this value; `name` this name, with or without what follows its @;
`=` this number and `*` numbers that begin with it, as given (`+=` and `+*`: in international form); `@`
numbers of this country or state; `day` a part of a day of the week, holiday or not."""


def _day(day: int, holiday: bool, span: tuple[int, int]) -> Atom:
    return "day", f"{DAYS[day]} {'holiday' if holiday else 'workday'} {span[0]}-{span[1]}"


Shape = Mapping[str, frozenset[Atom]]
"""Field -> its atoms. A field that is not there lets every call through."""

WHOLE_DAY = (0, DAY)
CLOSED = {
    "direction": frozenset(("is", direction.value) for direction in CallDirection),
    "time": frozenset(_day(day, holiday, WHOLE_DAY) for day in range(7) for holiday in (False, True)),
}
"""Fields of which every call has one of these: where a rule does not look, it takes them all."""
OPEN = "crm."
"""Beginning of the fields that can be open: neither met nor failed while nothing is known of a party."""


def _names(field: str, want: frozenset[str]) -> Iterator[tuple[str, frozenset[Atom]]]:
    yield field, frozenset(("name", name) for name in want)


def _windows(field: str, want: tuple[Window, ...]) -> Iterator[tuple[str, frozenset[Atom]]]:
    yield (
        field,
        frozenset(
            _day(day, holiday, span)
            for window in want
            for day in window.days or range(7)
            for holiday in ((False, True) if window.holidays is None else (window.holidays,))
            for span in window.hours
        ),
    )


def _numbers(field: str, want: Numbers) -> Iterator[tuple[str, frozenset[Atom]]]:
    patterns = {("+" * p.international + ("*" if p.prefix else "="), p.text) for p in want.patterns}
    yield field, frozenset(patterns | {("@", country) for country in want.countries})


def _directions(field: str, want: frozenset[CallDirection]) -> Iterator[tuple[str, frozenset[Atom]]]:
    yield field, frozenset(("is", direction.value) for direction in want)


def _values(field: str, want: frozenset[str]) -> Iterator[tuple[str, frozenset[Atom]]]:
    yield field, frozenset(("is", value) for value in want)


def _named(field: str, want: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, frozenset[Atom]]]:
    for name, values in want.items():
        yield from _values(f"{field}.{name}", values)


READ: Mapping[str, Callable[[str, Any], Iterator[tuple[str, frozenset[Atom]]]]] = {
    "caller": _numbers,
    "dialled": _numbers,
    "direction": _directions,
    "tenant": _values,
    "variables": _named,
    "crm": _named,
    "queue": _names,
    "agent": _values,
    "tag": _values,
    "time": _windows,
}


def shape(when: When) -> Shape:
    """The conditions as atoms by field."""
    found: dict[str, frozenset[Atom]] = {}
    for field in fields(When):
        want = getattr(when, field.name)
        if want:
            found.update(READ[field.name](field.name, want))
    return found


def wider(atom: Atom) -> Iterator[Atom]:
    """Every atom that lets through whatever this one does, itself first."""
    way, text = atom
    yield atom
    match way:
        case "*" | "+*":
            yield from ((way, text[:end]) for end in range(1, len(text)))
        case "+=":
            yield from (("+*", text[:end]) for end in range(1, len(text) + 1))
        case "=":
            yield from (("*", text[:end]) for end in range(1, len(text) + 1))
        case "@":
            code = "+" + numbers.calling_code(text[:2])[0]
            yield from (("+*", code[:end]) for end in range(1, len(code) + 1))
        case "name" if "@" in text:
            yield "name", text.partition("@")[0]
        case "day":
            start, end = map(int, text.split()[2].split("-"))
            if start < end and (start, end) != WHOLE_DAY:  # what is after midnight is of the day before
                yield "day", f"{text.rpartition(' ')[0]} {WHOLE_DAY[0]}-{WHOLE_DAY[1]}"
    yield from (("@", place) for place in _places(way, text) if place)


def _places(way: str, text: str) -> tuple[str, ...]:
    """Countries and states that all numbers of an atom are in, without itself."""
    match way:
        case "+=":
            return numbers.country(text), areas.state(text)
        case "+*":
            return (numbers.country_of_all(text),)
        case "@" if text.startswith("US-"):
            return ("US",)
    return ()
