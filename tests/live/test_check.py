"""`fsgov check` against real parts, and what it says when each of them is not as it should be. About 60 s."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import minio
import psycopg2
import pytest

from fsgov import config
from fsgov.checks import event_socket, switch_user
from fsgov.checks.gate import CONTEXTS
from fsgov.errors import BadConfiguration, NotPermitted, Unreachable
from fsgov.simulator.remote import Remote
from fsgov.spool import layout
from fsgov.vault import open_bucket
from tests.live.cli import Company, company
from tests.parts.crm import Crm
from tests.parts.rgw import Rgw
from tests.parts.tls import self_signed

PLAIN = "+493090182012"
FREESWITCH, SHIP = 61001, 61003
Login = Mapping[str, str]
"""Variables of the environment that hold a vault's credentials."""
NOBODY: Login = {}
REJECTING = """
import gevent
from fsgov.simulator.clock import Clock
from fsgov.simulator.switch import Switch
switch = Switch(Clock(1.0), audio=False)
switch.acl = ["192.0.2.1"]
print(switch.listen("127.0.0.1", 0)[1], flush=True)
gevent.sleep(60)
"""


@dataclass
class Host:
    """A company whose switch is a simulator, beside which nothing of fsgov runs."""

    firm: Company
    switch: Remote

    def check(self, *words: str, who: str = "host", code: int = 0, login: Login = NOBODY) -> dict[str, Any]:
        """The findings, by name; one that is not ok is not hidden by one that is."""
        found = self.firm.fsgov("check", "--json", *words, who=who, code=code, **login).json
        found.sort(key=lambda each: ["ok", "warning", "failed"].index(each["state"]))
        return {each["of"]: each for each in found}

    def failed(self, of: str, code: int, message: str, who: str = "host") -> dict[str, Any]:
        """Only this line fails, and says what is wrong and what to do."""
        found = self.check(code=code, who=who)
        assert {name for name, each in found.items() if each["state"] == "failed"} == {of}
        line: dict[str, Any] = found[of]
        assert message in line["message"]
        assert line["detail"]
        assert line["hint"]
        assert line["code"] == code
        return line

    @contextmanager
    def says(self, command: str, text: str) -> Iterator[None]:
        """The switch answers one command with this."""
        self.switch.do("fault", kind="error", command=command, text=text, times=0)
        try:
            yield
        finally:
            self.switch.do("no_faults")

    @contextmanager
    def configured(self, old: str, new: str) -> Iterator[str]:
        """Another configuration of the same host."""
        text = (self.firm.root / "host.toml").read_text()
        assert old in text
        path = self.firm.root / "other.toml"
        path.write_text(text.replace(old, new))
        try:
            yield "other"
        finally:
            path.unlink()

    def sql(self, statement: str) -> None:
        connection = psycopg2.connect(self.firm.site.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    root = tmp_path_factory.mktemp("check")
    with company(root) as firm:
        (root / "sim").mkdir()
        with Remote.start(recordings=root / "spool" / "audio", directory=root / "sim") as switch:
            settings = root / "host.toml"
            settings.write_text(settings.read_text().replace("port = 1\n", f"port = {switch.address[1]}\n"))
            yield Host(firm, switch)


def test_all_is_well_and_nothing_is_left_behind(host: Host) -> None:
    before = host.firm.snapshot()
    found = host.check()
    assert host.firm.snapshot() == before
    assert {name for name, each in found.items() if each["state"] == "failed"} == set()
    assert {name for name, each in found.items() if each["state"] == "warning"} <= {
        "switch.password",  # ClueCon
        "vault.eu.audio",  # file: locks nothing
        "vault.eu.keys",
        "keep",  # embedded:
        "spool.disk",  # where /tmp is none
        "spool.room",
    }
    assert {"policy", "keys", "signing key", "log", "control", "database.rows", "clock"} <= set(found)
    assert {f"database.{part}" for part in ("govern", "ship", "keep")} <= set(found)
    assert found["switch"]["detail"].startswith("FreeSWITCH Version 1.10.")
    assert "may write there" in found["switch.spool"]["message"]


@pytest.mark.parametrize(
    ("part", "there", "not_there"),
    [
        ("govern", {"policy", "switch", "spool", "database.govern"}, {"signing key", "database.keep", "log"}),
        ("ship", {"keys", "spool", "database.ship", "vault.eu.audio"}, {"policy", "switch", "database.keep"}),
        ("keep", {"signing key", "log", "database.keep", "vault.eu.audio"}, {"spool", "switch", "keys"}),
    ],
)
def test_a_part_looks_at_what_it_needs(host: Host, part: str, there: set[str], not_there: set[str]) -> None:
    found = host.check("--part", part)
    assert there <= set(found)
    assert not not_there & set(found)


# -- the CRM ---------------------------------------------------------------------------------------------


def parties(of: str) -> tuple[str, str]:
    return "[policy]", f"[parties]\n{of}\n[policy]"


def test_a_crm_that_answers(host: Host) -> None:
    (host.firm.root / "crm").write_text("let-me-in")
    (host.firm.root / "crm").chmod(0o600)
    with Crm() as crm:
        with host.configured(*parties(f'url = "{crm.url}"\ntoken = "file:crm"\ndeadline = "10 s"')) as who:
            assert host.check(who=who)["crm"]["state"] == "ok"
        (asked,) = crm.asked
        assert (asked.headers["authorization"], asked.body["number"]) == ("Bearer let-me-in", "+0")
        crm.rows["+0"] = {"facts": {}}
        with host.configured(*parties(f'url = "{crm.url}"')) as who:
            assert "nobody can have" in host.check(who=who)["crm"]["message"]


@pytest.mark.parametrize(
    ("manner", "code", "detail", "hint"),
    [
        ("401", 5, "HTTP 401", "parties.token"),
        ("redirect:/x", 5, "HTTP 307", "not followed"),
        ("lost", 3, "404 as a web page", "path of parties.url"),
        ("facts", 3, "facts, consents or evidence", "application/json"),
        ("hang", 4, "too long", "parties.deadline"),
    ],
)
def test_a_crm_that_gives_no_answer(host: Host, manner: str, code: int, detail: str, hint: str) -> None:
    with Crm(manner=manner) as crm, host.configured(*parties(f'url = "{crm.url}"')) as who:
        line = host.failed("crm", code, "gives no answer", who=who)
    assert detail in line["detail"]
    assert hint in line["hint"]


def test_a_crm_that_is_not_there_or_not_believed(host: Host, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "the CRM of the tests")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with Crm(tls=tls) as crm:
        with host.configured(*parties(f'url = "{crm.url}"')) as who:
            assert "parties.ca" in host.failed("crm", 4, "no answer", who=who)["hint"]
        with host.configured(*parties(f'url = "{crm.url}"\nca = "{certificate}"\ndeadline = "10 s"')) as who:
            assert host.check(who=who)["crm"]["state"] == "ok"
        with host.configured(*parties(f'url = "{crm.url}"\nca = "{key}"')) as who:
            host.failed("crm", 3, "CA cannot be used", who=who)
    with host.configured(*parties(f'url = "{crm.url}"')) as who:
        assert "refused" in host.failed("crm", 4, "no answer", who=who)["detail"]
    with host.configured(*parties('url = "http://no-such-host.invalid/"\ninsecure = true')) as who:
        assert "DNS" in host.failed("crm", 4, "no answer", who=who)["hint"]


def test_a_view_of_the_crm(host: Host) -> None:
    (host.firm.root / "crm.dsn").write_text(host.firm.site.dsn)
    (host.firm.root / "crm.dsn").chmod(0o600)
    with host.configured(*parties('dsn = "file:crm.dsn"\ndeadline = "10 s"')) as who:
        assert "fsgov_party" in host.failed("crm", 5, "no answer", who=who)["hint"]
        host.sql(
            "CREATE VIEW public.fsgov_party AS SELECT ''::text AS tenant, ''::text AS number_e164,"
            " '{}'::jsonb AS facts, '{}'::jsonb AS consents"
        )
        try:
            assert host.check(who=who)["crm"]["state"] == "ok"
        finally:
            host.sql("DROP VIEW public.fsgov_party")


# -- the switch ------------------------------------------------------------------------------------------


def test_a_switch_that_is_too_old(host: Host) -> None:
    with host.says("version", "FreeSWITCH Version 1.8.7~64bit ( 64bit)\n"):
        assert "1.8.7" in host.failed("switch", 3, "too old")["detail"]


def test_a_switch_that_lacks_a_command(host: Host) -> None:
    with host.says("uuid_record", "-USAGE: <uuid> [start|stop] <path> [<limit>]\n"):
        assert host.failed("switch.commands", 3, "lacks commands")["detail"] == "uuid_record"


def test_a_heartbeat_that_is_too_rare(host: Host) -> None:
    conf = '<configuration name="switch.conf"><param name="event-heartbeat-interval" value="{}"></param>'
    with host.says("xml_locate", conf.format(60)):
        host.failed("switch.heartbeat", 3, "too seldom")
    with host.says("xml_locate", conf.format(30)):
        assert host.check()["switch.heartbeat"]["state"] == "warning"
    with host.says("xml_locate", "can't find anything\n"):
        assert host.check()["switch.heartbeat"]["state"] == "warning"


def test_trunks_that_are_not_there_and_agents_that_would_count_as_outside(host: Host) -> None:
    assert host.check()["switch.trunks"]["state"] == "ok"
    with host.says("module_exists", "true"):
        found = host.check()["switch.trunks"]
    assert (found["state"], "mod_callcenter" in found["message"]) == ("warning", True)
    assert "trunks = " in found["hint"]
    for trunk, state, code in (("sofia/extern", "failed", 3), ("extern", "warning", 0)):
        with host.configured("[switch]\n", f'[switch]\ntrunks = ["{trunk}"]\n') as who:
            assert host.check(who=who)["switch.trunks"]["state"] == "ok"
            with host.says("sofia", "Invalid Profile!\n"):
                found = host.check(who=who, code=code)["switch.trunks"]
        assert found["state"] == state
        assert trunk in found["detail"]


def test_a_gate_that_a_rule_counts_on_and_the_failure_modes_beside_it(host: Host) -> None:
    file = host.firm.root / "policy.toml"
    before = file.read_text()
    assert host.check()["switch.gate"]["state"] == "ok", "no rule counts on it"
    try:
        file.write_text(before.replace("[[rule]]\n", "[[rule]]\ngate = true\n", 1))
        found = host.failed("switch.gate", 3, "lacks the gate")
        assert "fsgov_opt_in" in found["detail"]
        for name in CONTEXTS:
            text = f'<context name="{name}"></context>\n'
            host.switch.do(
                "fault", kind="error", command=f"xml_locate dialplan context name {name}", text=text, times=0
            )
        assert "no context fsgov_failure" in host.check()["switch.gate"]["detail"]
        said = host.firm.fsgov("policy", "export-dialplan", str(file), who="host").out
        loaded = ElementTree.tostring(ElementTree.fromstring(said)[0], encoding="unicode")
        other = '<context name="fsgov_failure"><extension name="x"></extension></context>'
        where = "xml_locate dialplan context name fsgov_failure"
        host.switch.do("fault", kind="error", command=where, text=loaded)
        assert host.check()["switch.gate"]["state"] == "ok"
        host.switch.do("fault", kind="error", command=where, text=other)
        assert "another policy" in host.check()["switch.gate"]["message"]
    finally:
        host.switch.do("no_faults")
        file.write_text(before)


def test_somebody_elses_recording_is_told_without_its_name(host: Host, tmp_path: Path) -> None:
    leg = host.switch.do("call", **{"as": "x", "caller": "+493012345", "dialled": PLAIN})["call"]
    host.switch.do("bridge", call="x", agent="1000")
    ours = host.firm.root / "spool" / "audio" / "ours.wav"
    with event_socket.logged_in(*host.switch.address, "ClueCon") as asked:
        assert asked.api(f"uuid_record {leg} start {ours}").startswith("+OK")
        assert host.check()["switch.recorders"]["state"] == "ok"
        assert asked.api(f"uuid_record {leg} start {tmp_path}/+493012345.wav").startswith("+OK")
        found = host.check()["switch.recorders"]
    host.switch.do("hang_up", call="x", by="a")
    ours.unlink()
    assert (found["state"], found["detail"]) == ("warning", str(tmp_path))
    assert found["message"].startswith("1 ")


def test_an_access_list_and_a_closed_port_are_told_apart() -> None:
    switch = subprocess.Popen([sys.executable, "-c", REJECTING], stdout=subprocess.PIPE)
    try:
        assert switch.stdout
        port = int(switch.stdout.readline())
        with (
            pytest.raises(NotPermitted, match="access list"),
            event_socket.logged_in("127.0.0.1", port, "ClueCon"),
        ):
            pass
    finally:
        switch.kill()
        switch.communicate()
    with (
        pytest.raises(Unreachable, match="does not answer"),
        event_socket.logged_in("127.0.0.1", port, "ClueCon"),
    ):
        pass


def test_a_switch_that_sees_another_spool(host: Host) -> None:
    with host.configured('directory = "spool"', 'directory = "spool"\nswitch_directory = "/srv/else"') as who:
        assert (
            host.failed("switch.spool", 3, "does not see the spool", who=who)["detail"] == "/srv/else/audio"
        )
    assert not list((host.firm.root / "spool" / "audio").glob(".check-*"))


def test_a_password_of_every_copy_is_refused_from_elsewhere(host: Host) -> None:
    secret = host.firm.root / "switch.password"
    secret.touch(mode=0o600)
    secret.write_text("ClueCon")
    new = 'password = "file:switch.password"\nhost = "192.0.2.1"\ninsecure = true'
    with host.configured('password = "ClueCon"', new) as who:
        found = host.check(who=who, code=3)
    assert "password of every copy" in found["switch"]["message"]


@contextmanager
def switch_of(user: int, umask: int) -> Iterator[int]:
    """A process of that user that listens; its port. (Another login cannot start this Python.)"""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads; the child has one
        child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        os.umask(umask)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            os.write(write, str(listening.getsockname()[1]).encode())
            signal.pause()
        os._exit(0)
    try:
        yield int(os.read(read, 16))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)


