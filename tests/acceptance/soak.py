"""`make soak`: mixed faults under a load of time-coded calls, then everything is judged: 15 minutes at most.

Prints calls, faults of each kind, seed and verdict. FSGOV_SOAK_SEED=N repeats a plan.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fsgov.demo import site as sites
from tests.acceptance.crash import loop
from tests.acceptance.crash.evidence import collect
from tests.acceptance.crash.loop import Script
from tests.acceptance.crash.parts import scratch
from tests.acceptance.far import Far
from tests.acceptance.load import judge
from tests.acceptance.load.end import to_the_end
from tests.acceptance.load.faults import Faults
from tests.acceptance.load.phones import Phones
from tests.acceptance.play import HEARTBEAT
from tests.parts.proxy import Proxy

SECONDS, RATE = 720.0, 1.0
"""How long faults are made, and calls a second meanwhile. Then everything gets three minutes to arrive."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a run came to."""

    seed: int
    seconds: float
    calls: Counter[str]
    faults: Counter[str]
    frames: int
    promises: int
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        told = [
            f"seed      {self.seed}",
            f"calls     {self.calls.total()} in {self.seconds:.0f} s: {_listed(self.calls)}",
            f"faults    {self.faults.total()}: {_listed(self.faults)}",
            f"judged    {self.frames} frames of 20 ms in the vault, {self.promises} promises of silence",
            *(f"WRONG     {each}" for each in self.wrong),
            f"verdict   {'NOT as it must be' if self.wrong else 'nothing lost, everything accounted for'}",
        ]
        return "\n".join(told)


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))


def run(root: Path, seed: int, seconds: float, rate: float, pause: float = 4.0) -> Soaked:
    """Calls and faults for so many seconds, in this directory; `pause`: seconds between two faults, about."""
    site = sites.Site(root)
    scratch(site).mkdir(parents=True)
    sites.check_path(root)
    scripts: dict[str, Script] = {}
    with Far.open(site) as stage:
        assert isinstance(stage, Far)
        sites.make(site, (Path(__file__).parent / "load" / "policy.toml").read_text())
        with closing(Proxy(("127.0.0.1", stage.server.port))) as stage.wire:
            stage.start_switch("--no-commands", *HEARTBEAT)
            faults = Faults(stage, seed, seconds, pause)
            phones = Phones(stage, scripts, seed, rate, lambda: faults.parts.get("govern"))
            end = to_the_end(stage, faults, phones, lambda: faults.over)
            scripts |= {"faults": faults.script(), "phones": phones.script(), "end": end}
            began = time.monotonic()
            try:
                loop.play(scripts, set(), faults.watch, faults.words, 0.05, 180.0 + seconds)
            finally:
                faults.close()
            evidence = collect(stage)
            stage.close()
    wrong = judge.faults(site, evidence, phones.calls)
    wrong += [f"plaintext: {path}" for path in faults.scan.found]
    wrong += [f"{name} stopped with {code}" for name, code in faults.codes.items() if code]
    return Soaked(
        seed,
        time.monotonic() - began,
        Counter(each.kind for each in phones.calls),
        faults.count,
        sum(len(wav) // 320 for wav in evidence.vault.values()),
        sum(len(each.silent) for each in phones.calls),
        tuple(wrong),
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    seed = int(os.environ.get("FSGOV_SOAK_SEED") or random.SystemRandom().randrange(1 << 32))
    seconds = float(os.environ.get("FSGOV_SOAK_SECONDS") or SECONDS)
    _say(f"soak: {RATE:g} calls a second and mixed faults for {seconds:g} s, seed {seed}")
    root = Path(tempfile.mkdtemp(prefix="soak"))
    _say(f"in {root}, which stays if anything is wrong")
    soaked = run(root / "s", seed, seconds, RATE)
    _say(str(soaked))
    if not soaked.wrong:
        shutil.rmtree(root)
    return 1 if soaked.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
