"""A stand-in for systemctl where systemd is not process 1: starts what the units say, as the logins they say.

Of a unit it heeds User, Group, UMask, Environment, LoadCredential, LogsDirectory, Type=notify, ExecStart,
ExecReload and the order of the parts. The sandbox is for test_notify.py and `systemd-analyze`.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
STATE = Path("/run/stand-in")
ORDER = ("keep", "ship", "govern")


def read(part: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (UNITS / f"fsgov-{part}.service").read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def environment(part: str, unit: dict[str, list[str]]) -> dict[str, str]:
    """What systemd gives a unit, and nothing of ours."""
    given = dict(each.split("=", 1) for each in unit["Environment"])
    return {"PATH": "/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8", **given,
            "CREDENTIALS_DIRECTORY": f"/run/credentials/fsgov-{part}.service"}  # fmt: skip


def login(unit: dict[str, list[str]]) -> dict[str, object]:
    (user,), (group,), (umask,) = unit["User"], unit["Group"], unit["UMask"]
    others = [each.gr_gid for each in grp.getgrall() if user in each.gr_mem]
    return {"user": user, "group": group, "extra_groups": others, "umask": int(umask, 8)}


def own(path: Path, unit: dict[str, list[str]], mode: int) -> None:
    shutil.chown(path, unit["User"][0], unit["Group"][0])
    path.chmod(mode)


def start(part: str) -> None:
    unit = read(part)
    secrets = Path(f"/run/credentials/fsgov-{part}.service")
    secrets.mkdir(parents=True, exist_ok=True)
    for each in unit.get("LoadCredential", []):
        name, _, path = each.partition(":")
        (secrets / name).unlink(missing_ok=True)
        shutil.copy(path, secrets / name)
        own(secrets / name, unit, 0o400)
    own(secrets, unit, 0o500)
    for name in unit.get("LogsDirectory", []):
        Path("/var/log", name).mkdir(exist_ok=True)
        own(Path("/var/log", name), unit, 0o750)
    STATE.mkdir(exist_ok=True)
    address = STATE / f"{part}.notify"
    address.unlink(missing_ok=True)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        (STATE / f"{part}.log").open("ab") as log,
    ):
        manager.bind(str(address))
        address.chmod(0o666)
        child = subprocess.Popen(
            unit["ExecStart"][0].split(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            start_new_session=True, env={**environment(part, unit), "NOTIFY_SOCKET": str(address)},
            **login(unit),  # type: ignore[call-overload]
        )  # fmt: skip
        (STATE / f"{part}.pid").write_text(str(child.pid))
        manager.settimeout(float(unit["TimeoutStartSec"][0]))
        try:
            told = manager.recv(4096).decode()
        except TimeoutError:
            told = ""
        if not told.startswith("READY=1"):
            sys.exit(f"fsgov-{part} does not start: {(STATE / f'{part}.log').read_text()[-2000:]}")


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def stop(part: str) -> None:
    pid = int((STATE / f"{part}.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + float(read(part)["TimeoutStopSec"][0])
    while running(pid):
        if time.monotonic() > end:
            sys.exit(f"fsgov-{part} does not stop")
        time.sleep(0.05)


def reload(part: str) -> None:
    unit = read(part)
    pid = (STATE / f"{part}.pid").read_text()
    for command in unit["ExecReload"]:
        words = command.replace("$MAINPID", pid).split()
        done = subprocess.run(words, env=environment(part, unit), check=False, **login(unit))  # type: ignore[call-overload]
        if done.returncode:
            sys.exit(done.returncode)


def main(verb: str, *words: str) -> None:
    named = [part for part in ORDER if f"fsgov-{part}" in words or words == ("fsgov.target",)]
    match verb:
        case "daemon-reload":
            assert pwd.getpwnam("fsgov-keep")
        case "status":
            for part in ORDER:
                print(f"fsgov-{part}", (STATE / f"{part}.pid").read_text())  # noqa: T201
        case "enable":
            assert words[0] == "--now"
            for part in named:
                start(part)
        case "restart":
            for part in reversed(named):
                stop(part)
            for part in named:
                start(part)
        case "reload":
            for part in named:
                reload(part)
        case _:
            sys.exit(f"systemctl {verb}: not here")


main(*sys.argv[1:])
