"""The one step that concerns two conversations at once."""

from __future__ import annotations

from fsgov.call import merging
from fsgov.call.state import Call
from fsgov.call.step import seal, settle
from fsgov.call.turn import TimePassed, Turn
from fsgov.commands import Command
from fsgov.events import Instant


def join(elder: Call, younger: Call, now: Instant) -> tuple[Call, Call, list[Command]]:
    """Both after a bridge or a room has connected them, and the commands; the elder's come first.

    What the younger has captured is closed first where its leg is the elder's now: one leg records for all.
    """
    event = TimePassed(now=now)
    one, other = Turn(elder, event), Turn(younger, event)
    merging.absorb(one, younger)
    merging.retire(other, elder.id)
    settle(other, younger.failures)
    settle(one, elder.failures)
    return one.call, other.call, [*seal(one), *seal(other)]
