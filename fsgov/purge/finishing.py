"""Brings to its end what was begun: ledger, keys, versions, proof, certificate. Steps 2 to 5 of the order."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from fsgov import entries
from fsgov.catalog.purging import Purging, Unfinished
from fsgov.certificate import Destruction, Listed, Removed, body
from fsgov.errors import Conflict, Damaged, FsgovError
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.purge.failing import Failing
from fsgov.purge.removing import Place, Vaults, moment
from fsgov.purge.telling import Teller

log = structlog.get_logger()

HELD_BY_VAULT = timedelta(days=1)
"""A legal hold of a vault has no end: it is asked again after this."""
Came = TypeVar("Came")


@dataclass(frozen=True, slots=True)
class Finisher:
    """Finishes batches; the vaults are asked in several threads, the catalog by one at a time.

    complete: microseconds after which the last copies of a key have aged out.
    """

    catalog: Purging
    vaults: Vaults
    failing: Failing
    teller: Teller
    pool: ThreadPoolExecutor
    now: Callable[[], Instant]
    complete: int

    def finish(self, rows: Sequence[Unfinished]) -> int:
        """How many of these came to their end; the others are in `failing`, or wait for a lock to end."""
        places = self.places([row.segment for row in rows])
        fresh = [row for row in rows if row.keys_at is None]
        listed = self._each(fresh, lambda row: self._write_and_list(row, places[row.segment]))
        keyless = {row.segment: row.keys_at for row in rows if row.keys_at is not None}
        if listed:
            keyless |= dict.fromkeys(listed, self.catalog.keys_destroyed(listed))
        going = [row for row in rows if row.segment in keyless]
        noted = {row.segment: [*row.noted, *listed.get(row.segment, ())] for row in going}
        asking = threading.Lock()
        proven = self._each(
            going, lambda row: self._remove(row, places[row.segment], noted[row.segment], asking)
        )
        failpoint("purge.proven")
        bodies = {
            row.segment: self._body(row, noted[row.segment], proven[row.segment], keyless[row.segment])
            for row in going
            if row.segment in proven
        }
        return self._certify({row.segment: row for row in going}, bodies)

    def places(self, segments: Sequence[str]) -> dict[str, list[Place]]:
        """Where everything of these recordings is."""
        return {
            segment: [Place(*each) for each in found]
            for segment, found in self.catalog.places(segments).items()
        }

    def _write_and_list(self, row: Unfinished, places: Sequence[Place]) -> list[Removed]:
        facts = {"segment": row.segment, "plan": row.plan, "cause": row.cause, "proposed_by": row.proposed_by,
                 "approved_by": row.approved_by, "key_sha256": row.key_sha256}  # fmt: skip
        names = sorted({place.vault for place in places})
        self.vaults.write_ledger(row.segment, names, entries.ENCODE(facts).encode())
        return self.vaults.versions(places)

    def _remove(
        self, row: Unfinished, places: Sequence[Place], noted: list[Removed], asking: threading.Lock
    ) -> list[Listed]:
        def note(more: list[Removed]) -> None:
            with asking:
                self.catalog.note(row.segment, more)
            noted.extend(more)

        return self.vaults.remove(places, tuple(noted), note)

    def _body(
        self, row: Unfinished, removed: Sequence[Removed], listed: Sequence[Listed], keys_at: datetime
    ) -> bytes:
        at = self.now()
        return body(
            Destruction(
                segment=row.segment, call=row.call, tenant=row.tenant, cause=row.cause, plan=row.plan,
                proposed_by=row.proposed_by, approved_by=row.approved_by, audio_sha256=row.audio_sha256,
                sealed_sha256=row.sealed_sha256, sealed_size=row.sealed_size, key_sha256=row.key_sha256,
                recipients=row.recipients, key_destroyed_at=_iso(keys_at), begun_at=_iso(row.begun_at),
                removed=list(dict.fromkeys(removed)), listed=listed, destroyed_at=entries.iso(at),
                complete_after=entries.iso(at + self.complete), remade=row.restored,
            )
        )  # fmt: skip

    def _certify(self, rows: Mapping[str, Unfinished], bodies: Mapping[str, bytes]) -> int:
        """tx3 of them together; where one of them is refused, of each alone."""
        if not bodies:
            return 0
        batch = "b-" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))
        try:
            self.catalog.certified(
                batch, bodies, self.teller.origin, self.teller.certified(batch, rows, bodies)
            )
        except (Conflict, Damaged) as fault:
            if len(bodies) > 1:
                return sum(self._certify(rows, {segment: text}) for segment, text in bodies.items())
            (segment,) = bodies
            self._failed(rows[segment], fault)
            return 0
        for segment in bodies:
            self.failing.over(segment)
            log.info("segment.destroyed", segment=segment, plan=rows[segment].plan, batch=batch)
        return len(bodies)

    def _each(self, rows: Sequence[Unfinished], do: Callable[[Unfinished], Came]) -> dict[str, Came]:
        """What came of it, by segment; what failed is noted and left out."""

        def tried(row: Unfinished) -> Came | FsgovError:
            try:
                return do(row)
            except FsgovError as fault:
                return fault

        found: dict[str, Came] = {}
        for row, came in zip(rows, self.pool.map(tried, rows), strict=True):
            if isinstance(came, FsgovError):
                self._failed(row, came)
            else:
                found[row.segment] = came
        return found

    def _failed(self, row: Unfinished, fault: FsgovError) -> None:
        """A vault that keeps it locked says until when; all else is tried again soon."""
        log.warning("segment.undestroyed", segment=row.segment, why=fault.message, detail=fault.detail)
        if isinstance(fault, Conflict):
            lock = self.vaults.locked(self.places([row.segment])[row.segment])
            if lock is not None:
                until = moment(self.now()) + HELD_BY_VAULT if lock.until is None else moment(lock.until)
                why = "legal hold" if lock.until is None else "locked"
                self.catalog.stuck(row.segment, f"{why} in {lock.place.vault}", until)
                self.failing.over(row.segment)
                return
        self.failing.add(row.segment, row.plan, fault)


def _iso(at: datetime) -> str:
    return entries.iso(int(at.timestamp() * 1_000_000))
