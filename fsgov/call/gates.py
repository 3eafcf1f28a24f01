"""A leg at the gate of a dialplan, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from fsgov.events import Instant

GO = "go"
"""Told that there is nothing to ask: from then on the leg is like one that never saw a gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtGate:
    """When it asked, and what it was told: "" not yet (or too late), `GO`, or the mode of its question."""

    opened: Instant
    told: str = ""
