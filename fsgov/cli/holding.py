"""`fsgov hold`: what must not be destroyed, whatever its period says, until two persons let it go."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, Group, a_call, a_path, pass_frame
from fsgov.cli.held import items_of
from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.catalog.holds import HoldRow, Holds, Item, Placed

WHAT = click.argument("what", nargs=-1)
FROM = click.option(
    "--from", "file", type=a_path(allow_dash=True), help="A file with one WHAT a line, as many as there are."
)
QUERY = click.option(
    "--query",
    multiple=True,
    metavar="NAME=VALUE",
    help="Calls that fit all of these: since, until, direction, outcome, rule, tag, number, subject.",
)
REGION = click.option("--region", help="How numbers without + are read (ISO 3166); else the tenant's region.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be held; nothing is.")


@click.group(cls=Group, example="fsgov hold list")
def hold() -> None:
    """Legal holds: nothing of them is destroyed, by any path, until two logins have let it go.

    Placing and releasing is for the roles supervisor and privacy, approving a release for privacy.
    """


@contextmanager
def placing(frame: Frame) -> Iterator[Holds]:
    """This person's holds."""
    from fsgov.catalog.holds import Holds

    with frame.database() as dsn, closing(Holds(dsn)) as person:
        yield person


@hold.command(example="fsgov hold place +493012345678 --matter 'Weber ./. us, 7 O 12/26' --custodian legal")
@WHAT
@click.option("--matter", required=True, help="The case, the order, the ticket; kept in the row alone.")
@click.option("--custodian", default="", help="Who answers for it: a name or an office.")
@click.option("--reason", default="", help="Why; kept in the row alone.")
@click.option("--complaint", is_flag=True, help="Open a complaint case with it, closed by its release.")
@click.option("--tenant", help="Of this tenant alone; else of the one that you act for, or of every one.")
@FROM
@QUERY
@REGION
@DRY_RUN
@pass_frame
def place(
    frame: Frame,
    what: tuple[str, ...],
    matter: str,
    custodian: str,
    reason: str,
    complaint: bool,
    tenant: str | None,
    file: Path | None,
    query: tuple[str, ...],
    region: str | None,
    dry_run: bool,
) -> None:
    """Hold calls and recordings: those that are there, and those that come.

    WHAT is a call, a segment, a number (with +) or a case by its id; call:ID, segment:ID, number:1001,
    subject:ID and case:ID say what is meant. A subject is whom the CRM calls so, as in `subject find`.
    There is no limit on how many. In force when the command returns.
    """
    items = list(items_of(frame.settings, what, file, query, region, tenant))
    with placing(frame) as person:
        placed = person.place(
            items, matter, custodian, reason, tenant=tenant, complaint=complaint, dry=dry_run
        )
    _said(frame, items, placed, dry_run)


@hold.command(example="fsgov hold add h-abcdefghijkl subject:K-17")
@click.argument("id_", metavar="HOLD")
@WHAT
@FROM
@QUERY
@REGION
@DRY_RUN
@pass_frame
def add(
    frame: Frame,
    id_: str,
    what: tuple[str, ...],
    file: Path | None,
    query: tuple[str, ...],
    region: str | None,
    dry_run: bool,
) -> None:
    """Hold more of the same matter. A release that somebody had asked for has to be asked again."""
    items = list(items_of(frame.settings, what, file, query, region, None))
    with placing(frame) as person:
        placed = person.add(_an_id(id_), items, dry=dry_run)
    _said(frame, items, placed, dry_run)


@hold.command(example="fsgov hold release h-abcdefghijkl --reason 'settled on 2026-11-20'")
@click.argument("id_", metavar="HOLD")
@click.option("--reason", required=True, help="Why it may end; kept in the row alone.")
@pass_frame
def release(frame: Frame, id_: str, reason: str) -> None:
    """Ask that a hold end. It stays in force until another login approves."""
    with placing(frame) as person:
        person.ask_release(_an_id(id_), reason)
    frame.said(
        f"asked; {id_} stays in force until another login says: fsgov hold approve {id_}",
        {"hold": id_, "state": "release asked"},
    )


