"""The decision itself: first match, then the floors of everybody's jurisdiction.

Where the CRM has not told about a party, rules with CRM conditions stay open; of them and the first rule that
matches, the strictest decides (`never` before everything, then the consent mode). Where that is because the
CRM could not be asked, the document may want otherwise: `on_lookup_failure`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from fsgov.policy.conditions import Call, Verdict, judge
from fsgov.policy.decision import Ask, Decision
from fsgov.policy.document import Prompt, Rule, strictness
from fsgov.policy.floors import floor_at, place_of
from fsgov.policy.inputs import Inputs, PartyFacts
from fsgov.policy.terms import Basis, CallDirection, ConsentMode, OnLookupFailure, RecordMode, Side
from fsgov.policy.version import Floors, Policy

ARMED_UNDER = frozenset({ConsentMode.NONE, ConsentMode.ON_FILE, ConsentMode.STATUTORY})
"""An armed recording takes audio from the answer on: only where nothing has to be said or asked first."""

UNASKED = Rule(name="on_lookup_failure", record=RecordMode.NEVER)
"""Decides under `on_lookup_failure = "never"`; no rule of a document has its name."""

LAXEST = -9
"""Less than any rule's strictness."""

REMEMBERED = 1000
"""Decisions that a policy keeps: hardly more than it has rules, for it is the same for most calls."""


def decide(policy: Policy, inputs: Inputs) -> Decision:
    """Which rule governs the call and what it wants. Total: a policy has a rule for every call."""
    call = Call(inputs, policy.timezone, policy.holidays, policy.on_lookup_failure)
    return settle(policy, choose(policy, call, policy.index.candidates(call)), call)


def certain(policy: Policy, inputs: Inputs) -> Decision | None:
    """The decision where nothing that the CRM may yet say can change it, and nobody is asked; else None.

    Where somebody is asked, the CRM may have the answer: then it is waited for. What a law demands waits for
    nobody; a yes of the CRM to more opens another segment.
    """
    call = Call(inputs, policy.timezone, policy.holidays, policy.on_lookup_failure)
    for number in policy.index.candidates(call):
        match judge(policy.rules[number].when, call):
            case Verdict.OPEN:
                return None
            case Verdict.MATCHED:
                decision = settle(policy, policy.rules[number], call)
                return decision if decision.consent in (ConsentMode.NONE, ConsentMode.STATUTORY) else None
            case Verdict.FAILED:
                pass
    return None


def choose(policy: Policy, call: Call, candidates: Iterable[int]) -> Rule:
    """The deciding rule; the candidates are numbers of rules in ascending order."""
    rules = policy.rules
    undecided: list[int] = []
    known = any(party.known for party in call.outside())
    by_facts = {} if known else policy.index.by_facts
    strictest = LAXEST
    for number in candidates:
        # of nobody the CRM knows, so it is open at best, and no stricter than one that is open already
        if by_facts.get(number, strictest + 1) <= strictest:
            continue
        match judge(rules[number].when, call):
            case Verdict.OPEN:
                undecided.append(number)
                strictest = max(strictest, strictness(rules[number]))
            case Verdict.MATCHED:
                if undecided and _not_recorded(policy, call):
                    return UNASKED
                # max() keeps the first of equals: what is certain before what is open
                return rules[max((number, *undecided), key=lambda n: strictness(rules[n]))]
            case Verdict.FAILED:
                pass
    raise AssertionError("a policy ends with a rule that matches every call")


def _not_recorded(policy: Policy, call: Call) -> bool:
    """Some rule is open, and nothing shall be recorded if it is for want of the CRM's answer."""
    if policy.on_lookup_failure is not OnLookupFailure.NEVER:
        return False
    return any(party.unasked for party in call.outside())


def settle(policy: Policy, rule: Rule, call: Call) -> Decision:
    """What a rule wants of this call, once the laws of everybody's jurisdiction have been applied."""
    places = {jurisdiction(party, call) for party in call.inputs.parties}
    floors = floors_of(policy, places)
    record, curbs = policy.bounds.curbed(rule, {country for country, _ in places})
    sampled = record is not RecordMode.SAMPLE or in_sample(policy.sha256, call.inputs.call, rule.share)
    key = (rule.name, sampled, floors, curbs)
    kept = policy.decisions.get(key)
    if kept is None:
        if len(policy.decisions) >= REMEMBERED:
            policy.decisions.clear()
        kept = policy.decisions[key] = replace(
            _decision(policy, rule, floors), record=record, sampled=sampled, curbs=curbs
        )
    return kept


