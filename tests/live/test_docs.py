"""The commands of docs/cli.md, docs/policy.md and docs/operations.md, executed as written. About 40 s.

A company that has recorded calls, its switch, and govern with a call that is up; names of places and of what
differs everywhere (a path, the id of a live call, a public key) are replaced, nothing else.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest

from fsgov.embedded import find
from fsgov.simulator.remote import Remote
from tests.live.cli import DESK, POLICY, Company, company, environment_of
from tests.live.shipping import CALL
from tests.live.test_cli_acts import ON_DEMAND, until
from tests.parts import warm
from tests.unit.test_cli import ALL, documented, lines_of

DOCS = Path(__file__).parents[2] / "docs"
A_REQUEST = "r-abcdefghijkl"
ASKED = {
    "subject show": "export",
    "subject export": "export",
    "subject erase": "erase",
    "subject answer": "erase",
}
OLDER, NEWER = "2026-10-01", "2026-11-21"
ELSEWHERE = {
    **dict.fromkeys(
        ("purge plan", "purge approve", "purge stop", "purge status", "purge apply", "purge certificate"),
        "tests/live/test_cli_purge.py",
    ),
    **dict.fromkeys(("purge lost", "purge settle", "purge resume"), "tests/live/test_cli_purge.py"),
    **dict.fromkeys(
        ("purge schedule propose", "purge schedule approve", "purge schedule end", "purge schedule list"),
        "tests/live/test_cli_purge.py",
    ),
    "demo": "tests/acceptance/test_demo.py",
    "recordings prove": "tests/live/test_bundle.py",
    "recordings detach": "tests/live/test_bundle.py",
    "report outcomes": "tests/acceptance/test_statement.py",
    "db restored": "tests/acceptance/test_restore_drill.py",
    "keys rotate": "tests/live/test_key_drills.py",
    "keys approve": "tests/live/test_key_drills.py",
    "keys rewrap": "tests/live/test_key_drills.py",
    "keys confirm": "tests/live/test_key_drills.py",
    "keys undo": "tests/live/test_key_drills.py",
    "keys rotations": "tests/live/test_key_drills.py",
}

# in this order; who: whose configuration (default: alice's)
ORDER: dict[str, str] = {
    "check": "host", "status": "host", "db init": "host", "db upgrade": "host", "db status": "host",
    "people add": "host", "people list": "host", "people disable": "host",
    "keys generate recipient": "host", "keys generate signing": "host", "keys list": "host",
    "policy check": "host", "policy show": "host", "policy explain": "host",
    "policy export-dialplan": "host", "policy test": "host",
    "policy simulate": "alice",
    "policy diff": "bob", "policy activate": "bob", "policy approve": "alice", "policy history": "alice",
    "policy rollback": "bob",
    "calls list": "alice", "calls show": "alice", "calls explain": "alice",
    "calls start": "host", "calls pause": "host", "calls resume": "host", "calls tag": "host",
    "calls stop": "host", "calls consent": "host",
    "recordings list": "alice", "recordings show": "alice", "recordings export": "alice",
    "recordings attach": "alice", "recordings artefacts": "alice", "recordings verify": "alice",
    "recordings copy": "olga", "recordings copies": "olga", "recordings drop": "olga",
    "recordings move": "olga",
    "hold place": "alice", "hold add": "alice", "hold list": "alice", "hold show": "alice",
    "hold release": "alice", "hold approve": "bob",
    "recordings quarantine set": "alice", "recordings quarantine list": "alice",
    "recordings quarantine release": "bob",
    "events tail": "alice", "events export": "alice", "events verify": "alice", "events schema": "alice",
    "calls anchor": "alice", "retention list": "alice", "retention diff": "bob", "retention propose": "bob",
    "retention approve": "alice", "retention history": "alice",
    "subject find": "alice", "subject open": "bob", "subject list": "bob", "subject show": "bob",
    "subject export": "bob", "subject erase": "beth", "subject answer": "bob", "report access": "bob",
    "stop": "me", "reconcile": "olga", "scrub": "alice", "run": "host",
}  # fmt: skip

PROGRAM = """import signal
from fsgov.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is started with it ignored
main()
"""


@dataclass
class Place:
    """The company as the page finds it."""

    firm: Company
    switch: Remote
    program: Path
    """`fsgov` as a process of its own, which may be given a signal."""
    replaced: dict[str, str] = field(default_factory=dict)

    def run(self, line: str, who: str, code: int = 0) -> str:
        """What a line of the page prints, in a shell; everything that it asks is answered by yes."""
        for old, new in self.replaced.items():
            line = line.replace(old, new)
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.firm.root / "desk", input="y\n" * 3, text=True,
            capture_output=True, timeout=60,
            env=self.environment(warm.program(), who), check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{line}: {done}"
        return done.stdout

    def interrupted(self, line: str, who: str, word: str, by: signal.Signals) -> None:
        """A line that goes on until it is told to end, which it then does well."""
        for old, new in self.replaced.items():
            line = line.replace(old, new)
        environment = self.environment(self.program, who)
        with subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=self.firm.root / "desk", env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            assert process.stdout
            said = ""
            while word not in said:
                more = process.stdout.readline()
                assert more, said
                said += more
            process.send_signal(by)
            rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, said + rest

    def environment(self, program: Path, who: str) -> dict[str, str]:
        """Of somebody at a desk, for whom `fsgov` is this program."""
        config = str(self.firm.root / f"{who}.toml")
        path = f"{program.parent}:{os.environ['PATH']}"
        return environment_of(HOME=str(self.firm.root), PATH=path, FSGOV_CONFIG=config)

    def call(self, name: str, dialled: str) -> str:
        """A live call between two people; its id."""
        placed = self.switch.do("call", **{"as": name, "caller": "+493012345", "dialled": dialled})
        self.switch.do("bridge", call=name, agent="1000")
        return str(placed["call"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("d")
    with company(root) as firm:
        firm.hire("me", "supervisor", "--os-user", getpass.getuser())
        firm.hire("olga", "ops")
        more = "".join(f'[vault.{name}]\nurl = "file:vault/{name}"\n' for name in ("dr", "eu2"))
        (root / "olga.toml").write_text(DESK.replace("{login}", "olga") + more)
        firm.hire("beth", "privacy")
        policy = POLICY.replace('[[rule]]\nname = "rest"\n', ON_DEMAND.lstrip())
        (root / "policy.toml").write_text(policy)
        etc = root / "etc"
        etc.mkdir()
        (etc / "policy.toml").write_text('approval = "two_persons"\n' + policy)
        (root / "older.toml").write_text(policy.replace(NEWER, OLDER))
        firm.fsgov("policy", "activate", "older.toml", "--yes", who="bob")
        shutil.copy(root / "desk" / "id.txt", root / "desk" / "identity.txt")
        (root / "desk" / "transcript.txt").write_text("hello")
        program = root / "bin" / "fsgov"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\n{PROGRAM}")
        program.chmod(0o755)
        (root / "sim").mkdir()
        with Remote.start(recordings=root / "spool" / "audio", directory=root / "sim") as switch:
            (root / "host.toml").write_text(host(root).replace("port = 1\n", f"port = {switch.address[1]}\n"))
            with firm.part("govern"):
                until(lambda: firm.fsgov("status", "--json", code=None).json["govern"]["switch"]["connected"])
                yield Place(firm, switch, program)


def host(root: Path) -> str:
    return (root / "host.toml").read_text()


def examples(name: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", documented()[name], re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in lines_of(block)]


def asked(place: Place, name: str) -> dict[str, str]:
    """The request of somebody that a command is about, for the one that the page names."""
    if name not in ASKED:
        return {}
    opened = place.firm.fsgov("subject", "open", ASKED[name], "+493012345", "--json", who="bob")
    return {A_REQUEST: opened.json["id"]}


def hold(place: Place, name: str) -> dict[str, str]:
    """The hold that the page names, once there is one."""
    if name not in ("hold add", "hold show", "hold release", "hold approve"):
        return {}
    return {"h-abcdefghijkl": place.firm.fsgov("hold", "list", "--json", who="alice").json[-1]["id"]}


@pytest.mark.parametrize("name", ORDER)
def test_the_examples_of_a_command_do_what_they_say(place: Place, name: str) -> None:
    root, who = place.firm.root, ORDER[name]
    place.replaced = {"/etc/fsgov": str(root / "etc"), "alice": "dave", "bob": "carol"}
    place.replaced |= asked(place, name) | hold(place, name)
    match name:
        case "run":
            text = re.sub(
                r'"((?:embedded:|file:)?)(?=pg"|logins"|spool"|vault/|keys/|sink")',
                rf'"\1{root}/',
                host(root),
            )
            (root / "etc" / "fsgov.toml").write_text(text)
        case "calls start":
            place.replaced[CALL] = place.call("two", "+4930901830")
            time.sleep(1.0)
        case "calls pause" | "calls resume" | "calls tag" | "calls stop" | "calls consent":
            if name == "calls pause":
                place.call("one", "+493090182012")
                until(lambda: len(place.switch.world("opened")) == 2)
                time.sleep(0.5)
            place.replaced[CALL] = str(place.switch.world("opened")[-1]["file"]).rpartition("/")[2][:36]
        case "events tail":
            state = place.firm.fsgov("events", "tail", "--json", who="alice").out.splitlines()[0]
            place.replaced["log-akfmpjmjmjdb:1204"] = re.findall(r'"log_id": "([^"]*)"', state)[0] + ":0"
        case "retention approve":
            place.replaced["approve 3"] = "approve 1"
        case "events verify":
            place.firm.keep()
            place.replaced["fsgov+244591f5+AVk5OS…"] = place.firm.public
        case "reconcile":
            admin = '[admin]\nuser = "olga"\npassword = "file:olga.password"\n'
            (root / "olga.toml").write_text(host(root) + admin)
            place.run("fsgov reconcile --apply all", who)  # the recording that a crash cut is noted
    for line in examples(name):
        if name == "run":
            place.interrupted(line, who, "part.started", signal.SIGTERM)
        elif "--follow" in line:
            place.interrupted(line, who, "log_id", signal.SIGINT)
        else:
            assert place.run(line, who).strip(), line
    place.replaced = {}


@pytest.mark.installed("pg_dump")
def test_the_dumps_of_the_page_are_apart(place: Place, tmp_path: Path) -> None:
    """docs/operations.md: a dump without keys, and one of the keys alone."""
    page = (DOCS / "operations.md").read_text().split("\n## Backup and restore")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    with closing(psycopg2.connect(place.firm.site.dsn)) as connection:
        of = connection.info.dsn_parameters
    environment = {
        "PGHOST": of["host"], "PGPORT": of["port"], "PGUSER": of["user"], "PGDATABASE": of["dbname"],
        "PGPASSWORD": (place.firm.root / "pg" / "password").read_text().strip(),
        "PATH": f"{find().directory}:{os.environ['PATH']}",
    }  # fmt: skip
    script = f"set -e\n{block}" + "".join(
        f"pg_restore --data-only --file=- {name} | grep -o '^COPY fsgov.[a-z_]*' > {name}.tables\n"
        for name in ("fsgov.dump", "fsgov-keys.dump")
    )
    subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env={**os.environ, **environment}, check=True, timeout=60
    )
    rest, keys = (
        (tmp_path / f"{name}.tables").read_text().split() for name in ("fsgov.dump", "fsgov-keys.dump")
    )
    assert keys == ["COPY", "fsgov.segment_keys"]
    assert {"fsgov.calls", "fsgov.event_log", "fsgov.policies"} <= set(rest)
    assert "fsgov.segment_keys" not in rest


def test_the_faults_of_a_policy_are_told_as_the_page_says(place: Place) -> None:
    """docs/policy.md shows a policy of two faults."""
    (said,) = re.findall(
        r"^```\n\$ (fsgov policy check /etc.*?)^```$", (DOCS / "policy.md").read_text(), re.M | re.S
    )
    line, _, expected = said.partition("\n")
    place.replaced = {"/etc/fsgov": str(place.firm.root / "etc")}
    text = (place.firm.root / "policy.toml").read_text().replace('consent = "none"', 'consent = "optin"', 1)
    text = text.replace('purposes = ["evidence"]', 'purposes = ["evidnce"]', 1)
    (place.firm.root / "etc" / "policy.toml").write_text(text)
    told = place.run(f"{line} 2>&1", "host", code=3)
    assert told.replace(str(place.firm.root / "etc"), "/etc/fsgov") == expected


def test_the_way_into_force_of_the_page(place: Place) -> None:
    """docs/policy.md, from a file to a rollback."""
    page = (DOCS / "policy.md").read_text()
    (block,) = re.findall(r"^```\n(fsgov policy check new\.toml.*?)^```$", page, re.M | re.S)
    text = (place.firm.root / "policy.toml").read_text()
    (place.firm.root / "desk" / "new.toml").write_text(text.replace(NEWER, "2026-12-01"))
    place.replaced = {}
    for line in block.splitlines():
        place.run(re.split(r" {2,}", line)[0], "bob")


def test_every_command_of_the_page_is_executed() -> None:
    assert {*ORDER, *ELSEWHERE} == set(ALL)
