"""The `[[test]]` tables of a policy: calls as people describe them, and what must come of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fsgov.events import Instant
from fsgov.policy import areas
from fsgov.policy.conditions import QUEUE
from fsgov.policy.deciding import decide
from fsgov.policy.decision import Decision, Pause
from fsgov.policy.document import Trial
from fsgov.policy.inputs import Inputs, PartyFacts, places
from fsgov.policy.numbers import country, e164
from fsgov.policy.raising import obtainable
from fsgov.policy.reading import Table, nearest
from fsgov.policy.spans import in_words
from fsgov.policy.terms import CallDirection, Side
from fsgov.policy.version import Policy
from fsgov.policy.windows import instant

UNREACHABLE = "unreachable"
"""In place of facts: the CRM could not be asked."""
LISTS = ("purposes", "floors")
FLAGS = ("obtainable", "armed", "ask_agents")
EXPECTED = (
    "rule",
    "record",
    "consent",
    *LISTS,
    *FLAGS,
    "prompt",
    "language",
    "yes",
    "no",
    "withdraw",
    "asks_for",
    "on_refusal",
    "on_withdrawal",
    "on_failure",
    "require",
    "vault",
    "leg",
    "pause",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that did not come out."""

    test: str
    of: str
    """What of the decision: one of EXPECTED."""
    expected: str
    decided: str

    def __str__(self) -> str:
        return f"{self.test}: {self.of} is {self.decided}, expected {self.expected}"


def _pairs(call: Table, key: str) -> dict[str, str] | None:
    inner = call.table(key)
    return None if inner is None else {name: inner.text(name) for name in inner.source}


def read_trial(test: Table) -> Trial:
    """One `[[test]]`."""
    name = test.text("name", needed="say what it shows")
    call = test.table("call")
    if call is None:
        test.fault("call", "is missing", 'call = { caller = "+493012345", dialled = "+442079460100" }')
        call = Table({}, test.at("call"), test.faults)
    expect = test.table("expect")
    if expect is None or not expect.source:
        test.fault("expect", "is missing", 'expect = { rule = "…", consent = "opt_in" }')
    unreachable = call.source.get("crm") == UNREACHABLE and call.has("crm")
    read = Trial(
        name=name,
        direction=call.choice("direction", CallDirection, CallDirection.INBOUND),
        caller=call.text("caller"),
        dialled=call.text("dialled"),
        tenant=call.text("tenant", "default"),
        region=call.text("region"),
        variables=_pairs(call, "variable") or {},
        crm=None if unreachable else _pairs(call, "crm"),
        unreachable=unreachable,
        queue=call.text("queue"),
        agent=call.text("agent"),
        tags=call.texts("tag"),
        at=call.text("at"),
        expect={} if expect is None else _expected(expect),
    )
    if read.at and instant(read.at, "UTC") is None:
        call.fault("at", f"{read.at!r} is no time", "2026-12-25 09:30, in the policy's time zone")
    call.end()
    test.end()
    return read


def _expected(expect: Table) -> dict[str, tuple[str, ...]]:
    found = {}
    for key in expect.source:
        if key not in EXPECTED:
            expect.fault(key, "cannot be expected", nearest(key, EXPECTED))
        elif key in LISTS:
            found[key] = expect.texts(key)
        elif key in FLAGS:
            found[key] = (_word(expect.flag(key)),)
        else:
            found[key] = (expect.text(key),)
    expect.asked.update(expect.source)
    return found


