"""A recording's file as FreeSWITCH writes it: nothing in the header until it is closed.

Measured: 44 bytes of header (RIFF size 8, data size 0) at once, audio in blocks of 64 KiB (each
20 ms frame with `enable_file_write_buffering=false`), sizes put right at the close, no fsync.
Directories are made with mode 0750.
"""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

BLOCK = 65536


class Disk:
    """How much room is left below some directories: a full file system on request."""

    def __init__(self) -> None:
        self._limits: dict[Path, int] = {}

    def limit(self, directory: Path, size: int) -> None:
        """From now on the files below `directory` may hold `size` bytes together."""
        self._limits[directory] = size

    def free(self, directory: Path) -> None:
        """No limit any more."""
        self._limits.pop(directory, None)

    def room(self, path: Path) -> int | None:
        """Bytes that still fit beside what is there, or None for no limit."""
        for directory, size in self._limits.items():
            if directory in path.parents:
                used = sum(p.stat().st_size for p in directory.rglob("*") if p.is_file())
                return max(0, size - used)
        return None


class WavFile:
    """An open recording. `write` raises OSError once when the disk is full; the rest is dropped."""

    def __init__(
        self,
        path: Path,
        channels: int,
        *,
        disk: Disk,
        buffered: bool = True,
        append: bool = False,
        title: str = "",
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.path, self.channels, self.disk, self.buffered = path, channels, disk, buffered
        self.head = _header(channels, title)
        self.length = 0
        self._buffer = bytearray()
        if append and path.exists() and path.stat().st_size >= len(self.head):
            self._file = path.open("r+b", buffering=0)
            self.length = self._file.seek(0, os.SEEK_END) - len(self.head)
            return
        self._file = path.open("wb", buffering=0)
        room = disk.room(path)
        if room is not None and room < len(self.head):
            self._file.close()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._file.write(self.head)

    def write(self, pcm: bytes) -> None:
        self._buffer += pcm
        whole = len(self._buffer) if not self.buffered else len(self._buffer) // BLOCK * BLOCK
        if whole:
            self._flush(whole)

    def _flush(self, size: int) -> None:
        block = bytes(self._buffer[:size])
        del self._buffer[:size]
        room = self.disk.room(self.path)
        fits = block if room is None else block[:room]
        written = self._file.write(fits) or 0
        self.length += written
        if written < len(block):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Write the rest, put the sizes right, close. Raises OSError when the rest did not fit."""
        try:
            if self._buffer:
                self._flush(len(self._buffer))
        finally:
            self._file.seek(4)
            self._file.write(struct.pack("<I", len(self.head) - 8 + self.length))
            self._file.seek(len(self.head) - 4)
            self._file.write(struct.pack("<I", self.length))
            self._file.close()

    def abandon(self) -> None:
        """What a crash leaves: nothing more is written, the header stays wrong."""
        self._file.close()

    def destroy(self) -> None:
        """Close and remove: the switch discards an empty or too short recording."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class RawFile:
    """One direction of a recording without extension: the bare codec bytes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.path = path
        self._file = path.open("wb", buffering=0)

    def write(self, frames: int) -> None:
        self._file.write(b"\xd5" * (160 * frames))

    def close(self) -> None:
        self._file.close()


def _header(channels: int, title: str) -> bytes:
    rate = 8000
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    extra = b""
    if title:
        text = title.encode() + b"\0" * (2 - len(title.encode()) % 2)
        item = struct.pack("<4sI", b"INAM", len(text)) + text
        extra = struct.pack("<4sI4s", b"LIST", 4 + len(item), b"INFO") + item
    return struct.pack("<4sI4s", b"RIFF", 8, b"WAVE") + fmt + extra + struct.pack("<4sI", b"data", 0)
