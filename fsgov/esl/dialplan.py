"""The CUSTOM events of fsgov's own dialplans, into values of fsgov.dialplan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fsgov.dialplan import CodePressed, GateHeld, GateOpened, GatePassed
from fsgov.esl.frames import Headers
from fsgov.esl.values import Unreadable, is_uuid, number_or_none, source_of
from fsgov.events import Act, Event, Instant

GATE: Final = "fsgov::gate"
CODE: Final = "fsgov::code"
_SAID: Final = {"agreed": "given", "declined": "refused"}
"""The codes that tell what the party outside has said."""
_TAG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def told(event: Headers, variables: Mapping[str, str], now: Instant) -> Event:
    """What a dialplan says. Raises Unreadable.

    The words are headers of the event: no variable and no header of a caller can pose as one, they come as
    `variable_…`.
    """
    leg = event.get("Unique-ID")
    if not is_uuid(leg) or event.repeated("Unique-ID"):
        raise Unreadable("A dialplan's event without its one uuid")
    at = number_or_none(event.find("Event-Date-Timestamp"))
    if event.get("Event-Subclass") == CODE:
        tag, word, source = event.get("fsgov-Tag"), event.get("fsgov-Act"), source_of(event)
        if word in _SAID:
            said = _SAID[word]
            return CodePressed(now=now, at=at, leg=leg, source=source, act=Act.CONSENT, said=said)
        try:
            act = Act(word)
        except ValueError:
            raise Unreadable("A code that stands for nothing") from None
        if act is Act.CONSENT:
            raise Unreadable("A code that does not say what was said")
        if act is Act.TAG and not _TAG.fullmatch(tag):
            raise Unreadable("A tag that is no word")
        return CodePressed(now=now, at=at, leg=leg, act=act, tag=tag if act is Act.TAG else "")
    match event.get("fsgov-Step"):
        case "open":
            return GateOpened(now=now, at=at, leg=leg)
        case "passed":
            return GatePassed(now=now, at=at, leg=leg, source=source_of(event), variables=variables)
        case "held":
            return GateHeld(now=now, at=at, leg=leg)
    raise Unreadable("A gate that is neither open, passed nor held")
