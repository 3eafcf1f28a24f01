"""Legs that meet and part: what becomes of their conversations."""

from __future__ import annotations

from fsgov.commands import Command
from fsgov.events import LegsBridged, LegsUnbridged, RoomJoined, RoomLeft
from fsgov.switchboard.conversations import Conversations

Met = LegsBridged | LegsUnbridged | RoomJoined | RoomLeft


Unknown = dict[str, str]
"""Legs that nobody knows, each with one that it has met."""


def met(live: Conversations, event: Met) -> tuple[Unknown, list[Command]]:
    """Whom to ask about, and the commands."""
    match event:
        case LegsBridged(leg=leg, other=other):
            return _together(live, event, leg, [other])
        case RoomJoined(leg=leg, room=room):
            return _together(live, event, leg, live.directory.enter(room, leg))
        case LegsUnbridged(leg=leg, other=other):
            whose = dict.fromkeys((live.directory.call(leg), live.directory.call(other)))
            return {}, [command for id_ in whose if id_ for command in live.tell(id_, event)]
        case RoomLeft(leg=leg, room=room):
            live.directory.leave(leg, room)
            return {}, live.tell(live.directory.call(leg), event)


def _together(
    live: Conversations, event: LegsBridged | RoomJoined, leg: str, others: list[str]
) -> tuple[Unknown, list[Command]]:
    """The others of a room may be of several conversations, where the switch's word about one was lost."""
    legs = {leg: others[0] if others else "", **dict.fromkeys(others, leg)}
    unknown = {one: met for one, met in legs.items() if live.directory.call(one) is None}
    return unknown, live.meet(event, legs)
