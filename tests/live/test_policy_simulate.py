"""Past calls as PostgreSQL gives them: whose they are, of which time, and no more at once than need be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import psycopg2.extras
import pytest

from fsgov.catalog.past import AT_A_TIME, past
from fsgov.errors import NotPermitted
from fsgov.policy import decide, describe, parse
from fsgov.policy.simulating import Past, Simulation
from tests.parts.catalog import World

HEAD = 'version = "1"\ntimezone = "UTC"\n[purpose.p]\nbasis = "contract"\nretain_max = "1 year"\n'
OLD = HEAD + '[[rule]]\nname = "all"\nconsent = "none"\npurposes = ["p"]\n'
NEW = HEAD.replace('"1"', '"2"', 1) + '[[rule]]\nname = "none"\nrecord = "never"\n'
T0 = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def calls(world: World) -> World:
    """A hundred hours, a call of acme and one of blue in each; every tenth is erased."""
    for name, tenants in (("alice", ["*"]), ("tina", ["acme"])):
        world.person(name, "supervisor", tenants=tenants)
    world.person("carol", "agent")
    enter(
        world,
        [
            (f"{tenant}-{n}", tenant, T0 + timedelta(hours=n), n % 10)
            for n in range(100)
            for tenant in ("acme", "blue")
        ],
    )
    return world


def enter(world: World, rows: list[tuple[str, str, datetime, int]]) -> None:
    old = parse(OLD)
    inputs = describe(caller="+493012345", dialled="+4930901820").to_json()
    decision = json.dumps(decide(old, describe(call="x")).to_json())
    with psycopg2.connect(world.dsn) as connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor,
            "INSERT INTO fsgov.calls (call, tenant, host, direction, opened_at, revision, policy_sha256,"
            " inputs, decision, outcome) VALUES %s",
            [
                (call, tenant, "fs1", "inbound", at, 1, old.sha256,
                 json.dumps({**inputs, "call": call}) if kept else None, decision, "recorded")
                for call, tenant, at, kept in rows
            ],
            page_size=5000,
        )  # fmt: skip
    connection.close()


def seen(world: World, who: str, since: datetime, until: datetime, tenant: str | None = None) -> list[Past]:
    with past(world.as_person(who), since, until, tenant) as (count, rows):
        found = list(rows)
    assert count == len(found)
    return found


def test_a_time_a_tenant_and_the_rights_of_who_asks(calls: World) -> None:
    day = T0 + timedelta(hours=10), T0 + timedelta(hours=34)
    assert {each.opened_at for each in seen(calls, "alice", *day)} == {
        T0 + timedelta(hours=n) for n in range(10, 34)
    }
    assert len(seen(calls, "alice", *day)) == 48
    assert {each.call[:4] for each in seen(calls, "alice", *day, "blue")} == {"blue"}
    assert len(seen(calls, "tina", *day)) == 24
    assert seen(calls, "tina", *day, "blue") == []
    with pytest.raises(NotPermitted, match="numbers"):
        seen(calls, "carol", *day)


def test_erased_inputs_are_counted_and_the_rest_is_decided_again(calls: World) -> None:
    told = Simulation(parse(NEW), lambda _: frozenset())
    for each in seen(calls, "alice", T0, T0 + timedelta(days=30)):
        told.add(each)
    assert (told.decided, told.same) == (180, 0)
    assert {why: kind.calls for why, kind in told.left_out.items()} == {"erased": 20}


def test_more_calls_than_come_at_once(calls: World) -> None:
    later = T0 + timedelta(days=60)
    enter(calls, [(f"many-{n}", "acme", later, 1) for n in range(2 * AT_A_TIME + 1)])
    with past(calls.as_person("alice"), later, later + timedelta(hours=1)) as (count, rows):
        next(rows)
        held = calls.sql("admin", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH%'")
        assert held == [(1,)]
        assert 1 + len(list(rows)) == count == 2 * AT_A_TIME + 1
