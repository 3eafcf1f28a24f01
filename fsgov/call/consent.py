"""What the parties have said, per party and purpose, and whether that opens the gate.

The mode gates capture; a question covers one purpose (`Decision.asks_for`), other purposes with basis consent
stay out unless a variable or the CRM row says otherwise. A refusal or withdrawal holds for the whole
conversation and for whoever joins it later; nothing but a new conversation takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from fsgov.call.connected import heard
from fsgov.call.state import Answered, Call, Consent, Evidence, Leg, Method, Party
from fsgov.call.turn import Turn
from fsgov.call.withdrawing import AGAINST, gates, mark
from fsgov.events import Direction
from fsgov.policy import Basis, ConsentMode, Decision, Side

PREFIX = "fsgov_consent_"
WORDS = {
    **dict.fromkeys(("given", "yes", "true", "1"), Answered.GIVEN),
    **dict.fromkeys(("refused", "no", "false", "0"), Answered.REFUSED),
    "withdrawn": Answered.WITHDRAWN,
}
ACTIVE = (Method.KEY, Method.VARIABLE)
"""How somebody says yes for himself, in this call."""
ATTESTED = (Method.AGENT, Method.CLI)
"""How somebody else says it for him, on this call."""
SPOKEN_FOR = (*ACTIVE, Method.CRM, *ATTESTED)
SUFFICES = {
    ConsentMode.OPT_IN: ACTIVE,
    ConsentMode.ON_FILE: (*ACTIVE, Method.CRM),
    ConsentMode.AGENT_ATTESTED: (*ACTIVE, *ATTESTED),
}
"""Whose yes opens the gate, where only a yes does."""


class Gate(Enum):
    """Whether one party's answer lets a frame be captured."""

    OPEN = "open"
    ASK = "ask"
    WAIT = "wait"
    CLOSED = "closed"


def in_force(call: Call, party: int, purpose: str) -> Consent | None:
    """The last word of a party on a purpose."""
    for consent in reversed(call.consents):
        if consent.party == party and consent.purpose == purpose:
            return consent
    return None


def against(call: Call, purpose: str) -> bool:
    """Somebody has refused this purpose, or withdrawn what he had given."""
    if not call.consents:
        return False
    return any(row.purpose == purpose and row.state in AGAINST for row in call.consents)


def speaking(call: Call) -> list[tuple[Party, Leg]]:
    """The parties who may be heard now on a recording of this conversation."""
    legs = {leg.party: leg for leg in heard(call)}
    return [(party, legs[n]) for party in call.parties if (n := party.facts.party) in legs]


def _outside_and_expected(call: Call, party: Party) -> bool:
    """Somebody outside who has spoken, or may yet; not one whose telephone only rang."""
    leg = call.legs.get(party.leg)
    rang = leg is not None and leg.answered is None and leg.ended is not None
    return party.facts.side is Side.OUTSIDE and not rang


def asked(call: Call, decision: Decision) -> list[tuple[Party, Leg]]:
    """Whose consent counts: everybody outside, agents by rule; everybody where nobody is outside."""
    return _whose(call, decision, speaking(call))


def _whose(call: Call, decision: Decision, present: list[tuple[Party, Leg]]) -> list[tuple[Party, Leg]]:
    if all_count(call, decision):
        return present
    return [(party, leg) for party, leg in present if party.facts.side is Side.OUTSIDE]


def all_count(call: Call, decision: Decision) -> bool:
    """Parties inside count as well: by rule, or because there are no others."""
    return decision.ask_agents or not any(_outside_and_expected(call, party) for party in call.parties)


def barred(call: Call, decision: Decision) -> bool:
    """Somebody's no keeps the whole conversation from being recorded."""
    return decision.consent is not ConsentMode.STATUTORY and against(call, decision.asks_for)


def counting(call: Call, decision: Decision) -> list[tuple[Party, Leg]]:
    """Whose consent a recording rests on: of those who speak, and of a caller who is about to.

    Before anybody has answered, of all who are there: an armed recording takes their first word.
    """
    present = speaking(call)
    for party in call.parties:
        leg = call.legs.get(party.leg)
        if leg is None or leg.answered is not None or leg.ended is not None:
            continue
        if call.answered is None or leg.direction is Direction.INBOUND:
            present.append((party, leg))
    return _whose(call, decision, present)


def gate(call: Call, decision: Decision, party: Party) -> Gate:
    """Whether this party's answer, or silence, lets the conversation be recorded."""
    mode = decision.consent
    if mode is ConsentMode.STATUTORY:
        return Gate.OPEN
    row = in_force(call, party.facts.party, decision.asks_for)
    if row is not None and row.state in AGAINST:
        return Gate.CLOSED
    if mode is ConsentMode.NONE:
        return Gate.OPEN
    given = row is not None and row.state is Answered.GIVEN
    if row is not None and given and _suffices(mode, row):
        return Gate.OPEN
    if mode is ConsentMode.ON_FILE:
        return Gate.WAIT if party.lookup else Gate.CLOSED
    if mode is ConsentMode.AGENT_ATTESTED:
        return Gate.WAIT
    if row is not None and row.state is Answered.UNANSWERED and row.mode.rank >= mode.rank:
        return Gate.CLOSED
    question = call.questions.get(party.facts.party)
    if question is not None and question.open:
        return Gate.WAIT
    return Gate.ASK if askable(decision) else Gate.CLOSED


