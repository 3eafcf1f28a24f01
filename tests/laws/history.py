"""What people and the network do in one history, and what is true of it by the world alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fsgov import events as ev
from fsgov.attested import Attested
from fsgov.call.failing import ATTEMPTS
from fsgov.call.length import LAST_CUT
from fsgov.call.stops import Stop, Stops, StopsInForce
from fsgov.commands import Answer, CloseSegment, OpenSegment, RecorderCommand
from fsgov.events import Act
from fsgov.switchboard import Switchboard
from tests.laws.switch import SECOND, Channel, File
from tests.laws.world import World

TIMEOUT = 5 * SECOND
"""Of the question, in every policy of these laws."""
PAUSE_MAX = 20 * SECOND
"""Of a pause, where the rule is `none always`: then the watchdog stops the recording."""


class History(World):
    """One conversation `a`: an outside caller a, an agent b, later perhaps a third party c outside."""

    mode = "none"
    record = "always"

    requests = 0
    whole = True
    """No digit of those being pressed was lost."""
    ever_wrong = False
    """Something in this history has been out of order."""
    refused_at: int | None = None
    stopped = False
    paused = False
    paused_at = 0
    started = False
    halted = False
    attested: frozenset[str] = frozenset()
    """Legs whose party somebody has said to have agreed."""
    trained: bool | None = None
    """What was said last of the purpose with basis consent; a no stays."""

    # -- what people do --------------------------------------------------------------------------------

    def go_through(
        self, opening: Sequence[str], script: Sequence[str], faults: Sequence[str], late: bool
    ) -> None:
        """From the first word to the end of everything; `late`: the faults begin after the opening."""
        self.faults = [] if late else list(faults)
        for word in opening:
            self.do(word)
        if late:
            self.faults = list(faults)
        for word in script:
            self.do(word)
        self.settle()
        self.end()

    def do(self, word: str) -> None:
        verb, _, what = word.partition(" ")
        self.ever_wrong |= bool(self.faults) or verb in ("disconnect", "restart", "kill", "move", "stray")
        getattr(self, f"do_{verb}")(what)

    def do_call(self, leg: str) -> None:
        if leg in self.switch.legs or (leg != "a" and self.switch.leg("a") is None):
            return
        channel = Channel(leg, outside=leg != "b", inbound=leg == "a")
        self.switch.legs[leg] = channel
        self.tell(self.created(channel), ("created", leg), lossy=leg != "a")

    def do_answer(self, leg: str) -> None:
        channel = self.switch.leg(leg)
        if channel is None or channel.answered:
            return
        channel.answered = True
        self.tell(ev.LegAnswered(now=0, at=self.now, leg=leg), ("answered", leg))

    def do_bridge(self, leg: str) -> None:
        if self.switch.leg("a") and self.switch.leg(leg):
            self.tell(ev.LegsBridged(now=0, at=self.now, leg="a", other=leg))

    def do_press(self, what: str) -> None:
        leg, digits = what.split()
        channel = self.switch.leg(leg)
        if channel is None or not channel.answered:
            return
        self.whole = True
        for digit in digits:
            channel.presses.append((self.now, digit))
            if self.fault() == "lost" or not self.connected:
                self.whole = False
                continue
            refusal = self.is_refusal(channel, digit) or self.is_withdrawal(channel, digits, digit)
            running = self.known_running()
            before = len(self.commands)
            self.deliver(ev.KeyPressed(now=0, at=self.now, leg=leg, digit=digit))
            if refusal and self.refused_at is None:
                self.refused_at = self.now
                if running and not self.outstanding and not self.ever_wrong:
                    closing = [c for c in self.commands[before:] if isinstance(c, CloseSegment)]
                    assert closing, "law 1: a withdrawal stops capture at once"

    def is_refusal(self, leg: Channel, digit: str) -> bool:
        """Certainly a no: pressed while the prompt was playing, before any yes."""
        playing = leg.playing
        yes = any(pressed == "1" for _, pressed in leg.presses)
        sure = self.mode in ("opt_in", "opt_out") and digit == "2" and playing is not None and not yes
        return sure and not self.adrift() and self.told(leg)

    def is_withdrawal(self, leg: Channel, digits: str, digit: str) -> bool:
        """Certainly the code: its two digits in a row, on the leg that was asked, while we record."""
        asked = leg.uuid == "a" and self.mode in ("opt_in", "opt_out") and not self.adrift()
        row = "".join(pressed for _, pressed in leg.presses[-2:])
        return (
            asked
            and digits == "*9"
            and digit == "9"
            and row == "*9"
            and self.whole
            and bool(self.known_running())
        )

    def known_running(self) -> list[File]:
        started = {segment for name, segment in self.delivered if name == "RecordingStarted"}
        return [file for file in self.switch.running() if file.segment in started and not file.moved]

    def told(self, leg: Channel) -> bool:
        return ("answered", leg.uuid) in self.delivered and ("created", leg.uuid) in self.delivered

    def do_act(self, what: str) -> None:
        act = Act(what)
        self.requests += 1
        request = f"r{self.requests}"
        self.acts[request] = (act, "a")
        before = (self.paused, self.paused_at, self.stopped, self.started)
        self.wish(act)
        event = ev.ActAsked(now=self.now, call="a", act=act, actor="p-1", request=request)
        commands = self.board.handle(event)
        if any(isinstance(c, Answer) and c.request == request and c.status in (404, 409) for c in commands):
            self.paused, self.paused_at, self.stopped, self.started = before
        self.run(commands)

    def wish(self, act: Act) -> None:
        """What is true if the act is not refused."""
        match act:
            case Act.PAUSE if not self.paused:
                self.paused, self.paused_at = True, self.now
            case Act.RESUME:
                self.paused = False
            case Act.STOP:
                self.stopped, self.paused = True, False
            case Act.START:
                self.stopped, self.started = False, True
                self.paused = self.paused and self.now < self.paused_at + PAUSE_MAX
            case _:
                pass

    def do_attest(self, state: str) -> None:
        """A person says what the one party outside has said; what is refused has no effect."""
        self.requests += 1
        request = f"r{self.requests}"
        self.acts[request] = (Act.CONSENT, "a")
        present, running = self.present(), self.known_running()
        calm = not (self.outstanding or self.ever_wrong or self.adrift())
        self.ever_wrong |= bool(self.faults)
        event = ev.ActAsked(
            now=self.now, call="a", act=Act.CONSENT, actor="p-1", request=request,
            consent=Attested(state=state),
        )  # fmt: skip
        commands = self.board.handle(event)
        if not any(isinstance(c, Answer) and c.request == request and c.status > 202 for c in commands):
            if state == "given":
                self.attested |= {leg.uuid for leg in present}
                self.trained = self.trained is not False
            else:
                self.trained = False
                if self.mode != "statutory" and self.refused_at is None:
                    self.refused_at = self.now
                    closing = [c for c in commands if isinstance(c, CloseSegment)]
                    assert closing or not (running and calm), "law 1: a withdrawal stops capture at once"
        self.run(commands)

    def do_halt(self, what: str) -> None:
        """The kill switch of this host, thrown or taken back."""
        self.halted = what == "on"
        self.run(self.board.handle(self.stops()))

    def stops(self) -> StopsInForce:
        placed = [Stop("s-1", "host", host=self.site.host)] if self.halted else []
        return StopsInForce(now=self.now, stops=Stops.of(self.site.host, placed))

    def do_hold(self, leg: str) -> None:
        channel = self.switch.leg(leg)
        if channel is not None and channel.answered:
            self.switch.hold(leg, not channel.held, self.now)
            kind = ev.LegHeld if channel.held else ev.LegUnheld
            self.tell(kind(now=0, at=self.now, leg=leg), lossy=False)

    def do_hangup(self, leg: str) -> None:
        channel = self.switch.leg(leg)
        if channel is None:
            return
        playing = channel.playing
        ended = self.switch.hang_up(leg, self.now)
        self.tell(ev.LegHungUp(now=0, at=self.now, leg=leg, cause="NORMAL_CLEARING"))
        if playing is not None and playing.started is not None:
            samples = (self.now - playing.started) * 24_000 // (3 * SECOND)
            stop = ev.PromptStopped(
                now=0, at=self.now, leg=leg, file="/p/ask.wav", status="done", samples=samples
            )
            self.tell(stop)
        for file in ended:
            self.tell_stop(file, "success-silence")
        self.tell(ev.LegGone(now=0, at=self.now, leg=leg, cause="NORMAL_CLEARING"), ("gone", leg))

    def do_wait(self, seconds: str) -> None:
        self.wait(float(seconds))

    def do_move(self, _: str) -> None:
        """A dialplan's recording_follow_transfer takes the recording along."""
        b = self.switch.leg("b")
        for file in self.switch.on("a"):
            if b is not None and b.answered:
                file.leg, file.moved = "b", True
                self.tell(ev.RecordingSeen(now=0, at=self.now, leg="b", path=file.path), lossy=False)

    def do_stray(self, _: str) -> None:
        """Somebody else stops our recording."""
        for file in self.switch.on("a"):
            file.stop(self.now)
            self.tell_stop(file, "success-maxtime")

    def do_junk(self, _: str) -> None:
        """Events that mean nothing, or nothing any more."""
        for event in (
            ev.CommandAccepted(now=self.now, call="a", command=999_999),
            ev.PromptStopped(now=self.now, leg="a", file="/p/other.wav", status="done", samples=99_999_999),
            ev.RecordingStopped(now=self.now, leg="a", path="/tmp/x.wav", segment="zz-01"),
            ev.LegUnheld(now=self.now, leg="zz"),
            ev.KeyPressed(now=self.now, leg="b", digit="1"),
            ev.LegInspected(now=self.now, leg="a", exists=False, command=424_242),
            ev.Heartbeat(now=self.now, core="x", since_startup=-5, live=-1),
            ev.PartyFound(now=self.now, call="a", command=1, party=99),
        ):
            self.run(self.board.handle(event))

    # -- the connection, and both ends of it -----------------------------------------------------------

    def do_disconnect(self, _: str) -> None:
        if self.connected:
            self.connected = False
            self.generation += 1
            self.outstanding.clear()
            self.run(self.board.handle(ev.SwitchLost(now=self.now)))

    def do_connect(self, _: str) -> None:
        if not self.connected:
            self.connected = True
            self.resync()

    def do_restart(self, what: str) -> None:
        if what == "switch":
            self.switch.restart(f"core-{self.generation + 2}", self.now)
            self.queue = []
            self.do_disconnect("")
            return
        self.restart()

    def do_kill(self, after: str) -> None:
        self.kill_after = int(after)

    def restart(self) -> None:
        """With what the call files say, and nothing else."""
        self.restarts += 1
        self.connected = True
        self.generation += 1
        self.outstanding.clear()
        self.board = Switchboard(self.policy, self.site)
        self.run(self.board.handle(self.stops()))
        for text in tuple(self.texts.values()):
            self.run(self.board.handle(ev.CallRestored(now=self.now, text=text)))
        self.resync()

    def found(self, live: list[Channel]) -> None:
        """What else a resync tells of the legs that there are."""

    def resync(self) -> None:
        """The switch tells of every leg that there is, and of every recording."""
        core = self.switch.core
        self.run(self.board.handle(ev.SwitchConnected(now=self.now, core=core)))
        live = [leg for leg in self.switch.legs.values() if not leg.ended]
        for leg in live:
            self.deliver(self.created(leg, found=True), ("created", leg.uuid))
            if leg.answered:
                self.delivered.add(("answered", leg.uuid))
        self.found(live)
        recordings = {leg.uuid: tuple(file.path for file in self.switch.on(leg.uuid)) for leg in live}
        for paths in recordings.values():
            for path in paths:
                self.delivered.add(("RecordingStarted", path.rpartition("/")[2][:-4]))
        self.run(self.board.handle(ev.Resynced(now=self.now, core=core, recordings=recordings)))

    def adrift(self) -> bool:
        call = self.board.call("a")
        return not self.connected or call is None or call.adrift

    # -- what is true ----------------------------------------------------------------------------------

    def judge_start(self, command: RecorderCommand) -> None:
        """Law 1, at the moment a start or an unmask leaves: by what had been delivered."""
        assert self.record != "never", "law 1: a rule never"
        assert self.record != "on_demand" or self.started, "law 1: nobody asked for it"
        assert self.refused_at is None, "law 1: captured after a refusal or withdrawal"
        assert not self.stopped, "law 1: captured after a stop"
        assert not self.halted, "law 1: captured though the kill switch is thrown"
        assert not self.paused, "captured during a pause"
        for leg in self.present():
            assert self.may(leg), f"law 1: {command} without what {self.mode} asks of {leg.uuid}"
        if self.mode == "statutory" and isinstance(command, OpenSegment):
            served = json.loads(command.sidecar)["purposes"]
            assert self.trained or "training" not in served, "law 1: a purpose without its yes"

    def present(self) -> list[Channel]:
        """Outside parties who speak, as far as fsgov has been told."""
        outside = [leg for leg in self.switch.legs.values() if leg.outside and leg.answered and not leg.ended]
        return [leg for leg in outside if self.told(leg) and ("gone", leg.uuid) not in self.delivered]

    def may(self, leg: Channel) -> bool:
        """What the mode asks for has happened on this leg, as far as its phone and its prompts tell."""
        heard = [p for p in leg.prompts if p.heard]
        begun = [p.started for p in leg.prompts if p.started is not None]
        match self.mode:
            case "notice":
                return bool(heard)
            case "opt_out":
                return any(p.ended is not None and self.now >= p.ended + TIMEOUT - SECOND for p in heard)
            case "opt_in":
                return bool(begun) and any(d == "1" and at >= min(begun) for at, d in leg.presses)
            case "agent_attested":
                return leg.uuid in self.attested
            case _:
                return True

    def forbidden(self) -> bool:
        """Nothing may be captured now, whatever fsgov thinks."""
        return (
            self.record == "never"
            or (self.record == "on_demand" and not self.started)
            or self.stopped
            or self.halted
            or self.refused_at is not None
            or any(not self.may(leg) for leg in self.present())
        )

    def settle(self) -> None:
        """No more faults, everything connected, time for every retry: then the world is as it should be."""
        self.faults.clear()
        self.do_connect("")
        self.wait(300)
        if self.site.longest and not self.switch.running():
            self.wait(1)  # one was being closed, the next is not open yet
        a = self.switch.leg("a")
        running = self.switch.running()
        if self.forbidden():
            assert not running, f"law 1/3: {running} runs although nothing may be captured"
        if self.paused:
            assert all(file.state in ("masked", "cut") for file in running), "a pause that does nothing"
        assert len(running) <= 1, f"law 3: {running}"
        wanted = a is not None and a.answered and self.told(a) and not self.forbidden() and not self.paused
        if (
            wanted
            and self.mode in ("none", "statutory")
            and self.record == "always"
            and self.failed < ATTEMPTS
        ):
            assert len(running) == 1, "law 3: what is wanted is opened again"
            assert running[0].state == "on"
        for file in self.switch.files.values():
            if not file.running:
                assert file.segment in self.released, "what the switch has finished is handed over"

    def end(self) -> None:
        """Everybody hangs up; whatever is lost, a last resync tells."""
        for leg in tuple(self.switch.legs):
            self.do_hangup(leg)
        self.wait(60)
        self.do_disconnect("")
        self.do_connect("")
        self.wait(200)
        left = [call.id for call in self.board.calls]
        assert not left, f"law 5: {left} never end"
        if ("created", "a") in self.delivered:
            assert "a" in self.over, f"law 5: {self.over}"
        if set(self.over) == {"a"}:
            self.judge_outcome(self.over["a"])
        for segment, side in self.released.items():
            self.judge_masks(segment, side)
        if self.site.longest and not self.ever_wrong:
            long = [
                file
                for file in self.switch.files.values()
                if (file.ended or 0) - file.began > self.site.longest + SECOND
            ]
            assert not [file for file in long if int(file.segment[-2:]) < LAST_CUT], (
                "law 2: a segment outgrew its limit"
            )

    def judge_outcome(self, outcome: str) -> None:
        captured = sum(file.captured() for file in self.switch.files.values())
        no = any(digit in "29" for leg in self.switch.legs.values() for _, digit in leg.presses)
        no |= self.trained is False
        if outcome == "recorded":
            assert captured or self.switch.files, "law 5: recorded, and nothing was"
        if outcome in ("refused", "withdrawn"):
            assert no, "law 5: nobody declined"
        if self.refused_at is not None:
            assert outcome in ("refused", "withdrawn"), f"law 5: {outcome} after a refusal"
        if outcome == "withdrawn":
            assert self.switch.files, "law 5: withdrawn, and nothing was ever captured"
        if self.record == "never":
            assert outcome == "not-required"

    def judge_masks(self, segment: str, side: dict[str, object]) -> None:
        """The pause proof: zeros wherever the sidecar claims an acknowledged mask."""
        file = self.switch.files.get(segment)
        masks = side["masks"]
        assert isinstance(masks, list)
        if file is None or file.moved:
            return
        for mask in masks:
            if mask["acknowledged"] is None or mask["by"] != "mask":
                continue
            end = sum(to - at for at, to, _ in file.frames())
            to_ms = end if mask["to_ms"] is None else mask["to_ms"]
            begin, until = mask["from_ms"] + 60, min(to_ms, end) - 60
            for at, to, zeros in file.frames():
                overlap = min(to, until) - max(at, begin)
                assert zeros or overlap <= 0, f"pause proof: {mask} against {file.frames()}"