@pytest.mark.root
def test_a_switch_whose_login_may_not_write_and_one_whose_files_ship_cannot_read() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name, switch_of(FREESWITCH, 0o077) as port:
        root, audio = Path(name), Path(name) / "spool" / "audio"
        root.chmod(0o711)
        layout.create(audio.parent)
        with pytest.raises(BadConfiguration, match="spool does not let it through"):
            switch_user.judged(port, audio)
        audio.parent.chmod(0o2751)
        with pytest.raises(BadConfiguration, match=r"\(uid 61001\) may not write .* mode 2770"):
            switch_user.judged(port, audio)
        audio.chmod(0o2775)  # it may look, and not write
        with pytest.raises(BadConfiguration, match="may not write"):
            switch_user.judged(port, audio)
        os.chown(audio, 0, FREESWITCH)
        audio.chmod(0o2770)
        assert switch_user.judged(port, audio).state == "ok"
        os.chown(audio.parent / "sealed", SHIP, 0)
        with pytest.raises(BadConfiguration, match=r"ship cannot read .* umask 0077"):
            switch_user.judged(port, audio)
        with switch_of(FREESWITCH, 0o007) as port:
            assert switch_user.judged(port, audio).state == "ok"
    with switch_of(FREESWITCH, 0o007) as port:
        assert switch_user.listener(port) == switch_user.User(FREESWITCH, frozenset({FREESWITCH}), 0o007)


