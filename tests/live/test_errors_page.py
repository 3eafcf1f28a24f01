"""Each row of docs/operations.md's table of errors, met as a new user meets it. About a minute."""

from __future__ import annotations

import getpass
import os
import re
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from fsgov.checks.database import clock
from fsgov.cli import live, vital
from fsgov.config.settings import Address
from fsgov.errors import NotPermitted, Unreachable
from tests.live.cli import NOBODY, Company, write_private
from tests.live.shipping import CALL, talk
from tests.live.test_check import Host, host
from tests.live.test_cli_acts import until
from tests.live.test_cli_refusals import ID, WHY, broken_catalog, prepare
from tests.unit.test_operations_page import ERRORS

__all__ = ["host"]
FIRST = f"{CALL}-01"
EXPORT = ("recordings", "export", FIRST)
PROMPTED = """
[prompt.q]
file = "q.wav"
switch_file = "/nowhere/q.wav"
[[rule]]
name = "asked"
when.dialled = ["+4930901831"]
consent = "opt_in"
purposes = ["evidence"]
ask = { prompt = "q", yes = "1", no = "2", timeout = "3 s" }
[[rule]]
name = "rest"
"""
Case = (
    tuple[str, tuple[str, ...]]
    | tuple[str, tuple[str, ...], Callable[[Host], AbstractContextManager[object]]]
)


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode & 0o7777
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@contextmanager
def text(path: Path, other: str) -> Iterator[None]:
    before = path.read_text()
    path.write_text(other)
    try:
        yield
    finally:
        path.write_text(before)


@contextmanager
def granted(host: Host) -> Iterator[None]:
    host.sql("GRANT fsgov_privacy TO fsgov_ship")
    try:
        yield
    finally:
        host.sql("REVOKE fsgov_privacy FROM fsgov_ship")


@contextmanager
def govern(host: Host) -> Iterator[None]:
    with host.firm.part("govern"):
        until(lambda: host.firm.fsgov("status", "--json", code=None).json["govern"]["switch"]["connected"])
        yield


@contextmanager
def hired(host: Host) -> Iterator[None]:
    host.firm.hire("me", "supervisor", "--os-user", getpass.getuser())
    with govern(host):
        yield


