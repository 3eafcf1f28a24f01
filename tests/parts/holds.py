"""Holds for tests that are about something else: placed by the database's administrator, released at once."""

from __future__ import annotations

import json

from tests.parts.catalog import World

PLACE = "SELECT fsgov.place_hold(%s, 'a matter', '', '', NULL)"
RELEASE = """UPDATE fsgov.holds h SET asked_by = placed_by, asked_at = now(), released_at = now(),
    released_by = (SELECT max(id) FROM fsgov.people p WHERE p.id <> h.placed_by) WHERE released_at IS NULL"""


def items(**of: str) -> str:
    """`call="0f6c"`, `segment="0f6c-01"` and the like, as place_hold takes them."""
    return json.dumps([{"kind": kind, "value": value} for kind, value in of.items()])


def place(world: World, **of: str) -> str:
    """A hold on all this, by its id."""
    ((hold,),) = world.sql("admin", PLACE, values=[items(**of)])
    return str(hold)


def release(world: World) -> None:
    """Every hold is over."""
    world.sql("admin", RELEASE)
