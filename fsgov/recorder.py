"""Carries out recorder commands with `uuid_record`, and reports what the switch answered.

What an answer is worth is the core's business: `+OK` to mask is an acknowledgement, `+OK` to start is
confirmed by RECORD_START only (docs/freeswitch.md, section 3; mod_commands.c, switch_ivr_async.c).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from fsgov.commands import (
    CloseSegment,
    Inspect,
    MaskSegment,
    OpenSegment,
    RecorderCommand,
    UnmaskSegment,
)
from fsgov.errors import FsgovError
from fsgov.esl.pool import Pool
from fsgov.events import CommandAccepted, CommandRefused, CommandUnanswered, Event, Instant, LegInspected
from fsgov.failpoints import failpoint

DEADLINE = 3.0
"""Seconds for an answer; the core's own grace for a command is longer."""
UNLIMITED = 0
"""The limit must stand before the recording variables, else the switch ignores these with +OK."""


class Recorder:
    """Turns recorder commands into api commands, and answers into events.

    audio: the spool's audio directory as the switch sees it.
    """

    def __init__(
        self,
        pool: Pool,
        audio: PurePosixPath,
        inspect: Callable[[str, bool], LegInspected],
        emit: Callable[[Event], None],
        now: Callable[[], Instant],
    ) -> None:
        self._pool = pool
        self._audio = audio
        self._inspect = inspect
        self._emit = emit
        self._now = now

    def carry_out(self, command: RecorderCommand) -> None:
        """Send it, wait for the answer, report. Stop and mask overtake starts that wait for a connection."""
        try:
            if isinstance(command, Inspect):
                self._emit(replace(self._inspect(command.leg, not command.call), command=command.number))
                return
            starts = isinstance(command, OpenSegment)
            if starts:
                failpoint("govern.capture.before")
            reply = self._pool.send(self.text_of(command), deadline=DEADLINE, urgent=not starts)
            if starts:
                failpoint("govern.capture.after")
        except FsgovError:
            self._emit(CommandUnanswered(now=self._now(), call=command.call, command=command.number))
            return
        if reply.text.startswith("+OK"):
            self._emit(
                CommandAccepted(now=self._now(), call=command.call, command=command.number, sent=reply.sent)
            )
        else:
            self._emit(
                CommandRefused(
                    now=self._now(), call=command.call, command=command.number, reason=reply.text.strip()[:80]
                )
            )

    def path(self, segment: str) -> str:
        """Where the switch writes this segment; the same string in start and stop finds the recording."""
        return str(self._audio / f"{segment}.wav")

    def text_of(self, command: RecorderCommand) -> str:
        path = self.path(command.segment)
        match command:
            case OpenSegment(armed=armed, unbuffered=unbuffered):
                variables = f"fsgov_segment={command.segment}" + (",RECORD_ANSWER_REQ=true" if armed else "")
                variables += ",enable_file_write_buffering=false" if unbuffered else ""
                return f"uuid_record {command.leg} start {path} {UNLIMITED} {{{variables}}}"
            case CloseSegment(every=True):
                return f"uuid_record {command.leg} stop all"
            case CloseSegment():
                return f"uuid_record {command.leg} stop {path}"
            case MaskSegment(cut=cut):
                return f"uuid_record {command.leg} {'pause' if cut else 'mask'} {path}"
            case UnmaskSegment(cut=cut):
                return f"uuid_record {command.leg} {'resume' if cut else 'unmask'} {path}"
        raise AssertionError(command)
