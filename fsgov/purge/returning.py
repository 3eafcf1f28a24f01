"""Objects of destroyed recordings that come back are removed again.

A bucket was restored, an upload of ship came late, a replica still had it. Every vault is listed once a day,
a page at a time. What a tombstone names, by its key and nothing else, is noted in the catalog and removed by
the same code as in a destruction, until a listing shows nothing. It was destroyed with the word of two
persons, and needs no other.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import structlog

from fsgov import entries
from fsgov.catalog.returning import Line, Returned, Returning
from fsgov.certificate import Removed
from fsgov.errors import Conflict, FsgovError
from fsgov.events import Instant
from fsgov.purge.failing import Failing
from fsgov.purge.removing import KEY, Place, Vaults

log = structlog.get_logger()

FIRST, EVERY = 600.0, 86_400.0
"""Seconds until the vaults are listed the first time, and between two times."""
PAGE = 1_000
KEYS = "keys/"
OF_A_SEGMENT = re.compile(r"[^/]+/[0-9]{4}/[0-9]{2}/([0-9A-Za-z-]{1,64}-[0-9]{2,4})(?:[.]age|/[^/]+[.]age)")


class Returns:
    """Not for threads, but `troubles` and `removed` may be read by any."""

    def __init__(
        self,
        catalog: Returning,
        vaults: Vaults,
        host: str,
        now: Callable[[], Instant],
        clock: Callable[[], float] = time.monotonic,
        first: float = FIRST,
    ) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        """Alarm -> why, for keep to follow."""
        self.removed = 0
        """Versions, in the life of this process."""
        self._catalog, self._vaults = catalog, vaults
        self._host, self._now, self._clock = host, now, clock
        self._origin = f"{host}.keep.{now() // 1000 + 7}"  # others of this keep have those before
        self._failing = Failing(clock)
        self._next = clock() + first
        self._listing: Iterator[tuple[str, str, str]] | None = None

    def close(self) -> None:
        self._catalog.close()
        self._vaults.close()

    def turn(self) -> bool:
        """A page of the vaults, and what has come back; whether the listing goes on.

        Raises what the catalog raises.
        """
        goes_on = self._looked()
        for row in self._catalog.open():
            if self._failing.rests(row.segment):
                continue
            try:
                self._remove(row)
                self._failing.over(row.segment)
            except FsgovError as fault:
                log.warning("returned.left", segment=row.segment, why=fault.message, detail=fault.detail)
                self._failing.add(row.segment, None, fault)
        stuck = self._failing.trouble()
        self.troubles = {} if stuck is None else {"purge.returned": stuck}
        return goes_on

    # -- looking -------------------------------------------------------------------------------------------

    def _looked(self) -> bool:
        if self._listing is None:
            if self._clock() < self._next:
                return False
            self._listing = self._vaults.everything()
        try:
            page = list(islice(self._listing, PAGE))
        except FsgovError as fault:
            log.warning("returned.unlisted", why=fault.message, detail=fault.detail)
            self._failing.add("", None, fault)
            self._listing, self._next = None, self._clock() + FIRST
            return False
        self._compare(page)
        if len(page) < PAGE:
            self._failing.over("")
            self._listing, self._next = None, self._clock() + EVERY
        return self._listing is not None

    def _compare(self, page: list[tuple[str, str, str]]) -> None:
        """Note what of this page belongs to a destroyed recording."""
        named = {(segment_in(key), vault, key) for vault, _, key in page}
        gone = self._catalog.destroyed(sorted({segment for segment, _, _ in named if segment}))
        for segment, vault, key in sorted(named):
            if (segment, key) in gone and self._catalog.found(segment, vault, key):
                log.warning("returned.found", segment=segment, vault=vault)

    # -- removing ------------------------------------------------------------------------------------------

    def _remove(self, row: Returned) -> None:
        places = [
            Place(row.vault, key, KEY if key.startswith(KEYS) else "returned") for key in row.object_keys
        ]
        found = self._vaults.versions(places)
        self._vaults.belong(row.segment, found)
        begun = self._line(row, "purge.returned", len(found))
        if not self._catalog.removing(row, found, self._origin, begun):
            return  # a hold keeps it
        facts = {"segment": row.segment, "plan": row.plan, "cause": row.cause, "proposed_by": row.proposed_by,
                 "approved_by": row.approved_by, "key_sha256": row.key_sha256}  # fmt: skip
        self._vaults.write_ledger(row.segment, [row.vault], entries.ENCODE(facts).encode())
        noted = [*(Removed(**each) for each in row.versions or ()), *found]

        def note(more: list[Removed]) -> None:
            self._vaults.belong(row.segment, more)
            if not self._catalog.removing(row, more, self._origin, begun):
                raise Conflict("A hold was placed on it", row.segment)

        self._vaults.remove(places, noted, note)
        self.removed += self._catalog.removed(
            row, self._origin, lambda count: self._line(row, "purge.removed", count)
        )
        log.warning("returned.removed", segment=row.segment, vault=row.vault)

    def _line(self, row: Returned, type_: str, objects: int) -> Line:
        return lambda n: entries.line(
            origin=self._origin, n=n, host=self._host, type_=type_, subject=row.segment, time=self._now(),
            facts={"call": row.call, "vault": row.vault, "objects": objects},
        )  # fmt: skip


def segment_in(key: str) -> str:
    """The segment that a key names, of audio, of an artefact or of a wrapped key; "" where it names none."""
    if key.startswith(KEYS):
        return key.removeprefix(KEYS)
    found = OF_A_SEGMENT.fullmatch(key)
    return found[1] if found else ""
