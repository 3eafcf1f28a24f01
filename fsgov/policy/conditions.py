"""Whether the conditions of a rule hold for a call: yes, no, or open where the CRM has not told.

To add a condition: a field of `When`, its reading in `when.py`, and one line in `unmet`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from fsgov.policy.document import Numbers, When
from fsgov.policy.inputs import Inputs, PartyFacts, Places
from fsgov.policy.terms import OnLookupFailure, Side
from fsgov.policy.windows import DAYS, local_time

QUEUE = "cc_queue"
"""The variable in which mod_callcenter names the queue that a caller waits or waited in."""


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
    timezone: str = "UTC"
    holidays: frozenset[date] = frozenset()
    without_crm: OnLookupFailure = OnLookupFailure.STRICTEST
    clock: datetime | None = None

    def local(self) -> datetime:
        """When the call began, by the clocks of the policy's zone."""
        if self.clock is None:
            self.clock = local_time(self.inputs.at, self.timezone)
        return self.clock

    def outside(self) -> Iterator[PartyFacts]:
        return (party for party in self.inputs.parties if party.side is Side.OUTSIDE)


def _number(want: Numbers, given: str, e164: str, places: Places) -> bool:
    if any(pattern.fits(given, e164) for pattern in want.patterns):
        return True
    return not want.countries.isdisjoint(places)


def forms(name: str) -> tuple[str, ...]:
    """How a queue or an agent may be named: `sales@default` and `sales`."""
    local, at, _ = name.partition("@")
    return (name, local) if at else (name,) if name else ()


def agents(inputs: Inputs) -> Iterator[str]:
    """Every name of everybody inside: the registered user, the extension."""
    for party in inputs.parties:
        if party.side is Side.INSIDE:
            yield from forms(party.user)
            yield party.number


def value_class(given: str, e164: str, place: str) -> str:
    """What sort of number this is, without the number."""
    if e164:
        return f"a number of {place}" if place else "a number of no country"
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
        ("dialled", when.dialled, inputs.dialled, inputs.dialled_e164, inputs.dialled_places),
        ("caller", when.caller, inputs.caller, inputs.caller_e164, inputs.caller_places),
    )
    for name, want, given, e164, places in sides:
        if want is not None and not _number(want, given, e164, places):
            yield Unmet(name, value_class(given, e164, places[1] or places[0]))
    for name, wanted in when.variables.items():
        if inputs.variables.get(name) not in wanted:
            yield Unmet(f"variable.{name}", "another value" if name in inputs.variables else "not set")
    yield from _unmet_inside(when, inputs)
    if when.time and not any(window.holds(call.local(), call.holidays) for window in when.time):
        local = call.local()
        holiday = ", a holiday" if local.date() in call.holidays else ""
        yield Unmet("time", f"{DAYS[local.weekday()]} {local:%H:%M}{holiday}")
    for name, wanted in when.crm.items():
        missing = _crm(name, wanted, call)
        if missing is not None:
            yield missing


def _unmet_inside(when: When, inputs: Inputs) -> Iterator[Unmet]:
    """Of the conditions on what comes to be known on the way of a call."""
    if when.queue and when.queue.isdisjoint(forms(inputs.variables.get(QUEUE, ""))):
        yield Unmet("queue", "another queue" if inputs.variables.get(QUEUE) else "no queue")
    if when.agent and when.agent.isdisjoint(agents(inputs)):
        inside = any(party.side is Side.INSIDE for party in inputs.parties)
        yield Unmet("agent", "another agent" if inside else "nobody inside yet")
    if when.tag and when.tag.isdisjoint(inputs.tags):
        yield Unmet("tag", "another tag" if inputs.tags else "no tag")


def judge(when: When, call: Call) -> Verdict:
    """Whether a rule with these conditions governs the call."""
    verdict = Verdict.MATCHED
    for missing in unmet(when, call):
        if not missing.open_:
            return Verdict.FAILED
        verdict = Verdict.OPEN
    return verdict
