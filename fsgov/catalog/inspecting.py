"""What a service login sees of its own rights, of row security and of the database's clock: `fsgov check`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from fsgov.catalog.connection import Cursor, committed, connect
from fsgov.catalog.migrate import Status, status_of

EVERY = frozenset({"whoami", "my_tenants"})
CALLS: Mapping[str, frozenset[str]] = {
    "govern": EVERY | {"policy_in_force", "stops_in_force", "people_of_hosts", "keep_heard"},
    "ship": EVERY
    | {"enter_lines", "entered", "enter_policy", "enter_call", "revise_outcome", "enter_segment"}
    | {"note_lock", "take_artefact", "artefact_stored"}
    | {"current_log", "is_retold", "erased_among"},
    "keep": EVERY
    | {"enter_lines", "entered", "be_sequencer", "sequence", "store_checkpoint", "sink_reached", "keep_says"}
    | {"scrub_due", "scrubbed", "scrub_faults"}
    | {"enter_statement"}
    | {"enter_periods", "held", "held_segments", "planned_segments", "forget_calls"}
    | {"erasures", "found_records", "promised_records", "note_records", "plan_erasure", "unname_party"}
    | {"erasure_done", "forget_subjects", "subjects_due"}
    | {"mirrors_due", "mirrored", "mirrors_failing"}
    | {"remind_quarantines", "end_quarantines", "quarantines_open"}
    | {"note_lock", "locked_until", "policies_that_lock", "lockable", "policy_text", "objects_of"}
    | {"replica_of", "lack_of_replica", "copies_due", "copies_open", "copies_interrupted", "copy_begins"}
    | {"copy_key", "copy_failed", "copy_refused", "copy_proven", "copy_gone", "copy_may_leave"}
    | {"copies_to_prove", "copy_looked"}
    | {"begin_plan", "plan_work", "plan_next", "put_off"}
    | {"begin_destruction", "unfinished", "note_versions", "destroy_keys", "certify", "destruction_waits"}
    | {"detached_due", "artefact_removed"}
    | {"canary_done", "end_plan", "halt_plan", "be_purger", "item_counts"}
    | {"add_to_plan", "begin_removal", "begin_run", "destroyed_among", "end_removal", "end_run"}
    | {"latched", "note_returned", "returned_open", "schedules_open"},
}
"""The functions of schema.sql that each part's login may call (a test compares them with its grants)."""
POWERS = ("superuser", "bypasses row security", "may create roles", "may create databases", "may replicate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What the database said to one login.

    ahead: seconds by which this host's clock is ahead of the database's, as far as the way there does not
    explain it. unguarded: tables without forced row security. lacks, exceeds: functions it may not call and
    should, may call and should not.
    """

    login: str
    version: str
    major: int
    ahead: float
    status: Status
    tables: int = 0
    unguarded: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    reads_keys: bool = False
    lacks: tuple[str, ...] = ()
    exceeds: tuple[str, ...] = ()


def inspect(dsn: str, part: str, password: str | None) -> Inspected:
    """Reads only. Raises Unreachable, NotPermitted, BadConfiguration."""
    login = f"fsgov_{part}"
    with (
        closing(connect(dsn, login, password, application="fsgov check")) as connection,
        committed(connection) as cursor,
    ):
        ahead = _ahead(cursor)
        cursor.execute("SELECT current_setting('server_version'), current_setting('server_version_num')::int")
        version, number = cursor.fetchone() or ("", 0)
        seen = Inspected(
            login=login,
            version=str(version).partition(" ")[0],
            major=number // 10_000,
            ahead=ahead,
            status=status_of(cursor),
        )
        return _rights(cursor, seen, CALLS[part]) if seen.status.step else seen


def _rights(cursor: Cursor, seen: Inspected, calls: frozenset[str]) -> Inspected:
    cursor.execute(
        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
        " WHERE relnamespace = 'fsgov'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
    )
    tables = cursor.fetchall()
    cursor.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
        " WHERE rolname = session_user"
    )
    powers = cursor.fetchone() or ()
    cursor.execute(
        "SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'fsgov_') AND rolname <> session_user"
        " AND pg_has_role(session_user, oid, 'MEMBER') ORDER BY 1"
    )
    roles = cursor.fetchall()
    cursor.execute("SELECT has_any_column_privilege('fsgov.segment_keys', 'SELECT')")
    (reads,) = cursor.fetchone() or (False,)
    cursor.execute(
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'fsgov'::regnamespace"
        " AND has_function_privilege(oid, 'EXECUTE') ORDER BY 1"
    )
    may = {str(name) for (name,) in cursor.fetchall()}
    return Inspected(
        login=seen.login,
        version=seen.version,
        major=seen.major,
        ahead=seen.ahead,
        status=seen.status,
        tables=len(tables),
        unguarded=tuple(name for name, guarded in tables if not guarded),
        powers=tuple(name for name, has in zip(POWERS, powers, strict=False) if has),
        roles=tuple(name for (name,) in roles),
        reads_keys=bool(reads),
        lacks=tuple(sorted(calls - may)),
        exceeds=tuple(sorted(may - calls)),
    )


def _ahead(cursor: Cursor) -> float:
    before = time.time()
    cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
    after = time.time()
    row = cursor.fetchone()
    there = float(row[0]) if row else before
    return before - there if there < before else min(after - there, 0.0)
