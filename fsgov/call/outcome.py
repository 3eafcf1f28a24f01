"""How a conversation ended: exactly one word, and how its time was covered until then."""

from __future__ import annotations

from dataclasses import replace

from fsgov.call.site import SECOND
from fsgov.call.state import Answered, Call, Capture
from fsgov.call.timeline import moment
from fsgov.call.withdrawing import gates
from fsgov.events import Instant
from fsgov.policy import Decision, RecordMode

TOLERANCE: Instant = SECOND
"""Capture may be behind what is wanted for so long (a start takes time) before a part counts as missing."""


def account(call: Call, aim: Capture, now: Instant, time: Instant) -> None:
    """Note since when capture is wanted and not confirmed, for how long, and whether a stop forbade it.

    time: when it happened, what this step has learned of.
    """
    decision = call.decision
    wants = decision is not None and call.answered is not None and not _unwanted(call, decision)
    if call.halt.told and wants and not call.stopped:
        call.halt = replace(call.halt, kept_off=True)
    missing = aim is Capture.ON and call.actual not in (Capture.ON, Capture.MASKED)
    if missing and call.gap_since is None:
        call.gap_since, call.missed = now, True
        call.owed_since = call.owed_since or moment(now, time)  # known already, after a restart
    elif not missing and call.gap_since is not None:
        if now - call.gap_since > TOLERANCE:
            call.flawed = call.flawed or "gap"
        call.gap_since = None
    if not missing:
        call.owed_since = None


def outcome(call: Call) -> tuple[str, str]:
    """The one outcome, and its cause; merged, foreign, withdrawn, refused come before what else is true."""
    if call.merged_into is not None:
        return "merged", ""
    if call.foreign:
        return "foreign", ""
    decision = call.decision
    purpose = "" if decision is None else decision.asks_for
    states = {row.state for row in call.consents if row.purpose == purpose and gates(call, purpose)}
    if Answered.WITHDRAWN in states:
        return ("withdrawn" if call.captured else "refused"), ""
    if Answered.REFUSED in states:
        return ("withdrawn" if call.captured else "refused"), ""
    unwanted = _unwanted(call, decision)
    if unwanted and not call.captured:
        return unwanted, "law" if decision is not None and decision.curbs else ""
    if not call.captured:
        return _never_captured(call, decision)
    cause = call.flawed or ("stop" if call.halt.kept_off else "")
    return ("recorded-in-part" if cause else "recorded"), cause


def _unwanted(call: Call, decision: Decision | None) -> str:
    """What the rule says of a call that it did not want recorded."""
    if decision is None:
        return ""
    if decision.record is RecordMode.NEVER:
        return "not-required"
    if decision.record is RecordMode.ON_DEMAND and not call.started:
        return "not-requested"
    if not decision.sampled:
        return "sampled-out"
    return ""


def _never_captured(call: Call, decision: Decision | None) -> tuple[str, str]:
    if call.answered is None:
        return "not-answered", ""
    if call.halt.kept_off and not call.flawed:
        return "not-required", "stop"
    if call.missed:
        return "failed", call.flawed or "hung-up"
    if decision is None:
        return "failed", "undecided"
    if call.stopped or call.paused is not None:
        return "not-requested", ""
    members = {call.legs[party.leg].answered for party in call.parties if party.leg in call.legs}
    if call.legs and not any(members):
        return "not-answered", ""
    gate_closed = decision.consent.rank > 0 or any(row.state is not Answered.GIVEN for row in call.consents)
    if gate_closed or not _covered_without_consent(decision):
        return "consent-unanswered", ""
    return ("not-required", "alone") if call.parted_from is not None else ("not-answered", "")


def _covered_without_consent(decision: Decision) -> bool:
    return any(basis.value != "consent" for basis in decision.basis.values())
