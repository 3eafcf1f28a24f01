"""Which segments and calls of the spool ship knows, in which state: read from disk as cheaply as it goes."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import structlog

from fsgov.errors import BadUsage, Damaged
from fsgov.events import Instant
from fsgov.shipper.sidecar import Sidecar, Step, parse
from fsgov.spool import Spool, Stamp

log = structlog.get_logger()


@dataclass(slots=True)
class Item:
    """A segment on its way. `busy` while a job works on it; `unsure` until this process has done a step."""

    sidecar: Sidecar
    stamp: Stamp
    busy: bool = False
    unsure: bool = True
    discarding: bool = False
    """Entered before a crash, while its plaintext was still there."""

    @property
    def resting(self) -> bool:
        """Whether ship has nothing to do with it: it is still govern's, or done."""
        return self.sidecar.step is Step.WAIT or (self.sidecar.step is Step.KEEP and not self.discarding)


@dataclass(frozen=True, slots=True)
class Call:
    """A call file as it was when it was read, and what ship needs of it.

    dispose: segments that a party took back, also of calls that it came of; their rows are marked by it,
    so it stays until they are entered.
    """

    call: str
    text: str
    stamp: Stamp
    ended: bool
    segments: tuple[str, ...]
    dispose: tuple[str, ...]


class Glance:
    """Whether a directory has to be read again, told by the time of its last change.

    A change within the tick of a file system's clock (some ms) shows no new time: a time is trusted only once
    it lies back by more than that.
    """

    def __init__(self) -> None:
        self._seen = 0

    def passed(self, changed: int) -> bool:
        """Whether something may have changed since the last time this was asked."""
        if changed == self._seen:
            return False
        self._seen = changed if time.time_ns() - changed > 1_000_000_000 else 0
        return True

    def again(self) -> None:
        """What was found is not dealt with yet: read the directory next time, whatever its time says."""
        self._seen = 0


class Belt:
    """Segments and calls between govern's last word and the end of ship's work."""

    def __init__(self, spool: Spool, damaged: Callable[[str, Damaged], None]) -> None:
        self._spool = spool
        self._damaged = damaged
        self.items: dict[str, Item] = {}
        self._kept: list[tuple[Instant, str]] = []
        self._bad: dict[str, Stamp] = {}
        self._segments = Glance()
        self._calls = Glance()

    def look(self) -> None:
        """Find what is new on the segment shelf, and what govern has changed there."""
        if not self._segments.passed(self._spool.segments_changed()):
            return
        names = set(self._spool.segment_names())
        for gone in [
            s for s, item in self.items.items() if item.sidecar.step is Step.WAIT and s not in names
        ]:
            del self.items[gone]
        for segment in names:
            item = self.items.get(segment)
            if item is not None and item.sidecar.step is not Step.WAIT:
                continue
            with suppress(BadUsage):
                stamp = self._spool.segment_stamp(segment)
                if stamp is None or (item is not None and item.stamp == stamp):
                    continue
                if self._bad.get(segment) != stamp:
                    self._read(segment, stamp)

    def _read(self, segment: str, stamp: Stamp) -> None:
        text = self._spool.segment(segment)
        if text is None:
            return
        try:
            sidecar = parse(segment, text)
        except Damaged as fault:
            self._bad[segment] = stamp
            self._damaged(f"segment.{segment}", fault)
            return
        self.items[segment] = Item(sidecar, stamp)
        if sidecar.step is Step.KEEP:
            self.items[segment].discarding = self._spool.has_audio(segment)
            self.keep(sidecar)

    def keep(self, sidecar: Sidecar) -> None:
        """Remember when the sealed copy of an entered segment goes."""
        heapq.heappush(self._kept, (sidecar.entered_at or 0, sidecar.segment))

    def expired(self, before: Instant) -> Iterator[str]:
        """Segments that were entered before this instant and are only kept; each is given once."""
        while self._kept and self._kept[0][0] <= before:
            yield heapq.heappop(self._kept)[1]

    def drop(self, segment: str) -> bool:
        """Let go of sealed copy and sidecar; False while its call may still take segment numbers."""
        item = self.items.get(segment)
        if item is None:  # destroyed before
            return False
        if item.discarding or self._spool.call_stamp(item.sidecar.call) is not None:
            self.keep(item.sidecar)
            return False
        self._forget(segment)
        return True

    def entered(self) -> list[str]:
        """Segments of which nothing is left here but the sealed copy and the sidecar."""
        return [segment for segment, item in self.items.items() if item.sidecar.step is Step.KEEP]

    def destroyed(self, segments: Iterable[str]) -> None:
        """These recordings are destroyed: copies go at once, a sidecar as soon as its call is over."""
        for segment in segments:
            item = self.items.get(segment)
            if item is None or item.busy:
                continue
            self._spool.sealed(segment).unlink(missing_ok=True)
            if not item.discarding and self._spool.call_stamp(item.sidecar.call) is None:
                self._forget(segment)
                log.info("segment.dropped", segment=segment, destroyed=True)

    def _forget(self, segment: str) -> None:
        self._spool.sealed(segment).unlink(missing_ok=True)
        self._spool.forget_segment(segment)
        del self.items[segment]

    def frames(self, call: Call) -> list[int] | None:
        """Frames of each file the switch recorded for this call; None while the call file is still needed."""
        marked = (self.items.get(segment) for segment in call.dispose)
        if any(item is not None and item.sidecar.step is not Step.KEEP for item in marked):
            return None
        found: list[int] = []
        for segment in call.segments:
            item = self.items.get(segment)
            if item is None and segment in self._bad:
                return None
            if item is None:
                continue
            if item.sidecar.checked is None:
                return None
            if not item.sidecar.discarded and not item.sidecar.never_opened:
                found.append(item.sidecar.checked.frames)
        return found

    def calls(self, known: dict[str, Stamp]) -> Iterator[Call]:
        """Calls whose file is not the one in `known`."""
        if not self._calls.passed(self._spool.calls_changed()):
            return
        for name in self._spool.call_names():
            with suppress(BadUsage):
                stamp = self._spool.call_stamp(name)
                if stamp is None or known.get(name) == stamp or self._bad.get(name) == stamp:
                    continue
                text = self._spool.call(name)
                self._calls.again()
                if text is None:
                    continue
                try:
                    yield _call(name, text, stamp)
                except Damaged as fault:
                    self._bad[name] = stamp
                    self._damaged(f"call.{name}", fault)


def _call(name: str, text: str, stamp: Stamp) -> Call:
    try:
        document = json.loads(text)
        if document["call"] != name:
            raise ValueError("another call's")
        segments = tuple(str(segment) for segment in document["segments"])
        marked = (*document.get("dispose", ()), *(document.get("quarantine") or {}))
        dispose = tuple(str(segment) for segment in marked)
        return Call(name, text, stamp, document["ended"] is not None, segments, dispose)
    except (ValueError, KeyError, TypeError) as fault:
        raise Damaged(
            "a call file is damaged", f"{name}: {type(fault).__name__}", "See calls/ in the spool."
        ) from fault
