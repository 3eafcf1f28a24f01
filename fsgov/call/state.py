"""One conversation as values: what is known of it, and what the switch has confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from fsgov.call.announcing import Announcement
from fsgov.call.gates import AtGate
from fsgov.call.holding import NO_LIMITS, Limits
from fsgov.call.segment import Segment, Stray
from fsgov.call.site import Site
from fsgov.call.stops import Halt
from fsgov.commands import RecorderCommand
from fsgov.events import Act, Direction, Instant
from fsgov.policy import CallDirection, ConsentMode, Decision, Inputs, PartyFacts, Policy
from fsgov.policy.grounds import Grounds


class Stage(Enum):
    """Governance: what do we know?"""

    RINGING = "ringing"
    DECIDING = "deciding"
    ASKING = "asking"
    SETTLED = "settled"
    OVER = "over"
    __hash__ = object.__hash__  # in C, unlike that of Enum


class Capture(Enum):
    """What the switch has confirmed, or (as `wanted`) what it should do."""

    OFF = "off"
    ARMED = "armed"
    ON = "on"
    MASKED = "masked"
    UNKNOWN = "unknown"
    __hash__ = object.__hash__


class Answered(Enum):
    """What a party has said to one purpose."""

    GIVEN = "given"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    WITHDRAWN = "withdrawn"


class Method(Enum):
    """How that was learned. NOTICE: the prompt was played to its end and nobody objected.

    AGENT, CLI: somebody else says what the party has said, a party inside by a code or a person at a desk.
    """

    KEY = "key"
    VARIABLE = "variable"
    CRM = "crm"
    NOTICE = "notice"
    AGENT = "agent"
    CLI = "cli"


Evidence = Mapping[str, str | int | None]
PARTED = "PARTED"
"""`Leg.cause` of one that goes on in another conversation."""
APART = "-"
"""`Leg.beside` of one that was taken out of its bridge or room, and is in no other since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    uuid: str
    name: str
    direction: Direction
    party: int  # 0: nobody's (a loopback)
    created: Instant
    answered: Instant | None = None
    ended: Instant | None = None
    left: Instant | None = None
    """When we heard of its end, on this host's clock."""
    gone: bool = False
    cause: str = ""
    held: bool = False
    turned: Instant = 0  # when it was last held or resumed
    beside: str = ""
    """The leg it was made for or is bridged with, its room, or `APART`; "": nothing has told."""
    unseen: bool = False
    """Whether it is held is not known: it lived while the switch could not be seen."""

    @property
    def speaks(self) -> bool:
        """Somebody may be heard on it."""
        return self.answered is not None and self.ended is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    facts: PartyFacts
    leg: str
    evidence: str = ""  # the CRM row's own reference
    lookup: int = 0
    """Number of the look-up under way, 0 when there is none."""
    lookup_due: Instant = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One row: what one party said to one purpose, when, how. The last row of a pair is in force."""

    id: str
    party: int
    purpose: str
    state: Answered
    method: Method
    mode: ConsentMode
    at: Instant
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt played to one party, and how far it got."""

    party: int
    leg: str
    purpose: str
    mode: ConsentMode
    number: int
    asked: Instant
    due: Instant
    plays: int = 1
    started: Instant | None = None
    samples: int | None = None
    sources: tuple[str, ...] = ()
    """The events of the switch that told of the prompt."""
    proven: bool = False
    """Played to its end, by the switch's count of samples."""
    open: bool = True
    code: int = 0
    """How many digits of the withdraw code have been pressed in a row; no digit is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """The recorder command under way. `accepted`: the reply was +OK, the event that proves it is awaited."""

    command: RecorderCommand
    sent: Instant
    due: Instant
    accepted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    asked: Instant
    actor: str | None
    due: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A live act that is not answered yet."""

    request: str
    act: Act
    due: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    tag: str
    actor: str | None
    at: Instant


