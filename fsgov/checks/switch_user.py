"""Whether the switch's login may write a directory, and leaves there what ship can read: by modes."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fsgov.checks.finding import Finding, ok, warning
from fsgov.errors import BadConfiguration

OF = "switch.spool"
PROC = Path("/proc")
LISTENS = "0A"
_FACT = re.compile(r"^(Name|Uid|Gid|Groups|Umask):(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class User:
    """Who a process runs as. umask: None where /proc does not tell."""

    uid: int
    groups: frozenset[int]
    umask: int | None = None

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


def judged(port: int, audio: Path) -> Finding:
    """A line on the process that listens there. Raises BadConfiguration where its files would not be ours."""
    user = listener(port)
    if user is None:
        return warning(OF, "the switch sees it; who it runs as cannot be told", hint="run check as root")
    wrong = barrier(audio, user)
    if wrong:
        hint = f"its group must be one of {user.name}'s, or its owner {user.name}: docs/installation.md"
        raise BadConfiguration(f"the switch ({user.name}) may not write into the spool", wrong, hint)
    ship = (audio.parent / "sealed").stat().st_uid if (audio.parent / "sealed").is_dir() else os.geteuid()
    if user.umask is not None and user.umask & stat.S_IRGRP and ship not in (0, user.uid):
        detail = f"{user.name} writes with umask {user.umask:04o}: its group cannot read the files"
        raise BadConfiguration("ship cannot read what the switch writes", detail, "UMask=0007 in its unit")
    return ok(OF, f"the switch ({user.name}) sees it and may write there", str(audio))


def barrier(directory: Path, user: User) -> str:
    """What on the way keeps this user out, or from writing at its end; "" where nothing does."""
    way = directory.resolve()
    for place in reversed(way.parents):
        if not permits(place, user, 0o1):
            return f"{place} does not let it through"
    return "" if permits(way, user, 0o3) else f"{way}: mode {stat.S_IMODE(way.stat().st_mode):04o}"


def permits(place: Path, user: User, wanted: int) -> bool:
    """Do the mode bits grant w (2) and x (1)? Access control lists are not looked at."""
    state = place.stat()
    if user.uid == 0:
        return True
    shift = 6 if state.st_uid == user.uid else 3 if state.st_gid in user.groups else 0
    return (state.st_mode >> shift) & wanted == wanted


def listener(port: int) -> User | None:
    """Who has the socket that listens on this port of this host; None where that cannot be told.

    Only root sees whose socket it is; another login sees its owner, and what a process called freeswitch of
    that owner runs with, or else the groups that the accounts give it.
    """
    found = next(sockets(port), None)
    if found is None:
        return None
    uid, inode = found
    named: User | None = None
    for process in PROC.glob("[0-9]*"):
        if owns(process, inode):
            return running_as(process)[1]
        name, user = running_as(process)
        if name == "freeswitch" and user is not None and user.uid == uid:
            named = user
    return named or by_account(uid)


def by_account(uid: int) -> User | None:
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return None
    return User(uid, frozenset(os.getgrouplist(account.pw_name, account.pw_gid)))


def sockets(port: int) -> Iterator[tuple[int, str]]:
    """Owner and inode of each listening socket of that port (proc_net(5))."""
    for table in ("net/tcp", "net/tcp6"):
        try:
            rows = (PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            words = row.split()
            if words[3] == LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                yield int(words[7]), words[9]


def owns(process: Path, inode: str) -> bool:
    wanted = f"socket:[{inode}]"
    try:
        return any(str(each.readlink()) == wanted for each in (process / "fd").iterdir())
    except OSError:
        return False


def running_as(process: Path) -> tuple[str, User | None]:
    """Name, and the ids it opens files with, from /proc/PID/status."""
    try:
        said = (process / "status").read_text(errors="replace")
    except OSError:
        return "", None
    told = {name: value.split() for name, value in _FACT.findall(said)}
    if not {"Name", "Uid", "Gid"} <= told.keys():
        return "", None
    groups = frozenset(map(int, [*told.get("Groups", []), told["Gid"][3]]))
    umask = int(told["Umask"][0], 8) if "Umask" in told else None
    return " ".join(told["Name"]), User(int(told["Uid"][3]), groups, umask)
