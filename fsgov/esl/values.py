"""Values as the switch writes them, checked before anything rests on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fsgov.errors import FsgovError
from fsgov.esl.frames import Headers

_UUID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_SEGMENT: Final = re.compile(r"[0-9A-Za-z-]{1,64}-[0-9]{2,}")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class Unreadable(FsgovError):
    """The event lacks what it must have, or its uuid is none: it is dropped and counted."""


def is_uuid(text: str) -> bool:
    """May this name a leg? Only what passes goes into commands, paths and entries."""
    return _UUID.fullmatch(text) is not None


def segment_or_none(text: str | None) -> str | None:
    """A segment id as fsgov makes them, None for anything else."""
    return text if text is not None and _SEGMENT.fullmatch(text) else None


def number_or_none(text: str | None) -> int | None:
    """A number without sign in ASCII digits, None for anything else."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None


def source_of(event: Headers) -> str:
    """Names an event for evidence: <Core-UUID>/<Event-Sequence>; "" where the switch did not number it.

    The sequence is unique within one start of the switch, which the Core-UUID names.
    """
    core, sequence = event.get("Core-UUID"), event.get("Event-Sequence")
    return f"{core}/{sequence}" if is_uuid(core) and _NUMBER.fullmatch(sequence) else ""


def spoken(event: Headers, variables: Mapping[str, str]) -> str:
    """The same, where a variable of the event may say what its party has said."""
    return source_of(event) if any(name.startswith("fsgov_consent_") for name in variables) else ""
