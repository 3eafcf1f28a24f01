"""Frames on their way to their receivers: each has a bounded queue and a greenlet, none waits for another."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import structlog
from gevent.queue import Queue

from fsgov.esl.frames import Frame

Receiver = Callable[[Frame], None]

log = structlog.get_logger()


class Lagging(Exception):
    """More frames wait for a receiver than may."""


class Lane:
    """The way to one receiver, in order of arrival."""

    def __init__(self, receiver: Receiver, backlog: int) -> None:
        self._frames: Queue[Frame | None] = Queue()
        self._backlog = backlog
        self._receiver = receiver
        self.greenlet = gevent.spawn(self._run)

    def offer(self, frame: Frame) -> None:
        """Take the frame without waiting. Raises Lagging."""
        if self._frames.qsize() >= self._backlog:
            raise Lagging
        self._frames.put_nowait(frame)

    def close(self) -> None:
        """What waits is still received, then the lane ends."""
        self._frames.put_nowait(None)

    def _run(self) -> None:
        while (frame := self._frames.get()) is not None:
            try:
                self._receiver(frame)
            except Exception:
                log.exception("esl.receiver.failed", kind=frame.kind)


class Lanes:
    """Which receivers want the frames of a name."""

    def __init__(self, backlog: int) -> None:
        self._backlog = backlog
        self._lanes: dict[str, dict[Receiver, Lane]] = {}

    def add(self, name: str, receiver: Receiver) -> None:
        lanes = self._lanes.setdefault(name, {})
        if receiver not in lanes:
            lanes[receiver] = Lane(receiver, self._backlog)

    def remove(self, name: str, receiver: Receiver) -> None:
        """Raises ValueError where there is none, as greenswitch does."""
        lanes = self._lanes.get(name, {})
        if receiver not in lanes:
            raise ValueError(f"No receiver of {name}")
        lanes.pop(receiver).close()

    def offer(self, name: str, frame: Frame) -> bool:
        """Put the frame into the lanes of that name; false where there are none. Raises Lagging."""
        lanes = self._lanes.get(name)
        if not lanes:
            return False
        for lane in lanes.values():
            lane.offer(frame)
        return True

    def close(self) -> list[gevent.Greenlet[[], None]]:
        """End every lane once what it holds has been received; their greenlets, to wait for."""
        lanes = [lane for lanes in self._lanes.values() for lane in lanes.values()]
        for lane in lanes:
            lane.close()
        return [lane.greenlet for lane in lanes]
