"""The drills about keys of docs/operations.md and docs/cli.md: each line is executed as it is written.

In this process, on a real database and a file vault; names of places, the id of the rotation and that of a
recording are replaced, and keep goes round as often as it has to.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsgov import config
from fsgov.cli.root import fsgov
from fsgov.embedded import resolve
from fsgov.envelope import parse_identities
from fsgov.errors import FsgovError
from fsgov.journal import keep
from fsgov.vault import open_vault
from tests.live.keyring import CALL, OLD, Firm, firm_of
from tests.parts.catalog import World
from tests.unit.test_cli import documented, lines_of

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN = "r-mafbbkhlknck"
SAID = re.compile(r"r-[a-z]{12}")
DESK = """[admin]
dsn = "{dsn}"
user = "{login}"
password = "file:{login}.password"
[vault.eu]
url = "file:audio"
keys = "file:keys"
recipients = [{recipients}]
"""
HOST = """host = "fs1"
[database]
dsn = "{dsn}"
credentials = "{credentials}"
[vault.eu]
url = "file:audio"
keys = "file:keys"
recipients = [{recipients}]
[log]
signing_key = "log.key"
file = "sink"
"""


@dataclass
class Drill:
    """The firm at its desks. ann and ben of the page are alice and bob, of role privacy."""

    firm: Firm
    root: Path
    rotation: str = ""
    replaced: dict[str, str] = field(default_factory=dict)

    def run(self, line: str, who: str, code: int = 0) -> str:
        """What a line says: of `fsgov` in this process, of any other program by a shell."""
        for old, new in {**self.replaced, WRITTEN: self.rotation}.items():
            line = line.replace(old, new)
        words = shlex.split(line)
        if words[0] != "fsgov":
            return subprocess.run(words, check=True, capture_output=True, text=True).stdout
        done = CliRunner().invoke(
            fsgov, ["--config", str(self.root / f"{who}.toml"), *words[1:]], input="y\n"
        )
        fault = done.exception
        found = fault.exit_code if isinstance(fault, FsgovError) else done.exit_code
        assert found == code, f"{line}: {done.output} {fault!r}"
        return done.output

    def asked(self, line: str, who: str = "alice") -> None:
        (self.rotation,) = set(SAID.findall(self.run(line, who)))

    def sealed_to(self, *names: str) -> None:
        """Every configuration names the recipients of these identities."""
        identities = (each for name in names for each in parse_identities((self.root / name).read_text()))
        recipients = ", ".join(f'"{identity.recipient}"' for identity in identities)
        world, where = self.firm.world, resolve(self.firm.world.dsn)
        place = re.sub(r"//.*@", "//", where)
        for name, (login, password) in world.logins.items():
            text = DESK.format(dsn=place, login=login, recipients=recipients)
            (self.root / f"{name}.toml").write_text(text)
            (self.root / f"{login}.password").write_text(password)
            (self.root / f"{login}.password").chmod(0o600)
        text = HOST.format(dsn=place, credentials=world.credentials, recipients=recipients)
        (self.root / "host.toml").write_text(text)

    def keep(self, *lines: str, changed: bool = True) -> None:
        """A life of keep, with these lines in its [log]; it ends when everything is signed."""
        host = self.root / "host.toml"
        rest = re.sub(r"^(prior_key|earlier_keys) .*\n", "", host.read_text(), flags=re.MULTILINE)
        host.write_text(rest.replace("[log]\n", "\n".join(["[log]", *lines, ""])))
        told = "SELECT count(*) FROM fsgov.event_log WHERE position('signer.changed'::bytea IN line) > 0"
        waiting = "SELECT count(*) FROM fsgov.outbox"
        ((before,),) = self.firm.world.sql("admin", told)

        def over() -> bool:
            rows = self.firm.world.sql("admin", told) + self.firm.world.sql("admin", waiting)
            return rows == [(before + changed,), (0,)]

        keep(config.load(host), over)
        lines = "SELECT max(size), (SELECT count(*) FROM fsgov.event_log) FROM fsgov.checkpoints"
        ((signed, size),) = self.firm.world.sql("admin", lines)
        assert signed == size


def page(chapter: str) -> list[list[str]]:
    """The lines of each block of a chapter of docs/operations.md."""
    text = (DOCS / "operations.md").read_text().split(f"\n### {chapter}\n")[1]
    text = re.split(r"^##", text, maxsplit=1, flags=re.MULTILINE)[0]
    return [lines_of(block) for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


@pytest.fixture
def drill(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drill]:
    for name in list(os.environ):
        if name.startswith(("PG", "FSGOV_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    firm = firm_of(world, open_vault("eu", f"file:{tmp_path}/audio", f"file:{tmp_path}/keys"))
    (tmp_path / "identity.txt").touch(mode=0o600)
    (tmp_path / "identity.txt").write_text(f"{OLD}\n")
    made = Drill(firm, tmp_path)
    made.replaced = {"/etc/fsgov/": f"{tmp_path}/", "0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab": f"{CALL}-02"}
    made.sealed_to("identity.txt")
    made.run("fsgov keys generate recipient --output ./escrow.txt", "host")
    return made


def test_a_rotation_and_the_escrow_drill_as_the_page_has_them(drill: Drill) -> None:
    drill.firm.record(3)
    ((generate,),) = page("A new recipient")
    drill.run(generate, "host")
    drill.sealed_to("new.txt", "escrow.txt")
    first, second, third, fourth = page("Rotation")
    assert "not in the configuration" in drill.run(first[0], "alice")
    drill.asked(first[1])
    assert "waits for approval" in drill.run(second[0], "bob")
    drill.run(second[1], "bob")
    (rewrap,) = third
    drill.run(rewrap.replace("./new.txt", "./identity.txt"), "alice", code=6)
    assert "3 keys sealed anew, 0 left to wrap" in drill.run(rewrap, "alice")
    verify = "fsgov recordings verify 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab --identity ./{}.txt"
    verify += " --purpose evidence"
    assert "ok" in drill.run(verify.format("new"), "alice")
    drill.run(verify.format("identity"), "alice", code=6)
    assert "has ended" in drill.run(fourth[0], "bob")
    assert "not in the configuration" not in drill.run(fourth[1], "bob")
    assert drill.firm.opened_by(OLD) == set()

    ((listed, verified),) = page("Escrow")
    rows = json.loads(drill.run(f"{listed} --json", "alice"))
    assert [(row["keys"], row["alone"], row["at_hand"]) for row in rows[:-1]] == [(3, 0, False), (3, 0, True)]
    assert "ok" in drill.run(verified, "alice")


def test_the_examples_of_the_commands(drill: Drill) -> None:
    """docs/cli.md: a rotation that is undone, and one that is confirmed."""

    def example(name: str) -> str:
        (line,) = lines_of(documented()[f"keys {name}"].split("```sh\n")[1].split("```")[0])
        return line

    drill.firm.record(2)
    (drill.root / "identity.txt").rename(drill.root / "old.txt")
    drill.run("fsgov keys generate recipient --output ./new.txt", "host")
    drill.sealed_to("new.txt")
    for last in ("undo", "confirm"):
        drill.asked(example("rotate"))
        drill.run(example("approve"), "bob")
        assert "2 keys sealed anew" in drill.run(example("rewrap"), "alice")
        drill.run(example(last), "bob")
        assert drill.rotation in drill.run(example("rotations"), "sue")
    drill.run(example("rewrap"), "alice", code=7)
    assert drill.firm.opened_by(OLD) == set()


def test_other_recipients_than_were_approved_are_not_sealed_to(drill: Drill) -> None:
    drill.firm.record(1)
    drill.run("fsgov keys generate recipient --output ./new.txt", "host")
    drill.sealed_to("new.txt")
    would = drill.run("fsgov keys rotate --reason why --dry-run", "alice")
    assert "would seal 1 of 1 keys" in would
    assert drill.run("fsgov keys rotations", "alice").strip() == "no rotation is under way"
    drill.asked("fsgov keys rotate --reason why")
    drill.run(f"fsgov keys approve {drill.rotation}", "bob")
    drill.sealed_to("identity.txt", "new.txt")
    rewrap = f"fsgov keys rewrap {drill.rotation} --identity ./identity.txt --identity ./new.txt"
    drill.run(rewrap, "alice", code=7)
    assert drill.firm.world.sql("admin", "SELECT count(*) FROM fsgov.rotation_batches") == [(0,)]
    drill.sealed_to("new.txt")
    assert "1 keys sealed anew" in drill.run(rewrap, "alice")


def test_the_log_s_key_hands_over_and_is_lost_as_the_page_has_it(drill: Drill) -> None:
    handed, both, (verify,) = page("The log's key")
    drill.run("fsgov keys generate signing", "host")
    drill.keep(changed=False)
    for line in handed:
        drill.run(line, "host")
    old = (drill.root / "log.key.old.pub").read_text().strip()
    drill.keep('prior_key = "log.key.old"', f'earlier_keys = ["{old}"]')
    (drill.root / "log.key.old").unlink()
    earlier = f'earlier_keys = ["{old}"]'
    drill.keep(earlier, changed=False)
    for line in both:
        assert "is complete to" in drill.run(line, "alice")

    (drill.root / "log.key").unlink()
    (drill.root / "log.key.old.pub").unlink()
    drill.run(handed[1], "host")
    drill.run(handed[2], "host")
    lost = (drill.root / "log.key.old.pub").read_text().strip()
    drill.keep(f'earlier_keys = ["{old}", "{lost}"]')
    assert "rest on its word alone" in drill.run(verify, "alice")
    (drill.root / "all.pub").write_text(f"{old}\n{lost}\n{(drill.root / 'log.key.pub').read_text()}")
    whole = json.loads(drill.run("fsgov events verify --live --key all.pub --json", "alice"))
    assert [each["how"] for each in whole["signers"]] == ["given", "handed over", "alone"]
    for line in both:
        drill.run(line, "alice", code=8)
    assert drill.run("fsgov keys list", "host").count("log, once") == 2
