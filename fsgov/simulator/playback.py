"""A prompt that is played to one leg: PLAYBACK_START, the samples really heard, PLAYBACK_STOP.

Measured: it starts about 0.17 s after `uuid_broadcast`; `done` is also the status when the caller
hangs up in the middle, only `variable_playback_last_offset_pos` tells how much was played.
"""

from __future__ import annotations

import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fsgov.simulator.clock import Timer

if TYPE_CHECKING:
    from fsgov.simulator.channel import Channel
    from fsgov.simulator.switch import Switch

RATE = 8000
BUFFER = 16384
_TONE = re.compile(r"%\((\d+),(\d+)")
_SILENCE = re.compile(r"silence_stream://(\d+)")


class Playback:
    """One prompt on its way to one leg, from the command to its end."""

    def __init__(
        self,
        switch: Switch,
        channel: Channel,
        path: str,
        delay: float,
        then: Callable[[], None] | None = None,
    ) -> None:
        """then: called when it is over; a dialplan plays it, which tells itself what it executes."""
        self.switch, self.channel, self.path = switch, channel, path
        self.number = switch.prompting.number(path)
        self.then = then
        self.running = self.over = False
        self.samples = 0
        self._started = 0.0
        self._timer: Timer = switch.clock.call_later(delay, self._start)

    def _start(self) -> None:
        c, switch = self.channel, self.switch
        if not c.up:
            self._forget()
            return
        length = prompt_samples(switch, self.path)
        if self.then is None:
            c.set("current_application", "playback")
            c.set("current_application_data", self.path)
        c.unset("current_application_response")
        c.set("total_loops", "1")
        c.set("current_loop", "1")
        if length is None:
            c.set("current_application_response", "FILE NOT FOUND")
            if self.then is None:
                switch.fire_for(
                    c,
                    "CHANNEL_EXECUTE_COMPLETE",
                    [
                        ("Application", "playback"),
                        ("Application-Data", self.path),
                        ("Application-Response", "FILE NOT FOUND"),
                        ("Application-UUID", switch.new_uuid()),
                    ],
                )
            c.unset("total_loops", "current_loop")
            self._forget()
            return
        switch.catch_up(c)
        self.samples, self.running, self._started = length, True, switch.clock.now()
        switch.fire_for(c, "PLAYBACK_START", self._headers())
        self._timer = switch.clock.call_later(length / RATE, lambda: self.end("done"))

    def _headers(self) -> list[tuple[str, str]]:
        tone = self.path.startswith("tone_stream://")
        kind = [("Playback-File-Type", "tone_stream")] if tone else []
        return [*kind, ("Playback-File-Path", self.path)]

    def end(self, status: str) -> None:
        """It is over: played to its end, broken off, or nobody is there any more."""
        if self.over:
            return
        self._timer.cancel()
        c, switch = self.channel, self.switch
        if self.running:
            switch.catch_up(c)
            played = min(self.samples, int((switch.clock.now() - self._started) * 50 + 1e-6) * 160)
            buffered = min(self.samples, -(-max(played, 1) // BUFFER) * BUFFER)
            c.set("playback_last_offset_pos", str(played))
            c.set("playback_seconds", str(buffered // RATE))
            c.set("playback_ms", str(buffered * 1000 // RATE))
            c.set("playback_samples", str(buffered))
            switch.world.note(
                "heard",
                leg=c.number,
                uuid=c.uuid,
                file=self.path,
                samples=played,
                of=self.samples,
                complete=played >= self.samples,
            )
            switch.fire_for(c, "PLAYBACK_STOP", [*self._headers(), ("Playback-Status", status)])
        self.running = False
        if c.up:
            c.set("current_application_response", "FILE PLAYED")
            c.unset("total_loops", "current_loop")
        self._forget()

    def _forget(self) -> None:
        self.over = True
        if self.channel.playback is self:
            self.channel.playback = None
        if self.then is not None:
            self.then()
        self.switch.prompting.go_on(self.channel)


class Prompting:
    """The prompts of all legs: one at a time on each, the others wait."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self._numbers: dict[str, int] = {}
        self._waiting: dict[str, list[str]] = {}

    def number(self, path: str) -> int:
        """The number that time-coded audio carries while this prompt is played (1, 2, …)."""
        return self._numbers.setdefault(path, len(self._numbers) + 1)

    def play(self, c: Channel, path: str) -> None:
        if c.playback:
            self._waiting.setdefault(c.uuid, []).append(path)
        else:
            c.playback = Playback(self.switch, c, path, self.switch.playback_delay)

    def go_on(self, c: Channel) -> None:
        """The next prompt that waits for a leg."""
        waiting = self._waiting.get(c.uuid)
        if waiting and c.up:
            c.playback = Playback(self.switch, c, waiting.pop(0), 0.02)

    def stop(self, c: Channel, everything: bool) -> None:
        """`uuid_break`: this prompt, or with those that wait."""
        if everything:
            self._waiting.pop(c.uuid, None)
        if c.run is not None:
            run = c.run
            self.switch.clock.call_later(0.02, lambda: run.wake("break"))
        if c.playback:
            playback = c.playback
            self.switch.clock.call_later(0.02, lambda: playback.end("break"))

    def forget(self, c: Channel) -> None:
        self._waiting.pop(c.uuid, None)


def prompt_samples(switch: Switch, path: str) -> int | None:
    """How long a prompt is, in samples of 8 kHz; None when there is no such file."""
    if path.startswith("tone_stream://"):
        return sum(int(on) + int(off) for on, off in _TONE.findall(path)) * RATE // 1000
    if silence := _SILENCE.match(path):
        return int(silence[1]) * RATE // 1000
    if path in switch.prompts:
        return int(switch.prompts[path] * RATE)
    for place in (Path(path), switch.on_disk(path)):
        try:
            with wave.open(str(place)) as f:
                return int(f.getnframes() * RATE // f.getframerate())
        except (OSError, wave.Error, EOFError):
            continue
    return None