def test_nobody_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert switch_user.listener(port) is not None
    assert switch_user.listener(port) is None


# -- keys, spool, clock ----------------------------------------------------------------------------------


def test_a_key_of_the_log_that_others_can_read(host: Host) -> None:
    key = host.firm.root / "keys" / "log.key"
    key.chmod(0o640)
    try:
        host.failed("signing key", 3, "can be read by others")
    finally:
        key.chmod(0o600)


def test_an_identity_beside_the_policy(host: Host, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text((host.firm.root / "policy.toml").read_text())
    (tmp_path / "notes.txt").write_text(f"mine: {host.firm.site.secret}\n")
    with host.configured('file = "policy.toml"', f'file = "{tmp_path}/policy.toml"') as who:
        assert (
            str(tmp_path / "notes.txt")
            in host.failed("keys", 3, "an identity can be read", who=who)["detail"]
        )


def test_a_socket_that_everybody_may_replace(host: Host) -> None:
    open_to_all = host.firm.root / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with host.configured('socket = "c.sock"', 'socket = "open/c.sock"') as who:
        host.failed("control", 3, "everybody may replace", who=who)
    with host.configured('socket = "c.sock"', 'socket = "nowhere/c.sock"') as who:
        host.failed("control", 3, "is not there", who=who)


# -- the database ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "undo", "of", "said"),
    [
        (
            "ALTER TABLE fsgov.parties NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE fsgov.parties FORCE ROW LEVEL SECURITY",
            "database.rows",
            "parties",
        ),
        (
            "GRANT SELECT (wrapped_key) ON fsgov.segment_keys TO fsgov_govern",
            "REVOKE SELECT (wrapped_key) ON fsgov.segment_keys FROM fsgov_govern",
            "database.govern",
            "may read segment_keys",
        ),
        (
            "GRANT EXECUTE ON FUNCTION fsgov.release_key TO fsgov_ship",
            "REVOKE EXECUTE ON FUNCTION fsgov.release_key FROM fsgov_ship",
            "database.ship",
            "may call release_key",
        ),
        (
            "REVOKE EXECUTE ON FUNCTION fsgov.sequence FROM fsgov_keep",
            "GRANT EXECUTE ON FUNCTION fsgov.sequence TO fsgov_keep",
            "database.keep",
            "may not call sequence",
        ),
        (
            "GRANT fsgov_privacy TO fsgov_ship",
            "REVOKE fsgov_privacy FROM fsgov_ship",
            "database.ship",
            "is in",
        ),
        ("ALTER ROLE fsgov_ship BYPASSRLS", "ALTER ROLE fsgov_ship NOBYPASSRLS", "database.ship", "bypasses"),
    ],
    ids=["rows", "keys", "exceeds", "lacks", "role", "power"],
)
def test_rights_that_are_not_those_of_the_schema(host: Host, do: str, undo: str, of: str, said: str) -> None:
    host.sql(do)
    try:
        found = host.check(code=3)
    finally:
        host.sql(undo)
    assert found[of]["state"] == "failed"
    assert said in found[of]["detail"]


