"""The kill switch as the core sees it: what may not be recorded now, and whether that is this conversation.

A stop is for a number (of any party, or the one that was dialled), for a tenant, or for a host. While one is
in force nothing is wanted: a running segment is closed, nobody is asked, no act starts one. A conversation
whose rule wanted it recorded is then accounted for as kept off: `recorded-in-part` with cause `stop` where
something was captured before or afterwards, `not-required` with cause `stop` where nothing was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fsgov.events import Event

if TYPE_CHECKING:
    from fsgov.call.state import Call
    from fsgov.call.turn import Turn

EVERY_TENANT = "*"


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop in force. `tenant` is whose calls: a name, or * for every tenant's."""

    id: str
    kind: str
    """number, tenant or host."""
    tenant: str = EVERY_TENANT
    number: str | None = None
    """E.164, or as the switch gives it."""
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """The stops that concern one host, by what they are looked up with; values are ids."""

    numbers: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Number, E.164 or as the switch gives it -> id and tenant."""
    tenants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    """Of the host itself."""

    @staticmethod
    def of(host: str, placed: Iterable[Stop]) -> Stops:
        """Those for this host."""
        numbers: dict[str, tuple[tuple[str, str], ...]] = {}
        tenants: dict[str, tuple[str, ...]] = {}
        whole: list[str] = []
        for stop in sorted(placed, key=lambda stop: stop.id):
            if stop.kind == "number" and stop.number:
                numbers[stop.number] = (*numbers.get(stop.number, ()), (stop.id, stop.tenant))
            elif stop.kind == "tenant":
                tenants[stop.tenant] = (*tenants.get(stop.tenant, ()), stop.id)
            elif stop.kind == "host" and stop.host == host:
                whole.append(stop.id)
        return Stops(numbers=numbers, tenants=tenants, whole=tuple(whole))


NO_STOPS = Stops()


@dataclass(frozen=True, slots=True, kw_only=True)
class StopsInForce(Event):
    """These are in force from now on, and no others."""

    stops: Stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """What the kill switch means to one conversation."""

    stops: Stops = NO_STOPS
    told: tuple[str, ...] = ()
    """Ids of the stops that concern it, as last entered."""
    kept_off: bool = False
    """Its rule wanted it recorded while one was in force."""


def halting(call: Call, stops: Stops | None = None) -> tuple[str, ...]:
    """Ids of the stops in force for this conversation, in their order."""
    stops = call.halt.stops if stops is None else stops
    if not (stops.numbers or stops.tenants or stops.whole):
        return ()
    if not stops.numbers:
        return tuple(sorted((*stops.whole, *stops.tenants.get(call.tenant, ()))))
    numbers = {*call.caller, *call.dialled}
    for party in call.parties:
        numbers.update((party.facts.number, party.facts.e164))
    of_numbers = {
        id_
        for number in numbers
        for id_, tenant in stops.numbers.get(number, ())
        if tenant in (EVERY_TENANT, call.tenant)
    }
    return tuple(sorted({*stops.whole, *stops.tenants.get(call.tenant, ()), *of_numbers}))


def learned(t: Turn, event: StopsInForce) -> bool:
    """Other stops are in force."""
    t.call.halt = replace(t.call.halt, stops=event.stops)
    return True


def tell(t: Turn) -> None:
    """Enter it, once, when other stops concern the conversation than before."""
    found = halting(t.call)
    if found != t.call.halt.told:
        t.call.halt = replace(t.call.halt, told=found)
        t.durable = True
        t.enter("call.halted", stops=list(found))
