"""Who acts is what the database says: accesses, keys, lines, and every way alice could try to be bob."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg2
import pytest

from fsgov.catalog import people
from fsgov.catalog.desk import Desk
from fsgov.errors import BadUsage, Conflict, NotFound, NotPermitted
from tests.parts.catalog import World, call_file, enter, line, sidecar

SEGMENT = "0f6c-01"


def origins_and_actors(world: World) -> list[tuple[str, str]]:
    """Of every line that waits: who wrote it, whom it names."""
    rows = world.sql("admin", "SELECT origin, line FROM fsgov.outbox ORDER BY origin, n")
    return [(origin, json.loads(bytes(text))["data"].get("actor")) for origin, text in rows]


@pytest.fixture
def stored(world: World) -> World:
    """A call with one segment of tenant default; alice and bob are its supervisors."""
    enter(world.ship, call_file(), sidecar(SEGMENT))
    world.person("alice", "supervisor")
    world.person("bob", "supervisor")
    return world


# -- the way it goes -------------------------------------------------------------------------------------


def test_a_key_is_released_once_after_its_request_was_committed(stored: World) -> None:
    desk = stored.desk("alice")
    access = desk.request_access(SEGMENT, "evidence", "complaint of +49 30 12345")
    released = desk.release_key(access)
    assert (released.segment, released.wrapped_key) == (SEGMENT, b"wrapped")
    assert (released.vault, released.object_key, released.version_id) == (
        "eu",
        f"default/2026/11/{SEGMENT}.age",
        "v1",
    )
    assert (released.sealed_sha256, released.audio_sha256) == ("ef" * 32, "cd" * 32)
    with pytest.raises(Conflict, match="used"):
        desk.release_key(access)
    kept = stored.sql(
        "admin", "SELECT segment, login::text, purpose, reason, released_at FROM fsgov.accesses"
    )
    assert kept[0][:4] == (SEGMENT, stored.logins["alice"][0], "evidence", "complaint of +49 30 12345")
    assert kept[0][4] is not None


def test_request_and_release_are_lines_of_the_person_without_the_reason(stored: World) -> None:
    desk = stored.desk("alice")
    alice = str(desk.whoami().person)
    access = desk.request_access(SEGMENT, "evidence", "complaint of +49 30 12345")
    desk.release_key(access)
    rows = stored.sql(
        "admin", "SELECT n, line FROM fsgov.outbox WHERE origin = %s ORDER BY n", values=[alice]
    )
    assert [n for n, _ in rows] == [1, 2]
    first, second = (json.loads(bytes(text)) for _, text in rows)
    assert first["type"] == "fsgov.access.requested.v1"
    assert second["type"] == "fsgov.access.released.v1"
    assert first["id"] == f"{alice}.1"
    assert first["subject"] == SEGMENT
    told = {"call": "0f6c", "access": access, "purpose": "evidence", "case": None, "actor": alice}
    assert first["data"] == told
    assert b"12345" not in b"".join(bytes(text) for _, text in rows)
    assert stored.logins["alice"][0].encode() not in b"".join(bytes(text) for _, text in rows)


# -- no key before the commit, none for another ----------------------------------------------------------


def test_no_key_in_the_transaction_of_the_request(stored: World) -> None:
    with pytest.raises(psycopg2.Error) as refused:
        stored.sql("alice", "SELECT fsgov.release_key(fsgov.request_access('0f6c-01', 'evidence', 'why'))")
    assert refused.value.pgcode == "FG409"
    with closing(psycopg2.connect(stored.as_person("alice"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT fsgov.request_access('0f6c-01', 'evidence', 'why')")
        (access,) = cursor.fetchone() or ("",)
        with pytest.raises(psycopg2.Error, match="not committed"):
            cursor.execute("SELECT fsgov.release_key(%s)", (access,))


def test_a_client_that_rolls_back_gets_no_key(stored: World) -> None:
    with closing(psycopg2.connect(stored.as_person("alice"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT fsgov.request_access('0f6c-01', 'evidence', 'why')")
        (access,) = cursor.fetchone() or ("",)
        connection.rollback()
        with pytest.raises(psycopg2.Error) as refused:
            cursor.execute("SELECT fsgov.release_key(%s)", (access,))
        assert refused.value.pgcode == "FG404"
    assert stored.sql("admin", "SELECT count(*) FROM fsgov.accesses") == [(0,)]


def test_an_access_whose_transaction_is_not_known_to_be_committed_gets_no_key(stored: World) -> None:
    """Too old to ask, or from a dump: the row is there, its transaction is nobody's."""
    access = stored.desk("alice").request_access(SEGMENT, "evidence", "why")
    stored.sql("admin", "UPDATE fsgov.accesses SET xact = '3'")
    with pytest.raises(Conflict, match="not committed"):
        stored.desk("alice").release_key(access)


