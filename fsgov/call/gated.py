"""Legs at the gate of a dialplan: it plays the notice or the menu there, fsgov never does as well.

What the party hears and presses is learned from the same events as when fsgov plays by itself; the
dialplan's variables add what was said where an event was lost. A leg that was not answered in time went on by
the failure mode in the dialplan: nothing is played to it later, and nothing recorded that needs an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fsgov.call import asking, codes
from fsgov.call.consent import in_force, learn_variables, owed
from fsgov.call.gates import GO, AtGate
from fsgov.call.state import Answered, Call, Leg
from fsgov.call.turn import Turn
from fsgov.commands import AnswerDialplan
from fsgov.dialplan import OWN, CodePressed, GateOpened, GatePassed
from fsgov.events import Instant, LegEvent
from fsgov.policy import Ask, Decision, RefusalAct, Side

WITHIN: Instant = 1_700_000
"""How long after its event a gate is answered; the dialplan's sleep ends after two seconds."""


def heard(t: Turn, event: LegEvent) -> bool:
    """What a dialplan says of one leg."""
    match event:
        case GateOpened():
            return opened(t, event)
        case GatePassed():
            return passed(t, event)
        case CodePressed():
            return codes.pressed(t, event)
        case _:
            return False


def opened(t: Turn, event: GateOpened) -> bool:
    """The dialplan waits for our answer; what it may have asked on this leg before is over."""
    leg = t.call.legs[event.leg]
    if leg.ended is not None:
        return False
    if asking.by_dialplan(t.call, leg.uuid):
        _close(t, leg)
    _stands(t, leg.uuid, AtGate(opened=t.now))
    t.rests = True
    return True


def answer(t: Turn) -> None:
    """Tell those who wait what to do, once a rule governs the call and while their sleep lasts."""
    call = t.call
    for leg, at in call.gates.items():
        if at.told or t.now - at.opened > WITHIN or call.legs[leg].ended is not None or not _known(call):
            continue
        decision = call.decision
        ask = None if decision is None else _owed(call, decision, call.legs[leg])
        told, words = GO, {"fsgov_action": GO}
        if decision is not None and ask is not None:
            told, words = asking.menu(decision.consent), menu(decision, ask)
        _stands(t, leg, replace(at, told=told))
        variables = tuple(words.items())
        due = at.opened + WITHIN
        t.send(AnswerDialplan(call=call.id, number=t.number(), leg=leg, variables=variables, due=due))


def menu(decision: Decision, ask: Ask) -> dict[str, str]:
    """The variables of a menu; all from the policy.

    `fsgov_action` comes last: the dialplan reads it when its sleep ends, and the others are there by then.
    """
    refusal = decision.on_refusal
    words = {
        "fsgov_prompt": ask.file,
        "fsgov_purpose": decision.asks_for,
        "fsgov_yes": ask.yes,
        "fsgov_no": ask.no,
        "fsgov_timeout": str(ask.timeout // 1_000),
        "fsgov_refusal": refusal.act.value,
        "fsgov_transfer": refusal.destination if refusal.act is RefusalAct.TRANSFER else "",
        "fsgov_action": asking.menu(decision.consent),
    }
    return {name: value for name, value in words.items() if value}


def passed(t: Turn, event: GatePassed) -> bool:
    """The dialplan goes on: what its variables say counts, and a question that is still open is over."""
    leg = t.call.legs[event.leg]
    if not asking.by_dialplan(t.call, leg.uuid):
        return False
    learn_variables(t, leg, event.variables)
    _close(t, leg)
    return True


def own(t: Turn, leg: Leg, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables without those of the dialplans; from them is learned that a leg was at a gate.

    Its event may have been lost, or fsgov was away then: what the dialplan has begun is still its business.
    """
    if OWN.isdisjoint(variables):
        return variables
    action = variables.get("fsgov_action", "")
    if action and leg.uuid not in t.call.gates:
        _stands(t, leg.uuid, AtGate(opened=0, told=GO if action == GO else ""))
    return {name: value for name, value in variables.items() if name not in OWN}


def _known(call: Call) -> bool:
    """The decision rests on all that will be known in time, and is this conversation's to tell."""
    if call.decision is None or call.adrift or call.merged_into:
        return False
    return not any(party.lookup for party in call.parties)


def _owed(call: Call, decision: Decision, leg: Leg) -> Ask | None:
    """What is to be asked of this leg's party before it is answered, if anything.

    Parties inside are asked where the rule says so; where nobody is outside they are asked later, by fsgov:
    at the gate of somebody inside it is not known yet whom the call will reach.
    """
    party = next((party for party in call.parties if party.facts.party == leg.party), None)
    question = asking.question_on(call, leg.uuid)
    if party is None or (question is not None and question.open):
        return None
    counts = decision.ask_agents or party.facts.side is Side.OUTSIDE
    return decision.ask if counts and asking.worth_asking(call) and owed(call, decision, party) else None


def _close(t: Turn, leg: Leg) -> None:
    question = asking.question_on(t.call, leg.uuid)
    if question is None or not question.open:
        return
    row = in_force(t.call, question.party, question.purpose)
    if row is None or row.state is Answered.UNANSWERED:
        asking.unanswered(t, question)
    else:
        asking.put(t, replace(question, open=False))


def _stands(t: Turn, leg: str, at: AtGate) -> None:
    t.call.gates = {**t.call.gates, leg: at}
