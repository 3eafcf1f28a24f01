"""One file of the switch as a value: the pauses and holds in it, what the switch reported at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fsgov.events import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    by: str
    from_ms: int
    asked: Instant
    to_ms: int | None = None
    acknowledged: Instant | None = None
    ended: Instant | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    start: Instant
    end: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of the switch, from its plan to its release."""

    id: str
    n: int
    leg: str
    leg_name: str
    rule: str
    policy: str
    basis: Mapping[str, str]
    purposes: tuple[str, ...]
    vault: str
    consents: tuple[str, ...]
    evidence: Mapping[str, str] = field(default_factory=dict)
    """The digest of each of `consents` when the segment was opened."""
    parties: tuple[int, ...] = ()
    """Everybody who could be heard in it."""
    armed: bool = False
    unbuffered: bool = False
    """The switch writes each frame at once: a crash of it takes half a second at most."""
    opened: Instant | None = None
    start_lost_ms: int | None = None
    """How long capture was permitted and wanted before its first frame; None: not known."""
    closed: Instant | None = None
    cause: str = ""
    reported_ms: int | None = None
    reported_size: int | None = None
    discarded: bool = False
    masks: tuple[Mask, ...] = ()
    holds: tuple[Hold, ...] = ()
    unsure: bool = False
    """A hold of its leg may have been missed, so a mask could not be placed in its file."""
    full: bool = False
    """It has the length that a segment may have (`fsgov.call.length`): it is closed, the next one goes on."""
    moved: bool = False
    """It runs on a leg it was not started on: only `stop all` reaches it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """Where a segment runs that was given up; `every`: it has moved there, only `stop all` reaches it."""

    leg: str
    every: bool = False
    look: bool = False  # a stop was refused: see whether it runs at all
