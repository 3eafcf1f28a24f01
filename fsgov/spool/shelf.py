"""A directory of small documents that are each written whole or not at all.

Rules, from which the order of the system calls follows:
- a reader sees the old text or the new one, never a part: temporary name, then link() or rename();
- kill -9 at any point leaves at most a temporary name, which the next holder of the part's lock sweeps;
- a power loss may undo what was not `durable`: durable means the file and the directory are fsynced.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from fsgov.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes whenever a document is replaced."""

    inode: int
    modified_ns: int
    size: int


class Shelf:
    """The documents `<name><suffix>` in one directory, written by one part (govern or ship).

    Names are checked by the caller. Blocking; thread-safe as long as no two threads write the same name.
    OSErrors of a full or broken disk come as Unreachable.
    """

    def __init__(self, directory: Path, suffix: str, part: str) -> None:
        self.directory = directory
        self._suffix = suffix
        self._part = part
        self._numbers = count(1)
        self._fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._mode = mode_below(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def take(self, name: str, text: bytes) -> bool:
        """Write a new document; False when the name is taken already. Not durable: see `settle`."""
        temporary = self._write(text, durable=False)
        try:
            os.link(temporary, name + self._suffix, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except FileExistsError:
            return False
        except OSError as fault:
            raise self._unwritable(fault) from fault
        finally:
            os.unlink(temporary, dir_fd=self._fd)
        return True

    def replace(self, name: str, text: bytes, *, durable: bool) -> None:
        """Put the document in the place of an older one, or of none."""
        temporary = self._write(text, durable=durable)
        try:
            os.rename(temporary, name + self._suffix, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            if durable:
                os.fsync(self._fd)
        except OSError as fault:
            raise self._unwritable(fault) from fault

    def settle(self, name: str) -> None:
        """Make durable what was taken or replaced without it: fsync of the file and of the directory."""
        with suppress(FileNotFoundError):
            fd = os.open(name + self._suffix, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        os.fsync(self._fd)

    def read(self, name: str) -> bytes | None:
        """The document's text, None when there is none."""
        try:
            fd = os.open(name + self._suffix, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            return file.read()

    def stamp(self, name: str) -> Stamp | None:
        """Whether the document changed since it was read, without reading it; None when there is none."""
        try:
            found = os.stat(name + self._suffix, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        return Stamp(found.st_ino, found.st_mtime_ns, found.st_size)

    def changed(self) -> int:
        """When a name was last added, replaced or removed: nanoseconds since the epoch."""
        return os.fstat(self._fd).st_mtime_ns

    def remove(self, name: str, *, durable: bool = False) -> None:
        """Take the document away; nothing happens when it is gone already."""
        with suppress(FileNotFoundError):
            os.unlink(name + self._suffix, dir_fd=self._fd)
        if durable:
            os.fsync(self._fd)

    def names(self) -> list[str]:
        """Every name on the shelf, in no order, temporary ones left out."""
        cut = -len(self._suffix)
        return [n[:cut] for n in os.listdir(self._fd) if n.endswith(self._suffix) and n[0] != "."]  # noqa: PTH208

    def all(self) -> Iterator[tuple[str, bytes]]:
        """Every name with its text; a name that goes while we read is left out."""
        for name in sorted(self.names()):
            text = self.read(name)
            if text is not None:
                yield name, text

    def sweep(self) -> None:
        """Drop temporary names that an earlier process of this part left behind (it holds the lock now)."""
        for name in os.listdir(self._fd):  # noqa: PTH208
            if name.startswith(f".{self._part}-"):
                os.unlink(name, dir_fd=self._fd)

    def _write(self, text: bytes, *, durable: bool) -> str:
        temporary = f".{self._part}-{os.getpid()}-{next(self._numbers)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            fd = os.open(temporary, flags, self._mode, dir_fd=self._fd)
            try:
                written = os.write(fd, text)
                while written < len(text):
                    written += os.write(fd, text[written:])
                if durable:
                    os.fsync(fd)
            except OSError:
                os.unlink(temporary, dir_fd=self._fd)
                raise
            finally:
                os.close(fd)
        except OSError as fault:
            raise self._unwritable(fault) from fault
        return temporary

    def _unwritable(self, fault: OSError) -> Unreachable:
        detail = f"{self.directory}: {fault.strerror}"
        return Unreachable("the spool cannot be written", detail, "Look at free space and mount options.")


def mode_below(directory: int | Path) -> int:
    """The mode of a new file: the group reads it where govern and ship share the directory through it."""
    return 0o640 if os.stat(directory).st_mode & 0o040 else 0o600  # noqa: PTH116 - may be a descriptor
