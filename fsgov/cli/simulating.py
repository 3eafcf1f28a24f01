"""`fsgov policy simulate`: what another policy would have done with the calls that there were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import completing, output
from fsgov.cli.frame import Frame, Moment, pass_frame
from fsgov.cli.inforce import policy, text_of
from fsgov.errors import BadConfiguration, BadUsage, NotFound

if TYPE_CHECKING:
    from fsgov.catalog.desk import Desk
    from fsgov.policy import Policy
    from fsgov.policy.simulating import Kind, Simulation

__all__ = ["policy"]

EXAMPLES = 3
LEFT_OUT = {
    "erased": "their inputs were erased",
    "undecided": "nothing was ever decided",
    "merged": "they went on in another call, and count there",
    "unreadable": "their inputs or decision cannot be read",
}


@policy.command(example="fsgov policy simulate /etc/fsgov/policy.toml --since 2026-11-01")
@click.argument("new", shell_complete=completing.policies)
@click.option("--since", type=Moment(), required=True, help="Calls from this instant on.")
@click.option("--until", type=Moment(), help="Calls before this instant; default: now.")
@click.option("--tenant", help="Only calls of this tenant.", shell_complete=completing.tenants)
@pass_frame
def simulate(frame: Frame, new: str, since: datetime, until: datetime | None, tenant: str | None) -> None:
    """Decide past calls again under NEW, and tell what would have been done otherwise, by outcome.

    NEW is a file, or a version or the beginning of a digest of the catalog. Nothing is changed. A decision is
    no answer: where NEW would ask, what people would have said is not told. For supervisor, privacy, auditor.
    """
    from fsgov.catalog.desk import Desk
    from fsgov.catalog.past import past
    from fsgov.policy import parse
    from fsgov.policy.simulating import Simulation

    until = until or datetime.now(UTC)
    if until <= since:
        raise BadUsage("This time has no length", f"{since} to {until}", "--until after --since")
    found = parse(text_of(frame, new), new)
    with frame.database() as dsn, closing(Desk(dsn)) as desk:
        told = Simulation(found, _lacking(desk, found))
        with past(dsn, since, until, tenant) as (count, calls), frame.bar("calls", count, "lines") as more:
            for each in calls:
                told.add(each)
                more(1)
    if frame.json:
        output.print_json({"since": since, "until": until, "tenant": tenant, **told.to_json()})
    else:
        show(told)


def _lacking(desk: Desk, found: Policy) -> Callable[[str], frozenset[str]]:
    """What the new policy looks at and the one of a digest did not keep with its calls."""
    from fsgov.policy import parse

    @cache
    def lacks(sha256: str) -> frozenset[str]:
        wanted = _looked_at(found)
        if not wanted:
            return wanted
        try:
            return wanted - _looked_at(parse(desk.policy(sha256)))
        except (NotFound, BadConfiguration):
            return wanted

    return lacks


def _looked_at(found: Policy) -> frozenset[str]:
    facts = {f"crm.{name}" for name in found.names_of_facts}
    return frozenset(facts | {f"variable.{name}" for name in found.names_of_variables})


def show(told: Simulation) -> None:
    """What would have been done otherwise by outcome, by which rule, what else; and what cannot be told."""
    changed = told.decided - told.same
    output.print_line(
        f"{told.policy.version} ({told.policy.sha256[:16]}): {changed} of {told.decided} calls otherwise"
    )
    _table(
        {"was": lambda row: row[0][1], "would be": lambda row: row[0][2], "outcome": lambda row: row[0][0]},
        told.changes,
    )
    _table({"rule": lambda row: row[0][0], "would be": lambda row: row[0][1]}, told.rules)
    _table({"the same, but for": lambda row: row[0]}, told.details)
    notes = [f"{kind.calls} left out: {LEFT_OUT[why]}" for why, kind in sorted(told.left_out.items())]
    notes += [
        f"{calls} decided without {name}, which was not kept with them"
        for name, calls in told.without.items()
    ]
    if any(told.sampled):
        notes.append(
            f"{told.sampled[1]} in the sample, {told.sampled[0]} were: another policy draws another sample"
        )
    for line in ("", *notes) if notes else ():
        output.print_line(line)


def _table(columns: Mapping[str, Callable[[Any], object]], kinds: Mapping[Any, Kind]) -> None:
    from fsgov.policy.simulating import most

    if not kinds:
        return
    click.echo()
    output.print_rows(
        most(kinds),
        {
            "calls": lambda row: row[1].calls,
            **columns,
            "for example": lambda row: row[1].named()[:EXAMPLES],
        },
    )
