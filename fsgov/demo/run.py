"""The demo from its beginning to its end."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from fsgov.catalog.desk import Desk
from fsgov.cli import output
from fsgov.demo import aftermath, place, site, verdict
from fsgov.demo.display import Display
from fsgov.demo.playing import Played, play
from fsgov.demo.scenes import GERMAN, SCENES, Scene
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from fsgov.demo.verdict import Verdict
from fsgov.verify import Report

NAME = ".demo"
NOT_AS_EXPECTED = 1


def main(as_json: bool = False) -> int:
    """Play the demo below `.demo` of this directory: 0 when every scene came out as expected, else 1.

    Raises Conflict (a demo runs here, or the name is taken), BadConfiguration (no PostgreSQL), Unreachable.
    """
    root = Path.cwd() / NAME
    site.check_path(root)
    with place.taken(root):
        return perform(Site(root), SCENES, as_json=as_json)


def perform(where: Site, scenes: tuple[Scene, ...], *, as_json: bool = False) -> int:
    """Make the site, play these scenes on it, judge them; the exit code."""
    stage: Stage | None = None
    with Display(lambda: stage.live() if stage else [], quiet=as_json) as display:
        display.say(f"making {where.root.name}: PostgreSQL, keys, a vault, alice and bob")
        with Stage.open(where) as stage:
            site.make(where)
            stage.start_switch()
            display.say(f"a simulated switch listens at 127.0.0.1:{stage.port}; starting fsgov run")
            stage.start_service()
            stage.wait_ready()
            display.say(f"govern, ship and keep are up; {len(scenes)} calls at once")
            with display.playing() as look:
                played = play(stage, scenes, look)
            display.say("all calls are over; opening what is in the vault")
            verdicts, late = judged(stage, played)
            code = stage.stop_service()
            ended = [f"fsgov run ended with {code}"] if code else []
            with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
                report, broken = aftermath.log(where, desk)
                faults = [*late, *ended, *broken, *aftermath.faults(where, desk)]
        return tell(display, verdicts, report, faults, as_json=as_json)


def judged(stage: Stage, played: Sequence[Played]) -> tuple[list[Verdict], list[str]]:
    """The verdicts, once everything is in the catalog; and what was not there in time."""
    with stage.desk("bob") as dsn, closing(Desk(dsn)) as desk:
        late = verdict.settled(stage, desk, played)
        verdicts = [verdict.judge(stage, desk, each) for each in played]
    return verdicts, late


def tell(
    display: Display,
    verdicts: Sequence[Verdict],
    report: Report | None,
    faults: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Show what came of it; the exit code."""
    good = not faults and not any(each.faults for each in verdicts)
    commands = following(verdicts)
    if as_json:
        output.print_json(
            {"as_expected": good, "calls": verdicts, "log": report, "faults": faults, "next": commands}
        )
    display.verdicts(verdicts)
    display.log(report, faults)
    display.say("the live acts were alice's: one user of this computer plays both alice and bob here")
    display.say("every call came out as expected" if good else "NOT everything came out as expected")
    display.next(commands)
    return 0 if good else NOT_AS_EXPECTED


def following(verdicts: Sequence[Verdict]) -> list[str]:
    """Commands that work on what the demo left behind; as they can be pasted into a shell."""
    paused = next((each for each in verdicts if each.proof == "proven"), None)
    recorded = next((each for each in verdicts if each.segments), None)
    alice, bob = (f"{program()} --config {NAME}/desk/{name}.toml" for name in ("fsgov", "bob"))
    commands = [f"{alice} calls list"]
    if paused is not None:
        commands.append(f"{alice} calls show {paused.call}")
    if recorded is not None:
        commands += [
            f"{alice} calls explain {recorded.call}",
            f"{alice} recordings list",
            f"{alice} recordings export {recorded.call} --purpose training --reason coaching"
            f" --identity {NAME}/desk/identity.txt --output {NAME}/export",
            f"{bob} recordings verify {recorded.call}",
        ]
    return [
        *commands,
        f"{alice} events tail",
        f"{alice} events verify --live --key {NAME}/desk/log.pub",
        f"{program()} --config {NAME}/host/fsgov.toml policy explain"
        f" --caller +441514960000 --dialled {GERMAN}",
    ]


def program() -> str:
    """How this fsgov is called from here."""
    beside = Path(sys.executable).parent / "fsgov"
    if not beside.exists():
        return f"{shlex.quote(sys.executable)} -m fsgov"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))
