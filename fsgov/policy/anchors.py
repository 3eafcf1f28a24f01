"""`[anchor.EVENT]`: which fact of the CRM says when something happens that a period starts from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from fsgov.policy.document import Purpose
from fsgov.policy.purposes import EVENTS
from fsgov.policy.reading import Table, nearest

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
CALENDAR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
SET = EVENTS[1:]
"""Events that somebody has to tell; a call ends by itself."""
LATEST = 100 * 366 * 86_400_000_000
"""Microseconds: nothing starts later than so long from now."""


def read_anchors(top: Table, purposes: Iterable[Purpose]) -> dict[str, str]:
    """Event -> the fact that has its day."""
    wanted = {purpose.anchor.event for purpose in purposes}
    found = {}
    for event, table in top.named_tables("anchor"):
        fact = table.text("crm", needed='the fact of the CRM that has the day: crm = "contract_ends"')
        if event not in SET:
            top.faults.add(table.path, "is no event that somebody tells", nearest(event, SET))
        elif event not in wanted and not top.faults.touches("purpose"):
            top.faults.add(table.path, "is told for nothing: no purpose starts from it", "leave it out")
        if fact and not NAME.fullmatch(fact):
            table.fault("crm", f"{fact!r} is no name", "letters, digits, _ . and -")
        table.end()
        found[event] = fact
    return found


def moment(text: str, timezone: str, now: int) -> int | None:
    """The instant (microseconds) that a text says: a day (its noon, there) or an instant with its offset.

    None where it is neither, or no day of which a period could start.
    """
    try:
        if CALENDAR.fullmatch(text):
            at = datetime.fromisoformat(text).replace(hour=12, tzinfo=_zone(timezone))
        else:
            at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            return None
        instant = round(at.timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        return None
    return instant if 0 <= instant <= now + LATEST else None


@lru_cache(256)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(timezone)