def test_the_access_of_another_is_nobodys(stored: World) -> None:
    access = stored.desk("alice").request_access(SEGMENT, "evidence", "why")
    with pytest.raises(NotFound):
        stored.desk("bob").release_key(access)
    assert stored.desk("alice").release_key(access).segment == SEGMENT


# -- alice is alice --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trick",
    [
        "SELECT set_config('role', '{bob}', false)",
        "SELECT set_config('session_authorization', '{bob}', false)",
        'SET SESSION AUTHORIZATION "{bob}"',
        'SET ROLE "{bob}"',
        "SET ROLE fsgov_owner",
        "SET ROLE fsgov_ship",
        "SET ROLE fsgov_privacy",
    ],
)
def test_alice_cannot_become_anybody_else(stored: World, trick: str) -> None:
    with pytest.raises(psycopg2.Error) as refused:
        stored.sql("alice", trick.format(bob=stored.logins["bob"][0]))
    assert refused.value.pgcode in ("42501", "22023")


@pytest.mark.parametrize(
    "pretence",
    [
        "SET ROLE fsgov_supervisor",
        "SELECT set_config('fsgov.actor', 'bob', false)",
        "SET application_name = 'bob'",
        "SET search_path = public, pg_temp",
    ],
)
def test_what_alice_pretends_changes_nothing(stored: World, pretence: str) -> None:
    alice = stored.desk("alice").whoami().person
    stored.sql("alice", pretence, "SELECT fsgov.request_access('0f6c-01', 'evidence', 'why')")
    assert stored.sql("admin", "SELECT person, login::text FROM fsgov.accesses") == [
        (alice, stored.logins["alice"][0])
    ]
    assert [(alice, alice)] == [row for row in origins_and_actors(stored) if row[0] == alice]
    bob = stored.desk("bob").whoami().person
    assert bob not in [actor for _, actor in origins_and_actors(stored)]


@pytest.mark.parametrize(
    "forged",
    [
        "INSERT INTO fsgov.accesses (id, tenant, segment, person, login, purpose, reason, xact)"
        " VALUES ('x-a', 'default', '0f6c-01', '{bob}', 'bob', 'evidence', 'why', pg_current_xact_id())",
        "INSERT INTO fsgov.outbox (origin, n, line) VALUES ('{bob}', 1, '{{}}')",
        "INSERT INTO fsgov.event_log (log_id, seq, origin, n, line, leaf)"
        " VALUES ('l', 0, '{bob}', 1, '', '')",
        "INSERT INTO fsgov.origins (origin, part) VALUES ('{bob}', 'desk')",
        "INSERT INTO fsgov.memberships (person, tenant) VALUES ('{bob}', '*')",
        "UPDATE fsgov.accesses SET person = '{bob}'",
        "UPDATE fsgov.people SET login = 'alice' WHERE id = '{bob}'",
        "DELETE FROM fsgov.accesses",
        "SELECT fsgov.enter_from_desk('{bob}', 'access.requested', 'x', '{{}}')",
        "SELECT fsgov.enter_lines('fs1.ship.1', 1, ARRAY['{{}}'::bytea])",
        "SELECT fsgov.people_add('mallory', '', ARRAY['*'])",
        "SELECT fsgov.admin()",
        "SELECT fsgov.sequence('l', 0, '{{}}', '{{}}')",
    ],
)
def test_a_hand_made_statement_names_nobody(stored: World, forged: str) -> None:
    bob = str(stored.desk("bob").whoami().person)
    before = stored.sql("admin", "SELECT count(*) FROM fsgov.outbox")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        stored.sql("alice", forged.format(bob=bob))
    assert stored.sql("admin", "SELECT count(*) FROM fsgov.outbox") == before