def _suffices(mode: ConsentMode, row: Consent) -> bool:
    if mode in SUFFICES:
        return row.method in SUFFICES[mode]
    return row.method in SPOKEN_FOR or row.mode.rank >= mode.rank


def askable(decision: Decision) -> bool:
    """The rule's prompt can be proven, and answered as the mode wants (a floor may want more than it has)."""
    ask = decision.ask
    if ask is None or ask.samples <= 0:
        return False
    if decision.consent is ConsentMode.OPT_IN:
        return bool(ask.yes)
    if decision.consent is ConsentMode.OPT_OUT:
        return bool(ask.no)
    return decision.consent in (ConsentMode.NOTICE, ConsentMode.STATUTORY)


def owed(call: Call, decision: Decision, party: Party) -> bool:
    """The prompt is to be played to this party; under statutory once, while the recording runs."""
    if decision.consent is ConsentMode.STATUTORY:
        return party.facts.party not in call.questions and askable(decision)
    return gate(call, decision, party) is Gate.ASK and not against(call, decision.asks_for)


def gates_open(call: Call, decision: Decision) -> bool:
    """Nobody who counts keeps the conversation from being recorded."""
    if barred(call, decision):
        return False
    if decision.consent in (ConsentMode.NONE, ConsentMode.STATUTORY):
        return True
    members = counting(call, decision)
    return bool(members) and all(gate(call, decision, party) is Gate.OPEN for party, _ in members)


def covered(call: Call, decision: Decision) -> tuple[str, ...]:
    """The purposes a segment may serve now: those without consent as basis, and those all said yes to."""
    if Basis.CONSENT not in decision.basis.values():
        return decision.purposes
    by_consent = [p for p in decision.purposes if decision.basis[p] is Basis.CONSENT]
    members = counting(call, decision)
    missing = {
        purpose
        for purpose in by_consent
        if not members
        or against(call, purpose)
        or not all(_said_yes(call, party, purpose) for party, _ in members)
    }
    return tuple(purpose for purpose in decision.purposes if purpose not in missing)


def _said_yes(call: Call, party: Party, purpose: str) -> bool:
    row = in_force(call, party.facts.party, purpose)
    return row is not None and row.state is Answered.GIVEN and row.method in SPOKEN_FOR


def note(
    t: Turn, party: int, purpose: str, state: Answered, method: Method, mode: ConsentMode, evidence: Evidence
) -> None:
    """Add a row, enter it, and mark what it forbids. A refusal is never overwritten."""
    call = t.call
    row = in_force(call, party, purpose)
    if row is not None and (row.state in AGAINST or (row.state is state and _as_good(row.method, method))):
        return
    if state is Answered.REFUSED and row is not None and row.state is Answered.GIVEN:
        state = Answered.WITHDRAWN
    id_ = f"c-{call.id}-{len(call.consents) + 1}"
    policy = call.policy.sha256 if call.decision is None else call.decision.policy
    row = Consent(
        id=id_,
        party=party,
        purpose=purpose,
        state=state,
        method=method,
        mode=mode,
        at=t.time,
        evidence={**evidence, "policy": policy},
    )
    call.consents = (*call.consents, row)
    t.durable = True
    if state in AGAINST and gates(call, purpose):
        mark(t, state, party)
    if method is not Method.NOTICE or state is not Answered.GIVEN:
        t.enter(
            f"consent.{state.value}",
            consent=id_,
            party=party,
            purpose=purpose,
            method=method.value,
            mode=mode.value,
        )


def _as_good(before: Method, after: Method) -> bool:
    return before in ACTIVE or before is after


def learn_variables(t: Turn, leg: Leg, variables: Mapping[str, str]) -> None:
    """`fsgov_consent_<purpose>`: the dialplan's word, for the party of the inbound leg only.

    Variables that a dialplan exports appear on the other legs too and say nothing about their parties.
    """
    if leg.direction is not Direction.INBOUND or not leg.party:
        return
    call = t.call
    mode = ConsentMode.OPT_IN if call.decision is None else call.decision.consent
    for name in sorted(variables):
        if not name.startswith(PREFIX):
            continue
        purpose = name[len(PREFIX) :]
        state = WORDS.get(variables[name].lower())
        if state is not None and purpose in call.policy.purposes:
            told = {"variable": name, "leg": leg.name, **events(t.source)}
            note(t, leg.party, purpose, state, Method.VARIABLE, mode, told)


def events(*sources: str) -> Evidence:
    """The switch's events that an answer was learned from, where it numbered them."""
    told = " ".join(filter(None, sources))
    return {"events": told} if told else {}
