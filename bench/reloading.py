"""How long taking a policy over keeps govern from its events: ten thousand rules, a thousand live calls.

The loop, the core and the way a policy comes in are govern's own; the switch and the disk are not there.
Gaps are counted between two handled events, in CPU time of the loop's thread: what it did instead of handling
the next one. The clock on the wall also counts what this machine gave to others meanwhile; it is told beside.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

from bench import Figure

GOAL = 20.0
"""Milliseconds."""
RULES, CALLS = 10_000, 1_000
NOW = 1_795_280_000_000_000
HEAD = """version = "{version}"
timezone = "UTC"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
anchor = "call_end"
"""
RULE = """[[rule]]
name = "line {n} of {version}"
when.dialled = ["+4930{n:05}*"]
record = "always"
consent = "none"
purposes = ["evidence"]
"""
REST = '[[rule]]\nname = "rest"\nrecord = "never"\n'


def document(version: str, rules: int) -> str:
    return "".join(
        (HEAD.format(version=version), *(RULE.format(n=n, version=version) for n in range(rules)), REST)
    )


def figures(*, short: bool = False) -> list[Figure]:
    rules, calls = (1_000, 200) if short else (RULES, CALLS)
    told = measured(rules, calls)
    name = f"reload, longest gap between two events while {rules} rules are taken over"
    return [
        Figure(
            name=f"{name}, CPU of the loop",
            value=told["cpu"],
            unit="ms",
            goal=f"at most {GOAL:g} ms",
            holds=told["cpu"] <= GOAL,
        ),
        Figure(
            name=f"{name}, on the wall",
            value=told["wall"],
            unit="ms",
            peer="the same without a reload",
            peer_value=told["wall_without"],
        ),
    ]


def measured(rules: int, calls: int) -> dict[str, float]:
    """In a process of its own: gevent has to be first in it."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.reloading", str(rules), str(calls)],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


class Gaps:
    """The longest gap between two handled events since `begin`, in milliseconds."""

    def __init__(self, handle: Callable[[object], object]) -> None:
        self._handle = handle
        self.begin()

    def begin(self) -> None:
        self.cpu = self.wall = 0.0
        self.events = 0
        self._cpu, self._wall = time.thread_time(), time.monotonic()

    def handle(self, event: object) -> object:
        cpu, wall = time.thread_time(), time.monotonic()
        self.cpu, self.wall = max(self.cpu, cpu - self._cpu), max(self.wall, wall - self._wall)
        self._cpu, self._wall = cpu, wall
        self.events += 1
        return self._handle(event)

    def told(self) -> tuple[float, float]:
        return round(1000 * self.cpu, 2), round(1000 * self.wall, 2)


def main(rules: int, calls: int) -> None:
    import gevent

    from fsgov.call import Site
    from fsgov.events import Direction, KeyPressed, LegAnswered, LegCreated
    from fsgov.govern.compiling import compiled
    from fsgov.govern.dispatch import Dispatch
    from fsgov.govern.starting import settle
    from fsgov.switchboard import Switchboard

    def now() -> int:
        return time.time_ns() // 1000

    texts = [document(version, rules) for version in ("first", "second", "third")]
    first = compiled(texts[0], {"eu": ""})
    board = Switchboard(first, Site(host="bench", trunks=("internal",), audio="/spool/audio"))
    dispatch = Dispatch(board, lambda commands: None, now)
    del first
    settle()
    legs = [str(uuid.UUID(int=n + 1, version=4)) for n in range(calls)]
    for leg in legs:
        at = now()
        line = {"caller": "+442079460100", "dialled": "+493012345678"}
        board.handle(LegCreated(now=at, at=at, leg=leg, direction=Direction.INBOUND, **line))
        board.handle(LegAnswered(now=at, at=at, leg=leg))
    gaps = Gaps(board.handle)  # type: ignore[arg-type]
    board.handle = gaps.handle  # type: ignore[assignment, method-assign]

    def feed() -> None:
        while True:
            for leg in legs:
                dispatch.emit(KeyPressed(now=now(), at=None, leg=leg, digit="1"))
                gevent.sleep(0.0005)

    loops = [gevent.spawn(dispatch.run), gevent.spawn(feed)]
    gevent.sleep(0.5)
    gaps.begin()
    gevent.sleep(2.0)
    _, without = gaps.told()
    gaps.begin()
    for text in texts[1:]:
        board.use_policy(compiled(text, {"eu": ""}))
        gevent.sleep(0.3)
    cpu, wall = gaps.told()
    gevent.killall(loops)
    print(json.dumps({"cpu": cpu, "wall": wall, "wall_without": without, "events": gaps.events}))


if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    main(int(sys.argv[1]), int(sys.argv[2]))
