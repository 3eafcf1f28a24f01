"""`fsgov db`: make, upgrade and describe the database."""

from __future__ import annotations

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, Group, pass_frame
from fsgov.errors import BadConfiguration


@click.group(cls=Group, example="fsgov db status")
def db() -> None:
    """Make, upgrade and describe the database."""


@db.command(example="fsgov db init")
@pass_frame
def init(frame: Frame) -> None:
    """Make what is missing: roles, schema, the log, the logins of the services, buckets of `file:` vaults.

    Needs a login that may create roles ([admin], or the superuser of an embedded database). The passwords of
    the services are written to database.credentials. Again on a finished database it changes nothing.
    """
    from fsgov.catalog import migrate
    from fsgov.vault import open_bucket

    settings = frame.settings
    credentials = settings.database.credentials
    if credentials is None:
        raise BadConfiguration(
            "There is no place for the passwords of the services",
            "database.credentials is missing",
            'credentials = "/etc/fsgov/logins": a directory that only fsgov may read',
        )
    with frame.database(create=True) as dsn:
        status = migrate.init(dsn, credentials)
    made = []
    for vault in settings.vaults.values():
        for url in filter(None, (vault.url, vault.keys)):
            if url.startswith("file:"):
                open_bucket(url).create()
                made.append(url)
    facts = {"step": status.step, "log": status.log_id, "credentials": credentials, "buckets": made}
    frame.said(f"the database is ready: step {status.step}, log {status.log_id}", facts)


@db.command(example="fsgov db upgrade")
@pass_frame
def upgrade(frame: Frame) -> None:
    """Apply the steps that this database has not had, each in a transaction of its own."""
    from fsgov.catalog import migrate

    with frame.database() as dsn:
        applied = migrate.upgrade(dsn)
        status = migrate.status(dsn)
    words = f"applied {', '.join(map(str, applied))}" if applied else "nothing to do"
    frame.said(f"{words}: step {status.step}", {"applied": applied, "step": status.step})


@db.command("status", example="fsgov db status --json")
@pass_frame
def status_(frame: Frame) -> None:
    """Which step the database has had, and which one this program needs; 3 where they differ."""
    from fsgov.catalog import migrate

    with frame.database() as dsn:
        status = migrate.status(dsn)
    frame.facts(
        {"step": status.step, "needed": status.newest, "current": status.current, "log": status.log_id}
    )
    if not status.current:
        hint = "fsgov db init" if status.step == 0 else "fsgov db upgrade"
        raise BadConfiguration(
            "The database does not fit this program", f"step {status.step}, needed {status.newest}", hint
        )


@db.command(example="fsgov db restored --dry-run\nfsgov db restored --yes")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
def restored(frame: Frame, dry_run: bool, yes: bool) -> None:
    """Take up a database that was restored from an older dump: a new log, after the last known checkpoint.

    On keep's host, with the login of db init, and with ship and keep stopped everywhere. Lines that the dump
    lacks are put back from the file sink, erased recordings stay erased, and each ship enters again what its
    spool keeps. Nothing is done where that was done already. From then on purge waits for two persons:
    fsgov purge lost, fsgov purge resume.
    """
    from fsgov.catalog.restoring import restoring
    from fsgov.restored import take_up

    settings = frame.settings
    settings.need("keep")
    with frame.database() as dsn:
        with restoring(dsn) as database:
            found = take_up(settings, database, only_look=True)
        if not (found.already or dry_run):
            if not yes:
                what = f"the database lacks {found.behind} lines of {found.prior.log_id}"
                click.confirm(
                    f"{what}: open a new log after its line {found.prior.size}?", abort=True, err=True
                )
            with restoring(dsn) as database:
                found = take_up(settings, database, only_look=False)
    facts = {
        "done": bool(found.log_id) and not found.already,
        "already": found.already,
        "log": found.log_id or None,
        "prior_log": found.prior.log_id,
        "prior_size": found.prior.size,
        "prior_time": found.prior.time,
        "lines_here": found.lines_here,
        "lines_entered_again": found.entered,
        "copy": found.copy,
        "erased": found.erased,
        "keys_destroyed_again": found.keys,
        "forgotten": len(found.forgotten),
        "rows_nulled_again": found.rows,
        "requests_back": found.requests,
        "holds_lost": found.holds,
        "lost_acts": found.lost,
    }
    if found.already:
        frame.said(f"{found.log_id} is open already, and nothing was written to it yet", facts)
    elif dry_run:
        frame.said(
            f"{found.prior.log_id} had {found.prior.size} lines, {found.lines_here} are here;"
            f" {'a copy' if found.copy else 'no copy'} has the others; {len(found.erased)} erased recordings",
            facts,
        )
    else:
        frame.said(
            f"{found.log_id} follows {found.prior.log_id} at {found.prior.size}: {found.entered} lines"
            f" entered again, {found.keys} keys destroyed again, {found.rows} people's rows nulled again,"
            f" {found.requests} requests of people back; start ship and keep. Nothing is destroyed before two"
            f" persons have looked at what was lost ({found.lost.get('open', 0)} open): fsgov purge lost",
            facts,
        )
        if found.holds and not frame.json:
            output.print_line(
                f"{found.holds} holds are lost: nothing at all is destroyed until they are placed again, and"
                " released as they are now: fsgov hold list"
            )
