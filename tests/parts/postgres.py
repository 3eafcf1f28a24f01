"""A real PostgreSQL for the run of the tests, a fresh database for each test."""

from __future__ import annotations

import atexit
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import psycopg2
import pytest

from fsgov import embedded
from fsgov.embedded.server import Server

_numbers = itertools.count(1)


def prepare(path: Path) -> Path:
    """Put what `embedded` makes of an empty directory below `path`: a copy costs a third of an initdb."""
    path.mkdir(mode=0o700, parents=True)
    subprocess.run(["cp", "-a", f"{_made()}/.", path], check=True)
    return path


@cache
def _made() -> Path:
    directory = tempfile.TemporaryDirectory(prefix="postgres")
    atexit.register(directory.cleanup)
    Server(Path(directory.name), embedded.find()).create()
    return Path(directory.name)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Joined]:
    """The server; `.dsn()` is the superuser's, `.dsn("alice", "secret", "database")` another's."""
    with embedded.joined(prepare(tmp_path_factory.mktemp("postgres") / "pg")) as server:
        yield server


@pytest.fixture
def database(postgres: embedded.Joined) -> Iterator[str]:
    """The superuser's DSN of an empty database that goes away after the test."""
    name = f"test_{next(_numbers)}"
    _as_superuser(postgres, f"CREATE DATABASE {name} TEMPLATE template0")
    yield postgres.dsn(database=name)
    _as_superuser(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _as_superuser(server: embedded.Joined, statement: str) -> None:
    with closing(psycopg2.connect(server.dsn(database="postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
