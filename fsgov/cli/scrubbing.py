"""`fsgov scrub`: how much of what is stored was read again, and what was wrong with it."""

from __future__ import annotations

import click

from fsgov.cli import output
from fsgov.cli.frame import Command, Frame, pass_frame
from fsgov.errors import Damaged


@click.command(cls=Command, example="fsgov scrub\nfsgov scrub --json")
@pass_frame
def scrub(frame: Frame) -> None:
    """What keep found when it read stored objects again: how many, how long ago, and each that is wrong.

    keep does it by itself, each object at least every scrub.every; recordings verify does it now, for
    recordings that you name. Exit code 8 where an object is wrong and nobody has accepted the loss.
    """
    with frame.desk() as desk:
        state = desk.scrubs()
    if frame.json:
        output.print_json(state)
    else:
        output.print_facts(
            {
                "stored objects": state.objects,
                "read again": state.looked,
                "longest ago": state.oldest,
                **state.verdicts,
            }
        )
        for each in state.faults:
            accepted = ", accepted" if each.accepted else ""
            output.print_line(
                f"{each.verdict}  {each.artefact or each.segment}  in {each.vault}"
                f" since {output.cell(each.since)}{accepted}"
            )
    left = [each for each in state.faults if not each.accepted]
    if left:
        hint = "restore them from a replica; or accept the loss: fsgov reconcile --apply damaged-object"
        raise Damaged("Stored objects are not what was stored", f"{len(left)} of {state.objects}", hint)
