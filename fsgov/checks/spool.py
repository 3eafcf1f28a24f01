"""The spool's directory: whose it is, its rights, room, inodes, and what kind of file system is below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fsgov.checks.finding import Finding, ok, warning
from fsgov.config import Settings
from fsgov.errors import BadConfiguration, Unreachable
from fsgov.watermarks import Mark, Watermarks, mark_of

FORGETFUL = ("tmpfs", "ramfs", "overlay")
DISTANT = ("nfs", "nfs4", "cifs", "smb3", "fuse", "fuse.sshfs", "ceph", "9p")


def spool(settings: Settings, part: str) -> Iterator[Finding]:
    """Raises BadConfiguration with every fault of its rights."""
    from fsgov import spool

    directory = settings.spool.directory
    if not directory.exists():
        above = next(path for path in directory.parents if path.exists())
        if not os.access(above, os.W_OK | os.X_OK):
            hint = "systemd-tmpfiles makes it for the units; else: mkdir and chown it"
            raise BadConfiguration("the spool cannot be made", f"{above} is not for this user", hint)
        yield ok("spool", f"{directory} will be made by govern")
        return
    spool.check(directory, part)
    owner = directory.stat().st_uid
    yield ok("spool", f"{directory} is as it must be", f"owner {owner}")
    yield room(directory, settings.spool.marks)
    yield from below(directory)


def room(directory: Path, marks: Watermarks) -> Finding:
    """Bytes and inodes: the disk is full when either ends. A warning where govern raises its alarm."""
    from fsgov import spool

    disk = spool.disk(directory)
    words = f"{disk.used_share:.0%} of the disk and {1 - disk.inodes:.0%} of its inodes used"
    detail = f"{disk.free / 1e9:.1f} GB free, about {disk.free / 16_000 / 3600:.0f} hours of one call"
    if disk.free == 0 or disk.inodes == 0:
        raise Unreachable("the spool's disk is full", f"{directory}: {words}", "no call can be recorded")
    mark = mark_of(disk.free, disk.total, disk.inodes, marks, Mark.AMPLE)
    if mark is not Mark.AMPLE:
        less = {Mark.SHED: "recordings of low priority are not begun", Mark.REFUSE: "no recording is begun"}
        hint = "make room: audio waits here while a vault is away"
        return warning("spool.room", f"{words}: {less[mark]}" if mark in less else words, detail, hint)
    return ok("spool.room", words, detail)


def below(directory: Path) -> Iterator[Finding]:
    """One file system, of a kind that keeps what was written over a crash of the host."""
    devices = {path.stat().st_dev for path in (directory, *directory.iterdir()) if path.is_dir()}
    if len(devices) > 1:
        hint = "put all of it on one: rights, room and what fsync promises must be the same"
        yield warning("spool.disk", "its directories are on several file systems", str(directory), hint)
        return
    kind = file_system(directory)
    if kind in FORGETFUL:
        hint = "put it on a disk: after a crash of the host, calls that were not shipped are gone"
        yield warning("spool.disk", f"{kind} forgets what was written", str(directory), hint)
    elif kind in DISTANT:
        hint = "put it on a local disk: the switch waits for each write while it mixes calls"
        yield warning("spool.disk", f"{kind} is not on this host", str(directory), hint)
    else:
        yield ok("spool.disk", f"one file system, {kind or 'of a kind that /proc does not tell'}")


def file_system(directory: Path) -> str:
    """Its kind, by the longest mount point above it (proc_pid_mounts(5))."""
    try:
        rows = [row.split() for row in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return ""
    way = directory.resolve()
    above = [(len(row[1]), n, row[2]) for n, row in enumerate(rows) if way.is_relative_to(row[1])]
    return max(above)[2] if above else ""