CASES: dict[tuple[str, str], Case] = {
    ("any command, first", "There is no configuration file"): ("absent", ("calls", "list")),
    ("any command", "The configuration cannot be read"): ("bytes", ("calls", "list")),
    ("any command", "The configuration … has N faults"): ("faults", ("calls", "list")),
    ("any command", "A secret of the configuration cannot be had"): ("nosecret", ("calls", "list")),
    ("fsgov policy check", "The policy cannot be read"): ("host", ("policy", "check", "nowhere.toml")),
    ("fsgov policy check", "The policy's own tests fail"): ("host", ("policy", "check", "failing.toml")),
    ("fsgov check", "holds a private key"): ("disclosed/badkey", ("check",)),
    ("fsgov check", "an identity can be read on this switch host"): ("beside", ("check",)),
    ("fsgov check", "The signing key of the log is missing"): ("nokey", ("check",)),
    ("fsgov check", "The signing key of the log can be read by others"): (
        "host", ("check",), lambda host: mode(host.firm.root / "keys" / "log.key", 0o640),
    ),
    ("fsgov check", "the directory of the control socket is not there"): ("nosocket", ("check",)),
    ("fsgov check", "the spool directory is not safe"): (
        "host", ("check",), lambda host: mode(host.firm.root / "spool" / "calls", 0o755),
    ),
    ("fsgov check", "the database does not fit this program"): ("emptydb", ("check",)),
    ("fsgov check", "PostgreSQL refuses this login"): (
        "host", ("check",), lambda host: text(host.firm.root / "logins" / "ship", "nonsense"),
    ),
    ("fsgov check", "has not the rights it must have"): ("host", ("check",), granted),
    ("fsgov check", "The vault does not answer"): ("farvault", ("check",)),
    ("fsgov check", "There is no such vault bucket"): ("nobucket", ("check",)),
    ("fsgov check", "the switch does not answer"): ("noswitch", ("check",)),
    ("fsgov check", "the switch refuses the login"): ("badlogin", ("check",)),
    ("fsgov check", "this FreeSWITCH is too old"): (
        "host", ("check",), lambda host: host.says("version", "FreeSWITCH Version 1.8.7~64bit ( 64bit)\n"),
    ),
    ("fsgov check", "the switch has no such SIP profile"): (
        "trunks", ("check",), lambda host: host.says("sofia", "Invalid Profile!\n"),
    ),
    ("fsgov check", "the switch does not see the spool"): ("otherspool", ("check",)),
    ("fsgov check", "the switch does not see prompts of the policy"): ("prompted", ("check",)),
    ("fsgov run", "another govern is at work on this spool"): ("host", ("run", "--part", "govern"), govern),
    ("fsgov calls list", "PostgreSQL does not answer"): ("away", ("calls", "list")),
    ("fsgov calls list", "PostgreSQL refuses this login"): ("wrong", ("calls", "list")),
    ("fsgov calls list", "This is the login of a service"): ("service", ("calls", "list")),
    ("fsgov calls list --since yesterday", "is no instant"): (
        "alice", ("calls", "list", "--since", "yesterday"),
    ),
    ("fsgov calls show", "There is no such call"): ("alice", ("calls", "show", NOBODY)),
    ("fsgov calls pause", "govern does not answer"): ("alice", ("calls", "pause", CALL)),
    ("fsgov calls pause", "This may not be done by this person"): ("host", ("calls", "pause", CALL), govern),
    ("fsgov calls pause", "There is no such live call on this host"): (
        "host", ("calls", "pause", NOBODY), hired,
    ),
    ("fsgov recordings export", "The database refuses this to the login"): ("carol", (*EXPORT, *WHY, *ID)),
    ("fsgov recordings export", "No identity to open the recording with"): ("alice", (*EXPORT, *WHY)),
    ("fsgov recordings export", "The identity file can be read by others"): (
        "alice", (*EXPORT, *WHY, "--identity", "host.toml"),
    ),
    ("fsgov recordings export", "not an age identity"): (
        "alice", (*EXPORT, *WHY, "--identity", "alice.password"),
    ),
    ("fsgov recordings export", "The vault of the recording is not configured here"): (
        "novault", (*EXPORT, *WHY, *ID),
    ),
    ("fsgov events verify", "not a public key of a log"): (
        "alice", ("events", "verify", "--live", "--key", "host.toml"),
    ),
    ("fsgov events verify", "There is no public key"): (
        "alice", ("events", "verify", "--live", "--key", "nowhere.pub"),
    ),
    ("any command", "This is a fault of fsgov itself"): ("broken-program", ("events", "tail")),
}  # fmt: skip
ELSEWHERE = {
    ("fsgov check", "the clocks disagree"),  # below
    ("fsgov check", "The vault does not permit this to our login"),  # test_check.py, with an object store
    ("fsgov check", "the access list of the switch rejects this host"),  # test_check.py
    ("fsgov check", "the switch (freeswitch) may not write into the spool"),  # test_check.py, with its user
    ("fsgov calls pause", "The daemon's socket is not for this user"),  # below, with another user
    ("any command", "This user may not use a file"),  # tests/unit/test_cli.py
}


