"""The directories of the demo: what a switch host has, what people's desks have, and what neither shares.

host/      configuration of the switch host: public recipients only; spool, prompts, signing key of the log
desk/      configuration of alice and of bob, their passwords, THE IDENTITY, the log's public key
database/  PostgreSQL's own directory
vault/     audio and keys: the two buckets of the vault
switch/    the simulated switch: its ledger of what really happened
"""

from __future__ import annotations

import json
import math
import os
import pwd
import re
import secrets
import struct
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fsgov import embedded, spool
from fsgov.catalog import migrate, people
from fsgov.envelope import Identity
from fsgov.errors import BadConfiguration
from fsgov.journal import SIGNER
from fsgov.merkle import PublicKey, generate_signing_key, signing_key_pem
from fsgov.vault import open_vault

PEOPLE = {"alice": ["supervisor"], "bob": ["privacy", "auditor"]}
PROMPTS = {"question-de.wav": (1.2, 440.0), "notice-en.wav": (1.0, 523.0)}
"""Seconds, and the tone's frequency."""
RATE = 8000


@dataclass(frozen=True, slots=True)
class Site:
    """Where everything of one demo is; all paths absolute."""

    root: Path

    @property
    def host(self) -> Path:
        return self.root / "host"

    @property
    def desk(self) -> Path:
        return self.root / "desk"

    @property
    def database(self) -> Path:
        return self.root / "database"

    @property
    def switch(self) -> Path:
        return self.root / "switch"

    @property
    def spool(self) -> Path:
        return self.host / "spool"

    @property
    def control(self) -> Path:
        return self.host / "control.sock"

    @property
    def service(self) -> Path:
        """The configuration of `fsgov run`."""
        return self.host / "fsgov.toml"

    @property
    def vault(self) -> tuple[str, str]:
        """The two buckets: audio and keys."""
        return f"file:{self.root}/vault/audio", f"file:{self.root}/vault/keys"

    def of(self, person: str) -> Path:
        """Somebody's own configuration; alice's is the one that the printed commands use."""
        return self.desk / ("fsgov.toml" if person == "alice" else f"{person}.toml")

    def password(self, person: str) -> str:
        return (self.desk / f"{person}.password").read_text().strip()

    def identity(self) -> Identity:
        """What opens the recordings; on a real desk it never comes near the switch host."""
        text = (self.desk / "identity.txt").read_text()
        return Identity.parse(next(line for line in text.splitlines() if line.startswith("AGE-SECRET-KEY-")))

    def log_key(self) -> PublicKey:
        return PublicKey.parse((self.desk / "log.pub").read_text())


def make(site: Site, policy: str = "") -> None:
    """Directories, keys, prompts, policy, database with its people, buckets. The port comes with `configure`.

    policy: its text; "" for the demo's own. Raises what PostgreSQL or the directory are missing.
    """
    for directory in (site.host, site.desk, site.switch, site.host / "prompts", site.root / "vault"):
        directory.mkdir(mode=0o700, parents=True)
    spool.Spool(site.spool, "status").close()
    for name, (seconds, frequency) in PROMPTS.items():
        tone(site.host / "prompts" / name, seconds, frequency)
    text = policy or (resources.files("fsgov") / "demo" / "policy.toml").read_text(encoding="utf-8")
    (site.host / "policy.toml").write_text(text, encoding="utf-8")
    _keys(site)
    vault = open_vault("demo", *site.vault)
    vault.audio.create()
    vault.keys.create()
    _database(site)
    _desks(site)


def _keys(site: Site) -> None:
    identity = Identity.generate(os.urandom)
    private(site.desk / "identity.txt", f"# recipient: {identity.recipient}\n{identity}\n")
    key = generate_signing_key(os.urandom)
    private(site.host / "log.key", signing_key_pem(key).decode("ascii"))
    (site.desk / "log.pub").write_text(f"{PublicKey.of(SIGNER, key)}\n")
    private(site.host / "switch.password", secrets.token_urlsafe(12) + "\n")


def _database(site: Site) -> None:
    """Schema and logins. One person at this keyboard plays both: the live acts are alice's."""
    me = pwd.getpwuid(os.getuid()).pw_name
    with embedded.joined(site.database) as server:
        migrate.init(server.dsn(), site.host / "logins")
        for login, roles in PEOPLE.items():
            added = people.add(server.dsn(), login, roles, os_user=me if login == "alice" else "")
            private(site.desk / f"{login}.password", added.password + "\n")


def configure(site: Site, port: int) -> None:
    """Write the switch host's configuration, now that the switch listens at this port of the loopback."""
    audio, keys = site.vault
    site.service.write_text(
        toml(
            ("", {"host": "demo"}),
            ("switch", {"host": "127.0.0.1", "port": port, "password": "file:switch.password"}),
            ("spool", {"directory": "spool"}),
            ("database", {"dsn": f"embedded:{site.database}", "credentials": "logins"}),
            (
                "vault.demo",
                {"url": audio, "keys": keys, "recipients": [str(site.identity().recipient)]},
            ),
            ("log", {"signing_key": "log.key", "file": "log"}),
            ("control", {"socket": "control.sock"}),
            ("policy", {"file": "policy.toml"}),
        )
    )


def _desks(site: Site) -> None:
    for login in PEOPLE:
        admin = {
            "dsn": f"embedded:{site.database}",
            "user": login,
            "password": f"file:{login}.password",
        }
        site.of(login).write_text(
            toml(
                ("admin", admin),
                ("vault.demo", {"url": site.vault[0]}),
                ("control", {"socket": str(site.control)}),
            )
        )


def toml(*tables: tuple[str, Mapping[str, str | int | list[str]]]) -> str:
    """Tables as TOML; its basic strings are JSON's."""
    lines = []
    for name, values in tables:
        lines += [f"[{name}]"] if name else []
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        lines.append("")
    return "\n".join(lines)


def private(path: Path, text: str) -> None:
    """A new file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def tone(path: Path, seconds: float, frequency: float) -> None:
    """A prompt: 8 kHz, 16 bit, one channel, one plain tone."""
    samples: Sequence[int] = [
        round(9000 * math.sin(2 * math.pi * frequency * n / RATE)) for n in range(int(seconds * RATE))
    ]
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def check_path(root: Path) -> None:
    """Whether a switch and a unix socket (107 bytes) can name what is in there. Raises BadConfiguration."""
    longest = max(len(os.fsencode(path)) for path in (root / "host/control.sock", root / "switch/sim.sock"))
    if longest > 107:
        raise BadConfiguration(
            "This directory's name is too long for the demo", str(root), "start it in a directory nearer to /"
        )
    if not re.fullmatch(r"[\w./+:@%=~-]+", str(root)):
        raise BadConfiguration(
            "A switch cannot be told this directory's name",
            str(root),
            "start the demo where no space is in it",
        )
