"""Where everything in the spool is, with which rights; and how full its disk is.

Two ways to share it. `create` makes the first; systemd-tmpfiles (fsgov/units/tmpfiles.conf) the second.

    one user     govern and ship are one login; the group of `audio` (2770) is the switch's, all else is 0700
    three users  govern, ship and FreeSWITCH have logins of their own. `audio` belongs to the switch's login,
                 and its group is fsgov's, as that of whatever govern and ship both write (2770, setgid).
                 Others may pass through the root (2771), and see nothing there
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
SHARED_ROOT_MODE = 0o2771
SHARED_MODES = {**MODES, **dict.fromkeys(("segments", "calls", "entries", "policies"), 0o2770)}
"""At most, where the switch's login owns `audio`: then the group is fsgov's, and the switch is not in it."""
ENDS = "parts.json"
"""Where `fsgov run` writes down which parts ended without being told to, and when."""
OF_ONE_PART = {"sealed": "ship", "parties": "govern"}
"""What only that part must be able to read and write."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the spool's disk, in bytes; `free` is what an ordinary user may still write."""

    total: int
    free: int
    inodes: float = 1.0
    """The share of its inodes that is free; 1.0 where the file system has no limit of them."""

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


def faults(root: Path, part: str = "") -> list[str]:
    """What is wrong with the rights of the spool, one sentence each; empty when all is well.

    part: whether `govern` or `ship` can work with them; "" wants all of them for this user.
    """
    shared = is_shared(root)
    found = [fault_of(root, SHARED_ROOT_MODE if shared else ROOT_MODE, mine=True)]
    for name, mode in (SHARED_MODES if shared else MODES).items():
        mine = not part or OF_ONE_PART.get(name, part) == part
        found.append(fault_of(root / name, mode, mine=mine))
    if shared and not any(found):
        found += [fault_of_group(root / name, root / "audio") for name in SHARED_MODES]
    return [fault for fault in found if fault]


def fault_of(directory: Path, mode: int, *, mine: bool) -> str:
    """Why this is no directory of at most that mode, which this user can work in; "" when it is."""
    try:
        state = directory.lstat()
    except OSError as fault:
        return f"{directory}: {fault.strerror}"
    if not stat.S_ISDIR(state.st_mode):
        return f"{directory}: not a directory"
    if stat.S_IMODE(state.st_mode) & ~mode:
        return f"{directory}: mode {stat.S_IMODE(state.st_mode):04o}, at most {mode:04o} is allowed"
    if mine and not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return f"{directory}: this user may not read and write it"
    return ""


def fault_of_group(directory: Path, audio: Path) -> str:
    """Why govern and ship do not share this as they share `audio`; "" where its group may not enter it."""
    state = directory.stat()
    if not state.st_mode & 0o070 or state.st_gid == audio.stat().st_gid:
        return ""
    return f"{directory}: its group is not that of audio, through which govern and ship share the spool"


def is_shared(root: Path) -> bool:
    """Does the switch's login own `audio`, so that its group is fsgov's own?"""
    try:
        return (root / "audio").lstat().st_uid != root.lstat().st_uid
    except OSError:
        return False


def check(root: Path, part: str = "") -> None:
    """Nothing, or BadConfiguration with every fault of the spool's rights; `part` as in `faults`."""
    found = faults(root, part)
    if found:
        raise BadConfiguration(
            "the spool directory is not safe", "\n".join(found), "chmod it, or name another."
        )


def probe(root: Path) -> None:
    """Write and fsync a block beside what matters. Unreachable where the disk refuses."""
    path = root / ".probe"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, bytes(4096))
            os.fsync(fd)
        finally:
            os.close(fd)
            path.unlink(missing_ok=True)
    except OSError as fault:
        raise Unreachable("the spool cannot be written", f"{path}: {fault.strerror}") from fault


def disk(root: Path) -> Disk:
    """How full the disk below the spool is; Unreachable when it cannot be asked."""
    try:
        room = os.statvfs(root)
    except OSError as fault:
        raise Unreachable("the spool's disk cannot be asked", f"{root}: {fault.strerror}") from fault
    inodes = room.f_favail / room.f_files if room.f_files else 1.0
    return Disk(total=room.f_blocks * room.f_frsize, free=room.f_bavail * room.f_frsize, inodes=inodes)
