"""What systemd hears of the real parts: READY, WATCHDOG while the loop goes round, RELOADING, STOPPING."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fsgov.catalog import migrate
from fsgov.envelope import Identity
from fsgov.merkle import generate_signing_key, signing_key_pem
from tests.live.cli import POLICY, environment_of, write_private

PARTS = ("govern", "ship", "keep")
WATCHDOG = 0.6
"""Seconds: WatchdogSec of these tests."""
PAUSES = 4.0
"""Seconds: keep's growing pauses while PostgreSQL is away are longer; its own watchdog has 180 s."""
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 38, 65

HOST = """host = "fs1"
[switch]
password = "ClueCon"
port = 1
[spool]
directory = "spool"
[database]
dsn = "{dsn}"
credentials = "logins"
[vault.eu]
url = "file:audio"
keys = "file:keys"
recipients = ["{recipient}"]
[log]
signing_key = "log.key"
[control]
socket = "c.sock"
"""


@dataclass
class Manager:
    """The other end of NOTIFY_SOCKET, and what has been heard there."""

    sock: socket.socket
    heard: list[str] = field(default_factory=list)

    def until(self, line: str, within: float = 20.0) -> str:
        """The next datagram with that line; everything heard on the way is kept."""
        end = time.monotonic() + within
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                said = self.sock.recv(4096).decode()
            except TimeoutError:
                break
            self.heard.append(said)
            if any(each.startswith(line) for each in said.splitlines()):
                return said
        raise AssertionError(f"{line} was not heard in {within} s, but {self.heard[-3:]}")

    def silent(self, seconds: float) -> list[str]:
        """What is heard in that time."""
        until, heard = time.monotonic() + seconds, []
        while (left := until - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                heard.append(self.sock.recv(4096).decode())
            except TimeoutError:
                break
        return heard


@dataclass
class Place:
    """A host with a configuration that nothing answers: no switch, no PostgreSQL."""

    root: Path
    dsn: str = "postgresql://127.0.0.1:1/none"

    @property
    def config(self) -> Path:
        return self.root / "host.toml"

    def make(self) -> Place:
        recipient = Identity.generate(os.urandom).recipient
        self.config.write_text(HOST.format(recipient=recipient, dsn=self.dsn))
        (self.root / "policy.toml").write_text(POLICY)
        write_private(
            self.root / "log.key", signing_key_pem(generate_signing_key(os.urandom)).decode("ascii")
        )
        for bucket in ("audio", "keys", "logins"):
            (self.root / bucket).mkdir(mode=0o700, exist_ok=True)
        for part in PARTS:
            if not (self.root / "logins" / part).exists():
                write_private(self.root / "logins" / part, "none\n")
        self.config.write_text(self.config.read_text() + '[policy]\nfile = "policy.toml"\n')
        return self

    @contextmanager
    def running(
        self, *command: str, confined: Callable[[], None] | None = None
    ) -> Iterator[tuple[subprocess.Popen[bytes], Manager]]:
        """A process that systemd would have started with a watchdog; SIGTERM must end it well."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            address = self.root / "notify"
            address.unlink(missing_ok=True)
            sock.bind(str(address))
            told = environment_of(NOTIFY_SOCKET=str(address), WATCHDOG_USEC=str(int(WATCHDOG * 1e6)))
            with (self.root / "stderr").open("wb") as log:
                child = subprocess.Popen(
                    [sys.executable, *command], stderr=log, env=told, preexec_fn=confined
                )
            manager = Manager(sock)
            try:
                yield child, manager
                if not any("STOPPING=1" in said for said in manager.heard):
                    child.terminate()
                assert child.wait(30) == 0, self.said
            finally:
                child.kill()
                child.wait()
                print(self.said)  # noqa: T201 - shown where the test fails

    @property
    def said(self) -> str:
        return (self.root / "stderr").read_text()

    def part(self, name: str) -> list[str]:
        return ["-m", "fsgov", "--config", str(self.config), "run", "--part", name]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path).make()


def as_confined() -> None:
    """What a process can take upon itself of the units: NoNewPrivileges, MemoryDenyWriteExecute, UMask."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # since Linux 6.3; before, it does nothing
    os.umask(0o027)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_ready_alive_and_stops_though_nothing_answers_it(place: Place, part: str) -> None:
    with place.running(*place.part(part), confined=as_confined) as (child, manager):
        ready = manager.until("READY=1")
        assert "STATUS=" in ready
        if part == "govern":
            assert (place.root / "c.sock").is_socket()
            assert "waits for the switch" in ready
        for _ in range(3):
            manager.until("WATCHDOG=1", within=WATCHDOG if part != "keep" else PAUSES)
        child.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")


@pytest.mark.parametrize("part", PARTS)
def test_a_loop_that_stands_still_feeds_no_watchdog(place: Place, part: str) -> None:
    stands_still = place.root / "stands-still"
    command = ("-m", "tests.live.stuck", part, str(place.config), str(stands_still))
    with place.running(*command) as (_, manager):
        manager.until("WATCHDOG=1")
        stands_still.touch()
        manager.silent(2 * WATCHDOG)  # the turn it was at
        assert manager.silent(2 * WATCHDOG) == []
        stands_still.unlink()
        manager.until("WATCHDOG=1")


def test_keep_is_ready_where_it_writes_the_log(tmp_path: Path, database: str, passwords: Path) -> None:
    migrate.init(database, passwords)
    (tmp_path / "logins").symlink_to(passwords)
    place = Place(tmp_path, re.sub("//[^@]*@", "//", database)).make()
    with place.running(*place.part("keep")) as (_, manager):
        assert "STATUS=writes the log" in manager.until("READY=1")


def test_whose_watchdog_it_is(place: Place) -> None:
    """A child of the watched process (a part below `fsgov run`) feeds nothing on its own account."""
    from fsgov.notify import TELL_EVERY, Systemd

    told = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "600000"}
    assert Systemd(told).every == pytest.approx(0.2)
    assert Systemd({**told, "WATCHDOG_PID": str(os.getpid())}).every == pytest.approx(0.2)
    assert Systemd({**told, "WATCHDOG_PID": "1"}).every == TELL_EVERY
    assert Systemd({}).every == TELL_EVERY
    Systemd(told).turned(lambda: "nobody listens there")


