"""Plays the scenes: each in a thread of its own, all against the same switch at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fsgov.demo.ledger import Happened
from fsgov.demo.scenes import START, Act, Do, Scene, Step, Talk, Until
from fsgov.demo.stage import Stage
from fsgov.errors import FsgovError, Unreachable


@dataclass(frozen=True, slots=True)
class Mark:
    """When something was done: surely after frame `before`, surely done by frame `after` (20 ms each)."""

    before: int
    after: int


@dataclass(slots=True)
class Played:
    """A scene as it went: its call, and when each of its marks was."""

    scene: Scene
    call: str = ""
    marks: dict[str, Mark] = field(default_factory=dict)
    trouble: str = ""
    """Why it could not be played to its end, or ""."""
    over: bool = False


def play(
    stage: Stage, scenes: tuple[Scene, ...], look: Callable[[list[Played]], None], every: float = 0.25
) -> list[Played]:
    """Play all scenes to their end. `look` is called now and then, in this thread."""
    played = [Played(scene) for scene in scenes]
    stop = threading.Event()
    threads = [
        threading.Thread(target=_run, args=(stage, each, 0.25 * i, stop), daemon=True)
        for i, each in enumerate(played)
    ]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            look(played)
            stop.wait(every)
    finally:
        stop.set()
    look(played)
    return played


def _run(stage: Stage, played: Played, delay: float, stop: threading.Event) -> None:
    stop.wait(delay)
    try:
        begin(stage, played)
        for step in played.scene.steps:
            if stop.is_set():
                return
            carry_out(stage, played, step, stop)
    except (FsgovError, ValueError, OSError) as fault:
        played.trouble = str(fault)
        _give_up(stage, played)
    finally:
        played.over = True


def begin(stage: Stage, played: Played) -> None:
    """The scene's call comes in."""
    scene = played.scene
    now = stage.moment()
    played.marks[START] = Mark(now, now)
    known = {"uuid": scene.call} if scene.call else {}
    made = stage.do(
        "call",
        caller=scene.caller,
        dialled=scene.dialled,
        caller_name=scene.caller_name,
        **{"as": scene.name},
        **known,
    )
    played.call = made["call"]


def carry_out(stage: Stage, played: Played, step: Step, stop: threading.Event) -> None:
    """One step, with its marks; time passes no longer once `stop` is set. Raises what does not come true."""
    match step:
        case Do(verb, facts, mark, of_call):
            before = stage.moment()
            stage.do(verb, **({"call": played.scene.name} if of_call else {}), **facts)
            if mark:
                played.marks[mark] = Mark(before, stage.moment())
        case Until(what, mark, nth):
            happened: Happened = stage.ledger.wait(what, nth=nth, uuid=played.call)
            if mark:
                played.marks[mark] = Mark(happened["moment"], happened["moment"])
        case Talk(seconds):
            stop.wait(seconds)
        case Act(act, asked, done, code):
            before = stage.moment()
            said = stage.fsgov("calls", act, played.call)
            after = stage.moment()
            played.marks |= {asked: Mark(before, before), done: Mark(after, after)}
            if said.code != code:
                raise Unreachable(f"calls {act} ended with {said.code}", said.err.strip())


def _give_up(stage: Stage, played: Played) -> None:
    """Nobody talks on when a scene cannot go on."""
    if played.call:
        try:
            stage.do("hang_up", call=played.scene.name, by="a")
        except (FsgovError, ValueError, OSError):
            return
