"""All recordings, counted by what becomes of them: keep + hold + destroy = all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fsgov.retention.comparing import Group
from fsgov.retention.disposition import Disposition, Verdict
from fsgov.retention.facts import Facts


@dataclass(slots=True)
class Tally:
    """How many recordings, and how much of sealed audio."""

    verdicts: dict[Verdict, Group] = field(default_factory=lambda: {verdict: Group() for verdict in Verdict})
    overdue: Group = field(default_factory=Group)
    """Past their time by more than the grace, held by nothing, and in no plan that is approved."""
    unjudged: Group = field(default_factory=Group)
    """No period can be worked out for them: kept until a person looks."""

    def add(self, facts: Facts, found: Disposition) -> None:
        self.verdicts[found.verdict].add(facts)
        if found.overdue and found.verdict is Verdict.DESTROY and not facts.planned:
            self.overdue.add(facts)
        if found.unjudged:
            self.unjudged.add(facts)

    @property
    def all(self) -> Group:
        return Group(
            sum(group.recordings for group in self.verdicts.values()),
            sum(group.size for group in self.verdicts.values()),
        )


def tally(judged: Iterable[tuple[Facts, Disposition]]) -> Tally:
    found = Tally()
    for facts, disposition in judged:
        found.add(facts, disposition)
    return found
