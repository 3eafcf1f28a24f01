"""What switch, catalog and people tell us, as frozen values. Nothing here does I/O or reads a clock.

`now` is this host's clock at intake and drives deadlines; `at` is the switch's clock when the thing happened,
kept as evidence, None where the switch did not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from fsgov.attested import Attested

Instant = int
"""Microseconds since the epoch, UTC."""

NOTHING: Mapping[str, str] = {}


class Direction(Enum):
    """How a leg came to the switch: it was called (inbound) or it calls out (outbound)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    now: Instant
    at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEvent(Event):
    leg: str
    source: str = ""  # <Core-UUID>/<Event-Sequence> where a consent may rest on it


@dataclass(frozen=True, slots=True, kw_only=True)
class LegCreated(LegEvent):
    """CHANNEL_CREATE, or a leg found by a resync (then `found` is true and `answered` tells its state)."""

    direction: Direction
    caller: str
    dialled: str
    """Both numbers as the switch gives them, not normalised."""
    profile: str = ""  # channel name without its last part: `sofia/internal`, `sofia/external`, `loopback`
    domain: str = ""
    user: str = ""  # the registered user the leg belongs to (`user@domain`)
    other: str | None = None  # Other-Leg-Unique-ID: the leg this one was made for
    variables: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Those channel variables that the policy names, and `fsgov_*`."""
    core: str = ""  # Core-UUID: changes with each start of the switch
    found: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAnswered(LegEvent):
    variables: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegsBridged(LegEvent):
    """CHANNEL_BRIDGE: `leg` (Bridge-A-Unique-ID) and `other` (Bridge-B-Unique-ID) hear each other."""

    other: str
    variables: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegsUnbridged(LegEvent):
    other: str


class LegHeld(LegEvent):
    """CHANNEL_HOLD: a recording on this leg stands still until `LegUnheld`."""


class LegUnheld(LegEvent):
    """CHANNEL_UNHOLD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegHungUp(LegEvent):
    """CHANNEL_HANGUP: the leg is ending; RECORD_STOP may still come."""

    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegGone(LegEvent):
    """CHANNEL_HANGUP_COMPLETE or CHANNEL_DESTROY, or a resync no longer finds it: nothing follows."""

    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomJoined(LegEvent):
    """The leg hears everybody in `room` (conference, queue, valet lot)."""

    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLeft(LegEvent):
    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPressed(LegEvent):
    digit: str


# -- prompts ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStarted(LegEvent):
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStopped(LegEvent):
    """PLAYBACK_STOP. Status `done` proves nothing; `samples` is playback_last_offset_pos, None if absent."""

    file: str
    status: str
    samples: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMissing(LegEvent):
    """The switch could not open the prompt (CHANNEL_EXECUTE_COMPLETE, `FILE NOT FOUND`)."""

    file: str


# -- recordings ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted(LegEvent):
    """RECORD_START. `segment` is our recording variable, None for a foreign recording."""

    path: str
    segment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStopped(LegEvent):
    """RECORD_STOP with what the switch reports; ms and size are those of the file layer, not of the disk."""

    path: str
    segment: str | None
    cause: str = ""
    ms: int | None = None
    size: int | None = None
    discarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSeen(LegEvent):
    """A MEDIA_BUG_START for a recording, which is the only word of one that moved to this leg by itself."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegInspected(LegEvent):
    """The answer to `Inspect`: does the leg exist, and to which paths is it recording (uuid_buglist)."""

    exists: bool
    recordings: tuple[str, ...] = ()
    leg_found: LegCreated | None = None  # what uuid_dump says of a leg we had not known
    command: int = 0  # number of the `Inspect`; 0 where the shell does not tell


# -- the switch itself --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchConnected(Event):
    core: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchLost(Event):
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resynced(Event):
    """Everything the switch knows has been told again; legs not in `recordings` are gone.

    recordings: leg -> paths of its running recordings.
    """

    core: str
    recordings: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Event):
    core: str
    since_startup: int  # Session-Since-Startup: sessions since the switch started
    live: int  # Session-Count


# -- replies to our commands --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Event):
    """How command number `command` of conversation `call` ended."""

    call: str
    command: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAccepted(Reply):
    """The switch said +OK; `sent` is when the command left this host."""

    sent: Instant = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefused(Reply):
    """The switch said -ERR or -USAGE (`reason` is its text without personal data), or the spool refused."""

    reason: str = ""


class CommandUnanswered(Reply):
    """No reply in time, or the connection broke: what the command did is unknown."""


class SegmentTaken(Reply):
    """The number of this segment was used before (link() said EEXIST): take the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyFound(Reply):
    """The CRM's row: facts the policy names, and consents on file (purpose -> given?)."""

    party: int
    facts: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    consents: Mapping[str, bool] = field(default_factory=dict)
    evidence: str = ""  # the CRM row's own reference for the consents, or ""
    remembered: str = ""  # why this is what the CRM said earlier; "": it has answered now


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyUnknown(Reply):
    """No row, or (`unasked`) the CRM could not be asked; `reason` says why."""

    party: int
    unasked: bool = False
    reason: str = ""


# -- people -------------------------------------------------------------------------------------------


class Act(Enum):
    """What a person or an integrated system may do to a live call."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    TAG = "tag"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActAsked(Event):
    """A live act. `request` names it for the answer; `actor` is people.id, None for a code on a leg."""

    call: str
    act: Act
    actor: str | None
    request: str
    tag: str = ""
    consent: Attested | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRestored(Event):
    """A call file of the spool, read back at start; `text` is its JSON exactly as `Remember` wrote it."""

    text: str


class Stopping(Event):
    """SIGTERM: close what a party may still withdraw or pause, leave the rest running."""
