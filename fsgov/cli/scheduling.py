"""`fsgov purge schedule`: what is due is destroyed each day or week, as two persons have approved once."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import output
from fsgov.cli.applying import purge
from fsgov.cli.frame import Frame, Group, pass_frame
from fsgov.cli.purging import YES, planning
from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.catalog.scheduling import ScheduleRow

__all__ = ["purge", "schedule"]

EVERY = ("day", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
CAUSES = ("expired", "dispose", "unreviewed", "in_review")


class ClockTime(click.ParamType):  # type: ignore[type-arg]
    """A time of day: 02:30."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> time:
        try:
            hour, minute = str(value).split(":")
            return time(int(hour), int(minute))
        except ValueError:
            self.fail(f"{value!r} is no time of day: 02:30", param, context)


class Calendar(click.ParamType):  # type: ignore[type-arg]
    """A length of calendar time, as policies write it: 1 year, 6 months, 90 days."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        from fsgov.policy.spans import span

        found = span(str(value))
        if found is None:
            self.fail(f"{value!r} is no length of time: 1 year, 6 months, 90 days", param, context)
        return found


@purge.group(cls=Group, example="fsgov purge schedule list")
def schedule() -> None:
    """Standing plans: approved once by a second login, run by keep each day or week, until they end."""


@schedule.command(
    example="fsgov purge schedule propose --every day --at 02:30 --timezone Europe/Berlin --most 500"
)
@click.option("--every", type=click.Choice(EVERY), required=True, help="Each day, or on this one each week.")
@click.option("--at", type=ClockTime(), required=True, help="When on that day, by the clocks of --timezone.")
@click.option("--timezone", required=True, help="As policies name it: Europe/Berlin.")
@click.option(
    "--most",
    type=click.IntRange(1),
    required=True,
    help="A run that finds more destroys nothing, and says so.",
)
@click.option("--tenant", help="Of this tenant; else of all that this login has.")
@click.option(
    "--cause",
    "causes",
    type=click.Choice(CAUSES),
    multiple=True,
    help="Only what is due for it; may be repeated.",
)
@click.option(
    "--grace-days",
    type=click.IntRange(0, 3650),
    default=0,
    show_default=True,
    help="Only what has been past its time for so long.",
)
@click.option(
    "--valid", type=Calendar(), default="1 year", show_default=True, help="It ends then; at most 1 year."
)
@click.option("--reason", default="", help="Why; kept in the row, never in the log.")
@YES
@pass_frame
def propose(
    frame: Frame,
    every: str,
    at: time,
    timezone: str,
    most: int,
    tenant: str | None,
    causes: tuple[str, ...],
    grace_days: int,
    valid: Any,
    reason: str,
    yes: bool,
) -> None:
    """Propose that what is due by the periods of the policies is destroyed each day, or once a week.

    It runs when another login has approved it, and cannot be changed: propose another, and end this one. For
    privacy.
    """
    from fsgov.catalog.scheduling import Schedules, Wanted

    if not yes:
        click.confirm("Propose a schedule to destroy recordings?", abort=True, err=True)
    with planning(frame) as (_, plans):
        whose, _ = plans.whose(tenant)
        schedules = Schedules(plans.database)
        wanted = Wanted(whose, every, at, timezone, causes or CAUSES, grace_days, most, reason, valid)
        row = schedules.schedule(schedules.propose(wanted))
    if frame.json:
        output.print_json(_facts(row))
        return
    _show(row)
    output.print_line(f"now somebody else: fsgov purge schedule approve {row.id}")


@schedule.command(example="fsgov purge schedule approve sc-abcdefghijkl")
@click.argument("schedule_", metavar="SCHEDULE")
@click.option("--dry-run", is_flag=True, help="Only show it.")
@YES
@pass_frame
def approve(frame: Frame, schedule_: str, dry_run: bool, yes: bool) -> None:
    """Let a schedule run that somebody else has proposed, as it is shown now.

    Nobody is asked again before a run: see what would be due, with purge plan --dry-run. For the roles
    privacy and supervisor, never for the login that proposed it.
    """
    from fsgov.catalog.scheduling import Schedules

    with planning(frame) as (_, plans):
        schedules = Schedules(plans.database)
        row = schedules.schedule(a_schedule(schedule_))
        if dry_run or not (yes or frame.json):
            _show(row)
        if dry_run:
            return
        if not yes:
            click.confirm("Destroy what is due, each time?", abort=True, err=True)
        schedules.approve(row.id, row.sha256)
        row = schedules.schedule(row.id)
    frame.said(f"{row.id} is approved: keep runs it next at {output.cell(row.next_at)}", _facts(row))


@schedule.command(example="fsgov purge schedule end sc-abcdefghijkl --reason 'the periods are to change'")
@click.argument("schedule_", metavar="SCHEDULE")
@click.option("--reason", default="", help="Why; kept in the row, never in the log.")
@YES
@pass_frame
def end(frame: Frame, schedule_: str, reason: str, yes: bool) -> None:
    """Run it no more, and begin nothing more by the plans it has made. For privacy and supervisor."""
    from fsgov.catalog.scheduling import Schedules

    with planning(frame) as (_, plans):
        schedules = Schedules(plans.database)
        row = schedules.schedule(a_schedule(schedule_))
        if not yes:
            click.confirm(f"End {row.id}, with its plans?", abort=True, err=True)
        stopped = schedules.end(row.id, reason)
    told = f"; stopped: {' '.join(stopped)}" if stopped else ""
    frame.said(f"{row.id} is ended{told}", {"schedule": row.id, "stopped": stopped})


@schedule.command("list", example="fsgov purge schedule list --all")
@click.option("--all", "over", is_flag=True, help="With those that expired or were ended.")
@pass_frame
def list_(frame: Frame, over: bool) -> None:
    """Schedules, the newest first, with their next run and what came of the last one.

    For supervisor, privacy and auditor.
    """
    from fsgov.catalog.scheduling import Schedules

    with planning(frame) as (_, plans):
        rows = Schedules(plans.database).schedules(over=over)
    if frame.json:
        output.print_json([_facts(row) for row in rows])
        return
    frame.rows(
        rows,
        {
            "schedule": lambda row: row.id,
            "tenant": lambda row: row.tenant,
            "state": lambda row: row.state,
            "every": lambda row: f"{row.every} {row.at:%H:%M} {row.timezone}",
            "most": lambda row: row.most,
            "by": lambda row: row.proposed_by,
            "approved by": lambda row: row.approved_by,
            "expires": lambda row: row.expires_at,
            "next": lambda row: row.next_at,
            "last": lambda row: row.last_at,
            "came": lambda row: row.came,
            "found": lambda row: row.found,
        },
        "no schedules" if over else "no schedule is proposed or approved; --all shows those that are over",
    )


def a_schedule(text: str) -> str:
    """The same text, where it can be the id of a schedule. Raises BadUsage."""
    if not text.startswith("sc-") or not text[3:].isascii() or not text[3:].isalpha() or len(text) > 40:
        raise BadUsage("This is no id of a schedule", repr(text[:60]), "fsgov purge schedule list shows ids")
    return text


def _facts(row: ScheduleRow) -> dict[str, Any]:
    plain = output.plain(row)
    return {"schedule": plain.pop("id"), **plain, "at": f"{row.at:%H:%M}"}


def _show(row: ScheduleRow) -> None:
    output.print_facts(
        {name.replace("_", " "): value for name, value in _facts(row).items() if value not in (None, "", [])}
    )
