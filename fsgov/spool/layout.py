"""Where everything in the spool is, with which rights; and how full its disk is.

`audio` is shared with FreeSWITCH through its group (setgid, 2770); everything else belongs to fsgov alone.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from fsgov.errors import BadConfiguration, Unreachable

ROOT_MODE = 0o2750
MODES = {
    "audio": 0o2770,
    "segments": 0o700,
    "calls": 0o700,
    "sealed": 0o700,
    "entries": 0o700,
    "parties": 0o700,
    "policies": 0o700,
}


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the spool's disk, in bytes; `free` is what an ordinary user may still write."""

    total: int
    free: int

    @property
    def used_share(self) -> float:
        """From 0.0 (empty) to 1.0 (full)."""
        return 1.0 - self.free / self.total if self.total else 1.0


def create(root: Path) -> None:
    """Make what is missing of the layout; what exists is left as it is. Unreachable where it cannot."""
    try:
        for directory, mode in [(root, ROOT_MODE), *((root / name, mode) for name, mode in MODES.items())]:
            if not directory.is_dir():
                directory.mkdir(parents=True)
                directory.chmod(mode)
    except OSError as fault:
        hint = "Name a directory of fsgov's own as spool.directory."
        raise Unreachable("the spool cannot be made", f"{fault.filename}: {fault.strerror}", hint) from fault


def faults(root: Path) -> list[str]:
    """What is wrong with the rights of the spool, one sentence each; empty when all is well."""
    found: list[str] = []
    for directory, mode in [(root, ROOT_MODE), *((root / name, mode) for name, mode in MODES.items())]:
        try:
            state = directory.lstat()
        except OSError as fault:
            found.append(f"{directory}: {fault.strerror}")
            continue
        if not stat.S_ISDIR(state.st_mode):
            found.append(f"{directory}: not a directory")
            continue
        excess = stat.S_IMODE(state.st_mode) & ~mode
        if excess:
            found.append(
                f"{directory}: mode {stat.S_IMODE(state.st_mode):04o}, at most {mode:04o} is allowed"
            )
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            found.append(f"{directory}: this user may not read and write it")
    return found


def check(root: Path) -> None:
    """Nothing, or BadConfiguration with every fault of the spool's rights."""
    found = faults(root)
    if found:
        raise BadConfiguration(
            "the spool directory is not safe", "\n".join(found), "chmod it, or name another."
        )


def disk(root: Path) -> Disk:
    """How full the disk below the spool is; Unreachable when it cannot be asked."""
    try:
        room = os.statvfs(root)
    except OSError as fault:
        raise Unreachable("the spool's disk cannot be asked", f"{root}: {fault.strerror}") from fault
    return Disk(total=room.f_blocks * room.f_frsize, free=room.f_bavail * room.f_frsize)
