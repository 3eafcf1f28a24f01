"""Make, upgrade and describe the database: `db init`, `db upgrade`, `db status`.

`schema.sql` is always the newest state. A database that was made earlier gets the numbered steps of
`fsgov/upgrades/` it has not had; both ways must lead to the same schema (a test compares them).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from psycopg2 import extensions, sql

from fsgov import __version__
from fsgov.catalog.connection import Connection, Cursor, committed, connect
from fsgov.errors import BadConfiguration, Conflict, NotPermitted

PARTS = ("govern", "ship", "keep")
"""The service logins are fsgov_<part>; their passwords are files of that name in `database.credentials`."""


@dataclass(frozen=True, slots=True)
class Status:
    """Which upgrade step a database has had (0: not made for fsgov) and which one this program needs."""

    step: int
    newest: int
    log_id: str = ""

    @property
    def current(self) -> bool:
        return self.step == self.newest


def steps() -> Iterator[tuple[int, str]]:
    """The upgrade steps this program knows, in their order: number and SQL. The first step is schema.sql."""
    folder = resources.files("fsgov") / "upgrades"
    if folder.is_dir():
        for step in sorted(folder.iterdir(), key=lambda step: step.name):
            if step.name.endswith(".sql"):
                yield int(step.name[:4]), step.read_text()


def newest() -> int:
    return max((number for number, _ in steps()), default=1)


def status(admin_dsn: str) -> Status:
    """What is there. Raises Unreachable, NotPermitted, BadConfiguration."""
    with closing(connect(admin_dsn, application="fsgov db")) as connection, committed(connection) as cursor:
        return status_of(cursor)


def init(admin_dsn: str, credentials: Path) -> Status:
    """Makes what is missing: roles, schema, the first log, service logins with passwords in `credentials`.

    Again on a finished database it only sets the passwords that the files hold. The passwords reach the
    server as SCRAM verifiers, so that its own log cannot show them.
    """
    passwords = {part: _password(credentials / part) for part in PARTS}
    with closing(connect(admin_dsn, application="fsgov db")) as connection:
        with committed(connection) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(7377470)")  # two inits at once
            if status_of(cursor).step == 0:
                cursor.execute("SET LOCAL statement_timeout = 0")
                cursor.execute((resources.files("fsgov") / "schema.sql").read_text())
                _note_step(cursor, newest())
                cursor.execute("SELECT fsgov.open_log(NULL, NULL, NULL)")
            for part, password in passwords.items():
                _set_password(connection, cursor, f"fsgov_{part}", password)
        with committed(connection) as cursor:
            return status_of(cursor)


def upgrade(admin_dsn: str) -> list[int]:
    """Applies the missing steps, each in a transaction of its own; answers their numbers.

    Raises Conflict where the database is newer than this program.
    """
    applied = []
    with closing(connect(admin_dsn, application="fsgov db")) as connection:
        with committed(connection) as cursor:
            found = status_of(cursor)
        if found.step == 0:
            raise BadConfiguration("This database was not made for fsgov", hint="fsgov db init")
        if found.step > found.newest:
            raise Conflict(
                "The database is newer than this program",
                f"step {found.step}, known up to {found.newest}",
                "install the newer fsgov",
            )
        for number, text in steps():
            if number > found.step:
                with committed(connection) as cursor:
                    cursor.execute("SET LOCAL statement_timeout = 0")
                    cursor.execute(text)
                    _note_step(cursor, number)
                applied.append(number)
    return applied


def service_password(credentials: Path, part: str) -> str:
    """The password of fsgov_<part>. Raises BadConfiguration, NotPermitted."""
    try:
        return (credentials / part).read_text().strip()
    except FileNotFoundError as error:
        raise BadConfiguration(
            f"The password of fsgov_{part} is not there", str(error.filename), "fsgov db init makes it"
        ) from error
    except PermissionError as error:
        raise NotPermitted(
            f"The password of fsgov_{part} is not for this user", str(error.filename)
        ) from error


def status_of(cursor: Cursor) -> Status:
    cursor.execute("SELECT to_regclass('fsgov.version') IS NOT NULL")
    if cursor.fetchone() != (True,):
        return Status(0, newest())
    cursor.execute("SELECT coalesce(max(step), 0) FROM fsgov.version")
    (step,) = cursor.fetchone() or (0,)
    cursor.execute("SELECT has_table_privilege('fsgov.log', 'SELECT')")
    if cursor.fetchone() != (True,):  # govern and ship need not know
        return Status(step, newest())
    cursor.execute("SELECT log_id FROM fsgov.log ORDER BY opened_at DESC LIMIT 1")
    (log_id,) = cursor.fetchone() or ("",)
    return Status(step, newest(), log_id)


def _note_step(cursor: Cursor, number: int) -> None:
    cursor.execute("SET LOCAL ROLE fsgov_owner")
    cursor.execute("INSERT INTO fsgov.version (step, program) VALUES (%s, %s)", (number, __version__))
    cursor.execute("RESET ROLE")


def _password(path: Path) -> str:
    """The password in this file, made (0600, on disk) when there is none: the server learns it afterwards."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    password = secrets.token_urlsafe(24)
    with os.fdopen(handle, "w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    return password


def _set_password(connection: Connection, cursor: Cursor, login: str, password: str) -> None:
    verifier = extensions.encrypt_password(password, login, connection, "scram-sha-256")
    cursor.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier))
    )
