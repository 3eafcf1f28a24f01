"""What the CRM says of one party, however it was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

DEADLINE, UNREACHABLE, REFUSED, UNREADABLE, HELD = "deadline", "unreachable", "refused", "unreadable", "held"
FAILURES = (DEADLINE, UNREACHABLE, REFUSED, UNREADABLE, HELD)
"""Why there is no answer: it came too late; there is no connection, or it broke; the CRM does not take the
question; what it says is no answer; it was not asked, because it has not answered others."""


class NoAnswer(Exception):
    """The CRM has not answered. reason: one of FAILURES. detail, hint: without number, name or secret."""

    def __init__(self, reason: str, detail: str = "", hint: str = "") -> None:
        super().__init__(reason, detail, hint)
        self.reason, self.detail, self.hint = reason, detail, hint


@dataclass(frozen=True, slots=True)
class Row:
    """What the CRM knows of a party."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    """By name, as the CRM has them: also those that no policy asks for."""
    consents: Mapping[str, bool] = field(default_factory=dict)
    """Purpose -> given?"""
    evidence: str = ""
    """The CRM's own reference for the consents."""

    def named(self, names: frozenset[str]) -> dict[str, str]:
        """Those of the facts, as policies compare them."""
        return {name: as_text(self.facts[name]) for name in names if self.facts.get(name) is not None}


class Source(Protocol):
    """The CRM as it can be asked: its view, or its service."""

    def ask(self, tenant: str, e164: str) -> Row | None:
        """None: it knows nobody of this number. Raises NoAnswer. A gevent.Timeout may interrupt any wait."""

    def close(self) -> None:
        """Hang up what is idle."""


def as_text(value: object) -> str:
    """A fact as policies compare it: text as it is, everything else as JSON writes it (`true`, `7`)."""
    return value if isinstance(value, str) else json.dumps(value)


def said(consents: Mapping[str, Any]) -> dict[str, bool]:
    """Those that are a yes or a no; `perhaps` is neither."""
    return {purpose: given for purpose, given in consents.items() if isinstance(given, bool)}
