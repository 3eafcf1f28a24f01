"""What becomes of one recording, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from fsgov.events import Instant


class Verdict(Enum):
    """What is to be done with it: nothing yet, nothing because of a hold, or its destruction."""

    KEEP = "keep"
    HOLD = "hold"
    DESTROY = "destroy"


class Cause(Enum):
    """One ground of a verdict; the value is how rows and JSON name it."""

    HELD = "held"
    """A hold is in force."""
    LIVE = "live"
    """A purpose goes on until then."""
    EXPIRED = "expired"
    """A purpose is over since then."""
    MINIMUM = "minimum"
    """It must be kept for a purpose until then."""
    DISPOSE = "dispose"
    """Refused, withdrawn, or so decided by a reviewer."""
    IN_REVIEW = "in_review"
    """In quarantine until then."""
    UNREVIEWED = "unreviewed"
    """Its quarantine was over then, and nobody has decided to keep it."""
    ERASURE = "erasure"
    """Granted to a person it is about."""
    NO_POLICY = "no_policy"
    """Nobody knows the policy it was captured under."""
    NO_PURPOSE = "no_purpose"
    """It was captured for no purpose, so that nothing says for how long."""
    UNKNOWN_PURPOSE = "unknown_purpose"
    """The policy does not know this purpose."""
    NO_END = "no_end"
    """Nobody knows when it ended."""
    BEGUN = "begun"
    """Its destruction has begun: no hold comes in time any more."""
    GONE = "gone"
    """There is no audio."""


UNJUDGED = frozenset({Cause.NO_POLICY, Cause.NO_PURPOSE, Cause.UNKNOWN_PURPOSE, Cause.NO_END})
"""Grounds that say that no period can be worked out: kept, until a person looks."""
_WORDS = {
    Cause.LIVE: "until",
    Cause.EXPIRED: "over since",
    Cause.MINIMUM: "must be kept until",
    Cause.DISPOSE: "refused, withdrawn or so decided: to be destroyed",
    Cause.IN_REVIEW: "in quarantine until",
    Cause.UNREVIEWED: "nobody decided to keep it; its quarantine was over",
    Cause.ERASURE: "erasure granted",
    Cause.NO_POLICY: "its policy is not known",
    Cause.NO_PURPOSE: "captured for no purpose",
    Cause.UNKNOWN_PURPOSE: "its policy does not know this purpose",
    Cause.NO_END: "nobody knows when it ended",
    Cause.BEGUN: "its destruction has begun",
    Cause.GONE: "there is no audio",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A cause, and what it is about."""

    cause: Cause
    of: str = ""
    """The purpose, or the hold."""
    until: Instant | None = None
    event: str = ""
    """What the period of a purpose started from: `contract_end`, or `call_end + 1 year` as its fallback."""

    def __str__(self) -> str:
        """`training: until 2027-05-21T22:00Z, from call_end`."""
        if self.cause is Cause.HELD:
            return f"hold {self.of}"
        text = f"{self.of}: " * bool(self.of) + _WORDS[self.cause]
        if self.until is not None:
            text += f" {datetime.fromtimestamp(self.until // 1_000_000, UTC):%Y-%m-%dT%H:%MZ}"
        return f"{text}, from {self.event}" if self.event else text

    def to_json(self) -> dict[str, str | int | None]:
        return {"cause": self.cause.value, "of": self.of, "until": self.until, "event": self.event}


@dataclass(frozen=True, slots=True)
class Disposition:
    """The verdict on one recording at one instant."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    """What decided first; then every purpose."""
    live: frozenset[str]
    """The purposes it may still be used for, as far as time says."""
    keep_until: Instant | None
    """Nothing but a hold or a refusal counts before: the last minimum. None: no purpose has one."""
    destroy_after: Instant | None
    """From then on it may not be kept, but for a hold. None: no period can be worked out."""
    overdue: bool
    """`destroy_after` is past, by more than the grace: held or not."""

    @property
    def unjudged(self) -> bool:
        """No period can be worked out: it is kept for want of knowing."""
        return self.destroy_after is None and any(reason.cause in UNJUDGED for reason in self.reasons)
