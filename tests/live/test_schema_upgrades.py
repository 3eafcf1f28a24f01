"""A database of the first release, upgraded step by step, is the one that `db init` makes today."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from fsgov.catalog import migrate
from tests.parts.catalog import World

FIRST = Path(__file__).parents[1] / "vectors" / "schema-0.1.sql"
UNSTEPPED = """schema.sql is not what the steps make of the first release's: write fsgov/upgrades/NNNN-….sql.
Until 0.1 is released there is nobody to upgrade: cp fsgov/schema.sql tests/vectors/schema-0.1.sql"""

ACL = "(SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM unnest({}) x)"
PARTS = {
    "relations": f"""
        SELECT relkind, relname, relpersistence, relrowsecurity, relforcerowsecurity, {ACL.format("relacl")},
               pg_get_userbyid(relowner), reloptions::text, obj_description(oid, 'pg_class')
        FROM pg_class WHERE relnamespace = 'fsgov'::regnamespace""",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'fsgov'",
    "columns": f"""
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               attgenerated, {ACL.format("attacl")}, pg_get_expr(adbin, adrelid),
               col_description(attrelid, attnum)
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
             LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE c.relnamespace = 'fsgov'::regnamespace AND attnum > 0 AND NOT attisdropped""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'fsgov'::regnamespace""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'fsgov'",
    "functions": f"""
        SELECT pg_get_functiondef(oid), {ACL.format("proacl")}, pg_get_userbyid(proowner),
               obj_description(oid, 'pg_proc')
        FROM pg_proc WHERE pronamespace = 'fsgov'::regnamespace""",
    "policies": """
        SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check
        FROM pg_policies WHERE schemaname = 'fsgov'""",
    "triggers": """
        SELECT tgrelid::regclass::text, pg_get_triggerdef(t.oid)
        FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
        WHERE c.relnamespace = 'fsgov'::regnamespace AND NOT tgisinternal""",
    "types": """
        SELECT typname, typtype, (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum
                                  WHERE enumtypid = t.oid)
        FROM pg_type t WHERE typnamespace = 'fsgov'::regnamespace""",
    "rights": f"""
        SELECT {ACL.format("nspacl")}, pg_get_userbyid(nspowner), obj_description(oid, 'pg_namespace')
        FROM pg_namespace WHERE nspname = 'fsgov'""",
    "roles": """
        SELECT r.rolname, g.rolname FROM pg_roles r LEFT JOIN pg_auth_members ON member = r.oid
               LEFT JOIN pg_roles g ON g.oid = roleid WHERE r.rolname LIKE 'fsgov\\_%'""",
}
"""Everything that makes a schema, by PostgreSQL's own words; the order of columns does not."""


def described(world: World, *before: str) -> set[tuple[object, ...]]:
    """Every piece of the schema, after these statements, which are rolled back."""
    with closing(psycopg2.connect(world.dsn)) as connection, connection.cursor() as cursor:
        for statement in before:
            cursor.execute(statement)
        found = set()
        for kind, query in PARTS.items():
            cursor.execute(query)
            found |= {(kind, *row) for row in cursor.fetchall()}
        connection.rollback()
    return found


@pytest.fixture
def first(database: str, passwords: Path) -> World:
    """A database as fsgov 0.1 made it."""
    world = World(database, passwords)
    made = "INSERT INTO fsgov.version (step, program) VALUES (1, '0.1.0')"
    world.sql("admin", FIRST.read_text(), made, "SELECT fsgov.open_log(NULL, NULL, NULL)")
    return world


def test_an_upgraded_database_is_a_new_one(first: World, finished: World) -> None:
    assert migrate.upgrade(first.dsn) == [number for number, _ in migrate.steps() if number > 1]
    assert migrate.status(first.dsn).current
    upgraded, new = described(first), described(finished)
    assert (upgraded - new, new - upgraded) == (set(), set()), UNSTEPPED
    assert len(new) > 300


def test_the_steps_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _ in migrate.steps()]
    assert numbers == list(range(2, len(numbers) + 2))


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE fsgov.calls ADD COLUMN more text",
        "ALTER TABLE fsgov.calls ALTER COLUMN tenant DROP NOT NULL",
        "ALTER TABLE fsgov.calls NO FORCE ROW LEVEL SECURITY",
        "COMMENT ON TABLE fsgov.calls IS 'calls'",
        "COMMENT ON COLUMN fsgov.calls.tenant IS 'whose'",
        "CREATE INDEX ON fsgov.calls (tenant)",
        "GRANT SELECT ON fsgov.segment_keys TO fsgov_agent",
        "GRANT SELECT (tenant) ON fsgov.segment_keys TO fsgov_agent",
        "GRANT fsgov_owner TO fsgov_ship",
        "REVOKE EXECUTE ON FUNCTION fsgov.enter_call(jsonb) FROM fsgov_ship",
        "ALTER FUNCTION fsgov.enter_call(jsonb) SECURITY INVOKER",
        "CREATE POLICY more ON fsgov.calls USING (true)",
        "GRANT USAGE ON SCHEMA fsgov TO PUBLIC",
    ],
)
def test_every_difference_would_be_seen(finished: World, change: str) -> None:
    assert described(finished, change) != described(finished)
