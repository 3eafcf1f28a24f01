"""What a governed call costs the host that mixes the media, and how soon a recording starts.

The simulated switch, the tap, govern with its scribe, and ship are processes of their own. Every call is
recorded. The delay is from the bytes of CHANNEL_ANSWER leaving for govern to the bytes of `uuid_record start`
coming from it, so it contains everything that fsgov does and nothing that the switch does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import Figure
from bench.parsing import POLICY
from fsgov.demo.site import Site, configure, make
from fsgov.demo.stage import Stage

GOAL_CPU, GOAL_DELAY = 2.0, 5.0
"""Milliseconds."""
SEGMENT_SECONDS = 1800
"""Of what ship has to do meanwhile: half-hour recordings of 29 MB."""


@dataclass(frozen=True, slots=True)
class Load:
    rate: int
    hold: int
    steady: int
    segments: int
    """That wait for ship."""

    @property
    def calls(self) -> int:
        return self.rate * (self.hold + self.steady)


FULL, SHORT = Load(rate=50, hold=20, steady=12, segments=12), Load(rate=20, hold=2, steady=1, segments=2)


@dataclass(frozen=True, slots=True)
class Run:
    cpu_ms: float
    delays_ms: list[float]

    def percentile(self, share: float) -> float:
        ordered = sorted(self.delays_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)


def figures(*, short: bool = False) -> list[Figure]:
    load = SHORT if short else FULL
    quiet, busy = measured(load, shipping=False), measured(load, shipping=True)
    told = [
        Figure(
            name="CPU of govern and its scribe for each governed call",
            value=round(quiet.cpu_ms, 2),
            unit="ms",
            goal=f"at most {GOAL_CPU:g} ms",
            holds=quiet.cpu_ms <= GOAL_CPU,
        )
    ]
    for name, run in (("idle", quiet), ("while ship is busy", busy)):
        about = (
            f"answer to uuid_record on the wire, {load.rate} calls/s, {load.rate * load.hold} live, {name}"
        )
        p99, goal = run.percentile(0.99), f"at most {GOAL_DELAY:g} ms"
        told.append(Figure(name=f"{about}, p50", value=run.percentile(0.5), unit="ms"))
        told.append(Figure(name=f"{about}, p99", value=p99, unit="ms", goal=goal, holds=p99 <= GOAL_DELAY))
    return told


def measured(load: Load, *, shipping: bool) -> Run:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        site = Site(Path(name).resolve() / "b")
        make(site, POLICY)
        with Stage.open(site) as stage:
            stage.start_switch("--no-audio", "--no-commands", "--latency", "0")
            out = site.root / "tap.json"
            with tapped(stage.port, out) as port:
                configure(site, port)
                govern = stage.start_service(part="govern")
                stage.service = govern
                stage.wait_ready()
                ship = None
                if shipping:
                    fill(site.spool, load.segments)
                    ship = stage.start_service(part="ship")
                cpu = played(stage, load, psutil.Process(govern.pid))
                stage.stop_service()
                if ship is not None:
                    ship.terminate()
                    ship.wait(30)
            seen = json.loads(out.read_text())
    answered = sorted(seen["answered"].items(), key=lambda item: item[1])
    first = answered[0][1]
    delays = [
        (seen["started"][leg] - at) * 1000
        for leg, at in answered
        if leg in seen["started"] and at - first >= load.hold
    ]
    assert len(delays) >= 0.9 * load.rate * load.steady, "calls were not recorded"
    return Run(1000 * cpu / load.calls, delays)


@contextmanager
def tapped(port: int, out: Path) -> Iterator[int]:
    """The tap's own port; what it saw is in `out` after the block."""
    command = [sys.executable, "-m", "bench.tap", str(port), str(out)]
    tap = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert tap.stdout is not None
    try:
        yield int(tap.stdout.readline())
    finally:
        tap.send_signal(signal.SIGTERM)
        tap.wait(10)
        tap.stdout.close()


def played(stage: Stage, load: Load, govern: psutil.Process) -> float:
    """CPU seconds that govern and its scribe took for the load, from its first call to its last."""
    before = cpu(govern)
    stage.do("load", calls=load.calls, rate=load.rate, seconds=load.hold)
    time.sleep(load.hold + load.steady + load.hold + 1.5)
    assert not stage.live(), "calls are left over"
    return cpu(govern) - before


def cpu(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))


def fill(spool: Path, segments: int) -> None:
    """Recordings that wait for ship, so that it seals and stores all the time."""
    samples = os.urandom(1 << 20) * (SEGMENT_SECONDS * 16000 // (1 << 20))
    for _ in range(segments):
        call = str(uuid.uuid4())
        segment = f"{call}-01"
        with wave.open(str(spool / "audio" / f"{segment}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframesraw(samples)
        at = time.time_ns() // 1000
        sidecar = {
            "format": 1, "segment": segment, "call": call, "tenant": "default", "leg": call, "leg_name": "a",
            "n": 1, "file": f"{segment}.wav", "state": "captured", "rule": "all", "policy": "0" * 64,
            "basis": {"evidence": "contract"}, "purposes": ["evidence"], "vault": "demo", "consents": [],
            "opened": at - SEGMENT_SECONDS * 1_000_000, "closed": at, "cause": "success-silence",
            "reported_ms": len(samples) // 16, "reported_size": len(samples) + 44, "discarded": False,
            "masks": [], "holds": [], "dispose": False, "dispose_reason": "",
        }  # fmt: skip
        (spool / "segments" / f"{segment}.json").write_text(json.dumps(sidecar))
