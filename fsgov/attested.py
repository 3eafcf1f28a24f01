"""What somebody else says that a party has said, as a frozen value; pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """`state`: given, refused or withdrawn. `party`: 0 is the one outside."""

    state: str
    party: int = 0
    purpose: str = ""
    """"": what the consent mode of the call's rule rests on."""
    by: int = 0
    """The party inside who says so; 0: a person at a desk."""
