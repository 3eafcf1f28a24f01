"""Conversations for tests: push what the switch tells, look at the commands that follow."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

from fsgov import events as ev
from fsgov.call import Call, Capture, Site, Stage
from fsgov.commands import (
    CloseSegment,
    Command,
    Enter,
    Inspect,
    MaskSegment,
    OpenSegment,
    RecorderCommand,
    Remember,
    UnmaskSegment,
)
from fsgov.events import Act, Direction
from fsgov.policy import Policy, PromptFacts, parse
from fsgov.switchboard import Switchboard

SECOND = 1_000_000
T0 = 1_795_279_045 * SECOND
AUDIO = "/var/spool/fsgov/audio"
PROMPT = "/p/ask.wav"
SAMPLES = 24_000

HEAD = """
version = "1"
timezone = "Europe/Berlin"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[purpose.training]
basis = "consent"
retain_max = "6 months"
[purpose.analytics]
basis = "consent"
retain_max = "1 year"
[prompt.ask]
file = "/p/ask.wav"
"""
ALWAYS = '[[rule]]\nname = "all"\nrecord = "always"\nconsent = "none"\npurposes = ["evidence"]\n'
NEVER = '[[rule]]\nname = "none"\nrecord = "never"\n'
ON_DEMAND = '[[rule]]\nname = "asked"\nrecord = "on_demand"\nconsent = "none"\npurposes = ["evidence"]\n'
OPT_IN = """[[rule]]
name = "german"
consent = "opt_in"
purposes = ["evidence", "training", "analytics"]
ask = { prompt = "ask", yes = "1", no = "2", timeout = "8 s", withdraw = "*9" }
"""
OPT_OUT = """[[rule]]
name = "leave"
consent = "opt_out"
purposes = ["evidence"]
ask = { prompt = "ask", no = "2", timeout = "5 s", withdraw = "*9" }
"""
NOTICE = '[[rule]]\nname = "british"\nconsent = "notice"\npurposes = ["evidence"]\nask = { prompt = "ask" }\n'
ON_FILE = '[[rule]]\nname = "filed"\nconsent = "on_file"\npurposes = ["evidence", "training"]\n'
REST = '[[rule]]\nname = "rest"\nrecord = "never"\n'

C = TypeVar("C", bound=Command)


def prompt_facts(file: str) -> PromptFacts:
    return PromptFacts(file=file, samples=SAMPLES, rate=8_000, sha256="ab" * 32)


@functools.cache
def policy(*rules: str) -> Policy:
    return parse(HEAD + "\n".join(rules), prompts=prompt_facts, packs={})


class Talk:
    """A switchboard with a clock; `sent` holds every command, `last` those of the last event."""

    def __init__(self, *rules: str, of: Policy | None = None, **site: Any) -> None:
        self.policy = of or policy(*rules)
        site.setdefault("trunks", ("external",))
        self.site = Site(host="fs1", audio=AUDIO, **site)
        self.board = Switchboard(self.policy, self.site)
        self.now = T0
        self.last: list[Command] = []
        self.sent: list[Command] = []

    def restarted(self) -> Talk:
        """The same switch, with an fsgov that knows only what was remembered."""
        twin = Talk.__new__(Talk)
        twin.__dict__.update(self.__dict__)
        twin.board = Switchboard(self.policy, self.site)
        twin.sent, twin.last = [], []
        texts: dict[str, str] = {}
        for command in self.all(Remember):
            texts[command.call] = command.text
        for text in texts.values():
            twin.push(ev.CallRestored, text=text)
        return twin

    # -- what happens ---------------------------------------------------------------------------------

    def push(self, kind: Any, **fields: Any) -> list[Command]:
        event = kind(now=self.now, at=fields.pop("at", self.now), **fields)
        return self._took(self._looked(self.board.handle(event)))

    def wait(self, seconds: float) -> list[Command]:
        """Let time pass, deadline by deadline."""
        end = self.now + int(seconds * SECOND)
        commands: list[Command] = []
        for _ in range(10_000):
            due = self.board.next_deadline()
            if due is None or due > end:
                break
            self.now = max(due, self.now)
            commands += self._looked(self.board.tick(self.now))
        else:
            raise AssertionError("the clockwork spins")
        self.now = end
        return self._took(commands)

    def _looked(self, commands: list[Command]) -> list[Command]:
        """A routine look finds what is believed; it is answered at once and not counted as a move."""
        left: list[Command] = []
        for command in commands:
            call = self.board.call(command.call) if isinstance(command, Inspect) else None
            if not isinstance(command, Inspect) or call is None or call.actual is Capture.UNKNOWN:
                left.append(command)
                continue
            found = call.segment is not None and call.segment.leg == command.leg
            paths = (f"{AUDIO}/{call.segment.id}.wav",) if found and call.segment is not None else ()
            answer = ev.LegInspected(
                now=self.now, leg=command.leg, exists=True, recordings=paths, command=command.number
            )
            left += self.board.handle(answer)
        return left

    def _took(self, commands: list[Command]) -> list[Command]:
        self.last = commands
        self.sent += commands
        return commands

    def created(self, leg: str = "a", **fields: Any) -> list[Command]:
        fields.setdefault("direction", Direction.INBOUND if leg == "a" else Direction.OUTBOUND)
        fields.setdefault("caller", "+4930123456")
        fields.setdefault("dialled", "+442079460100" if leg == "a" else "1001")
        inbound = fields["direction"] is Direction.INBOUND
        fields.setdefault("profile", "sofia/external" if inbound else "sofia/internal")
        fields.setdefault("core", "core-1")
        return self.push(ev.LegCreated, leg=leg, **fields)

    def answered(self, leg: str = "a", **fields: Any) -> list[Command]:
        return self.push(ev.LegAnswered, leg=leg, **fields)

    def inbound(self) -> list[Command]:
        """An outside caller, an agent, both answered and bridged."""
        self.created("a")
        self.created("b", other="a")
        self.answered("b")
        self.answered("a")
        commands = self.last
        self.push(ev.LegsBridged, leg="a", other="b")
        return commands

    def accept(self) -> list[Command]:
        """The switch says +OK to the command under way."""
        flight = self.flight()
        return self.push(ev.CommandAccepted, call=flight.call, command=flight.number, sent=self.now)

    def refuse(self, reason: str = "-ERR") -> list[Command]:
        flight = self.flight()
        return self.push(ev.CommandRefused, call=flight.call, command=flight.number, reason=reason)

    def silence(self) -> list[Command]:
        flight = self.flight()
        return self.push(ev.CommandUnanswered, call=flight.call, command=flight.number)

    def opens(self) -> list[Command]:
        """The switch carries out the start under way."""
        flight = self.flight()
        assert isinstance(flight, OpenSegment), flight
        self.accept()
        return self.recording(flight.segment, leg=flight.leg)

    def closes(self, ms: int = 2000, cause: str = "success-maxtime") -> list[Command]:
        flight = self.flight()
        assert isinstance(flight, CloseSegment), flight
        self.accept()
        return self.stops(flight.segment, leg=flight.leg, ms=ms, cause=cause)

    def recording(self, segment: str, leg: str = "a") -> list[Command]:
        return self.push(ev.RecordingStarted, leg=leg, path=f"{AUDIO}/{segment}.wav", segment=segment)

    def stops(
        self, segment: str, leg: str = "a", cause: str = "success-silence", **fields: Any
    ) -> list[Command]:
        fields = {"ms": 2000, "size": 32044, **fields}
        path = f"{AUDIO}/{segment}.wav"
        return self.push(ev.RecordingStopped, leg=leg, path=path, segment=segment, cause=cause, **fields)

    def plays(self, leg: str = "a", samples: int | None = SAMPLES) -> list[Command]:
        """The prompt starts and ends, `samples` of it heard."""
        self.push(ev.PromptStarted, leg=leg, file=PROMPT)
        self.now += 3 * SECOND
        return self.push(ev.PromptStopped, leg=leg, file=PROMPT, status="done", samples=samples)

    def presses(self, digits: str, leg: str = "a") -> list[Command]:
        commands: list[Command] = []
        for digit in digits:
            commands += self.push(ev.KeyPressed, leg=leg, digit=digit)
        self.last = commands
        return commands

    def act(self, act: Act, call: str = "a", **fields: Any) -> list[Command]:
        fields.setdefault("request", f"r-{act.value}")
        return self.push(ev.ActAsked, call=call, act=act, actor="p-alice", **fields)

    def hangs_up(self, *legs: str, cause: str = "NORMAL_CLEARING") -> list[Command]:
        """The legs end; a segment that runs on one of them ends with it, as the switch does."""
        commands: list[Command] = []
        for leg in legs:
            commands += self.push(ev.LegHungUp, leg=leg, cause=cause)
        for leg in legs:
            call = next((c for c in self.board.calls if leg in c.legs), None)
            segment = None if call is None else call.segment
            if segment is not None and segment.leg == leg and segment.opened is not None:
                commands += self.stops(segment.id, leg=leg)
            commands += self.push(ev.LegGone, leg=leg, cause=cause)
        self.last = commands
        return commands

    def resync(self, core: str = "core-1", **recordings: tuple[str, ...]) -> list[Command]:
        paths = {leg: tuple(f"{AUDIO}/{s}.wav" for s in segments) for leg, segments in recordings.items()}
        return self.push(ev.Resynced, core=core, recordings=paths)

    # -- what is seen ---------------------------------------------------------------------------------

    def call(self, id_: str = "a") -> Call:
        call = self.board.call(id_)
        assert call is not None
        return call

    def flight(self, id_: str = "a") -> RecorderCommand:
        flight = self.call(id_).flight
        assert flight is not None
        return flight.command

    def state(self, id_: str = "a") -> tuple[Stage, Capture]:
        call = self.call(id_)
        return call.stage, call.actual

    def all(self, kind: type[C]) -> list[C]:
        return [command for command in self.sent if isinstance(command, kind)]

    def entries(self, type_: str) -> list[Enter]:
        return [entry for entry in self.all(Enter) if entry.type == type_]

    def over(self, id_: str = "a") -> str:
        """The outcome with its cause, of a conversation that has ended."""
        assert id_ not in {call.id for call in self.board.calls}, "it is not over"
        (entry,) = [e for e in self.entries("call.over") if e.subject == id_]
        cause = entry.facts["cause"]
        return (
            f"{entry.facts['outcome']}:{cause}"
            if entry.facts["outcome"] == "failed"
            else str(entry.facts["outcome"])
        )


def moves(commands: list[Command]) -> list[str]:
    """The recorder commands among them, by name."""
    names = {
        OpenSegment: "open",
        CloseSegment: "close",
        MaskSegment: "mask",
        UnmaskSegment: "unmask",
        Inspect: "inspect",
    }
    return [names[type(c)] for c in commands if isinstance(c, RecorderCommand)]
