"""Which part is killed where, and in which order: each named place once, or as a seed says."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

SHIP = tuple(
    f"ship.{step}.{when}"
    for step in ("ready", "sealed", "stored", "key", "entered", "discard")
    for when in ("before", "after")
)
KEEP = ("keep.batch.read", "keep.insert", "keep.commit", "keep.checkpoint.row", "keep.sink", "keep.vault")
GOVERN = tuple(
    f"govern.{step}.{when}" for step in ("sidecar", "capture", "captured") for when in ("before", "after")
)
OUTSIDE = ("sidecar there", "capture runs", "file closed", "in the middle")
"""kill -9 of govern from outside, as soon as this is seen; the scribe outlives it for a moment."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One end of a part: at the nth passing of a failpoint, or from outside.

    point: a failpoint; or, for govern, one of OUTSIDE; "" is `after` seconds from its start.
    must: a failpoint that is not reached fails the run; else the part is killed from outside at last.
    """

    point: str
    nth: int = 1
    after: float = 0.0
    must: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int | None
    govern: tuple[Blow, ...]
    ship: tuple[Blow, ...]
    keep: tuple[Blow, ...]

    def __str__(self) -> str:
        return "each once" if self.seed is None else f"seed {self.seed}"


def each_once() -> Plan:
    """Every named place, in the order of the work."""
    return Plan(
        None,
        tuple(Blow(point) for point in (*GOVERN, *OUTSIDE)),
        tuple(Blow(point) for point in SHIP),
        tuple(Blow(point) for point in KEEP),
    )


def by_seed(seed: int) -> Plan:
    """Every named place in any order and at any passing, random moments between them."""
    dice = random.Random(seed)

    def blows(points: tuple[str, ...], most: int) -> Iterator[Blow]:
        for point in points:
            yield Blow(point, nth=dice.randint(1, most), must=False)

    def shuffled(*kinds: Iterator[Blow]) -> tuple[Blow, ...]:
        found = list(itertools.chain(*kinds))
        dice.shuffle(found)
        return tuple(found)

    def moments(count: int) -> Iterator[Blow]:
        return (Blow("", after=dice.uniform(0.2, 5.0)) for _ in range(count))

    return Plan(
        seed,
        shuffled(blows(GOVERN, 2), (Blow(point) for point in OUTSIDE), moments(4)),
        shuffled(blows(SHIP, 4), moments(6)),
        shuffled(blows(KEEP, 3), moments(4)),
    )
