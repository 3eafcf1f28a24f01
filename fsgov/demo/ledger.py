"""What really happened by the simulated switch's own account, read as it grows."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from fsgov.errors import Unreachable

Happened = dict[str, Any]
"""One line of `fsgov.simulator.world`: `what`, `moment` (20 ms frames since 1970), and its facts."""
LOOK_EVERY = 0.03


class Ledger:
    """The world's file, each line read once. Any thread may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._at = 0
        self._found: list[Happened] = []

    def all(self, what: str, **facts: Any) -> list[Happened]:
        """What happened of this kind with these facts, in its order."""
        with self._lock:
            self._read()
            return [
                each
                for each in self._found
                if each["what"] == what and all(each.get(key) == value for key, value in facts.items())
            ]

    def wait(self, what: str, *, nth: int = 1, timeout: float = 15.0, **facts: Any) -> Happened:
        """The nth that happened, as soon as it has. Raises Unreachable after `timeout` seconds."""
        end = time.monotonic() + timeout
        while len(found := self.all(what, **facts)) < nth:
            if time.monotonic() > end:
                raise Unreachable(f"The switch has not {what} anything in {timeout:g} s", str(facts))
            time.sleep(LOOK_EVERY)
        return found[nth - 1]

    def legs(self, call: str) -> dict[str, int]:
        """A call's legs: their uuids, and the numbers they have in the time-coded audio."""
        return {each["uuid"]: each["leg"] for each in self.all("leg") if each["call"] == call}

    def _read(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                text = file.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        self._found += [json.loads(line) for line in whole.splitlines()]
