"""The keys that parties press: answers to an open question, and the code that withdraws at any time.

Keys count only on the leg of a party whose consent counts: one digit while its question is open, otherwise
the withdraw code, which works as well where nobody had to be asked, because consent was known. Of any other
digit nothing is kept, not even in memory.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call.asking import by_dialplan, prompt_of, proof, put, question_on
from fsgov.call.consent import asked, events, note
from fsgov.call.state import Answered, Method, Question
from fsgov.call.turn import Turn
from fsgov.call.withdrawing import meant
from fsgov.commands import HangUp, StopPlaying, Transfer
from fsgov.events import KeyPressed
from fsgov.policy import Ask, ConsentMode, RefusalAct


def key(t: Turn, event: KeyPressed) -> bool:
    """A digit on a leg whose party counts: an answer while its question is open, else a step of the code."""
    question = question_on(t.call, event.leg) or _unasked(t, event.leg)
    prompt = prompt_of(t.call)
    if question is None or prompt is None:
        return False
    if not question.open or question.mode is ConsentMode.STATUTORY:
        return _code(t, question, prompt, event.digit)
    heard = question.started is not None or question.samples is not None
    if event.digit == prompt.no:
        _answered(t, question, Answered.REFUSED, event.digit)
    elif event.digit == prompt.yes and question.mode is not ConsentMode.NOTICE and heard:
        _answered(t, question, Answered.GIVEN, event.digit)
    else:
        return False
    return True


def _unasked(t: Turn, leg: str) -> Question | None:
    """For a party whose consent was known without asking: what counts the digits of the code, never open."""
    decision = t.call.decision
    members = [] if decision is None else asked(t.call, decision)
    party = next((party.facts.party for party, on in members if on.uuid == leg), None)
    if decision is None or party is None:
        return None
    return Question(
        party=party,
        leg=leg,
        purpose=decision.asks_for,
        mode=decision.consent,
        number=0,
        asked=t.now,
        due=0,
        open=False,
    )


def _answered(t: Turn, question: Question, state: Answered, digit: str) -> None:
    call = t.call
    evidence = {**proof(call, question), "digit": digit, **events(*question.sources, t.source)}
    put(t, replace(question, open=False))
    ours = not by_dialplan(call, question.leg)
    if ours and not question.proven:
        t.commands.append(StopPlaying(call=call.id, number=t.number(), leg=question.leg))
    note(t, question.party, question.purpose, state, Method.KEY, question.mode, evidence)
    if ours and state is Answered.REFUSED:
        on_refusal(t, question.leg)


def _code(t: Turn, question: Question, prompt: Ask, digit: str) -> bool:
    """One more digit of the withdraw code, or the first again, or none."""
    code = prompt.withdraw
    if not code:
        return False
    pressed = question.code + 1 if digit == code[question.code] else int(digit == code[0])
    if pressed < len(code):
        put(t, replace(question, code=pressed))
        return True
    put(t, replace(question, code=0))
    evidence = {"leg": t.call.legs[question.leg].name, "code": "withdraw", **events(t.source)}
    for purpose in (question.purpose,) if t.call.decision is None else meant(t.call.decision):
        note(t, question.party, purpose, Answered.WITHDRAWN, Method.KEY, question.mode, evidence)
    return True


def on_refusal(t: Turn, leg: str) -> None:
    """What the rule does with somebody who declines."""
    call = t.call
    if call.decision is None or call.legs[leg].ended is not None:
        return
    refusal = call.decision.on_refusal
    match refusal.act:
        case RefusalAct.HANGUP:
            t.send(HangUp(call=call.id, number=t.number(), leg=leg))
        case RefusalAct.TRANSFER:
            t.send(Transfer(call=call.id, number=t.number(), leg=leg, destination=refusal.destination))
        case RefusalAct.CONTINUE:
            pass
