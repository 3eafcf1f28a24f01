"""Whether the conditions of a rule hold for a call: yes, no, or open where the CRM has not told.

To add a condition: a field of `When`, its reading in `when.py`, and one line in `unmet`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from fsgov.policy import numbers
from fsgov.policy.document import Numbers, When
from fsgov.policy.inputs import Inputs, PartyFacts
from fsgov.policy.terms import OnLookupFailure, Side


class Verdict(Enum):
    """How a rule's conditions came out."""

    MATCHED = "matched"
    OPEN = "open"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Unmet:
    """One condition that does not hold, in words without a number, a name or a value of the call.

    `open_` is true where it may hold, because nothing is known of a party.
    """

    condition: str
    found: str
    open_: bool = False


@dataclass(slots=True)
class Call:
    """The inputs with what several rules ask of them worked out once."""

    inputs: Inputs
    countries: dict[str, str]
    without_crm: OnLookupFailure

    @staticmethod
    def of(inputs: Inputs, without_crm: OnLookupFailure = OnLookupFailure.STRICTEST) -> Call:
        return Call(inputs, {}, without_crm)

    def country(self, e164: str) -> str:
        if e164 not in self.countries:
            self.countries[e164] = numbers.country(e164)
        return self.countries[e164]

    def outside(self) -> Iterator[PartyFacts]:
        return (party for party in self.inputs.parties if party.side is Side.OUTSIDE)


def _number(want: Numbers, given: str, e164: str, call: Call) -> bool:
    if any(pattern.fits(given, e164) for pattern in want.patterns):
        return True
    return bool(want.countries) and call.country(e164) in want.countries


def value_class(given: str, e164: str, country: str) -> str:
    """What sort of number this is, without the number."""
    if e164:
        return f"a number of {country}" if country else "a number of no country"
    return "no international number" if given else "withheld"


def _crm(name: str, wanted: frozenset[str], call: Call) -> Unmet | None:
    outside = tuple(call.outside())
    if any(party.known and party.facts.get(name) in wanted for party in outside):
        return None
    unknown = [party for party in outside if not party.known]
    if any(not party.unasked for party in unknown):
        return Unmet(f"crm.{name}", "a party the CRM does not know", open_=True)
    if unknown:
        open_ = call.without_crm is not OnLookupFailure.IGNORE
        return Unmet(f"crm.{name}", "a party the CRM could not be asked about", open_=open_)
    told = any(name in party.facts for party in outside)
    return Unmet(f"crm.{name}", "another value" if told else "not told")


def unmet(when: When, call: Call) -> Iterator[Unmet]:
    """The conditions that do not hold, cheapest first."""
    inputs = call.inputs
    if when.direction and inputs.direction not in when.direction:
        yield Unmet("direction", inputs.direction.value)
    if when.tenant and inputs.tenant not in when.tenant:
        yield Unmet("tenant", "another tenant")
    sides = (
        ("dialled", when.dialled, inputs.dialled, inputs.dialled_e164),
        ("caller", when.caller, inputs.caller, inputs.caller_e164),
    )
    for name, want, given, e164 in sides:
        if want is not None and not _number(want, given, e164, call):
            yield Unmet(name, value_class(given, e164, call.country(e164)))
    for name, wanted in when.variables.items():
        if inputs.variables.get(name) not in wanted:
            yield Unmet(f"variable.{name}", "another value" if name in inputs.variables else "not set")
    for name, wanted in when.crm.items():
        missing = _crm(name, wanted, call)
        if missing is not None:
            yield missing


def judge(when: When, call: Call) -> Verdict:
    """Whether a rule with these conditions governs the call."""
    verdict = Verdict.MATCHED
    for missing in unmet(when, call):
        if not missing.open_:
            return Verdict.FAILED
        verdict = Verdict.OPEN
    return verdict
