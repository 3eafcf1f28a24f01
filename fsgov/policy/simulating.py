"""What a policy would have done with past calls: each is decided again from what was stored of it. Pure.

A decision is not an answer. Where the new one asks people whom nobody asked, what they would have said is not
known and not guessed: told is what would have been done, and the outcome that the call really had.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from fsgov.errors import Damaged
from fsgov.policy.deciding import decide
from fsgov.policy.decision import Decision
from fsgov.policy.grounds import Ground, Grounds, again, leaves, read
from fsgov.policy.inputs import Inputs
from fsgov.policy.raising import obtainable
from fsgov.policy.terms import ConsentMode, RecordMode
from fsgov.policy.version import Policy

SHOWN = 10
"""Calls of each kind that are named, the newest."""
CONSENT = {
    ConsentMode.NONE: "nobody told",
    ConsentMode.NOTICE: "after a notice",
    ConsentMode.OPT_OUT: "asked, unless somebody says no",
    ConsentMode.OPT_IN: "asked, if everybody says yes",
    ConsentMode.ON_FILE: "with a yes on file",
    ConsentMode.AGENT_ATTESTED: "if an agent attests a yes",
    ConsentMode.STATUTORY: "as a law demands",
}
NOT_A_CHANGE = ("policy", "version", "floors", "rule", "record", "sampled", "consent", "asks_for")
"""Of a decision: what differs with every version, follows from something else, or is told apart."""


@dataclass(frozen=True, slots=True)
class Past:
    """A call of the catalog, as far as this login may see it."""

    call: str
    opened_at: datetime
    outcome: str
    """"" while the call is not over."""
    policy: str
    """SHA-256 of the version that decided; "" where none did."""
    inputs: Any
    """JSON; None where they were erased, or nothing was decided."""
    decision: Any


@dataclass(slots=True)
class Kind:
    """Calls that are alike: how many, and the newest of them."""

    calls: int = 0
    newest: list[tuple[datetime, str]] = field(default_factory=list)

    def add(self, past: Past) -> None:
        self.calls += 1
        entry = (past.opened_at, past.call)
        if len(self.newest) < SHOWN:
            heapq.heappush(self.newest, entry)
        else:
            heapq.heappushpop(self.newest, entry)

    def named(self) -> list[str]:
        return [call for _, call in sorted(self.newest, reverse=True)]

    def to_json(self) -> dict[str, object]:
        return {"calls": self.calls, "newest": self.named()}


@dataclass(slots=True)
class Simulation:
    """Calls go in one by one; what is kept does not grow with them."""

    policy: Policy
    lacks: Callable[[str], frozenset[str]]
    """Facts and variables that the new policy looks at and that the one of this digest did not keep."""
    decided: int = 0
    same: int = 0
    sampled: list[int] = field(default_factory=lambda: [0, 0])
    """Calls in the sample of both policies, before and now: another text, another sample of the same size."""
    changes: dict[tuple[str, str, str], Kind] = field(default_factory=lambda: defaultdict(Kind))
    """By outcome, what was done, what would have been."""
    rules: dict[tuple[str, str], Kind] = field(default_factory=lambda: defaultdict(Kind))
    """By the name of the rule that decided, and of the one that would have."""
    details: dict[str, Kind] = field(default_factory=lambda: defaultdict(Kind))
    """By what else of the decision differs, where the same would have been done."""
    without: Counter[str] = field(default_factory=Counter)
    """Fact or variable -> calls that were decided without it."""
    left_out: dict[str, Kind] = field(default_factory=lambda: defaultdict(Kind))
    """By why: `erased`, `undecided`, `merged` (they count with the call they joined), `unreadable`."""

    def add(self, past: Past) -> None:
        """Decide a call again and note what is different."""
        if past.outcome == "merged":
            self.left_out["merged"].add(past)
            return
        if past.decision is None:
            self.left_out["undecided"].add(past)
            return
        if not past.inputs:
            self.left_out["erased"].add(past)
            return
        try:
            grounds = _grounds(past)
            before = Decision.from_json(past.decision)
        except Damaged:
            self.left_out["unreadable"].add(past)
            return
        for name in frozenset().union(*(self.lacks(ground.policy) for ground in leaves(grounds))):
            self.without[name] += 1
        self._compare(past, before, again(grounds, lambda ground: decide(self.policy, ground.inputs)))

    def _compare(self, past: Past, before: Decision, now: Decision) -> None:
        self.decided += 1
        if before.rule != now.rule:
            self.rules[before.rule, now.rule].add(past)
        both = before.record is now.record is RecordMode.SAMPLE
        if both:
            self.sampled = [self.sampled[0] + before.sampled, self.sampled[1] + now.sampled]
        was, would = (done(one, in_any=both) for one in (before, now))
        if was != would:
            self.changes[past.outcome or "not over", was, would].add(past)
            return
        self.same += 1
        for each in fields(Decision):
            compared = each.compare and each.name not in NOT_A_CHANGE
            if compared and getattr(before, each.name) != getattr(now, each.name):
                self.details[each.name].add(past)

    def to_json(self) -> dict[str, object]:
        """Everything, kinds of most calls first."""
        return {
            "policy": {"version": self.policy.version, "sha256": self.policy.sha256},
            "decided": self.decided,
            "same": self.same,
            "changed": self.decided - self.same,
            "changes": [
                {"outcome": outcome, "was": was, "would_be": would, **kind.to_json()}
                for (outcome, was, would), kind in most(self.changes)
            ],
            "rules": [
                {"was": was, "would_be": would, **kind.to_json()} for (was, would), kind in most(self.rules)
            ],
            "details": [{"of": name, **kind.to_json()} for name, kind in most(self.details)],
            "sampled": {"was": self.sampled[0], "would_be": self.sampled[1]},
            "without": dict(sorted(self.without.items())),
            "left_out": {why: kind.to_json() for why, kind in sorted(self.left_out.items())},
        }


def most(kinds: Mapping[Any, Kind]) -> list[tuple[Any, Kind]]:
    """Those of most calls first."""
    return sorted(kinds.items(), key=lambda item: (-item[1].calls, item[0]))


def done(decision: Decision, *, in_any: bool = False) -> str:
    """What is done with a call, in words; `in_any`: whether or not it is in the sample."""
    if decision.record is RecordMode.NEVER:
        return "not recorded"
    if not obtainable(decision):
        return f"not recorded, {decision.consent.value} cannot be obtained"
    if not decision.sampled and not in_any:
        return "not in the sample"
    what = {RecordMode.ON_DEMAND: "on demand", RecordMode.SAMPLE: "sample"}.get(decision.record, "recorded")
    return f"{what}, {CONSENT[decision.consent]}"


def _grounds(past: Past) -> Grounds:
    if isinstance(past.inputs, list):
        return read(past.inputs)
    return (Ground(past.policy, Inputs.from_json(past.inputs)),)
