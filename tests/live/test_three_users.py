"""govern, ship and the switch as three logins on the spool that tmpfiles.conf describes. Needs root."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path

import pytest

from fsgov import spool
from fsgov.spool import Spool, layout

pytestmark = pytest.mark.root

USERS = {"root": 0, "freeswitch": 61001, "fsgov-govern": 61002, "fsgov-ship": 61003, "stranger": 61004}
GROUPS = {"root": 0, "fsgov": 61010, "freeswitch": 61001}
SPOOL = "/var/lib/fsgov/spool"
CALL = "11111111-aaaa-4bbb-8ccc-0123456789ab"
SEGMENT = f"{CALL}-01"
OPEN, SEALED = '{"state": "open"}', '{"state": "sealed"}'
NOW = 1_795_279_045_000_000


def tmpfiles(kind: str) -> Iterator[tuple[str, int, str, str]]:
    """Path, mode, login and group of each line of that kind in tmpfiles.conf."""
    text = (resources.files("fsgov") / "units" / "tmpfiles.conf").read_text()
    for line in re.findall(rf"^{kind}\s+(.*)$", text, re.MULTILINE):
        path, mode, user, group = line.split()
        yield path, int(mode, 8), user, group


@pytest.fixture
def root() -> Iterator[Path]:
    """The spool as systemd-tmpfiles makes it, in a place that everybody may pass through."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for path, mode, user, group in tmpfiles("d"):
            if path.startswith(SPOOL):
                directory = Path(f"{place}/spool{path.removeprefix(SPOOL)}")
                directory.mkdir()
                os.chown(directory, USERS[user], GROUPS[group])
                directory.chmod(mode)
        yield place / "spool"


def as_login(user: str, act: Callable[..., str | None], *words: object) -> str:
    """What `act` answers as that login: fsgov's group for its parts, the umask of the units."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads; the child has one
        child = os.fork()
    if child == 0:
        try:
            os.umask(0o027)
            os.setgroups([])
            os.setgid(GROUPS["fsgov"] if user.startswith("fsgov") else USERS[user])
            os.setuid(USERS[user])
            os.write(write, f"+{act(*words) or ''}".encode())
        except BaseException as fault:
            os.write(write, f"-{fault!r}".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as end:
        said = end.read()
    os.waitpid(child, 0)
    assert said.startswith("+"), said
    return said[1:]


def govern(root: Path) -> str:
    """Everything that govern and its scribe write; the origin of its entries."""
    room = Spool(root, "govern")
    spool.check(root, "govern")
    room.keep_policy("version = '1'")
    room.remember(CALL, "{}", durable=True)
    assert room.plan(SEGMENT, OPEN)
    room.settle_segment(SEGMENT)
    writer = room.entry_writer("fs1", "govern", NOW)
    writer.enter("host.started", "fs1", NOW, {})
    writer.close()
    (root / "parties" / "number").touch()
    room.close()
    return writer.origin


def switch(root: Path) -> None:
    """The recording, and a look at everything that is none of the switch's."""
    (root / "audio" / f"{SEGMENT}.wav").write_bytes(b"RIFF")
    assert seen(root, "", *(name for name in layout.MODES if name != "audio")) == ""


def ship(root: Path, origin: str) -> None:
    """Everything that ship does to what the others wrote."""
    room = Spool(root, "ship")
    spool.check(root, "ship")
    assert list(room.segments()) == [(SEGMENT, OPEN)]
    assert [text for _, _, text in room.policies()] == ["version = '1'"]
    assert room.audio(SEGMENT).read_bytes() == b"RIFF"
    room.replace_segment(SEGMENT, SEALED, durable=True)
    room.sealed(SEGMENT).touch(mode=0o600)
    files = room.entry_files()
    lines = files.unentered(origin, files.mark(origin))
    files.entered(origin, lines.after)
    assert files.drop(origin, lines.after, room.sealed_directory)
    room.discard_audio(SEGMENT)
    room.forget(CALL)
    room.close()


def again(root: Path) -> str | None:
    return Spool(root, "govern").segment(SEGMENT)


def seen(root: Path, *names: str) -> str:
    """Which of these directories this login can list."""
    found = []
    for name in names:
        with suppress(PermissionError):
            list((root / name).iterdir())
            found.append(name or "the root")
    return " ".join(found)


def test_govern_ship_and_the_switch_share_what_they_must(root: Path) -> None:
    origin = as_login("fsgov-govern", govern, root)
    as_login("freeswitch", switch, root)
    as_login("fsgov-ship", ship, root, origin)
    assert as_login("fsgov-govern", again, root) == SEALED
    spool.check(root)
    assert not list((root / "audio").iterdir())
    assert not list((root / "calls").iterdir())


def test_nobody_else_sees_anything(root: Path) -> None:
    as_login("fsgov-govern", govern, root)
    assert as_login("stranger", seen, root, "", *layout.MODES) == ""
    assert as_login("fsgov-ship", seen, root, "parties") == ""
    assert as_login("fsgov-govern", seen, root, "sealed") == ""
    assert as_login("freeswitch", seen, root, "audio") == "audio"


def test_what_is_too_wide_or_not_shared_is_told(root: Path) -> None:
    (root / "calls").chmod(0o2775)
    (root / "sealed").chmod(0o770)
    assert [Path(fault.partition(":")[0]).name for fault in layout.faults(root)] == ["calls", "sealed"]
    (root / "calls").chmod(0o2770)
    (root / "sealed").chmod(0o700)
    os.chown(root / "calls", USERS["fsgov-govern"], GROUPS["freeswitch"])
    (fault,) = layout.faults(root)
    assert "calls" in fault
    assert "group" in fault
