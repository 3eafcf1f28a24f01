"""After a kill: each leg is in one conversation again.

Two files are written where two conversations become one, or one becomes two, and a kill may come between:
the younger has not heard that it was taken over, or the elder that it took over; the others still have the
legs of those who parted, or those who parted were never written and the others have lost them.
"""

from __future__ import annotations

from fsgov.call.join import give_up, retire
from fsgov.call.state import PARTED, Stage
from fsgov.commands import Command
from fsgov.events import Instant
from fsgov.switchboard.conversations import Conversations


def agree(live: Conversations, now: Instant) -> list[Command]:
    """What has to be written so that the conversations read back do not contradict each other."""
    commands: list[Command] = []
    for call in live.all():
        elder = live.get(call.merged_into or "")
        if elder is not None and not elder.legs.keys() >= set(call.present):
            commands += live.join(elder.id, call.id, now)
        elif call.stage is Stage.OVER:
            live.keep(call)
    owners: dict[str, str] = {}
    for call in sorted(live.all(), key=lambda call: (call.opened, call.id)):
        for leg in call.present:
            commands += _claim(live, owners, leg, call.id, now)
    for leg, id_ in owners.items():
        live.directory.enlist([leg], id_)
    for call in sorted(live.all(), key=lambda call: (call.opened, call.id)):
        left = [leg for leg, known in call.legs.items() if known.cause == PARTED and leg not in owners]
        live.directory.enlist([leg for leg in left if not live.directory.gone(leg)], call.id)
    return commands


def _claim(live: Conversations, owners: dict[str, str], leg: str, id_: str, now: Instant) -> list[Command]:
    """Calls come by age: who has the leg already is the elder."""
    call, elder = live.get(id_), live.get(owners.get(leg, ""))
    if call is None or call.merged_into is not None:
        return []
    if elder is None:
        owners[leg] = id_
        return []
    if call.parted_from == elder.id:
        owners[leg] = id_
        elder, commands = give_up(elder, leg, now)
        live.keep(elder)
        return commands
    call, commands = retire(call, elder.id, now)
    live.directory.leaves(call)
    live.keep(call)
    return commands
