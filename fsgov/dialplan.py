"""What dialplans tell, and foremost those that come with fsgov (dialplans/*.xml), as frozen values; pure.

Ours fire CUSTOM events with the `event` application and wait in a bounded `sleep`; the answer is the command
`AnswerDialplan`: variables set, then the sleep broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fsgov.events import NOTHING, Act, LegEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class VariablesTold(LegEvent):
    """An application of the dialplan has set variables of this leg (mod_callcenter, as a caller joins)."""

    variables: Mapping[str, str]


class GateOpened(LegEvent):
    """The dialplan asks what this leg's party is to be told or asked, and waits two seconds at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePassed(LegEvent):
    """The dialplan has played its notice or menu and goes on; `variables` hold what the party said."""

    variables: Mapping[str, str] = field(default_factory=lambda: NOTHING)


class GateHeld(LegEvent):
    """The dialplan has asked, and waits until the recording runs, two seconds at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePressed(LegEvent):
    """Somebody on this leg pressed a code that stands for an act; whether he may is the core's business."""

    act: Act
    tag: str = ""
    said: str = ""
    """With `Act.CONSENT`: what the party outside has said, given or refused."""


OWN = frozenset(
    f"fsgov_{name}"
    for name in (
        "action",
        "answer",
        "code",
        "dialled",
        "done",
        "key",
        "key_invalid",
        "no",
        "prompt",
        "prompts",
        "purpose",
        "refusal",
        "require",
        "terminators",
        "timeout",
        "transfer",
        "yes",
    )
)
"""Channel variables of the dialplans themselves: no inputs of a decision; pressed keys are among them."""
