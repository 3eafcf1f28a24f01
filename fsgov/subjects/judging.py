"""What an erasure does with one recording, and why not, where it does not. No I/O."""

from __future__ import annotations

from dataclasses import replace

from fsgov.catalog.erasing import Left, Noted
from fsgov.errors import Conflict
from fsgov.events import Instant
from fsgov.policy import Policy
from fsgov.retention import Cause, Disposition, Facts, Verdict, judge

GONE = ("", "missing", "destroyed")
LOCKED, STOPPED = "locked", "stopped"


def granted(facts: Facts, policy: Policy | None, holds: tuple[str, ...], now: Instant) -> Disposition:
    """The verdict on a recording that a person has asked to have erased."""
    return judge(replace(facts, subject_erasure=True), policy, holds, now)


def noted(record: Left, found: Disposition | None) -> Noted:
    """What is to be noted of a recording. found: None where the catalog has no audio of it."""
    verdict, reasons, until = "due", tuple[str, ...](), None
    if found is None:
        if record.state not in GONE:
            raise Conflict("A recording that is there was not judged", record.segment)
        # destroyed for this request, or after it had to wait; else it was not there when it was asked for
        verdict = "erased" if record.planned == "destroyed" or record.verdict != "due" else "gone"
    elif found.verdict is Verdict.HOLD:
        verdict, reasons = "held", tuple(each.of for each in found.reasons if each.cause is Cause.HELD)
    elif found.verdict is Verdict.KEEP:
        verdict, until = "statutory", found.keep_until
        reasons = statutory(found)
    elif record.planned == STOPPED:
        reasons = (STOPPED,)
    elif record.planned == "scheduled":
        reasons = (LOCKED,)
        until = None if record.again_at is None else int(record.again_at.timestamp() * 1e6)
    return Noted(record.call, record.party, record.segment, verdict, reasons, until)


def statutory(found: Disposition) -> tuple[str, ...]:
    """Purposes that demand that it is kept; or, in a word, why nobody knows how long it must be."""
    minimum = tuple(each.of for each in found.reasons if each.cause is Cause.MINIMUM)
    return minimum or tuple(each.cause.value for each in found.reasons if each.cause is not Cause.ERASURE)