def describe(
    *,
    direction: CallDirection = CallDirection.INBOUND,
    caller: str = "",
    dialled: str = "",
    tenant: str = "default",
    region: str = "",
    variables: Mapping[str, str] | None = None,
    crm: Mapping[str, str] | None = None,
    unreachable: bool = False,
    queue: str = "",
    agent: str = "",
    tags: Iterable[str] = (),
    at: Instant = 0,
    call: str = "test",
) -> Inputs:
    """The inputs of a call between two people, as somebody would describe it (tests, `policy explain`).

    Inbound the caller is outside and the dialled line inside, outbound the other way round.
    crm: facts of the party outside; None: the CRM knows nobody, or (unreachable) could not be asked.
    agent: who is inside, `1001@acme.example`. at: when it begins.
    """
    numbers = (caller, dialled)
    sides = {
        CallDirection.INBOUND: (Side.OUTSIDE, Side.INSIDE),
        CallDirection.OUTBOUND: (Side.INSIDE, Side.OUTSIDE),
        CallDirection.INTERNAL: (Side.INSIDE, Side.INSIDE),
    }[direction]
    forms = [e164(number, region) for number in numbers]
    return Inputs(
        call=call,
        direction=direction,
        tenant=tenant,
        region=region,
        caller=caller,
        caller_e164=forms[0],
        caller_places=places(forms[0]),
        dialled=dialled,
        dialled_e164=forms[1],
        dialled_places=places(forms[1]),
        parties=tuple(
            PartyFacts(
                party=ordinal,
                side=side,
                number=number,
                e164=form,
                country=country(form),
                state=areas.state(form),
                user=agent if side is Side.INSIDE else "",
                known=crm is not None and side is Side.OUTSIDE,
                unasked=unreachable and side is Side.OUTSIDE,
                facts=dict(crm or {}) if side is Side.OUTSIDE else {},
            )
            for ordinal, (side, number, form) in enumerate(zip(sides, numbers, forms, strict=True), 1)
        ),
        variables={**(variables or {}), **({QUEUE: queue} if queue else {})},
        tags=tuple(sorted(set(tags))),
        at=at,
    )


def _decided(decision: Decision) -> dict[str, tuple[str, ...]]:
    """Of a decision, what can be expected."""
    ask, refusal = decision.ask, decision.on_refusal
    return {
        "rule": (decision.rule,),
        "record": (decision.record.value,),
        "consent": (decision.consent.value,),
        "purposes": decision.purposes,
        "floors": tuple(f"{country}:{mode.value}" for country, mode in decision.floors),
        "obtainable": (_word(obtainable(decision)),),
        "armed": (_word(decision.armed),),
        "ask_agents": (_word(decision.ask_agents),),
        "prompt": ("" if ask is None else ask.prompt,),
        "language": ("" if ask is None else ask.language,),
        "yes": ("" if ask is None else ask.yes,),
        "no": ("" if ask is None else ask.no,),
        "withdraw": ("" if ask is None else ask.withdraw,),
        "asks_for": (decision.asks_for,),
        "on_refusal": (f"{refusal.act.value} {refusal.destination}".rstrip(),),
        "on_withdrawal": (decision.on_withdrawal.value,),
        "on_failure": (decision.on_failure.value,),
        "require": (decision.require.value,),
        "vault": (decision.vault,),
        "leg": (decision.leg,),
        "pause": (_pause(decision.pause),),
    }


def _pause(pause: Pause) -> str:
    """`mask`, or `mask, 3 min, stop`."""
    if pause.max is None:
        return pause.by.value
    return f"{pause.by.value}, {in_words(pause.max)}, {pause.at_max.value}"


def _word(flag: bool) -> str:
    return "true" if flag else "false"


def run_tests(policy: Policy) -> list[Failure]:
    """Every expectation of every `[[test]]` that this policy does not meet."""
    failures = []
    for trial in policy.trials:
        inputs = describe(
            direction=trial.direction,
            caller=trial.caller,
            dialled=trial.dialled,
            tenant=trial.tenant,
            region=trial.region,
            variables=trial.variables,
            crm=trial.crm,
            unreachable=trial.unreachable,
            queue=trial.queue,
            agent=trial.agent,
            tags=trial.tags,
            at=instant(trial.at, policy.timezone) or 0,
        )
        decided = _decided(decide(policy, inputs))
        for of, expected in trial.expect.items():
            if decided[of] != expected:
                words = (", ".join(expected) or "nothing", ", ".join(decided[of]) or "nothing")
                failures.append(Failure(trial.name, of, *words))
    return failures
