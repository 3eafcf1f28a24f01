"""`fsgov people`: who may act, each with an own login of the database."""

from __future__ import annotations

import click

from fsgov.cli.frame import Frame, Group, pass_frame

ROLES = ("agent", "supervisor", "privacy", "auditor", "ops", "integrator")


@click.group(cls=Group, example="fsgov people list --json")
def people() -> None:
    """Who may act: each person is a login of the database, in roles and tenants."""


@people.command(example="fsgov people add alice --role supervisor --os-user alice")
@click.argument("login")
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help="One or more.")
@click.option("--os-user", default="", help="User of the switch hosts, for live acts.")
@click.option("--tenant", "tenants", multiple=True, help="One or more; without it every tenant and the log.")
@pass_frame
def add(frame: Frame, login: str, roles: tuple[str, ...], os_user: str, tenants: tuple[str, ...]) -> None:
    """Make a login with a one-time password, which is shown once and kept nowhere."""
    from fsgov.catalog import people as catalog

    with frame.database() as dsn:
        added = catalog.add(dsn, login, roles, os_user=os_user, tenants=tenants or (catalog.EVERY_TENANT,))
    frame.facts({"login": added.login, "person": added.person, "password": added.password})


@people.command("list", example="fsgov people list")
@pass_frame
def list_(frame: Frame) -> None:
    """All people, the disabled too."""
    from fsgov.catalog import people as catalog

    with frame.database() as dsn:
        found = catalog.everybody(dsn)
    frame.rows(
        found,
        {
            "person": lambda row: row.id,
            "login": lambda row: row.login,
            "os user": lambda row: row.os_user,
            "roles": lambda row: [role.removeprefix("fsgov_") for role in row.roles],
            "tenants": lambda row: row.tenants,
            "added": lambda row: row.added_at,
            "disabled": lambda row: row.disabled_at,
        },
        "nobody yet: fsgov people add",
    )


@people.command(example="fsgov people disable bob")
@click.argument("login")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@pass_frame
def disable(frame: Frame, login: str, yes: bool, dry_run: bool) -> None:
    """Shut a login; what it did stays in the log under its person id."""
    from fsgov.catalog import people as catalog
    from fsgov.errors import NotFound

    with frame.database() as dsn:
        found = next((row for row in catalog.everybody(dsn) if row.login == login), None)
        if found is None:
            raise NotFound("There is no such person", login, "fsgov people list")
        if dry_run:
            frame.said(
                f"would shut {login} ({found.id})", {"person": found.id, "login": login, "done": False}
            )
            return
        if not yes:
            click.confirm(f"Shut {login} ({found.id})?", abort=True, err=True)
        person = catalog.disable(dsn, login)
    frame.said(f"{login} ({person}) acts no more", {"person": person, "login": login, "done": True})