def test_a_trap_in_a_temporary_schema_catches_nobody(stored: World) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        stored.sql("alice", "CREATE TEMPORARY TABLE accesses (id text)")


# -- which recordings ------------------------------------------------------------------------------------


def test_other_tenants_do_not_exist(stored: World) -> None:
    stored.person("carol", "supervisor", "auditor", tenants=["other"])
    carol = stored.desk("carol")
    assert carol.calls() == []
    assert carol.segments() == []
    with pytest.raises(NotFound):
        carol.call("0f6c")
    with pytest.raises(NotFound):
        carol.request_access(SEGMENT, "evidence", "why")
    for table in (
        "calls",
        "legs",
        "parties",
        "consents",
        "tags",
        "segments",
        "masks",
        "event_log",
        "outbox",
        "people",
    ):
        assert stored.sql("carol", f"SELECT count(*) FROM fsgov.{table}") == [(0,)], table


def test_a_membership_is_of_one_tenant(stored: World) -> None:
    enter(stored.ship, call_file("other", tenant="other"), sidecar("other-01", tenant="other"))
    stored.person("carol", "supervisor", tenants=["default"])
    assert [call.call for call in stored.desk("carol").calls()] == ["0f6c"]
    assert [call.call for call in stored.desk("alice").calls()] == ["0f6c", "other"]


def test_quarantined_recordings_are_for_privacy_alone(stored: World) -> None:
    enter(stored.ship, None, sidecar("0f6c-02", quarantine="mask.not-proven"))
    stored.person("petra", "privacy")
    with pytest.raises(NotPermitted, match="not for this login"):
        stored.desk("alice").request_access("0f6c-02", "evidence", "why")
    desk = stored.desk("petra")
    assert desk.release_key(desk.request_access("0f6c-02", "review", "why")).segment == "0f6c-02"


def test_where_there_was_no_audio_there_is_no_key(stored: World) -> None:
    without = {k: v for k, v in sidecar("0f6c-03", checked=None).items() if k != "stored"}
    enter(stored.ship, None, without)
    with pytest.raises(Conflict, match="no audio"):
        stored.desk("alice").request_access("0f6c-03", "evidence", "why")


def test_an_access_has_a_purpose_of_the_recording_and_a_reason(stored: World) -> None:
    desk = stored.desk("alice")
    with pytest.raises(NotPermitted, match="purpose") as refused:
        desk.request_access(SEGMENT, "analytics", "why")
    assert "training" in refused.value.hint
    with pytest.raises(Conflict, match="reason"):
        desk.request_access(SEGMENT, "evidence", "")
    with pytest.raises(NotFound):
        desk.request_access("0f6c-99", "evidence", "why")


@pytest.mark.parametrize("role", ["agent", "auditor", "ops", "integrator"])
def test_a_recording_is_not_for_every_role(stored: World, role: str) -> None:
    stored.person("someone", role)
    with pytest.raises(NotPermitted):
        stored.desk("someone").request_access(SEGMENT, "evidence", "why")


@pytest.mark.parametrize("service", ["govern", "ship", "keep"])
def test_a_service_is_no_person(finished: World, service: str) -> None:
    with pytest.raises(NotPermitted, match="service"):
        Desk(finished.as_person(service))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        finished.sql(service, "SELECT fsgov.request_access('0f6c-01', 'evidence', 'why')")


def test_a_login_without_a_person_does_nothing(world: World) -> None:
    world.sql(
        "admin",
        "DROP ROLE IF EXISTS stranger",
        "CREATE ROLE stranger LOGIN PASSWORD 'x' IN ROLE fsgov_privacy",
    )
    world.logins["stranger"] = ("stranger", "x")
    enter(world.ship, call_file(), sidecar(SEGMENT))
    assert world.desk("stranger").calls() == []
    with pytest.raises(NotPermitted, match="nobody"):
        world.desk("stranger").request_access(SEGMENT, "evidence", "why")


