"""The embedded PostgreSQL: who starts it, who stops it, what survives a kill."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from fsgov import embedded
from fsgov.embedded import binaries
from fsgov.errors import BadConfiguration, NotFound, Unreachable

ROOT = Path(__file__).parents[2]
USER = """
import sys, pathlib
from fsgov import embedded
with embedded.joined(pathlib.Path(sys.argv[1])) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was made once; tests of other things than making it start from a copy."""
    path = tmp_path_factory.mktemp("made") / "database"
    with embedded.joined(path):
        pass
    (path / "port").unlink()
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return tmp_path / "database"


@pytest.fixture
def place(empty: Path, made: Path) -> Path:
    shutil.copytree(made, empty)
    return empty


@pytest.fixture
def another(place: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that joined; they end here at the latest."""
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        process.kill()
        process.communicate()


def join_elsewhere(place: Path, running: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    running.append(process)
    return process


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def ask(dsn: str, statement: str) -> object:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def postmaster(place: Path) -> int:
    return int((place / "data" / "postmaster.pid").read_text().split()[0])


def guard(place: Path) -> int:
    return int((place / "guard.lock").read_text())


def until(true, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def stopped(place: Path) -> bool:
    return not serves(place) and not (place / "data" / "postmaster.pid").exists()


def serves(place: Path) -> bool:
    try:
        return bool(embedded.resolve(f"embedded:{place}"))
    except Unreachable:
        return False


def every_version() -> list[embedded.Binaries]:
    return [*binaries._of_system(), *binaries._of_wheel()]


@pytest.mark.parametrize(
    "found", every_version(), ids=lambda found: f"{found.major}-{found.directory.parts[2]}"
)
def test_each_postgresql_here_serves(
    found: embedded.Binaries, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(binaries.SETTING, str(found.directory))
    with embedded.joined(empty) as server:
        assert ask(server.dsn(), "SHOW server_version_num")[:2] == str(found.major)
        assert ask(server.dsn(), "SHOW fsync") == "on"
        ask(server.dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
    assert stopped(empty)
    with embedded.joined(empty) as server:
        assert ask(server.dsn(), "SELECT n FROM kept") == 7


def test_only_its_owner_gets_in(empty: Path) -> None:
    empty.parent.chmod(0o711)
    with embedded.joined(empty) as server:
        with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
            psycopg2.connect(server.dsn("postgres", None), passfile="/dev/null")
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(server.dsn("postgres", "guess"))
        assert ask(server.dsn(), "SELECT inet_server_addr()::text") == "127.0.0.1/32"
        assert ask(server.dsn(), "SHOW unix_socket_directories") == ""
        assert (
            ask(
                server.dsn(),
                "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules",
            )
            == "scram-sha-256"
        )
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [empty, *empty.iterdir()]}
    assert modes["database"] == modes["data"] == 0o700
    assert modes["password"] == modes["postgres.log"] == 0o600
    assert {path.stat().st_uid for path in empty.rglob("*")} == {os.geteuid()}
    assert stat.S_IMODE(empty.parent.stat().st_mode) == 0o711, "a parent's mode is not ours to change"


def test_the_log_names_nobody(place: Path) -> None:
    with embedded.joined(place) as server:
        ask(server.dsn(), "CREATE TABLE parties (number text PRIMARY KEY)")
        ask(server.dsn(), "INSERT INTO parties VALUES ('+493012345')")
        with pytest.raises(psycopg2.IntegrityError):
            ask(server.dsn(), "INSERT INTO parties VALUES ('+493012345')")
    log = (place / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "12345" not in log


def test_the_last_to_leave_stops_it(place: Path, another: list[subprocess.Popen[str]]) -> None:
    first, second = join_elsewhere(place, another), join_elsewhere(place, another)
    with embedded.joined(place) as server:
        assert {port_of(first), port_of(second)} == {server.port}
        first.communicate(timeout=20)
        assert ask(server.dsn(), "SELECT 1") == 1, "the one that started it has left"
    assert not stopped(place)
    second.communicate(timeout=20)
    assert stopped(place), "the last one returns after it is down"


def test_many_at_once_start_one(empty: Path, another: list[subprocess.Popen[str]]) -> None:
    crowd = [join_elsewhere(empty, another) for _ in range(5)]
    assert len({port_of(process) for process in crowd}) == 1
    for process in crowd:
        process.communicate(timeout=20)
    until(lambda: stopped(empty))


def test_a_killed_user_leaves_no_server(place: Path, another: list[subprocess.Popen[str]]) -> None:
    only = join_elsewhere(place, another)
    port_of(only)
    held = guard(place)
    only.kill()
    until(lambda: stopped(place) and not Path(f"/proc/{held}").exists())


@pytest.mark.parametrize("victim", [postmaster, guard])
def test_a_kill_is_survived(victim, place: Path) -> None:  # type: ignore[no-untyped-def]
    with embedded.joined(place) as server:
        ask(server.dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
        old = postmaster(place)
        os.kill(victim(place), signal.SIGKILL)
        until(lambda: not Path(f"/proc/{old}").exists())
        again = server.revive()
        assert again.port == server.port, "addresses handed out before stay true"
        assert ask(again.dsn(), "SELECT n FROM kept") == 7
    assert stopped(place)


def test_a_fallen_server_comes_back_by_itself(place: Path) -> None:
    with embedded.joined(place) as server:
        old = postmaster(place)
        os.kill(old, signal.SIGKILL)
        until(lambda: (place / "data" / "postmaster.pid").exists() and postmaster(place) != old)
        until(lambda: serves(place))
        assert ask(server.dsn(), "SELECT 1") == 1


def test_a_pid_that_something_else_has_now_does_not_lock_us_out(place: Path) -> None:
    with embedded.joined(place) as server:
        port = server.port
    lines = [str(os.getpid()), str(place / "data"), "1", str(port), "", "127.0.0.1", "", "ready   ", ""]
    (place / "data" / "postmaster.pid").write_text("\n".join(lines))
    with pytest.raises(Unreachable, match="not running"):
        embedded.resolve(f"embedded:{place}")
    with embedded.joined(place) as server:
        assert ask(server.dsn(), "SELECT 1") == 1


def test_stop_and_revive(place: Path) -> None:
    with embedded.joined(place) as server:
        embedded.stop(place)
        assert stopped(place)
        with pytest.raises(Unreachable, match="not running"):
            embedded.resolve(f"embedded:{place}")
        assert ask(server.revive().dsn(), "SELECT 1") == 1


def test_a_command_that_only_reads_makes_none(empty: Path) -> None:
    with pytest.raises(NotFound) as failure, embedded.joined(empty, create=False):
        pass
    assert not empty.exists()
    assert "db init" in failure.value.hint


def test_a_half_made_directory_is_made_again(empty: Path) -> None:
    (empty / "data.new").mkdir(parents=True)
    (empty / "data.new" / "PG_VERSION").write_text("15\n")
    with embedded.joined(empty) as server:
        assert ask(server.dsn(), "SELECT current_database()") == "fsgov"


def test_a_taken_port_is_given_up(place: Path, tmp_path: Path) -> None:
    with embedded.joined(place) as one:
        port = one.port
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "port").write_text(f"{port}\n")
    with embedded.joined(tmp_path / "other"), embedded.joined(place) as one:
        assert one.port != port
        assert ask(one.dsn(), "SELECT 1") == 1


def test_without_programs_the_error_says_what_to_do(
    empty: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(binaries.SETTING, str(tmp_path))
    with pytest.raises(BadConfiguration) as failure, embedded.joined(empty):
        pass
    assert failure.value.detail == str(tmp_path)
    assert binaries.SETTING in failure.value.hint


def test_a_database_of_another_version_is_refused_in_words(empty: Path) -> None:
    (empty / "data").mkdir(parents=True)
    (empty / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(BadConfiguration, match="made by PostgreSQL 12"), embedded.joined(empty):
        pass


def test_as_a_plain_user(empty: Path) -> None:
    """Root plays a plain user by a user namespace; whoever is one already plays nobody."""
    play = ["unshare", "--user", "--map-user=1", "--map-group=1"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*play, sys.executable, "-c", USER, str(empty)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
    assert stopped(empty)
