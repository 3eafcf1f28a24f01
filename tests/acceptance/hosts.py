"""Several switch hosts on one catalog and one vault: each has a spool, a switch and parts of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fsgov import spool
from fsgov.daemon import command_of, die_with
from fsgov.demo import site
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from tests.acceptance.play import HEARTBEAT, eventually, policy
from tests.parts import postgres

NAMES = ("fs1", "fs2")


@dataclass(frozen=True, slots=True)
class Branch(Site):
    """A switch host of its own; database, vault and desks are the centre's."""

    centre: Site

    @property
    def database(self) -> Path:
        return self.centre.database

    @property
    def desk(self) -> Path:
        return self.centre.desk

    @property
    def vault(self) -> tuple[str, str]:
        return self.centre.vault

    def make(self) -> None:
        """Its directories, and the files every host is given: policy, prompts, logins, keys of the log."""
        self.switch.mkdir(mode=0o700, parents=True)
        shutil.copytree(self.centre.host, self.host, ignore=shutil.ignore_patterns("spool", "*.toml.*"))
        spool.Spool(self.spool, "status").close()


class Host(Stage):
    """One host, by its name."""

    def __init__(self, site: Site, name: str) -> None:
        super().__init__(site)
        self.name = name
        self.parts: list[subprocess.Popen[bytes]] = []

    def start_switch(self, *arguments: str) -> None:
        super().start_switch(*arguments)
        text = self.site.service.read_text()
        self.site.service.write_text(re.sub(r'(?m)^host = "demo"', f'host = "{self.name}"', text))

    def start(self, part: str) -> subprocess.Popen[bytes]:
        """One part, as its unit starts it; ended at the end of the block."""
        with (self.site.host / f"{part}.log").open("ab") as log:
            started = subprocess.Popen(
                command_of(part, self.site.service),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with(os.getpid()),
            )
        self.parts.append(started)
        return started

    def stop(self, part: subprocess.Popen[bytes]) -> int:
        """SIGTERM, and its exit code; a frozen one wakes for it."""
        part.send_signal(signal.SIGCONT)
        part.terminate()
        code = part.wait(40)
        self.parts.remove(part)
        return code

    def kill(self, part: subprocess.Popen[bytes]) -> None:
        part.kill()
        part.wait()
        self.parts.remove(part)

    def said(self, part: str) -> list[str]:
        """The keys of what this part has logged, in order."""
        text = (self.site.host / f"{part}.log").read_text(errors="replace")
        return re.findall(r" event=(\S+)", text)

    def close(self) -> None:
        for part in list(self.parts):
            self.kill(part)
        super().close()


@contextlib.contextmanager
def two(root: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts with their switches, govern and ship; no keep yet."""
    centre = Site(root / "a")
    postgres.prepare(centre.database)
    site.make(centre, policy())
    branch = Branch(root / "b", centre)
    branch.make()
    with Stage.open(centre) as database, contextlib.ExitStack() as stack:
        hosts = Host(centre, NAMES[0]), Host(branch, NAMES[1])
        for n, host in enumerate(hosts):
            stack.callback(host.close)
            host.database = database.database
            host.start_switch(*HEARTBEAT, "--first-session", str(1 + 1000 * n))
            for part in ("govern", "ship"):
                host.start(part)
        for host in hosts:
            eventually(host.connected)
        yield hosts
