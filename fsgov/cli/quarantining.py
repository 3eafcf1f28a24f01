"""`fsgov recordings quarantine`: what only reviewers may hear, until they decide or the time is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from fsgov.cli.copying import recordings
from fsgov.cli.frame import Frame, Group, Moment, a_call, pass_frame

if TYPE_CHECKING:
    from fsgov.catalog.quarantine import Reviewing

__all__ = ["recordings"]


@recordings.group(cls=Group, example="fsgov recordings quarantine list")
def quarantine() -> None:
    """Recordings that are set aside: released to reviewers alone, and destroyed where nobody reviews them."""


@contextmanager
def reviewing(frame: Frame) -> Iterator[Reviewing]:
    """This person's reviews."""
    from fsgov.catalog.quarantine import Reviewing

    with frame.database() as dsn, closing(Reviewing(dsn)) as person:
        yield person


@quarantine.command("list", example="fsgov recordings quarantine list")
@pass_frame
def list_(frame: Frame) -> None:
    """What is in quarantine, the first that is due first; for supervisors, privacy and auditors."""
    with reviewing(frame) as person:
        found = person.waiting()
    now = datetime.now(UTC)
    frame.rows(
        found,
        {
            "segment": lambda row: row.segment,
            "why": lambda row: f"{row.quarantine}: {row.said}" if row.said else row.quarantine,
            "review by": lambda row: row.review_by,
            "left": lambda row: "-" if row.dispose else left(row.review_by, now),
            "held": lambda row: row.held,
            "then": lambda row: row.dispose_reason if row.dispose else "",
        },
        "nothing is in quarantine",
    )


@quarantine.command(
    "set",
    example="fsgov recordings quarantine set 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01 --reason 'names a card'",
)
@click.argument("id_", metavar="SEGMENT")
@click.option("--reason", required=True, help="Why; kept in the row alone.")
@click.option("--until", type=Moment(), help="To be reviewed by then; else in 14 days, at most in 90.")
@pass_frame
def set_(frame: Frame, id_: str, reason: str, until: datetime | None) -> None:
    """Set a recording aside: only privacy may open it, and decides what becomes of it."""
    with reviewing(frame) as person:
        by = person.set(a_call(id_), reason, until)
    frame.said(
        f"{id_} is in quarantine; review it by {by:%Y-%m-%d %H:%M}Z, or it is destroyed",
        {"segment": id_, "review_by": by},
    )


@quarantine.command(
    example="fsgov recordings quarantine release 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01 keep \\\n"
    "    --reason 'no card was named'"
)
@click.argument("id_", metavar="SEGMENT")
@click.argument("decision", type=click.Choice(("keep", "dispose")))
@click.option("--reason", required=True, help="Why; kept in the row alone.")
@click.option("--yes", is_flag=True, help="Do not ask before something is to be destroyed.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@pass_frame
def release(frame: Frame, id_: str, decision: str, reason: str, yes: bool, dry_run: bool) -> None:
    """Decide: a recording like others (keep), or to be destroyed by purge (dispose). For the role privacy."""
    a_call(id_)
    kept = decision == "keep"
    if not dry_run:
        if not kept and not yes:
            click.confirm(f"Destroy {id_}, as soon as no hold is on it?", abort=True, err=True)
        with reviewing(frame) as person:
            person.release(id_, kept, reason)
    words = "is a recording like others" if kept else "is to be destroyed by purge, under no hold"
    frame.said(
        f"{'would be done: ' * dry_run}{id_} {words}",
        {"segment": id_, "decision": decision, "done": not dry_run},
    )


def left(review_by: datetime | None, now: datetime) -> str:
    """How much of the time is left, in words."""
    if review_by is None:
        return "-"
    span = review_by - now
    if span < timedelta():
        return "over"
    hours = int(span.total_seconds() // 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h"
