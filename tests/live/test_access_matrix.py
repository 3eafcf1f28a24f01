"""What each login may do: every function as every role, and nothing of another tenant's, whatever is called.

Made from the catalog of PostgreSQL, so that nothing that is added later is left out: a new function needs its
row in FUNCTIONS (tests/live/test_catalog_schema.py), and an argument of a new name its value here.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest

from tests.live.test_catalog_schema import FUNCTIONS, GROUPS
from tests.parts.catalog import World, call_file, enter, sidecar

SERVICES = ("govern", "ship", "keep")
ABOUT_THEMSELVES = {"whoami", "my_tenants"}
"""What they answer is about the login, whoever it is."""
OPENED = {"release_key"}
"""Of what the login itself has asked for: test_catalog_access.py."""
CALLABLE = """
    SELECT p.proname, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, n)
                            ORDER BY n), coalesce(p.proargnames[1:p.pronargs], '{}')
    FROM pg_proc p WHERE p.pronamespace = 'fsgov'::regnamespace AND p.prorettype <> 'trigger'::regtype
    ORDER BY 1"""
OTHERS = """
    SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'fsgov'::regnamespace AND c.relkind = 'r'
    ORDER BY 1"""


@dataclass(frozen=True)
class Function:
    name: str
    types: list[str]
    names: list[str]


def functions(world: World) -> list[Function]:
    return [Function(*row) for row in world.sql("admin", CALLABLE)]


@pytest.mark.parametrize("who", [*GROUPS, *SERVICES, "nobody"])
def test_a_function_can_be_called_by_its_roles_and_by_nobody_else(world: World, who: str) -> None:
    """Called, not asked about: with nulls, and taken back."""
    if who in GROUPS:
        world.person(who, who)
    elif who == "nobody":
        world.sql("admin", "DROP ROLE IF EXISTS nobody_here", "CREATE ROLE nobody_here LOGIN PASSWORD 'x'")
        world.logins["nobody"] = ("nobody_here", "x")
    refused = set()
    with closing(psycopg2.connect(world.as_person(who))) as connection, connection.cursor() as cursor:
        for each in functions(world):
            arguments = ", ".join(f"NULL::{type_}" for type_ in each.types)
            try:
                cursor.execute(f"SELECT fsgov.{each.name}({arguments})")
            except psycopg2.errors.InsufficientPrivilege as error:
                if f"function {each.name}" in str(error) or "schema fsgov" in str(error):
                    refused.add(each.name)
            except psycopg2.Error:
                pass
            connection.rollback()
    may = {each.name for each in functions(world)} - refused
    assert may == {name for name, roles in FUNCTIONS.items() if who in roles}


# -- tenants ---------------------------------------------------------------------------------------------


@dataclass
class Theirs:
    """What tenant `default` has one of each of, by the name of the argument that may name it."""

    world: World
    values: dict[str, Any]
    marks: list[str]
    """What would tell that something of it came out."""
    of: dict[tuple[str, str], Any]
    """By function and argument, where the same name means another thing."""

    def asked(self, each: Function) -> list[Any]:
        return [self.of.get((each.name, name), self.values[name]) for name in each.names]


@pytest.fixture
def theirs(world: World) -> Theirs:
    """What petra of tenant default has placed, asked, proposed; a vault locks it, its loss is accepted."""
    enter(world.ship, call_file(outcome="recorded", ended=1_795_279_055_000_000), sidecar("0f6c-01"))
    world.person("petra", "privacy", tenants=["default"])
    item = '[{"kind": "call", "value": "0f6c"}]'
    (hold,) = world.sql("petra", f"SELECT fsgov.place_hold('{item}', 'matter', '', '', 'default')")[0]
    (case,) = world.sql("petra", f"SELECT id FROM fsgov.open_case('{item}', 'complaint', '', '', 'default')")[
        0
    ]
    world.sql("petra", "SELECT fsgov.ask_release(%s, 'over')", values=[hold])
    request = world.sql(
        "petra",
        "SELECT fsgov.open_subject_request('default', 'erase', '{+493012345}', '{}', 'ticket', NULL, NULL)",
    )[0][0]
    (plan, digest) = world.sql(
        "petra", "SELECT plan, sha256 FROM fsgov.propose_plan('manual', '{0f6c-01}', '{named}', 'why')"
    )[0]
    (schedule, agreed) = world.sql(
        "petra",
        "SELECT schedule, sha256 FROM fsgov.propose_schedule("
        "'default', 'day', '02:30', 'UTC', '{expired}', 0, 10, 'why', '90 days')",
    )[0]
    sealed = b"age-encryption.org/v1\nsealed"
    query = "SELECT fsgov.attach('0f6c-01', 'score', 'text/plain', 'evidence', '', 1, repeat('a', 64), %s)"
    artefact = world.sql("petra", query, values=[sealed])[0][0]
    stop = world.sql("petra", "SELECT fsgov.place_stop('number', '+493012345', 'why')")[0][0]
    access = world.sql("petra", "SELECT fsgov.request_access('0f6c-01', 'evidence', 'why')")[0][0]
    world.sql("ship", "SELECT fsgov.enter_policy('2026-11-21', 'version = \"2026-11-21\"')")
    values: dict[str, Any] = {
        "p_segment": "0f6c-01",
        "p_segments": ["0f6c-01"],
        "p_call": "0f6c",
        "p_tenant": "default",
        "p_hold": hold,
        "p_request": request,
        "p_plan": plan,
        "p_sha256": digest,
        "p_stop": stop,
        "p_schedule": schedule,
        "p_every": "day",
        "p_time": "02:30",
        "p_timezone": "UTC",
        "p_grace": 0,
        "p_access": access,
        "p_numbers": ["+493012345"],
        "p_crm": [],
        "p_items": item,
        "p_kind": "manual",
        "p_what": "+493012345",
        "p_vault": "eu",
        "p_vaults": ["eu"],
        "p_purpose": "evidence",
        "p_reason": "why",
        "p_why": "why",
        "p_recipient": "somebody",
        "p_complaint": "",
        "p_recipients": ["age1x"],
        "p_causes": ["named"],
        "p_entry": "0f6c-01",
        "p_act": "p-nobodys.1",
        "p_subject": "0f6c-01",
        "p_received": None,
        "p_due": None,
        "p_until": None,
        "p_review_by": None,
        "p_keep": True,
        "p_refused": True,
        "p_records": "[]",
        "p_facts": "{}",
        "p_valid": "1 day",
        "p_most": 10,
        "p_at": "2026-01-01Z",
        "p_event": "contract_end",
        "p_key": "default/2026/11/0f6c-02.age",
        "p_version": "v1",
        "p_key_version": "k1",
        "p_size": 1,
        "p_wrapped_key": b"x",
        "p_stored_at": "2026-01-01Z",
        "p_text": "version = 'x'",
        "p_approval": "none",
        "p_instead_of": None,
        "p_matter": "m",
        "p_custodian": "",
        "p_reference": "r",
        "p_found_as": None,
        "p_media_type": "text/plain",
        "p_made_by": "x",
        "p_sealed": sealed,
        "p_artefact": artefact,
        "p_rotation": "nobodys",
        "p_batch": 1,
        "p_was": [b"x"],
        "p_locked": 0,
        "p_keys": [b"x"],
        "p_versions": ["v"],
        "p_step": "wrap",
        "p_after": "",
        "p_limit": 10,
        "p_n": 1,
        "p_from": ["ab" * 32],
        "p_to": "ab" * 32,
        "p_moving": False,
        "p_token": "nobodys",
        "p_id": "nobodys",
        "p_target": "eu",
    }
    world.sql(
        "admin",
        "INSERT INTO fsgov.noted (kind, subject, noted_by) SELECT 'damaged-object', '0f6c-01', id"
        " FROM fsgov.people LIMIT 1",
        "INSERT INTO fsgov.locks (segment, vault, tenant, mode, until)"
        " VALUES ('0f6c-01', 'eu', 'default', 'GOVERNANCE', now() + interval '1 day')",
    )
    marks = ["0f6c", "493012345", "ticket", hold, case, request, plan, stop, schedule, agreed, artefact]
    of: dict[tuple[str, str], Any] = {
        ("open_subject_request", "p_kind"): "erase",
        ("place_stop", "p_kind"): "number",
        ("approve_schedule", "p_sha256"): agreed,
        ("due_times", "p_after"): "2026-11-01Z",
        ("propose_schedule", "p_causes"): ["expired"],
    }
    return Theirs(world, values, marks, of)


@pytest.mark.parametrize("role", GROUPS)
def test_nothing_of_another_tenant_is_seen_or_changed_by_any_function(theirs: Theirs, role: str) -> None:
    world = theirs.world
    world.person("tina", role, tenants=["other"])
    mine = {name for name, roles in FUNCTIONS.items() if role in roles and name not in ABOUT_THEMSELVES}
    called = [each for each in functions(world) if each.name in mine]
    unknown = {name for each in called for name in each.names} - set(theirs.values)
    assert unknown == set(), "say what of another tenant's these arguments may name"
    before = digest(world)
    leaked, changed = [], []
    for each in called:
        arguments = ", ".join(f"%s::{type_}" for type_ in each.types)
        values = theirs.asked(each)
        try:
            answer = world.sql("tina", f"SELECT * FROM fsgov.{each.name}({arguments})", values=values)
        except psycopg2.Error:
            answer = []
        text = repr([[cell for cell in row if cell not in (False, 0)] for row in answer])
        if any(mark in text for mark in theirs.marks) or told_of_theirs(each.name, answer):
            leaked.append((each.name, answer))
        if (after := digest(world)) != before:
            changed.append(each.name)
            before = after
    assert leaked == []
    assert changed == []


def told_of_theirs(name: str, answer: list[tuple[Any, ...]]) -> bool:
    """What answers with a word about what it was asked of, and not with the thing itself."""
    return name in ("is_held", "is_accepted", "locked_until") and answer not in ([], [(None,)], [(False,)])


def digest(world: World) -> list[tuple[Any, ...]]:
    """Every row that is not of tenant other, nor a line or the acts of who wrote it."""
    tables = [name for (name,) in world.sql("admin", OTHERS) if name not in ("outbox", "origins")]
    return world.sql(
        "admin",
        " UNION ALL ".join(
            f"SELECT '{name}', count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM fsgov.{name} t"
            " WHERE tenant <> 'other'"
            for name in tables
        ),
    )


@pytest.mark.parametrize("role", GROUPS)
def test_no_table_shows_a_row_of_another_tenant(theirs: Theirs, role: str) -> None:
    world = theirs.world
    world.person("tina", role, tenants=["other"])
    world.person("dora", role, tenants=["default"])
    seen = {}
    for who in ("tina", "dora"):
        tables = world.sql(
            who,
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE a.attname = 'tenant' AND c.relnamespace = 'fsgov'::regnamespace AND c.relkind = 'r'"
            " AND has_column_privilege(c.oid, a.attnum, 'SELECT')",
        )
        counts = " UNION ALL ".join(
            f"SELECT '{name}', count(*) FROM fsgov.{name} WHERE tenant <> 'other'" for (name,) in tables
        )
        seen[who] = {name for name, rows in world.sql(who, counts) if rows}
    assert seen["tina"] == set()
    assert {"calls", "segments", "legs"} <= seen["dora"]


def test_row_security_is_of_tenants_everywhere(finished: World) -> None:
    """The one policy for people, on each table that any of them may read, in the same words."""
    rows = finished.sql(
        "admin",
        "SELECT tablename, qual FROM pg_policies WHERE schemaname = 'fsgov' AND policyname = 'people'",
    )
    assert len({qual for _, qual in rows}) == 1
    readable = finished.sql(
        "admin",
        "SELECT DISTINCT c.relname FROM pg_class c, pg_roles r WHERE c.relnamespace = 'fsgov'::regnamespace"
        " AND c.relkind = 'r' AND r.rolname = ANY (%s) AND has_any_column_privilege(r.oid, c.oid, 'SELECT')",
        values=[[f"fsgov_{role}" for role in GROUPS]],
    )
    assert {name for (name,) in readable} <= {table for table, _ in rows}


def test_what_the_matrix_asks_for_is_there(theirs: Theirs) -> None:
    """The same calls by who may: what is refused to another tenant, or shows nothing, is something real."""
    world = theirs.world
    world.person("dora", *GROUPS)
    nothing = {}
    with closing(psycopg2.connect(world.as_person("dora"))) as connection, connection.cursor() as cursor:
        for each in functions(world):
            if not {*GROUPS} & FUNCTIONS.get(each.name, set()) or each.name in ABOUT_THEMSELVES | OPENED:
                continue
            arguments = ", ".join(f"%s::{type_}" for type_ in each.types)
            try:
                cursor.execute(f"SELECT * FROM fsgov.{each.name}({arguments})", theirs.asked(each))
            except psycopg2.Error as error:
                if error.pgcode not in ("FG403", "FG409"):  # it is there, and that is no time for it
                    nothing[each.name] = str(error).splitlines()[0]
            connection.rollback()
    doors = world.sql(
        "admin",
        "SELECT proname FROM pg_proc WHERE prosrc ~ 'fsgov[.](operator|rotation_for|my_batch)[(]'",
    )
    assert {name: why for name, why in nothing.items() if (name,) not in doors} == {}
    # those ask first whether the login is of every tenant
    world.person("tina", *GROUPS, tenants=["other"])
    for each in functions(world):
        if (each.name,) in doors and {*GROUPS} & FUNCTIONS.get(each.name, set()):
            arguments = ", ".join(f"%s::{type_}" for type_ in each.types)
            with pytest.raises(psycopg2.Error) as refused:
                world.sql("tina", f"SELECT * FROM fsgov.{each.name}({arguments})", values=theirs.asked(each))
            assert refused.value.pgcode in ("FG403", "FG404"), each.name  # 404: a batch of another login