def _decision(policy: Policy, rule: Rule, floors: Floors) -> Decision:
    """What the rule wants, before anything is taken away from it."""
    consent = rule.consent
    if consent is not ConsentMode.STATUTORY:
        consent = max((consent, *(mode for _, mode in floors)), key=lambda mode: mode.rank)
    return Decision(
        rule=rule.name,
        policy=policy.sha256,
        version=policy.version,
        record=rule.record,
        consent=consent,
        floors=floors,
        purposes=rule.purposes,
        basis={name: policy.purposes[name].basis for name in rule.purposes},
        asks_for=asks_for(policy, rule),
        ask=ask(policy, rule),
        on_refusal=rule.on_refusal,
        on_withdrawal=rule.on_withdrawal,
        pause=rule.pause,
        vault=rule.vault,
        require=rule.require,
        on_failure=rule.on_failure,
        announce=announcement(policy, rule),
        gate=rule.gate,
        leg=rule.leg,
        armed=rule.armed and consent in ARMED_UNDER,
        unbuffered=rule.unbuffered,
        priority=rule.priority,
        ask_agents=rule.ask_agents,
    )


def in_sample(policy: str, call: str, share: int) -> bool:
    """Whether a call is in a sample of `share` millionths: SHA-256(policy hash ‖ call id) below the share."""
    digest = hashlib.sha256(bytes.fromhex(policy) + call.encode()).digest()
    return int.from_bytes(digest[:8], "big") * 1_000_000 < share << 64


def jurisdiction(party: PartyFacts, call: Call) -> tuple[str, str]:
    """The country and the state whose floors a party is owed, each "" (or no state) when nothing tells it.

    A party inside whose number tells none is where the line is: the number that was dialled inbound or
    shown outbound, else the tenant's region, which also says in which state a freephone line is.
    """
    country, state = party.country, party.state
    if party.side is Side.OUTSIDE:
        return country, state
    inputs = call.inputs
    if not country:
        country, state = {
            CallDirection.INBOUND: inputs.dialled_places,
            CallDirection.OUTBOUND: inputs.caller_places,
            CallDirection.INTERNAL: ("", ""),
        }[inputs.direction]
        country = country or inputs.region[:2]
    return country, state or inputs.region


def floors_of(policy: Policy, places: Iterable[tuple[str, str]]) -> Floors:
    """(country or state, minimum) of every jurisdiction, sorted, each once."""
    if not policy.floors and policy.default_floor is ConsentMode.NONE:
        return ()
    named = sorted({place_of(policy.floors, country, state) for country, state in places})
    return tuple((place, floor_at(policy.floors, place, policy.default_floor)) for place in named)


def asks_for(policy: Policy, rule: Rule) -> str:
    """The purpose a rule's question covers; under statutory the one its notice tells of."""
    wanted = Basis.LEGAL_OBLIGATION if rule.consent is ConsentMode.STATUTORY else Basis.CONSENT
    fitting = (name for name in rule.purposes if policy.purposes[name].basis is wanted)
    return next(fitting, rule.purposes[0] if rule.purposes else "")


def announcement(policy: Policy, rule: Rule) -> Ask | None:
    """What the parties hear under `on_failure = "announce"`."""
    return _prompt(policy.prompts[rule.announce]) if rule.announce else None


def _prompt(prompt: Prompt) -> Ask:
    facts = prompt.facts
    return Ask(
        prompt=prompt.name,
        file=prompt.switch_file,
        sha256=facts.sha256,
        samples=facts.samples,
        rate=facts.rate,
        language=prompt.language,
    )


def ask(policy: Policy, rule: Rule) -> Ask | None:
    question = rule.ask
    if question is None:
        return None
    return replace(
        _prompt(policy.prompts[question.prompt]),
        yes=question.yes,
        no=question.no,
        timeout=question.timeout,
        withdraw=question.withdraw,
    )
