"""A real PostgreSQL for the run of the tests, a fresh database for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from fsgov import embedded

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Joined]:
    """The server; `.dsn()` is the superuser's, `.dsn("alice", "secret", "database")` another's."""
    with embedded.joined(tmp_path_factory.mktemp("postgres")) as server:
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
