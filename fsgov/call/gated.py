"""Legs at the gate of a dialplan: it plays the notice or the menu there, fsgov never does as well.

What the party hears and presses is learned from the same events as when fsgov plays by itself; the
dialplan's variables add what was said where an event was lost. A leg that was not answered in time went on by
the failure mode in the dialplan: nothing is played to it later, and nothing recorded that needs an answer.

Under `require = "before_answer"` the leg is held until its recording is confirmed: at the gate itself where
nothing is to be asked (the segment is armed: the leg is not answered yet), else in a second wait after the
menu. Where the rule has `gate = true`, a call that came another way, or that the gate did not ask in time, is
one whose recording cannot be had: `on_failure`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fsgov.call import announcing, asking, codes, failing
from fsgov.call.consent import in_force, learn_variables, owed
from fsgov.call.converge import on_record, wanted
from fsgov.call.gates import GO, LATE, PAST, AtGate, came, held_there
from fsgov.call.state import Answered, Call, Capture, Leg, Stage
from fsgov.call.turn import Turn
from fsgov.commands import AnswerDialplan
from fsgov.dialplan import OWN, CodePressed, GateHeld, GateOpened, GatePassed
from fsgov.events import Instant, LegEvent
from fsgov.policy import Ask, Decision, OnFailure, RefusalAct, Require, Side

PASSED = "passed"
"""What the dialplan writes over its action when it goes on."""
WITHIN: Instant = 1_700_000
"""How long after its event a gate is answered; the dialplan's sleep ends after two seconds."""


def heard(t: Turn, event: LegEvent) -> bool:
    """What a dialplan says of one leg."""
    match event:
        case GateOpened():
            return opened(t, event)
        case GatePassed():
            return passed(t, event)
        case GateHeld():
            return held(t, event)
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
    t.enter("gate.opened", party=leg.party, leg=leg.name)
    return True


def answer(t: Turn) -> None:
    """Tell those who wait what to do, once a rule governs the call and while their sleep lasts."""
    call = t.call
    for leg, at in call.gates.items():
        if at.told or call.legs[leg].ended is not None or not _known(call):
            continue
        decision = call.decision
        ask = None if decision is None else _owed(call, decision, call.legs[leg])
        if decision is not None and ask is not None:
            _stands(t, leg, replace(at, told=asking.menu(decision.consent)))
            _say(t, leg, menu(decision, ask), at.opened)
        elif held_there(call, leg):
            _stands(t, leg, replace(at, told=GO, waits=at.opened))
        else:
            _stands(t, leg, replace(at, told=GO))
            _say(t, leg, {"fsgov_action": GO}, at.opened)


def let_go(t: Turn) -> None:
    """Tell those who wait to go on: their recording runs, or none is wanted, or `on_failure` lets them."""
    for leg, at in t.call.gates.items():
        if at.waits is not None and t.call.legs[leg].ended is None and _may_go(t.call):
            _stands(t, leg, replace(at, waits=None))
            _say(t, leg, {"fsgov_action": GO}, at.waits)


def _may_go(call: Call) -> bool:
    if not _known(call) or call.stage in (Stage.DECIDING, Stage.ASKING):
        return False
    if failing.told(call):
        return call.decision is not None and call.decision.on_failure is not OnFailure.HANGUP
    if wanted(call) is Capture.OFF:
        return call.actual is Capture.OFF and call.flight is None
    return call.actual in (Capture.ARMED, Capture.ON, Capture.MASKED)


def _say(t: Turn, leg: str, words: Mapping[str, str], since: Instant) -> None:
    variables, due = tuple(words.items()), since + WITHIN
    t.send(AnswerDialplan(call=t.call.id, number=t.number(), leg=leg, variables=variables, due=due))


def missed(t: Turn) -> None:
    """Enter, once, what a gate did not do in time; `on_failure` where the rule counts on it."""
    call = t.call
    decision = call.decision
    if decision is None or call.adrift or call.merged_into or not (decision.gate or call.gates):
        return
    first = call.legs.get(call.id)
    if first is not None and first.speaks and not came(call) and first.uuid not in call.gates:
        _miss(t, first, AtGate(opened=t.now, told=PAST), fails=True, asks=True)
    for leg in [call.legs[leg] for leg, at in call.gates.items() if _over(call, leg, at, t.now)]:
        at = call.gates[leg.uuid]
        asks = not at.told and _owed(call, decision, leg) is not None
        fails = decision.gate and (asks or decision.require is Require.BEFORE_ANSWER)
        _miss(t, leg, replace(at, told=at.told or LATE, waits=None), fails=fails, asks=asks)


def _over(call: Call, leg: str, at: AtGate, now: Instant) -> bool:
    """It was not told in time, or its recording was not confirmed in time."""
    since = at.waits if at.waits is not None else at.opened
    open_ = at.waits is not None or not at.told
    return open_ and call.legs[leg].ended is None and now - since > WITHIN


def _miss(t: Turn, leg: Leg, at: AtGate, *, fails: bool, asks: bool) -> None:
    """asks: nobody is asked now, so nothing will be recorded."""
    call = t.call
    decision = call.decision
    _stands(t, leg.uuid, at)
    t.rests = True
    t.enter("gate.missed", party=leg.party, leg=leg.name, reason=PAST if at.told == PAST else LATE)
    if decision is None or not fails or not on_record(call, decision):
        return
    if asks:
        call.flawed, call.missed = call.flawed or failing.GATE, True
    if not failing.told(call):
        failing.tell(t, failing.GATE, leg)


def dues(call: Call) -> Iterator[Instant]:
    """When a gate will have been answered too late."""
    if call.decision is None or call.adrift or call.merged_into:
        return
    for leg, at in call.gates.items():
        if call.legs[leg].ended is None and (at.waits is not None or not at.told):
            yield (at.opened if at.waits is None else at.waits) + WITHIN + 1


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
        "fsgov_require": Require.BEFORE_ANSWER.value if decision.require is Require.BEFORE_ANSWER else "",
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
    at = t.call.gates[leg.uuid]
    _stands(t, leg.uuid, replace(at, told=at.told if at.told == LATE else GO))
    return True


def held(t: Turn, event: GateHeld) -> bool:
    """The dialplan waits for our word that the recording runs."""
    leg = t.call.legs[event.leg]
    if leg.ended is not None:
        return False
    at = t.call.gates.get(leg.uuid, AtGate(opened=t.now, told=GO))
    _stands(t, leg.uuid, replace(at, waits=t.now))
    t.rests = True
    return True


def own(t: Turn, leg: Leg, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables without those of the dialplans; from them is learned that a leg was at a gate.

    Its event may have been lost, or fsgov was away then: what the dialplan has begun is still its business.
    """
    if OWN.isdisjoint(variables):
        return variables
    action = variables.get("fsgov_action", "")
    if action == announcing.ANNOUNCED and leg.uuid not in t.call.announced:
        announcing.by_dialplan(t, leg.uuid)
    if action and leg.uuid not in t.call.gates:
        _stands(t, leg.uuid, AtGate(opened=0, told=GO if action in (GO, PASSED) else ""))
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
