"""Mixed faults drawn from a seed, one at a time, each for a while: parts, database, vault, switch, wire."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from fsgov import embedded
from tests.acceptance.crash.loop import Script
from tests.acceptance.crash.parts import Part, scratch
from tests.acceptance.far import Far
from tests.acceptance.load.kills import Scan, kill_scribe

PARTS = ("govern", "ship", "keep")
LEAST = 8
"""Kinds of fault that there are at least, however slow the machine is."""
EVENTS = ("CHANNEL_ANSWER", "CHANNEL_BRIDGE", "DTMF", "RECORD_START", "RECORD_STOP", "PLAYBACK_STOP")


class Faults:
    """Makes them until `seconds` are over, supervises the parts meanwhile; `count` has how many of each."""

    def __init__(self, stage: Far, seed: int, seconds: float, pause: float) -> None:
        self.stage, self.seconds, self.pause = stage, seconds, pause
        self.count: Counter[str] = Counter()
        self.parts: dict[str, Part] = {}
        self.codes: dict[str, int] = {}
        self.over = False
        site = stage.site
        self.scan = Scan((scratch(site), site.spool / "sealed", site.root / "vault"))
        self._dice = random.Random(f"{seed} faults")
        self.kinds: dict[str, Callable[[float], Script]] = {
            "govern killed": lambda _: self._killed("govern"),
            "scribe killed": lambda _: self._killed("scribe"),
            "ship killed": lambda _: self._killed("ship"),
            "keep killed": lambda _: self._killed("keep"),
            "ship frozen": lambda seconds: self._frozen("ship", seconds),
            "keep frozen": lambda seconds: self._frozen("keep", seconds),
            "database stopped": self._database_stopped,
            "database cut off": self._database_cut_off,
            "database slow": self._database_slow,
            "database mute": self._database_mute,
            "vault away": self._vault_away,
            "event socket cut": lambda _: self._of_switch(kind="cut", event="HEARTBEAT"),
            "switch mute": self._switch_mute,
            "event twice": lambda _: self._of_event("duplicate"),
            "event late": lambda _: self._of_event("late"),
            "event overtaken": lambda _: self._of_event("reorder"),
            "recorder's event lost": lambda _: self._of_switch(
                kind="drop", event=self._dice.choice(("RECORD_START", "RECORD_STOP"))
            ),
            "start refused": lambda _: self._of_switch(kind="error", command="uuid_record * start"),
            "command unanswered": lambda _: self._of_switch(
                kind="silence", command=f"uuid_record * {self._dice.choice(('start', 'stop', 'mask'))}"
            ),
            "command slow": lambda _: self._of_switch(kind="slow", command="uuid_record", seconds=1.5),
        }

    def script(self) -> Script:
        """Every kind in a drawn order, again and again."""
        for name in PARTS:
            self._start(name)
        until = time.monotonic() + self.seconds
        yield "the first connection", self.stage.connected
        for kind in itertools.chain.from_iterable(self._drawn() for _ in itertools.count()):
            if time.monotonic() > until and len(self.count) >= LEAST:
                break
            due = time.monotonic() + self._dice.uniform(0, 2 * self.pause)
            length = self._dice.uniform(0.5, 4.0)
            yield "nothing for a while", lambda due=due: time.monotonic() > due  # type: ignore[misc]
            self.count[kind] += 1
            yield from self.kinds[kind](length)
            self.scan.look()
        self.stage.do("no_faults")
        self.over = True

    def _drawn(self) -> list[str]:
        return self._dice.sample(list(self.kinds), len(self.kinds))

    # -- the parts ---------------------------------------------------------------------------------------

    def watch(self) -> None:
        """What has ended is started again, as systemd does."""
        for name, part in list(self.parts.items()):
            if part.ended and name not in self.codes:
                self._start(name)

    def stop(self, name: str) -> None:
        self.codes[name] = self.parts[name].stop()

    def close(self) -> None:
        for part in self.parts.values():
            with suppress(ProcessLookupError):
                part.kill()

    def words(self) -> str:
        return "\n".join(f"-- {name}\n{part.last_words()}" for name, part in self.parts.items())

    def _start(self, name: str) -> None:
        self.parts[name] = Part(self.stage.site, name, None)

    def _killed(self, victim: str) -> Script:
        part = self.parts["govern" if victim == "scribe" else victim]
        if victim == "scribe":
            yield "a scribe to kill", lambda: part.ended or kill_scribe(part)
        elif not part.ended:
            part.kill()
        yield "its end", lambda: part.ended

    def _frozen(self, name: str, seconds: float) -> Script:
        part = self.parts[name]
        part.popen.send_signal(signal.SIGSTOP)
        yield from self._for(seconds)
        part.popen.send_signal(signal.SIGCONT)

    # -- what they stand on ------------------------------------------------------------------------------

    def _for(self, seconds: float) -> Script:
        due = time.monotonic() + seconds
        yield "a while", lambda: time.monotonic() > due

    def _database_stopped(self, seconds: float) -> Script:
        embedded.stop(self.stage.site.database)
        yield from self._for(seconds)
        self.stage.server.revive()

    def _database_cut_off(self, seconds: float) -> Script:
        self.stage.wire.refusing = True
        self.stage.wire.cut()
        yield from self._for(seconds)
        self.stage.wire.heal()

    def _database_slow(self, seconds: float) -> Script:
        self.stage.wire.up.delay = self.stage.wire.down.delay = 0.2
        yield from self._for(seconds)
        self.stage.wire.heal()

    def _database_mute(self, seconds: float) -> Script:
        self.stage.wire.up.stop_after = self.stage.wire.down.stop_after = 0
        yield from self._for(seconds)
        self.stage.wire.heal()
        self.stage.wire.cut()

    def _vault_away(self, seconds: float) -> Script:
        bucket = self.stage.site.root / "vault" / "audio"
        away = bucket.with_name("away")
        bucket.rename(away)
        yield from self._for(seconds)
        away.rename(bucket)

    def _switch_mute(self, seconds: float) -> Script:
        """Nobody can be asked meanwhile, so it ends by itself."""
        assert self.stage.switch is not None
        pid = self.stage.switch.child.pid
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(seconds, os.kill, (pid, signal.SIGCONT)).start()
        yield from self._for(seconds)

    def _of_switch(self, **facts: str | float) -> Script:
        self.stage.do("fault", **facts)
        yield from self._for(0)

    def _of_event(self, kind: str) -> Script:
        return self._of_switch(kind=kind, event=self._dice.choice(EVENTS))
