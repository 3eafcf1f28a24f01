"""What is known about one recording when it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fsgov.events import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One segment as the catalog has it, with what its call and the people around it add."""

    segment: str
    call: str
    tenant: str
    purposes: tuple[str, ...]
    """What it was captured for."""
    policy_sha256: str
    """Of the policy it was captured under; "" where nobody knows."""
    state: str
    """`stored`, `quarantined`, `destroying`, `destroyed`, `missing`."""
    dispose: bool = False
    """Refused, withdrawn, or so decided by a reviewer: it waits for its destruction."""
    quarantine: str = ""
    """Why it was set aside."""
    review_by: Instant | None = None
    """When its quarantine ends at the latest."""
    ended: Instant | None = None
    """When its call ended; while that is not known, when the segment did."""
    anchors: Mapping[str, Instant] = field(default_factory=dict)
    """Event -> when it was, or will be, for the events of `policy.purposes.EVENTS` that somebody has set."""
    size: int = 0
    """Of the sealed object, in bytes."""
    vault: str = ""
    subject_erasure: bool = False
    """A person has asked for its erasure, and that was granted."""
    planned: bool = False
    """It is in a plan that two persons have approved, and that has not come to it yet."""
