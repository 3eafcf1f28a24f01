"""A thread of keep that does its rounds while this keep leads; a fault of PostgreSQL is keep's own alarm."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import structlog

from fsgov.errors import Damaged, FsgovError

log = structlog.get_logger()


class Worker:
    """Goes round until it is closed. `troubles` (alarm -> why) may be read by any thread.

    name: of the thread, and of the alarm where fsgov itself is wrong. every: seconds between two rounds.
    """

    def __init__(self, name: str, every: float) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        self.leading = False
        self.stop = threading.Event()
        self._name = name
        self._every = every
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def run_once(self) -> bool:
        """One round. Whether there is more to do at once. Raises what the catalog raises."""
        raise NotImplementedError

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop: what was begun is done again by whoever leads next."""
        self.stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        led = False
        while not self.stop.wait(0.5):
            if not self.leading:
                led = False
                continue
            try:
                if not led:
                    self.begin()
                    led = True
                if self.run_once():
                    continue
            except FsgovError as fault:
                log.warning(f"{self._name}.failed", why=fault.message, detail=fault.detail)
            except Exception:
                log.exception(f"{self._name}.broken")
                broken = Damaged("fsgov itself is wrong here", self._name, "Report it with the log.")
                self.troubles = {**self.troubles, f"{self._name}.broken": broken}
            self.stop.wait(self._every)

    def begin(self) -> None:
        """This keep has begun to lead."""
