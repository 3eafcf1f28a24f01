"""The demo's judge must be able to say no: stretches of audio against the marks of a scene."""

from __future__ import annotations

from fsgov.demo import verdict
from fsgov.demo.playing import Mark, Played
from fsgov.demo.scenes import END, SCENES, START, Between, Do, Scene, Until


def played(**expected: tuple[Between, ...]) -> Played:
    """A call from frame 100 to 400; its yes was between 200 and 202."""
    scene = Scene(
        name="one", title="one", caller="", dialled="", steps=(), outcome="recorded", rule="", **expected
    )  # type: ignore[arg-type]
    marks = {START: Mark(100, 100), "yes": Mark(200, 202), END: Mark(400, 403)}
    return Played(scene, "call", marks)


def test_what_was_said_after_the_yes_must_be_there() -> None:
    call = played(heard=(Between("yes", END),))
    assert verdict.stretches(call, set(range(202, 400))) == []
    assert verdict.stretches(call, set(range(202, 399))) == ["0.02 s are missing from yes to the end"]
    assert verdict.stretches(call, set()) == ["3.96 s are missing from yes to the end"]


def test_what_was_said_before_the_yes_must_not_be_there() -> None:
    call = played(silent=(Between(START, "yes"),))
    assert verdict.stretches(call, set(range(200, 400))) == []
    assert verdict.stretches(call, {199}) == ["0.02 s were recorded from the first ring to yes"]


def test_what_takes_too_long_is_told() -> None:
    call = played(soon=(Between(START, "yes"),))
    assert verdict.stretches(call, set()) == []
    call.marks["yes"] = Mark(201, 201)
    assert verdict.stretches(call, set()) == ["it took 2.02 s from the first ring to yes"]


def test_a_mark_that_was_never_reached_is_a_fault() -> None:
    call = played(heard=(Between("paused", END),))
    assert verdict.stretches(call, set(range(100, 400))) == ["it never came to paused"]


def test_every_scene_reaches_the_marks_it_is_judged_by() -> None:
    for scene in SCENES:
        named = {START}
        for step in scene.steps:
            named |= {step.mark} if isinstance(step, Do | Until) else set()
            named |= {getattr(step, "asked", ""), getattr(step, "done", "")}
        for stretch in (*scene.heard, *scene.silent, *scene.soon):
            assert {stretch.first, stretch.last} <= named, (scene.name, stretch)
