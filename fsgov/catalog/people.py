"""People and their logins: `people add`, `list`, `disable`. For an administrator of the database.

A person is a PostgreSQL login in group roles, a random `people.id`, an OS user for live acts, and tenants.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from psycopg2 import extensions, sql

from fsgov.catalog.connection import Cursor, committed, connect
from fsgov.catalog.rows import PersonRow, selected
from fsgov.errors import BadUsage, Conflict, NotPermitted

ROLES = ("agent", "supervisor", "privacy", "auditor", "ops", "integrator")
EVERY_TENANT = "*"


@dataclass(frozen=True, slots=True)
class Added:
    """A new person. `password` is shown once and kept nowhere; its owner changes it."""

    person: str
    login: str
    password: str


def add(
    admin_dsn: str,
    login: str,
    roles: Sequence[str],
    *,
    os_user: str = "",
    tenants: Sequence[str] = (EVERY_TENANT,),
) -> Added:
    """Makes login, group roles and person in one transaction; `*` is every tenant, and the event log.

    Raises BadUsage, Conflict (the login or OS user is there), NotPermitted, Unreachable.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,62}", login) or login.startswith(("pg_", "fsgov_")):
        raise BadUsage("This is no login for a person", login, "lower-case letters first, not pg_ or fsgov_")
    if not roles or not set(roles) <= set(ROLES):
        raise BadUsage("A person has one role or more", ", ".join(roles), f"roles: {', '.join(ROLES)}")
    if not tenants or "" in tenants:
        raise BadUsage("A person has one tenant or more", "", "`*` is every tenant")
    password = secrets.token_urlsafe(18)
    with (
        closing(connect(admin_dsn, application="fsgov people")) as connection,
        committed(connection) as cursor,
    ):
        if _there(cursor, login):
            raise Conflict("This login is there already", login, "take another, or drop the role")
        verifier = extensions.encrypt_password(password, login, connection, "scram-sha-256")
        name = sql.Identifier(login)
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier)))
        for role in roles:
            cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(f"fsgov_{role}"), name))
        cursor.execute("SELECT fsgov.people_add(%s, %s, %s)", (login, os_user, list(tenants)))
        (person,) = cursor.fetchone() or ("",)
    return Added(person, login, password)


def disable(admin_dsn: str, login: str) -> str:
    """This person acts no more: every act is refused, the login is shut. Answers people.id.

    Connections that still run are ended, where this administrator may do that.
    """
    with closing(connect(admin_dsn, application="fsgov people")) as connection:
        with committed(connection) as cursor:
            cursor.execute("SELECT fsgov.people_disable(%s)", (login,))
            (person,) = cursor.fetchone() or ("",)
            if _there(cursor, login):
                cursor.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(login)))
        with suppress(NotPermitted), committed(connection) as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (login,)
            )
    return str(person)


def everybody(admin_dsn: str) -> list[PersonRow]:
    """All people, the disabled too, in the order they were added."""
    with (
        closing(connect(admin_dsn, application="fsgov people")) as connection,
        committed(connection) as cursor,
    ):
        return selected(
            cursor,
            PersonRow,
            """(
                SELECT p.*, fsgov.roles_of(p.login) AS roles,
                       ARRAY(SELECT m.tenant FROM fsgov.memberships m
                             WHERE m.person = p.id ORDER BY 1) AS tenants
                FROM fsgov.people p) AS found ORDER BY added_at, id""",
        )


def _there(cursor: Cursor, login: str) -> bool:
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (login,))
    return cursor.fetchone() is not None
