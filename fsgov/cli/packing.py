"""The export of a person: a directory with everything there is of them, and nothing that names anybody else.

    README.txt            what this is, in words
    manifest.json         who gets it, every file with its SHA-256, and what is withheld
    calls/<call>.json     times, what was decided and why, their consents, the pauses
    audio/<segment>.wav   the recordings

It is made under another name, and has its own only when all of it is written and the request has ended.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsgov.catalog.desk import Desk
from fsgov.cli import exporting, output
from fsgov.cli.frame import write_new
from fsgov.errors import BadUsage, Conflict, NotFound

if TYPE_CHECKING:
    from fsgov.catalog.proving import EvidenceRow
    from fsgov.catalog.rows import SegmentRow, WholeCall
    from fsgov.catalog.subjects import RecordRow, RequestRow, Subjects
    from fsgov.config import Settings
    from fsgov.envelope import Identity

PURPOSE = "subject_request"
DECIDED = ("rule", "record", "consent", "floors", "purposes", "basis", "asks_for", "curbs", "on_withdrawal")
"""Of a decision: what says why they were recorded. No number is in it."""
README = """What {operator} has recorded of you, or noted of your calls.

You asked for it on {received} ({request}).

For: {recipient}
Made: {made}

calls/   one file for each call: when it was, which of its parties you are, what was known of you, what was
         decided about recording it and on which basis, what you consented to, for how long it may be kept,
         which parts are silent because the recording was paused, and when and what for it was heard.
audio/   the recordings, as WAV files.
manifest.json   each file with its SHA-256; and the recordings that are not here, with the reason.