def test_a_wrong_password_of_a_service(host: Host) -> None:
    file = host.firm.root / "logins" / "ship"
    right = file.read_text()
    file.write_text("nonsense")
    try:
        assert "refuses this login" in host.check(code=5)["database"]["message"]
    finally:
        file.write_text(right)


def test_dumps_that_are_gone_before_the_next(host: Host) -> None:
    new = 'credentials = "logins"\nbackup_horizon = "2 h"'
    with host.configured('credentials = "logins"', new) as who:
        host.failed("database.backups", 3, "a dump cannot be gone", who=who)


# -- vaults ----------------------------------------------------------------------------------------------


def test_probes_that_ship_had_to_leave_are_removed_by_keep(host: Host) -> None:
    with closing(open_bucket(f"file:{host.firm.root}/vault/audio")) as bucket:
        old = bucket.put_bytes("probe/0123456789abcdef", b"one", {})
        new = bucket.put_bytes("probe/fedcba9876543210", b"two", {})
        for path in (host.firm.root / "vault" / "audio" / old.key).iterdir():
            os.utime(path, (0, 0))
        host.check("--part", "ship")
        assert len(list(bucket.list("probe/"))) == 2
        host.check("--part", "keep")
        assert [each.key for each in bucket.list("probe/")] == [new.key]
        bucket.remove(new.key, new.version_id)


