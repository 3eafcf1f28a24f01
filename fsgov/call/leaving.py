"""The end of fsgov while calls go on: whose recording must not run on without it."""

from __future__ import annotations

from fsgov.call.converge import wanted
from fsgov.call.state import Call, Capture
from fsgov.call.turn import Turn
from fsgov.policy import Basis, ConsentMode, Decision


def leave(t: Turn) -> None:
    """The end of fsgov: what a party may still withdraw or pause is closed, so not recorded in whole."""
    call = t.call
    needed = call.decision is not None and _needs_us(call, call.decision)
    if needed and wanted(call) is Capture.ON:
        call.flawed = call.flawed or "stopped"
    call.stopping = needed
    t.durable = True


def _needs_us(call: Call, decision: Decision) -> bool:
    """Somebody may yet withdraw or pause, and a recorder without fsgov would not hear of it."""
    withdraw = bool((decision.ask and decision.ask.withdraw) or call.questions)
    if decision.consent is ConsentMode.STATUTORY:  # only what rests on consent ends with a no
        withdraw = withdraw and Basis.CONSENT in decision.basis.values()
    return bool(withdraw or decision.pause.max is not None or call.paused)
