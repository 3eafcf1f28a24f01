"""The two machines of a conversation as tables, and the moves that bring one to the other.

`docs` draws its diagram from these tables; `step` and `converge` have no transitions of their own.
"""

from __future__ import annotations

from enum import Enum

from fsgov.call.state import Capture, Stage


class Word(Enum):
    """What governance has learned."""

    ANSWERED = "a leg was answered"
    DECIDED = "a rule governs the call and everybody who speaks"
    UNDECIDED = "somebody speaks whom the decision does not cover"
    QUESTION = "a question is open"
    NO_QUESTION = "no question is open"
    ENDED = "every leg is gone and every segment released"


GOVERNANCE: dict[tuple[Stage, Word], Stage] = {
    (Stage.RINGING, Word.ANSWERED): Stage.DECIDING,
    (Stage.DECIDING, Word.DECIDED): Stage.SETTLED,
    (Stage.SETTLED, Word.UNDECIDED): Stage.DECIDING,
    (Stage.ASKING, Word.UNDECIDED): Stage.DECIDING,
    (Stage.SETTLED, Word.QUESTION): Stage.ASKING,
    (Stage.ASKING, Word.NO_QUESTION): Stage.SETTLED,
    (Stage.RINGING, Word.ENDED): Stage.OVER,
    (Stage.DECIDING, Word.ENDED): Stage.OVER,
    (Stage.ASKING, Word.ENDED): Stage.OVER,
    (Stage.SETTLED, Word.ENDED): Stage.OVER,
}


class Sign(Enum):
    """What the switch has shown of our segment."""

    STARTED = "RECORD_START"
    STARTED_ARMED = "RECORD_START of an armed segment"
    ANSWERED = "the leg of an armed segment was answered"
    MASKED = "+OK to mask"
    UNMASKED = "+OK to unmask"
    STOPPED = "RECORD_STOP"
    REFUSED = "-ERR to start"
    ABSENT = "the switch does not list it, or its leg is gone"
    DOUBT = "no answer, -ERR to mask, unmask or stop, or no event after +OK"
    UNSEEN = "the connection to the switch broke"


_ANY = (Capture.OFF, Capture.ARMED, Capture.ON, Capture.MASKED, Capture.UNKNOWN)

CAPTURE: dict[tuple[Capture, Sign], Capture] = {
    (Capture.OFF, Sign.STARTED): Capture.ON,
    (Capture.OFF, Sign.STARTED_ARMED): Capture.ARMED,
    (Capture.ARMED, Sign.ANSWERED): Capture.ON,
    (Capture.ON, Sign.MASKED): Capture.MASKED,
    (Capture.MASKED, Sign.UNMASKED): Capture.ON,
    (Capture.OFF, Sign.REFUSED): Capture.OFF,
    **{(state, Sign.STOPPED): Capture.OFF for state in _ANY},
    **{(state, Sign.ABSENT): Capture.OFF for state in _ANY},
    **{(state, Sign.DOUBT): Capture.UNKNOWN for state in _ANY},
    **{(state, Sign.UNSEEN): Capture.UNKNOWN for state in _ANY},
}


class Move(Enum):
    """The one recorder command that comes next."""

    OPEN = "open"
    ARM = "open armed"
    MASK = "mask"
    UNMASK = "unmask"
    CLOSE = "close"
    SETTLE = "find out, and close"


CONVERGE: dict[tuple[Capture, Capture], Move] = {
    # (what is confirmed, what is wanted). Nothing recorded and a pause wanted: not recording keeps it best.
    (Capture.OFF, Capture.ON): Move.OPEN,
    (Capture.OFF, Capture.ARMED): Move.ARM,
    (Capture.ARMED, Capture.OFF): Move.CLOSE,
    (Capture.ARMED, Capture.MASKED): Move.CLOSE,
    (Capture.ON, Capture.MASKED): Move.MASK,
    (Capture.MASKED, Capture.ON): Move.UNMASK,
    (Capture.ON, Capture.OFF): Move.CLOSE,
    (Capture.MASKED, Capture.OFF): Move.CLOSE,
    **{
        (Capture.UNKNOWN, wanted): Move.SETTLE
        for wanted in (Capture.OFF, Capture.ARMED, Capture.ON, Capture.MASKED)
    },
}
