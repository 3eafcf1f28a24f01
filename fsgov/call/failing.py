"""A recording that is wanted and cannot be had: it is told, and the rule's `on_failure` carried out."""

from __future__ import annotations

from fsgov.call import announcing
from fsgov.call.consent import asked
from fsgov.call.gates import GO, LATE, PAST
from fsgov.call.state import Call, Capture, Leg
from fsgov.call.turn import Turn
from fsgov.commands import HangUp
from fsgov.policy import OnFailure, Require

ATTEMPTS = 8
"""Failures in a row after which a conversation is not recorded any more."""
GATE = "gate"
"""The cause where the gate of a dialplan, which the rule counts on, did not do its part."""


def failing(t: Turn, failures_before: int, leg: Leg | None) -> None:
    """Tell, once, that starts fail: after the last attempt, or the first where the recording is needed."""
    call = t.call
    if call.decision is None or call.failures <= failures_before:
        return
    needed = call.decision.require is not Require.BEST_EFFORT and call.failures == 1
    if needed or call.failures == ATTEMPTS:
        tell(t, call.flawed or "unconfirmed", leg)


def tell(t: Turn, cause: str, leg: Leg | None) -> None:
    """Enter it, and do what the rule says; leg: the one that records, or would."""
    call = t.call
    assert call.decision is not None
    on_failure = call.decision.on_failure
    t.enter("recorder.failed", cause=cause, attempts=call.failures, on_failure=on_failure.value)
    if on_failure is OnFailure.ANNOUNCE:
        call.announces, t.rests = True, True
    if on_failure is OnFailure.HANGUP and leg is not None and leg.ended is None:
        t.send(HangUp(call=call.id, number=t.number(), leg=leg.uuid))


def announce(t: Turn) -> None:
    """Play the prompt of `on_failure = "announce"` to those who count and can hear it now."""
    call = t.call
    if not call.announces or call.decision is None or call.adrift or call.merged_into:
        return
    if call.actual in (Capture.ON, Capture.MASKED):
        call.announces = False  # it is recorded after all
        return
    announcing.tell(t, [leg.uuid for _, leg in asked(call, call.decision) if _hears(call, leg.uuid)])


def _hears(call: Call, leg: str) -> bool:
    """No dialplan plays to this leg or holds it now, and no question is open there."""
    at = call.gates.get(leg)
    busy = at is not None and (at.waits is not None or at.told not in (GO, LATE, PAST))
    return not busy and not any(question.leg == leg and question.open for question in call.questions.values())


def told(call: Call) -> bool:
    """It cannot be had now, and those whom it concerns know."""
    return call.failures > 0 or bool(call.held)
