"""Governance moves along its table, as far as what is known carries."""

from __future__ import annotations

from collections.abc import Callable

from fsgov.call import asking
from fsgov.call.converge import covers_everybody
from fsgov.call.state import Call, Stage
from fsgov.call.tables import GOVERNANCE, Word
from fsgov.call.turn import Turn

HEARD: dict[Word, Callable[[Call], bool]] = {
    Word.ANSWERED: lambda call: call.answered is not None,
    Word.UNDECIDED: lambda call: call.decision is None or not covers_everybody(call),
    Word.DECIDED: lambda call: call.decision is not None and covers_everybody(call),
    Word.QUESTION: asking.is_open,
    Word.NO_QUESTION: lambda call: not asking.is_open(call),
}
"""When governance hears a word of its table; ENDED is heard by `settle` alone."""

_FROM = {
    stage: [
        (HEARD[w], target) for (source, w), target in GOVERNANCE.items() if source is stage and w in HEARD
    ]
    for stage in Stage
}


def advance(t: Turn) -> None:
    """Move governance along its table as far as what is known carries."""
    call = t.call
    moved = True
    while moved:
        moved = False
        for heard, target in _FROM[call.stage]:
            if heard(call):
                call.stage = target
                moved = True
                break
