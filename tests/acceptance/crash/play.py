"""The calls and the kills: what the phones do, and where each part ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from fsgov.catalog.desk import Desk
from fsgov.cli import live
from fsgov.demo.stage import Stage
from fsgov.errors import NotPermitted
from tests.acceptance.crash import loop
from tests.acceptance.crash.loop import Script
from tests.acceptance.crash.parts import HEAD, TWO_BLOCKS, Killed, Part, tear
from tests.acceptance.crash.plan import Blow, Plan

RECORDED, ASKED, MAY_DECLINE, NEVER = "+442079460100", "+49309018200", "+49309018300", "+49301111"
REACHED_WITHIN = 6.0
PAUSED = "pauses"
NEXT_SWITCH = 5000
"""Leg numbers of the switch that is started after the crash of the first."""


@dataclass(slots=True)
class Spoken:
    """A call as the phones made it. `refused`: it must never be recorded."""

    name: str
    call: str
    recorded: bool
    outcome: frozenset[str]
    over: bool = False


@dataclass(slots=True)
class Play:
    """Everything that happens; afterwards what was seen of it from outside."""

    stage: Stage
    plan: Plan
    calls: dict[str, Spoken] = field(default_factory=dict)
    killed: list[Killed] = field(default_factory=list)
    crashed: dict[str, bytes] = field(default_factory=dict)
    """Files as the crash of the switch left them."""
    refused_at: int = 0
    paused_at: int = 0
    """Moments on the switch's clock when the switch had acknowledged it."""
    codes: dict[str, int] = field(default_factory=dict)
    _parts: dict[str, Part] = field(default_factory=dict)
    _ready: bool = False
    _over: set[str] = field(default_factory=set)

    def run(self) -> None:
        scripts = {
            "phones": self._phones(),
            "govern": self._govern(),
            "ship": self._part("ship", self.plan.ship),
            "keep": self._part("keep", self.plan.keep),
        }
        if self.plan.seed is not None:
            scripts["traffic"] = self._traffic()
        try:
            loop.play(scripts, self._over, self._watch, self._words)
        finally:
            for part in self._parts.values():
                if not part.ended:
                    part.kill()

    def _watch(self) -> None:
        """A part without a blow must live."""
        for part in self._parts.values():
            if part.blow is None and part.ended and part.name not in self.codes:
                part.death()

    def _words(self) -> str:
        return "\n".join(f"-- {part.name} {part.blow}\n{part.last_words()}" for part in self._parts.values())

    def _start(self, name: str, blow: Blow | None) -> Part:
        self._parts[name] = Part(self.stage.site, name, blow)
        return self._parts[name]

    # -- the phones --------------------------------------------------------------------------------------

    def _call(self, name: str, dialled: str, *outcome: str, recorded: bool = True) -> Spoken:
        caller = f"+4420794{len(self.calls):05}"
        made = self.stage.do("call", caller=caller, dialled=dialled, **{"as": name})
        self.stage.do("bridge", call=name, agent=str(1000 + len(self.calls)))
        allowed = frozenset(outcome or ("recorded", "recorded-in-part"))
        self.calls[name] = Spoken(name, made["call"], recorded, allowed)
        return self.calls[name]

    def _hang_up(self, spoken: Spoken) -> None:
        spoken.over = True
        self.stage.do("hang_up", call=spoken.name, by="a")

    def _seen(self, what: str, spoken: Spoken) -> bool:
        return bool(self.stage.ledger.all(what, uuid=spoken.call))

    def _running(self, spoken: Spoken) -> Path | None:
        """The file that the switch writes of this call now."""
        closed = {each["file"] for each in self.stage.ledger.all("closed", uuid=spoken.call)}
        for each in self.stage.ledger.all("opened", uuid=spoken.call):
            if each["file"] not in closed:
                return Path(each["file"])
        return None

    def _long_enough(self, spoken: Spoken) -> bool:
        path = self._running(spoken)
        return path is not None and path.exists() and path.stat().st_size >= TWO_BLOCKS

    def _ended_on_disk(self, call: str) -> bool:
        """What govern knows of an end is lost with it until then."""
        with suppress(FileNotFoundError):
            return '"stage": "over"' in (self.stage.site.spool / "calls" / f"{call}.json").read_text()
        return True

    def _live(self) -> list[Spoken]:
        """Calls that are being recorded, and go on."""
        return [
            each for each in self.calls.values() if each.recorded and not each.over and each.name != PAUSED
        ]

    def _phones(self) -> Script:
        self._start("govern", Blow("in the middle"))
        yield "the switch is seen", self.stage.connected
        yield from self._refusals()
        for n in range(6 if self.plan.seed is None else 10):
            self._call(f"long {n}", RECORDED)
        short = [self._call(f"short {n}", RECORDED, "recorded") for n in range(6)]
        yield "two blocks of each call", lambda: all(map(self._long_enough, self._live()))
        for each in short:
            self._hang_up(each)
        yield "their end is on disk", lambda: all(self._ended_on_disk(each.call) for each in short)
        self._ready = True
        yield "the kills of govern", lambda: "govern" in self._over
        yield "every call is recorded on", lambda: all(map(self._running, self._live()))
        staying = [each for each in self._live() if self._long_enough(each)][:2]
        for each in self.calls.values():
            if not each.over and each not in staying and each.name != "refuses":
                self._hang_up(each)
        assert staying, "no call is left for the crash of the switch"
        yield from self._switch_crash(staying)
        yield "the kills", lambda: {"ship", "keep"} <= self._over
        yield "an empty spool", self._shipped
        started = {"govern": "govern.started", "ship": "ship.started", "keep": "log.found"}
        yield "the parts have started", lambda: all(self._parts[n].has_said(w) for n, w in started.items())
        yield from self._leave()

    def _refusals(self) -> Script:
        """Before anything is killed, two say no, one never answers, one says yes, one pauses."""
        no = [
            self._call("refuses", ASKED, "refused", recorded=False),
            self._call("declines", MAY_DECLINE, "refused", recorded=False),
        ]
        self._call("unanswered", ASKED, "consent-unanswered", recorded=False)
        self._call("never", NEVER, "not-required", recorded=False)
        yes = self._call("agrees", ASKED)
        yield "the question is heard", lambda: all(self._seen("heard", each) for each in (*no, yes))
        for each in no:
            self.stage.do("press", call=each.name, digits="2")
        self.stage.do("press", call=yes.name, digits="1")
        yield "the yes is recorded", lambda: self._seen("opened", yes)
        due = time.monotonic() + 1.0
        yield "the no is learnt", lambda: time.monotonic() > due
        self.refused_at = self.stage.moment()
        paused = self._call(PAUSED, RECORDED)
        yield "a recording to pause", lambda: self._seen("opened", paused)
        yield "the pause", lambda: self._pause(paused)
        self.paused_at = self.stage.moment()

    def _pause(self, spoken: Spoken) -> bool:
        """Whether the pause is acknowledged; govern may not have read yet who its people are."""
        try:
            return live.ask(self.stage.site.control, "POST", f"/v1/calls/{spoken.call}/pause")[0] == 200
        except NotPermitted:
            return False

    def _traffic(self) -> Script:
        """More calls, so that ship and keep have something to do wherever the dice send them."""
        yield "the kills to begin", lambda: self._ready
        for n in range(40):
            if {"govern", "ship", "keep"} <= self._over or self.crashed:
                return
            each = self._call(f"more {n}", RECORDED)
            due = time.monotonic() + 9.0
            yield "some talk", lambda due=due: time.monotonic() > due  # type: ignore[misc]
            if not each.over and not self.crashed:
                self._hang_up(each)

    def _switch_crash(self, staying: list[Spoken]) -> Script:
        """SIGKILL to the switch in the middle of two recordings; another one takes its place."""
        paths = [path for each in staying if (path := self._running(each))]
        assert self.stage.switch is not None
        with self.stage.switch as switch:
            switch.kill()
        self.crashed = {path.stem: path.read_bytes() for path in paths}
        assert all(
            len(wav) >= TWO_BLOCKS and wav[HEAD - 4 : HEAD] == bytes(4) for wav in self.crashed.values()
        )
        for each in self.calls.values():
            each.over = True
        (self.stage.site.switch / "sim.sock").unlink(missing_ok=True)
        self.stage.start_switch("--first-session", str(NEXT_SWITCH))
        yield "the next switch is seen", self.stage.connected

    def _shipped(self) -> bool:
        calls = self.stage.site.spool / "calls"
        return not any(self._audio.glob("*.wav")) and not any(calls.glob("*.json"))

    @property
    def _audio(self) -> Path:
        return self.stage.site.spool / "audio"

    def _leave(self) -> Script:
        for name in ("govern", "ship"):
            self.codes[name] = self._parts[name].stop()
        with self.stage.desk("alice") as dsn, closing(Desk(dsn)) as desk:
            yield "all lines are in the log", lambda: desk.log.state().waiting == 0
        self.codes["keep"] = self._parts["keep"].stop()

    # -- the kills ---------------------------------------------------------------------------------------

    def _died(self, part: Part) -> None:
        assert part.blow is not None
        killed = part.death()
        self.killed.append(replace(killed, nowhere=tuple(self._nowhere(killed))))
        scribe = part.blow.point in ("govern.sidecar.before", "govern.captured.before")
        if scribe or part.blow.point in ("ship.sealed.after", "ship.entered.before"):
            tear(self.stage.site, part.name)

    def _nowhere(self, killed: Killed) -> Iterator[str]:
        """Segments that the switch had closed by then, and of which there is neither a file nor a row."""
        closed = {Path(each["file"]).stem for each in self.stage.ledger.all("closed") if each["frames"]}
        gone = {segment for segment in closed if segment not in killed.disk}
        if gone:
            with self.stage.desk("alice") as dsn, closing(Desk(dsn)) as desk:
                gone -= {row.segment for row in desk.segments(limit=10_000)}
        yield from sorted(segment for segment in gone if not (self._audio / f"{segment}.wav").exists())

    def _part(self, name: str, blows: tuple[Blow, ...]) -> Script:
        yield "the calls are long enough", lambda: self._ready
        for blow in blows:
            part = self._start(name, blow)
            wait = blow.after if not blow.point else REACHED_WITHIN

            def over(part: Part = part, blow: Blow = blow, wait: float = wait) -> bool:
                patient = blow.must and blow.point
                return part.ended or not (patient or part.age < wait)

            yield f"{name} ends at {blow}", over
            if not part.ended:
                part.kill()
            self._died(part)
        self._start(name, None)

    def _govern(self) -> Script:
        yield "the calls are long enough", lambda: self._ready
        self._parts["govern"].kill()
        self._died(self._parts["govern"])
        for blow in self.plan.govern:
            part = self._start("govern", blow)
            yield f"{blow}: govern sees the switch", lambda part=part: part.ended or self.stage.connected()  # type: ignore[misc]
            for _ in range(blow.nth):
                if not part.ended and blow.point:
                    yield from self._provoke(part, blow)
            if not blow.point:
                yield "a moment", lambda part=part, blow=blow: part.age > blow.after  # type: ignore[misc]
            if not part.ended and "." not in blow.point:
                part.kill()
            due = time.monotonic() + REACHED_WITHIN
            yield (
                f"govern ends at {blow}",
                lambda part=part, due=due, blow=blow: (  # type: ignore[misc]
                    part.ended or not (blow.must or time.monotonic() < due)
                ),
            )
            if not part.ended:
                part.kill()
            self._died(part)
        self._start("govern", None)
        yield "the last govern sees the switch", self.stage.connected

    def _provoke(self, part: Part, blow: Blow) -> Script:
        """A call begins or ends, so that govern comes to the place."""
        ends = "captured" in blow.point or blow.point == "file closed"
        if ends:
            spoken = next((each for each in self._live() if self._long_enough(each)), None)
            assert spoken is not None, f"no call is left to hang up for {blow}"
            self._hang_up(spoken)
        else:
            spoken = self._call(f"new {len(self.calls)}", RECORDED)
        shelf = self.stage.site.spool / "segments"
        seen: dict[str, Callable[[], bool]] = {
            "sidecar there": lambda: any(shelf.glob(f"{spoken.call}-*.json")),
            "capture runs": lambda: self._seen("opened", spoken),
            "file closed": lambda: self._seen("closed", spoken),
        }
        default: Callable[[], bool] = lambda: part.ended or self._seen("closed" if ends else "opened", spoken)  # noqa: E731
        yield f"{blow} is provoked", seen.get(blow.point, default) if not part.ended else lambda: True
