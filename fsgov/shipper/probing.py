"""Asks the shared parts for a sign of life while no work does: an outage is known before a call ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fsgov.catalog.ship import Ship
from fsgov.errors import NotPermitted
from fsgov.shipper.pauses import Pauses
from fsgov.shipper.storing import Destination
from fsgov.shipper.telling import Telling

PROBE_EVERY = 10.0
"""Seconds after a part's last word before it is asked for one."""


class Probing:
    """Which part is due to be asked, and how."""

    def __init__(
        self,
        catalog: Ship,
        origin: str,
        destinations: Mapping[str, Destination],
        pauses: Pauses,
        telling: Telling,
        clock: Callable[[], float],
    ) -> None:
        self._asks: dict[str, tuple[str, Callable[[], None]]] = {
            "database": ("rows", lambda: _ask_rows(catalog, origin)),
            **{
                f"vault.{name}": ("uploads", lambda found=found: _ask_vault(found))  # type: ignore[misc]
                for name, found in destinations.items()
            },
        }
        self._pauses = pauses
        self._telling = telling
        self._clock = clock
        self._under_way: set[str] = set()

    def due(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        """Gate, pool and question of each part to ask now; it counts as asked until `over`."""
        for gate, (pool, ask) in self._asks.items():
            if gate in self._under_way:
                continue
            silent = self._clock() - self._telling.asked.get(gate, float("-inf"))
            failing = gate in self._telling.faults
            if silent >= PROBE_EVERY or (failing and self._pauses.open(gate)):
                self._under_way.add(gate)
                self._pauses.probe(gate)
                yield gate, pool, ask

    def over(self, gate: str) -> None:
        """It has answered, or failed to."""
        self._under_way.discard(gate)


def _ask_rows(catalog: Ship, origin: str) -> None:
    with catalog.entering() as entering:
        entering.entered(origin)


def _ask_vault(destination: Destination) -> None:
    """Both buckets list a place where nothing is; a login that may not list has reached them all the same."""
    for bucket in (destination.vault.audio, destination.vault.keys):
        try:
            next(bucket.list("probe/"), None)
        except NotPermitted as fault:
            if not bucket.url.startswith("s3"):
                raise NotPermitted(fault.message, fault.detail, fault.hint) from fault