Other people's numbers and names were left out. Those you spoke with can be heard in the recordings.
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What was written."""

    directory: Path
    calls: int
    given: int
    withheld: int


def refuse(row: RequestRow, recipient: str) -> None:
    """Raises Conflict, BadUsage where this request cannot be exported."""
    if row.kind != "export" or row.state != "open":
        raise Conflict("This request is no open export", f"{row.id}: {row.kind}, {row.state}")
    if not recipient.strip():
        raise BadUsage("An export has a recipient", "--recipient is empty", "say who gets it")


@dataclass(slots=True)
class Package:
    """One export, for one recipient, of one request."""

    settings: Settings
    dsn: str
    request: RequestRow
    recipient: str
    with_others: bool
    _records: list[RecordRow] = field(default_factory=list)
    _files: list[dict[str, Any]] = field(default_factory=list)

    def size(self, subjects: Subjects) -> int:
        """Bytes that the vaults have of what is given."""
        row = self.request
        self._records = subjects.find(row.tenant, row.numbers, row.crm)
        return sum(each.sealed_size for each in self._records if each.segment and not self._withheld(each))

    def write(
        self, subjects: Subjects, identities: Sequence[Identity], target: Path, seen: Callable[[int], None]
    ) -> Made:
        """The directory below `target`. Nothing is left of it where anything fails."""
        final = target / self.request.id
        if final.exists():
            raise Conflict("The directory is there already", str(final), "name another; none is overwritten")
        recordings = [each for each in self._records if each.segment]
        withheld = [each for each in recordings if self._withheld(each)]
        given = [each for each in recordings if not self._withheld(each)]
        if given and not identities:
            raise BadUsage(
                "No identity to open the recordings with",
                "neither --identity nor FSGOV_IDENTITY names a file",
                "it is what `fsgov keys generate recipient` wrote",
            )
        try:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=f".{self.request.id}.", suffix=".part", dir=target))
        except OSError as fault:
            raise BadUsage("The directory cannot be made", f"{target}: {fault.strerror}") from None
        try:
            with closing(Desk(self.dsn)) as desk:
                audio = [self._audio(desk, each, identities, part, seen) for each in given]
                calls = sorted({each.call for each in self._records})
                for call in calls:
                    self._call(desk, call, part)
                self._say(desk.login, part, audio, withheld)
            part.rename(final)
            try:
                subjects.exported(
                    self.request.id,
                    self.recipient,
                    [
                        {"segment": each.segment, "given": each in given, "reasons": self._withheld(each)}
                        for each in recordings
                    ],
                )
            except BaseException:
                final.rename(part)
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return Made(final.absolute(), len(calls), len(given), len(withheld))

    def _withheld(self, record: RecordRow) -> list[str]:
        """Why this recording is not given; empty: it is."""
        reasons = []
        if record.state != "stored":
            reasons.append(record.state or "missing")
        if record.others and not self.with_others:
            reasons.append("others")
        return reasons

    def _audio(
        self,
        desk: Desk,
        record: RecordRow,
        identities: Sequence[Identity],
        part: Path,
        seen: Callable[[int], None],
    ) -> dict[str, Any]:
        row = desk.segment(record.segment)
        path = part / "audio" / f"{row.segment}.wav"
        with exporting.audio_bucket(self.settings, row.vault) as bucket:
            reason = f"request {self.request.id}"
            access, released = exporting.release(desk, row.segment, PURPOSE, reason, self.recipient)
            copy = exporting.export(bucket, row, released, identities, path, seen, as_found=False)
        return {
            "segment": row.segment,
            "call": row.call,
            "file": f"audio/{path.name}",
            "access": access,
            "size": copy.size,
            "sha256": copy.sha256,
            "stored_sha256": copy.stored_sha256,
            "repaired": copy.repaired,
        }

    def _call(self, desk: Desk, call: str, part: Path) -> None:
        parties = sorted({each.party for each in self._records if each.call == call})
        heard = {each.segment for each in self._records if each.call == call and each.segment}
        try:
            about = of_call(desk.call(call), desk.evidence(call) or (), parties, heard)
        except NotFound:  # adopted: of its call nobody knows anything
            about = {"call": call, "recordings": sorted(heard)}
        about["accesses"] = [
            {"at": each.requested_at, "purpose": each.purpose}
            for segment in sorted(heard)
            for each in desk.accesses(segment=segment, limit=10_000)
            if each.released_at is not None
        ]
        self._write(part / "calls" / f"{call}.json", about)

    def _say(
        self, login: str, part: Path, audio: Iterable[Mapping[str, Any]], withheld: Iterable[RecordRow]
    ) -> None:
        made = datetime.now(UTC)
        row = self.request
        text = README.format(
            operator=f"tenant {row.tenant}" if row.tenant != "*" else "the operator",
            received=f"{row.received_at:%Y-%m-%d}",
            request=row.id,
            recipient=output.clean(self.recipient),
            made=f"{made:%Y-%m-%d %H:%M}Z",
        )
        write_new(part / "README.txt", text, 0o600)
        manifest = {
            "format": 1,
            "request": row.id,
            "reference": row.reference,
            "tenant": row.tenant,
            "recipient": self.recipient,
            "exported_by": login,
            "exported_at": made,
            "calls": self._files,
            "recordings": list(audio),
            "withheld": [
                {"segment": each.segment, "call": each.call, "reasons": self._withheld(each)}
                for each in withheld
            ],
        }
        self._write(part / "manifest.json", manifest)

    def _write(self, path: Path, facts: Mapping[str, Any]) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        text = json.dumps(output.plain(facts), indent=2) + "\n"
        write_new(path, text, 0o600)
        if path.parent.name == "calls":
            digest = hashlib.sha256(text.encode()).hexdigest()
            self._files.append({"call": path.stem, "file": f"calls/{path.name}", "sha256": digest})


def of_call(
    whole: WholeCall, evidence: Iterable[EvidenceRow], parties: Sequence[int], heard: set[str]
) -> dict[str, Any]:
    """What is told of one call to who is these parties in it, and can be heard in these recordings."""
    row = whole.call
    decision = row.decision or {}
    return {
        "call": row.call,
        "tenant": row.tenant,
        "direction": row.direction,
        "opened_at": row.opened_at,
        "answered_at": row.answered_at,
        "ended_at": row.ended_at,
        "outcome": row.outcome,
        "policy": {"version": row.policy_version, "sha256": row.policy_sha256},
        "decision": {name: decision[name] for name in DECIDED if name in decision},
        "you": [each for each in whole.parties or () if each.party in parties],
        "consents": [each for each in evidence if each.party in parties],
        "tags": [{"tag": each.tag, "at": each.at} for each in whole.tags],
        "recordings": [of_recording(each, whole) for each in whole.segments if each.segment in heard],
    }


def of_recording(row: SegmentRow, whole: WholeCall) -> dict[str, Any]:
    """What is told of one recording."""
    return {
        "segment": row.segment,
        "state": row.state,
        "opened_at": row.opened_at,
        "closed_at": row.closed_at,
        "ms": row.ms,
        "purposes": row.purposes,
        "basis": row.basis,
        "consents": row.consents,
        "pauses": [
            {"from_ms": each.from_ms, "to_ms": each.to_ms, "by": each.by}
            for each in whole.masks
            if each.segment == row.segment
        ],
        "pauses_proven": row.mask_proof,
    }
