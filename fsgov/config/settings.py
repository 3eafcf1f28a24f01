"""The configuration as frozen values. Paths are absolute; durations are microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fsgov.config.secret import Secret
from fsgov.policy import Tenant
from fsgov.policy.reading import Faults
from fsgov.watermarks import Watermarks

Microseconds = int
EMBEDDED = "embedded:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """FreeSWITCH's event socket."""

    host: str = "127.0.0.1"
    port: int = 8021
    password: Secret = field(default_factory=lambda: Secret("switch.password"))
    trunks: tuple[str, ...] = ()
    """Profiles that lead outside."""
    insecure: bool = False
    """The socket may be on another host, though nothing on it is encrypted."""
    cdr: Path | None = None
    """Directory with the switch's CDR files, for `fsgov reconcile`; None: it is not compared with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """Where captured audio waits."""

    directory: Path
    """As fsgov sees it."""
    switch_directory: str
    """As the switch sees it."""
    keep_sealed: Microseconds
    segment_max: Microseconds
    """How long one segment may run before the next one is begun."""
    marks: Watermarks = Watermarks()  # noqa: RUF009 - frozen
    """Room on its disk below which something happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """How much of the network ship may take."""

    uploads: int = 4
    """At once."""
    rate: int = 0
    """Bytes a second, all of them together; 0: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """PostgreSQL, for the three parts."""

    dsn: str = ""
    """`embedded:/ABSOLUTE/PATH`, or libpq's without a password; "" where not configured."""
    credentials: Path | None = None
    """Directory with one file a service login: `govern`, `ship`, `keep`."""
    backup_interval: Microseconds
    backup_horizon: Microseconds
    """How long a dump of the database can still be read by somebody."""

    def password(self, part: str) -> str | None:
        """The password of login fsgov_<part>; None where libpq finds its own way (no credentials)."""
        if self.credentials is None:
            return None
        return Secret("database.credentials", "file", str(self.credentials / part)).reveal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """How a person's CLI reaches the database."""

    dsn: str = ""
    """Without a password; "" means libpq's defaults."""
    user: str = ""
    """The login, where the DSN names none; "" means libpq's defaults, or the superuser of `embedded:`."""
    password: Secret = field(default_factory=lambda: Secret("admin.password"))
    """Where libpq's own ways (PGPASSWORD, a passfile) are not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login of an object store."""

    access: Secret
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """One vault: a bucket of audio, another of keys, and whom it is sealed to."""

    name: str
    url: str
    keys: str = ""
    recipients: tuple[str, ...] = ()
    credentials: Login | None = None
    region: str = ""
    """The country it is in; "" where nobody says."""
    replica_of: str = ""
    """The vault that it is a second place of; "" where it is none."""
    by_store: bool = False
    """The object store fills that replica by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The event log's key and sink, and how much the parts say."""

    signing_key: Path
    prior_key: Path | None = None
    """The private key that signed before, until it has handed over."""
    earlier_keys: tuple[str, ...] = ()
    """Public lines of keys that signed the log once, in the order of time."""
    file: Path | None = None
    """Directory of the file sink."""
    level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The unix socket of live acts."""

    socket: Path


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where the parts show their metrics and their health; None: nowhere."""

    govern: Address | None = None
    ship: Address | None = None
    keep: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrub:
    """How keep reads stored objects again."""

    every: Microseconds = 90 * 86_400_000_000
    """Each object at least so often."""
    bytes_per_second: int = 10_000_000
    """At most, over all vaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What the policy does not say about how long things are kept."""

    overdue_after: Microseconds = 7 * 86_400_000_000
    """How long a recording may be past its time before that is an alarm."""
    numbers: Microseconds = 365 * 86_400_000_000
    """How long after its end the rows of a call may name people, where no recording of it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """The policy in force until the first `policy activate`."""

    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """The CRM: its view `fsgov_party` (dsn) or its HTTP service (url); no look-ups where both are missing."""

    dsn: Secret
    url: str = ""
    token: Secret = field(default_factory=lambda: Secret("parties.token"))
    user: str = ""
    """With `password`, where there is no token."""
    password: Secret = field(default_factory=lambda: Secret("parties.password"))
    ca: Path | None = None
    """PEM of who signs the service's certificate; None: those whom this host knows."""
    deadline: Microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """How keep applies approved plans of what is to be destroyed."""

    run: bool = True
    """False: only `fsgov purge apply` does."""
    rate: int = 20
    """Recordings a second."""
    canary: int = 10
    """How many go first."""
    canary_wait: Microseconds = 600_000_000
    """Until the others follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything one file says. What a part cannot do without is checked by `need`."""

    path: Path
    host: str
    """Names this host in segments' rows and origins."""
    switch: Switch
    spool: Spool
    database: Database
    admin: Admin
    vaults: Mapping[str, VaultSettings]
    log: Log
    control: Control
    policy: PolicyFile
    parties: Parties
    tenants: Mapping[str, Tenant]
    health: Health = field(default_factory=Health)
    scrub: Scrub = field(default_factory=Scrub)
    retention: Retention = field(default_factory=Retention)
    ship: Ship = field(default_factory=Ship)
    purge: Purge = field(default_factory=Purge)

    @property
    def homes(self) -> dict[str, VaultSettings]:
        """The vaults that recordings are stored into: those that are no replicas."""
        return {name: vault for name, vault in self.vaults.items() if not vault.replica_of}

    @property
    def regions(self) -> dict[str, str]:
        """Each of them, and where it is."""
        return {name: vault.region for name, vault in self.homes.items()}

    def need(self, *users: str) -> None:
        """Raise BadConfiguration with everything that these lack: `govern`, `ship`, `keep`, a `desk`."""
        faults = Faults()
        a_database = 'dsn = "postgresql://HOST/fsgov" or "embedded:PATH"'
        if "govern" in users and not self.switch.password:
            faults.add("switch.password", "is missing", 'password = "file:/etc/fsgov/switch.password"')
        if "desk" in users and not (self.admin.dsn or self.database.dsn):
            faults.add("admin.dsn", "is missing", a_database)
        if "ship" in users or "keep" in users:
            if not self.database.dsn:
                faults.add("database.dsn", "is missing", a_database)
            self._need_vaults("ship" in users, faults)
        who = " and ".join("a desk" if user == "desk" else user for user in users)
        verb = "needs" if len(users) == 1 else "need"
        faults.raise_any(f"The configuration {self.path}", f"{who} {verb} this; see docs/fsgov.toml")

    def _need_vaults(self, seals: bool, faults: Faults) -> None:
        if not self.vaults:
            faults.add("vault", "is missing", "name one: [vault.main] with url, keys and recipients")
        for name, vault in self.vaults.items():
            if not vault.keys:
                hint = "another bucket: who may read the audio must not read its keys"
                faults.add(f"vault.{name}.keys", "is missing", hint)
            if seals and not vault.recipients and not vault.replica_of:
                hint = "fsgov keys generate recipient, and keep the identity off this host"
                faults.add(f"vault.{name}.recipients", "is missing", hint)
