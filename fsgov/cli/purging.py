"""`fsgov purge plan|approve|stop|status`: what is to be destroyed, who says so, and what has become of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, Group, a_call, pass_frame
from fsgov.cli.reconciling import Span
from fsgov.errors import BadUsage, Conflict

if TYPE_CHECKING:
    from fsgov.catalog.plans import PlanRow, Plans

YES = click.option("--yes", is_flag=True, help="Do not ask.")
KINDS = ("manual", "erasure", "quarantine")
OPEN = ("held", "scheduled", "destroying")
"""States of items that are worth a line each: why it is not gone."""


@click.group(cls=Group, example="fsgov purge plan --dry-run\nfsgov purge status")
def purge() -> None:
    """What is to be destroyed: planned by one person, approved by another, applied by keep, certified."""


@contextmanager
def planning(frame: Frame) -> Iterator[tuple[str, Plans]]:
    """The DSN of this person, and their plans."""
    from fsgov.catalog.plans import Plans

    with frame.database() as dsn, closing(Plans(dsn)) as plans:
        yield dsn, plans


@purge.command(
    example="fsgov purge plan --dry-run\nfsgov purge plan --reason 'what is due in November'\n"
    "fsgov purge plan 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01 --reason 'recorded by mistake' --yes"
)
@click.argument("segments", nargs=-1, metavar="[SEGMENT]...")
@click.option("--kind", type=click.Choice(KINDS), default="manual", help="Of a plan that names SEGMENTs.")
@click.option("--reason", default="", help="Why; kept in the row, never in the log.")
@click.option("--tenant", help="Of this tenant; else of all that this login has.")
@click.option("--most", type=click.IntRange(1), help="At most so many; else a tenth of all there is, or 100.")
@click.option(
    "--valid",
    type=Span(),
    default="7 d",
    show_default=True,
    help="Until then it must be done; at most 30 d.",
)
@click.option("--dry-run", is_flag=True, help="Only count what would be destroyed, kept and held.")
@YES
@pass_frame
def plan(
    frame: Frame,
    segments: tuple[str, ...],
    kind: str,
    reason: str,
    tenant: str | None,
    most: int | None,
    valid: int,
    dry_run: bool,
    yes: bool,
) -> None:
    """Plan what is to be destroyed: everything that is due, or the SEGMENTs that are named.

    What is due is judged by the periods of the policies; what is under a hold is counted and left out. The
    plan waits for the approval of another login, until it expires. Nothing is destroyed by this. For privacy.
    """
    named = [a_call(each) for each in segments]
    if not dry_run and not yes:
        click.confirm("Propose a plan to destroy recordings?", abort=True, err=True)
    with planning(frame) as (dsn, plans):
        if named and dry_run:
            raise BadUsage("A dry run names no SEGMENT", "", "fsgov recordings show tells about each")
        row: PlanRow | None
        told: dict[str, Any]
        if named:
            made = plans.propose(kind, named, ["named"], reason, timedelta(microseconds=valid))
            row = plans.plan(made.plan)
            told = {"left_out": made.left_out}
        else:
            row, told = due(dsn, plans, tenant, reason, most, timedelta(microseconds=valid), dry_run)
    if row is None:
        _counted(frame, told)
        return
    if frame.json:
        output.print_json({**_facts(row), **told})
        return
    _show(row, {})
    for segment in told.get("left_out", ()):
        output.print_line(f"left out: {segment} (no audio, destroyed, or not of this plan's tenant)")
    output.print_line(f"now somebody else: fsgov purge approve {row.id}")


def due(
    dsn: str, plans: Plans, tenant: str | None, reason: str, most: int | None, valid: timedelta, dry_run: bool
) -> tuple[PlanRow | None, dict[str, Any]]:
    """The plan of everything that is due, and the counts; no plan of a dry run."""
    import time

    from fsgov.catalog.retaining import Retaining
    from fsgov.purge.planning import fill, usual_most, walk

    whose, count = plans.whose(tenant)
    allowed = most or usual_most(count)
    with (
        closing(Retaining(dsn)) as retaining,
        retaining.judged(time.time_ns() // 1000) as rows,
    ):
        if dry_run:
            tally = walk(rows, whose, lambda _, __: None)
            return None, {**tally.facts(), "most": allowed}
        with plans.drafting("retention", whose, reason, allowed, valid) as draft:
            tally = fill(rows, whose, draft.add, allowed)
            if tally.destroy > allowed:
                raise Conflict(
                    "The plan is larger than it may be",
                    f"{tally.destroy} recordings of {tally.judged} are due, at most {allowed}",
                    "see why there are so many: --dry-run; if it is right, say so: --most",
                )
            draft.seal(tally.facts())
        return plans.plan(draft.plan), {}


def _counted(frame: Frame, told: Mapping[str, Any]) -> None:
    if frame.json:
        output.print_json(told)
        return
    output.print_facts({name.replace("_", " "): value for name, value in told.items()})
    if told["destroy"] > told["most"]:
        output.print_line("a plan of so many needs --most")


@purge.command(example="fsgov purge approve pl-abcdefghijkl")
@click.argument("plan_", metavar="PLAN")
@YES
@click.option("--dry-run", is_flag=True, help="Only show it.")
@pass_frame
def approve(frame: Frame, plan_: str, yes: bool, dry_run: bool) -> None:
    """Let a plan be applied that somebody else has proposed, as it is shown now.

    keep begins at once, with a canary (purge.canary); until it is done, fsgov purge stop PLAN stops it. For
    the roles privacy and supervisor, never for the login that proposed it.
    """
    with planning(frame) as (_, plans):
        row = plans.plan(a_plan(plan_))
        if dry_run or not (yes or frame.json):
            _show(row, {})
        if dry_run:
            return
        if not yes:
            click.confirm(f"Destroy these {row.items} recordings?", abort=True, err=True)
        plans.approve(row.id, row.sha256)
        row = plans.plan(row.id)
    frame.said(f"{row.id} is approved: keep applies it; fsgov purge status {row.id}", _facts(row))


@purge.command(example="fsgov purge stop pl-abcdefghijkl --reason 'the wrong period'")
@click.argument("plan_", metavar="PLAN")
@click.option("--reason", default="", help="Why; kept in the row, never in the log.")
@YES
@pass_frame
def stop(frame: Frame, plan_: str, reason: str, yes: bool) -> None:
    """Begin nothing more by this plan; what it has begun already comes to its end.

    For the roles privacy and supervisor.
    """
    with planning(frame) as (_, plans):
        row = plans.plan(a_plan(plan_))
        if not yes:
            click.confirm(f"Stop {row.id}, of {row.items} recordings?", abort=True, err=True)
        plans.stop(row.id, reason)
        counts = plans.counts(row.id)
    frame.said(
        f"{row.id} is stopped; of its recordings {output.cell(counts)}", {"plan": row.id, "items": counts}
    )


@purge.command(example="fsgov purge status\nfsgov purge status pl-abcdefghijkl --json")
@click.argument("plan_", metavar="[PLAN]", required=False)
@click.option("--all", "over", is_flag=True, help="With the plans that are over.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_frame
def status(frame: Frame, plan_: str | None, over: bool, limit: int) -> None:
    """Plans, the newest first; or one of them with its counts, and why something of it is not gone.

    For supervisor, privacy and auditor.
    """
    with planning(frame) as (_, plans):
        if plan_ is None:
            rows = plans.plans(over=over, limit=limit)
            if frame.json:
                output.print_json([_facts(row) for row in rows])
                return
            frame.rows(
                rows,
                {
                    "plan": lambda row: row.id,
                    "kind": lambda row: row.kind,
                    "state": lambda row: row.shown,
                    "recordings": lambda row: row.items,
                    "bytes": lambda row: row.size,
                    "proposed": lambda row: row.proposed_at,
                    "by": lambda row: row.proposed_by,
                    "approved by": lambda row: row.approved_by,
                    "expires": lambda row: row.expires_at,
                },
                "no plans" if over else "no plan is open; --all shows those that are over",
            )
            return
        row = plans.plan(a_plan(plan_))
        counts = plans.counts(row.id)
        items = plans.items(row.id, OPEN, limit)
    if frame.json:
        output.print_json({**_facts(row), "counts": counts, "open": items})
        return
    _show(row, counts)
    for each in items:
        again = f", again {output.cell(each.again_at)}" if each.again_at else ""
        output.print_line(f"{each.state}  {each.segment}  {each.cause}  {each.why}{again}")


def a_plan(text: str) -> str:
    """The same text, where it can be the id of a plan. Raises BadUsage."""
    if not text.startswith("pl-") or not text[3:].isascii() or not text[3:].isalpha() or len(text) > 40:
        raise BadUsage("This is no id of a plan", repr(text[:60]), "fsgov purge status shows ids")
    return text


def _facts(row: PlanRow) -> dict[str, Any]:
    plain = output.plain(row)
    return {"plan": plain.pop("id"), "state": plain.pop("shown"), **plain}


def _show(row: PlanRow, counts: Mapping[str, int]) -> None:
    facts = {
        name.replace("_", " "): value for name, value in _facts(row).items() if value not in (None, "", {})
    }
    if counts:
        facts["now"] = dict(counts)
    output.print_facts(facts)


def wanted(states: Sequence[str], counts: Mapping[str, int]) -> int:
    """How many of a plan's recordings are in one of these states."""
    return sum(counts.get(state, 0) for state in states)
