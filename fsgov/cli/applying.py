"""`fsgov purge apply`: a plan carried out in the foreground, with the rights of keep; or followed."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import click

from fsgov.cli import output
from fsgov.cli.certifying import purge
from fsgov.cli.frame import Frame, joined_if_embedded, pass_frame
from fsgov.cli.purging import YES, a_plan, wanted
from fsgov.errors import Conflict

if TYPE_CHECKING:
    from fsgov.purge.applying import Purge

__all__ = ["apply", "purge"]

OVER = ("destroyed", "held", "scheduled", "kept", "gone")
EVERY = 1.0
"""Seconds between two looks at what keep does, or at what fails."""


@purge.command(example="fsgov --config /etc/fsgov/keep.toml purge apply pl-abcdefghijkl")
@click.argument("plan_", metavar="PLAN")
@YES
@pass_frame
def apply(frame: Frame, plan_: str, yes: bool) -> None:
    """Carry out an approved plan now, and show how far it is; where keep is at it, only show.

    With the configuration of keep, on a host that may read its credentials. A canary goes first, and you are
    asked before the others follow. Ctrl-C stops after a batch: the same command goes on, or keep does.
    Exit code 7 where something was begun and cannot be brought to its end; 8, and nothing is begun, where a
    copy of the log is ahead of the database: an older dump was restored.
    """
    from fsgov import logs
    from fsgov.journal import behind
    from fsgov.purge.part import now, purge_of

    logs.set_up("purge", "warning")
    plan = a_plan(plan_)
    settings = frame.settings
    settings.need("keep")
    with joined_if_embedded(settings.database.dsn), closing(purge_of(settings, now)) as purging:
        behind.look(settings)
        counts = _carried_out(frame, purging, plan, yes)
    frame.said(f"{plan}: {output.cell(counts)}", {"plan": plan, "counts": counts})
    if fault := purging.failing.of(plan):
        raise Conflict("What was begun does not come to its end", str(fault[0]), "fsgov purge status")


def _carried_out(frame: Frame, purging: Purge, plan: str, yes: bool) -> dict[str, int]:
    """Until nothing of it can be done now; how many of its recordings are in which state."""
    counts = purging.counts(plan)
    with frame.bar("destroying", sum(counts.values()), "lines") as seen:
        shown = 0
        while True:
            dealt = purging.turn(plan)
            counts = purging.counts(plan)
            seen(wanted(OVER, counts) - shown)
            shown = wanted(OVER, counts)
            if dealt:
                time.sleep(purging.pause)
            elif purging.canary_waits(plan):
                if not yes:
                    destroyed = counts.get("destroyed", 0)
                    click.confirm(f"{destroyed} are destroyed. Go on with the others?", abort=True, err=True)
                purging.go_on(plan)
            elif purging.leads or not wanted(("planned", "destroying"), counts):
                return counts
            else:
                time.sleep(EVERY)
