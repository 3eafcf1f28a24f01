"""The sidecar of a segment as ship reads and writes it, and which step of the durable order comes next."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from fsgov.errors import Damaged
from fsgov.events import Instant
from fsgov.media import Mask
from fsgov.vault import LockMode


class Step(Enum):
    """What ship has to do with a segment next."""

    WAIT = "wait"
    """It is govern's: planned or open."""
    CHECK = "check"
    SEAL = "seal"
    STORE = "store"
    LOCK = "lock"
    """Stored, and to be locked before it counts as that."""
    ENTER = "enter"
    KEEP = "keep"
    """Everything is done; sealed copy and sidecar stay for a while."""


_STEPS = {
    "planned": Step.WAIT,
    "open": Step.WAIT,
    "captured": Step.CHECK,
    "ready": Step.SEAL,
    "quarantined": Step.SEAL,
    "sealed": Step.STORE,
    "stored": Step.ENTER,
    "entered": Step.KEEP,
}
STATES = tuple(_STEPS)
OURS = (
    "checked", "quarantine", "review_by", "sealed", "stored", "stored_at", "lock", "locked", "entered_at"
)  # fmt: skip
"""What ship writes into the document; the rest is govern's."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What step 3 found out about the audio. sha256 (hex, of the plaintext) comes with the sealing."""

    frames: int
    ms: int
    size: int
    sha256: str
    truncated: bool
    mask_proof: str
    findings: tuple[str, ...]
    missing: bool = False
    """There is no file: nothing to seal, the row says so."""
    lost_ms: int | None = None
    """What its end lacks; at most so much where the switch reported no length."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What step 4 made: the sealed file's digest and size, where it will lie, and the wrapped identity."""

    sha256: str
    size: int
    key: str
    wrapped_key: bytes
    recipients: tuple[str, ...]
    recipient: str = ""
    """Of the segment's own identity: what is made of the recording is sealed to it as well."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What step 5 put into the vault, as the vault confirmed it."""

    vault: str
    key: str
    version_id: str
    size: int
    sha256: str
    key_version_id: str


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """Until when nobody removes the stored object and its key, and how strictly (`LockMode`)."""

    mode: LockMode
    until: Instant


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One segment. `written` is the document as it was read: what govern wrote stays as it is."""

    segment: str
    call: str
    tenant: str
    vault: str
    state: str
    opened: Instant | None
    closed: Instant | None
    reported_ms: int | None
    reported_size: int | None
    discarded: bool
    masks: tuple[Mask, ...]
    unbuffered: bool = False
    checked: Checked | None = None
    quarantine: str = ""
    review_by: Instant | None = None
    sealed: SealedFile | None = None
    stored: StoredObject | None = None
    stored_at: Instant | None = None
    lock: ObjectLock | None = None
    """What its policy wants, at least."""
    locked: ObjectLock | None = None
    """What the vault shows."""
    entered_at: Instant | None = None
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def step(self) -> Step:
        """The step that comes next."""
        step = _STEPS[self.state]
        if step is Step.SEAL and self.checked is not None and self.checked.missing:
            return Step.ENTER
        if step is Step.ENTER and self.lock is not None and self.locked is None:
            return Step.LOCK
        return step

    @property
    def wall_ms(self) -> int | None:
        """How long the file can have been written at most; None where govern did not see it begin."""
        if self.opened is None or self.closed is None or self.closed < self.opened:
            return None
        return (self.closed - self.opened) // 1000

    @property
    def never_opened(self) -> bool:
        """The switch refused the start: there is neither audio nor anything to tell of it."""
        missing = self.checked is not None and self.checked.missing
        return missing and self.opened is None and self.reported_ms is None

    @property
    def adopted(self) -> bool:
        """Reconcile found the audio: nobody knows what should have been paused in it."""
        return bool(self.written.get("adopted"))

    @property
    def barred(self) -> bool:
        """It waits for a reviewer or for its destruction: nothing may lock it."""
        return bool(self.quarantine or self.written.get("dispose"))

    def to_be_disposed(self, reason: str) -> Sidecar:
        """The same, marked: a withdrawal came after govern had released the segment."""
        return replace(self, written={**self.written, "dispose": True, "dispose_reason": reason})

    def to_text(self) -> str:
        """The document that takes the old one's place; also what the catalog enters."""
        document = {**self.written, "state": self.state}
        for name in OURS:
            document.pop(name, None)
        if self.checked is not None:
            document["checked"] = _plain(self.checked)
            document |= {"quarantine": self.quarantine, "review_by": self.review_by}
        if self.sealed is not None:
            key = base64.b64encode(self.sealed.wrapped_key).decode()
            document["sealed"] = {**_plain(self.sealed), "wrapped_key": key}
        if self.stored is not None:
            document |= {"stored": _plain(self.stored), "stored_at": self.stored_at}
        for name, lock in (("lock", self.lock), ("locked", self.locked)):
            if lock is not None:
                document[name] = _plain(lock)
        if self.entered_at is not None:
            document["entered_at"] = self.entered_at
        return json.dumps(document)


def parse(segment: str, text: str) -> Sidecar:
    """The sidecar of `segment`; Damaged when the text is not one (a power loss may leave an empty file)."""
    try:
        document = json.loads(text)
        if document["segment"] != segment or document["state"] not in _STEPS:
            raise ValueError("another segment's, or in no state we know")
        sealed = document.get("sealed")
        if sealed:
            wrapped = base64.b64decode(sealed["wrapped_key"], validate=True)
            sealed = {**sealed, "wrapped_key": wrapped, "recipients": tuple(sealed["recipients"])}
        checked = document.get("checked")
        if checked:
            checked = Checked(**{**checked, "findings": tuple(checked["findings"])})
        return Sidecar(
            segment=segment,
            call=document["call"],
            tenant=document["tenant"],
            vault=document["vault"],
            state=document["state"],
            opened=document.get("opened"),
            closed=document.get("closed"),
            reported_ms=document.get("reported_ms"),
            reported_size=document.get("reported_size"),
            discarded=bool(document.get("discarded")),
            masks=tuple(
                Mask(m["by"], m["from_ms"], m["to_ms"], m["acknowledged"] is not None)
                for m in document.get("masks", ())
            ),
            unbuffered=bool(document.get("unbuffered")),
            checked=checked or None,
            quarantine=document.get("quarantine") or "",
            review_by=document.get("review_by"),
            sealed=SealedFile(**sealed) if sealed else None,
            stored=StoredObject(**document["stored"]) if document.get("stored") else None,
            stored_at=document.get("stored_at"),
            lock=ObjectLock(**document["lock"]) if document.get("lock") else None,
            locked=ObjectLock(**document["locked"]) if document.get("locked") else None,
            entered_at=document.get("entered_at"),
            written=document,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Damaged(
            "a sidecar is damaged", f"{segment}: {type(fault).__name__}", "See segments/ in the spool."
        ) from fault


def back_to(sidecar: Sidecar, state: str) -> Sidecar:
    """The same segment before a step that has to be done again: `captured` or `ready`."""
    if state == "captured":
        return replace(sidecar, state=state, checked=None, quarantine="", review_by=None, sealed=None)
    return replace(sidecar, state="quarantined" if sidecar.quarantine else state, sealed=None)


def _plain(value: Checked | SealedFile | StoredObject | ObjectLock) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
