"""What govern's loop counts as it turns: plain numbers, a few microseconds for an event that has commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fsgov.call import Call
from fsgov.call.state import Flight
from fsgov.commands import Command, Enter
from fsgov.events import CommandAccepted, CommandRefused, CommandUnanswered, Event, Instant, SegmentTaken
from fsgov.health.spread import SWITCH, Spread

REPLIES = frozenset({CommandAccepted, CommandRefused, CommandUnanswered, SegmentTaken})
NOT_SENT = "spool"
"""The reason of a refusal by the disk."""
PROMPT = "prompt-missing"
IN_A_ROW = 3
"""Starts that fail one after the other before it is the recorder's failure and not a call's."""


class LookUps:
    """What became of look-ups in the CRM: plain numbers."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        """found, unknown (nobody has the number), or why there was no answer (parties/answer.py)."""
        self.remembered = 0
        """Of those without an answer, the ones that its memory has answered."""
        self.seconds = Spread(SWITCH)


class Tally:
    """Counts, and when last: what alarms of the loop are made of. Instants are 0 where it never happened."""

    def __init__(self) -> None:
        self.entries: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.commands: Counter[tuple[str, str]] = Counter()
        """Recorder commands by word and result."""
        self.replies = Spread(SWITCH)
        self.starts = Spread(SWITCH)
        self.start_lost = Spread(SWITCH)
        self.ungoverned = 0
        self.ungoverned_at: Instant = 0
        self.prompt_at: Instant = 0
        self.failed_at: Instant = 0
        """A call could not be given the recording that it needs, or one more start in a row failed."""
        self.missed = 0
        """Starts in a row that failed."""
        self.opened_at: Instant = 0
        """The switch has last taken a start."""

    def carried(self, commands: Iterable[Command], now: Instant) -> None:
        """The commands of one step of the core."""
        for command in commands:
            if type(command) is Enter:
                self.entries[command.type] += 1
                if command.type in _TELLING:
                    self._told(command, now)

    def _told(self, entry: Enter, now: Instant) -> None:
        match entry.type:
            case "call.over":
                self.outcomes[str(entry.facts["outcome"])] += 1
            case "segment.opened":
                lost = entry.facts["start_lost_ms"]
                if lost is not None:
                    self.start_lost.add(int(str(lost)) / 1000)
            case "sessions.ungoverned":
                self.ungoverned += int(str(entry.facts["sessions"]))
                self.ungoverned_at = now
            case "recorder.failed" if entry.facts["cause"] == PROMPT:
                self.prompt_at = now
            case "recorder.failed":
                self.failed_at = now

    def replied(self, event: Event, call: Call | None) -> None:
        """A reply (one of REPLIES) that the core is about to hear of."""
        flight = None if call is None else call.flight
        match event:
            case CommandAccepted(command=number, sent=sent):
                word, result = _word(flight, number), "accepted"
                if sent is not None:
                    self.replies.add((event.now - sent) / 1e6)
                if word == "open":
                    self.opened_at = event.now
                    if flight is not None and sent is not None:
                        self.starts.add((sent - flight.sent) / 1e6)
            case CommandRefused(command=number, reason=reason):
                word = _word(flight, number)
                result = "spool" if reason == NOT_SENT else "refused"
            case CommandUnanswered(command=number):
                word, result = _word(flight, number), "unanswered"
            case _:
                word, result = "open", "taken"
        self.commands[word, result] += 1
        if word == "open" and result != "taken":
            self.missed = 0 if result == "accepted" else self.missed + 1
            if self.missed >= IN_A_ROW:
                self.failed_at = event.now


_TELLING = frozenset({"call.over", "segment.opened", "sessions.ungoverned", "recorder.failed"})


def _word(flight: Flight | None, number: int) -> str:
    """open, close, mask, unmask or inspect; `other` for what answers to no command under way."""
    if flight is None or flight.command.number != number:
        return "other"
    return type(flight.command).__name__.removesuffix("Segment").lower()
