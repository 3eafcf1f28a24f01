"""`fsgov stop`: the kill switch. No recording for a number, a tenant or a host, from now on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from fsgov.cli import live
from fsgov.cli.frame import Command, Frame, pass_frame
from fsgov.cli.inforce import acting
from fsgov.errors import BadUsage

KINDS = ("number", "tenant", "host")
A_NUMBER = re.compile(r"[+]?[0-9*#][0-9*# ()./-]*")
BETWEEN = str.maketrans("", "", " ()./-")
PLACE = "/v1/stops"


@click.command(cls=Command, example="fsgov stop +493012345678 --reason 'court order 17/26'")
@click.argument("what", required=False)
@click.option("--reason", default="", help="Why; kept in the row, never in the log.")
@click.option("--list", "list_", is_flag=True, help="The stops in force.")
@click.option("--lift", metavar="ID", help="End this stop: calls are recorded again as their rules say.")
@click.option("--local", is_flag=True, help="On this host alone, through its daemon: without the database.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@pass_frame
def stop(
    frame: Frame,
    what: str | None,
    reason: str,
    list_: bool,
    lift: str | None,
    local: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """No recording for a number, a tenant or a host, from now on: what runs is stopped, nothing begins.

    WHAT is a number (E.164, or as the switch gives it), the name of a tenant or a host; tenant:NAME and
    host:NAME where that is not clear. In force on every host within a second, until it is lifted. For the
    roles supervisor and privacy.
    """
    if (what is not None) + list_ + (lift is not None) != 1:
        raise BadUsage("Say what to stop, or --list, or --lift ID", "", "fsgov stop --help")
    if list_:
        _list(frame, local)
    elif lift is not None:
        _lift(frame, lift, local, dry_run)
    elif what is not None:
        _stop(frame, what, reason, local, yes, dry_run)


def _stop(frame: Frame, what: str, reason: str, local: bool, yes: bool, dry_run: bool) -> None:
    settings = frame.settings

    def ask(kind: str, of: str) -> None:
        where = f"on {settings.host}" if local else "on every host"
        if not dry_run and not yes:
            click.confirm(f"Stop every recording of {kind} {of} {where}?", abort=True, err=True)

    if local:
        kind, of = meant(
            what, lambda name: name in {*settings.tenants, "default"}, lambda name: name == settings.host
        )
        ask(kind, of)
        if dry_run:
            _would(frame, kind)
            return
        said = live.ask(settings.control.socket, "POST", PLACE, {"kind": kind, "what": of})[1]
        id_ = str(said["id"])
    else:
        with acting(frame) as person:
            kind, of = meant(what, person.is_tenant, person.is_host)
            ask(kind, of)
            if dry_run:
                _would(frame, kind)
                return
            id_ = person.place(kind, of, reason)
    frame.said(
        f"{id_}: no recording of this {kind} any more; fsgov stop --lift {id_}{' --local' * local} ends it",
        {"id": id_, "kind": kind, "done": True},
    )


def _would(frame: Frame, kind: str) -> None:
    frame.said(f"would stop every recording of this {kind}", {"id": None, "kind": kind, "done": False})


def _lift(frame: Frame, id_: str, local: bool, dry_run: bool) -> None:
    if not re.fullmatch(r"s-[a-z]{8,20}", id_):
        raise BadUsage("This is no id of a stop", repr(id_[:40]), "fsgov stop --list shows ids")
    if not dry_run:
        if local:
            live.ask(frame.settings.control.socket, "DELETE", f"{PLACE}/{id_}")
        else:
            with acting(frame) as person:
                person.lift(id_)
    said = "would lift" if dry_run else "lifted"
    frame.said(f"{said} {id_}", {"id": id_, "done": not dry_run})


def _list(frame: Frame, local: bool) -> None:
    nothing = "no stop is in force"
    if local:
        rows: list[dict[str, Any]] = live.ask(frame.settings.control.socket, "GET", PLACE)[1]
        frame.rows(
            rows,
            {
                "id": lambda row: row["id"],
                "kind": lambda row: row["kind"],
                "of": lambda row: row["number"] or row["host"] or row["tenant"],
            },
            nothing,
        )
        return
    with acting(frame) as person:
        frame.rows(
            person.stops(),
            {
                "id": lambda row: row.id,
                "kind": lambda row: row.kind,
                "of": lambda row: row.number or row.host or row.tenant,
                "tenant": lambda row: row.tenant,
                "since": lambda row: row.placed_at,
                "by": lambda row: row.placed_by,
                "reason": lambda row: row.reason,
            },
            nothing,
        )


def meant(what: str, is_tenant: Callable[[str], bool], is_host: Callable[[str], bool]) -> tuple[str, str]:
    """Kind and name of what somebody wrote. Raises BadUsage where that is not one thing."""
    kind, colon, name = what.partition(":")
    if colon and kind in KINDS and name:
        return kind, name.translate(BETWEEN) if kind == "number" else name
    if A_NUMBER.fullmatch(what):
        return "number", what.translate(BETWEEN)
    found = [kind for kind, so in (("tenant", is_tenant(what)), ("host", is_host(what))) if so]
    if len(found) != 1:
        why = "it is a tenant and a host" if found else "no such tenant or host is known"
        raise BadUsage("It is not clear what to stop", f"{what}: {why}", f"tenant:{what} or host:{what}")
    return found[0], what
