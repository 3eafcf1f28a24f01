"""A PostgreSQL that is frozen keeps its connections and says nothing: nobody waits for it for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from psycopg2 import extensions

from fsgov.catalog.connection import Database, impatient
from fsgov.errors import Unreachable
from tests.parts.proxy import Proxy


@pytest.fixture
def quick() -> Iterator[None]:
    impatient(1.0)
    yield
    extensions.set_wait_callback(None)


@pytest.mark.usefixtures("quick")
def test_a_server_that_says_nothing_is_away_and_the_next_transaction_works(
    database: str, proxy: Callable[[int], Proxy]
) -> None:
    port = urlsplit(database).port
    assert port is not None
    wire = proxy(port)
    through = Database(database.replace(f":{port}/", f":{wire.port}/"))
    with through.transaction() as cursor:
        cursor.execute("SELECT 1")
    wire.down.stop_after = 0
    for _ in ("a connection that was open", "a new one"):
        began = time.monotonic()
        with pytest.raises(Unreachable), through.transaction() as cursor:
            cursor.execute("SELECT 2")
        assert time.monotonic() - began < 20
    wire.heal()
    with through.transaction() as cursor:
        cursor.execute("SELECT pg_sleep(0.1), 3")
        assert cursor.fetchall()[0][1] == 3
    through.close()