# -- reload ----------------------------------------------------------------------------------------------


def test_a_reload_is_taken_whole_or_not_at_all(place: Place) -> None:
    policy = place.root / "policy.toml"
    with place.running(*place.part("govern")) as (child, manager):
        assert "policy 2026-11-21" in manager.until("READY=1")
        policy.write_text(POLICY.replace('version = "2026-11-21"', 'version = "2026-11-22"'))
        child.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in manager.until("RELOADING=1")
        assert "policy 2026-11-22" in manager.until("READY=1")

        policy.write_text(POLICY.replace('version = "2026-11-21"', 'version = "2026-11-23"'))
        good = place.config.read_text()
        place.config.write_text(
            good.replace('directory = "spool"', 'directory = "spool"\nkeep_sealed = "1 s"')
        )
        child.send_signal(signal.SIGHUP)
        assert "refused" in manager.until("READY=1")
        assert "spool.keep_sealed" in place.said
        manager.heard.clear()
        assert "policy 2026-11-22" in manager.until("WATCHDOG=1")

        place.config.write_text(good.replace("port = 1", "port = 2"))
        child.send_signal(signal.SIGHUP)
        assert "policy 2026-11-23" in manager.until("READY=1")
        assert "configuration.after_restart" in place.said
        assert "switch" in place.said.partition("configuration.after_restart")[2].partition("\n")[0]


@pytest.mark.parametrize("part", ["ship", "keep"])
def test_ship_and_keep_judge_a_configuration_and_go_on(place: Place, part: str) -> None:
    with place.running(*place.part(part)) as (child, manager):
        manager.until("READY=1")
        good = place.config.read_text()
        place.config.write_text(good.replace('[vault.eu]\nurl = "file:audio"', "[vault.eu]"))
        child.send_signal(signal.SIGHUP)
        assert "refused" in manager.until("READY=1")
        assert "vault.eu.url" in place.said
        place.config.write_text(good.replace('keys = "file:keys"', 'keys = "file:others"'))
        child.send_signal(signal.SIGHUP)
        assert "STATUS=restart for vaults" in manager.until("READY=1")
        place.config.write_text(good)
        child.send_signal(signal.SIGHUP)
        assert "STATUS=configuration unchanged" in manager.until("READY=1")
        manager.until("WATCHDOG=1")
