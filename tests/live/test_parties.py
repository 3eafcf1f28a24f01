"""The CRM view over a real PostgreSQL: facts in time, or a reason in time, and a day's memory."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import gevent
import psycopg2
import pytest
from psycopg2 import extensions

from fsgov import parties
from fsgov.commands import LookUpParty
from fsgov.events import Event, PartyFound, PartyUnknown
from fsgov.parties import Parties, memory
from fsgov.parties.view import View
from tests.parts.proxy import Fault

AT = 1_795_000_000_000_000
NUMBER = "+49301234567"
VIEW = """
CREATE TABLE crm (tenant text, number_e164 text, facts jsonb, consents jsonb, wait float DEFAULT 0);
CREATE FUNCTION slow(float, jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS 'SELECT $2 FROM pg_sleep($1)';
CREATE VIEW fsgov_party AS SELECT tenant, number_e164, slow(wait, facts) AS facts, consents FROM crm;
INSERT INTO crm VALUES ('default', '+49301234567', '{"segment": "retail", "vip": true, "secret": "x"}',
                        '{"training": true, "analytics": false, "_evidence": "row-7", "odd": "perhaps"}', 0),
                       ('default', '+49300000000', NULL, NULL, 0), ('default', '+49309999999', '{}', '{}', 5)
"""


@pytest.fixture(autouse=True)
def cooperative() -> Iterator[None]:
    parties.cooperate()
    yield
    extensions.set_wait_callback(None)


@pytest.fixture
def crm(database: str) -> str:
    extensions.set_wait_callback(None)
    connection = psycopg2.connect(database)
    connection.cursor().execute(VIEW)
    connection.commit()
    connection.close()
    parties.cooperate()
    return database


class Asking:
    def __init__(self, dsn: str | None, cache: Path, deadline: float = 2.0) -> None:
        self.told: list[Event] = []
        view = View(dsn, deadline) if dsn else None
        self.parties = Parties(view, deadline, cache, self.told.append, lambda: AT)
        self.parties.facts = frozenset({"segment", "vip", "absent"})

    def __call__(self, number: str = NUMBER, tenant: str = "default") -> Event:
        self.parties.look_up(LookUpParty(call="c", number=3, party=1, tenant=tenant, e164=number))
        return self.told[-1]


@pytest.fixture
def asking(crm: str, tmp_path: Path) -> Iterator[Asking]:
    made = Asking(crm, tmp_path)
    yield made
    made.parties.close()


def unasked(reason: str) -> PartyUnknown:
    return PartyUnknown(now=AT, call="c", command=3, party=1, reason=reason, unasked=True)


def test_facts_that_the_policy_names_and_answers_that_are_answers(asking: Asking) -> None:
    assert asking() == PartyFound(
        now=AT, call="c", command=3, party=1, facts={"segment": "retail", "vip": "true"},
        consents={"training": True, "analytics": False}, evidence="row-7",
    )  # fmt: skip


def test_a_row_without_anything_is_a_row(asking: Asking) -> None:
    assert asking("+49300000000") == PartyFound(now=AT, call="c", command=3, party=1)


@pytest.mark.parametrize(
    ("number", "tenant", "reason"),
    [("+1", "default", "no row"), (NUMBER, "acme", "no row"), ("", "default", "no number"),
     ("'; DROP VIEW fsgov_party", "default", "no row")],
)  # fmt: skip
def test_who_has_no_row_is_unknown(asking: Asking, number: str, tenant: str, reason: str) -> None:
    assert asking(number, tenant) == PartyUnknown(now=AT, call="c", command=3, party=1, reason=reason)
    assert isinstance(asking(), PartyFound)


def test_without_a_crm_everybody_is_unknown(tmp_path: Path) -> None:
    assert Asking(None, tmp_path)() == unasked("no CRM")


def test_a_slow_crm_is_answered_for_at_the_deadline_and_delays_nobody_else(crm: str, tmp_path: Path) -> None:
    slow, quick = Asking(crm, tmp_path, deadline=0.3), Asking(crm, tmp_path)
    started = time.monotonic()
    waiting = gevent.spawn(slow, "+49309999999")
    gevent.sleep(0.05)
    assert isinstance(quick(), PartyFound)
    assert time.monotonic() - started < 0.3
    waiting.join()
    assert slow.told == [unasked("deadline")]
    assert time.monotonic() - started < 0.8
    assert isinstance(slow(), PartyFound), "the connection that was given up is not used again"
    slow.parties.close()
    quick.parties.close()


def test_more_questions_than_connections_are_all_answered(asking: Asking) -> None:
    gevent.joinall([gevent.spawn(asking) for _ in range(20)])
    assert len(asking.told) == 20
    assert {type(event) for event in asking.told} == {PartyFound}


def through(dsn: str, port: int) -> str:
    parts = urlsplit(dsn)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))


def test_a_restart_of_the_server_is_not_noticed(
    crm: str, tmp_path: Path, proxy: Callable[..., object]
) -> None:
    wire = proxy(urlsplit(crm).port)
    asking = Asking(through(crm, wire.port), tmp_path)  # type: ignore[attr-defined]
    assert isinstance(asking(), PartyFound)
    wire.cut()  # type: ignore[attr-defined]
    found = asking()
    assert isinstance(found, PartyFound)
    assert found.remembered == ""
    asking.parties.close()


def test_a_view_that_is_not_there_or_not_for_us_is_told(database: str, tmp_path: Path) -> None:
    asking = Asking(database, tmp_path)
    assert asking() == unasked("refused")
    asking.parties.close()


def test_a_row_that_is_no_row_is_told(crm: str, tmp_path: Path) -> None:
    extensions.set_wait_callback(None)
    with contextlib.closing(psycopg2.connect(crm)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE crm SET facts = '[1]' WHERE number_e164 = %s", (NUMBER,))
    parties.cooperate()
    asking = Asking(crm, tmp_path)
    assert asking() == unasked("unreadable")
    asking.parties.close()


def test_what_was_known_yesterday_answers_while_the_crm_is_away(
    crm: str, tmp_path: Path, proxy: Callable[..., object]
) -> None:
    wire = proxy(urlsplit(crm).port)
    asking = Asking(through(crm, wire.port), tmp_path, deadline=0.5)  # type: ignore[attr-defined]
    found = asking()
    assert isinstance(found, PartyFound)
    asking.parties.memory.settle()
    (kept,) = tmp_path.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "secret" not in kept.read_text()
    assert NUMBER not in str(kept)
    wire.refusing = True  # type: ignore[attr-defined]
    wire.cut()  # type: ignore[attr-defined]
    refused = {"analytics": False}  # a yes may have been taken back since
    assert asking() == replace(found, consents=refused, remembered="unreachable")
    assert asking("+49300000000") == unasked("unreachable")
    os.utime(kept, (time.time(), time.time() - memory.KEPT_SECONDS - 1))
    assert isinstance(asking(), PartyUnknown)
    asking.parties.close()


def test_a_mute_crm_ends_at_the_deadline(crm: str, tmp_path: Path, proxy: Callable[..., object]) -> None:
    wire = proxy(urlsplit(crm).port)
    wire.down = Fault(stop_after=0)  # type: ignore[attr-defined]
    asking = Asking(through(crm, wire.port), tmp_path, deadline=0.3)  # type: ignore[attr-defined]
    started = time.monotonic()
    assert asking() == unasked("deadline")
    assert time.monotonic() - started < 1.0


def test_old_memories_go(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    assert parties.forget_old(tmp_path, time.time()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
