"""What a party has said by the word of somebody else: a party inside by a code, or a person at a desk.

Nobody outside can say it, and nobody for himself. A yes counts where the mode or a purpose rests on what
somebody gave (`agent_attested`; a purpose with basis consent), never where the party has to answer himself
(`opt_in`) or the CRM to know it (`on_file`). A no counts everywhere.
"""

from __future__ import annotations

from fsgov.attested import Attested
from fsgov.call.consent import against, all_count, events, note
from fsgov.call.keys import on_refusal
from fsgov.call.state import Answered, Call, Evidence, Method, Party
from fsgov.call.turn import Turn
from fsgov.call.withdrawing import meant
from fsgov.events import ActAsked
from fsgov.policy import Basis, ConsentMode, Decision, Side

NO_CONSENT = "that does not rest on consent under its rule"
OWN_ANSWER = {
    ConsentMode.NONE: NO_CONSENT,
    ConsentMode.NOTICE: NO_CONSENT,
    ConsentMode.OPT_OUT: "its rule wants the party's own answer",
    ConsentMode.OPT_IN: "its rule wants the party's own answer",
    ConsentMode.ON_FILE: "its rule wants a consent that is on file",
    ConsentMode.STATUTORY: NO_CONSENT,
}
"""Why a yes to the purpose that the mode rests on cannot be attested."""


def attest(t: Turn, event: ActAsked) -> str:
    """Note what the party is said to have said; why that cannot be, or ""."""
    call, said, decision = t.call, event.consent, t.call.decision
    if said is None or decision is None:
        return "no rule governs it yet"
    if not decision.purposes:
        return "its rule lets nothing be recorded"
    party = _party(call, decision, said)
    if party is None:
        return "no such party, or several outside: name one whose consent counts"
    if said.purpose and said.purpose not in decision.purposes:
        return "its rule has no such purpose"
    state = Answered(said.state)
    purposes = (said.purpose,) if said.purpose else meant(decision)
    if state is Answered.GIVEN:
        purposes = purposes[:1]
        why = _no_yes(call, decision, party, purposes[0])
        if why:
            return why
    number = party.facts.party
    before = len(call.consents)
    method, evidence = _told(t, event, said)
    for purpose in purposes:
        note(t, number, purpose, state, method, decision.consent, evidence)
    if any(row.state is Answered.REFUSED for row in call.consents[before:]):
        on_refusal(t, party.leg)
    return ""


def _told(t: Turn, event: ActAsked, said: Attested) -> tuple[Method, Evidence]:
    if event.actor is not None:
        return Method.CLI, {"actor": event.actor, "request": event.request}
    by = next((party for party in t.call.parties if party.facts.party == said.by), None)
    leg = "" if by is None or by.leg not in t.call.legs else t.call.legs[by.leg].name
    return Method.AGENT, {"leg": leg, "by": said.by, "request": event.request, **events(t.source)}


def _party(call: Call, decision: Decision, said: Attested) -> Party | None:
    """Of whom this is said; None where it is not clear, or nobody whose consent counts."""
    counting = [p for p in call.parties if all_count(call, decision) or p.facts.side is Side.OUTSIDE]
    if said.party:
        found = [p for p in counting if p.facts.party == said.party and p.facts.party != said.by]
    else:
        here = [p for p in counting if p.leg in call.legs and call.legs[p.leg].ended is None]
        found = [p for p in here if p.facts.side is Side.OUTSIDE]
    return found[0] if len(found) == 1 else None


def _no_yes(call: Call, decision: Decision, party: Party, purpose: str) -> str:
    """Why a yes of this party to this purpose cannot be attested, or ""."""
    leg = call.legs.get(party.leg)
    if leg is None or not leg.speaks:
        return "that party is not on the line"
    if against(call, purpose):
        return "a party has declined"
    mode = decision.consent
    if purpose == decision.asks_for and mode in OWN_ANSWER:
        return OWN_ANSWER[mode]
    if mode is not ConsentMode.AGENT_ATTESTED and decision.basis[purpose] is not Basis.CONSENT:
        return NO_CONSENT
    return ""
