"""Telling and asking the parties: prompts played to one leg, and proof that they were heard.

A prompt counts as played when the switch reports all its samples (PLAYBACK_STOP says `done` even to a caller
who has hung up). The keys that answer it are in `keys`.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call.consent import asked, events, note, owed
from fsgov.call.gates import GO, came
from fsgov.call.site import SECOND
from fsgov.call.state import Answered, Call, Evidence, Leg, Method, Question
from fsgov.call.stops import halting
from fsgov.call.turn import Turn
from fsgov.commands import Play, StopPlaying
from fsgov.events import Instant, PromptMissing, PromptStarted, PromptStopped
from fsgov.policy import Ask, ConsentMode, RecordMode

PLAYS = 2
"""A prompt that somebody interrupts while the party is still there is played again, so many times in all."""
SLACK: Instant = 5 * SECOND
"""How much later than its length a prompt may end before it counts as not played."""


def worth_asking(call: Call) -> bool:
    """The conversation would be recorded if the parties agree."""
    decision = call.decision
    if (
        decision is None
        or call.adrift
        or call.merged_into
        or call.stopped
        or call.stopping
        or halting(call)
        or not decision.purposes
        or not came(call)
    ):
        return False
    match decision.record:
        case RecordMode.NEVER:
            return False
        case RecordMode.ON_DEMAND:
            return call.started
        case _:
            return decision.sampled


def ask(t: Turn) -> None:
    """Put the question to everybody whose answer is owed and who has not been asked."""
    call = t.call
    decision = call.decision
    if decision is None or (decision.ask is None and not call.questions) or not worth_asking(call):
        return
    members = asked(call, decision)
    _stop_asking_others(t, {party.facts.party for party, _ in members})
    if decision.ask is None:
        return
    for party, leg in members:
        if owed(call, decision, party):
            question = Question(
                party=party.facts.party, leg=leg.uuid, purpose=decision.asks_for, mode=decision.consent,
                number=0, asked=t.now, due=0,
            )  # fmt: skip
            if not by_dialplan(call, leg.uuid):
                play(t, decision.ask, question)
            elif call.gates[leg.uuid].told == menu(decision.consent) and question_on(call, leg.uuid) is None:
                put(t, replace(question, due=t.now + _length(decision.ask) + decision.ask.timeout + SLACK))
            else:
                continue  # the dialplan asks something else here, or has gone on unasked: its failure mode
            t.enter(
                "consent.asked",
                party=party.facts.party,
                leg=leg.name,
                purpose=decision.asks_for,
                mode=decision.consent.value,
                prompt=decision.ask.prompt,
                sha256=decision.ask.sha256,
            )


def by_dialplan(call: Call, leg: str) -> bool:
    """Asking this leg is the business of a dialplan, and what becomes of somebody who declines there."""
    at = call.gates.get(leg)
    return at is not None and at.told != GO


def menu(mode: ConsentMode) -> str:
    """The dialplan's menu for a mode: a law that demands the recording is told of as by a notice."""
    return ConsentMode.NOTICE.value if mode is ConsentMode.STATUTORY else mode.value


def _stop_asking_others(t: Turn, members: set[int]) -> None:
    """Somebody outside has joined: who is inside need not answer any more."""
    for party, question in t.call.questions.items():
        if question.open and party not in members and question.leg in t.call.legs:
            if t.call.legs[question.leg].ended is None and not by_dialplan(t.call, question.leg):
                t.commands.append(StopPlaying(call=t.call.id, number=t.number(), leg=question.leg))
            put(t, replace(question, open=False))


def play(t: Turn, prompt: Ask, question: Question) -> None:
    number = t.number()
    due = t.now + _length(prompt) + SLACK
    put(t, replace(question, number=number, due=due, started=None))
    t.send(Play(call=t.call.id, number=number, leg=question.leg, file=prompt.file))


def _length(prompt: Ask) -> Instant:
    return prompt.samples * SECOND // max(prompt.rate, 1)


def put(t: Turn, question: Question) -> None:
    t.call.questions = {**t.call.questions, question.party: question}


def is_open(call: Call) -> bool:
    """Some question waits for its answer, and the recording for that."""
    return bool(call.questions) and any(
        question.open and question.mode is not ConsentMode.STATUTORY for question in call.questions.values()
    )


def question_on(call: Call, leg: str) -> Question | None:
    """The question that was put to this leg."""
    for question in call.questions.values():
        if question.leg == leg:
            return question
    return None


def started(t: Turn, event: PromptStarted) -> bool:
    question = question_on(t.call, event.leg)
    prompt = prompt_of(t.call)
    if question is None or prompt is None or not question.open or event.file != prompt.file:
        return False
    put(t, replace(question, started=t.time, sources=_and(question, t.source)))
    return True


