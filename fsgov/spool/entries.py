"""Entries of the event log on local disk, until PostgreSQL has them.

`entries/<origin>.jsonl` has one entry per line and its line number is the entry's `n`. The origin is claimed
once for ever by O_EXCL; its writer holds a lock on the file, so that a reader can tell a finished file from
a growing one. `entries/<origin>.entered` says how many lines are in the database.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fsgov import entries
from fsgov.errors import Damaged, Unreachable
from fsgov.events import Instant
from fsgov.spool import names
from fsgov.spool.shelf import mode_below


def claim(directory: Path, host: str, part: str, now: Instant) -> tuple[str, int]:
    """A new origin of `part` and the open, locked file of its lines; the next free millisecond from `now`."""
    milliseconds = now // 1000
    while True:
        origin = names.origin_of(host, part, milliseconds)
        milliseconds += 1
        if (directory / f"{origin}.entered").exists():
            continue
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            fd = os.open(directory / f"{origin}.jsonl", flags, mode_below(directory))
        except FileExistsError:
            continue
        except OSError as fault:
            raise Unreachable("the spool cannot be written", f"{directory}: {fault.strerror}") from fault
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            sync_directory(directory)
            return origin, fd
        os.close(fd)  # a reader took it for a finished one before we had the lock


class EntryWriter:
    """The growing entry file of one part of one host, under an origin of its own. Thread-safe, blocking."""

    def __init__(self, directory: Path, host: str, part: str, now: Instant) -> None:
        self._host = host
        self.origin, self._fd = claim(directory, host, part, now)
        self.n = 0
        self._size = 0
        self._dirty = False
        self._lock = threading.Lock()

    def enter(self, type_: str, subject: str, time: Instant, facts: Mapping[str, entries.Fact]) -> int:
        """Append one entry with one write; its `n`. Durable after `sync`. Unreachable: nothing entered."""
        with self._lock:
            text = entries.line(
                origin=self.origin,
                n=self.n + 1,
                host=self._host,
                type_=type_,
                subject=subject,
                time=time,
                facts=facts,
            )
            try:
                written = os.write(self._fd, text + b"\n")
            except OSError as fault:
                os.ftruncate(self._fd, self._size)
                raise Unreachable("no entry can be written to the spool", fault.strerror or "") from fault
            if written != len(text) + 1:
                os.ftruncate(self._fd, self._size)
                raise Unreachable("no entry can be written to the spool", "the disk is full")
            self._size += written
            self.n += 1
            self._dirty = True
            return self.n

    def sync(self) -> None:
        """Make everything entered so far durable; cheap when nothing was."""
        if self._dirty:
            self._dirty = False
            try:
                os.fdatasync(self._fd)
            except OSError as fault:
                self._dirty = True
                raise Unreachable("the spool cannot be written", fault.strerror or "") from fault

    def close(self) -> None:
        self.sync()
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far an entry file is in the database: `n` lines, which end at byte `offset`."""

    n: int
    offset: int


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one origin that are not in the database yet, the first of which has number `mark.n + 1`."""

    origin: str
    mark: Mark
    lines: tuple[bytes, ...]

    @property
    def after(self) -> Mark:
        """The mark once all of them are entered."""
        return Mark(self.mark.n + len(self.lines), self.mark.offset + sum(len(x) + 1 for x in self.lines))


class EntryFiles:
    """Reads what writers left in `entries/` and keeps the marks. For ship alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._fd)

    def origins(self) -> list[str]:
        """Every origin that still has a file, oldest name first."""
        return sorted(n[:-6] for n in os.listdir(self._fd) if n.endswith(".jsonl") and n[0] != ".")  # noqa: PTH208

    def unentered_bytes(self) -> int:
        """How much is in the files that is not noted as entered; for a look from outside, at any time."""
        size = 0
        for origin in self.origins():
            with suppress(FileNotFoundError, ValueError):
                written = os.stat(f"{origin}.jsonl", dir_fd=self._fd).st_size
                size += max(written - self.mark(origin).offset, 0)
        return size

    def mark(self, origin: str) -> Mark:
        try:
            text = (self._directory / f"{names.origin_id(origin)}.entered").read_bytes()
        except FileNotFoundError:
            return Mark(0, 0)
        n, offset = text.split()
        return Mark(int(n), int(offset))

    def unentered(self, origin: str, mark: Mark, limit: int = 1 << 20) -> Lines:
        """Whole lines after `mark`, about `limit` bytes of them; a torn last line is left out.

        Damaged when a whole line is none of ours (a disk that lost what was not synced).
        """
        with (self._directory / f"{names.origin_id(origin)}.jsonl").open("rb") as file:
            file.seek(mark.offset)
            block = file.read(limit)
            while b"\n" not in block and (more := file.read(limit)):
                block += more
        whole = block[: block.rfind(b"\n") + 1]
        lines = tuple(whole.split(b"\n")[:-1])
        for number, line in enumerate(lines):
            if not (line.startswith(b"{") and line.endswith(b"}")):
                if number:
                    return Lines(origin, mark, lines[:number])
                raise Damaged("an entry file is damaged", f"{origin} line {mark.n + 1}")
        return Lines(origin, mark, lines)

    def entered(self, origin: str, mark: Mark) -> None:
        """Note, atomically, that the database has everything up to `mark`."""
        temporary = f".{origin}.entered"
        with (self._directory / temporary).open("wb") as file:
            file.write(b"%d %d\n" % (mark.n, mark.offset))
        os.rename(temporary, f"{origin}.entered", src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def again(self, keep: Path) -> None:
        """Everything is to be entered again: files that were moved to `keep` come back, no mark counts."""
        for path in sorted(keep.glob("*.jsonl")):
            os.rename(path, path.name, dst_dir_fd=self._fd)
        for origin in self.origins():
            self.entered(origin, Mark(0, 0))

    def drop(self, origin: str, mark: Mark, keep: Path) -> bool:
        """Move the file to `keep` once its writer is gone and all of it is entered; the origin stays taken.

        False: it may still grow, or has whole lines after `mark`. A torn last line goes with the file.
        """
        fd = os.open(f"{names.origin_id(origin)}.jsonl", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if self.unentered(origin, mark).lines:
                return False
            self.entered(origin, mark)
            os.rename(f"{origin}.jsonl", keep / f"{origin}.jsonl", src_dir_fd=self._fd)
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        return True


def sync_directory(directory: Path) -> None:
    """Make names that were created, renamed or removed in `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
