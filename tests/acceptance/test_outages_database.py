"""PostgreSQL restarted, read-only, slow, without a free connection: calls go on and everything arrives later.

The service reaches the server through a proxy; calls are judged by the switch's ledger and the vault.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psutil
import psycopg2
import pytest

from fsgov import embedded
from fsgov.demo import site
from fsgov.demo.playing import Played
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from tests.acceptance.crash.parts import plaintext_in
from tests.acceptance.far import Far
from tests.acceptance.play import (
    HEARTBEAT,
    begun,
    eventually,
    go_on,
    good,
    hang_up,
    judged,
    of_demo,
    plain,
    policy,
    refused,
    started,
    together,
)
from tests.parts.proxy import Proxy

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    where = Site(tmp_path_factory.mktemp("far"))
    with Far.open(where) as made:
        assert isinstance(made, Far)
        site.make(where, policy())
        with closing(Proxy(("127.0.0.1", made.server.port))) as made.wire:
            made.start_switch(*HEARTBEAT)
            yield made
            made.close()


@pytest.fixture
def far(world: Far) -> Iterator[Far]:
    """It runs, and nothing is left of an earlier test."""
    started(world)
    eventually(lambda: alarms(world) == set(), 60)
    eventually((world.site.spool / "people.json").exists)
    yield world
    world.wire.heal()


def alarms(stage: Stage) -> set[str]:
    """What ship says is wrong."""
    path = stage.site.spool / "ship.alarms.json"
    return set(json.loads(path.read_text())) if path.exists() else set()


def parts(stage: Stage) -> set[int]:
    assert stage.service is not None
    return {child.pid for child in psutil.Process(stage.service.pid).children()}


def calls(stage: Stage) -> list[Played]:
    """Calls of each kind; govern must treat them as on any other day."""
    *played, no = together(stage, of_demo("paused"), of_demo("recorded"), of_demo("never"), refused("no"))
    go_on(stage, no, hang_up())
    assert [each.trouble for each in played] == [""] * len(played)
    return [*played, no]


@contextmanager
def superuser(stage: Far) -> Iterator[psycopg2.extensions.connection]:
    """Who may write though nobody else may, and finds a connection that nobody else has."""
    dsn = stage.server.dsn()
    with closing(psycopg2.connect(dsn, options="-c default_transaction_read_only=off")) as connection:
        connection.autocommit = True
        yield connection


@pytest.mark.slow
def test_a_database_that_restarts_again_and_again(far: Far) -> None:
    before, running = begun(far, plain("before")), parts(far)
    for n in range(3):
        embedded.stop(far.site.database)
        if n == 1:
            go_on(far, before, hang_up())
        assert far.server.revive().port == far.server.port
    good(*judged(far, before, *calls(far), within=60))
    assert parts(far) == running


def test_a_database_that_became_read_only(far: Far) -> None:
    """As a standby is, or a server whose disk ran low under a careful hosting company."""
    running = parts(far)
    with superuser(far) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        cursor.execute("SELECT pg_reload_conf()")
        try:
            meanwhile = calls(far)
            eventually(lambda: "database" in alarms(far), 60)
        finally:
            cursor.execute("ALTER SYSTEM RESET default_transaction_read_only")
            cursor.execute("SELECT pg_reload_conf()")
    good(*judged(far, *meanwhile, within=90))
    eventually(lambda: alarms(far) == set(), 60)
    assert parts(far) == running


def test_a_slow_database(far: Far) -> None:
    far.wire.up.delay = far.wire.down.delay = 0.15
    meanwhile = calls(far)
    good(*judged(far, *meanwhile, within=120))


@pytest.mark.slow
def test_a_database_that_answers_no_more(far: Far) -> None:
    """Connections stay open and nothing comes: a firewall that forgot them, a frozen machine."""
    far.wire.up.stop_after = far.wire.down.stop_after = 0
    meanwhile = calls(far)
    eventually(lambda: "database" in alarms(far), 90)
    far.wire.heal()
    far.wire.cut()
    good(*judged(far, *meanwhile, within=90))


@pytest.mark.slow
def test_a_database_without_a_free_connection(far: Far) -> None:
    running = parts(far)
    with ExitStack() as taken, superuser(far) as connection, connection.cursor() as cursor:
        ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'fsgov%'"
        none_left = False
        while not none_left:
            with pytest.raises(
                psycopg2.OperationalError, match=r"too many clients|remaining connection slots"
            ):
                while True:
                    taken.enter_context(closing(psycopg2.connect(far.server.dsn())))
            cursor.execute(ours)
            none_left = cursor.rowcount == 0
        meanwhile = calls(far)
        eventually(lambda: "database" in alarms(far), 60)
    good(*judged(far, *meanwhile, within=90))
    assert parts(far) == running


def test_no_plaintext_was_left_anywhere_but_in_the_spool(far: Far) -> None:
    """After all of them."""
    assert plaintext_in(far.site.database, far.site.root / "vault", far.site.spool / "sealed") == []
