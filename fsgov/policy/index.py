"""Which rules can govern a call, found by look-up: ten thousand rules cost what a dozen do.

Each rule is filed under its most selective condition on what is always known; one with CRM conditions alone
under a fact, where it is also found for whoever the CRM does not know; any other under "any".
A prefix is looked up by trying every beginning of the number. The
candidates come in the order of the rules, so the first that matches decides as in a scan.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fsgov.policy.conditions import QUEUE, Call, agents, forms
from fsgov.policy.document import Numbers, Rule, When, strictness

Key = tuple[str, str, str]
"""What is looked at, in which way (`=` exact, `*` prefix, `@` country), and the value."""
Bucket = tuple[int, ...]


def _number_keys(name: str, want: Numbers) -> tuple[Key, ...]:
    keys = [
        (f"{name}+" if p.international else name, "*" if p.prefix else "=", p.text) for p in want.patterns
    ]
    return (*keys, *((name, "@", country) for country in sorted(want.countries)))


def conditions(when: When) -> Iterator[tuple[Key, ...]]:
    """For each condition that can be looked up, the keys one of which a matching call has."""
    if when.dialled is not None:
        yield _number_keys("dialled", when.dialled)
    if when.caller is not None:
        yield _number_keys("caller", when.caller)
    if when.tenant:
        yield tuple(("tenant", "=", tenant) for tenant in sorted(when.tenant))
    for named, names in (("queue", when.queue), ("agent", when.agent), ("tag", when.tag)):
        if names:
            yield tuple((named, "=", name) for name in sorted(names))
    for name, wanted in when.variables.items():
        yield tuple((f"variable.{name}", "=", value) for value in sorted(wanted))


def _facts(when: When) -> Iterator[tuple[Key, ...]]:
    for name, wanted in when.crm.items():
        yield tuple((f"crm.{name}", "=", value) for value in sorted(wanted))


@dataclass(frozen=True, slots=True)
class Index:
    """Rule numbers by key, ascending."""

    buckets: Mapping[Key, Bucket]
    anywhere: Bucket
    variables: tuple[str, ...]
    """Names of the variables that a rule is filed under."""
    countries: frozenset[str]
    """Of `caller` and `dialled`, those that a rule is filed under by country."""
    by_facts: Mapping[int, int]
    """Rules that are filed under a fact of the CRM -> their strictness: open where it knows nobody."""

    @staticmethod
    def of(rules: Sequence[Rule]) -> Index:
        weight = Counter(key for rule in rules for keys in conditions(rule.when) for key in keys)
        weight.update(key for rule in rules for keys in _facts(rule.when) for key in keys)
        filed: dict[Key, list[int]] = {}
        anywhere: list[int] = []
        by_facts: dict[int, int] = {}
        for number, rule in enumerate(rules):
            choices = list(conditions(rule.when))
            if not choices and rule.when.crm:
                choices = list(_facts(rule.when))
                by_facts[number] = strictness(rule)
            if not choices:
                anywhere.append(number)
                continue
            for key in min(choices, key=lambda keys: sum(weight[key] for key in keys)):
                filed.setdefault(key, []).append(number)
        buckets = {key: tuple(numbers) for key, numbers in filed.items()}
        names = sorted({name for name, _, _ in buckets if name.startswith("variable.")})
        return Index(
            buckets=buckets,
            anywhere=tuple(anywhere),
            variables=tuple(name.removeprefix("variable.") for name in names),
            countries=frozenset(name for name, way, _ in buckets if way == "@"),
            by_facts=by_facts,
        )

    def candidates(self, call: Call) -> Iterator[int]:
        """Rules that may match, ascending; one may come twice, none that matches is left out."""
        if not self.buckets:
            return iter(self.anywhere)
        found: list[Iterable[int]] = [self.anywhere]
        if self.by_facts and any(not party.known for party in call.outside()):
            found.append(self.by_facts)
        for key in self._keys(call):
            bucket = self.buckets.get(key)
            if bucket:
                found.append(bucket)
        return heapq.merge(*found)

    def _keys(self, call: Call) -> Iterator[Key]:
        inputs = call.inputs
        for name, given, e164, places in (
            ("dialled", inputs.dialled, inputs.dialled_e164, inputs.dialled_places),
            ("caller", inputs.caller, inputs.caller_e164, inputs.caller_places),
        ):
            for form, number in ((name, given), (f"{name}+", e164)):
                yield form, "=", number
                for end in range(1, len(number) + 1):
                    yield form, "*", number[:end]
            if name in self.countries:
                yield from ((name, "@", place) for place in places)
        yield "tenant", "=", inputs.tenant
        yield from (("queue", "=", queue) for queue in forms(inputs.variables.get(QUEUE, "")))
        yield from (("agent", "=", agent) for agent in agents(inputs))
        yield from (("tag", "=", tag) for tag in inputs.tags)
        for name in self.variables:
            if name in inputs.variables:
                yield f"variable.{name}", "=", inputs.variables[name]
        if self.by_facts:
            for party in call.outside():
                yield from ((f"crm.{name}", "=", value) for name, value in party.facts.items())


UNMADE = Index(buckets={}, anywhere=(), variables=(), countries=frozenset(), by_facts={})
"""Stands where a policy has yet to make its own."""
