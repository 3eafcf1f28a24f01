"""A sink that is a directory: `<directory>/<log_id>` in the layout of an export (see `fsgov.verify`).

So the copy verifies as it lies there. Files only grow; what a kill left half written at an end is cut off
when the log is next opened. Who has it open has a lock on it: two keeps may be given the same directory, and
one that was frozen in the middle of a line writes that line to its end before another writes the next.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fsgov.errors import BadConfiguration, Conflict, FsgovError, NotPermitted, Unreachable
from fsgov.journal.sink import Sink
from fsgov.verify import CHECKPOINTS, ENTRIES

_NOTE = re.compile(rb"\n?(?P<text>[^\n]+\n(?P<size>[0-9]+)\n(?:[^\n]+\n)+)\n(?:\xe2\x80\x94 [^\n]+\n)+")
_BLOCK = 1 << 20


@dataclass(slots=True)
class _Open:
    """The two files of one log, positioned at their ends, and how far they are."""

    entries: BinaryIO
    checkpoints: BinaryIO
    size: int
    signed: int


class FileSink(Sink):
    """Appends to files; one process at a time (flock). A full or missing disk is Unreachable."""

    def __init__(self, directory: Path, name: str = "file") -> None:
        self.name = name
        self._directory = directory
        self._logs: dict[str, _Open] = {}

    def size(self, log_id: str) -> int:
        return self._log(log_id).size

    def signed(self, log_id: str) -> int:
        return self._log(log_id).signed

    def take(self, log_id: str, first: int, lines: Sequence[bytes]) -> None:
        held = self._log(log_id)
        if first != held.size:
            raise Conflict("The sink goes on elsewhere", f"line {first} offered, {held.size} wanted")
        self._append(log_id, held.entries, b"".join(line + b"\n" for line in lines))
        held.size += len(lines)

    def sign(self, log_id: str, size: int, note: bytes) -> None:
        held = self._log(log_id)
        if size <= held.signed:
            return
        self._append(log_id, held.checkpoints, b"\n" + note if held.signed else note)
        held.signed = size

    def close(self) -> None:
        for log_id in list(self._logs):
            self._forget(log_id)

    def _append(self, log_id: str, file: BinaryIO, content: bytes) -> None:
        try:
            while content:  # a disk that is nearly full takes a part of it
                content = content[file.write(content) :]
            os.fsync(file.fileno())
        except OSError as error:
            self._forget(log_id)  # what is whole will be seen when it is opened again
            raise _refused(error) from error

    def _forget(self, log_id: str) -> None:
        held = self._logs.pop(log_id)
        held.entries.close()
        held.checkpoints.close()

    def _log(self, log_id: str) -> _Open:
        if log_id not in self._logs:
            try:
                self._logs[log_id] = _opened(self._directory / log_id)
            except OSError as error:
                raise _refused(error) from error
        return self._logs[log_id]


def _opened(directory: Path) -> _Open:
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    entries = _to_grow(directory / ENTRIES)
    try:
        fcntl.flock(entries, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        entries.close()
        raise Unreachable("Another keep writes the log's copy", str(directory), "it gives way") from None
    checkpoints = _to_grow(directory / CHECKPOINTS)
    for place in (directory, directory.parent):
        handle = os.open(place, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    return _Open(entries, checkpoints, _whole_lines(entries), _largest_note(checkpoints))


def _to_grow(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640), "r+b", buffering=0)


def _whole_lines(file: BinaryIO) -> int:
    """Counts the lines and cuts off one without its newline."""
    count, end, at = 0, 0, 0
    while block := file.read(_BLOCK):
        found = block.count(b"\n")
        if found:
            count, end = count + found, at + block.rindex(b"\n") + 1
        at += len(block)
    if at != end:
        file.truncate(end)
        os.fsync(file.fileno())
    return count


def _largest_note(file: BinaryIO) -> int:
    """The size that the last whole note states; cuts off one that is not whole."""
    content = file.read()
    size, end = 0, 0
    while found := _NOTE.match(content, end):
        size, end = int(found["size"]), found.end()
    if end != len(content):
        file.truncate(end)
        os.fsync(file.fileno())
    return size


def _refused(error: OSError) -> FsgovError:
    where = str(error.filename or "")
    if isinstance(error, PermissionError):
        return NotPermitted("The directory of the log's copy is not for this user", where)
    if isinstance(error, NotADirectoryError | FileExistsError | IsADirectoryError):
        return BadConfiguration("The log's copy is no directory", where, "see log.file")
    return Unreachable("The log's copy cannot be written", f"{where} {error.strerror}".strip())
