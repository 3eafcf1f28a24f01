"""SIGKILL of each part, at moments and steps drawn from a seed; a supervisor starts it again at once."""

from __future__ import annotations

import random
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from fsgov.demo.site import Site
from tests.acceptance.crash.loop import Script
from tests.acceptance.crash.parts import PLAINTEXT, SCRIBE_WAS_KILLED, Part, scratch, tear
from tests.acceptance.crash.plan import GOVERN, KEEP, SHIP, Blow

OF_GOVERN = tuple(point for point in GOVERN if point.startswith("govern.capture."))
POINTS = {
    "govern": OF_GOVERN,
    "scribe": tuple(point for point in GOVERN if point not in OF_GOVERN),
    "ship": SHIP,
    "keep": KEEP,
}
SCRIBE = "fsgov.spool.scribe"


@dataclass(slots=True)
class Scan:
    """Looks for plaintext in files that it has not read yet; what it has found stays found."""

    places: tuple[Path, ...]
    found: list[str] = field(default_factory=list)
    _read: set[tuple[str, int, int]] = field(default_factory=set)

    def look(self) -> None:
        for place in self.places:
            for path in place.rglob("*"):
                with suppress(FileNotFoundError):
                    told = path.stat()
                    key = (str(path), told.st_size, told.st_mtime_ns)
                    if not path.is_file() or key in self._read:
                        continue
                    if PLAINTEXT.search(path.read_bytes()):
                        self.found.append(str(path))
                    self._read.add(key)


class Kills:
    """`each`: how often govern, scribe, ship and keep are to be killed; `count` has how often each was."""

    def __init__(self, site: Site, seed: int, each: int, longest: float = 5.5) -> None:
        self.site, self.each, self.longest = site, each, longest
        self.count: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        """Kills at a named step; the others were at a moment."""
        self.wrong: list[str] = []
        self.scan = Scan((scratch(site), site.spool / "sealed", site.root / "vault"))
        self.parts: dict[str, Part] = {}
        self.codes: dict[str, int] = {}
        self._seed = seed

    @property
    def over(self) -> bool:
        return all(self.count[name] >= self.each for name in POINTS)

    def scripts(self) -> dict[str, Script]:
        return {name: self._killed(name) for name in ("govern", "ship", "keep")}

    def stop(self, name: str) -> None:
        self.codes[name] = self.parts[name].stop()

    def close(self) -> None:
        for part in self.parts.values():
            if not part.ended:
                part.kill()

    def words(self) -> str:
        return "\n".join(f"-- {name} {part.blow}\n{part.last_words()}" for name, part in self.parts.items())

    def watch(self) -> None:
        """A part that nobody kills must live."""
        for name, part in self.parts.items():
            if part.blow is None and part.ended and name not in self.codes:
                raise AssertionError(f"{name} ended with {part.popen.wait()}:\n{part.last_words()}")

    def _killed(self, name: str) -> Script:
        dice = random.Random(f"{self._seed} {name}")
        while not self._enough(name):
            victim = name if name != "govern" else self._next_of_govern(dice)
            point = dice.choice(POINTS[victim]) if POINTS[victim] and dice.random() < 0.5 else ""
            life = dice.uniform(0.05, self.longest)
            torn = dice.random() < 0.2
            part = self.parts[name] = Part(self.site, name, Blow(point, nth=dice.randint(1, 4)))
            yield f"{name} lives {life:.1f} s", lambda part=part, life=life: part.ended or part.age > life  # type: ignore[misc]
            if not part.ended and victim == "scribe":
                yield "a scribe to kill", lambda part=part: part.ended or kill_scribe(part)  # type: ignore[misc]
                yield "the end of its govern", lambda part=part: part.ended  # type: ignore[misc]
            elif not part.ended:
                part.kill()
                point = ""
            self._died(part, name, victim, point, torn)
        self.parts[name] = Part(self.site, name, None)

    def _enough(self, name: str) -> bool:
        return all(
            self.count[each] >= self.each for each in ((name, "scribe") if name == "govern" else (name,))
        )

    def _next_of_govern(self, dice: random.Random) -> str:
        left = {each: max(0, self.each - self.count[each]) for each in ("govern", "scribe")}
        return dice.choices(list(left), list(left.values()))[0]

    def _died(self, part: Part, name: str, victim: str, point: str, torn: bool) -> None:
        code = part.popen.wait()
        expected = (SCRIBE_WAS_KILLED,) if victim == "scribe" else (-signal.SIGKILL,)
        if code not in expected:
            self.wrong.append(f"{name} at {part.blow} ended with {code}: {part.last_words()}")
        self.count[victim] += 1
        if point and code in expected:
            self.steps[point] += 1
        if torn:
            tear(self.site, name)
        self.scan.look()


def kill_scribe(part: Part) -> bool:
    """Whether there was one, and it is killed."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(part.popen.pid).children():
            if any(SCRIBE in word for word in child.cmdline()):
                child.kill()
                return True
    return False