@hold.command(example="fsgov hold approve h-abcdefghijkl --yes")
@click.argument("id_", metavar="HOLD")
@click.option("--refuse", is_flag=True, help="It is not to end: nobody waits for approval any more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@pass_frame
def approve(frame: Frame, id_: str, refuse: bool, yes: bool, dry_run: bool) -> None:
    """End a hold whose release another login has asked for; what no other hold is on goes on its way."""
    with placing(frame) as person:
        row, _, extent, _ = person.hold(_an_id(id_))
        words = f"{id_} ({output.clean(row.matter)}; {extent.calls} calls, {extent.segments} recordings)"
        if not dry_run and not refuse and not yes:
            asked = f", as {row.asked_by} has asked: {output.clean(row.asked_why)}" if row.asked_by else ""
            click.confirm(f"Release {words}{asked}?", abort=True, err=True)
        if not dry_run:
            (person.refuse_release if refuse else person.approve_release)(id_)
    done = "stays in force" if refuse else "is released"
    frame.said(
        f"{'would be done: ' * dry_run}{words} {done}",
        {"hold": id_, "state": "in force" if refuse else "released", "done": not dry_run},
    )


@hold.command("list", example="fsgov hold list\nfsgov hold list --of 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab")
@click.option("--of", metavar="ID", help="On this call or segment.")
@click.option("--released", is_flag=True, help="Those that are over as well.")
@pass_frame
def list_(frame: Frame, of: str | None, released: bool) -> None:
    """The holds in force, the newest first."""
    with placing(frame) as person:
        found = person.holds(released=released, of_call=of and a_call(of))
    frame.rows(
        found,
        {
            "hold": lambda row: row.id,
            "state": lambda row: row.state,
            "matter": lambda row: row.matter,
            "custodian": lambda row: row.custodian,
            "complaint": lambda row: row.complaint,
            "items": lambda row: row.items,
            "tenant": lambda row: row.tenant,
            "placed": lambda row: row.placed_at,
            "by": lambda row: row.placed_by,
        },
        "no such hold",
    )


@hold.command(example="fsgov hold show h-abcdefghijkl")
@click.argument("id_", metavar="HOLD")
@pass_frame
def show(frame: Frame, id_: str) -> None:
    """One hold: what it is about, how much it holds now, and what it came too late for."""
    with placing(frame) as person:
        row, items, extent, late = person.hold(_an_id(id_))
    if frame.json:
        output.print_json({"hold": row, "items": items, "extent": extent, "late": late})
        return
    output.print_facts(_facts(row) | {"calls": extent.calls, "recordings": extent.segments})
    for item in items[:20]:
        output.print_line(f"  {item.kind}: {output.cell(item.filter or item.value)}")
    if len(items) > 20:
        output.print_line(f"  and {len(items) - 20} more: --json")
    for gone in late:
        output.print_line(
            f"  too late: {gone.segment} is {gone.state}" + f": {gone.reason}" * bool(gone.reason)
        )


def _facts(row: HoldRow) -> dict[str, object]:
    return {name.replace("_", " "): value for name, value in output.plain(row).items() if name != "items"}


def _said(frame: Frame, items: Sequence[Item], placed: Placed, dry: bool) -> None:
    if frame.json:
        ids = {"hold": None, "case": None} if dry else {}
        output.print_json({**output.plain(placed), **ids, "items": items, "done": not dry})
        return
    extent = placed.extent
    much = f"{extent.calls} calls and {extent.segments} recordings, and what comes"
    if dry:
        output.print_line(f"would hold {much}")
    else:
        of = f"{placed.hold} (complaint {placed.case})" if placed.case else placed.hold
        output.print_line(f"{of} holds {much}; fsgov hold release {placed.hold} is the first step to its end")
    if extent.unknown:
        output.print_line(f"{extent.unknown} of the ids are not in the catalog (yet)")
    for gone in placed.late:
        why = f": {gone.reason}" if gone.reason else ""
        output.print_line(f"too late for {gone.segment}, which is {gone.state}{why}")


def _an_id(text: str) -> str:
    if not re.fullmatch(r"h-[a-z]{8,20}", text):
        raise BadUsage("This is no id of a hold", repr(text[:40]), "fsgov hold list shows ids")
    return text
