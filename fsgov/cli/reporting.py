"""`fsgov report`: what can be stated of a day, and whether the sums are right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, Group, Moment, pass_frame
from fsgov.errors import BadUsage, Damaged

if TYPE_CHECKING:
    from fsgov.catalog.desk import Accounts

STATED_WITHIN = timedelta(hours=2)
"""After the end of a day, when keep runs."""
SAID = 20
"""Differences that are told in the fault; all of them are in the output."""


@click.group(cls=Group, example="fsgov report outcomes --day 2026-11-21")
def report() -> None:
    """Reports about what was done."""


@report.command(
    example="fsgov report outcomes --day 2026-11-21\nfsgov report outcomes --since 2026-11-01 --json"
)
@click.option("--day", type=Moment(), help="One day, UTC. Without any of these: yesterday.")
@click.option("--since", type=Moment(), help="Conversations that began at or after this instant.")
@click.option("--until", type=Moment(), help="Conversations that began before it; else now.")
@click.option("--tenant", help="Of this tenant only, without sessions.")
@pass_frame
def outcomes(
    frame: Frame, day: datetime | None, since: datetime | None, until: datetime | None, tenant: str | None
) -> None:
    """Conversations by tenant, host and outcome; sessions of the switch against legs; and every difference.

    conversations = sum of outcomes + those under way; sessions counted by the switch = legs + ungoverned.
    What is counted now is compared with the statements that keep made of that day. 8 where they differ.
    """
    now = datetime.now(UTC)
    first, last = _time(day, since, until, now)
    with frame.desk() as desk:
        found = desk.statement(first, last, now, tenant)
    wrong = list(_wrong(found, first, last, now))
    if frame.json:
        output.print_json(
            {
                "since": first,
                "until": last,
                "outcomes": [
                    {
                        "tenant": each.tenant,
                        "host": each.host,
                        "conversations": each.conversations,
                        "outcomes": each.outcomes,
                        "under_way": each.under_way,
                        "overdue": each.overdue,
                    }
                    for each in found.outcomes
                ],
                "sessions": found.sessions,
                "stated": found.stated,
                "differences": wrong,
            }
        )
    else:
        _print(found, first, last, wrong)
    if wrong:
        told = "\n".join(wrong[:SAID])
        raise Damaged("The accounts do not add up", told, "fsgov reconcile names each conversation and file")


def _time(
    day: datetime | None, since: datetime | None, until: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    if day is not None and (since is not None or until is not None):
        raise BadUsage("Name a day, or since and until", "", "fsgov report outcomes --day 2026-11-21")
    if day is None and since is None and until is None:
        day = now - timedelta(days=1)
    if day is not None:
        first = day.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return first, first + timedelta(days=1)
    last = until or now
    first = since or last - timedelta(days=1)
    if first >= last:
        raise BadUsage("This time has no length", f"{first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}")
    return first, last


def _wrong(found: Accounts, first: datetime, last: datetime, now: datetime) -> Iterator[str]:
    """Every difference: in the sums, and between what is counted now and what was stated."""
    from fsgov import statement

    yield from statement.differences(found.outcomes, found.sessions)
    if last - first != timedelta(days=1) or first != first.replace(hour=0, minute=0, second=0, microsecond=0):
        return
    day = str(first.date())
    due = now - last > STATED_WITHIN
    stated = {(row.host, row.tenant): row for row in found.stated}
    counted = {(each.host, each.tenant): statement.outcome_facts(day, each) for each in found.outcomes}
    counted |= {(each.host, "*"): statement.session_facts(day, each) for each in found.sessions}
    for host, tenant in sorted({*stated, *counted}):
        what = f"sessions of {host}" if tenant == "*" else f"{tenant} on {host}"
        row, facts = stated.get((host, tenant)), counted.get((host, tenant))
        if row is None and due:
            yield f"{what}: no statement of {day} was made; does keep run?"
        elif row is not None and facts is None and tenant != "*":
            yield f"{what}: statement {row.n} of {day} names conversations that are not in the catalog"
        elif row is not None and facts is not None and due and dict(row.facts) != dict(facts):
            said = ", ".join(
                f"{key} {row.facts.get(key)} is {facts[key]}"
                for key in facts
                if row.facts.get(key) != facts[key]
            )
            yield f"{what}: not as statement {row.n} of {day} says: {said}"


def _print(found: Accounts, first: datetime, last: datetime, wrong: list[str]) -> None:
    output.print_line(f"{first:%Y-%m-%dT%H:%M}Z to {last:%Y-%m-%dT%H:%M}Z")
    rows = [
        (each.tenant, each.host, outcome, count)
        for each in found.outcomes
        for outcome, count in (
            *each.outcomes.items(),
            *((("(under way)", each.under_way),) if each.under_way else ()),
            *((("(no outcome)", len(each.overdue)),) if each.overdue else ()),
            ("= conversations", each.conversations),
        )
    ]
    if rows:
        names = ("tenant", "host", "outcome", "conversations")
        output.print_rows(rows, {name: lambda row, n=n: row[n] for n, name in enumerate(names)})  # type: ignore[misc]
    else:
        output.print_line("no conversations")
    for each in found.sessions:
        unknown = f", {each.difference} unknown" if each.difference else ""
        output.print_line(
            f"{each.host}: {each.sessions} sessions of the switch = {each.legs} legs"
            f" + {each.ungoverned} ungoverned + {each.away} while govern was away{unknown}"
        )
    for row in found.stated:
        what = "sessions" if row.tenant == "*" else row.tenant
        output.print_line(
            f"stated: {row.day} {row.host} {what}, statement {row.n} at {row.stated_at:%Y-%m-%dT%H:%M}Z"
        )
    for sentence in wrong:
        output.print_line(f"difference: {sentence}")
