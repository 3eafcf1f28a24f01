"""The spool of one host: what govern and ship keep on local disk, and the two locks on it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fsgov.errors import Conflict
from fsgov.events import Instant
from fsgov.spool import layout, policies
from fsgov.spool.entries import EntryFiles, EntryWriter
from fsgov.spool.names import call_id, segment_id
from fsgov.spool.shelf import Shelf, Stamp

ALIVE_EVERY = 5.0
"""Seconds between two signs of life."""


class Spool:
    """One part's hands on the spool. Blocking; OSErrors of writing come as Unreachable.

    part: `govern` or `ship`; each exists once per spool (Conflict for a second one), held by flock until
    `close` or the end of the process. Any other name (`check`, `status`) only looks and takes no lock.
    Two writes of the same call or segment must not run at the same time.
    """

    def __init__(self, directory: Path, part: str) -> None:
        layout.create(directory)
        self.directory = directory
        self.audio_directory = directory / "audio"
        self.sealed_directory = directory / "sealed"
        self.entries_directory = directory / "entries"
        self._lock: int | None = None
        self._alive_next = 0.0
        if part in ("govern", "ship"):
            self._lock = _lock(directory / f".{part}.lock", part)
        self._audio = os.open(self.audio_directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._segments = Shelf(directory / "segments", ".json", part)
        self._calls = Shelf(directory / "calls", ".json", part)
        self._policies = Shelf(directory / "policies", ".toml", part)
        if self._lock is not None:
            self._segments.sweep()
            self._calls.sweep()
            self._policies.sweep()
        if part == "ship":
            self.kept = Shelf(self.sealed_directory, ".json", part)
            for left in self.sealed_directory.glob(".ship-*"):
                left.unlink()

    def close(self) -> None:
        self._segments.close()
        self._calls.close()
        self._policies.close()
        if hasattr(self, "kept"):
            self.kept.close()
        os.close(self._audio)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- segments ------------------------------------------------------------------------------------

    def plan(self, segment: str, text: str) -> bool:
        """Take the segment's number with its sidecar; False when it was taken, or its audio file exists.

        Survives kill -9 when it returns; `settle_segment` (beside the command) makes it survive a power loss.
        """
        if self.has_audio(segment):
            return False
        return self._segments.take(segment_id(segment), text.encode())

    def settle_segment(self, segment: str) -> None:
        """Make the sidecar durable: fsync of file and directory."""
        self._segments.settle(segment_id(segment))

    def replace_segment(self, segment: str, text: str, *, durable: bool = False) -> None:
        """Put a new text in the sidecar's place, whole or not at all."""
        self._segments.replace(segment_id(segment), text.encode(), durable=durable)

    def segment(self, segment: str) -> str | None:
        """The sidecar's text, None when there is none."""
        text = self._segments.read(segment_id(segment))
        return None if text is None else text.decode()

    def segment_names(self) -> list[str]:
        """Every segment with a sidecar."""
        return self._segments.names()

    def segments_changed(self) -> int:
        """When any sidecar was last written or removed: nanoseconds since the epoch."""
        return self._segments.changed()

    def segment_stamp(self, segment: str) -> Stamp | None:
        """Changes with every replacement of the sidecar; None when there is none."""
        return self._segments.stamp(segment_id(segment))

    def segments(self) -> Iterator[tuple[str, str]]:
        """Every segment with its sidecar's text, sorted. A text may be empty after a power loss."""
        return ((name, text.decode(errors="replace")) for name, text in self._segments.all())

    def forget_segment(self, segment: str) -> None:
        """Drop the sidecar: its audio is entered, its sealed copy gone."""
        self._segments.remove(segment_id(segment))

    # -- audio ---------------------------------------------------------------------------------------

    def audio(self, segment: str) -> Path:
        """Where FreeSWITCH writes this segment, as fsgov sees it."""
        return self.audio_directory / f"{segment_id(segment)}.wav"

    def sealed(self, segment: str) -> Path:
        """Where this segment's sealed file is or will be."""
        return self.sealed_directory / f"{segment_id(segment)}.age"

    def has_audio(self, segment: str) -> bool:
        try:
            os.stat(f"{segment_id(segment)}.wav", dir_fd=self._audio, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def discard_audio(self, segment: str) -> None:
        """Unlink the plaintext, durably. Only after the catalog's transaction is known committed (step 7)."""
        with suppress(FileNotFoundError):
            os.unlink(f"{segment_id(segment)}.wav", dir_fd=self._audio)
        os.fsync(self._audio)

    # -- calls ---------------------------------------------------------------------------------------

    def remember(self, call: str, text: str, *, durable: bool) -> None:
        """Replace the call's file, whole or not at all; fsynced (file and directory) when `durable`."""
        self._calls.replace(call_id(call), text.encode(), durable=durable)

    def settle_call(self, call: str) -> None:
        """Make the call's file durable after the fact, beside the command that rests on it."""
        self._calls.settle(call_id(call))

    def call(self, call: str) -> str | None:
        """The call file's text, None when there is none."""
        text = self._calls.read(call_id(call))
        return None if text is None else text.decode()

    def call_names(self) -> list[str]:
        return self._calls.names()

    def calls_changed(self) -> int:
        """When any call file was last written or removed: nanoseconds since the epoch."""
        return self._calls.changed()

    def call_stamp(self, call: str) -> Stamp | None:
        return self._calls.stamp(call_id(call))

    def calls(self) -> Iterator[tuple[str, str]]:
        """Every call with its file's text, sorted. A text may be empty after a power loss."""
        return ((name, text.decode(errors="replace")) for name, text in self._calls.all())

    def forget(self, call: str) -> None:
        """Drop the call's file: it is over and entered."""
        self._calls.remove(call_id(call))

    # -- policies ------------------------------------------------------------------------------------

    def keep_policy(self, text: str) -> str:
        """Leave the policy in force for ship to enter, durably; its digest. Again is nothing."""
        return policies.keep(self._policies, text)

    def policies(self) -> Iterator[tuple[str, str, str]]:
        """Digest, version and text of every policy kept."""
        return policies.all_of(self._policies)

    # -- entries -------------------------------------------------------------------------------------

    def entry_writer(self, host: str, part: str, now: Instant) -> EntryWriter:
        """A writer under a new origin `<host>.<part>.<start ms>`."""
        return EntryWriter(self.entries_directory, host, part, now)

    def entry_files(self) -> EntryFiles:
        return EntryFiles(self.entries_directory)

    # -- the other part ------------------------------------------------------------------------------

    def alive(self) -> None:
        """A sign of life of the part that has this lock, for `heard`; one every few seconds is written."""
        now = time.monotonic()
        if self._lock is not None and now >= self._alive_next:
            self._alive_next = now + ALIVE_EVERY
            with suppress(OSError):
                os.utime(self._lock)

    def heard(self, part: str) -> int | None:
        """When that part last gave one: nanoseconds since the epoch; None where it was never here."""
        try:
            return (self.directory / f".{part}.lock").stat().st_mtime_ns
        except OSError:
            return None

    # -- disk ----------------------------------------------------------------------------------------

    def probe(self) -> None:
        """Write a little, durably, and take it away again. Unreachable where that cannot be."""
        layout.probe(self.directory)

    def disk(self) -> layout.Disk:
        return layout.disk(self.directory)


def _lock(path: Path, part: str) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        os.close(fd)
        raise Conflict(
            f"another {part} is at work on this spool",
            str(path.parent),
            "One spool has one govern and one ship.",
        ) from fault
    return fd
