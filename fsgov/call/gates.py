"""A leg at the gate of a dialplan, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsgov.events import Instant
from fsgov.policy import Require

if TYPE_CHECKING:
    from fsgov.call.state import Call

GO = "go"
"""Told that there is nothing to ask: from then on the leg is like one that never saw a gate."""
LATE = "late"
"""Not told in time: the dialplan has gone on by its failure mode."""
PAST = "past"
"""It never was at the gate, and its rule wants it to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtGate:
    """When it asked, and what it was told: "" not yet, `GO`, `LATE`, `PAST`, or the mode of its question."""

    opened: Instant
    told: str = ""
    waits: Instant | None = None
    """Since when it waits for its recording to be confirmed (`require = "before_answer"`)."""


def came(call: Call) -> bool:
    """Its rule wants no gate, or it has come through one."""
    if call.decision is None or not call.decision.gate:
        return True
    return any(at.told != PAST for at in call.gates.values())


def held_there(call: Call, leg: str) -> bool:
    """This leg may not go on before its recording runs, and is or was at the gate, which can hold it."""
    decision = call.decision
    return decision is not None and decision.require is Require.BEFORE_ANSWER and leg in call.gates
