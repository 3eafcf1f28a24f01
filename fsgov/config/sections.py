"""Reading each table of the configuration file."""

from __future__ import annotations

import re
from pathlib import Path

from fsgov.config.secret import HOW, SCHEMES, Secret
from fsgov.config.settings import (
    EMBEDDED,
    Admin,
    Control,
    Database,
    Log,
    PolicyFile,
    Ship,
    Spool,
    Switch,
)
from fsgov.config.sizes import rate, watermarks
from fsgov.errors import BadConfiguration
from fsgov.policy import Tenant
from fsgov.policy.numbers import is_country, pattern
from fsgov.policy.reading import Table, nearest
from fsgov.policy.spans import UNITS, duration
from fsgov.policy.when import A_PATTERN, check_country

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
PUBLIC_PASSWORD = "ClueCon"  # noqa: S105 - FreeSWITCH's default, in every copy of its configuration
TRUNK = re.compile(r"[A-Za-z0-9_.+:-]+(?:/[A-Za-z0-9_.+:-]+)*")
LEVELS = ("debug", "info", "warning", "error")
LONGEST_SOCKET = 107
A_DSN = "postgresql://HOST/DATABASE"
DSN_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@|(?:^|[?&\s])(?:ssl)?password=")


def path(table: Table, key: str, base: Path, default: str = "") -> Path:
    """An absolute path; a relative one starts beside the configuration file."""
    text = table.text(key, default)
    if table.has(key) and not text:
        table.fault(key, "is empty", "leave it out for the default")
    return absolute(text, base)


def absolute(text: str, base: Path) -> Path:
    return (base / Path(text).expanduser()).resolve() if text else base


def length(table: Table, key: str, default: str, least: str, most: str) -> int:
    """A duration between two others, in microseconds."""
    text = table.text(key, default)
    value = duration(text)
    low, high = duration(least) or 0, duration(most) or 0
    if value is None:
        table.fault(
            key, f"{text!r} is no duration", f"write one of {', '.join(UNITS)}: 300 ms, 8 s, 48 h, 30 d"
        )
        return low
    if not low <= value <= high:
        table.fault(key, f"{text} is out of range", f"from {least} to {most}")
    return value


def secret(table: Table, key: str, base: Path, *, harmless: bool = False, needed: str = "") -> Secret:
    """A reference to a secret; a text that is one itself is a fault, unless it is harmless."""
    text = table.text(key, needed=needed)
    where = table.at(key)
    if not text:
        if table.has(key) and not needed:
            table.fault(key, "is empty", HOW)
        return Secret(where)
    scheme, colon, place = text.partition(":")
    if colon and scheme in SCHEMES:
        if not place:
            table.fault(key, f"{scheme}: names nothing", HOW)
        return Secret(where, scheme, str(absolute(place, base)) if scheme == "file" else place)
    if not harmless:
        table.fault(key, "holds the secret itself", f"this file is not secret: {HOW}")
        return Secret(where)
    return Secret(where, "plain", text)


def has_password(dsn: str) -> bool:
    return DSN_PASSWORD.search(dsn) is not None


def dsn(table: Table, key: str, base: Path) -> str:
    """`embedded:` with an absolute path, or libpq's DSN; a password in it is a fault."""
    text = table.text(key)
    if not text:
        if table.has(key):
            table.fault(key, "is empty", f"{A_DSN} or embedded:PATH")
        return ""
    if text.startswith(EMBEDDED):
        place = text.removeprefix(EMBEDDED)
        if not place:
            table.fault(key, "embedded: names no directory", "embedded:/var/lib/fsgov/postgresql")
        return f"{EMBEDDED}{absolute(place, base)}"
    if has_password(text):
        table.fault(
            key, "holds a password", "this file is not secret: use database.credentials or libpq's passfile"
        )
    elif not text.startswith(("postgresql://", "postgres://")) and "=" not in text:
        scheme = text.partition(":")[0]
        hint = nearest(scheme, ["postgresql", "embedded"])
        table.fault(key, f"{scheme!r} is no database that fsgov knows", f"{hint} {A_DSN} or embedded:PATH")
    return text


def section(top: Table, key: str) -> Table:
    """A table, or an empty one where the file has none."""
    return top.table(key) or Table({}, key, top.faults)


def read_switch(top: Table, base: Path) -> Switch:
    switch = section(top, "switch")
    host = switch.text("host", "127.0.0.1")
    insecure = switch.flag("insecure")
    if host not in LOOPBACK and not insecure:
        hint = "run govern on the switch's host, or set insecure = true for a network you trust"
        switch.fault("host", "is not this host, and the event socket is not encrypted", hint)
    public = switch.source.get("password") == PUBLIC_PASSWORD and host in LOOPBACK
    read = Switch(
        host=host,
        port=switch.integer("port", 8021, 1, 65_535),
        password=secret(switch, "password", base, harmless=public),
        trunks=read_trunks(switch),
        insecure=insecure,
        cdr=path(switch, "cdr", base) if switch.has("cdr") else None,
    )
    switch.end()
    return read