# -- people ----------------------------------------------------------------------------------------------


def test_adding_a_person_is_a_line_of_the_administrator(world: World) -> None:
    alice = world.person("alice", "supervisor", "auditor", tenants=["default", "uk"])
    listed = people.everybody(world.dsn)
    administrator = listed[0].id
    assert (listed[1].id, listed[1].login, listed[1].roles) == (
        alice,
        world.logins["alice"][0],
        ["supervisor", "auditor"],
    )
    assert listed[1].tenants == ["default", "uk"]
    last = json.loads(
        bytes(
            world.sql("admin", "SELECT line FROM fsgov.outbox ORDER BY entered_at DESC, n DESC LIMIT 1")[0][0]
        )
    )
    assert last["type"] == "fsgov.people.added.v1"
    assert last["subject"] == alice
    assert last["data"] == {"roles": ["supervisor", "auditor"], "actor": administrator}


def test_a_disabled_person_is_out_at_once(stored: World) -> None:
    desk = stored.desk("alice")
    access = desk.request_access(SEGMENT, "evidence", "why")
    with closing(psycopg2.connect(stored.as_person("alice"))) as running:
        people.disable(stored.dsn, stored.logins["alice"][0])
        with pytest.raises(psycopg2.OperationalError), running.cursor() as cursor:
            cursor.execute("SELECT fsgov.release_key(%s)", (access,))
    with pytest.raises(NotPermitted):
        stored.desk("alice")
    with pytest.raises(NotFound):
        people.disable(stored.dsn, stored.logins["alice"][0])


def test_a_disabled_person_whose_login_still_works_gets_nothing(stored: World) -> None:
    access = stored.desk("alice").request_access(SEGMENT, "evidence", "why")
    stored.sql("admin", "SELECT fsgov.people_disable(%s)", values=[stored.logins["alice"][0]])
    assert stored.desk("alice").calls() == []
    with pytest.raises(NotPermitted):
        stored.desk("alice").release_key(access)


@pytest.mark.parametrize("login", ["fsgov_ship", "pg_x", "Alice", "a b", "", "x" * 64, 'a"; DROP ROLE x; --'])
def test_logins_that_are_none_for_people(finished: World, login: str) -> None:
    with pytest.raises(BadUsage):
        people.add(finished.dsn, login, ["agent"])


def test_a_login_is_one_person(stored: World) -> None:
    with pytest.raises(Conflict, match="there already"):
        people.add(stored.dsn, stored.logins["alice"][0], ["agent"])
    with pytest.raises(BadUsage):
        people.add(stored.dsn, "dora", ["king"])
    with pytest.raises(NotPermitted):
        people.add(stored.as_person("alice"), "dora", ["agent"])


# -- lines of services -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "origin"),
    [
        ("ship", "fs1.keep.1"),
        ("keep", "fs1.ship.1"),
        ("keep", "fs1.govern.1"),
        ("ship", "{bob}"),
        ("ship", "fs1.desk.1"),
    ],
)
def test_a_service_enters_lines_of_its_parts_only(stored: World, service: str, origin: str) -> None:
    origin = origin.format(bob=stored.desk("bob").whoami().person)
    with pytest.raises(psycopg2.Error) as refused:
        stored.sql(
            service, "SELECT fsgov.enter_lines(%s, 1, ARRAY[%s::bytea])", values=[origin, line(origin, 1)]
        )
    assert refused.value.pgcode == "FG403"


@pytest.mark.parametrize("type_", ["access.requested", "access.released", "people.added", "log.opened"])
def test_a_service_cannot_write_what_only_people_do(world: World, type_: str) -> None:
    with pytest.raises(psycopg2.Error) as refused:
        world.sql(
            "ship",
            "SELECT fsgov.enter_lines('fs1.ship.1', 1, ARRAY[%s::bytea])",
            values=[line("fs1.ship.1", 1, type_)],
        )
    assert refused.value.pgcode == "FG422"


def test_govern_enters_nothing(finished: World) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        finished.sql("govern", "SELECT fsgov.enter_lines('fs1.govern.1', 1, ARRAY['{}'::bytea])")
