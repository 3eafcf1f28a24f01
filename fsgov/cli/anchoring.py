"""`fsgov calls anchor`: from which day a period of retention counts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from fsgov.cli import output
from fsgov.cli.calls import calls
from fsgov.cli.frame import Frame, a_call, pass_frame
from fsgov.cli.retaining import retaining
from fsgov.errors import BadUsage, NotPermitted

if TYPE_CHECKING:
    from fsgov.catalog.retaining import Retaining

__all__ = ["calls"]
NEVER = "none"
"""What it takes for: nobody knows any more."""


@calls.command(example="fsgov calls anchor 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab contract_end 2030-06-30")
@click.argument("call")
@click.argument("event", type=click.Choice(("contract_end", "last_activity", "case_closed")))
@click.argument("when")
@pass_frame
def anchor(frame: Frame, call: str, event: str, when: str) -> None:
    """Say when something happened, or will, that a period of retention starts from.

    WHEN is a day (in the time zone of the policy), an instant (2030-06-30T12:00Z), or none: nobody knows any
    more, and the fallback of the policy counts. It counts for every recording of the call, and of calls that
    were merged into it. For the roles supervisor, privacy and integrator.
    """
    with retaining(frame) as catalog:
        at = _when(catalog, a_call(call), when)
        prior = catalog.set_anchor(call, event, at)
    facts = {"call": call, "event": event, "at": at, "prior": prior}
    frame.said(f"{event} of {call}: {output.cell(at)} (before: {output.cell(prior)})", facts)


def _when(catalog: Retaining, call: str, text: str) -> datetime | None:
    """Of a day its noon, where the policy's clocks show it: so it is that day, whatever the hour."""
    if text == NEVER:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadUsage(
            "This is no day and no instant", text, "2030-06-30, 2030-06-30T12:00Z or none"
        ) from None
    if moment.tzinfo is not None:
        return moment
    if len(text) > len("2030-06-30"):
        raise BadUsage("This instant has no offset", text, "2030-06-30T12:00Z, or the day alone")
    try:
        zone = catalog.timezone(call)
    except NotPermitted:
        hint = "an instant says it all: 2030-06-30T12:00Z"
        raise BadUsage("This login does not know the time zone of that day yet", text, hint) from None
    return moment.replace(hour=12, tzinfo=ZoneInfo(zone))
