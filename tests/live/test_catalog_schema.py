"""The database itself: made, made again, upgraded; its tables, comments, rights."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import psycopg2
import pytest

from fsgov import embedded
from fsgov.catalog import migrate
from fsgov.catalog.keep import Edge
from fsgov.errors import BadConfiguration, Conflict, NotPermitted, Unreachable
from tests.parts.catalog import World

TABLES = {
    "version", "people", "memberships", "calls", "legs", "parties", "consents", "tags", "segments",
    "holds", "hold_items", "hold_sources", "hold_calls", "hold_segments", "cases", "mirrors", "reviews",
    "segment_keys", "masks", "policies", "accesses", "origins", "outbox", "log", "event_log",
    "checkpoints", "sinks", "keepers", "activations", "stops", "scrubs", "noted", "provenance",
    "session_counts", "statements", "erased", "returned", "retold", "plans", "plan_items", "certificates",
    "schedules", "schedule_runs",
    "subject_requests", "subject_records", "forgotten",
    "copies", "replicas", "locks",
    "anchors", "periods", "retention_moves",
    "artefacts", "artefact_bytes", "bundles",
    "rotations", "rotation_batches", "refused_accesses",
    "restores", "lost_acts",
}  # fmt: skip
GROUPS = ("agent", "supervisor", "privacy", "auditor", "ops", "integrator")
ROWS = {"calls", "legs", "segments", "masks", "tags", "holds", "consents", "version"}
SUBJECTS = {"subject_requests", "subject_records", "forgotten"}
LOG = {"origins", "outbox", "log", "event_log", "checkpoints", "sinks", "keepers"}
LOG |= {"session_counts", "statements"}
COPIES = {"copies", "replicas", "locks"}
NUMBERS = {"parties", "policies", "activations", "stops", "scrubs", "provenance"} | COPIES
RETENTION = {"anchors", "periods", "retention_moves"}
PURGE = {"schedules", "schedule_runs", "plans", "plan_items", "certificates", "erased", "returned"}
ROTATIONS = {"rotations", "rotation_batches"}
# Who may SELECT from what; `calls-` and `consents-`: without the columns that hold numbers.
MAY_READ = {
    "agent": ROWS - {"calls", "consents"} | {"calls-", "consents-", "stops-"},
    "ops": ROWS - {"calls", "consents"}
    | {"calls-", "consents-", "stops-", "policies", "activations", "scrubs", "noted"}
    | COPIES
    | RETENTION
    | {"certificates", "erased", "returned"}
    | LOG,
    "integrator": ROWS - {"calls", "consents"} | {"calls-", "consents-", "periods", "retention_moves-"} | LOG,
    "supervisor": ROWS | NUMBERS | RETENTION | PURGE | LOG | ROTATIONS,
    "privacy": ROWS
    | NUMBERS
    | {"accesses", "refused_accesses", "people", "memberships"}
    | SUBJECTS
    | RETENTION
    | PURGE
    | LOG
    | ROTATIONS,
    "auditor": ROWS
    | NUMBERS
    | {"accesses", "refused_accesses", "people", "memberships", "noted"}
    | SUBJECTS
    | RETENTION
    | PURGE
    | LOG
    | ROTATIONS,
    "govern": {"version"},
    "ship": {"version"},
    "keep": {"version", "calls-", "legs-", "segments-", "consents-", "policies"} | RETENTION | LOG,
}
for _role in ("supervisor", "privacy", "auditor"):
    MAY_READ[_role] |= {"artefacts"}
for _role in ("ops", "integrator"):
    MAY_READ[_role] |= {"artefacts-"}
for _role in ("privacy", "auditor"):
    MAY_READ[_role] |= {"bundles"}
HOLDS = {"hold_items", "hold_sources", "hold_calls", "hold_segments", "cases", "mirrors", "reviews"}
for role in ("agent", "ops", "integrator"):
    MAY_READ[role] = MAY_READ[role] - {"holds"} | {"holds-"}
for role in ("supervisor", "privacy", "auditor"):
    MAY_READ[role] |= HOLDS
MAY_READ["ops"] |= {"mirrors"}
for role in ("supervisor", "privacy", "auditor", "ops"):
    MAY_READ[role] |= {"restores", "lost_acts"}
FUNCTIONS = {
    "enter_lines": {"ship", "keep"},
    "entered": {"ship", "keep"},
    "enter_policy": {"ship"},
    "enter_call": {"ship"},
    "enter_segment": {"ship"},
    "revise_outcome": {"ship"},
    "request_access": {"supervisor", "privacy", "auditor"},
    "release_key": {"supervisor", "privacy", "auditor"},
    "refused_access": {*GROUPS},
    "whoami": {*GROUPS, "govern", "ship", "keep"},
    "my_tenants": {*GROUPS, "govern", "ship", "keep"},
    "people_of_hosts": {"govern"},
    "policy_in_force": {"govern"},
    "stops_in_force": {"govern"},
    "activate_policy": {"privacy"},
    "approve_policy": {"privacy", "supervisor"},
    "place_stop": {"privacy", "supervisor"},
    "lift_stop": {"privacy", "supervisor"},
    "is_held": set(GROUPS),
    "hold_extent": {"supervisor", "privacy", "auditor"},
    "hold_late": {"supervisor", "privacy", "auditor"},
    "place_hold": {"privacy", "supervisor"},
    "add_to_hold": {"privacy", "supervisor"},
    "open_case": {"privacy", "supervisor"},
    "ask_release": {"privacy", "supervisor"},
    "refuse_release": {"privacy", "supervisor"},
    "approve_release": {"privacy"},
    "mirrors_due": {"keep"},
    "mirrored": {"keep"},
    "mirrors_failing": {"keep"},
    "set_quarantine": {"privacy", "supervisor"},
    "release_quarantine": {"privacy"},
    "remind_quarantines": {"keep"},
    "end_quarantines": {"keep"},
    "quarantines_open": {"keep"},
    "adopt_object": {"ops"},
    "adopt_artefact": {"ops"},
    "mark_object": {"ops"},
    "restored_object": {"ops"},
    "settle_call": {"ops"},
    "miss_segment": {"ops"},
    "note_difference": {"ops"},
    "difference_resolved": {"ops"},
    "is_accepted": {"supervisor", "privacy", "auditor", "ops"},
    "key_counts": {"privacy", "auditor", "ops"},
    "ask_rotation": {"privacy"},
    "approve_rotation": {"privacy", "supervisor"},
    "rotation_batch": {"privacy"},
    "release_batch": {"privacy"},
    "lock_batch": {"privacy"},
    "wrapped_batch": {"privacy"},
    "confirm_batch": {"privacy"},
    "copied_batch": {"privacy"},
    "rotation_left": {"privacy", "supervisor", "auditor"},
    "end_rotation": {"privacy"},
    "undo_rotation": {"privacy"},
    "scrub_due": {"keep"},
    "scrubbed": {"keep"},
    "scrub_faults": {"keep"},
    "be_sequencer": {"keep"},
    "sequence": {"keep"},
    "store_checkpoint": {"keep"},
    "sink_reached": {"keep"},
    "keep_says": {"keep"},
    "current_log": {"ship"},
    "is_retold": {"ship"},
    "enter_statement": {"keep"},
    "keep_heard": {"govern"},
    "find_subject": {"supervisor", "privacy", "auditor"},
    "open_subject_request": {"privacy"},
    "approve_erasure": {"privacy"},
    "answer_subject_request": {"privacy"},
    "subject_exported": {"privacy"},
    "erasures": {"keep"},
    "found_records": {"keep"},
    "promised_records": {"keep"},
    "note_records": {"keep"},
    "plan_erasure": {"keep"},
    "unname_party": {"keep"},
    "erasure_done": {"keep"},
    "forget_subjects": {"keep"},
    "subjects_due": {"keep"},
    "note_lock": {"ship", "keep"},
    "locked_until": {"keep", "supervisor", "privacy", "auditor", "ops"},
    "policies_that_lock": {"keep"},
    "lockable": {"keep"},
    "policy_text": {"keep"},
    "ask_copy": {"ops", "privacy"},
    "drop_copy": {"ops", "privacy"},
    "replica_of": {"keep"},
    "lack_of_replica": {"keep"},
    "copies_due": {"keep"},
    "copy_begins": {"keep"},
    "copy_key": {"keep"},
    "copy_failed": {"keep"},
    "copy_refused": {"keep"},
    "copy_proven": {"keep"},
    "copy_gone": {"keep"},
    "copy_may_leave": {"keep"},
    "copies_to_prove": {"keep"},
    "copy_looked": {"keep"},
    "copies_interrupted": {"keep"},
    "copies_open": {"keep"},
    "objects_of": {"keep", "privacy", "ops", "auditor"},
    "set_anchor": {"supervisor", "privacy", "integrator"},
    "enter_periods": {"keep"},
    "held": {"keep"},
    "forget_calls": {"keep"},
    "planned_segments": {"supervisor", "privacy", "auditor", "ops", "keep"},
    "propose_retention": {"privacy"},
    "approve_retention": {"privacy", "supervisor"},
    "held_segments": {"supervisor", "privacy", "auditor", "ops", "keep"},
    "destroyed_among": {"keep"},
    "note_returned": {"keep"},
    "ask_removal": {"ops"},
    "returned_open": {"keep"},
    "begin_removal": {"keep"},
    "end_removal": {"keep"},
    "draft_plan": {"privacy"},
    "add_to_plan": {"privacy", "keep"},
    "due_times": {"supervisor", "privacy", "auditor"},
    "propose_schedule": {"privacy"},
    "approve_schedule": {"privacy", "supervisor"},
    "end_schedule": {"privacy", "supervisor"},
    "schedules_open": {"keep"},
    "begin_run": {"keep"},
    "end_run": {"keep"},
    "seal_plan": {"privacy"},
    "propose_plan": {"privacy"},
    "approve_plan": {"privacy", "supervisor"},
    "stop_plan": {"privacy", "supervisor"},
    "settle_lost": {"privacy", "supervisor"},
    "ask_resume": {"privacy", "supervisor"},
    "approve_resume": {"privacy"},
    "latched": {"keep"},
    "begin_plan": {"keep"},
    "plan_work": {"keep"},
    "plan_next": {"keep"},
    "put_off": {"keep"},
    "begin_destruction": {"keep"},
    "unfinished": {"keep"},
    "note_versions": {"keep"},
    "destroy_keys": {"keep"},
    "certify": {"keep"},
    "canary_done": {"keep"},
    "end_plan": {"keep"},
    "halt_plan": {"keep"},
    "destruction_waits": {"keep"},
    "be_purger": {"keep"},
    "item_counts": {"keep"},
    "erased_among": {"ship"},
    "attach": {"supervisor", "privacy", "integrator"},
    "request_artefact": {"supervisor", "privacy", "auditor"},
    "ask_detach": {"supervisor", "privacy"},
    "approve_detach": {"privacy"},
    "detached_due": {"keep"},
    "artefact_removed": {"keep"},
    "take_artefact": {"ship"},
    "artefact_stored": {"ship"},
    "enter_bundle": {"privacy", "auditor"},
}


@pytest.fixture
def logins(database: str, passwords: Path, tmp_path: Path) -> Iterator[Path]:
    """A directory without passwords; those of the other tests are set again afterwards."""
    yield tmp_path / "logins"
    migrate.init(database, passwords)


def test_init_makes_it_and_again_changes_nothing(database: str, logins: Path) -> None:
    assert migrate.status(database).step == 0
    first = migrate.init(database, logins)
    assert first.current
    assert first.log_id.startswith("log-")
    before = {part: (logins / part).read_text() for part in migrate.PARTS}
    assert migrate.init(database, logins) == first
    assert {part: (logins / part).read_text() for part in migrate.PARTS} == before
    assert all(stat.S_IMODE((logins / part).stat().st_mode) == 0o600 for part in migrate.PARTS)
    assert len(set(before.values())) == 3


def test_the_services_log_in_with_the_passwords_of_the_files(finished: World) -> None:
    for part in migrate.PARTS:
        assert finished.sql(part, "SELECT session_user") == [(f"fsgov_{part}",)]


def test_passwords_never_reach_the_server_in_clear(finished: World) -> None:
    query = "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'fsgov_%' AND rolcanlogin"
    stored = finished.sql("admin", query)
    assert len(stored) == 3
    assert all(password.startswith("SCRAM-SHA-256$") for (password,) in stored)


def test_init_works_for_an_administrator_who_is_no_superuser(database: str, passwords: Path) -> None:
    world = World(database, passwords)
    name = database.rpartition("/")[2]
    world.sql("admin", "DROP ROLE IF EXISTS dba", "CREATE ROLE dba LOGIN CREATEROLE PASSWORD 'x'",
              f"ALTER DATABASE {name} OWNER TO dba",
              # on a fresh server it makes the roles itself; here the tests before it have made them
              *(f"GRANT {r} TO dba WITH ADMIN OPTION" for (r,) in world.sql(
                  "admin", "SELECT rolname FROM pg_roles WHERE rolname LIKE 'fsgov_%'")))  # fmt: skip
    dba = embedded.resolve(database, "dba", "x")
    assert migrate.init(dba, passwords).current
    assert world.sql("admin", "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'fsgov'") == [
        ("fsgov_owner",)
    ]


def test_upgrade_applies_each_missing_step_once(
    database: str, passwords: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.init(database, passwords)
    assert migrate.upgrade(database) == []
    later = [(2, "CREATE TABLE fsgov.two ()"), (3, "CREATE TABLE fsgov.three ()")]
    monkeypatch.setattr(migrate, "steps", lambda: iter(later))
    assert not migrate.status(database).current
    assert migrate.upgrade(database) == [2, 3]
    assert migrate.upgrade(database) == []
    assert migrate.status(database) == migrate.Status(3, 3, migrate.status(database).log_id)


def test_a_newer_database_is_left_alone(database: str, passwords: Path) -> None:
    migrate.init(database, passwords)
    World(database, passwords).sql("admin", "INSERT INTO fsgov.version (step, program) VALUES (99, 'x')")
    with pytest.raises(Conflict, match="newer"):
        migrate.upgrade(database)


def test_what_is_wrong_with_a_connection_is_told(database: str, passwords: Path) -> None:
    with pytest.raises(BadConfiguration, match="not made for fsgov"):
        migrate.upgrade(database)
    with pytest.raises(Unreachable):
        migrate.status("postgresql://postgres@127.0.0.1:1/x")
    with pytest.raises(NotPermitted):
        migrate.status(embedded.resolve(database, "postgres", "wrong"))
    with pytest.raises(BadConfiguration):
        migrate.status(embedded.resolve(database, database="nowhere"))
    with pytest.raises(BadConfiguration):
        migrate.status("postgresql://[")
    with pytest.raises(BadConfiguration, match="fsgov_ship"):
        migrate.service_password(passwords / "elsewhere", "ship")


# -- the tables ------------------------------------------------------------------------------------------


def test_every_table_has_a_tenant_and_forced_row_security(finished: World) -> None:
    rows = finished.sql(
        "admin",
        """SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
                  EXISTS (SELECT FROM pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND a.attnotnull)
           FROM pg_class c WHERE c.relnamespace = 'fsgov'::regnamespace AND c.relkind = 'r'""",
    )
    assert {name for name, _, _ in rows} == TABLES
    assert [row for row in rows if not (row[1] and row[2])] == []


def test_every_table_and_every_function_says_what_it_is(finished: World) -> None:
    assert finished.sql("admin", """SELECT relname FROM pg_class WHERE relnamespace = 'fsgov'::regnamespace
        AND relkind = 'r' AND obj_description(oid) IS NULL""") == []  # fmt: skip
    undocumented = finished.sql("admin", """SELECT proname FROM pg_proc
        WHERE pronamespace = 'fsgov'::regnamespace AND obj_description(oid) IS NULL""")  # fmt: skip
    assert undocumented == []


def test_every_instant_is_a_timestamptz(finished: World) -> None:
    assert finished.sql("admin", """SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'fsgov' AND data_type = 'timestamp without time zone'""") == []  # fmt: skip


@pytest.mark.parametrize("who", [*GROUPS, "govern", "ship", "keep"])
def test_who_may_read_which_table(finished: World, who: str) -> None:
    rows = finished.sql(
        "admin",
        """SELECT relname, has_table_privilege(%s, c.oid, 'SELECT'),
                  has_any_column_privilege(%s, c.oid, 'SELECT'),
                  has_table_privilege(%s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                  OR has_any_column_privilege(%s, c.oid, 'INSERT, UPDATE, REFERENCES')
           FROM pg_class c WHERE relnamespace = 'fsgov'::regnamespace AND relkind = 'r'""",
        values=[f"fsgov_{who}"] * 4,
    )
    read = {name for name, whole, _, _ in rows if whole}
    read |= {f"{name}-" for name, whole, some, _ in rows if some and not whole}
    assert read == MAY_READ[who]
    assert [name for name, _, _, writes in rows if writes] == [], "everybody writes through functions only"


@pytest.mark.parametrize("who", ["supervisor", "privacy", "auditor", "ship", "keep", "govern"])
def test_nobody_reads_a_key(finished: World, who: str) -> None:
    if who in GROUPS:
        finished.person(who, *GROUPS)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        finished.sql(who, "SELECT count(*) FROM fsgov.segment_keys")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        finished.sql(who, "COPY fsgov.segment_keys TO STDOUT")


@pytest.mark.parametrize("column", ["calls.inputs", "consents.evidence"])
@pytest.mark.parametrize("role", ["agent", "ops", "integrator"])
def test_columns_that_hold_numbers_are_not_for_everybody(finished: World, role: str, column: str) -> None:
    table, _, name = column.partition(".")
    finished.person("someone", role)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        finished.sql("someone", f"SELECT {name} FROM fsgov.{table}")


# -- the functions ---------------------------------------------------------------------------------------


def test_who_may_execute_which_function(finished: World) -> None:
    rows = finished.sql("admin", """SELECT p.proname, r.rolname FROM pg_proc p, pg_roles r
        WHERE p.pronamespace = 'fsgov'::regnamespace
        AND r.rolname LIKE 'fsgov_%' AND r.rolname <> 'fsgov_owner'
        AND has_function_privilege(r.oid, p.oid, 'EXECUTE')""")  # fmt: skip
    found: dict[str, set[str]] = {}
    for function, role in rows:
        found.setdefault(function, set()).add(role.removeprefix("fsgov_"))
    assert found == FUNCTIONS


def test_functions_have_a_fixed_search_path_and_one_owner(finished: World) -> None:
    rows = finished.sql("admin", """SELECT proname, proconfig, proowner::regrole::text FROM pg_proc
        WHERE pronamespace = 'fsgov'::regnamespace""")  # fmt: skip
    assert {tuple(config or ()) for _, config, _ in rows} == {("search_path=pg_catalog, fsgov, pg_temp",)}
    assert {owner for _, _, owner in rows} == {"fsgov_owner"}


def test_the_actor_is_never_current_user() -> None:
    """Of a definer function it is the owner, and SET ROLE changes it; session_user is the person."""
    text = (resources.files("fsgov") / "schema.sql").read_text()
    functions = text[text.index("-- == Who is asking") :]
    assert not re.search(r"\bcurrent_user\b|\bcurrent_role\b|current_setting", functions)


# -- what is never changed -------------------------------------------------------------------------------


REWRITES = ["UPDATE fsgov.{} SET tenant = 'x'", "DELETE FROM fsgov.{}", "TRUNCATE fsgov.{} CASCADE"]


@pytest.mark.parametrize("table", ["event_log", "checkpoints", "log", "policies"])
@pytest.mark.parametrize("how", REWRITES)
def test_even_the_owner_cannot_rewrite_the_log(world: World, table: str, how: str) -> None:
    keep = world.keep
    assert keep.lead()
    log_id = keep.log_id()
    with keep.moving() as move:
        size = move.into_log(log_id, 0, move.waiting(10))
    keep.store_checkpoint(log_id, Edge(size, b"", ()), "note")
    world.sql("ship", "SELECT fsgov.enter_policy('v', 't')")
    with pytest.raises(psycopg2.Error) as refused:
        world.sql("admin", "SET ROLE fsgov_owner", how.format(table))
    assert refused.value.pgcode == "FG403"
