"""Misbehaviour on request: which event or command, when, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "drop",
    "late",
    "duplicate",
    "reorder",
    "hostile",  # events
    "error",
    "silence",
    "ignore",
    "slow",  # commands
    "cut",
    "half",  # the connection, at this event or command
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of misbehaviour and whom it hits.

    event:    name of an event (`RECORD_STOP`), or "" for none; command: an api command and the first
              words of its arguments (`uuid_record`, `uuid_record * mask`; `*` is any one word)
    leg:      a uuid, or "" for any;  nth: the first one it hits (1 is the next);  times: how many, 0 for all
    seconds:  how late, or how slow;  text: the error's text, or the hostile value;  header: which header

    drop       the event never comes            late       it comes `seconds` later, others overtake it
    duplicate  it comes twice                   reorder    it comes behind the next event
    hostile    `header` has the value `text`
    error      the command does nothing and says `text` (default `-ERR fault`)
    silence    the command is carried out and never answered; so are all behind it on that connection
    ignore     the command does nothing and says `+OK Success`
    slow       the command is carried out and answered `seconds` later
    cut        the socket is closed instead     half       half of the frame, then the socket is closed
    """

    kind: Kind
    event: str = ""
    command: str = ""
    leg: str = ""
    nth: int = 1
    times: int = 1
    seconds: float = 1.0
    text: str = ""
    header: str = ""

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Fault:
        """A fault from the control channel's or a script's words."""
        return cls(**facts)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0


@dataclass(slots=True)
class Faults:
    """The faults that are waiting."""

    armed: list[_Armed] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        self.armed.append(_Armed(fault))

    def clear(self) -> None:
        self.armed.clear()

    def event(self, name: str, uuid: str) -> list[Fault]:
        """The faults that hit this event."""
        return self._hit([a for a in self.armed if a.fault.event == name and a.fault.leg in ("", uuid)])

    def command(self, words: list[str]) -> list[Fault]:
        """The faults that hit this command."""
        return self._hit([a for a in self.armed if a.fault.command and _fits(a.fault, words)])

    def _hit(self, fitting: list[_Armed]) -> list[Fault]:
        out = []
        for armed in fitting:
            armed.seen += 1
            fault = armed.fault
            last = fault.nth + fault.times - 1
            if armed.seen >= fault.nth and (not fault.times or armed.seen <= last):
                out.append(fault)
            if fault.times and armed.seen >= last:
                self.armed.remove(armed)
        return out


def _fits(fault: Fault, words: list[str]) -> bool:
    wanted = fault.command.split()
    if len(wanted) > len(words) or any(w not in ("*", x) for w, x in zip(wanted, words, strict=False)):
        return False
    return not fault.leg or fault.leg in words
