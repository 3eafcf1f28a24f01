"""`fsgov report access`: who has opened recordings, what for, who could, and whether the log agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, Moment, a_call, pass_frame
from fsgov.cli.reporting import SAID, report
from fsgov.errors import BadUsage, Damaged

if TYPE_CHECKING:
    from fsgov.catalog.accesses import RightRow

USUAL = timedelta(days=30)


@report.command(
    example="fsgov report access --since 2026-11-01\nfsgov report access --rights\n"
    "fsgov report access --recording 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01"
)
@click.option("--since", type=Moment(), help="Asked for at or after this instant; else in the last 30 days.")
@click.option("--until", type=Moment(), help="Asked for before it; else now.")
@click.option("--login", help="By this login.")
@click.option("--recording", help="Of this recording, or of this call.")
@click.option("--tenant", help="Of this tenant only.")
@click.option("--rights", is_flag=True, help="Instead: which role may read which table, and call what.")
@pass_frame
def access(
    frame: Frame,
    since: datetime | None,
    until: datetime | None,
    login: str | None,
    recording: str | None,
    tenant: str | None,
    rights: bool,
) -> None:
    """Every access to a recording: who, which, what for, why; what was refused; every login that could.

    Rows and log are compared: what only one of them has is told, with exit code 8. For the roles privacy and
    auditor.
    """
    from fsgov.catalog.accesses import Accesses, differences

    if rights:
        _rights(frame)
        return
    last = until or datetime.now(UTC)
    first = since or last - USUAL
    if first >= last:
        raise BadUsage("This time has no length", f"{first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}")
    with frame.desk(), frame.database() as dsn, closing(Accesses(dsn)) as accesses:
        everything, all_refused = accesses.between(first, last), accesses.refused(first, last)
        rows, refused = everything, all_refused
        if login or recording or tenant:
            of = recording and a_call(recording)
            rows = accesses.between(first, last, login=login, segment=of, tenant=tenant)
            refused = accesses.refused(first, last, login=login, segment=of, tenant=tenant)
        holders = accesses.holders()
        lines = accesses.lines(first)
    wrong = [] if lines is None else list(differences(everything, all_refused, lines, first, last))
    if frame.json:
        output.print_json(
            {
                "since": first,
                "until": last,
                "accesses": rows,
                "refused": refused,
                "logins": holders,
                "compared": lines is not None,
                "differences": wrong,
            }
        )
    else:
        if rows:
            output.print_rows(
                rows,
                {
                    "asked": lambda row: row.requested_at,
                    "login": lambda row: row.login,
                    "recording": lambda row: row.segment,
                    "purpose": lambda row: row.purpose,
                    "case": lambda row: row.complaint,
                    "reason": lambda row: row.reason,
                    "for": lambda row: row.recipient or row.login,
                    "key given": lambda row: row.released_at is not None,
                },
            )
        else:
            output.print_line("no recording was opened")
        by_purpose = Counter(row.purpose for row in rows)
        output.print_facts(
            {
                "accesses": len(rows),
                **{f"for {name}": n for name, n in sorted(by_purpose.items())},
                "refused": len(refused),
            }
        )
        click.echo()
        if refused:
            output.print_rows(
                refused,
                {
                    "refused": lambda row: row.refused_at,
                    "login": lambda row: row.login,
                    "recording": lambda row: row.segment,
                    "purpose": lambda row: row.purpose,
                    "why": lambda row: row.why,
                },
            )
            click.echo()
        output.print_rows(
            holders,
            {
                "login": lambda row: row.login,
                "person": lambda row: row.person,
                "roles": lambda row: row.roles,
                "tenants": lambda row: row.tenants,
                "disabled": lambda row: row.disabled_at,
                "administers": lambda row: row.administers,
            },
        )
        for sentence in wrong:
            output.print_line(f"difference: {sentence}")
    if wrong:
        hint = "compare with a copy of the log: fsgov events verify --live, and with a dump of the database"
        raise Damaged("Rows and log do not tell the same accesses", "\n".join(wrong[:SAID]), hint)


def _rights(frame: Frame) -> None:
    """What the database grants to each role now."""
    from fsgov.catalog.accesses import ROLES, Accesses

    with frame.desk(), frame.database() as dsn, closing(Accesses(dsn)) as accesses:
        found = accesses.rights()

    def column(role: str) -> Callable[[RightRow], str]:
        return lambda row: "yes" if role in row.roles else "in part" if role in row.in_part else ""

    frame.rows(
        found,
        {
            "kind": lambda row: row.kind,
            "name": lambda row: row.name,
            **{role: column(role) for role in ROLES},
        },
    )
