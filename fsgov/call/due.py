"""When a conversation next needs to be told the time."""

from __future__ import annotations

from fsgov.call import announcing, gated, legs, length, looking
from fsgov.call.state import Call, Stage
from fsgov.events import Instant


def next_due(call: Call) -> Instant | None:
    """When this conversation next needs to be told that time has passed."""
    if call.stage is Stage.OVER:
        return None
    dues = [party.lookup_due for party in call.parties if party.lookup] if call.looks_up else []
    if call.waiting:
        dues += [waiting.due for waiting in call.waiting]
    if call.questions:
        dues += [question.due for question in call.questions.values() if question.open]
    if call.gates or call.announced:
        dues += [*gated.dues(call), *announcing.dues(call)]
    if call.flight is not None:
        dues.append(call.flight.due)
    elif call.retry_at is not None and not call.adrift:
        dues.append(call.retry_at)
    if call.lose_at is not None and not call.adrift:
        dues.append(call.lose_at)
    dues += [due for due in (looking.due(call), length.due(call)) if due is not None]
    if call.paused is not None and call.paused.due is not None:
        dues.append(call.paused.due)
    if not call.adrift:
        for leg in call.legs.values():
            if leg.left is not None and not leg.gone:
                dues.append(leg.left + legs.GONE)
    return min(dues) if dues else None
