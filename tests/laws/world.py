"""The world of one history: a scripted switch, a connection that misbehaves, an fsgov that may be killed.

Faults come from the history; with none left everything behaves. The laws are checked where commands arrive:
against the switch, and against what had been delivered.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fsgov import events as ev
from fsgov.call import Site
from fsgov.commands import (
    Answer,
    CloseSegment,
    Command,
    Enter,
    Inspect,
    LookUpParty,
    MaskSegment,
    OpenSegment,
    Play,
    RecorderCommand,
    Release,
    Remember,
    StopPlaying,
    UnmaskSegment,
)
from fsgov.events import Act, Direction
from fsgov.policy import Policy
from fsgov.switchboard import Switchboard
from tests.laws.switch import SECOND, Channel, File, Prompt, Switch

AUDIO = "/spool/audio"
T0 = 1_795_279_045 * SECOND
PROMPT_LENGTH = 3 * SECOND
SAMPLES = 24_000
REPLY = 2 * SECOND
"""When the shell gives up on a reply."""
OUTCOMES = {
    "recorded", "recorded-in-part", "refused", "withdrawn", "consent-unanswered", "not-answered",
    "not-required", "not-requested", "sampled-out", "foreign", "merged", "failed",
}  # fmt: skip


class World:
    def __init__(self, policy: Policy, faults: list[str], longest: int = 0) -> None:
        self.policy = policy
        self.site = Site(host="fs1", trunks=("external",), audio=AUDIO, longest=longest)
        self.board = Switchboard(policy, self.site)
        self.switch = Switch()
        self.faults = faults
        self.failed = 0
        """Recorder commands that went wrong."""
        self.now = T0
        self.order = itertools.count()
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.connected = True
        self.generation = 0
        self.restarts = 0
        self.kill_after: int | None = None
        """fsgov is killed at the next commands: after the disk's part (1), one later (2), two later (3)."""
        # what was remembered, released and answered
        self.texts: dict[str, str] = {}
        self.released: dict[str, dict[str, Any]] = {}
        self.over: dict[str, str] = {}
        self.answers: dict[str, int] = {}
        # what is known to have reached fsgov
        self.delivered: set[tuple[str, str]] = set()
        self.outstanding: dict[str, RecorderCommand] = {}
        self.numbers: set[tuple[str, int]] = set()
        self.acts: dict[str, tuple[Act, str]] = {}
        self.commands: list[Command] = []

    # -- time ------------------------------------------------------------------------------------------

    def later(self, delay: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.now + int(delay * SECOND), next(self.order), what))

    def wait(self, seconds: float) -> None:
        end = self.now + int(seconds * SECOND)
        for _ in range(20_000):
            due = self.board.next_deadline()
            mine = self.queue[0][0] if self.queue else None
            first = min((x for x in (due, mine) if x is not None), default=None)
            if first is None or first > end:
                break
            self.now = max(self.now, first)
            if mine is not None and (due is None or mine <= due):
                heapq.heappop(self.queue)[2]()
            else:
                self.run(self.board.tick(self.now))
        else:
            raise AssertionError("the clockwork spins")
        self.now = end

    def fault(self) -> str:
        return self.faults.pop() if self.faults else "fine"

    # -- the wire --------------------------------------------------------------------------------------

    def tell(self, event: ev.Event, mark: tuple[str, str] | None = None, *, lossy: bool = True) -> None:
        """An event of the switch goes over the wire: on time, twice, late (behind others), or never."""
        fault = self.fault() if lossy else "fine"
        if fault == "lost":
            return
        self.later(0.5 if fault == "late" else 0.02, lambda: self.deliver(event, mark))
        if fault == "twice":
            self.later(0.03, lambda: self.deliver(event, mark))

    def deliver(self, event: ev.Event, mark: tuple[str, str] | None = None) -> None:
        if not self.connected:
            return
        if mark is not None:
            self.delivered.add(mark)
            self.proves(mark)
        self.run(self.board.handle(_at(event, self.now)))

    def proves(self, mark: tuple[str, str]) -> None:
        """RECORD_START proves a start, RECORD_STOP a stop, though its reply may come later."""
        proof = {"RecordingStarted": OpenSegment, "RecordingStopped": CloseSegment}.get(mark[0])
        for key, command in tuple(self.outstanding.items()):
            if proof is not None and isinstance(command, proof) and command.segment == mark[1]:
                del self.outstanding[key]

    def reply(self, command: RecorderCommand, event: ev.Event) -> None:
        generation = self.generation

        def arrive() -> None:
            key = f"{command.call}:{command.number}"
            if generation == self.generation and key in self.outstanding:
                del self.outstanding[key]
                self.run(self.board.handle(_at(event, self.now)))

        self.later(0.0, arrive)

    # -- commands --------------------------------------------------------------------------------------

    def run(self, commands: list[Command]) -> None:
        """Carry out, in order; where a kill is due, only the first few: the disk's part is one request."""
        if self.kill_after is not None and commands:
            done = _before_the_kill(commands, self.kill_after)
            self.kill_after = None
            self.run(done)
            self.restart()
            return
        for command in commands:
            self.commands.append(command)
            match command:
                case RecorderCommand():
                    self.recorder(command)
                case Remember():
                    document = json.loads(command.text)
                    assert document["call"] == command.call
                    self.texts[command.call] = command.text
                case Release():
                    self.release(command)
                case Play():
                    self.play(command.leg)
                case StopPlaying():
                    self.later(0.02, lambda leg=command.leg: self.prompt_ends(leg, None))
                case LookUpParty():
                    self.tell(
                        ev.PartyUnknown(now=0, call=command.call, command=command.number, party=command.party)
                    )
                case Enter():
                    self.enter(command)
                case Answer():
                    self.answer(command)
                case _:
                    pass

    def recorder(self, command: RecorderCommand) -> None:
        assert self.connected, "nothing is sent while the switch cannot be seen"
        if isinstance(command, Inspect) and not command.call:
            self.later(0.03, lambda: self.execute(command, "fine"))
            return
        waiting = [key for key in self.outstanding if key.startswith(f"{command.call}:")]
        assert not waiting, f"law 3: {command} while {waiting} is under way"
        assert (command.call, command.number) not in self.numbers, "a number is used once"
        self.numbers.add((command.call, command.number))
        assert command.call in self.texts, "the call file is written before a command that rests on it"
        key = f"{command.call}:{command.number}"
        self.outstanding[key] = command
        if isinstance(command, OpenSegment):
            self.check_basis(command)
        if isinstance(command, OpenSegment | UnmaskSegment):
            self.judge_start(command)
        fault = self.fault()
        self.failed += fault not in ("fine", "twice")
        if fault == "refused":
            self.later(0.02, lambda: self.reply(command, _refused(command)))
            return
        if fault == "dropped":
            self.give_up(command)
            return
        if fault == "no effect" and isinstance(command, OpenSegment | CloseSegment):
            self.later(0.02, lambda: self.reply(command, _accepted(command, self.now)))
            return
        delay = 2.5 if fault == "late" else 0.02
        if fault in ("late", "lost"):
            self.give_up(command)
        sent = self.now
        self.later(
            delay, lambda: self.execute(command, "silent" if fault in ("late", "lost") else "fine", sent)
        )

    def give_up(self, command: RecorderCommand) -> None:
        unanswered = ev.CommandUnanswered(now=0, call=command.call, command=command.number)
        self.later(REPLY / SECOND, lambda: self.reply(command, unanswered))

    def execute(self, command: RecorderCommand, how: str, sent: int = 0) -> None:
        switch, now, done = self.switch, self.now, True
        match command:
            case Inspect():
                self.inspect(command, how)
                return
            case OpenSegment():
                path = f"{AUDIO}/{command.segment}.wav"
                done = switch.start(command.leg, command.segment, path, now)
                if done:
                    self.recording(ev.RecordingStarted, switch.files[command.segment])
            case CloseSegment():
                stopped = switch.stop(command.leg, command.segment, command.every, now)
                done = bool(stopped)
                for file in stopped:
                    self.tell_stop(file, "success-maxtime")
            case MaskSegment():
                done = switch.mask(command.leg, command.segment, "cut" if command.cut else "masked", now)
            case UnmaskSegment():
                done = switch.mask(command.leg, command.segment, "on", now)
            case _:
                pass
        if how == "fine":
            self.reply(command, _accepted(command, sent) if done else _refused(command))

    def inspect(self, command: Inspect, how: str) -> None:
        leg = self.switch.leg(command.leg)
        found = None
        if leg is not None and not command.call:
            found = self.created(leg, found=True)
        event = ev.LegInspected(
            now=0,
            leg=command.leg,
            exists=leg is not None,
            recordings=tuple(file.path for file in self.switch.on(command.leg)) if leg else (),
            leg_found=found,
            command=command.number,
        )
        if not command.call:
            self.deliver(event)
        elif how == "fine":
            self.reply(command, event)

    # -- what the switch reports -----------------------------------------------------------------------

    def created(self, leg: Channel, *, found: bool = False) -> ev.LegCreated:
        return ev.LegCreated(
            now=0,
            at=self.now,
            leg=leg.uuid,
            direction=Direction.INBOUND if leg.inbound else Direction.OUTBOUND,
            caller="+4930123456" if leg.outside else "1001",
            dialled="+4930999" if leg.inbound else "1001",
            profile="sofia/external" if leg.outside else "sofia/internal",
            other=None if leg.inbound else "a",
            core=self.switch.core,
            found=found,
            answered=leg.answered and found,
        )

    def recording(self, kind: Any, file: File, **more: Any) -> None:
        event = kind(now=0, at=self.now, leg=file.leg, path=file.path, segment=file.segment, **more)
        self.tell(event, (kind.__name__, file.segment))

    def tell_stop(self, file: File, cause: str) -> None:
        ms = sum(to - since for since, to, state in file.spans if state in ("on", "masked")) // 1000
        self.recording(ev.RecordingStopped, file, cause=cause, ms=ms, size=44 + ms * 16)

    def play(self, uuid: str) -> None:
        leg = self.switch.leg(uuid)
        if leg is None or self.fault() == "dropped":
            return
        prompt = Prompt()
        leg.prompts.append(prompt)
        self.later(0.17, lambda: self.prompt_starts(uuid, prompt))

    def prompt_starts(self, uuid: str, prompt: Prompt) -> None:
        if self.switch.leg(uuid) is None:
            return
        prompt.started = self.now
        self.tell(ev.PromptStarted(now=0, at=self.now, leg=uuid, file="/p/ask.wav"))
        self.later(PROMPT_LENGTH / SECOND, lambda: self.prompt_ends(uuid, prompt))

    def prompt_ends(self, uuid: str, prompt: Prompt | None) -> None:
        """At its end, or broken (`prompt` None)."""
        playing = self.switch.legs[uuid].playing
        if playing is None or (prompt is not None and playing is not prompt):
            return
        assert playing.started is not None
        playing.ended = self.now
        playing.heard = self.now - playing.started >= PROMPT_LENGTH
        samples = min((self.now - playing.started) * SAMPLES // PROMPT_LENGTH, SAMPLES)
        self.tell(
            ev.PromptStopped(now=0, at=self.now, leg=uuid, file="/p/ask.wav", status="done", samples=samples)
        )

    # -- laws where commands arrive --------------------------------------------------------------------

    def check_basis(self, command: OpenSegment) -> None:
        """Law 1: a decision that names a rule and a basis."""
        side = json.loads(command.sidecar)
        assert side["rule"], "law 1: no rule"
        assert side["basis"], "law 1: no basis"
        assert set(side["basis"]) == set(side["purposes"])

    def restart(self) -> None:
        """fsgov is killed and started again."""

    def judge_start(self, command: RecorderCommand) -> None:
        """Overridden by the laws: may sound be captured on this leg from now on?"""

    def release(self, command: Release) -> None:
        segment = command.segment
        if segment in self.released:
            assert self.restarts, "a segment is released once, but for a kill"
            return
        self.released[segment] = json.loads(command.sidecar)
        file = self.switch.files.get(segment)
        assert file is None or not file.running, "law 2: released while the switch still writes it"

    def enter(self, entry: Enter) -> None:
        segment = entry.subject
        file = self.switch.files.get(segment)
        match entry.type:
            case "segment.opened":
                assert ("RecordingStarted", segment) in self.delivered, "law 2: opened before RECORD_START"
            case "segment.masked":
                assert file is not None, "law 2: masked, and there is no file"
                assert not file.running or file.state in ("masked", "cut"), "law 2: masked, and it is not"
            case "segment.closed":
                assert file is None or not file.running, "law 2: closed, and it runs"
            case "call.over":
                assert segment not in self.over, "law 5: over twice"
                self.over[segment] = str(entry.facts["outcome"])
                assert entry.facts["outcome"] in OUTCOMES
            case _:
                pass

    def answer(self, answer: Answer) -> None:
        self.answers[answer.request] = answer.status
        act, _ = self.acts[answer.request]
        if answer.status != 200:
            return
        # a start that took effect unseen is known to nobody but the switch until its RECORD_START arrives
        told = [
            file
            for file in self.switch.running()
            if ("RecordingStarted", file.segment) in self.delivered
            and file.segment.rpartition("-")[0] == answer.call
        ]
        if act is Act.PAUSE:
            sounding = [file for file in told if file.state == "on" and not file.moved]
            assert not sounding, "law 2: a pause acknowledged while sound is captured"
        if act is Act.STOP:
            assert not told, "law 2: a stop acknowledged while a recording runs"
        if act in (Act.START, Act.RESUME):
            assert ev.RecordingStarted.__name__ in {name for name, _ in self.delivered}


def _before_the_kill(commands: list[Command], after: int) -> list[Command]:
    """The disk's part of a conversation is one request; of two, each for itself, in either order."""
    disk = [command for command in commands if isinstance(command, Enter | Release | Remember)]
    calls = list(dict.fromkeys(command.call for command in disk))
    if len(calls) < 2 or after == 3:
        return commands[: len(disk) + after - 1] if len(calls) < 2 else disk
    one = calls[0] if after == 1 else calls[-1]
    return [command for command in disk if command.call == one]


def _at(event: ev.Event, now: int) -> ev.Event:
    return replace(event, now=now)


def _accepted(command: RecorderCommand, sent: int) -> ev.Event:
    return ev.CommandAccepted(now=0, call=command.call, command=command.number, sent=sent)


def _refused(command: RecorderCommand) -> ev.Event:
    return ev.CommandRefused(now=0, call=command.call, command=command.number, reason="-ERR")
