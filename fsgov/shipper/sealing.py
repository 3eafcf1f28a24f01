"""Steps 3 and 4 of the durable order, one job per file: is the audio what we think, and its sealed copy.

3 ready    file and directory fsynced (FreeSWITCH does not), header, length and masks checked
4 sealed   a fresh identity, the sealed file fsynced under its name, then the wrapped identity in the sidecar
Plaintext is read from spool/audio and written nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from io import FileIO

from fsgov import media
from fsgov.envelope import Identity, Recipient, seal, wrap_identity
from fsgov.errors import Damaged, NotFound, Unreachable
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.media import Span, Verdict
from fsgov.shipper.sidecar import Checked, SealedFile, Sidecar, back_to
from fsgov.spool import Spool, sync_directory

PIECE = 1 << 20
HOUR = 3_600_000_000
REVIEW = {
    "mask-not-proven": 24 * HOUR,
    "header-broken": 14 * 24 * HOUR,
    "empty": 14 * 24 * HOUR,
    "adopted": 24 * HOUR,
}
"""How long a quarantined segment may wait for a reviewer, by reason: an unproven mask may hold card codes, as
may what reconcile adopted.
"""


class Sealer:
    """Checks and seals files of one spool. Its verbs block, and may run in several threads at once."""

    def __init__(
        self, spool: Spool, now: Callable[[], Instant], random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._spool = spool
        self._now = now
        self._random = random

    def check(self, sidecar: Sidecar) -> Sidecar:
        """The sidecar in state `ready` or `quarantined`, durably. Damaged when it is no ordinary file."""
        failpoint("ship.ready.before")
        try:
            with self._audio(sidecar.segment) as file:
                os.fsync(file.fileno())
                sync_directory(self._spool.audio_directory)
                after = self._examined(sidecar, file)
        except NotFound:
            after = self._missing(sidecar)
        self._spool.replace_segment(after.segment, after.to_text(), durable=True)
        failpoint("ship.ready.after")
        return after

    def seal(self, sidecar: Sidecar, recipients: Sequence[Recipient]) -> Sidecar:
        """The sidecar in state `sealed`, durably; or in `captured` when the audio changed since the check."""
        failpoint("ship.sealed.before")
        assert sidecar.checked is not None
        identity = Identity.generate(self._random)
        path = self._spool.sealed(sidecar.segment)
        part = path.with_name(f".ship-{sidecar.segment}.part")
        try:
            with self._audio(sidecar.segment) as source, _target(part) as target:
                before = os.fstat(source.fileno())
                made = seal(source, target, [identity.recipient], self._random)
                os.fsync(target.fileno())
                after = os.fstat(source.fileno())
        except OSError as fault:
            with suppress(FileNotFoundError):
                part.unlink()
            raise Unreachable(
                "the sealed file cannot be written", f"{part.parent}: {fault.strerror}"
            ) from fault
        except NotFound:
            return self._again(sidecar)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or (
            made.plaintext_size != sidecar.checked.size
        ):
            part.unlink()
            return self._again(sidecar)
        part.rename(path)
        sync_directory(path.parent)
        sealed = replace(
            sidecar,
            state="sealed",
            checked=replace(sidecar.checked, sha256=made.plaintext_sha256),
            sealed=SealedFile(
                sha256=made.sealed_sha256,
                size=made.sealed_size,
                key=object_key(sidecar, self._now()),
                wrapped_key=wrap_identity(identity, recipients, self._random),
                recipients=tuple(recipient.fingerprint for recipient in recipients),
                recipient=str(identity.recipient),
            ),
        )
        self._spool.replace_segment(sealed.segment, sealed.to_text(), durable=True)
        failpoint("ship.sealed.after")
        return sealed

    def _again(self, sidecar: Sidecar) -> Sidecar:
        """The audio is not the one that was checked: check what is there now."""
        changed = back_to(sidecar, "captured")
        self._spool.replace_segment(changed.segment, changed.to_text(), durable=True)
        return changed

    def _examined(self, sidecar: Sidecar, file: FileIO) -> Sidecar:
        fd = file.fileno()
        size = os.fstat(fd).st_size
        if size == 0 and (sidecar.discarded or sidecar.opened is None):
            return self._missing(sidecar)  # what a refused start leaves on a full disk
        found = media.examine(
            os.pread(fd, media.HEAD, 0),
            size,
            sidecar.reported_ms,
            sidecar.reported_size,
            wall_ms=sidecar.wall_ms,
            unbuffered=sidecar.unbuffered,
        )
        proof = media.prove(lambda due: _pieces(fd, due), sidecar.masks, found)
        reason = ""
        if proof.result == "failed":
            reason = "mask-not-proven"
        elif found.verdict is Verdict.BROKEN:
            reason = "header-broken"
        elif found.verdict is Verdict.EMPTY:
            reason = "empty"
        elif sidecar.adopted:
            reason = "adopted"
        return replace(
            sidecar,
            state="quarantined" if reason else "ready",
            quarantine=reason,
            review_by=self._now() + REVIEW[reason] if reason else None,
            checked=Checked(
                frames=found.frames,
                ms=found.ms,
                size=size,
                sha256="",
                truncated=found.verdict is Verdict.TRUNCATED,
                lost_ms=found.lost_ms,
                mask_proof=proof.result,
                findings=found.findings + proof.findings,
            ),
        )

    def _missing(self, sidecar: Sidecar) -> Sidecar:
        said = (
            "the switch discarded it" if sidecar.discarded else "there is no file, though there should be one"
        )
        checked = Checked(0, 0, 0, "", False, "none", (said,), missing=True)
        return replace(sidecar, state="ready", checked=checked)

    @contextmanager
    def _audio(self, segment: str) -> Iterator[FileIO]:
        """The plaintext, open for reading. The switch's group may write there: no links, no pipes."""
        path = self._spool.audio(segment)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError as fault:
            raise NotFound("there is no audio of this segment", segment) from fault
        except OSError as fault:
            if fault.errno == errno.ELOOP:
                raise Damaged("the audio is no ordinary file", str(path)) from fault
            raise Unreachable("the audio cannot be read", f"{path}: {fault.strerror}") from fault
        with open(fd, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor, not a path
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Damaged("the audio is no ordinary file", str(path))
            yield file


def object_key(sidecar: Sidecar, now: Instant) -> str:
    """Where a segment lies in its vault: `<tenant>/<yyyy>/<mm>/<segment>.age`, by the month it was opened."""
    moment = datetime.fromtimestamp((sidecar.opened or sidecar.closed or now) // 1_000_000, UTC)
    return f"{sidecar.tenant}/{moment:%Y/%m}/{sidecar.segment}.age"


def _pieces(fd: int, due: Sequence[Span]) -> Iterator[tuple[int, bytes]]:
    """The bytes of the spans, each in order."""
    for span in due:
        at = span.first
        while at < span.last:
            piece = os.pread(fd, min(PIECE, span.last - at), at)
            if not piece:
                break
            yield at, piece
            at += len(piece)


def _target(path: os.PathLike[str]) -> FileIO:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return open(fd, "wb", buffering=0)  # noqa: PTH123 - a descriptor, not a path
