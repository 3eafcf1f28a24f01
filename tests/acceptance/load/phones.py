"""The calls: each a script of its own, drawn from a seed. What its people were promised is written down.

A promise is what somebody was told or could see while one and the same govern ran: a 200 to a pause, the end
of the recording after a `*9`. Whether it was kept is judged by the audio, not by what fsgov says of it.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fsgov.cli import live
from fsgov.demo.stage import Stage
from fsgov.errors import FsgovError
from tests.acceptance.crash.loop import Script

PAUSABLE, PLAIN, ASKED, MAY_DECLINE, NEVER = (
    "+442079460100",
    "+442079460200",
    "+49309018200",
    "+49309018300",
    "+49301111",
)
RECORDED = frozenset({"recorded", "recorded-in-part", "failed"})
ASK_AGAIN = 0.25
"""Seconds between two looks at the live calls."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A promise: of this call nothing is heard from one moment (20 ms frames) to another."""

    why: str
    first: int
    last: int | None = None


@dataclass(slots=True)
class Spoken:
    """A call as its people made it. `listed`: fsgov showed it among the live ones."""

    name: str
    kind: str
    call: str
    outcomes: frozenset[str]
    listed: bool = False
    silent: list[Silence] = field(default_factory=list)


class World:
    """The switch's ledger as it grows, by the leg or call that an entry is about."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0
        self._found: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def of(self, uuid: str, what: str) -> list[dict[str, Any]]:
        self._read()
        return [each for each in self._found[uuid] if each["what"] == what]

    def _read(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._at)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            if line.endswith(b"}"):
                entry = json.loads(line)
                self._found[entry.get("uuid", "")].append(entry)


class Phones:
    """Makes `rate` calls a second until it is closed.

    govern: which one runs; where it is another one than before, nothing was promised in between.
    """

    def __init__(
        self, stage: Stage, scripts: dict[str, Script], seed: int, rate: float, govern: Callable[[], object]
    ) -> None:
        self.stage, self.rate = stage, rate
        self.world = World(stage.site.switch / "world.jsonl")
        self.calls: list[Spoken] = []
        self.closed = False
        self.kinds: dict[str, Callable[[Spoken], Script]] = {
            "plain": self._plain,
            "paused": self._paused,
            "stopped": self._stopped,
            "agrees": self._agrees,
            "refuses": self._refuses,
            "withdraws": self._withdraws,
            "declines": self._declines,
            "never": self._never,
            "held": self._held,
            "transferred": self._transferred,
            "short": self._short,
        }
        self._scripts, self._govern = scripts, govern
        self._dice = random.Random(f"{seed} phones")
        self._live: frozenset[str] = frozenset()
        self._looked = 0.0
        self._up: set[str] = set()

    @property
    def idle(self) -> bool:
        """Whether all calls are over."""
        return self.closed and not self._up

    def script(self) -> Script:
        """Calls, one after the other; each goes on in a script of its own."""
        kinds = list(self.kinds)
        for n in itertools.count():
            kind = kinds[n] if n < len(kinds) else self._dice.choice(kinds)
            pause = self._dice.expovariate(self.rate)
            if self.closed:
                return
            spoken = self._call(n, kind)
            self._scripts[spoken.name] = self._all_of(spoken)
            yield from self._talk(min(pause, 4 / self.rate))

    def _call(self, n: int, kind: str) -> Spoken:
        dialled, outcomes = {
            "plain": (PLAIN, RECORDED),
            "held": (PLAIN, RECORDED),
            "transferred": (PLAIN, RECORDED),
            "short": (PLAIN, RECORDED | {"not-answered"}),
            "paused": (PAUSABLE, RECORDED),
            "stopped": (PAUSABLE, RECORDED),
            "agrees": (ASKED, RECORDED | {"consent-unanswered"}),
            "withdraws": (ASKED, RECORDED | {"consent-unanswered", "withdrawn"}),
            "refuses": (ASKED, frozenset({"refused", "consent-unanswered"})),
            "declines": (MAY_DECLINE, RECORDED | {"refused", "consent-unanswered"}),
            "never": (NEVER, frozenset({"not-required"})),
        }[kind]
        name = f"{kind} {n}"
        made = self.stage.do("call", caller=f"+4420794{n:05}", dialled=dialled, **{"as": name})
        self.stage.do("bridge", call=name, agent=str(1000 + n % 4000))
        spoken = Spoken(name, kind, made["call"], outcomes)
        self.calls.append(spoken)
        self._up.add(name)
        return spoken

    def _all_of(self, spoken: Spoken) -> Script:
        if spoken.kind != "short":
            yield f"{spoken.name} is known", lambda: self._is_listed(spoken)
        yield from self.kinds[spoken.kind](spoken)
        self.stage.do("hang_up", call=spoken.name, by="a")
        self._up.discard(spoken.name)

    # -- what all of them do -----------------------------------------------------------------------------

    def _talk(self, seconds: float) -> Script:
        due = time.monotonic() + seconds
        yield "some talk", lambda: time.monotonic() > due

    def _is_listed(self, spoken: Spoken) -> bool:
        if time.monotonic() > self._looked + ASK_AGAIN:
            self._live = frozenset(call["call"] for call in self.stage.live())
            self._looked = time.monotonic()
        spoken.listed = spoken.listed or spoken.call in self._live
        return spoken.listed

    def _opened(self, spoken: Spoken) -> int:
        """How often a recording has begun."""
        return len(self.world.of(spoken.call, "opened"))

    def _runs(self, spoken: Spoken) -> bool:
        return self._opened(spoken) > len(self.world.of(spoken.call, "closed"))

    def _within(self, seconds: float, true: Callable[[], bool]) -> Iterator[tuple[str, Callable[[], bool]]]:
        """Wait for it, but not for ever: a govern that was killed in the wrong moment never does it."""
        due = time.monotonic() + seconds
        yield "it, or in vain", lambda: true() or time.monotonic() > due

    def _act(self, spoken: Spoken, act: str) -> bool:
        """Whether a live act is acknowledged."""
        try:
            return live.ask(self.stage.site.control, "POST", f"/v1/calls/{spoken.call}/{act}")[0] == 200
        except FsgovError:
            return False

    def _press(self, spoken: Spoken, digits: str) -> None:
        self.stage.do("press", call=spoken.name, digits=digits)

    # -- the kinds ---------------------------------------------------------------------------------------

    def _plain(self, _: Spoken) -> Script:
        yield from self._talk(self._dice.uniform(2, 15))

    def _short(self, _: Spoken) -> Script:
        yield from self._talk(self._dice.uniform(0.1, 2))

    def _never(self, spoken: Spoken) -> Script:
        spoken.silent.append(Silence("its rule says never", 0))
        yield from self._talk(self._dice.uniform(1, 5))

    def _held(self, spoken: Spoken) -> Script:
        yield from self._talk(self._dice.uniform(1, 4))
        self.stage.do("hold", call=spoken.name, by="b")
        yield from self._talk(self._dice.uniform(1, 4))
        self.stage.do("unhold", call=spoken.name, by="b")
        yield from self._talk(self._dice.uniform(1, 4))

    def _transferred(self, spoken: Spoken) -> Script:
        yield from self._talk(self._dice.uniform(1, 5))
        self.stage.do("blind_transfer", call=spoken.name, to="2001", by="b")
        yield from self._talk(self._dice.uniform(1, 5))

    def _paused(self, spoken: Spoken) -> Script:
        yield from self._within(20, lambda: self._runs(spoken))
        yield from self._talk(self._dice.uniform(0.5, 3))
        if not self._act(spoken, "pause"):
            return
        first = self.stage.moment()
        yield from self._talk(self._dice.uniform(1, 8))
        last = self.stage.moment()
        spoken.silent.append(Silence("a pause was acknowledged", first, last))
        self._act(spoken, "resume")
        yield from self._talk(self._dice.uniform(0.5, 3))

    def _stopped(self, spoken: Spoken) -> Script:
        yield from self._within(20, lambda: self._runs(spoken))
        yield from self._talk(self._dice.uniform(0.5, 3))
        if self._act(spoken, "stop"):
            spoken.silent.append(Silence("a stop was acknowledged", self.stage.moment()))
        yield from self._talk(self._dice.uniform(1, 5))

    def _answered(self, spoken: Spoken, digit: str) -> Script:
        """Hears the question out and presses; nothing of it before that, whatever comes."""
        yield from self._within(15, lambda: bool(self.world.of(spoken.call, "heard")))
        spoken.silent.append(Silence("nobody has said yes yet", 0, self.stage.moment()))
        self._press(spoken, digit)

    def _agrees(self, spoken: Spoken) -> Script:
        yield from self._answered(spoken, "1")
        yield from self._within(6, lambda: self._runs(spoken))
        yield from self._talk(self._dice.uniform(1, 6))

    def _refuses(self, spoken: Spoken) -> Script:
        yield from self._answered(spoken, "2")
        spoken.silent.append(Silence("nobody has said yes", 0))
        yield from self._talk(self._dice.uniform(1, 6))

    def _declines(self, spoken: Spoken) -> Script:
        """May be too late: then silence was consent."""
        yield from self._within(15, lambda: bool(self.world.of(spoken.call, "heard")))
        for heard in self.world.of(spoken.call, "heard")[:1]:
            spoken.silent.append(Silence("the question was not heard yet", 0, heard["moment"]))
        self._press(spoken, "2")
        yield from self._talk(self._dice.uniform(1, 6))

    def _withdraws(self, spoken: Spoken) -> Script:
        yield from self._agrees(spoken)
        if not self._runs(spoken):
            return
        before = self._govern()
        if not self.stage.connected():
            return
        self._press(spoken, "*9")
        yield from self._within(15, lambda: not self._runs(spoken))
        if self._govern() is before and not self._runs(spoken):
            spoken.silent.append(Silence("it ended after *9", self.stage.moment()))
        yield from self._talk(self._dice.uniform(0.5, 4))