def test_an_object_store_with_locks_and_a_login_that_may_only_put(rgw: Rgw, host: Host) -> None:
    """The owner's login may do everything; ship's, by the buckets' policies, put and look."""
    rgw._run(
        "radosgw-admin", "-c", "ceph.conf", "user", "create", "--uid=ship", "--display-name=ship",
        "--access-key=SHIP", "--secret=ship-secret",
    )  # fmt: skip
    client = minio.Minio(rgw.endpoint, rgw.access, rgw.secret, secure=False)
    for name in ("check-audio", "check-keys"):
        client.make_bucket(name, object_lock=True)
    new = f'url = "{rgw.url("check-audio")}"\nkeys = "{rgw.url("check-keys")}"\n'
    new += 'credentials = { access = "env:ACCESS", secret = "env:SECRET" }'
    with host.configured('url = "file:vault/audio"\nkeys = "file:vault/keys"', new) as who:
        owner = {"ACCESS": rgw.access, "SECRET": rgw.secret}
        found = host.check("--part", "keep", who=who, login=owner)
        assert (found["vault.eu.audio"]["state"], found["vault.eu.audio"]["message"]) == (
            "ok",
            "takes objects and gives them up again",
        )
        found = host.check("--part", "ship", who=who, login=owner)
        assert found["vault.eu.audio"]["message"] == "this login may destroy what is stored"
        assert found["vault.eu.keys"]["message"] == "ship can read the wrapped keys"
        assert not list(client.list_objects("check-keys", recursive=True, include_version=True))
        ship = {"ACCESS": "SHIP", "SECRET": "ship-secret"}
        found = host.check("--part", "ship", who=who, code=5, login=ship)
        assert "The vault does not permit this to our login" in found["vault.eu"]["message"]
        for name in ("check-audio", "check-keys"):
            client.set_bucket_policy(name, json.dumps(may_put(name)))
        found = host.check("--part", "ship", who=who, login=ship)
        assert found["vault.eu.audio"]["state"] == "ok"
        assert "the probes stay below probe/" in found["vault.eu.audio"]["message"]
        assert "not tried" in found["vault.eu.audio"]["detail"]
        # it owns what it has put, and may read that though nobody granted it
        assert found["vault.eu.keys"]["message"] == "ship can read the wrapped keys"
        client.set_bucket_policy("check-keys", json.dumps(may_put("check-keys", read=False)))
        found = host.check("--part", "ship", who=who, login=ship)
        assert found["vault.eu.keys"]["state"] == "ok"
        found = host.check("--part", "keep", who=who, login=ship)
        assert found["vault.eu.audio"]["state"] == "warning"


