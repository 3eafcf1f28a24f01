"""What a plan would destroy, keep and spare, counted: a dry run and a plan are the same walk."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fsgov.retention import Disposition, Facts, Verdict

BATCH = 5_000
"""So few that the database finds each by its key, however many there are."""
AHEAD = 4
"""Batches that wait to be added, so that nobody waits for the other."""
LEAST = 100
"""A plan of so few needs no leave to be larger than its share."""
SHARE = 10
"""One of so many may be destroyed by a plan that says nothing about its size."""

Take = Callable[[list[str], list[str]], object]
"""Is given recordings to destroy, each with its cause."""
Due = Callable[[Facts, Disposition], bool]
"""Which of the recordings that are to be destroyed a plan takes."""


def usual_most(recordings: int) -> int:
    """The blast radius of a plan that names none: a tenth of everything there is."""
    return max(LEAST, recordings // SHARE)


@dataclass(slots=True)
class Tally:
    """Recordings by what becomes of them; size: bytes of sealed objects that go."""

    judged: int = 0
    keep: int = 0
    hold: int = 0
    destroy: int = 0
    size: int = 0
    overdue: int = 0
    unjudged: int = 0
    """Kept for want of knowing: no period can be worked out."""
    left: int = 0
    """To be destroyed, but not by this plan."""
    causes: Counter[str] = field(default_factory=Counter)

    def facts(self) -> dict[str, Any]:
        return {"judged": self.judged, "keep": self.keep, "hold": self.hold, "destroy": self.destroy,
                "size": self.size, "overdue": self.overdue, "unjudged": self.unjudged,
                "causes": dict(self.causes), **({"left": self.left} if self.left else {})}  # fmt: skip


def fill(
    rows: Iterable[tuple[Facts, Disposition]], tenant: str, add: Take, most: int, due: Due | None = None
) -> Tally:
    """The same walk, while what is due is added beside it: the database and this process have a core each.

    Where more than `most` are due that many are added, and the others only counted: it is no plan.
    """
    adding = deque[Future[object]]()
    added = 0
    with ThreadPoolExecutor(1) as beside:

        def take(segments: list[str], causes: list[str]) -> None:
            nonlocal added
            if len(adding) == AHEAD:
                adding.popleft().result()
            if added <= most:
                adding.append(beside.submit(add, segments, causes))
                added += len(segments)

        tally = walk(rows, tenant, take, due)
        for last in adding:
            last.result()
    return tally


def walk(rows: Iterable[tuple[Facts, Disposition]], tenant: str, take: Take, due: Due | None = None) -> Tally:
    """Count everything of this tenant (*: of all), and hand over what is due, a batch at a time."""
    told = Tally()
    segments, causes = list[str](), list[str]()
    for facts, found in rows:
        if tenant not in ("*", facts.tenant) or facts.state == "destroying":
            continue
        told.judged += 1
        told.overdue += found.overdue
        told.unjudged += found.unjudged
        if found.verdict is Verdict.KEEP:
            told.keep += 1
        elif found.verdict is Verdict.HOLD:
            told.hold += 1
        elif due is not None and not due(facts, found):
            told.left += 1
        else:
            cause = found.reasons[0].cause.value
            told.destroy += 1
            told.size += facts.size
            told.causes[cause] += 1
            segments.append(facts.segment)
            causes.append(cause)
            if len(segments) == BATCH:
                take(segments, causes)
                segments, causes = [], []
    if segments:
        take(segments, causes)
    return told
