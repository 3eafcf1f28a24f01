"""What the core wants done, as frozen values. Shells carry them out in order and report back as events.

Within one list the order is binding per conversation: a `Remember` is on disk before what follows it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fsgov.events import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    call: str


# -- recorder: at most one of these in flight per conversation; `number` comes back in the reply ------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderCommand(Command):
    number: int
    """Unique within the conversation, also across restarts."""
    leg: str
    segment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSegment(RecorderCommand):
    """Take the segment number in the spool (link), then uuid_record start. Confirmed by RecordingStarted."""

    sidecar: str
    """JSON of spool/segments/<segment>.json in state `planned`."""
    armed: bool = False
    unbuffered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSegment(RecorderCommand):
    """uuid_record stop. Confirmed by RecordingStopped."""

    every: bool = False
    """`stop all`: the only stop that reaches a recording which moved to another leg by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskSegment(RecorderCommand):
    """uuid_record mask (zeros) or, with `cut`, pause (audio left out). The reply is the acknowledgement."""

    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmaskSegment(RecorderCommand):
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspect(RecorderCommand):
    """Ask whether the leg exists and what it records (uuid_exists, uuid_buglist). Answered by LegInspected.

    For a leg we do not know: `call` and `segment` are "", and uuid_dump is asked as well.
    """


# -- announcements and routing ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Play(Command):
    """uuid_broadcast of a prompt to one leg. Proof comes from PromptStopped, not from the reply."""

    number: int
    leg: str
    file: str
    """Path as the switch sees it, from the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlaying(Command):
    number: int
    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVariable(Command):
    number: int
    leg: str
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDialplan(Command):
    """uuid_setvar_multi, then uuid_break: a dialplan that waits in a `sleep` goes on with these variables.

    After `due` nothing is sent: the sleep may have ended, and a break would cut what plays by then.
    """

    number: int
    leg: str
    variables: tuple[tuple[str, str], ...]
    """From the policy, never from a caller; set in this order."""
    due: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp(Command):
    number: int
    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Command):
    number: int
    leg: str
    destination: str
    """From the policy, never from a caller."""


# -- facts, spool, log --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpParty(Command):
    """Ask the CRM about one party; answered by PartyFound or PartyUnknown within its deadline."""

    number: int
    party: int
    tenant: str
    e164: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember(Command):
    """Replace spool/calls/<call>.json atomically. `durable`: fsynced before the next command is sent."""

    text: str
    durable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Command):
    """The switch is done with this segment: its sidecar is replaced, state `captured`; ship takes over."""

    segment: str
    sidecar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter(Command):
    """One entry of the event log: a type of fsgov/schemas, and facts without personal data."""

    type: str
    subject: str
    time: Instant
    facts: Mapping[str, str | int | bool | list[str] | list[int] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Command):
    """The answer to a live act: an HTTP status (200 acknowledged, 202 sent, 403, 404, 409) and its reason."""

    request: str
    status: int
    reason: str = ""
