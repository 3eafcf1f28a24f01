"""A database made by `db init` with its three services, people, and documents as the spool has them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov import embedded, entries
from fsgov.catalog import migrate, people
from fsgov.catalog.desk import Desk
from fsgov.catalog.keep import Keep
from fsgov.catalog.ship import Ship, open_ship

_numbers = itertools.count(1)
START = 1_795_279_045_000_000
"""An Instant: 2026-11-21T16:37:25Z."""


@dataclass(slots=True)
class World:
    """The database, by its superuser's DSN, and whoever logs in to it."""

    dsn: str
    credentials: Path
    closing: list[Callable[[], None]] = field(default_factory=list)
    logins: dict[str, tuple[str, str]] = field(default_factory=dict)
    emptying: str = ""
    """Statements that empty it."""
    passwords: str = ""
    """What the server keeps of the services' passwords."""

    @property
    def ship(self) -> Ship:
        ship = open_ship(self.dsn, migrate.service_password(self.credentials, "ship"))
        self.closing.append(ship.close)
        return ship

    @property
    def keep(self) -> Keep:
        keep = Keep(self.dsn, migrate.service_password(self.credentials, "keep"))
        self.closing.append(keep.close)
        return keep

    def person(self, name: str, *roles: str, tenants: Sequence[str] = ("*",)) -> str:
        """Adds a person; the answer is people.id. Logins are unique: roles outlive databases."""
        login = f"{name}_{next(_numbers)}"
        added = people.add(self.dsn, login, roles, os_user=login, tenants=tenants)
        self.logins[name] = (login, added.password)
        return added.person

    def as_person(self, name: str) -> str:
        """The DSN of a person, of a service (`govern`, `ship`, `keep`), or of the superuser (`admin`)."""
        if name == "admin":
            return self.dsn
        if name in migrate.PARTS:
            return embedded.resolve(
                self.dsn, f"fsgov_{name}", migrate.service_password(self.credentials, name)
            )
        return embedded.resolve(self.dsn, *self.logins[name])

    def desk(self, name: str) -> Desk:
        desk = Desk(self.as_person(name))
        self.closing.append(desk.close)
        return desk

    def close(self) -> None:
        while self.closing:
            self.closing.pop()()
        if self.logins:
            self.sql("admin", *(f'DROP ROLE "{login}"' for login, _ in self.logins.values()))
        self.logins.clear()

    def again(self) -> None:
        """As `db init` leaves it. Much faster than a database for each test."""
        if not self.emptying:
            tables = self.sql("admin", "SELECT tablename FROM pg_tables WHERE schemaname = 'fsgov'")
            statements = (
                "SET session_replication_role = replica",  # no triggers, no foreign keys
                *(f"DELETE FROM fsgov.{name}" for (name,) in tables if name != "version"),
                "SET session_replication_role = origin",
                "SELECT fsgov.open_log(NULL, NULL, NULL)",
                "SELECT string_agg(rolpassword, '' ORDER BY rolname) FROM pg_authid"
                " WHERE rolname IN ('fsgov_govern', 'fsgov_ship', 'fsgov_keep')",
            )
            self.emptying = ";".join(statements)
        ((passwords,),) = self.sql("admin", self.emptying)
        if passwords != self.passwords:  # an init of another database has changed them for the server
            migrate.init(self.dsn, self.credentials)
            ((self.passwords,),) = self.sql("admin", self.emptying)

    def sql(self, name: str, *statements: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Statements by hand in one transaction; the rows of the last. The errors are psycopg2's."""
        with (
            closing(psycopg2.connect(self.as_person(name))) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            for statement in statements[:-1]:
                cursor.execute(statement)
            cursor.execute(statements[-1], values or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The services' passwords: one for all databases, since roles belong to the server."""
    return tmp_path_factory.mktemp("credentials")


@pytest.fixture(scope="session")
def finished(postgres: embedded.Joined, passwords: Path) -> Iterator[World]:
    """One database, as `db init` made it, for tests that only look."""
    server = World(postgres.dsn(database="postgres"), passwords)
    with closing(psycopg2.connect(server.dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE finished TEMPLATE template0")
    made = World(postgres.dsn(database="finished"), passwords)
    migrate.init(made.dsn, passwords)
    yield made
    made.close()


@pytest.fixture
def world(finished: World) -> Iterator[World]:
    """The same database, emptied: every row is gone, a new log is open, the logins have their passwords."""
    finished.again()
    yield finished
    finished.close()


def call_file(
    call: str = "0f6c", *, revision: int = 1, tenant: str = "default", **changes: Any
) -> dict[str, Any]:
    """A call file as govern writes it."""
    made: dict[str, Any] = {
        "format": 1,
        "call": call,
        "host": "fs1",
        "core": "c0",
        "tenant": tenant,
        "direction": "inbound",
        "opened": START,
        "answered": START + 2_000_000,
        "ended": None,
        "revision": revision,
        "policy": {"version": "2026-11-21", "sha256": "ab" * 32},
        "inputs": {"caller": "+493012345"},
        "decision": {"rule": "german service line"},
        "outcome": None,
        "outcome_cause": "",
        "merged_into": None,
        "legs": [
            {"leg": call, "name": "a", "direction": "inbound", "party": 1, "created": START, "answered": None,
             "ended": None, "cause": ""}
        ],
        "parties": [
            {"party": 1, "side": "outside", "number": "03012345", "e164": "+493012345", "country": "DE",
             "facts": {"segment": "retail"}}
        ],
        "consents": [
            {"id": f"c-{call}-1", "party": 1, "purpose": "training", "state": "given", "method": "key",
             "at": START, "evidence": {"digit": "1"}}
        ],
        "segments": [f"{call}-01"],
        "tags": [{"tag": "complaint", "actor": None, "at": START}],
        "counters": {"ignored": 3},
        "state": {},
    }  # fmt: skip
    return {**made, **changes}


def sidecar(segment: str = "0f6c-01", *, tenant: str = "default", **changes: Any) -> dict[str, Any]:
    """A sidecar as ship leaves it after the vault has confirmed."""
    call, _, n = segment.rpartition("-")
    made: dict[str, Any] = {
        "format": 1, "segment": segment, "call": call, "tenant": tenant, "leg": call, "leg_name": "a",
        "n": int(n), "file": f"{segment}.wav", "state": "stored", "rule": "german service line",
        "policy": "ab" * 32,
        "basis": {"evidence": "contract"}, "purposes": ["evidence", "training"], "vault": "eu",
        "consents": [f"c-{call}-1"], "opened": START, "start_lost_ms": 60,
        "closed": START + 9_000_000, "cause": "success-silence",
        "reported_ms": 9000, "reported_size": 144044, "discarded": False,
        "masks": [{"by": "mask", "from_ms": 4180, "to_ms": 6000, "asked": START, "acknowledged": START + 1,
                   "ended": START + 2, "actor": None}],
        "holds": [], "dispose": False, "dispose_reason": "",
        "checked": {"frames": 72000, "ms": 9000, "size": 144044, "sha256": "cd" * 32, "truncated": False,
                    "mask_proof": "proven", "findings": []},
        "quarantine": "", "review_by": None,
        "sealed": {"sha256": "ef" * 32, "size": 144300, "wrapped_key": "…", "recipients": ["age1x"]},
        "stored": {"vault": "eu", "key": f"{tenant}/2026/11/{segment}.age", "version_id": "v1",
                   "size": 144300, "sha256": "ef" * 32, "key_version_id": "k1"},
        "stored_at": START + 10_000_000,
    }  # fmt: skip
    return {**made, **changes}


def enter(ship: Ship, call: dict[str, Any] | None = None, segment: dict[str, Any] | None = None) -> None:
    """A call and one of its segments, with a key."""
    with ship.entering() as entering:
        if call is not None:
            entering.call(json.dumps(call))
        if segment is not None:
            entering.segment(json.dumps(segment), b"wrapped" if "stored" in segment else None)


def line(origin: str, n: int, type_: str = "call.opened", **facts: entries.Fact) -> bytes:
    """A line as the spool has it."""
    host = origin.split(".")[0]
    return entries.line(
        origin=origin,
        n=n,
        host=host,
        type_=type_,
        subject="0f6c",
        time=START + n,
        facts=facts or {"tenant": "x"},
    )
