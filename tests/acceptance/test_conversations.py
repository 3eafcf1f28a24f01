"""People come and go: each kind of transfer and room with the real service, all at once on one switch.

What was said when is in the audio itself; who heard whom is the simulated switch's. A joiner who has not said
yes yet stops the recording, and is asked alone.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.demo.playing import Mark, Played
from fsgov.demo.scenes import END, GERMAN, START, Between, Do, Scene, Step, Talk, Until
from fsgov.demo.stage import Stage
from tests.acceptance.play import begun, go_on, good, hang_up, judged, plain, together

SENT_ON = "7a41e500-0000-4000-8000-00000000c0de"
A_SECOND = 50
"""In frames: how long a stop may take that somebody's joining makes necessary."""


def talked(name: str, *steps: Step, **expected: object) -> Scene:
    """A call on the plain line that something happens to: it is recorded to its end, in one segment."""
    return plain(name, Talk(0.7), *steps, Talk(1.0), hang_up(), **expected)


SCENES = (
    talked("sent on by REFER", Do("blind_transfer", {"to": "1001"})),
    talked(
        "sent on by the switch",
        Do("api", {"text": f"uuid_transfer {SENT_ON} 1002"}, of_call=False),
        call=SENT_ON,
    ),
    talked("handed over after a consultation", Do("attended_transfer", {"to": "+4722000177"}), Talk(2.0)),
    talked("the agent holds", Do("hold", {"by": "b"}), Talk(0.5), Do("unhold", {"by": "b"})),
    plain(
        "three telephones ring",
        Talk(1.0),
        hang_up(),
        steps=(
            Do("dial", {"agent": "1000"}),
            Do("dial", {"agent": "1001"}),
            Do("dial", {"agent": "1002"}),
            Do("answer", {"by": "c"}),
            Until("opened", "on the record"),
            Talk(1.0),
            hang_up(),
        ),
    ),
    plain("parked", steps=(Do("park"), Until("opened", "on the record"), Talk(1.0), hang_up())),
)


def in_room(name: str, room: str, *steps: Step, **expected: object) -> Scene:
    """A call on the plain line into a conference."""
    first = (Do("conference", {"room": room}, "joined"), Until("opened", "on the record"), *steps)
    return plain(name, steps=first, **expected)


def now(stage: Stage, later: int = 0) -> Mark:
    moment = stage.moment() + later
    return Mark(moment, moment)


def test_whoever_sends_whom_where_the_caller_is_recorded_to_the_end(stage: Stage) -> None:
    good(*judged(stage, *together(stage, *SCENES)))


def test_who_joins_a_conference_joins_its_call_and_two_rooms_are_two(stage: Stage) -> None:
    first = begun(stage, in_room("first", "acc-1"))
    other = begun(stage, in_room("another room", "acc-2"))
    second = begun(
        stage, in_room("second", "acc-1", outcome="merged", heard=(), silent=(Between("left", END),))
    )
    go_on(stage, first, Talk(1.0))
    second.marks["left"] = now(stage)
    go_on(stage, second, hang_up())
    go_on(stage, first, Talk(0.5), hang_up())
    go_on(stage, other, hang_up())
    of_first, of_second, of_other = judged(stage, first, second, other)
    good(of_first, of_other)
    if any("the switch discarded it" in fault for fault in of_second.faults):
        return  # the room was known before a frame was written: of nothing nothing is kept
    good(of_second)


def german(name: str, room: str, **expected: object) -> Scene:
    """A German caller in a conference: he is asked there."""
    facts = {
        "name": name,
        "title": name,
        "caller": "+493012345671",
        "dialled": GERMAN,
        "steps": (Do("conference", {"room": room}),),
        "outcome": "recorded",
        "rule": "german service line",
        "purposes": frozenset({"evidence", "training"}),
    }
    return Scene(**{**facts, **expected})  # type: ignore[arg-type]


def test_who_joins_is_asked_alone_and_nothing_is_captured_before_he_has_said_yes(stage: Stage) -> None:
    one: Played = begun(stage, german("one", "acc-3"))
    go_on(stage, one, Until("heard"), Do("press", {"digits": "1"}, "yes"), Until("opened", "on the record"))
    go_on(stage, one, Talk(1.5))
    one.marks["before"] = now(stage)
    two = begun(stage, german("two", "acc-3", outcome="merged", purposes=frozenset()))
    one.marks["stopped"] = now(stage, A_SECOND)
    go_on(stage, two, Until("heard"))
    one.marks["second yes"] = now(stage)
    go_on(stage, two, Do("press", {"digits": "1"}, "yes"))
    go_on(stage, one, Until("opened", "on again", nth=2), Talk(1.0), hang_up())
    go_on(stage, two, hang_up())
    one.scene = replace(
        one.scene,
        segments=2,
        silent=(Between(START, "yes"), Between("stopped", "second yes")),
        heard=(Between("on the record", "before"), Between("on again", END)),
    )
    good(*judged(stage, one, two))
    prompts = [each for each in stage.ledger.all("heard") if each["uuid"] in (one.call, two.call)]
    assert [each["uuid"] for each in prompts] == [one.call, two.call], "nobody is asked twice"
