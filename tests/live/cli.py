"""A small company for tests of the command line: embedded PostgreSQL, a file vault, people, recorded calls.

Everything that a command of ours can make is made by it, each as a process (tests/parts/warm.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsgov import config, embedded
from fsgov.journal.part import keep
from fsgov.policy import decide, describe, parse
from fsgov.spool import Spool
from tests.live.shipping import CALL, Site, mask, talk
from tests.parts import postgres, warm

QUARANTINED = "22222222-aaaa-4bbb-8ccc-0123456789ab"
UNRECORDED = "33333333-aaaa-4bbb-8ccc-0123456789ab"
NOBODY = "99999999-aaaa-4bbb-8ccc-0123456789ab"
SOUND = talk(700)
OPEN = talk(500, closed=False)
"""As a crash of the switch leaves it: the header names no length."""

POLICY = """version = "2026-11-21"
timezone = "Europe/Berlin"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[[rule]]
name = "german service line"
when.dialled = ["+4930901820*"]
consent = "none"
purposes = ["evidence"]
[[rule]]
name = "rest"
record = "never"
[[test]]
name = "the service line is recorded"
call = { caller = "+493012345", dialled = "+493090182012" }
expect = { rule = "german service line", record = "always" }
"""

HOST = """host = "fs1"
[switch]
password = "ClueCon"
port = {port}
[spool]
directory = "spool"
[database]
dsn = "embedded:pg"
credentials = "logins"
[vault.eu]
url = "file:vault/audio"
keys = "file:vault/keys"
recipients = ["{recipient}"]
[log]
signing_key = "keys/log.key"
file = "sink"
[control]
socket = "c.sock"
[policy]
file = "policy.toml"
"""

DESK = """[admin]
dsn = "embedded:pg"
user = "{login}"
password = "file:{login}.password"
[vault.eu]
url = "file:vault/audio"
[control]
socket = "c.sock"
[policy]
file = "policy.toml"
"""


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Company:
    """Its directory holds host.toml, and <login>.toml for each person."""

    root: Path
    site: Site
    public: str = ""

    def fsgov(self, *words: str, who: str = "host", code: int | None = 0, **environment: str) -> Done:
        """Run one command as somebody; its exit code must be `code` (None: any)."""
        done = fsgov("--config", str(self.root / f"{who}.toml"), *words, cwd=self.root, **environment)
        assert code is None or done.code == code, f"{words}: {done}"
        return done

    def hire(self, login: str, role: str, *more: str) -> str:
        """A person with a configuration; people.id."""
        added = self.fsgov("people", "add", login, "--role", role, *more, "--json").json
        write_private(self.root / f"{login}.password", added["password"])
        (self.root / f"{login}.toml").write_text(DESK.format(login=login))
        return str(added["person"])

    def keep(self) -> None:
        """Let keep move and sign everything that waits: the whole part, but no process for it."""
        end = time.monotonic() + 20

        def moved() -> bool:
            assert time.monotonic() < end, "keep does not move the outbox"
            return self.site.ask("SELECT count(*) FROM fsgov.outbox") == [(0,)]

        keep(config.load(self.root / "host.toml"), moved)

    @contextmanager
    def part(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """`fsgov run --part NAME`, stopped by SIGTERM, which must end it well."""
        command = [sys.executable, "-m", "fsgov", "--config", str(self.root / "host.toml")]
        with subprocess.Popen(
            [*command, "run", "--part", name], stderr=subprocess.PIPE, env=environment_of()
        ) as process:
            try:
                assert process.stderr is not None
                said = b""
                while b".started" not in said:
                    line = process.stderr.readline()
                    assert line, said.decode()
                    said += line
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                _, said = process.communicate(timeout=30)
        assert process.returncode == 0, said.decode()

    def snapshot(self) -> dict[str, Any]:
        """Every row, every file of spool and vault: what a refused command must leave as it was."""
        tables = [
            row[0] for row in self.site.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'fsgov'")
        ]
        rows = {
            table: self.site.ask(
                f"SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM fsgov.{table} t"
            )
            for table in sorted(tables)
        }
        files = {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for top in ("spool", "vault", "sink", "keys", "logins")
            for path in sorted((self.root / top).rglob("*"))
            if path.is_file()
        }
        return {**rows, **files}


def environment_of(**changes: str) -> dict[str, str]:
    """This environment without what would lead a command to another server or person."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "FSGOV_", "XDG_"))
    }
    return {**kept, **changes}


def fsgov(*words: str, cwd: Path, **environment: str) -> Done:
    env = environment_of(XDG_STATE_HOME=str(cwd / "state"), **environment)
    done = subprocess.run(
        warm.command(words, env),
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


@contextmanager
def company(root: Path) -> Iterator[Company]:
    """The company as it is after a day: two calls recorded, one not, all of it shipped, sequenced, signed."""
    (root / "keys").mkdir()
    (root / "desk").mkdir()
    (root / "policy.toml").write_text(POLICY)
    recipient = fsgov("keys", "generate", "recipient", "--output", "desk/id.txt", "--json", cwd=root).json
    (root / "host.toml").write_text(HOST.format(recipient=recipient["recipient"], port=1))
    identity = (root / "desk" / "id.txt").read_text().splitlines()[-1]
    with embedded.joined(postgres.prepare(root / "pg")) as server:
        site = Site(
            root=str(root),
            dsn=server.dsn(),
            secret=identity,
            url=f"file:{root}/vault/audio",
            keys=f"file:{root}/vault/keys",
        )
        found = Company(root, site)
        found.public = found.fsgov("keys", "generate", "signing", "--json").json["public"]
        found.fsgov("db", "init")
        record(site)
        found.hire("alice", "supervisor", "--os-user", "nobody")
        found.hire("bob", "privacy")
        found.hire("carol", "agent")
        found.keep()
        yield found


def record(site: Site) -> None:
    """What govern and the switch leave behind, shipped."""
    policy = parse(POLICY)
    inputs = describe(caller="+493012345", dialled="+493090182012", call=CALL)
    facts = {
        "policy": {"version": policy.version, "sha256": policy.sha256},
        "inputs": inputs.to_json(),
        "decision": decide(policy, inputs).to_json(),
        "parties": [
            {"party": p.party, "side": p.side.value, "number": p.number, "e164": p.e164, "country": p.country}
            | {"facts": {}}
            for p in inputs.parties
        ],
        "ended": 1_795_279_055_000_000,
        "outcome": "recorded",
    }
    spool = Spool(site.spool_directory, "govern")
    spool.keep_policy(POLICY)
    spool.close()
    masks = [mask(100, 300)]
    segments = [
        site.capture(1, SOUND),
        site.capture(2, OPEN),
        site.capture(3, None, discarded=True),
    ]
    leaking = site.capture(1, talk(600), call=QUARANTINED, masks=masks)
    site.remember(CALL, segments, **facts)
    site.remember(QUARANTINED, [leaking], **{**facts, "inputs": {**inputs.to_json(), "call": QUARANTINED}})
    site.remember(UNRECORDED, [], outcome="not-required", ended=facts["ended"])
    site.ship()
