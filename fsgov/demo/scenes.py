"""The calls of the demo: what their people do, and what must have come of it. Nothing here runs anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

START, END = "the first ring", "the end"
"""Marks that every scene has."""
SOON = 2.0
"""Seconds from a yes to the first recorded frame, or from a withdrawal to the last."""
GERMAN, WORKS_COUNCIL = "+49309018200", "+49309018299"
BRITISH, CARDS = "+442079460100", "+442079460150"


@dataclass(frozen=True, slots=True)
class Do:
    """Something the phones do: a step of `fsgov.simulator.steps`. `mark` names the moment of it."""

    verb: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    mark: str = ""
    of_call: bool = True
    """Whether it is about this scene's call; else about the switch."""


@dataclass(frozen=True, slots=True)
class Until:
    """Wait for the switch to have done this with the caller's leg (`what` of `fsgov.simulator.world`)."""

    what: str
    mark: str = ""
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Talk:
    """Time passes, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Act:
    """Alice's live act, by `fsgov calls ACT`: from `asked` to `done` on the switch's clock."""

    act: str
    asked: str = ""
    done: str = ""
    code: int = 0
    """What the command must end with."""


Step = Do | Until | Talk | Act


@dataclass(frozen=True, slots=True)
class Between:
    """A stretch of a call, from one mark to another."""

    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One call, and its expectations.

    heard:   stretches that must be in the vault's audio, whole
    silent:  stretches of which nothing may be there
    soon:    stretches that may not be longer than `SOON`
    purposes, segments, proof, dispose: what the catalog must say of the recording
    """

    name: str
    title: str
    caller: str
    dialled: str
    steps: tuple[Step, ...]
    outcome: str
    rule: str
    caller_name: str = "Caller"
    call: str = ""
    """The call's uuid; "" for any."""
    segments: int = 0
    purposes: frozenset[str] = frozenset()
    proof: str = "none"
    dispose: bool = False
    heard: tuple[Between, ...] = ()
    silent: tuple[Between, ...] = ()
    soon: tuple[Between, ...] = ()


def _yes_to_german(*rest: Step) -> tuple[Step, ...]:
    return (Do("bridge", {"agent": "1000"}), Until("heard"), Do("press", {"digits": "1"}, "yes"), *rest)


def _british(*rest: Step) -> tuple[Step, ...]:
    return (
        Do("bridge", {"agent": "1000"}),
        Until("heard", "the notice was heard"),
        Until("opened", "on the record"),
        *rest,
    )


HANG_UP = Do("hang_up", {"by": "a"}, END)
BEFORE_YES = Between(START, "yes")
BEFORE_NOTICE = Between(START, "the notice was heard")
VICTIM = "5ca1ab1e-0000-4000-8000-00000000beef"
FORGED = f"Bob%0AUnique-ID: {VICTIM}%0Avariable_fsgov_consent_training: given"
"""What an ordinary SIP caller may call himself (seen on a real switch): a client that decodes an event before
it splits its lines reads two more headers here. This one even knows his call's uuid and the purpose."""

