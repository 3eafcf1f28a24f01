"""Where a floor can ask for more than a rule's question obtains: such a call is not recorded."""

from __future__ import annotations

from collections.abc import Iterator

from fsgov.policy.areas import UNTOLD
from fsgov.policy.decision import Ask, Decision
from fsgov.policy.document import Question, Rule
from fsgov.policy.finding import Finding, Severity
from fsgov.policy.terms import ConsentMode, RecordMode
from fsgov.policy.version import Policy

ASKED = (ConsentMode.NOTICE, ConsentMode.OPT_OUT, ConsentMode.OPT_IN)
"""Modes that a prompt serves."""


def findings(policy: Policy) -> Iterator[Finding]:
    """One for all rules that fall short alike, at the first of them; the countries are named."""
    alike: dict[tuple[tuple[ConsentMode, str, str], ...], list[int]] = {}
    told: dict[tuple[ConsentMode, str], tuple[tuple[ConsentMode, str, str], ...]] = {}
    for number, rule in enumerate(policy.rules, 1):
        if rule.record is RecordMode.NEVER or rule.consent is ConsentMode.STATUTORY:
            continue
        able = (rule.consent, _keys(rule.ask))
        if able not in told:
            told[able] = tuple(_short(policy, rule))
        if told[able]:
            alike.setdefault(told[able], []).append(number)
    for shorts, numbers in alike.items():
        first, *others = numbers
        too = f" (as {len(others)} more)" if others else ""
        for mode, lacking, who in shorts:
            yield Finding(
                severity=Severity.WARNING,
                kind="floor",
                path=f"rule[{first}]",
                rule=policy.rules[first - 1].name,
                message=f"{lacking}{too}, and {who} is owed {mode.value}: such a call is not recorded",
                hint="add it, or give them a rule of their own",
                others=tuple(f"rule[{number}]" for number in others),
            )


def _short(policy: Policy, rule: Rule) -> Iterator[tuple[ConsentMode, str, str]]:
    """(mode, what the rule has not, who is owed that mode)."""
    for mode in sorted({*policy.floors.values(), policy.default_floor}, key=lambda mode: mode.rank):
        lacking = missing(rule.ask, mode)
        if mode.rank <= rule.consent.rank or not lacking:
            continue
        owed = (place for place, floor in policy.floors.items() if floor is mode)
        countries = sorted(place for place in owed if not place.endswith(UNTOLD))
        if policy.default_floor is mode:
            countries.append("any other country")
        yield (
            mode,
            lacking,
            f"a party of {' or '.join(filter(None, (', '.join(countries[:-1]), countries[-1])))}",
        )


def missing(ask: Question | Ask | None, mode: ConsentMode) -> str:
    """What a question lacks to obtain what this mode asks for; "" where it has all of it."""
    if ask is None:
        return "has no prompt"
    if mode is ConsentMode.OPT_IN and not ask.yes:
        return "has no key for yes"
    return "has no key for no" if mode is ConsentMode.OPT_OUT and not ask.no else ""


def obtainable(decision: Decision) -> bool:
    """Whether the question of a decision can obtain what its consent mode, raised or not, asks for."""
    return decision.consent not in ASKED or not missing(decision.ask, decision.consent)


def _keys(ask: Question | None) -> str:
    return "" if ask is None else f"prompt{' yes' * bool(ask.yes)}{' no' * bool(ask.no)}"
