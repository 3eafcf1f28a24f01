"""Legs come, are answered, held, hung up and gone; each brings a party or takes one away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fsgov.call import announcing, asking, connected, deciding, gated
from fsgov.call.consent import learn_variables
from fsgov.call.site import SECOND
from fsgov.call.state import PARTED, Capture, Leg, Party
from fsgov.call.tables import Sign
from fsgov.call.timeline import held, moment, unheld
from fsgov.call.turn import Turn, leg_name
from fsgov.dialplan import VariablesTold
from fsgov.events import (
    Direction,
    Instant,
    LegAnswered,
    LegCreated,
    LegGone,
    LegHeld,
    LegHungUp,
    LegsBridged,
    LegUnheld,
)
from fsgov.policy import PartyFacts, Side, areas
from fsgov.policy.numbers import country, e164

RECORD_STOP: Instant = 2 * SECOND
"""How long after the end of a leg its RECORD_STOP may come (neighbouring events are sometimes swapped)."""
GONE: Instant = 30 * SECOND
"""How long after a hang-up a leg may live on before it is taken for gone."""


def created(t: Turn, event: LegCreated) -> bool:
    """A leg joins; told again (a duplicate, a resync) it may only have been answered meanwhile."""
    call = t.call
    known = call.legs.get(event.leg)
    if known is not None and known.cause == PARTED and event.found:  # nobody remembers where it had gone
        t.change_leg(replace(known, ended=None, left=None, gone=False, cause="", beside=""))
        t.enter("leg.joined", leg=known.name, party=known.party, direction=known.direction.value, side="")
        return True
    if known is not None:
        if event.answered and known.answered is None and known.ended is None:
            _answer(t, known)
            return True
        return event.found
    first = call.parties[0].facts.side if call.parties else None
    side = call.site.side(event, first)
    if not call.legs:
        _first(t, event)
    leg = Leg(
        uuid=event.leg,
        name=leg_name(call, event.leg),
        direction=event.direction,
        party=0 if side is None else len(call.parties) + 1,
        created=t.time,
        beside=event.other or "",
    )
    t.change_leg(leg)
    t.enter(
        "leg.joined",
        leg=leg.name,
        party=leg.party,
        direction=event.direction.value,
        side=side.value if side else "",
    )
    if side is not None:
        _party(t, event, leg, side)
    _variables(t, leg, event.variables)
    deciding.consider(t)
    if event.answered:
        _answer(t, leg)
    return True


def _first(t: Turn, event: LegCreated) -> None:
    call = t.call
    tenant = call.site.tenant(event)
    call.tenant, call.region, call.core = tenant.name, tenant.region, event.core
    call.caller = (event.caller, e164(event.caller, call.region))
    call.dialled = (event.dialled, e164(event.dialled, call.region))
    t.rests = True  # whatever becomes of us, this call is accounted for
    t.enter("call.opened", tenant=call.tenant, leg_direction=event.direction.value)


def _party(t: Turn, event: LegCreated, leg: Leg, side: Side) -> None:
    """Who is on the leg: the caller of an incoming leg, the dialled number of one the switch calls out."""
    call = t.call
    number = event.caller if event.direction is Direction.INBOUND else event.dialled
    shared = call.caller if event.direction is Direction.INBOUND else call.dialled
    form = shared[1] if number == shared[0] else e164(number, call.region)
    facts = PartyFacts(
        party=leg.party,
        side=side,
        number=number,
        e164=form,
        country=country(form),
        state=areas.state(form),
        user=event.user if side is Side.INSIDE else "",
    )
    party = Party(facts=facts, leg=leg.uuid)
    call.parties = (*call.parties, party)
    deciding.look_up(t, party)


def _variables(t: Turn, leg: Leg, variables: Mapping[str, str]) -> None:
    """Variables of the first leg are inputs of the decision; of any incoming leg, its party's consents."""
    variables = gated.own(t, leg, variables)
    if not variables:
        return
    call = t.call
    if leg.name == "a" and variables != call.variables:
        call.variables = {**call.variables, **variables}
    learn_variables(t, leg, variables)


def answered(t: Turn, event: LegAnswered) -> bool:
    leg = t.call.legs[event.leg]
    if leg.ended is not None:
        return False
    _variables(t, leg, event.variables)
    deciding.consider(t)
    if leg.answered is not None:
        return bool(event.variables)
    _answer(t, leg)
    return True


def _answer(t: Turn, leg: Leg) -> None:
    call = t.call
    t.change_leg(replace(leg, answered=t.time))
    deciding.consider(t)
    if call.answered is None:
        call.answered = t.time
        t.rests = True
    segment = call.segment
    if segment is not None and segment.leg == leg.uuid and call.actual is Capture.ARMED:
        t.sign(Sign.ANSWERED)
        call.segment = replace(segment, opened=moment(t.now, t.time))


def told(t: Turn, event: VariablesTold) -> bool:
    """Variables that an application of the dialplan has set on the leg: the queue it waits in."""
    leg = t.call.legs[event.leg]
    if leg.ended is not None:
        return False
    _variables(t, leg, event.variables)
    deciding.consider(t)
    return True


def bridged(t: Turn, event: LegsBridged) -> bool:
    """Two legs hear each other; the variables may carry a consent the dialplan has taken."""
    connected.learned(t, event)
    leg = t.call.legs.get(event.leg)
    if leg is None or not event.variables:
        return True
    _variables(t, leg, event.variables)
    deciding.consider(t)
    return True


def held_or_not(t: Turn, event: LegHeld | LegUnheld) -> bool:
    call = t.call
    leg = call.legs[event.leg]
    on = isinstance(event, LegHeld)
    when = moment(t.now, t.time)
    t.change_leg(replace(leg, held=on, turned=when, unseen=False))
    t.rests = True
    segment = call.segment
    if segment is not None and segment.leg == event.leg and segment.opened is not None:
        call.segment = held(segment, when) if on else unheld(segment, when)
    return True


def hung_up(t: Turn, event: LegHungUp | LegGone) -> bool:
    """The leg is ending (its RECORD_STOP may follow), or gone (nothing follows but what was swapped)."""
    call = t.call
    leg = call.legs[event.leg]
    gone = isinstance(event, LegGone)
    if leg.gone or (leg.ended is not None and not gone):
        return False
    if leg.ended is None:
        t.change_leg(replace(leg, ended=t.time, left=t.now, cause=event.cause, gone=gone))
        t.enter("leg.left", leg=leg.name, party=leg.party, cause=event.cause)
        asking.left(t, leg.uuid)
        announcing.left(t, leg.uuid)
    else:
        t.change_leg(replace(leg, gone=True))
    running = call.segment is not None and call.segment.leg == leg.uuid
    if running and (call.lose_at is None or gone):
        call.lose_at = t.now + (RECORD_STOP if gone else GONE)
    if gone:
        call.strays = {segment: stray for segment, stray in call.strays.items() if stray.leg != leg.uuid}
    return True


def silent(t: Turn) -> None:
    """Legs that were hung up and never told to be gone are gone."""
    for leg in tuple(t.call.legs.values()):
        if leg.left is not None and not leg.gone and leg.left + GONE <= t.now:
            hung_up(t, LegGone(now=t.now, leg=leg.uuid, cause=leg.cause))