@dataclass(kw_only=True)
class Call:
    """One conversation, changed only by `step`, on a copy (one dict: no slots); what it holds is frozen."""

    id: str
    site: Site
    policy: Policy
    opened: Instant
    looks_up: bool = False
    """The policy needs the CRM."""
    core: str = ""
    tenant: str = "default"
    region: str = ""
    direction: CallDirection = CallDirection.INTERNAL
    answered: Instant | None = None
    ended: Instant | None = None
    revision: int = 0
    numbers: int = 0
    """The last command number that was used."""

    # governance
    stage: Stage = Stage.RINGING
    legs: Mapping[str, Leg] = field(default_factory=dict)
    parties: tuple[Party, ...] = ()
    caller: tuple[str, str] = ("", "")
    """Of the first leg: as given, E.164."""
    dialled: tuple[str, str] = ("", "")
    variables: Mapping[str, str] = field(default_factory=dict)
    inputs: Inputs | None = None
    decision: Decision | None = None
    grounds: Grounds = ()
    """What `decision` rests on: since the answer perhaps more than `inputs`."""
    salt: str = ""
    """Of the digest of these that the log tells, hex; "" before the first decision."""
    considered: tuple[object, ...] | None = None  # `inputs` were made of these
    consents: tuple[Consent, ...] = ()
    questions: Mapping[int, Question] = field(default_factory=dict)
    gates: Mapping[str, AtGate] = field(default_factory=dict)  # leg -> where a dialplan asks
    announces: bool = False
    """The parties are to be told that it is not recorded (`fsgov.call.announcing`)."""
    announced: Mapping[str, Announcement] = field(default_factory=dict)  # leg -> how far it got
    started: bool = False
    stopped: bool = False
    paused: Paused | None = None
    halt: Halt = Halt()  # noqa: RUF009 - frozen
    limits: Limits = NO_LIMITS
    held: str = ""
    """Why a start is held back now; told once."""
    trying: bool = False
    """It may try to start though starts fail."""
    stopping: bool = False
    """fsgov is about to end and this call's segment must not run on without it."""
    merged_into: str | None = None
    parted_from: str | None = None
    """The conversation that it was a part of before some of its people went on by themselves."""
    tags: tuple[Tag, ...] = ()
    waiting: tuple[Waiting, ...] = ()

    anchors: Mapping[str, Instant] = field(default_factory=dict)
    """What the CRM has said: event that a period of retention starts from -> when."""

    # capture
    actual: Capture = Capture.OFF
    before: Capture | None = None
    """While adrift: what was confirmed last, with no command under way since."""
    adrift: bool = False
    """The switch cannot be seen; nothing is sent until a resync has told what it does."""
    flight: Flight | None = None
    segment: Segment | None = None
    segments: tuple[str, ...] = ()
    segment_numbers: int = 0
    strays: Mapping[str, Stray] = field(default_factory=dict)  # ours, and they should not run
    inspect: bool = False
    """UNKNOWN: a stop was refused, so look before anything else."""
    failures: int = 0
    retry_at: Instant | None = None
    look_at: Instant | None = None
    looks: int = 0
    lose_at: Instant | None = None
    """When a segment is given up whose leg has ended without a RECORD_STOP."""

    # accounting
    gap_since: Instant | None = None
    owed_since: Instant | None = None
    """The same moment by the clock of what brought it: the answer, a yes, an act, the end of a segment."""
    flawed: str = ""
    """Why capture was missing or unconfirmed for a part of the time wanted; "" while it was not."""
    captured: bool = False
    """Some segment was confirmed and not discarded by the switch."""
    missed: bool = False
    """Capture was wanted at some time and not confirmed."""
    foreign: bool = False
    elsewhere: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Segments of the conversations that this one came of: which of its parties were part of those."""
    dispose: tuple[str, ...] = ()  # segments a refusal or withdrawal has marked
    dispose_reason: str = ""
    quarantine: Mapping[str, Instant] = field(default_factory=dict)
    """Segments that a withdrawal has set aside, and until when somebody decides about them."""
    ignored: int = 0
    outcome: str | None = None
    outcome_cause: str = ""
    circles: tuple[Mapping[str, Leg], tuple[tuple[Leg, ...], ...]] | None = None  # of these legs, kept
    basis_text: tuple[Inputs | None, Decision | None, str] | None = None  # their JSON, kept

    @property
    def present(self) -> tuple[str, ...]:
        """The legs that are not gone, nor go on elsewhere."""
        return tuple(uuid for uuid, leg in self.legs.items() if not leg.gone)

    def copy(self) -> Call:
        twin = object.__new__(Call)
        twin.__dict__.update(self.__dict__)
        return twin
