"""What another policy's periods would change: shown before a person decides that they count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fsgov.retention.disposition import Disposition, Verdict
from fsgov.retention.facts import Facts


@dataclass(slots=True)
class Group:
    """How many recordings, and how many bytes of sealed audio."""

    recordings: int = 0
    size: int = 0

    def add(self, facts: Facts) -> None:
        self.recordings += 1
        self.size += facts.size


@dataclass(slots=True)
class Comparison:
    """Recordings by what becomes of them before and after; and whose time changes."""

    verdicts: dict[tuple[Verdict, Verdict], Group] = field(default_factory=dict)
    """(before, after) -> those."""
    shorter: Group = field(default_factory=Group)
    """Destroyed earlier, or their minimum ends earlier."""
    longer: Group = field(default_factory=Group)
    """Destroyed later, or their minimum ends later. One may be both."""
    unjudged: Group = field(default_factory=Group)
    """Had a period and would have none: kept until a person looks."""

    def add(self, facts: Facts, before: Disposition, after: Disposition) -> None:
        self.verdicts.setdefault((before.verdict, after.verdict), Group()).add(facts)
        if after.unjudged and not before.unjudged:
            self.unjudged.add(facts)
            return
        old = (before.destroy_after, before.keep_until)
        new = (after.destroy_after, after.keep_until)
        if any(_earlier(later, earlier) for earlier, later in zip(old, new, strict=True)):
            self.shorter.add(facts)
        if any(_earlier(earlier, later) for earlier, later in zip(old, new, strict=True)):
            self.longer.add(facts)


def compare(judged: Iterable[tuple[Facts, Disposition, Disposition]]) -> Comparison:
    """All of these, each with its disposition before and after."""
    found = Comparison()
    for facts, before, after in judged:
        found.add(facts, before, after)
    return found


def _earlier(one: int | None, other: int | None) -> bool:
    """None: no end that is known (destroy_after), no minimum (keep_until)."""
    return one is not None and other is not None and one < other