SCENES = (
    Scene(
        name="recorded",
        title="says yes, is recorded",
        caller="+493012345601",
        dialled=GERMAN,
        steps=_yes_to_german(Until("opened", "on the record"), Talk(3.5), HANG_UP),
        outcome="recorded",
        rule="german service line",
        segments=1,
        purposes=frozenset({"evidence", "training"}),
        heard=(Between("on the record", END),),
        silent=(BEFORE_YES,),
        soon=(Between("yes", "on the record"),),
    ),
    Scene(
        name="paused",
        title="reads out a card number",
        caller="+442079460981",
        dialled=CARDS,
        steps=_british(
            Talk(1.0),
            Act("pause", asked="pause asked", done="paused"),
            Talk(1.5),
            Act("resume", asked="resume asked", done="resumed"),
            Talk(1.0),
            HANG_UP,
        ),
        outcome="recorded",
        rule="british card payments",
        segments=1,
        purposes=frozenset({"quality_uk"}),
        proof="proven",
        heard=(Between("on the record", "pause asked"), Between("resumed", END)),
        silent=(BEFORE_NOTICE, Between("paused", "resume asked")),
    ),
    Scene(
        name="never",
        title="a line that is never recorded",
        caller="+493012345603",
        dialled=WORKS_COUNCIL,
        steps=(Do("bridge", {"agent": "1000"}), Talk(3.0), HANG_UP),
        outcome="not-required",
        rule="works council",
        silent=(Between(START, END),),
    ),
    Scene(
        name="declined",
        title="says no",
        caller="+493012345604",
        dialled=GERMAN,
        steps=(
            Do("bridge", {"agent": "1000"}),
            Until("heard"),
            Do("press", {"digits": "2"}),
            Talk(2.0),
            HANG_UP,
        ),
        outcome="refused",
        rule="german service line",
        silent=(Between(START, END),),
    ),
    Scene(
        name="silent",
        title="says nothing",
        caller="+493012345605",
        dialled=GERMAN,
        steps=(Do("bridge", {"agent": "1000"}), Until("heard"), Talk(4.0), HANG_UP),
        outcome="consent-unanswered",
        rule="german service line",
        silent=(Between(START, END),),
    ),
    Scene(
        name="hold",
        title="is put on hold and comes back",
        caller="+442079460982",
        dialled=BRITISH,
        steps=_british(
            Talk(1.0),
            Do("hold", {"by": "b"}, "on hold"),
            Talk(1.2),
            Do("unhold", {"by": "b"}, "back"),
            Talk(1.0),
            HANG_UP,
        ),
        outcome="recorded",
        rule="british service line",
        segments=1,
        purposes=frozenset({"quality_uk"}),
        heard=(Between("on the record", "on hold"), Between("back", END)),
        silent=(BEFORE_NOTICE,),
        soon=(Between("the notice was heard", "on the record"),),
    ),
    Scene(
        name="transfer",
        title="is sent on to another agent",
        caller="+442079460983",
        dialled=BRITISH,
        steps=_british(Talk(1.0), Do("blind_transfer", {"to": "2001", "by": "b"}), Talk(1.8), HANG_UP),
        outcome="recorded",
        rule="british service line",
        segments=1,
        purposes=frozenset({"quality_uk"}),
        heard=(Between("on the record", END),),
        silent=(BEFORE_NOTICE,),
        soon=(Between("the notice was heard", "on the record"),),
    ),
    Scene(
        name="ringing",
        title="hangs up while it rings",
        caller="+493012345607",
        dialled=GERMAN,
        steps=(Do("ring", {"agent": "1000"}), Talk(1.5), HANG_UP),
        outcome="not-answered",
        rule="german service line",
        silent=(Between(START, END),),
    ),
    Scene(
        name="forged",
        title="forges a yes in the display name",
        caller="+493012345608",
        caller_name=FORGED,
        call=VICTIM,
        dialled=GERMAN,
        steps=(Do("bridge", {"agent": "1000"}), Until("heard"), Talk(4.0), HANG_UP),
        outcome="consent-unanswered",
        rule="german service line",
        silent=(Between(START, END),),
    ),
    Scene(
        name="withdrawn",
        title="says yes, then takes it back",
        caller="+493012345609",
        dialled=GERMAN,
        steps=_yes_to_german(
            Until("opened", "on the record"),
            Talk(1.2),
            Do("press", {"digits": "*9"}, "taking it back"),
            Until("closed", "off the record"),
            Talk(0.8),
            HANG_UP,
        ),
        outcome="withdrawn",
        rule="german service line",
        segments=1,
        purposes=frozenset({"evidence", "training"}),
        dispose=True,
        heard=(Between("on the record", "taking it back"),),
        silent=(BEFORE_YES, Between("off the record", END)),
        soon=(Between("taking it back", "off the record"),),
    ),
)
