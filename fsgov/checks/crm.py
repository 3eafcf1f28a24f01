"""The CRM: it is there, takes our login, answers in time. It is asked about a number that nobody has."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fsgov.checks.finding import Finding, ok, warning
from fsgov.config import Settings
from fsgov.errors import BadConfiguration, FsgovError, NotPermitted, Unreachable

NOBODY = "+0"
"""No number of the world begins so."""
KINDS: dict[str, type[FsgovError]] = {"refused": NotPermitted, "unreadable": BadConfiguration}


def crm(settings: Settings) -> Iterator[Finding]:
    """Asks once, and stores nothing. Raises Unreachable, NotPermitted, BadConfiguration."""
    from fsgov.parties import asked_by
    from fsgov.parties.answer import NoAnswer

    source = asked_by(settings.parties)
    if source is None:
        if looked_up(settings):
            hint = "parties.url or parties.dsn: until then no party can be asked about"
            yield warning("crm", "the policy needs a CRM, and none is configured", hint=hint)
        return
    begun = time.monotonic()
    try:
        row = source.ask("default", NOBODY)
    except NoAnswer as fault:
        kind = KINDS.get(fault.reason, Unreachable)
        raise kind(f"the CRM gives no answer: {fault.reason}", fault.detail, fault.hint) from None
    finally:
        source.close()
    took, limit = time.monotonic() - begun, settings.parties.deadline / 1e6
    words = f"{took * 1000:.0f} ms with a new connection, and parties.deadline is {limit * 1000:.0f} ms"
    if row is not None:
        hint = "whom it does not know is no row, or HTTP 404: else nobody is unknown to the policy"
        yield warning("crm", "it knows a party whose number nobody can have", NOBODY, hint)
    elif took > limit:
        hint = "see why it is slow, or raise the deadline: calls are decided without it"
        yield warning("crm", "it answers too late", words, hint)
    else:
        yield ok("crm", "it answers", words)


def looked_up(settings: Settings) -> bool:
    """Whether the policy of the file needs a CRM; a policy that does not load has a line of its own."""
    from fsgov import config

    try:
        return config.load_policy(settings.policy.file, settings.regions).looks_up
    except FsgovError:
        return False
