"""Reading `[purpose.NAME]`: why recordings may be kept for it, and how long they must and may be."""

from __future__ import annotations

import re

from fsgov.policy.bounds import Bounds
from fsgov.policy.document import Anchor, Purpose
from fsgov.policy.reading import Table, nearest
from fsgov.policy.spans import Span, span
from fsgov.policy.terms import Basis, Lock

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
EVENTS = ("call_end", "contract_end", "last_activity", "case_closed")
"""What a retention period can start from. Only call_end happens to every call."""
RESERVED = ("review", "audit", "complaint", "subject_request")
"""What the database opens recordings for besides, on conditions of its own (`fsgov.may_open`)."""
A_SPAN = "write 5 years, 6 months, 90 days or 1 year 6 months"


def _span(purpose: Table, key: str, needed: str = "") -> Span | None:
    text = purpose.text(key, needed=needed)
    if not text:
        return None
    read = span(text)
    if read is None:
        purpose.fault(key, f"{text!r} is no span of calendar time", A_SPAN)
    return read


def _anchor(purpose: Table, key: str) -> Anchor | None:
    text = purpose.text(key)
    if not text:
        return None
    event, plus, rest = text.partition(" + ")
    if event not in EVENTS:
        purpose.fault(key, f"{event!r} is no event that a period starts from", nearest(event, EVENTS))
        return None
    read = span(rest) if plus else Span()
    if read is None:
        purpose.fault(key, f"{rest!r} is no span of calendar time", A_SPAN)
        return None
    return Anchor(event=event, plus=read)


def read_purpose(name: str, purpose: Table, bounds: Bounds) -> Purpose:
    """One purpose; its faults are noted and the rest goes on with harmless values."""
    if not NAME.fullmatch(name):
        purpose.faults.add(purpose.path, "is no name of a purpose", "small letters, digits and _")
    if name in RESERVED:
        purpose.faults.add(purpose.path, "is what fsgov opens recordings for besides", "call it otherwise")
    purpose.text("basis", needed=" ".join(basis.value for basis in Basis))
    shortest = _span(purpose, "retain_min") or Span()
    longest = _span(purpose, "retain_max", needed=A_SPAN)
    if longest is not None and not shortest.never_longer_than(longest):
        purpose.fault("retain_min", f"{shortest} can end after retain_max, {longest}", "use the same units")
    anchor = _anchor(purpose, "anchor") or Anchor(event="call_end")
    fallback = _anchor(purpose, "anchor_fallback")
    if (
        anchor.event == "call_end"
        and fallback is not None
        and not purpose.faults.touches(purpose.at("anchor"))
    ):
        purpose.fault("anchor_fallback", "has no effect, every call ends", "leave it out")
    if anchor.event != "call_end" and not purpose.has("anchor_fallback"):
        hint = 'anchor_fallback = "call_end + 1 year"'
        purpose.fault("anchor_fallback", f"is missing, {anchor.event} may never happen", hint)
    if fallback is not None and fallback.event != "call_end":
        purpose.fault(
            "anchor_fallback", f"{fallback.event} may never happen either", "start it from call_end"
        )
    read = Purpose(
        name=name,
        kind=purpose.text("kind", name),
        basis=purpose.choice("basis", Basis, Basis.CONSENT),
        retain_min=shortest,
        retain_max=longest or Span(),
        anchor=anchor,
        anchor_fallback=fallback,
        lock=_lock(purpose, shortest),
    )
    bounds.check_purpose(purpose, read)
    purpose.end()
    return read


def _lock(purpose: Table, shortest: Span) -> Lock:
    lock = purpose.choice("lock", Lock, Lock.NONE)
    if lock is Lock.NONE:
        return lock
    if shortest == Span() and not purpose.faults.touches(purpose.at("retain_min")):
        purpose.fault("lock", "would end at once: there is no retain_min", 'retain_min = "5 years"')
    if purpose.source.get("basis") == Basis.CONSENT.value:
        hint = "a consent can be taken back, a lock cannot: another basis, or no lock"
        purpose.fault("lock", "keeps what rests on a consent", hint)
    return lock
