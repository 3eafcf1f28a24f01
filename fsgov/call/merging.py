"""Two conversations join: the elder goes on with everybody, the younger ends `merged`."""

from __future__ import annotations

from dataclasses import replace

from fsgov.call import acts, anchoring, asking, deciding
from fsgov.call.state import Answered, Call, Consent
from fsgov.call.turn import Turn, leg_name
from fsgov.call.withdrawing import gates, mark
from fsgov.policy import Side


def absorb(t: Turn, younger: Call) -> None:
    """Take over legs, parties and what they have said, refusals included; decide again, the stricter stays.

    The younger's decision binds where somebody outside was a party to it: a consultation between colleagues
    under a rule `never` says that there was nothing to record, not that the customer's call must not be.
    """
    call = t.call
    shift = len(call.parties)
    for leg in younger.legs.values():
        here = call.legs.get(leg.uuid)
        if here is None or (here.gone and not leg.gone):  # it had left, and comes back
            party = leg.party + shift if leg.party else 0
            name = leg_name(call, leg.uuid) if here is None else here.name
            t.change_leg(replace(leg, name=name, party=party))
            t.enter(
                "leg.joined",
                leg=call.legs[leg.uuid].name,
                party=party,
                direction=leg.direction.value,
                side="",
            )
    for member in younger.parties:
        facts = replace(member.facts, party=member.facts.party + shift)
        moved = replace(member, facts=facts, lookup=0)
        call.parties = (*call.parties, moved)
        if member.lookup:
            deciding.look_up(t, moved)
    for row in younger.consents:
        carry(t, replace(row, party=row.party + shift, evidence={**row.evidence, "from": row.id}))
    for question in younger.questions.values():
        asking.put(t, replace(question, party=question.party + shift, number=0))
    everybody = tuple(member.facts.party for member in younger.parties)
    for id_, parties in {**dict.fromkeys(younger.segments, everybody), **younger.elsewhere}.items():
        call.elsewhere = {**call.elsewhere, id_: tuple(party + shift for party in parties)}
    call.gates = {**younger.gates, **call.gates}
    call.answered = call.answered or younger.answered
    call.foreign = call.foreign or younger.foreign
    call.halt = replace(call.halt, kept_off=call.halt.kept_off or younger.halt.kept_off)
    acts.carry_pause(t, younger.paused)
    anchoring.carry(t, younger.anchors)
    t.durable = True
    deciding.consider(t)
    outside = any(party.facts.side is Side.OUTSIDE for party in younger.parties)
    if outside and younger.decision is not None and call.decision is not None and call.inputs is not None:
        deciding.adopt(t, call.inputs, younger.decision, younger.grounds)
    for row in call.consents:
        if gates(call, row.purpose) and row.state is Answered.WITHDRAWN:
            mark(t, row.state, row.party)


def carry(t: Turn, row: Consent) -> None:
    """A row of another conversation, under a name of this one."""
    id_ = f"c-{t.call.id}-{len(t.call.consents) + 1}"
    t.call.consents = (*t.call.consents, replace(row, id=id_))


def retire(t: Turn, into: str) -> None:
    """End as `merged`: capture is closed first, what was captured stays a recording of this conversation."""
    call = t.call
    told = call.merged_into is not None
    call.merged_into = into
    call.questions = {party: replace(question, open=False) for party, question in call.questions.items()}
    t.durable = True
    if not told:
        t.enter("call.merged", into=into)
