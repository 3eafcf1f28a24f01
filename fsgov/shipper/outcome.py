"""What the audio says of a conversation's outcome, where govern believed more or less than there is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CLAIMS = ("recorded", "recorded-in-part")
"""Outcomes that rest on audio; every other one takes precedence over a revision."""


@dataclass(frozen=True, slots=True)
class Revision:
    outcome: str
    cause: str


def revise(outcome: str | None, frames: Sequence[int]) -> Revision | None:
    """The outcome that is true, or None where the one of govern stands.

    frames: of each file that the switch said it recorded; 0 for one of 44 bytes, and for one that is missing.
    None at all where govern was killed before any start of its was carried out. A call whose only start was
    never confirmed has failed, as far as govern could know (it was killed in between): what was written
    tells more.
    """
    if outcome == "failed" and any(frames):
        return Revision("recorded-in-part", "unconfirmed")
    if outcome not in CLAIMS or (frames and all(frames)):
        return None
    if any(frames):
        return None if outcome == "recorded-in-part" else Revision("recorded-in-part", "media")
    return Revision("failed", "media")
