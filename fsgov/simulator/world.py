"""What really happened: the oracle of every test, written by the simulator and by nobody else.

Each entry is one JSON object with `at` (world seconds), `moment` (20 ms frames since 1970, the same
number that time-coded audio carries) and `what`:

    leg          a channel was made: leg (its number), uuid, call, direction, caller, dialled
    early        the leg has media before its answer (183)
    answered     leg
    bridged      a, b: two legs hear each other from here on        unbridged  a, b
    hold, unhold leg
    executed     leg, application, data: what a dialplan in XML has the leg do
    pressed      leg, digits
    heard        leg, file, samples, of, complete: how much of a prompt was really played
    opened       file, leg, path (as the switch knows it), frames 0: a recording runs
    masked, unmasked, paused, resumed   file, frames: from that frame of the file on
    closed       file, leg, frames, bytes, cause, spans: [[first moment, last moment, masked], …]
    moved        file, from, to (recording_follow_transfer)
    hangup       leg, cause, by
    command      the text of an api command, its reply, when it was received (world seconds)
    delivered    event, uuid: written to a connection; only of the events that `World.watch` names
    fault        a fault was put in: fault, event or command, uuid
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from fsgov.simulator.clock import ManualClock
from fsgov.simulator.timecode import moment

Entry = dict[str, Any]


def spoken(entries: list[Entry], leg: int) -> list[tuple[int, int]]:
    """When a leg's voice could be heard: from its answer to its hang-up without its holds, as moments.

    Each span is (first moment, the moment after the last one); an open one ends with the last entry.
    """
    spans: list[tuple[int, int]] = []
    since: int | None = None
    for e in entries:
        if e.get("leg") != leg or e["what"] not in ("answered", "hold", "unhold", "hangup"):
            continue
        speaks = e["what"] in ("answered", "unhold")
        if speaks and since is None:
            since = e["moment"]
        elif not speaks and since is not None:
            spans.append((since, e["moment"]))
            since = None
    if since is not None:
        spans.append((since, entries[-1]["moment"]))
    return spans


class World:
    """The ledger: in memory, and line by line in a file when one is named (flushed each time)."""

    def __init__(self, clock: ManualClock, path: Path | None = None, *, commands: bool = True) -> None:
        self.clock = clock
        self.entries: list[Entry] = []
        self.commands = commands
        self.watch: frozenset[str] = frozenset()
        self._file: IO[str] | None = path.open("a", encoding="utf-8") if path else None

    def note(self, what: str, **facts: Any) -> Entry:
        """Write one entry down."""
        epoch = self.clock.epoch()
        entry: Entry = {"at": round(self.clock.now(), 6), "moment": moment(epoch), "what": what, **facts}
        self.entries.append(entry)
        if self._file:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._file.flush()
        return entry

    def of(self, what: str, **facts: Any) -> list[Entry]:
        """The entries of a kind with these facts."""
        return [e for e in self.entries if e["what"] == what and all(e.get(k) == v for k, v in facts.items())]

    def legs(self) -> Iterator[Entry]:
        yield from self.of("leg")

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
