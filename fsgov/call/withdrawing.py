"""What a no ends, and what becomes of the audio that was captured before it.

Capture stops in any case. The rule says whether what was captured is kept, goes to quarantine, or waits for
its destruction; under statutory nothing of this is so, a no only takes purposes out.
"""

from __future__ import annotations

from fsgov import entries
from fsgov.call.site import SECOND
from fsgov.call.state import Answered, Call
from fsgov.call.turn import Turn
from fsgov.events import Instant
from fsgov.policy import Basis, ConsentMode, Decision, OnWithdrawal

AGAINST = (Answered.REFUSED, Answered.WITHDRAWN)
REVIEW: Instant = 14 * 24 * 3600 * SECOND
"""How long what was set aside waits for somebody to decide."""


def gates(call: Call, purpose: str) -> bool:
    """A no to this purpose ends the recording."""
    decision = call.decision
    return (
        decision is not None
        and decision.consent is not ConsentMode.STATUTORY
        and purpose == decision.asks_for
    )


def meant(decision: Decision) -> tuple[str, ...]:
    """The purposes that a no concerns where none is named: under statutory all that rest on consent."""
    by_consent = tuple(p for p in decision.purposes if decision.basis[p] is Basis.CONSENT)
    statutory = decision.consent is ConsentMode.STATUTORY
    return by_consent if statutory and by_consent else (decision.asks_for,)


def mark(t: Turn, state: Answered, party: int) -> None:
    """Withdrawn: all that was captured, also before he came here. Refused: what runs with him in it."""
    call = t.call
    ids = (*call.segments, *(id_ for id_, parties in call.elsewhere.items() if party in parties))
    if state is Answered.REFUSED:
        joined = next((call.legs[p.leg].answered for p in call.parties if p.facts.party == party), None)
        segment = call.segment
        opened = None if segment is None else segment.opened
        inside = segment is not None and opened is not None and joined is not None and joined <= opened
        ids = (segment.id,) if segment is not None and inside else ()
    if not ids or call.decision is None:
        return
    match call.decision.on_withdrawal:
        case OnWithdrawal.DESTROY:
            call.dispose = tuple(dict.fromkeys((*call.dispose, *ids)))
            call.dispose_reason = f"{state.value} by party {party}"
        case OnWithdrawal.QUARANTINE:
            _set_aside(t, ids)
        case OnWithdrawal.KEEP:
            pass


def _set_aside(t: Turn, ids: tuple[str, ...]) -> None:
    call = t.call
    review_by = t.now + REVIEW
    new = {id_: review_by for id_ in ids if id_ not in call.quarantine}
    call.quarantine = {**call.quarantine, **new}
    for id_ in new:
        t.enter("segment.quarantined", id_, reason="withdrawn", review_by=entries.iso(review_by))
