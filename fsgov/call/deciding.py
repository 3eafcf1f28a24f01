"""Which rule governs the conversation, decided as early as its inputs are known.

Until a leg is answered nothing rests on a decision and a better informed one replaces it. Afterwards a new
party or fact may only make it stricter: of the rule in force and the one that now matches, the stricter.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call import anchoring
from fsgov.call.consent import note
from fsgov.call.state import Answered, Call, Method, Party
from fsgov.call.turn import Turn
from fsgov.commands import LookUpParty
from fsgov.events import PartyFound, PartyUnknown
from fsgov.policy import CallDirection, ConsentMode, Decision, Inputs, Side
from fsgov.policy.deciding import certain, decide
from fsgov.policy.grounds import Ground, Grounds, digest, stricter, to_json
from fsgov.policy.inputs import places


def counted(call: Call) -> tuple[Party, ...]:
    """Whom a decision is about: the first party, and whoever has spoken.

    As long as no leg is answered it is everybody who is called. Afterwards a telephone that only rings counts
    no more: of several that ring for one call, all but one never take part in it.
    """
    answered = {leg.party for leg in call.legs.values() if leg.answered is not None}
    if not answered:
        return call.parties
    return tuple(party for n, party in enumerate(call.parties) if n == 0 or party.facts.party in answered)


def direction_of(parties: tuple[Party, ...]) -> CallDirection:
    """Seen from the operator: who is outside, the first party or another."""
    if not parties:
        return CallDirection.INTERNAL
    if parties[0].facts.side is Side.OUTSIDE:
        return CallDirection.INBOUND
    others = any(party.facts.side is Side.OUTSIDE for party in parties)
    return CallDirection.OUTBOUND if others else CallDirection.INTERNAL


def look_up(t: Turn, party: Party) -> None:
    """Ask the CRM about somebody outside, where the policy needs it and a number to ask by is known."""
    call = t.call
    if not call.looks_up or party.facts.side is not Side.OUTSIDE or not party.facts.e164:
        return
    number = t.number()
    t.change_party(replace(party, lookup=number, lookup_due=t.now + call.site.lookup))
    t.commands.append(
        LookUpParty(
            call=call.id, number=number, party=party.facts.party, tenant=call.tenant, e164=party.facts.e164
        )
    )


def found(t: Turn, event: PartyFound | PartyUnknown) -> bool:
    """The CRM answered. A late answer is still one: it may make the decision stricter."""
    call = t.call
    party = next((p for p in call.parties if p.facts.party == event.party), None)
    if party is None or party.facts.known:
        return False
    match event:
        case PartyUnknown():
            if party.lookup != event.command:
                return False
            t.enter("party.found", party=event.party, known=False, reason=event.reason)
            facts = replace(party.facts, unasked=event.unasked)
            t.change_party(replace(party, facts=facts, lookup=0))
        case PartyFound():
            facts = replace(
                party.facts,
                known=True,
                unasked=False,
                facts=dict(event.facts),
                consents=dict(event.consents),
            )
            t.change_party(replace(party, facts=facts, evidence=event.evidence, lookup=0))
            t.enter("party.found", party=event.party, known=True, reason=event.remembered)
            anchoring.told(t, event.party, event.facts)
            for purpose, given in sorted(event.consents.items()):
                if purpose in call.policy.purposes:
                    state = Answered.GIVEN if given else Answered.REFUSED
                    note(
                        t,
                        event.party,
                        purpose,
                        state,
                        Method.CRM,
                        ConsentMode.ON_FILE,
                        {"row": event.evidence},
                    )
    return True


def give_up_lookups(t: Turn) -> None:
    """Decide without the facts whose deadline has passed."""
    for party in t.call.parties:
        if party.lookup and party.lookup_due <= t.now:
            t.enter("party.found", party=party.facts.party, known=False, reason="deadline")
            t.change_party(replace(party, facts=replace(party.facts, unasked=True), lookup=0))


def inputs_of(call: Call, parties: tuple[Party, ...]) -> Inputs:
    wanted = call.policy.names_of_variables
    return Inputs(
        call=call.id,
        direction=call.direction,
        tenant=call.tenant,
        region=call.region,
        caller=call.caller[0],
        caller_e164=call.caller[1],
        caller_places=places(call.caller[1]),
        dialled=call.dialled[0],
        dialled_e164=call.dialled[1],
        dialled_places=places(call.dialled[1]),
        parties=tuple(party.facts for party in parties),
        variables={
            name: value
            for name, value in call.variables.items()
            if name in wanted or name.startswith("fsgov_")
        },
        tags=tuple(sorted({tag.tag for tag in call.tags})),
        at=call.opened,
    )


def consider(t: Turn, *, at_once: bool = False) -> None:
    """Decide, or decide again, when what a decision rests on has changed.

    While a look-up is under way only what it cannot change is decided: no call waits for a CRM in vain.
    """
    call = t.call
    parties = counted(call)
    rests_on = (parties, call.variables, call.tags)
    if not parties or (call.considered is not None and all(map(_same, rests_on, call.considered))):
        return
    waits = not at_once and any(party.lookup for party in parties)
    if not waits:
        call.considered = rests_on
    call.direction = direction_of(parties)
    inputs = inputs_of(call, parties)
    if inputs == call.inputs:
        return
    new = certain(call.policy, inputs) if waits else decide(call.policy, inputs)
    if new is not None:
        adopt(t, inputs, new)


def _same(one: object, other: object) -> bool:
    return one is other or (type(one) is tuple and one == other)


def adopt(t: Turn, inputs: Inputs, new: Decision, joined: Grounds = ()) -> None:
    """Put a decision in force, or the stricter of it and the one that is.

    joined: the grounds of `new`, where it is that of a conversation which joined this one.
    """
    call = t.call
    old, alone = call.decision, new
    call.inputs = inputs
    ground: Ground | Grounds = joined or Ground(new.policy, inputs)
    if old is not None and call.answered is not None:
        new = stricter(old, new)
    if new == old:
        return
    call.decision = new
    t.rests = True  # after a restart another version may be in force; this call keeps what it was told
    call.grounds = (ground,) if new == alone else (*call.grounds, ground)
    call.salt = call.salt or call.site.salt()
    t.enter(
        "call.decided",
        rule=new.rule,
        policy=new.policy,
        version=new.version,
        direction=call.direction.value,
        record=new.record.value,
        sampled=new.sampled,
        consent=new.consent.value,
        floors=[f"{country}:{mode.value}" for country, mode in new.floors],
        curbs=list(new.curbs),
        purposes=list(new.purposes),
        inputs=digest(call.salt, to_json(call.grounds)),
    )
