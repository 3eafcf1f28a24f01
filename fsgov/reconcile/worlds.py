"""What switch, spool, vaults and catalog say, as frozen values, and what a difference between them is.

Instants are microseconds since the epoch, UTC. What could not be asked is None, and is compared with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Instant = int


class Kind(Enum):
    """What does not agree."""

    ORPHAN_FILE = "orphan-file"
    FORGOTTEN_SEGMENT = "forgotten-segment"
    SEGMENT_WITHOUT_ROW = "segment-without-row"
    CALL_WITHOUT_OUTCOME = "call-without-outcome"
    FOREIGN_RECORDING = "foreign-recording"
    UNGOVERNED_SESSION = "ungoverned-session"
    SESSION_WITHOUT_CDR = "session-without-cdr"
    ORPHAN_OBJECT = "orphan-object"
    SECOND_COPY = "second-copy"
    RESTORED_OBJECT = "restored-object"
    RETURNED_OBJECT = "returned-object"
    ROW_WITHOUT_OBJECT = "row-without-object"
    TRUNCATED_OBJECT = "truncated-object"
    TRUNCATED_MEDIA = "truncated-media"
    KEY_WITHOUT_OBJECT = "key-without-object"
    OBJECT_WITHOUT_KEY = "object-without-key"
    DAMAGED_OBJECT = "damaged-object"


RESOLUTION: Mapping[Kind, str] = {
    Kind.ORPHAN_FILE: "adopt it: ship seals and stores it, quarantined",
    Kind.FORGOTTEN_SEGMENT: "hand it over to ship, which seals and stores it, quarantined",
    Kind.SEGMENT_WITHOUT_ROW: "enter a row that says that it is missing",
    Kind.CALL_WITHOUT_OUTCOME: "give the call the outcome that its rows prove",
    Kind.FOREIGN_RECORDING: "stop it on the switch",
    Kind.UNGOVERNED_SESSION: "note it",
    Kind.SESSION_WITHOUT_CDR: "note it",
    Kind.ORPHAN_OBJECT: "enter a row (of a recording: quarantined), where key and digest prove what it is",
    Kind.SECOND_COPY: "note it; purge takes every version",
    Kind.RESTORED_OBJECT: "have the row name it, where its digest is the row's",
    Kind.RETURNED_OBJECT: "have keep remove it again, as it does by itself within a day",
    Kind.ROW_WITHOUT_OBJECT: "mark the row, and keep the alarm up until the object is back",
    Kind.TRUNCATED_OBJECT: "mark the row, and keep the alarm up until the object is whole",
    Kind.TRUNCATED_MEDIA: "note it",
    Kind.KEY_WITHOUT_OBJECT: "note it",
    Kind.OBJECT_WITHOUT_KEY: "note it; the database has the other copy of the key",
    Kind.DAMAGED_OBJECT: "accept the loss: the alarm ends",
}
"""What --apply does about each kind."""

BY_NAME_ONLY = frozenset({Kind.FOREIGN_RECORDING, Kind.DAMAGED_OBJECT})
"""Kinds that `--apply all` leaves alone."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not agree.

    subject: its name, under which it is noted: a segment, a call, a leg, a file, `vault/key#version`.
    where: in which world it is, or is missing. since: when it began, as far as that is known. detail: more.
    """

    kind: Kind
    subject: str
    where: str
    since: Instant | None = None
    detail: str = ""

    @property
    def resolution(self) -> str:
        """What --apply does about it."""
        return RESOLUTION[self.kind]


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A file in spool/audio. regular: no link, no pipe, no directory."""

    name: str
    modified: Instant
    size: int = 0
    regular: bool = True


@dataclass(frozen=True, slots=True)
class SidecarFile:
    """A document in spool/segments. key: of its object, "" before it is sealed."""

    segment: str
    call: str
    state: str
    modified: Instant
    key: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A leg that the switch tells of: since when it is up (live), or when it ended (in a CDR, in a row)."""

    leg: str
    at: Instant
    source: str = "switch"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that runs on a live leg, by the path the switch writes to."""

    leg: str
    path: str


@dataclass(frozen=True, slots=True)
class Host:
    """The spool of one host, and its switch. live is None where the switch was not asked, cdr without CDRs.

    calls: those with a file in the spool, each with its legs. switch_audio: spool/audio as the switch has it.
    """

    name: str
    switch_audio: str
    audio: tuple[AudioFile, ...] = ()
    sidecars: tuple[SidecarFile, ...] = ()
    calls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    live: tuple[Session, ...] | None = None
    recordings: tuple[Recording, ...] = ()
    cdr: tuple[Session, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object in an audio bucket."""

    key: str
    version: str
    size: int
    modified: Instant


@dataclass(frozen=True, slots=True)
class VaultListing:
    """A vault: its objects, and the segments whose keys its key bucket holds (None: it may not be listed)."""

    name: str
    objects: tuple[StoredObject, ...] = ()
    keys: Mapping[str, Instant] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A segment's row, or an artefact's, as far as it is compared.

    verdict: of the last look at its object, "" before any. parent: the segment that an artefact was made of.
    key: None of a tombstone and of what is missing; destroyed tells which.
    """

    segment: str
    vault: str
    key: str | None
    version: str | None
    size: int | None
    stored: Instant
    truncated: bool = False
    verdict: str = ""
    destroyed: bool = False
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a recording, or a place that its store copies it to. version: "" while it is not known.

    segment: or an artefact, which goes where its recording goes; or waits for its place.
    """

    segment: str
    vault: str
    key: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call without an outcome."""

    call: str
    host: str
    opened: Instant
    legs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unarrived:
    """A segment that a call's row names and that has none of its own."""

    segment: str
    call: str
    host: str
    opened: Instant


@dataclass(frozen=True, slots=True)
class Catalog:
    """What PostgreSQL has.

    legs: those of the switch's and the CDRs' sessions that it knows. ended: first legs of this host that
    ended within the window of the CDRs. noted: (kind, subject) of what a person has noted.
    """

    rows: tuple[Row, ...] = ()
    open_calls: tuple[OpenCall, ...] = ()
    unarrived: tuple[Unarrived, ...] = ()
    legs: frozenset[str] = frozenset()
    ended: tuple[Session, ...] = ()
    noted: frozenset[tuple[str, str]] = frozenset()
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True)
class Worlds:
    """Everything that is compared. host is None where there is no spool; gone: hosts that are no more.

    whole: every vault is listed, so that what is in none of them is nowhere.
    """

    catalog: Catalog
    vaults: tuple[VaultListing, ...] = ()
    host: Host | None = None
    gone: frozenset[str] = frozenset()
    whole: bool = True
