"""Reading the `when` of a rule: which conditions there are, and what may stand in each."""

from __future__ import annotations

import re

from fsgov.policy import areas
from fsgov.policy.document import Numbers, When
from fsgov.policy.numbers import Pattern, is_country, pattern
from fsgov.policy.reading import Table, kind, nearest
from fsgov.policy.terms import CallDirection
from fsgov.policy.windows import read_windows

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
A_PATTERN = "write +4930901820, +4930* or, as the switch gives it, 1001 or 10*"
OTHER_COUNTRY_CODES = {"UK": "GB", "EL": "GR", "EN": "GB"}


def check_country(code: str, where: str, table: Table) -> bool:
    """Whether this is a country, or a state of one that numbers can tell; a fault when it is not."""
    if is_country(code) or areas.is_state(code):
        return True
    if code[2:3] == "-":
        hint = nearest(code, [state for state in areas.STATES if state.startswith(code[:3])])
        table.faults.add(where, f"{code!r} is no state that a number can tell", hint or "US-CA, CA-QC")
        return False
    hint = OTHER_COUNTRY_CODES.get(code.upper()) or (code.upper() if is_country(code.upper()) else "")
    table.faults.add(
        where,
        f"{code!r} is no ISO 3166 country code",
        f"did you mean {hint}?" if hint else "two capital letters: DE, GB, FR",
    )
    return False


def _countries(source: Table) -> tuple[str, ...]:
    codes = source.texts("country")
    if not source.source:
        source.fault("country", "is missing", 'write { country = "DE" }')
    source.end()
    return tuple(code for code in codes if check_country(code, source.at("country"), source))


def _numbers(when: Table, key: str) -> Numbers | None:
    if not when.has(key):
        return None
    patterns: list[Pattern] = []
    countries: list[str] = []
    for where, value in when.items(key):
        if isinstance(value, dict):
            countries += _countries(Table(value, where, when.faults))
        elif not isinstance(value, str):
            when.faults.add(where, f"must be a text, is {kind(value)}", A_PATTERN)
        elif value == "*":
            when.faults.add(where, "matches every number", "leave the condition out")
        else:
            read = pattern(value)
            if read is None:
                when.faults.add(where, f"{value!r} is no number or prefix", A_PATTERN)
            else:
                patterns.append(read)
    return Numbers(patterns=tuple(patterns), countries=frozenset(countries))


def _directions(when: Table) -> frozenset[CallDirection]:
    known = {direction.value: direction for direction in CallDirection}
    found = []
    for value in when.texts("direction"):
        if value in known:
            found.append(known[value])
        else:
            when.fault("direction", f"{value!r} is not known", nearest(value, known))
    return frozenset(found)


def _named(when: Table, key: str) -> dict[str, frozenset[str]]:
    inner = when.table(key)
    if inner is None:
        return {}
    if not inner.source:
        when.fault(key, "is empty", f'write when.{key}.NAME = "value"')
    found = {}
    for name in inner.source:
        if not NAME.fullmatch(name):
            inner.fault(name, "is no name", "letters, digits, _ . and -")
        found[name] = frozenset(inner.texts(name))
    return found


def read_when(rule: Table) -> When:
    """The conditions of a rule; none at all when there is no `when`."""
    when = rule.table("when")
    if when is None:
        return When()
    if not when.source:
        rule.fault("when", "is empty", "leave it out: a rule without conditions matches every call")
    read = When(
        caller=_numbers(when, "caller"),
        dialled=_numbers(when, "dialled"),
        direction=_directions(when),
        tenant=frozenset(when.texts("tenant")),
        variables=_named(when, "variable"),
        crm=_named(when, "crm"),
        queue=frozenset(when.texts("queue")),
        agent=frozenset(when.texts("agent")),
        tag=frozenset(when.texts("tag")),
        time=read_windows(when),
    )
    when.end()
    return read