def read_trunks(switch: Table) -> tuple[str, ...]:
    """Profiles. A leg's name never tells its gateway (mod_sofia's sofia_glue_set_name writes the profile)."""
    named = switch.texts("trunks")
    for place, trunk in enumerate(named, 1):
        if not TRUNK.fullmatch(trunk):
            switch.fault(f"trunks[{place}]", f"{trunk!r} is no profile", "sofia/external")
        elif "gateway" in trunk.split("/"):
            hint = "name its profile: sofia/external"
            switch.fault(f"trunks[{place}]", "is a gateway, which no leg of FreeSWITCH is named after", hint)
    return named


def read_spool(top: Table, base: Path) -> Spool:
    spool = section(top, "spool")
    directory = path(spool, "directory", base, "/var/lib/fsgov/spool")
    seen = spool.text("switch_directory", str(directory))
    if not seen.startswith("/"):
        spool.fault("switch_directory", "must be absolute", "the switch does not know where this file is")
    elif re.search(r"[\s,'\"{}$!\[\]]", seen):
        spool.fault("switch_directory", "cannot be named to the switch", "no space, comma, quote, brace or $")
    read = Spool(
        directory=directory,
        switch_directory=seen.rstrip("/"),
        keep_sealed=length(spool, "keep_sealed", "48 h", "1 h", "90 d"),
        segment_max=length(spool, "segment_max", "2 h", "5 s", "24 h"),
        marks=watermarks(spool),
    )
    spool.end()
    return read


def read_ship(top: Table) -> Ship:
    ship = section(top, "ship")
    read = Ship(uploads=ship.integer("uploads", 4, 1, 8), rate=rate(ship, "rate"))
    ship.end()
    return read


def read_database(top: Table, base: Path, spool: Spool) -> Database:
    database = section(top, "database")
    source = dsn(database, "dsn", base)
    credentials = path(database, "credentials", base) if database.has("credentials") else None
    if credentials is None and source.startswith(EMBEDDED):
        credentials = Path(source.removeprefix(EMBEDDED) + ".logins")
    read = Database(
        dsn=source,
        credentials=credentials,
        backup_interval=length(database, "backup_interval", "24 h", "1 min", "90 d"),
        backup_horizon=length(database, "backup_horizon", "30 d", "1 h", "3650 d"),
    )
    if spool.keep_sealed < read.backup_interval and not top.faults.touches("spool.keep_sealed"):
        hint = "what was stored since the last dump could not be entered again after a restore"
        top.fault("spool.keep_sealed", "is shorter than database.backup_interval", hint)
    database.end()
    return read


def read_admin(top: Table, base: Path) -> Admin:
    admin = section(top, "admin")
    read = Admin(
        dsn=dsn(admin, "dsn", base),
        user=admin.text("user"),
        password=secret(admin, "password", base),
    )
    admin.end()
    return read


def earlier_keys(log: Table) -> tuple[str, ...]:
    """Public keys of a log, a line each; what is none is a fault."""
    from fsgov.merkle import PublicKey

    found = log.texts("earlier_keys")
    for text in found:
        try:
            PublicKey.parse(text)
        except BadConfiguration as fault:
            log.fault("earlier_keys", f"{text[:20]}… is {fault.message}", fault.hint)
    return tuple(found)


def read_log(top: Table, base: Path) -> Log:
    log = section(top, "log")
    level = log.text("level", "info")
    if level not in LEVELS:
        log.fault("level", f"{level!r} is not known", nearest(level, LEVELS))
    read = Log(
        signing_key=path(log, "signing_key", base, "/etc/fsgov/log.key"),
        prior_key=path(log, "prior_key", base) if log.has("prior_key") else None,
        earlier_keys=earlier_keys(log),
        file=path(log, "file", base) if log.has("file") else None,
        level=level,
    )
    log.end()
    return read


def read_control(top: Table, base: Path) -> Control:
    control = section(top, "control")
    socket = path(control, "socket", base, "/run/fsgov/control.sock")
    if len(str(socket).encode()) > LONGEST_SOCKET:
        control.fault(
            "socket", f"is longer than {LONGEST_SOCKET} bytes", "a unix socket needs a shorter path"
        )
    control.end()
    return Control(socket=socket)


def read_policy(top: Table, base: Path) -> PolicyFile:
    policy = section(top, "policy")
    read = PolicyFile(file=path(policy, "file", base, "/etc/fsgov/policy.toml"))
    policy.end()
    return read


def read_tenant(name: str, table: Table) -> Tenant:
    if not NAME.fullmatch(name):
        table.faults.add(table.path, "is no name of a tenant", "small letters, digits, _ and -")
    domains = tuple(domain.lower() for domain in table.texts("domains"))
    for domain in domains:
        if not DOMAIN.fullmatch(domain):
            table.fault("domains", f"{domain!r} is no domain", "pbx.example.net")
    dialled = table.texts("dialled")
    for text in dialled:
        if pattern(text) is None:
            table.fault("dialled", f"{text!r} is no number or prefix", A_PATTERN)
    region = table.text("region")
    if region and not is_country(region):
        check_country(region, table.at("region"), table)
    table.end()
    return Tenant(name=name, domains=domains, dialled=dialled, region=region)
