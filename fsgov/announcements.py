"""Carries out what a conversation hears and where it goes: prompts, variables, hang-up, transfer.

`uuid_broadcast` answers +OK also for a file that does not exist, and a prompt's end proves nothing by itself:
what was heard is told by PLAYBACK_STOP (docs/freeswitch.md, section 8).
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from fsgov.commands import AnswerDialplan, Command, HangUp, Play, SetVariable, StopPlaying, Transfer
from fsgov.errors import FsgovError
from fsgov.esl.pool import Pool
from fsgov.events import CommandAccepted, CommandRefused, CommandUnanswered, Event, Instant

log = structlog.get_logger()

DEADLINE = 3.0
"""Seconds for an answer."""


class Announcements:
    """Turns those commands into api commands, and answers into events."""

    def __init__(self, pool: Pool, emit: Callable[[Event], None], now: Callable[[], Instant]) -> None:
        self._pool = pool
        self._emit = emit
        self._now = now

    def carry_out(self, command: Command) -> None:
        """Send it, wait for the answer, report."""
        if isinstance(command, AnswerDialplan):
            self._answer(command)
            return
        text = text_of(command)
        number: int = command.number  # type: ignore[attr-defined]
        try:
            reply = self._pool.send(text, deadline=DEADLINE, urgent=isinstance(command, HangUp))
        except FsgovError:
            self._emit(CommandUnanswered(now=self._now(), call=command.call, command=number))
            return
        if reply.text.startswith("+OK"):
            self._emit(CommandAccepted(now=self._now(), call=command.call, command=number, sent=reply.sent))
        else:
            reason = reply.text.strip()[:80]
            self._emit(CommandRefused(now=self._now(), call=command.call, command=number, reason=reason))

    def _answer(self, command: AnswerDialplan) -> None:
        """Set the variables; once they are known to be set, break the sleep; neither after its time.

        The core waits for no reply: what the dialplan then does is told by its own events.
        """
        words = ";".join(f"{name}={value}" for name, value in command.variables)
        for text in (f"uuid_setvar_multi {command.leg} {words}", f"uuid_break {command.leg}"):
            if self._now() > command.due:
                log.warning("dialplan.late", call=command.call)
                return
            try:
                reply = self._pool.send(text, deadline=DEADLINE)  # not before stops and masks
            except FsgovError:
                log.warning("dialplan.unanswered", call=command.call)
                return
            if not reply.text.startswith("+OK"):
                return


def text_of(command: Command) -> str:
    """The api command. Files, destinations and values come from the policy, never from a caller."""
    match command:
        case Play(leg=leg, file=file):
            return f"uuid_broadcast {leg} {file} aleg"
        case StopPlaying(leg=leg):
            return f"uuid_break {leg} all"
        case SetVariable(leg=leg, name=name, value=value):
            return f"uuid_setvar {leg} {name} {value}"
        case HangUp(leg=leg):
            return f"uuid_kill {leg}"
        case Transfer(leg=leg, destination=destination):
            return f"uuid_transfer {leg} {destination}"
    raise AssertionError(command)