def may_put(bucket: str, *, read: bool = True) -> dict[str, Any]:
    """The policy of a bucket for ship; without `read` it is refused even to whom the objects belong."""
    who = {"AWS": ["arn:aws:iam:::user/ship"]}
    acts = ["s3:PutObject", "s3:ListBucket", "s3:ListBucketVersions"]
    acts += ["s3:PutObjectLegalHold", "s3:GetObjectLegalHold", "s3:PutObjectRetention"]
    places = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Principal": who, "Action": acts, "Resource": places}
    ]
    if not read:
        reads = ["s3:GetObject", "s3:GetObjectVersion"]
        statements.append({"Effect": "Deny", "Principal": who, "Action": reads, "Resource": places})
    return {"Version": "2012-10-17", "Statement": statements}


# -- the samples -----------------------------------------------------------------------------------------


def test_the_samples_are_accepted_where_their_parts_are_there(host: Host) -> None:
    """docs/fsgov.toml and docs/policy.toml, with the addresses of this place in them."""
    root = host.firm.root
    docs = Path(__file__).parents[2] / "docs"
    mine = config.load(root / "host.toml")
    text = (docs / "fsgov.toml").read_text()
    for old, new in (
        ("port = 8021", f"port = {host.switch.address[1]}"),
        ("/var/lib/fsgov/spool", str(root / "spool")),
        ("postgresql://db.example.net/fsgov?sslmode=verify-full", mine.database.dsn),
        ("/etc/fsgov/logins", str(root / "logins")),
        ("s3://s3.example.net/fsgov-audio", mine.vaults["eu"].url),
        ("s3://s3.example.net/fsgov-keys", mine.vaults["eu"].keys),
        ("age1-YOUR-RECIPIENT", mine.vaults["eu"].recipients[0]),
        ("/etc/fsgov/log.key", str(mine.log.signing_key)),
        ("/var/log/fsgov", str(root / "sink")),
        ("/run/fsgov/control.sock", str(root / "c.sock")),
        ("/etc/fsgov/policy.toml", str(docs / "policy.toml")),
        ('ca = "crm-ca.pem"', "#"),
    ):
        assert old in text
        text = text.replace(old, new)
    for name in ("switch.password", "vault-access", "vault-secret", "crm.token"):
        (root / name).unlink(missing_ok=True)
        (root / name).touch(mode=0o600)
        (root / name).write_text("ClueCon")
    with Crm() as crm:
        (root / "sample.toml").write_text(text.replace("https://crm.example.net/fsgov/party", crm.url))
        found = host.check(who="sample")
    assert {name for name, each in found.items() if each["state"] == "failed"} == set()
    assert "version sample" in found["policy"]["message"]
