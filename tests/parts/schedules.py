"""Schedules as bob proposes and alice approves them, and recordings that are due."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import time
from typing import Any

from fsgov.catalog.plans import Plans
from fsgov.catalog.scheduling import ScheduleRow, Schedules, Wanted
from fsgov.policy import parse
from fsgov.policy.spans import Span
from tests.parts.catalog import World

POLICY = parse("""
version = "1"
timezone = "Europe/Berlin"
default = "never"
[purpose.short]
basis = "contract"
retain_max = "1 day"
[purpose.long]
basis = "contract"
retain_max = "50 years"
""")
CAUSES = ["dispose", "expired", "in_review", "unreviewed"]
LONG_AGO = 1_767_225_600_000_000
"""An Instant: 2026-01-01."""
DUE = {"policy": POLICY.sha256, "purposes": ["short"], "closed": LONG_AGO, "opened": LONG_AGO}


def wanted(**changes: Any) -> Wanted:
    made: dict[str, Any] = {
        "tenant": "*", "every": "day", "at": time(2, 30), "timezone": "Europe/Berlin", "causes": CAUSES,
        "grace_days": 0, "most": 10, "reason": "", "valid": Span(years=1),
    }  # fmt: skip
    return Wanted(**{**made, **changes})


@contextmanager
def standing(world: World, name: str) -> Iterator[Schedules]:
    with closing(Plans(world.as_person(name))) as plans:
        yield Schedules(plans.database)


def proposed(world: World, **changes: Any) -> ScheduleRow:
    with standing(world, "bob") as schedules:
        return schedules.schedule(schedules.propose(wanted(**changes)))


def scheduled(world: World, *, run: bool = True, **changes: Any) -> str:
    """Approved by alice, two days ago where it is to run now."""
    row = proposed(world, **changes)
    with standing(world, "alice") as schedules:
        schedules.approve(row.id, row.sha256)
    if run:
        backdate(world)
    return row.id


def backdate(world: World, days: int = 2) -> None:
    world.sql(
        "admin", "UPDATE fsgov.schedules SET approved_at = now() - make_interval(days => %s)", values=[days]
    )