@pytest.fixture(scope="module")
def prepared(host: Host) -> Company:
    """The company, with a configuration for each fault."""
    firm, root = host.firm, host.firm.root
    prepare(firm)
    base = (root / "host.toml").read_text()
    server = re.sub(r"//[^@/]*@", "//", firm.site.dsn).rpartition("/")[0]
    (root / "beside").mkdir()
    (root / "beside" / "policy.toml").write_text((root / "policy.toml").read_text())
    write_private(root / "beside" / "notes.txt", firm.site.secret)
    write_private(root / "bad.password", "nonsense")
    for name in ("ak", "sk"):
        write_private(root / name, "x")
    (root / "q.wav").write_bytes(talk(300))
    asked = (root / "policy.toml").read_text().replace('[[rule]]\nname = "rest"\n', PROMPTED.lstrip(), 1)
    (root / "asked.toml").write_text(asked)
    far = 'url = "s3+http://127.0.0.1:1/audio"\nkeys = "s3+http://127.0.0.1:1/keys"\n'
    far += 'credentials = { access = "file:ak", secret = "file:sk" }'
    changes = {
        "nosecret": ("[spool]", '[admin]\nuser = "alice"\npassword = "file:gone"\n[spool]'),
        "beside": ('"policy.toml"', '"beside/policy.toml"'),
        "nokey": ("keys/log.key", "keys/gone.key"),
        "nosocket": ('"c.sock"', '"nowhere/c.sock"'),
        "emptydb": ('"embedded:pg"', f'"{server}/postgres"'),
        "farvault": ('url = "file:vault/audio"\nkeys = "file:vault/keys"', far),
        "nobucket": ("file:vault/", "file:novault/"),
        "noswitch": (f"port = {host.switch.address[1]}", "port = 1"),
        "badlogin": ('"ClueCon"', '"file:bad.password"'),
        "trunks": ("[switch]\n", '[switch]\ntrunks = ["sofia/extern"]\n'),
        "otherspool": ('directory = "spool"', 'directory = "spool"\nswitch_directory = "/srv/else"'),
        "prompted": ('"policy.toml"', '"asked.toml"'),
    }
    for name, (old, new) in changes.items():
        assert old in base, name
        (root / f"{name}.toml").write_text(base.replace(old, new))
    (root / "disclosed").mkdir()  # beside the others it would be found by each check
    (root / "badkey.toml").rename(root / "disclosed" / "badkey.toml")
    (root / "bytes.toml").write_bytes(b"\xff\xfe")
    (root / "broken-program.toml").write_text((root / "alice.toml").read_text())
    return firm


def test_every_row_has_a_case() -> None:
    rows = {(row[0].strip("`"), row[1]) for row in ERRORS}
    assert rows == CASES.keys() | ELSEWHERE


CHOSEN = [
    pytest.param(row, marks=() if number % 2 == 0 else (pytest.mark.slow,))
    for number, row in enumerate(CASES)
]
"""Half of them in `make test`: each is a start of Python. All of them in `make crash`."""


@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: f"{row[0]}: {row[1]}")
def test_an_error_is_met(host: Host, prepared: Company, tmp_path: Path, row: tuple[str, str]) -> None:
    (code,) = (int(each[2]) for each in ERRORS if (each[0].strip("`"), each[1]) == row)
    who, words, *broken = CASES[row]
    environment = {"PYTHONPATH": str(broken_catalog(tmp_path))} if who == "broken-program" else {}
    with broken[0](host) if broken else nullcontext():
        done = prepared.fsgov(*words, who=who, code=code, **environment)
    told = done.out + done.err
    expected = (
        re.escape(row[1]).replace("…", ".*").replace("N", r"\d+") if "…" in row[1] else re.escape(row[1])
    )
    assert re.search(expected, told), told
    assert "Traceback" not in told
    assert "hint: " in told
    assert prepared.site.secret not in told


def test_clocks_that_disagree_are_told() -> None:
    found = clock(-40.0)
    assert (found.state, found.message, found.code) == ("failed", "the clocks disagree", 3)
    assert "behind" in found.detail
    assert clock(2.0).state == "warning"
    assert clock(0.2).state == "ok"


@pytest.mark.root
def test_a_socket_that_is_for_others(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As another user, in a child: a new Python could not be started by it here."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name, socket.socket(socket.AF_UNIX) as listening:
        place = Path(name) / "c.sock"
        Path(name).chmod(0o755)
        listening.bind(str(place))
        listening.listen()
        place.chmod(0o660)
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads; the child has one
            child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(61009)
            os.setuid(61009)
            try:
                live.ask(place, "GET", "/v1/status")
            except NotPermitted as fault:
                os.write(write, f"{fault.message}|{fault.hint}|{fault.exit_code}".encode())
            os._exit(0)
        os.close(write)
        os.waitpid(child, 0)
        said = os.read(read, 1000).decode()
        os.close(read)
    assert said == "The daemon's socket is not for this user|join its group|5"


def test_another_program_at_the_address_of_a_part_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        answer = b"HTTP/1.0 200 OK\r\n\r\n[1]"

        def serve() -> None:
            connection = other.accept()[0]
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unreachable, match="what answers there is another program"):
            vital.readiness("ship", Address("127.0.0.1", other.getsockname()[1]))
        thread.join()
