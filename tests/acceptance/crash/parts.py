"""The parts of fsgov as processes of their own; each may end at a failpoint that others do not have."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fsgov.daemon import command_of, die_with
from fsgov.demo.site import Site
from tests.acceptance.crash.plan import Blow

HEAD = 44
"""Bytes of a WAV's header, which the switch rewrites at the end."""
TWO_BLOCKS = HEAD + 2 * 65536
SCRIBE_WAS_KILLED = 4
"""How govern ends then: Unreachable."""
PLAINTEXT = re.compile(rb"(?:\xff\x1f|\x01\xe0){256}")
"""Any 512 bytes of time-coded audio: its samples are +8191 and -8191, and nothing else looks like that."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The audio of a segment at one moment: its length and digest, without the header."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Killed:
    """A part that was killed, and what was on disk right then."""

    part: str
    blow: Blow
    code: int
    moment: int
    disk: Mapping[str, Piece]
    leaked: tuple[str, ...]
    nowhere: tuple[str, ...] = ()
    """Closed segments of which there is neither a file in the spool nor a row in the catalog."""

    @property
    def two_blocks(self) -> bool:
        return any(piece.size >= TWO_BLOCKS - HEAD for piece in self.disk.values())


class Part:
    """One process; `blow` says where it will end."""

    def __init__(self, site: Site, name: str, blow: Blow | None) -> None:
        self.site, self.name, self.blow = site, name, blow
        self.started = time.monotonic()
        environment = {key: value for key, value in os.environ.items() if key != "FSGOV_FAILPOINT"}
        environment["TMPDIR"] = str(scratch(site))
        if blow is not None and "." in blow.point:
            environment["FSGOV_FAILPOINT"] = f"{blow.point}:{blow.nth}"
        with (site.host / f"{name}.log").open("ab") as log:
            self._said_before = log.tell()
            self.popen = subprocess.Popen(
                command_of(name, site.service),
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with(os.getpid()),
            )

    @property
    def ended(self) -> bool:
        return self.popen.poll() is not None

    @property
    def age(self) -> float:
        return time.monotonic() - self.started

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> int:
        self.popen.terminate()
        return self.popen.wait(30)

    def has_said(self, words: str) -> bool:
        """Whether this process has logged that."""
        return words.encode() in (self.site.host / f"{self.name}.log").read_bytes()[self._said_before :]

    def last_words(self) -> str:
        return "\n".join((self.site.host / f"{self.name}.log").read_text(errors="replace").splitlines()[-12:])

    def death(self) -> Killed:
        """Look at the disk now that it is dead. govern ends by itself when its scribe was killed."""
        code = self.popen.wait()
        assert self.blow is not None, f"{self.name} ended with {code}:\n{self.last_words()}"
        scribe = self.blow.point.startswith(("govern.sidecar.", "govern.captured."))
        expected = (SCRIBE_WAS_KILLED, -signal.SIGKILL) if scribe else (-signal.SIGKILL,)
        assert code in expected, f"{self.name} at {self.blow} ended with {code}:\n{self.last_words()}"
        leaked = tuple(plaintext_in(scratch(self.site), self.site.spool / "sealed"))
        return Killed(self.name, self.blow, code, int(time.time() * 50), on_disk(self.site), leaked)


def scratch(site: Site) -> Path:
    """The temporary folder of all parts."""
    return site.root / "tmp"


def on_disk(site: Site) -> dict[str, Piece]:
    """What the switch has written of every segment that is in the spool."""
    found = {}
    for path in sorted((site.spool / "audio").glob("*.wav")):
        with suppress(FileNotFoundError):  # ship may be faster
            pcm = path.read_bytes()[HEAD:]
            found[path.stem] = Piece(len(pcm), hashlib.sha256(pcm).hexdigest())
    return found


def plaintext_in(*places: Path) -> list[str]:
    """Files in which any 512 bytes of audio can be read."""
    found = []
    for place in places:
        for path in sorted(place.rglob("*")):
            with suppress(FileNotFoundError):
                if path.is_file() and PLAINTEXT.search(path.read_bytes()):
                    found.append(str(path))
    return found


def tear(site: Site, origin_of: str) -> bool:
    """Half a line at the end of the dead part's newest entry file, as a power cut may leave it."""
    files = sorted((site.spool / "entries").glob(f"*.{origin_of}.*.jsonl"))
    if not files:
        return False
    with files[-1].open("ab") as file:
        file.write(b'{"specversion":"1.0","id":"torn')
    return True
