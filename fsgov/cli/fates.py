"""What `recordings show` tells of the end of a recording: kept, held or to be destroyed, and why."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fsgov.cli import output
from fsgov.cli.frame import Frame
from fsgov.errors import NotPermitted

if TYPE_CHECKING:
    from fsgov.catalog.fates import Fate, PlanOf, Tombstone
    from fsgov.retention import Reason

GONE = ("destroyed", "missing")


def fates_of(frame: Frame, segments: Sequence[tuple[str, str]]) -> dict[str, dict[str, Any] | None]:
    """Of each segment (id, state), as JSON has it; None where this login may not know."""
    from fsgov.catalog.retaining import Retaining

    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    grace = frame.settings.retention.overdue_after
    with frame.database() as dsn, closing(Retaining(dsn)) as retaining:
        try:
            found = retaining.fates([segment for segment, _ in segments], now, grace=grace)
        except NotPermitted:
            return dict.fromkeys(segment for segment, _ in segments)
    return {segment: told_of(found[segment], state) for segment, state in segments}


def told_of(fate: Fate, state: str) -> dict[str, Any]:
    """As JSON has it. state: of its row."""
    found, facts = fate.found, fate.facts
    return {
        "verdict": found.verdict.value if found else state if state in GONE else None,
        "reasons": [_reason(each) for each in found.reasons] if found else [],
        "live": sorted(found.live) if found else [],
        "keep_until": _moment(found.keep_until) if found else None,
        "destroy_after": _moment(found.destroy_after) if found else None,
        "overdue": found.overdue if found else False,
        "ended": _moment(facts.ended) if facts else None,
        "anchors": fate.anchors,
        "locks": [{"vault": lock.vault, "mode": lock.mode, "until": lock.until} for lock in fate.locks],
        "plans": None if fate.plans is None else [_without_segment(each) for each in fate.plans],
        "certificate": fate.tombstone and _without_segment(fate.tombstone),
    }


def _without_segment(row: PlanOf | Tombstone) -> dict[str, Any]:
    plain: dict[str, Any] = output.plain(row)
    del plain["segment"]
    return plain


def _reason(reason: Reason) -> dict[str, Any]:
    return reason.to_json() | {"until": _moment(reason.until), "text": str(reason)}


def _moment(at: int | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at // 1_000_000, UTC)


def in_words(told: dict[str, Any] | None) -> dict[str, Any]:
    """The same for people, name by name; nothing that there is not."""
    if told is None:
        return {"retention": "not for this login"}
    stone = told["certificate"]
    lines = {
        "verdict": told["verdict"],
        "because": "; ".join(each["text"] for each in told["reasons"]),
        "live": told["live"],
        "keep until": told["keep_until"],
        "destroy after": told["destroy_after"],
        "overdue": told["overdue"] or None,
        "anchors": [
            f"{each.event} {output.cell(each.at)} by {each.set_by or 'the CRM'}" for each in told["anchors"]
        ],
        "locks": [
            f"{each['vault']} {each['mode']} until {output.cell(each['until'])}" for each in told["locks"]
        ],
        "plans": [_plan(each) for each in told["plans"] or ()],
        "certificate": stone and f"{stone['sha256']}, destroyed {stone['destroyed_at']}",
    }
    return {name: value for name, value in lines.items() if value or name == "verdict"}


def _plan(plan: dict[str, Any]) -> str:
    why = f": {plan['why']}" if plan["why"] else ""
    return f"{plan['plan']} is {plan['plan_state']}, this recording {plan['state']}{why}"
