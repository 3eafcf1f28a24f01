"""Which leg is whose: of a conversation, gone, asked about; and who is in which room."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fsgov.call import Call

UUID = re.compile(r"[0-9A-Za-z-]{1,64}")
REMEMBERED = 10_000
"""Legs that are gone, and unknown legs asked about, that are kept in mind."""


class Directory:
    """Leg -> conversation. Bounded: what has ended is forgotten, the newest endings a little later."""

    def __init__(self) -> None:
        self._call: dict[str, str] = {}
        self._leaving: dict[str, set[str]] = {}
        self._rooms: dict[str, set[str]] = {}
        self._gone: dict[str, None] = {}
        self._unknown: dict[str, str] = {}

    def call(self, leg: str) -> str | None:
        """The id of the leg's conversation."""
        return self._call.get(leg)

    def enlist(self, legs: Iterable[str], call: str) -> None:
        for leg in legs:
            self._call[leg] = call

    def gone(self, leg: str) -> bool:
        """The leg ended a while ago: whatever is told of it now is late or a duplicate."""
        return leg in self._gone

    def returned(self, leg: str) -> None:
        self._gone.pop(leg, None)

    def lost(self, leg: str) -> None:
        """The switch does not know this leg (any more)."""
        self._call.pop(leg, None)
        self._gone[leg] = None
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def release(self, call: Call) -> None:
        """The conversation is over."""
        for leg in (*call.legs, call.id):
            if self._call.get(leg) == call.id:
                self.lost(leg)
            if leg in self._leaving:
                self._leaving[leg].discard(call.id)
                if not self._leaving[leg]:
                    del self._leaving[leg]

    # -- merged conversations that still have a segment to close ---------------------------------------

    def leaves(self, call: Call) -> None:
        for leg in call.legs:
            self._leaving.setdefault(leg, set()).add(call.id)

    def leaving(self, leg: str) -> Iterator[str]:
        return iter(sorted(self._leaving.get(leg, ())))

    # -- legs that nobody knows ------------------------------------------------------------------------

    def ask_about(self, leg: str, bridged_with: str = "") -> bool:
        """Whether it is worth asking the switch: a leg is asked about once."""
        if leg in self._gone or leg in self._unknown or not UUID.fullmatch(leg):
            return False
        self._unknown[leg] = bridged_with
        if len(self._unknown) > REMEMBERED:
            del self._unknown[next(iter(self._unknown))]
        return True

    def asked_about(self, leg: str) -> str | None:
        """The leg that this one was bridged with when it was asked about ("": none); None when it was not."""
        return self._unknown.pop(leg, None)

    def ask_anew(self) -> None:
        """A resync has told of every leg there is."""
        self._unknown.clear()

    # -- rooms -----------------------------------------------------------------------------------------

    def enter(self, room: str, leg: str) -> list[str]:
        """The known legs of those already there."""
        members = self._rooms.setdefault(room, set())
        known = sorted(member for member in members - {leg} if member in self._call)
        members.add(leg)
        return known

    def rooms(self, leg: str) -> list[str]:
        """Where it is, as far as it was told."""
        return [name for name, legs in self._rooms.items() if leg in legs]

    def leave(self, leg: str, room: str | None = None) -> None:
        """Leave one room, or all of them."""
        for name in self.rooms(leg) if room is None else [room]:
            members = self._rooms.get(name, set())
            members.discard(leg)
            if not members:
                self._rooms.pop(name, None)
