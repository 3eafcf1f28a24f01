"""Rows as people and programs read them: frozen, named after their columns. Instants are aware, UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar, cast

from fsgov.catalog.connection import Cursor

Json = Any
Row = TypeVar("Row")


def selected(
    cursor: Cursor, row: type[Row], source: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[Row]:
    """The rows of `SELECT <the fields of row> FROM <source>`; bytea comes as bytes."""
    columns = ", ".join(field.name for field in fields(cast(Any, row)))
    cursor.execute(f"SELECT {columns} FROM {source}", values)  # noqa: S608 - field names and our own text
    return [row(*map(_plain, found)) for found in cursor.fetchall()]


def text_array(texts: Sequence[str]) -> str:
    """A text[] parameter, which PostgreSQL reads much faster than ARRAY['...', ...] of thousands."""
    return "{" + ",".join('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts) + "}"


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


@dataclass(frozen=True, slots=True)
class CallRow:
    """One conversation. `outcome` is the revised one where the audio said less than govern believed."""

    call: str
    tenant: str
    host: str
    direction: str
    opened_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    revision: int
    policy_version: str | None
    policy_sha256: str | None
    decision: Json
    rule: str | None
    outcome: str | None
    outcome_cause: str
    merged_into: str | None
    parted_from: str | None
    segments: list[str]
    missing: list[str]
    """Segments govern opened that are not entered (yet)."""
    held: bool


@dataclass(frozen=True, slots=True)
class LegRow:
    leg: str
    name: str
    direction: str
    party: int | None
    created_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class PartyRow:
    party: int
    side: str
    number: str | None
    e164: str | None
    country: str | None
    facts: Json


@dataclass(frozen=True, slots=True)
class ConsentRow:
    consent: str
    party: int
    purpose: str
    state: str
    method: str
    mode: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TagRow:
    tag: str
    actor: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class MaskRow:
    """A pause: an interval of the file in ms, `to_ms` None until its end."""

    segment: str
    n: int
    by: str
    from_ms: int
    to_ms: int | None
    asked_at: datetime | None
    acknowledged_at: datetime | None
    ended_at: datetime | None
    actor: str | None


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One recorded file: what was checked, where it is sealed, whether it is held."""

    segment: str
    call: str
    tenant: str
    leg_name: str
    n: int
    state: str
    rule: str | None
    policy_sha256: str | None
    basis: Json
    purposes: list[str]
    consents: list[str]
    evidence: Json  # the digest of each, by id
    parties: list[int]
    opened_at: datetime | None
    start_lost_ms: int | None
    closed_at: datetime | None
    cause: str
    reported_ms: int | None
    dispose: bool
    dispose_reason: str
    ms: int | None
    audio_size: int | None
    audio_sha256: str | None
    truncated: bool
    lost_ms: int | None
    mask_proof: str
    findings: list[str]
    quarantine: str
    review_by: datetime | None
    vault: str
    object_key: str | None
    version_id: str | None
    sealed_size: int | None
    sealed_sha256: str | None
    stored_at: datetime | None
    adopted: str
    """Where reconcile found it: spool, forgotten, vault, lost; "" where fsgov opened it."""
    held: bool


@dataclass(frozen=True, slots=True)
class WholeCall:
    """A call and everything about it. None: this login may not see it (numbers, decision inputs)."""

    call: CallRow
    legs: list[LegRow]
    consents: list[ConsentRow]
    tags: list[TagRow]
    segments: list[SegmentRow]
    masks: list[MaskRow]
    parties: list[PartyRow] | None
    inputs: Json
    inputs_salt: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many calls by outcome ("" is not over yet) and how many recordings by state."""

    calls: Mapping[str, int]
    recordings: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ScrubFault:
    """A stored object that is not what was stored. accepted: a person has taken note of the loss.

    artefact: what was made of the segment; "": the recording itself.
    """

    segment: str
    artefact: str
    vault: str
    verdict: str
    since: datetime
    accepted: bool


@dataclass(frozen=True, slots=True)
class ScrubState:
    """How many objects are stored, were read again (the oldest look, by verdict), and each that is wrong."""

    objects: int
    looked: int
    oldest: datetime | None
    verdicts: Mapping[str, int]
    faults: Sequence[ScrubFault]


@dataclass(frozen=True, slots=True)
class ReleasedKey:
    """What release_key gives out: the wrapped key and where its sealed object is."""

    segment: str
    wrapped_key: bytes
    vault: str
    object_key: str
    version_id: str | None
    sealed_size: int
    sealed_sha256: str
    audio_sha256: str | None


@dataclass(frozen=True, slots=True)
class PersonRow:
    id: str
    login: str
    os_user: str | None
    added_at: datetime
    disabled_at: datetime | None
    roles: list[str]
    tenants: list[str]


@dataclass(frozen=True, slots=True)
class HostPersonRow:
    """Who an OS user of the switch hosts is, for live acts."""

    os_user: str
    person: str
    roles: list[str]
    tenants: list[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this login is. `person` None: nobody fsgov knows, or disabled."""

    login: str
    person: str | None
    roles: list[str]
    tenants: list[str]


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of the log: its place, its writer, its exact bytes."""

    seq: int
    origin: str
    n: int
    line: bytes


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    log_id: str
    size: int
    root: bytes
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LogState:
    """How far the log is: lines in it, lines signed, lines entered that the sequencer has not moved yet."""

    log_id: str
    size: int
    signed: int
    signed_at: datetime | None
    waiting: int
    oldest_waiting: datetime | None


@dataclass(frozen=True, slots=True)
class KeeperRow:
    """The keep of one host: its alarms, and when it was last heard."""

    host: str
    alarms: dict[str, str]
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class SinkRow:
    sink: str
    log_id: str
    size: int
    reached_at: datetime
