"""The export of a person: a directory with everything there is of them, and nothing that names anybody else.

    README.txt            what this is, in words
    manifest.json         who gets it, every file with its SHA-256, and what is withheld
    calls/<call>.json     times, what was decided and why, their consents, the pauses
    audio/<segment>.wav   the recordings
    artefacts/d-…         what was made of them: transcripts, scores

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
from fsgov.cli import artefacts, exporting, output
from fsgov.cli.frame import write_new
from fsgov.cli.personal import of_call
from fsgov.errors import BadUsage, Conflict, NotFound

if TYPE_CHECKING:
    from fsgov.catalog.artefacts import ArtefactRow
    from fsgov.catalog.subjects import RecordRow, RequestRow, Subjects
    from fsgov.config import Settings
    from fsgov.envelope import Identity

PURPOSE = "subject_request"
TOLD_OF_CHILD = (
    "artefact",
    "segment",
    "call",
    "kind",
    "media_type",
    "made_by",
    "made_for",
    "access",
    "size",
    "sha256",
)
README = """What {operator} has recorded of you, or noted of your calls.

You asked for it on {received} ({request}).

For: {recipient}
Made: {made}

calls/   one file for each call: when it was, which of its parties you are, what was known of you, what was
         decided about recording it and on which basis, what you consented to, for how long it may be kept,
         which parts are silent because the recording was paused, and when and what for it was heard.
audio/   the recordings, as WAV files.
artefacts/   what was made of the recordings, and is of them: transcripts, scores.
manifest.json   each file with its SHA-256, what it is, and of which recording; and what is not here, with the
         reason.

Other people's numbers and names were left out. Those you spoke with can be heard in the recordings.
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What was written."""

    directory: Path
    calls: int
    given: int
    withheld: int
    artefacts: int


@dataclass(frozen=True, slots=True)
class Child:
    """What was made of a recording, and why it is not given; no reason: it is."""

    row: ArtefactRow
    reasons: list[str]


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
                children = [
                    self._child(desk, each, identities, part)
                    for each in self._children(desk, recordings)
                    if not each.reasons
                ]
                calls = sorted({each.call for each in self._records})
                for call in calls:
                    self._call(desk, call, part)
                self._say(desk.login, part, [audio, children], self._not_given(desk, recordings))
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
        return Made(final.absolute(), len(calls), len(given), len(withheld), len(children))

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
            access, released = exporting.release(
                desk, row.segment, exporting.Need(PURPOSE, reason, self.recipient)
            )
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

    def _children(self, desk: Desk, recordings: Sequence[RecordRow]) -> list[Child]:
        """What was made of these recordings and is not destroyed: given and withheld as those are."""
        reasons = {each.segment: self._withheld(each) for each in recordings}
        return [
            Child(row, reasons[row.segment] + ([] if row.state == "stored" else [row.state]))
            for row in desk.artefacts.of(list(reasons))
            if row.state != "destroyed"
        ]

    def _child(self, desk: Desk, child: Child, identities: Sequence[Identity], part: Path) -> dict[str, Any]:
        row = child.row
        path = part / "artefacts" / artefacts.name_of(row)
        reason = f"request {self.request.id}"
        told = artefacts.give(
            self.settings, desk, row, identities, path, exporting.Need(PURPOSE, reason, self.recipient)
        )
        return {**{name: told[name] for name in TOLD_OF_CHILD}, "file": f"artefacts/{path.name}"}

    def _not_given(self, desk: Desk, recordings: Sequence[RecordRow]) -> list[dict[str, Any]]:
        audio = [
            {"segment": each.segment, "call": each.call, "reasons": self._withheld(each)}
            for each in recordings
            if self._withheld(each)
        ]
        return audio + [
            {"segment": each.row.segment, "call": each.row.segment.rpartition("-")[0],
             "artefact": each.row.artefact, "kind": each.row.kind, "reasons": each.reasons}
            for each in self._children(desk, recordings)
            if each.reasons
        ]  # fmt: skip

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
        self,
        login: str,
        part: Path,
        given: Sequence[Iterable[Mapping[str, Any]]],
        withheld: Sequence[Mapping[str, Any]],
    ) -> None:
        audio, children = given
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
            "artefacts": list(children),
            "withheld": list(withheld),
        }
        self._write(part / "manifest.json", manifest)

    def _write(self, path: Path, facts: Mapping[str, Any]) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        text = json.dumps(output.plain(facts), indent=2) + "\n"
        write_new(path, text, 0o600)
        if path.parent.name == "calls":
            digest = hashlib.sha256(text.encode()).hexdigest()
            self._files.append({"call": path.stem, "file": f"calls/{path.name}", "sha256": digest})
