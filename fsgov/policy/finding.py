"""What can be found in a policy whose keys are well formed: faults that refuse it, and what may be meant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """A fault refuses the policy; a warning is told, for it may be meant."""

    FAULT = "fault"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about one rule, or about several alike."""

    severity: Severity
    kind: str
    """`unreachable`, `contradiction` or `floor`."""
    path: str
    """`rule[3]`."""
    rule: str
    message: str
    hint: str = ""
    others: tuple[str, ...] = ()
    """Paths of the other rules that it concerns."""

    def __str__(self) -> str:
        return f"{self.path} ({self.rule}): {self.message}" + (f" ({self.hint})" if self.hint else "")
