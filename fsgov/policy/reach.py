"""Which rules no call ever comes to, and where an earlier rule takes calls that a stricter one means.

A rule is *covered* by an earlier one when each of its conditions lies inside the earlier one's, and by
several together when they share its alternatives out among them. What is told is certain; coverage that would
take the numbering plans of whole countries to see is not looked for.

Sets of rules are bits of one integer, rule n is bit n: ten thousand rules are compared in seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from fsgov.policy.document import Rule, strictness
from fsgov.policy.finding import Finding, Severity
from fsgov.policy.shapes import CLOSED, OPEN, Atom, Shape, shape, wider
from fsgov.policy.terms import RecordMode

Bits = int
FEW = 16
"""Rules that are kept as numbers; from there on as bits."""
SHOWN = 3
"""Rules that are named beside one."""
TOGETHER = 256
"""Rules that are tried together against one, where more take a part of its calls each it is let be; and rules
that one finding lists."""


@dataclass(slots=True)
class Marked:
    """Rules by an atom of a field. Most atoms are in few rules: kept as numbers they take less room."""

    few: dict[tuple[str, Atom], list[int]] = field(default_factory=dict)
    many: dict[tuple[str, Atom], Bits] = field(default_factory=dict)

    def add(self, key: tuple[str, Atom], number: int) -> None:
        if key in self.many:
            self.many[key] |= 1 << number
            return
        few = self.few.setdefault(key, [])
        if not few or few[-1] != number:
            few.append(number)
        if len(few) > FEW:
            self.many[key] = _bits(self.few.pop(key))

    def get(self, key: tuple[str, Atom]) -> Bits:
        few = self.few.get(key)
        return self.many.get(key, 0) if few is None else _bits(few)


@dataclass(slots=True)
class Earlier:
    """The rules seen so far."""

    count: int = 0
    looks: dict[str, Bits] = field(default_factory=lambda: defaultdict(int))
    """Field -> the rules with a condition on it."""
    holds: Marked = field(default_factory=Marked)
    """The rules that have an atom."""
    inside: Marked = field(default_factory=Marked)
    """The rules that have an atom, or one inside it."""
    open_: Bits = 0
    """Rules with a condition that can be open."""
    as_strict: dict[int, Bits] = field(default_factory=lambda: defaultdict(int))
    """Strictness -> the rules that are just as strict."""

    def add(self, rule: Rule, conditions: Shape) -> None:
        bit = 1 << self.count
        for name, atoms in conditions.items():
            self.looks[name] |= bit
            for atom in atoms:
                self.holds.add((name, atom), self.count)
                for wide in wider(atom):
                    self.inside.add((name, wide), self.count)
        if any(name.startswith(OPEN) for name in conditions):
            self.open_ |= bit
        self.as_strict[strictness(rule)] |= bit
        self.count += 1

    def laxer(self, than: Rule) -> Bits:
        return sum(bits for rank, bits in self.as_strict.items() if rank < strictness(than))

    def all(self) -> Bits:
        return (1 << self.count) - 1

    def takers(self, name: str, atom: Atom) -> Bits:
        """The rules that let through, in this field, whatever the atom does."""
        found = self.all() & ~self.looks.get(name, 0)
        for wide in wider(atom):
            found |= self.holds.get((name, wide))
        return found

    def met(self, name: str, atoms: frozenset[Atom]) -> Bits:
        """The rules that let through, in this field, something that one of the atoms does."""
        found = self.all() & ~self.looks.get(name, 0)
        for atom in atoms:
            found |= self.inside.get((name, atom)) | self.takers(name, atom)
        return found


def findings(rules: Sequence[Rule]) -> Iterator[Finding]:
    """What is found of each rule, in their order. One without conditions is there for what is left over."""
    earlier = Earlier()
    for rule in rules:
        conditions = shape(rule.when)
        if conditions:
            found = _unreachable(earlier, rule, conditions, rules) or _taken(earlier, rule, conditions)
            if found is not None:
                yield found
        earlier.add(rule, conditions)


def _unreachable(earlier: Earlier, rule: Rule, conditions: Shape, rules: Sequence[Rule]) -> Finding | None:
    takers = _takers(earlier, conditions)
    if takers is None:
        return None
    whole = earlier.all()
    for each in takers:
        for bits in each:
            whole &= bits
    # where the CRM tells nothing both are open, and the stricter decides
    sure = earlier.all() & ~(earlier.open_ & earlier.laxer(rule))
    by = [_first(whole & sure)] if whole & sure else _together(takers, sure)
    if by:
        return _never(earlier.count, rule, by, rules)
    if not whole:
        return None
    taker = _path(_first(whole))
    return Finding(
        severity=Severity.WARNING,
        kind="unreachable",
        path=_path(earlier.count),
        rule=rule.name,
        message=f"decides only where the CRM tells nothing, {taker} takes every call that it matches",
        hint="move it up, or leave it out",
        others=(taker,),
    )


def _takers(earlier: Earlier, conditions: Shape) -> list[list[Bits]] | None:
    """For each field, for each alternative in it, who takes that; None where it goes to nobody."""
    able = earlier.all()
    for name in earlier.looks:
        if name not in conditions and name not in CLOSED:
            able &= ~earlier.looks[name]
    found = []
    for name, atoms in {**CLOSED, **conditions}.items():
        found.append([able & earlier.takers(name, atom) for atom in atoms])
        if not all(found[-1]):
            return None
    return found


def _together(takers: list[list[Bits]], sure: Bits) -> list[int]:
    """Rules that take every call among them, none of them alone; empty where none are found."""
    able = sure
    for each in takers:
        some = 0
        for bits in each:
            some |= bits
        able &= some
    if able.bit_count() > TOGETHER:
        return []
    left, before = [list(each) for each in takers], -1
    used: list[int] = []
    while before != len(used):
        before = len(used)
        for number in _numbers(able):
            # what it leaves over is one box again only if it falls short in one field
            short = [place for place, each in enumerate(left) if not all(bits >> number & 1 for bits in each)]
            if not short:
                return sorted([*used, number])
            rest = [bits for bits in left[short[0]] if not bits >> number & 1]
            if len(short) == 1 and len(rest) < len(left[short[0]]):
                left[short[0]] = rest
                used.append(number)
    return []


def _never(number: int, rule: Rule, by: list[int], rules: Sequence[Rule]) -> Finding:
    paths = tuple(map(_path, by))
    other = next((rules[each] for each in by if _wish(rules[each]) != _wish(rule)), None)
    who = f"{paths[0]} takes" if len(paths) == 1 else f"{_listed(paths, len(paths))} together take"
    against = f"; it wants {_wish(rule)}, but {_wish(other)} is done" if other else ""
    return Finding(
        severity=Severity.FAULT,
        kind="contradiction" if other else "unreachable",
        path=_path(number),
        rule=rule.name,
        message=f"is never reached, {who} every call that it matches{against}",
        hint="move it up, or leave it out",
        others=paths,
    )


def _taken(earlier: Earlier, rule: Rule, conditions: Shape) -> Finding | None:
    """Some of its calls go to an earlier rule that asks for less, and that is not an exception from it."""
    found, exceptions = earlier.laxer(rule), earlier.all()
    for name, atoms in conditions.items():
        if not found:
            return None
        found &= earlier.met(name, atoms)
        narrower = 0
        for atom in atoms:
            narrower |= earlier.inside.get((name, atom))
        exceptions &= narrower
    found &= ~exceptions
    if not found:
        return None
    paths = tuple(map(_path, islice(_numbers(found), TOGETHER)))
    who = _listed(paths, found.bit_count())
    return Finding(
        severity=Severity.WARNING,
        kind="contradiction",
        path=_path(earlier.count),
        rule=rule.name,
        message=f"wants {_wish(rule)}, but {who} may match the same call, and comes first",
        hint="move it up where it shall win",
        others=paths,
    )


def _wish(rule: Rule) -> str:
    return "no recording" if rule.record is RecordMode.NEVER else f"{rule.record.value}, {rule.consent.value}"


def _path(number: int) -> str:
    return f"rule[{number + 1}]"


def _first(bits: Bits) -> int:
    return (bits & -bits).bit_length() - 1


def _bits(numbers: Iterable[int]) -> Bits:
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


def _numbers(bits: Bits) -> Iterator[int]:
    while bits:
        yield _first(bits)
        bits &= bits - 1


def _listed(paths: Sequence[str], count: int) -> str:
    """The first of so many, and how many more."""
    if count <= SHOWN:
        return " and ".join(filter(None, (", ".join(paths[:-1]), paths[-1])))
    return f"{', '.join(paths[:SHOWN])} and {count - SHOWN} more"
