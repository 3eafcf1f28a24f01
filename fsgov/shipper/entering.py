"""Steps 6 and 7 of the durable order, and everything else that ship enters: call files, policies, lines.

A segment's row, its wrapped key and the lines that tell of it are one transaction. Plaintext is discarded
only after a commit that was confirmed: where the answer was lost, entering again asks the row itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from fsgov import entries
from fsgov.catalog.ship import Entering, Ship
from fsgov.errors import Conflict, Damaged, FsgovError
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.shipper.marking import WITHDRAWN, marked
from fsgov.shipper.outcome import revise
from fsgov.shipper.sidecar import Sidecar
from fsgov.spool import EntryFiles, Mark, Spool

log = structlog.get_logger()

STUCK = 60_000_000
"""Microseconds before an origin is looked at again whose lines PostgreSQL refuses for good."""

NO_BYTES = hashlib.sha256(b"").hexdigest()
"""The digest in the line of a file that is missing: its size is 0."""

Told = tuple[str, str, Mapping[str, entries.Fact]]
"""An entry to be: type, subject, facts."""


class Rows:
    """Puts what the spool holds into the catalog. Its verbs block; one thread uses them.

    origin: claimed in the spool for lines that belong to a transaction; `n` goes on from the database's.
    All raise what the catalog raises: Unreachable, NotPermitted, BadConfiguration, Damaged, Conflict.
    """

    def __init__(
        self, spool: Spool, catalog: Ship, host: str, origin: str, now: Callable[[], Instant]
    ) -> None:
        self._spool = spool
        self._catalog = catalog
        self._host = host
        self._origin = origin
        self._now = now
        self._files: EntryFiles = spool.entry_files()
        self._marks: dict[str, Mark] = {}
        self._stuck: dict[str, Instant] = {}

    def segment(self, sidecar: Sidecar) -> Sidecar:
        """Enter a stored (or missing) segment, then discard its plaintext; the sidecar in state `entered`."""
        sidecar = marked(self._spool, sidecar)
        if not sidecar.never_opened:
            failpoint("ship.entered.before")
            key = None if sidecar.sealed is None else sidecar.sealed.wrapped_key
            with self._catalog.entering() as entering:
                if _entered(entering, sidecar, key):
                    self._tell(entering, sidecar.stored_at or self._now(), told_of(sidecar))
        failpoint("ship.entered.after")
        entered = replace(sidecar, state="entered", entered_at=self._now())
        self._spool.replace_segment(entered.segment, entered.to_text(), durable=True)
        self.discard(entered)
        return entered

    def erased(self, segments: list[str]) -> list[str]:
        """Which of these are destroyed, so that no copy of them may be kept."""
        with self._catalog.entering() as entering:
            return entering.erased(segments)

    def again(self, sidecar: Sidecar) -> bool:
        """The database was restored: enter a segment that was entered before. Whether it was not there."""
        if sidecar.never_opened:
            return False
        key = None if sidecar.sealed is None else sidecar.sealed.wrapped_key
        with self._catalog.entering() as entering:
            new = _entered(entering, sidecar, key)
            if new and not entering.is_retold(sidecar.segment, "segment.checked"):
                self._tell(entering, sidecar.stored_at or self._now(), told_of(sidecar))
        return new

    def lines_again(self) -> None:
        """The database was restored: every line that is still here is to be entered again."""
        self._files.again(self._spool.sealed_directory)
        self._marks.clear()

    def log_id(self) -> str:
        """The log that is written."""
        with self._catalog.entering() as entering:
            return entering.log_id()

    def discard(self, sidecar: Sidecar) -> Sidecar:
        """Unlink the plaintext of a segment whose row is committed."""
        assert sidecar.state == "entered"
        failpoint("ship.discard.before")
        self._spool.discard_audio(sidecar.segment)
        failpoint("ship.discard.after")
        return sidecar

    def call(self, text: str) -> None:
        """Enter this revision of a call."""
        with self._catalog.entering() as entering:
            entering.call(text)

    def close(self, text: str, frames: Sequence[int]) -> None:
        """Enter the last revision of a call that is over; revise its outcome where the audio says less."""
        document: dict[str, Any] = json.loads(text)
        revision = revise(document.get("outcome"), frames)
        call = str(document["call"])
        with self._catalog.entering() as entering:
            entering.call(text)
            revised = revision is not None and entering.outcome(call, revision.outcome, revision.cause)
            if revision is not None and revised and not entering.is_retold(call, "call.outcome.revised"):
                facts = {"outcome": revision.outcome, "cause": revision.cause, "before": document["outcome"]}
                self._tell(entering, self._now(), [("call.outcome.revised", call, facts)])
                log.warning("call.outcome.revised", call=call, outcome=revision.outcome, cause=revision.cause)

    def policy(self, version: str, text: str) -> None:
        """Enter a policy, which the catalog keeps under its digest."""
        with self._catalog.entering() as entering:
            entering.policy(version, text)

    def lines(self) -> tuple[bool, dict[str, FsgovError], list[str]]:
        """Enter every line in the spool that is not entered yet.

        Whether there was one; the faults of origins that are stuck, by `entries.<origin>`; and who is not.
        """
        asked, stuck, well = False, dict[str, FsgovError](), list[str]()
        for origin in self._files.origins():
            if self._now() < self._stuck.get(origin, 0):
                continue
            try:
                asked = self._lines_of(origin) or asked
                well.append(f"entries.{origin}")
            except (Damaged, Conflict) as fault:
                stuck[f"entries.{origin}"] = fault
                self._stuck[origin] = self._now() + STUCK
            except FileNotFoundError:
                self._marks.pop(origin, None)
        return asked, stuck, well

    def _lines_of(self, origin: str) -> bool:
        asked = False
        mark = self._marks.get(origin) or self._files.mark(origin)
        while (found := self._files.unentered(origin, mark)).lines:
            asked = True
            try:
                with self._catalog.entering() as entering:
                    entering.lines(origin, mark.n + 1, found.lines)
            except Conflict:  # the database has fewer lines than we noted: it was restored
                if mark == Mark(0, 0):
                    raise
                mark = Mark(0, 0)
                continue
            mark = found.after
            self._files.entered(origin, mark)
        self._marks[origin] = mark
        if self._files.drop(origin, mark, self._spool.sealed_directory):
            del self._marks[origin]
        return asked

    def _tell(self, entering: Entering, time: Instant, told: Sequence[Told]) -> None:
        first = entering.entered(self._origin) + 1
        lines = [
            entries.line(
                origin=self._origin,
                n=n,
                host=self._host,
                type_=type_,
                subject=subject,
                time=time,
                facts=facts,
            )
            for n, (type_, subject, facts) in enumerate(told, first)
        ]
        entering.lines(self._origin, first, lines)


def _entered(entering: Entering, sidecar: Sidecar, key: bytes | None) -> bool:
    """The row and the lock that the vault shows; False where the row was there."""
    new = entering.segment(sidecar.to_text(), key)
    if new and sidecar.locked is not None:
        entering.lock(sidecar.segment, sidecar.vault, sidecar.locked.mode, sidecar.locked.until)
    return new


def told_of(sidecar: Sidecar) -> list[Told]:
    """The lines that belong to a segment's row."""
    assert sidecar.checked is not None
    checked = sidecar.checked
    told: list[Told] = [
        (
            "segment.checked",
            sidecar.segment,
            {
                "call": sidecar.call,
                "frames": checked.frames,
                "ms": checked.ms,
                "size": checked.size,
                "sha256": checked.sha256 or NO_BYTES,
                "truncated": checked.truncated,
                "lost_ms": checked.lost_ms,
                "mask_proof": checked.mask_proof,
                "findings": list(checked.findings),
            },
        )
    ]
    if sidecar.quarantine not in ("", WITHDRAWN):  # govern has told of that
        review = None if sidecar.review_by is None else entries.iso(sidecar.review_by)
        told.append(
            (
                "segment.quarantined",
                sidecar.segment,
                {"call": sidecar.call, "reason": sidecar.quarantine, "review_by": review},
            )
        )
    if sidecar.stored is not None:
        stored = sidecar.stored
        told.append(
            (
                "segment.stored",
                sidecar.segment,
                {"call": sidecar.call, "vault": stored.vault, "size": stored.size, "sha256": stored.sha256},
            )
        )
    if sidecar.locked is not None:
        lock = sidecar.locked
        facts = {"vault": sidecar.vault, "mode": lock.mode.lower(), "until": entries.iso(lock.until)}
        told.append(("segment.locked", sidecar.segment, {"call": sidecar.call, **facts}))
    return told
