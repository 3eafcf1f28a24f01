"""Calls of the acceptance tests: scenes of the demo's kind, played whole or step by step."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path

from fsgov.catalog.desk import Desk
from fsgov.cli import live
from fsgov.demo import playing, site, verdict
from fsgov.demo.playing import Played
from fsgov.demo.scenes import END, GERMAN, SCENES, START, Between, Do, Scene, Step, Until
from fsgov.demo.site import Site
from fsgov.demo.stage import Said, Stage
from fsgov.demo.verdict import Verdict
from tests.parts import postgres, warm

NORWEGIAN = "+4722000100"
SHIPPED = Path(__file__).parents[2] / "dialplans"
ENTERING = f"""
  <context name="default">
    <X-PRE-PROCESS cmd="include" data="{SHIPPED}/enter/fsgov.xml"/>
    <extension name="agents"><condition field="destination_number" expression="^\\+47">
      <action application="set" data="hangup_after_bridge=true"/>
      <action application="bridge" data="sofia/internal/1000@127.0.0.1:5070"/>
    </condition></extension>
  </context>
"""
"""The context of an operator whose calls come to our gate, and from there to an agent."""
PLAIN = """
[[rule]]
name = "plain line"
when.dialled = ["+47220001*"]
record = "always"
consent = "none"
purposes = ["evidence"]

[[rule]]
name = "on demand"
when.dialled = ["+47220002*"]
record = "on_demand"
consent = "none"
purposes = ["evidence"]

[[rule]]
name = "unbuffered line"
when.dialled = ["+47220003*"]
record = "always"
consent = "none"
purposes = ["evidence"]
unbuffered = true

[[rule]]
name = "needed line"
when.dialled = ["+47220004*"]
record = "always"
consent = "none"
purposes = ["evidence"]
require = "during"

[[rule]]
name = "low line"
when.dialled = ["+47220005*"]
record = "always"
consent = "none"
purposes = ["evidence"]
priority = "low"

"""
"""Five rules more than the demo has: nobody is asked, nobody can withdraw, and no pause has a limit."""


HEARTBEAT = ("--heartbeat", "2")


@contextmanager
def staged(root: Path, text: str = "", *heartbeat: str) -> Iterator[Stage]:
    """A stage of its own at root, with a policy (default: `policy()`) and a switch that runs; no service."""
    where = Site(root)
    postgres.prepare(where.database)
    with Stage.open(where) as stage:
        site.make(where, text or policy())
        stage.start_switch(*(heartbeat or HEARTBEAT))
        yield stage


def fsgov(stage: Stage, *words: str, person: str = "alice") -> Said:
    """A command at somebody's desk."""
    command = warm.command(["--config", str(stage.site.of(person)), *words], os.environ)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


def started(stage: Stage) -> None:
    """Switch and service run, and no fault of an earlier test is left."""
    if stage.switch is None or stage.switch.child.poll() is not None:
        stage.start_switch(*HEARTBEAT)
    stage.do("no_faults")
    if stage.service is None or stage.service.poll() is not None:
        stage.start_service()
    stage.wait_ready()


def policy() -> str:
    text = (resources.files("fsgov") / "demo" / "policy.toml").read_text(encoding="utf-8")
    mark = '[[rule]]\nname = "everything else"'
    assert text.count(mark) == 1
    return text.replace(mark, PLAIN.lstrip() + mark)


def of_demo(name: str, /, **changes: object) -> Scene:
    """A scene of the demo, changed."""
    scene = next(each for each in SCENES if each.name == name)
    return replace(scene, **changes)  # type: ignore[arg-type]


def plain(name: str, *steps: Step, **expected: object) -> Scene:
    """A call on the plain line: recorded from the answer on."""
    facts: dict[str, object] = {
        "name": name,
        "title": name,
        "caller": "+4722999001",
        "dialled": NORWEGIAN,
        "steps": (Do("bridge", {"agent": "1000"}), Until("opened", "on the record"), *steps),
        "outcome": "recorded",
        "rule": "plain line",
        "segments": 1,
        "purposes": frozenset({"evidence"}),
        "heard": (Between("on the record", END),),
    }
    return Scene(**{**facts, **expected})  # type: ignore[arg-type]


def refused(name: str) -> Scene:
    """A call on the german line whose caller says no."""
    return Scene(
        name=name,
        title=name,
        caller="+493012345611",
        dialled=GERMAN,
        steps=(Do("bridge", {"agent": "1000"}), Until("heard"), Do("press", {"digits": "2"}, "no")),
        outcome="refused",
        rule="german service line",
        silent=(Between(START, END),),
    )


def hang_up() -> Do:
    return Do("hang_up", {"by": "a"}, END)


def begun(stage: Stage, scene: Scene) -> Played:
    """The scene's call with all its steps done."""
    played = Played(scene)
    playing.begin(stage, played)
    go_on(stage, played, *scene.steps)
    return played


def go_on(stage: Stage, played: Played, *steps: Step) -> None:
    for step in steps:
        playing.carry_out(stage, played, step, threading.Event())


def together(stage: Stage, *scenes: Scene) -> list[Played]:
    return playing.play(stage, scenes, lambda _: None)


def judged(stage: Stage, *played: Played, within: float = 30.0) -> list[Verdict]:
    """What came of these calls, once they are entered."""
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        late = verdict.settled(stage, desk, played, within)
        assert not late, late
        return [verdict.judge(stage, desk, each) for each in played]


def good(*verdicts: Verdict) -> None:
    """Every one of them is as its scene expects."""
    faults = [(each.scene, fault) for each in verdicts for fault in each.faults]
    assert not faults, faults


def alarms(stage: Stage) -> set[str]:
    """What govern says is wrong."""
    return set(live.ask(stage.site.control, "GET", "/v1/status")[1]["alarms"])


def eventually(true: Callable[[], object], within: float = 30.0) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.05)
