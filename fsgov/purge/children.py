"""Removes single artefacts, where two persons want one to go and its recording to stay.

Nothing is shredded: the key is the recording's. So it is over only when no vault lists a version any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from fsgov.catalog.purging import Purging, Removal
from fsgov.certificate import Removed
from fsgov.errors import FsgovError
from fsgov.purge.failing import Failing
from fsgov.purge.removing import Place, Vaults
from fsgov.purge.telling import Teller

log = structlog.get_logger()

BATCH = 50


@dataclass(frozen=True, slots=True)
class Children:
    """Brings to their end the removals that were approved; what fails is in `failing`, by artefact."""

    catalog: Purging
    vaults: Vaults
    failing: Failing
    teller: Teller

    def remove(self) -> int:
        """Those that wait now; how many came to their end. Raises what the catalog raises."""
        done = 0
        for each in self.catalog.removals(BATCH):
            if self.failing.rests(each.artefact):
                continue
            try:
                self._remove(each)
            except FsgovError as fault:
                log.warning(
                    "artefact.unremoved", artefact=each.artefact, why=fault.message, detail=fault.detail
                )
                self.failing.add(each.artefact, None, fault)
                continue
            self.failing.over(each.artefact)
            done += 1
        return done

    def _remove(self, each: Removal) -> None:
        gone: list[Removed] = []
        self.vaults.remove([Place(*place) for place in each.places], [], gone.extend)
        self.catalog.removed(each.artefact, self.teller.origin, self.teller.removed(each, len(gone)))
        log.info("artefact.removed", artefact=each.artefact, segment=each.segment, versions=len(gone))
