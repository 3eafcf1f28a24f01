"""The configuration: what a file says, each fault by its key, secrets only by reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsgov import config
from fsgov.config import Secret, Settings
from fsgov.config.file import default_host, parse
from fsgov.envelope import Identity
from fsgov.errors import BadConfiguration

IDENTITY = Identity(b"\x01" * 32)
RECIPIENT = str(IDENTITY.recipient)
FILE = Path("/srv/fsgov/fsgov.toml")

GOOD = f"""
host = "fs1"
[switch]
password = "file:switch.password"
trunks = ["sofia/external"]
[spool]
directory = "spool"
switch_directory = "/srv/spool"
keep_sealed = "48 h"
[database]
dsn = "embedded:db"
backup_interval = "24 h"
[admin]
dsn = "postgresql://db.example.net/fsgov"
[vault.main]
url = "file:vault/audio"
keys = "file:vault/keys"
recipients = ["{RECIPIENT}"]
[vault.eu]
url = "s3://s3.example.net/audio"
keys = "s3://s3.example.net/keys"
recipients = ["{RECIPIENT}"]
credentials = {{ access = "env:ACCESS", secret = "cred:vault" }}
[log]
signing_key = "log.key"
file = "log"
[control]
socket = "run/control.sock"
[policy]
file = "policy.toml"
[parties]
dsn = "env:CRM"
deadline = "300 ms"
[tenant.acme]
domains = ["ACME.example.net"]
dialled = ["+4930901820*", "10*"]
region = "DE"
"""


def faults(text: str) -> tuple[list[str], BadConfiguration]:
    with pytest.raises(BadConfiguration) as caught:
        parse(text, FILE)
    return caught.value.detail.splitlines(), caught.value


def test_relative_paths_start_beside_the_file() -> None:
    settings = parse(GOOD, FILE)
    assert settings.spool.directory == Path("/srv/fsgov/spool")
    assert settings.spool.switch_directory == "/srv/spool"
    assert settings.database.dsn == "embedded:/srv/fsgov/db"
    assert settings.database.credentials == Path("/srv/fsgov/db.logins")
    assert settings.vaults["main"].url == "file:/srv/fsgov/vault/audio"
    assert settings.vaults["main"].keys == "file:/srv/fsgov/vault/keys"
    assert settings.log.signing_key == Path("/srv/fsgov/log.key")
    assert settings.log.file == Path("/srv/fsgov/log")
    assert settings.control.socket == Path("/srv/fsgov/run/control.sock")
    assert settings.policy.file == Path("/srv/fsgov/policy.toml")
    assert settings.switch.password == Secret("switch.password", "file", "/srv/fsgov/switch.password")


def test_durations_are_microseconds() -> None:
    settings = parse(GOOD, FILE)
    assert settings.spool.keep_sealed == 48 * 3_600 * 10**6
    assert settings.parties.deadline == 300_000


def test_tenants_and_vaults() -> None:
    settings = parse(GOOD, FILE)
    assert settings.tenants["acme"].domains == ("acme.example.net",)
    assert settings.tenants["acme"].region == "DE"
    assert settings.vaults["eu"].recipients == (RECIPIENT,)
    assert settings.vaults["eu"].credentials is not None
    assert settings.vaults["main"].credentials is None


def test_an_empty_file_gives_the_defaults() -> None:
    settings = parse("", FILE)
    assert settings.host == default_host()
    assert settings.switch.port == 8021
    assert settings.spool.directory == Path("/var/lib/fsgov/spool")
    assert settings.spool.switch_directory == "/var/lib/fsgov/spool"
    assert settings.control.socket == Path("/run/fsgov/control.sock")
    assert settings.policy.file == Path("/etc/fsgov/policy.toml")
    assert not settings.parties.dsn
    assert settings.database.credentials is None
    assert settings.database.password("ship") is None


def test_the_sample_loads_once_it_has_a_recipient() -> None:
    settings = parse(config.sample(RECIPIENT), FILE)
    for part in ("govern", "ship", "keep", "desk"):
        settings.need(part)
    lines, _ = faults(config.sample())
    assert [line.partition(":")[0] for line in lines] == ["vault.main.recipients"]


def test_the_sample_names_every_key_and_documents_it() -> None:
    documented = (Path(__file__).parents[2] / "docs/fsgov.toml").read_text()
    assert documented == config.sample()
    for key in ("insecure", "keep_sealed", "backup_horizon", "level", "deadline", "region", "credentials"):
        assert f"{key} = " in documented


# what is replaced, by what, where the fault is, what it says, and a part of the hint
DSN = 'dsn = "env:CRM"'
LOGIN = 'user = "fsgov"\npassword = "env:P"'
ONE_BY_ONE = [
    ('host = "fs1"', 'host = "FS 1"', "host", "'FS 1' is no name of a host", "fs1"),
    ('host = "fs1"', 'hst = "fs1"', "hst", "is not known", "did you mean host?"),
    ("[switch]", "[swich]", "swich", "is not known", "did you mean switch?"),
    ("[switch]", "[switch]\nport = 70000", "switch.port", "70000 is out of range", "65535"),
    ("[switch]", '[switch]\nport = "8021"', "switch.port", "must be a whole number, is a text", ""),
    ("[switch]", "[switch]\nport = true", "switch.port", "must be a whole number, is true or false", ""),
    ("[switch]", '[switch]\nhost = "10.0.0.1"', "switch.host", "is not this host", "insecure = true"),
    ('"file:switch.password"', '"hunter2"', "switch.password", "holds the secret itself", "file:PATH"),
    ('"file:switch.password"', '"file:"', "switch.password", "file: names nothing", "file:PATH"),
    ('"file:switch.password"', '""', "switch.password", "is empty", "file:PATH"),
    ('["sofia/external"]', '["sofia/external", 1]', "switch.trunks[2]", "must be a text", ""),
    ('["sofia/external"]', '["sofia/gateway/berlin"]', "switch.trunks[1]", "is a gateway", "its profile"),
    ('["sofia/external"]', '["a", "b c"]', "switch.trunks[2]", "'b c' is no profile", "sofia/external"),
    ('"/srv/spool"', '"spool"', "spool.switch_directory", "must be absolute", "does not know"),
    ('"/srv/spool"', '"/srv/my spool"', "spool.switch_directory", "cannot be named", "no space"),
    ('"48 h"', '"48 h"\nsegment_max = "1 s"', "spool.segment_max", "1 s is out of range", "5 s"),
    ('"48 h"', '"48 h"\nwarn_below = "lots"', "spool.warn_below", "'lots' is no room on a disk", "20 GB"),
    ('"48 h"', '"48 h"\nwarn_below = "4%"', "spool.shed_below", "is above warn_below", "first a warning"),
    ('"48 h"', '"48 h"\nrefuse_below = "6 %"', "spool.refuse_below", "is above shed_below", "first a warn"),
    ("[switch]", '[ship]\nrate = "5 MB"\n[switch]', "ship.rate", "'5 MB' is no rate", "5 MB/s"),
    ("[switch]", '[ship]\nrate = "0 MB/s"\n[switch]', "ship.rate", "0 MB/s is out of range", "no limit"),
    ("[switch]", "[ship]\nuploads = 0\n[switch]", "ship.uploads", "0 is out of range", "8"),
    ('"48 h"', '"48"', "spool.keep_sealed", "'48' is no duration", "48 h"),
    ('"48 h"', '"12 h"', "spool.keep_sealed", "is shorter than database.backup_interval", "restore"),
    ('"embedded:db"', '"embedded:"', "database.dsn", "embedded: names no directory", "/var/lib"),
    ('"embedded:db"', '"mysql://db/x"', "database.dsn", "'mysql' is no database", "postgresql://"),
    ('"embedded:db"', '"postgresql://u:p@db/x"', "database.dsn", "holds a password", "database.credentials"),
    ('"embedded:db"', '"postgresql://db/x?sslpassword=p"', "database.dsn", "holds a password", "passfile"),
    ('"embedded:db"', '"host=db password=p"', "database.dsn", "holds a password", "database.credentials"),
    (
        '"postgresql://db.example.net/fsgov"',
        '"postgres://u:p@db/x"',
        "admin.dsn",
        "holds a password",
        "passfile",
    ),
    ('"24 h"', '"day"', "database.backup_interval", "'day' is no duration", "48 h"),
    ("[vault.main]", "[vault.Main]", "vault.Main", "is no name of a vault", "small letters"),
    ('"file:vault/audio"', '"ftp://x/y"', "vault.main.url", "'ftp' is no object store", "s3://HOST/BUCKET"),
    ('"file:vault/audio"', '"file:/x"\nregion = "Germany"', "vault.main.region", "is no ISO", "DE, GB"),
    ('"file:vault/audio"', '"file:"', "vault.main.url", "file: names no directory", "file:PATH"),
    ('url = "file:vault/audio"\n', "", "vault.main.url", "is missing", "file:PATH"),
    ('"file:vault/keys"', '"file:vault/audio"', "vault.main.keys", "is the bucket of the audio", "another"),
    ('"file:vault/keys"', '"file:vault/audio/k"', "vault.main.keys", "is inside the bucket", "side by side"),
    (
        '"s3://s3.example.net/keys"',
        '"s3://s3.example.net"',
        "vault.eu.keys",
        "names no host and bucket",
        "s3://",
    ),
    ('"s3://s3.example.net/keys"', '"s3://a:b@s3/keys"', "vault.eu.keys", "holds a login", "credentials"),
    (
        '"s3://s3.example.net/audio"',
        '"file:vault/keys"',
        "vault.eu.url",
        "is the same bucket as vault.main.keys",
        "",
    ),
    (f'["{RECIPIENT}"]', '["age1xyz"]', "vault.main.recipients", "is no age recipient", "keys generate"),
    (f'["{RECIPIENT}"]', f'["{IDENTITY}"]', "vault.main.recipients", "holds a private key", "disclosed"),
    (f'["{RECIPIENT}"]', "[]", "vault.main.recipients", "is an empty list", "leave"),
    (', secret = "cred:vault"', "", "vault.eu.credentials.secret", "is missing", "cred:"),
    ('"cred:vault"', '"s3cr3t"', "vault.eu.credentials.secret", "holds the secret itself", "cred:NAME"),
    ('access = "env', 'acces = "env', "vault.eu.credentials.access", "is missing", "env:"),
    ('file = "log"', 'file = "log"\nlevel = "warn"', "log.level", "'warn' is not known", "mean warning?"),
    ('"run/control.sock"', f'"{"x" * 120}"', "control.socket", "is longer than 107 bytes", "shorter"),
    ('"env:CRM"', '"postgresql://u:p@crm/x"', "parties.dsn", "holds the secret itself", "file:PATH"),
    ('"env:CRM"', '"mysql://crm/x"', "parties.dsn", "'mysql' is no database", "postgresql://"),
    ('"300 ms"', '"1 min"', "parties.deadline", "1 min is out of range", "10 s"),
    ('"env:CRM"', '"env:CRM"\nurl = "https://crm/x"', "parties.url", "stands beside dsn", "one way"),
    ('"env:CRM"', '"env:CRM"\ntoken = "env:T"', "parties.token", "is for an HTTP service", "https://"),
    (DSN, 'url = "https://crm/x"\ntoken = "hunter2"', "parties.token", "holds the secret", "cred:NAME"),
    (DSN, 'url = "https://crm/x"\nuser = "fsgov"', "parties.password", "is missing", "both"),
    (DSN, 'url = "https://crm/x"\npassword = "env:P"', "parties.user", "is missing", "both"),
    (DSN, f'url = "https://crm/x"\ntoken = "env:T"\n{LOGIN}', "parties.token", "stands beside user", "one"),
    (DSN, 'url = "https://u:hunter2@crm/x"', "parties.url", "holds a login, a query", "token"),
    (DSN, 'url = "https://crm/x?key=hunter2"', "parties.url", "holds a login, a query", "token"),
    (DSN, 'url = "http://crm.example/x"', "parties.url", "unencrypted", "insecure = true"),
    (DSN, 'url = "ftp://crm/x"', "parties.url", "'ftp' is no HTTP service", "https://"),
    (DSN, 'url = "https://crm:port/x"', "parties.url", "is no URL", "https://"),
    (DSN, 'url = ""', "parties.url", "is empty", "https://"),
    ('region = "DE"', 'region = "UK"', "tenant.acme.region", "'UK' is no ISO 3166", "did you mean GB?"),
    ('"10*"', '"+49O*"', "tenant.acme.dialled", "'+49O*' is no number or prefix", "+4930*"),
    ("ACME.example.net", "acme example", "tenant.acme.domains", "is no domain", "pbx.example.net"),
    ("[tenant.acme]", "[tenant.acme]\ncolour = 1", "tenant.acme.colour", "is not known", "known here"),
]


@pytest.mark.parametrize(("old", "new", "path", "message", "hint"), ONE_BY_ONE, ids=range(len(ONE_BY_ONE)))
def test_one_fault(old: str, new: str, path: str, message: str, hint: str) -> None:
    assert old in GOOD
    lines, fault = faults(GOOD.replace(old, new, 1))
    where, _, what = lines[0].partition(": ")
    assert where == path
    assert message in what
    assert hint in what
    assert len(lines) == (2 if "acces =" in new else 1), lines
    assert fault.hint
    assert "p@" not in fault.detail, "a password that should not be in the file is not repeated either"
    assert "hunter2" not in fault.detail
    assert "AGE-SECRET-KEY" not in fault.detail


@pytest.mark.parametrize(
    "text",
    [
        'url = "https://crm.example/v1/party"\ntoken = "env:T"\nca = "crm.pem"',
        f'url = "https://crm.example"\n{LOGIN}',
        'url = "http://127.0.0.1:8080/party"',
        'url = "http://[::1]:8080/party"',
        'url = "http://crm.example/party"\ninsecure = true',
    ],
)
def test_a_crm_by_http(text: str) -> None:
    found = parse(GOOD.replace(DSN, text), FILE).parties
    assert not found.dsn
    assert f'"{found.url}"' in text
    assert (bool(found.token), found.user, bool(found.password)) == (
        "token" in text, "fsgov" if "user" in text else "", "password" in text,
    )  # fmt: skip
    assert found.ca == (FILE.parent / "crm.pem" if "ca =" in text else None)


def test_every_fault_is_told_at_once() -> None:
    text = GOOD.replace('"fs1"', '"FS"').replace('"48 h"', '"2"').replace('"300 ms"', '"soon"')
    lines, fault = faults(text)
    assert sorted(line.partition(":")[0] for line in lines) == [
        "host",
        "parties.deadline",
        "spool.keep_sealed",
    ]
    assert "3 faults" in fault.message
    assert fault.exit_code == 3


def test_what_is_not_toml_is_told_with_its_line() -> None:
    _, fault = faults('host = "fs1"\n[switch\n')
    assert "is not TOML" in fault.message
    assert "line 2" in fault.detail


def test_the_password_that_everybody_knows_may_stand_in_the_file_of_a_loopback_switch() -> None:
    text = GOOD.replace('"file:switch.password"', '"ClueCon"')
    assert parse(text, FILE).switch.password.reveal() == "ClueCon"
    lines, _ = faults(text.replace("[switch]", '[switch]\nhost = "10.0.0.1"\ninsecure = true'))
    assert lines[0].startswith("switch.password: holds the secret itself")


@pytest.mark.parametrize(
    ("cut", "part", "missing"),
    [
        ("[switch]", "govern", ["switch.password"]),
        ("[database]", "ship", ["database.dsn"]),
        ("[database]", "keep", ["database.dsn"]),
        ("[database]", "govern", []),
        ("[vault", "ship", ["vault"]),
        ("[vault", "keep", ["vault"]),
        ("[vault", "desk", []),
        ("[admin]", "desk", []),
    ],
)
def test_a_part_needs_only_what_it_uses(cut: str, part: str, missing: list[str]) -> None:
    sections = ("\n" + GOOD).split("\n[")
    text = "\n[".join(s for s in sections if not f"[{s}".startswith(cut))
    assert needs(parse(text, FILE), part) == missing


def needs(settings: Settings, part: str) -> list[str]:
    try:
        settings.need(part)
    except BadConfiguration as fault:
        return [line.partition(":")[0] for line in fault.detail.splitlines()]
    return []


def test_ship_needs_recipients_and_keep_does_not() -> None:
    settings = parse(GOOD.replace(f'recipients = ["{RECIPIENT}"]\n', ""), FILE)
    assert needs(settings, "ship") == ["vault.main.recipients", "vault.eu.recipients"]
    assert needs(settings, "keep") == []


def test_a_desk_needs_a_database_of_one_kind() -> None:
    assert needs(parse("", FILE), "desk") == ["admin.dsn"]


# -- which file ---------------------------------------------------------------------------------------


def test_the_file_is_named_by_the_caller_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text('host = "one"')
    other.write_text('host = "other"')
    monkeypatch.setenv("FSGOV_CONFIG", str(other))
    assert config.load(one).host == "one"
    assert config.load().host == "other"
    assert config.load(one).path == one


def test_a_file_that_is_not_there_is_told_with_who_named_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadConfiguration) as caught:
        config.load(tmp_path / "none.toml")
    assert "--config" in caught.value.detail
    monkeypatch.setenv("FSGOV_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(BadConfiguration) as caught:
        config.load()
    assert "(FSGOV_CONFIG)" in caught.value.detail
    monkeypatch.setattr("fsgov.config.file.USUAL", tmp_path / "usual.toml")
    monkeypatch.delenv("FSGOV_CONFIG")
    with pytest.raises(BadConfiguration) as caught:
        config.load()
    assert "neither" in caught.value.detail
    assert caught.value.hint


def test_a_file_of_bytes_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadConfiguration, match="cannot be read"):
        config.load(path)


# -- secrets ------------------------------------------------------------------------------------------


def test_a_secret_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", "postgresql://u:hidden@crm/x")
    secret = parse(GOOD, FILE).parties.dsn
    assert secret.reveal() == "postgresql://u:hidden@crm/x"
    assert "hidden" not in repr(secret) + str(secret) + repr(parse(GOOD, FILE))
    assert "plain text" not in repr(Secret("k", "plain", "plain text"))


def test_a_secret_is_read_from_file_and_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_text("one\n")
    path.chmod(0o600)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Secret("k", "file", str(path)).reveal() == "one"
    assert Secret("k", "cred", "secret").reveal() == "one"


def test_a_file_that_everybody_can_read_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hidden")
    path.chmod(0o644)
    with pytest.raises(BadConfiguration) as caught:
        Secret("switch.password", "file", str(path)).reveal()
    assert "switch.password" in caught.value.detail
    assert "chmod 600" in caught.value.hint
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        (Secret("k"), "k: is missing"),
        (Secret("k", "env", "FSGOV_NOT_SET"), "FSGOV_NOT_SET is not set"),
        (Secret("k", "file", "/nowhere/x"), "/nowhere/x cannot be read"),
        (Secret("k", "cred", "x"), "CREDENTIALS_DIRECTORY is not set"),
    ],
)
def test_a_secret_that_cannot_be_had(secret: Secret, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(BadConfiguration) as caught:
        secret.reveal()
    assert fault in caught.value.detail
    assert caught.value.hint


def test_an_empty_secret_is_none(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("\n")
    path.chmod(0o600)
    with pytest.raises(BadConfiguration, match="cannot be had"):
        Secret("k", "file", str(path)).reveal()


def test_service_logins_are_files_in_a_directory(tmp_path: Path) -> None:
    logins = tmp_path / "db.logins"
    logins.mkdir()
    (logins / "ship").write_text("pw\n")
    (logins / "ship").chmod(0o600)
    settings = parse(GOOD, tmp_path / "fsgov.toml")
    assert settings.database.password("ship") == "pw"
    with pytest.raises(BadConfiguration, match="cannot be had"):
        settings.database.password("keep")


def test_room_and_rate_are_read_as_they_were_meant() -> None:
    text = GOOD.replace(
        '"48 h"', '"48 h"\nwarn_below = "20 GB"\nshed_below = "7%"\nrefuse_below = "500MiB"', 1
    )
    settings = parse(text + '\n[ship]\nuploads = 2\nrate = "3 MB/s"\n', FILE)
    marks = settings.spool.marks
    assert (marks.warn.size, marks.shed.share, marks.refuse.size) == (20 * 10**9, 0.07, 500 << 20)
    assert (settings.ship.uploads, settings.ship.rate) == (2, 3_000_000)
    assert (parse(GOOD, FILE).ship.uploads, parse(GOOD, FILE).ship.rate) == (4, 0)