def stopped(t: Turn, event: PromptStopped) -> bool:
    """A prompt ended: proven when all its samples were played and the party is still there."""
    call = t.call
    question = question_on(call, event.leg)
    prompt = prompt_of(call)
    if (
        question is None
        or prompt is None
        or not question.open
        or event.file != prompt.file
        or question.proven
    ):
        return False
    leg = call.legs[event.leg]
    question = replace(question, samples=event.samples, sources=_and(question, t.source))
    if event.samples is not None and event.samples >= prompt.samples:
        if leg.ended is None:
            _proven(t, replace(question, proven=True), prompt, leg)
        return True
    t.enter(
        "notice.interrupted", party=question.party, leg=leg.name, sha256=prompt.sha256, samples=event.samples
    )
    if leg.ended is None and by_dialplan(call, leg.uuid):
        put(t, question)  # a key may have cut it short: it is the answer, or the dialplan goes on without one
    elif leg.ended is None and question.plays < PLAYS:
        play(t, prompt, replace(question, plays=question.plays + 1))
    else:
        unanswered(t, question)
    return True


def _proven(t: Turn, question: Question, prompt: Ask, leg: Leg) -> None:
    t.enter(
        "notice.played", party=question.party, leg=leg.name, sha256=prompt.sha256, samples=question.samples
    )
    if question.mode in (ConsentMode.NOTICE, ConsentMode.STATUTORY):
        put(t, replace(question, open=False))
        note(
            t,
            question.party,
            question.purpose,
            Answered.GIVEN,
            Method.NOTICE,
            question.mode,
            proof(t.call, question),
        )
    else:
        late = SLACK if by_dialplan(t.call, leg.uuid) else 0  # it says itself when it goes on
        put(t, replace(question, due=t.now + prompt.timeout + late))


def missing(t: Turn, event: PromptMissing) -> bool:
    """The switch has no such file: nobody was asked, so nobody has agreed."""
    question = question_on(t.call, event.leg)
    prompt = prompt_of(t.call)
    if question is None or prompt is None or not question.open or event.file != prompt.file:
        return False
    t.enter("recorder.failed", cause="prompt-missing", attempts=1, on_failure="")
    unanswered(t, question)
    return True


def not_played(t: Turn, number: int) -> bool:
    """The switch refused to play, or did not answer: False when `number` is none of our prompts."""
    for question in t.call.questions.values():
        if question.number == number and question.open:
            if question.started is None and not question.proven:
                unanswered(t, question)
            return True
    return False


def unanswered(t: Turn, question: Question) -> None:
    """The question is over without an answer. Under opt_out a proven question and silence open the gate."""
    put(t, replace(question, open=False))
    silent_ok = question.mode is ConsentMode.OPT_OUT and question.proven
    state = Answered.GIVEN if silent_ok else Answered.UNANSWERED
    note(t, question.party, question.purpose, state, Method.NOTICE, question.mode, proof(t.call, question))


def overdue(t: Turn) -> None:
    """Close the questions whose time has passed; one that the switch never began to play is put again.

    A broadcast is lost where the switch bridges the leg at that moment, as a queue does (mod_callcenter).
    """
    for question in tuple(t.call.questions.values()):
        if not question.open or question.due > t.now:
            continue
        prompt = prompt_of(t.call)
        if by_dialplan(t.call, question.leg):
            unanswered(t, replace(question, proven=False))  # its word is missing: what was pressed may be too
            continue
        lost = question.started is None and question.samples is None and not question.proven
        if lost and prompt is not None and question.plays < PLAYS:
            play(t, prompt, replace(question, plays=question.plays + 1))
        else:
            unanswered(t, question)


def left(t: Turn, leg: str) -> None:
    """The party hung up during its question: that is no answer, under no mode."""
    question = question_on(t.call, leg)
    if question is not None and question.open:
        unanswered(t, replace(question, proven=False))


def proof(call: Call, question: Question) -> Evidence:
    """What shows that this question was put: which file, when, how much of it was heard."""
    prompt = prompt_of(call)
    return {
        "leg": call.legs[question.leg].name,
        "prompt": "" if prompt is None else prompt.prompt,
        "sha256": "" if prompt is None else prompt.sha256,
        "language": "" if prompt is None else prompt.language,
        "asked": question.asked,
        "started": question.started,
        "samples": question.samples,
        "of": 0 if prompt is None else prompt.samples,
        **events(*question.sources),
    }


def _and(question: Question, source: str) -> tuple[str, ...]:
    return (*question.sources, source) if source else question.sources


def prompt_of(call: Call) -> Ask | None:
    """What the rule asks; None where it asks nothing."""
    return None if call.decision is None else call.decision.ask
