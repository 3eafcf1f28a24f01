"""`uuid_record` on one channel: one running recording, its frames, its events, its end.

Frames are not made every 20 ms but when something changes or a timer says so (`catch_up`): between
two changes nothing differs but the moment a frame tells.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fsgov.simulator import timecode
from fsgov.simulator.clock import Timer
from fsgov.simulator.wav import RawFile, WavFile

if TYPE_CHECKING:
    from fsgov.simulator.channel import Channel
    from fsgov.simulator.switch import Switch

Span = list[int | bool]


class Recording:
    """One file that is being written. `frames` counts what was handed to the file layer."""

    def __init__(
        self, switch: Switch, channel: Channel, path: str, limit: int, extra: dict[str, str]
    ) -> None:
        self.switch, self.channel, self.path, self.limit, self.extra = switch, channel, path, limit, extra
        self.key = path
        self.masked = self.paused = self.failed = self.closed = False
        self.frames = 0
        self.next = timecode.moment(switch.clock.epoch())
        self.spans: list[Span] = []
        self.bug = True
        self._limit_timer: Timer | None = None
        self._file: WavFile | None = None
        self._raw: list[RawFile] = []
        settings = {**channel.variables, **extra}
        self.stereo = true(settings.get("RECORD_STEREO", ""))
        self.armed = true(settings.get("RECORD_ANSWER_REQ", ""))
        self.minimum = int(extra.get("RECORD_MIN_SEC", settings.get("RECORD_MIN_SEC", "0")) or 0)
        self._settings = settings

    @property
    def native(self) -> bool:
        return "." not in Path(self.path).name

    def open(self) -> None:
        """Make the file. Raises OSError as the file system does."""
        if self.switch.audio is False:
            return
        disk = self.switch.on_disk(self.path)
        if self.native:
            self._raw = [RawFile(Path(f"{disk}-{way}.PCMU")) for way in ("in", "out")]
            return
        if disk.suffix != ".wav":
            raise OSError(f"no file format for {disk.suffix}")
        buffered = self._settings.get("enable_file_write_buffering", "true") != "false"
        self._file = WavFile(
            disk,
            2 if self.stereo else 1,
            disk=self.switch.disk,
            buffered=buffered,
            append=true(self._settings.get("RECORD_APPEND", "")),
            title=self.extra.get("RECORD_TITLE", ""),
        )

    def begin(self) -> None:
        """The first frame is the one that is spoken now; with a limit, set the timer that ends it."""
        self.next = timecode.moment(self.switch.clock.epoch())
        if self.limit > 0:
            epoch = self.switch.clock.epoch()
            self._limit_timer = self.switch.clock.call_later(int(epoch) + self.limit - epoch, self._limit)

    def _limit(self) -> None:
        if not self.closed:
            self.stop("success-maxtime")

    @property
    def flowing(self) -> bool:
        """Do frames reach the recording now?"""
        c = self.channel
        if self.paused or c.hold or c.queue or not c.media:
            return False
        return c.answered or not self.armed

    def catch_up(self) -> None:
        """Write what was spoken since the last time, up to the frame that is being spoken now."""
        now = timecode.moment(self.switch.clock.epoch())
        first, self.next = self.next, max(self.next, now)
        if now <= first or not self.flowing:
            return
        self.frames += now - first
        self._remember(first, now - 1)
        if self.failed or not self.switch.audio:
            return
        for raw in self._raw:
            raw.write(now - first)
        if self._file:
            try:
                for i in range(first, now):
                    self._file.write(self._frame(i))
            except OSError:
                self.failed = True

    def _remember(self, first: int, last: int) -> None:
        if self.spans and self.spans[-1][1] == first - 1 and self.spans[-1][2] == self.masked:
            self.spans[-1][1] = last
        else:
            self.spans.append([first, last, self.masked])

    def _frame(self, index: int) -> bytes:
        c = self.channel
        silence = timecode.SILENCE
        hears = self._hears()
        prompt = c.playback.number if c.playback and c.playback.running else 0
        says = silence if self.masked else timecode.encode(c.number, index, 0 if prompt else hears, prompt)
        if not self.stereo:
            return says
        right = (
            silence
            if self.masked or not (hears or prompt)
            else timecode.encode(hears or c.number, index, 0, prompt)
        )
        return _interleave(says, right)

    def _hears(self) -> int:
        """The number of the leg that speaks to this one now; of a conference the first other member's."""
        c = self.channel
        if c.conference:
            return next((m.number for m in self.switch.rooms.members(c.conference) if m is not c), 0)
        return c.peer.number if c.peer and c.peer.answered and not c.peer.hold else 0

    def mask(self, on: bool) -> None:
        self.catch_up()
        self.masked = on
        self.switch.world.note("masked" if on else "unmasked", file=self.path, frames=self.frames)

    def pause(self, on: bool) -> None:
        self.catch_up()
        self.paused = on
        self.switch.world.note("paused" if on else "resumed", file=self.path, frames=self.frames)

    def move(self, channel: Channel) -> None:
        """Go over to another channel (`recording_follow_transfer`): no RECORD event, path unknown there."""
        self.catch_up()
        self.channel.recordings.pop(self.key, None)
        self.switch.world.note("moved", file=self.path, frames=self.frames, to=channel.number)
        old, self.channel, self.key = self.channel, channel, f"moved {self.path}"
        channel.recordings[self.key] = self
        self.switch.fire_for(channel, "MEDIA_BUG_START", self.bug_headers())
        self.switch.fire_for(old, "MEDIA_BUG_STOP", self.bug_headers())

    def bug_headers(self) -> list[tuple[str, str]]:
        return [("Media-Bug-Function", "session_record"), ("Media-Bug-Target", self.path)]

    def own_headers(self) -> list[tuple[str, str]]:
        """The headers that RECORD_START and RECORD_STOP add."""
        pairs = [("Record-File-Path", self.path)]
        return pairs + [(f"Recording-Variable-{n}", v) for n, v in self.extra.items()]

    def stop(self, cause: str) -> None:
        """End it: the file is complete, then RECORD_STOP, then MEDIA_BUG_STOP."""
        self.catch_up()
        self.closed = True
        if self._limit_timer:
            self._limit_timer.cancel()
        self.channel.recordings.pop(self.key, None)
        cause = self._finish(cause)
        c, rate = self.channel, 16000 * (2 if self.stereo else 1)
        size = self.frames * rate // 50 + 44
        extra = self.own_headers()
        if not self.native:
            self._tell(size, cause)
            extra.append(("Record-Completion-Cause", cause))
        self.switch.world.note(
            "closed",
            file=self.path,
            leg=c.number,
            uuid=c.uuid,
            frames=self.frames,
            bytes=size,
            cause=cause,
            spans=self.spans,
            variables=self.extra,
        )
        self.switch.fire_for(c, "RECORD_STOP", extra)
        self.switch.fire_for(c, "MEDIA_BUG_STOP", self.bug_headers())

    def abandon(self) -> None:
        """The switch is gone in the middle of it."""
        if self._file:
            self._file.abandon()
        for raw in self._raw:
            raw.close()

    def _tell(self, size: int, cause: str) -> None:
        """Set the variables of the end; they stay on the channel."""
        c = self.channel
        c.set("record_file_size", str(size))
        if cause in ("empty-file", "input-too-short"):
            c.set("RECORD_DISCARDED", "true")
        c.set("record_samples", str(self.frames * 160))
        c.set("record_seconds", str(self.frames // 50))
        c.set("record_ms", str(self.frames * 20))
        c.set("record_completion_cause", cause)

    def _finish(self, cause: str) -> str:
        for raw in self._raw:
            raw.close()
        short = self.frames < self.minimum * 50
        if not self.native and (not self.frames or short):
            if self._file:
                self._file.destroy()
            return "input-too-short" if self.frames else "empty-file"
        if self._file:
            try:
                self._file.close()
            except OSError:
                self.failed = True
        return "uri-failure" if self.failed else cause


def true(value: str) -> bool:
    """FreeSWITCH's idea of a true value."""
    return value.lower() in ("true", "yes", "on", "enable", "enabled", "active", "1", "t", "y")


def _interleave(left: bytes, right: bytes) -> bytes:
    out = bytearray(len(left) * 2)
    out[0::4], out[1::4] = left[0::2], left[1::2]
    out[2::4], out[3::4] = right[0::2], right[1::2]
    return bytes(out)
