"""A scripted switch: its legs, recordings and prompts, frame by frame. It knows nothing of fsgov.

What is true of it is kept as the switch would have it on disk and on the wire, so that laws can be judged by
what was captured and what phones did, never by what fsgov says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SECOND = 1_000_000


@dataclass
class Channel:
    uuid: str
    outside: bool
    inbound: bool
    answered: bool = False
    ended: bool = False
    held: bool = False
    prompts: list[Prompt] = field(default_factory=list)
    presses: list[tuple[int, str]] = field(default_factory=list)

    @property
    def playing(self) -> Prompt | None:
        return next((p for p in self.prompts if p.started is not None and p.ended is None), None)


@dataclass
class Prompt:
    """A prompt on a leg; `heard`: all of its samples were played."""

    started: int | None = None
    ended: int | None = None
    heard: bool = False


@dataclass
class File:
    """One recording. `spans`: (from, to, state) with state on, masked, cut or held, closed at `ended`.

    While its leg is held a file stands still, masked or not.
    """

    segment: str
    leg: str
    path: str
    began: int
    state: str = "on"
    held: bool = False
    since: int = 0
    ended: int | None = None
    moved: bool = False
    spans: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return self.ended is None

    def turn(self, now: int, state: str | None = None, held: bool | None = None) -> None:
        if now > self.since:
            self.spans.append((self.since, now, "held" if self.held else self.state))
        self.since = now
        self.state = self.state if state is None else state
        self.held = self.held if held is None else held

    def stop(self, now: int) -> None:
        self.turn(now)
        self.ended = now

    def captured(self) -> int:
        """µs of sound in the file, zeros not counted."""
        return sum(to - since for since, to, state in self.spans if state == "on")

    def frames(self) -> list[tuple[int, int, bool]]:
        """The file from its own point of view: (from ms, to ms, zeros?)."""
        at, found = 0, []
        for since, to, state in self.spans:
            if state in ("on", "masked"):
                found.append((at // 1000, (at + to - since) // 1000, state == "masked"))
                at += to - since
        return found


@dataclass
class Switch:
    """Channels and recordings of one FreeSWITCH; every verb returns what it reports."""

    core: str = "core-1"
    legs: dict[str, Channel] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)

    def leg(self, uuid: str) -> Channel | None:
        leg = self.legs.get(uuid)
        return None if leg is None or leg.ended else leg

    def running(self) -> list[File]:
        return [file for file in self.files.values() if file.running]

    def on(self, uuid: str) -> list[File]:
        return [file for file in self.running() if file.leg == uuid]

    def start(self, uuid: str, segment: str, path: str, now: int) -> bool:
        leg = self.leg(uuid)
        if leg is None:
            return False
        assert leg.inbound or leg.answered, "a start on a ringing outbound leg kills the call"
        assert segment not in self.files, "a path is never used twice: a second start truncates the file"
        self.files[segment] = File(segment, uuid, path, began=now, since=now)
        self.files[segment].held = leg.held
        return True

    def stop(self, uuid: str, segment: str, every: bool, now: int) -> list[File]:
        if self.leg(uuid) is None:
            return []
        found = [f for f in self.on(uuid) if every or (f.segment == segment and not f.moved)]
        for file in found:
            file.stop(now)
        return found

    def mask(self, uuid: str, segment: str, state: str, now: int) -> bool:
        found = [f for f in self.on(uuid) if f.segment == segment and not f.moved]
        for file in found:
            file.turn(now, state)
        return bool(found) and self.leg(uuid) is not None

    def hold(self, uuid: str, held: bool, now: int) -> None:
        self.legs[uuid].held = held
        for file in self.on(uuid):
            file.turn(now, held=held)

    def hang_up(self, uuid: str, now: int) -> list[File]:
        leg = self.legs[uuid]
        leg.ended = True
        ended = self.on(uuid)
        for file in ended:
            file.stop(now)
        prompt = leg.playing
        if prompt is not None:
            prompt.ended = now
        return ended

    def restart(self, core: str, now: int) -> None:
        """Killed and started again: everything is gone, no event tells of it."""
        for file in self.running():
            file.stop(now)
        for leg in self.legs.values():
            leg.ended = True
        self.core = core
