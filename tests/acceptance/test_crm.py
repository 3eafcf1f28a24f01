"""A CRM by HTTP that is slow, down or talks nonsense: calls that need it, and calls that do not.

The oracles are the switch's ledger, and what was shipped.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from fsgov.cli import live
from fsgov.demo.playing import Played
from fsgov.demo.scenes import Do, Scene, Talk, Until
from fsgov.demo.stage import Stage
from tests.acceptance.play import (
    alarms,
    begun,
    eventually,
    go_on,
    good,
    hang_up,
    judged,
    plain,
    policy,
    staged,
    together,
)
from tests.parts.crm import Crm

LINE = "+4722000600"
KNOWN, SLOW, STRANGE = "+4722888001", "+4722888002", "+47228890"
MARK = '[[rule]]\nname = "plain line"'
RULES = """
[[rule]]
name = "protected"
when.dialled = ["+47220006*"]
when.crm.protected = "yes"
record = "never"

[[rule]]
name = "crm line"
when.dialled = ["+47220006*"]
record = "always"
consent = "none"
purposes = ["evidence"]

"""
FREE = {"facts": {"protected": "no"}}


@dataclass(frozen=True, slots=True)
class Scenery:
    """The service, and the CRM that it asks."""

    stage: Stage
    crm: Crm

    def rule(self, played: Played) -> str | None:
        """What govern has decided of a call that is up."""
        return next((each["rule"] for each in self.stage.live() if each["call"] == played.call), None)


@pytest.fixture(scope="module")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenery]:
    text = policy()
    assert text.count(MARK) == 1
    rows = {KNOWN: FREE, SLOW: FREE}
    with Crm(rows) as crm, staged(tmp_path_factory.mktemp("crm"), text.replace(MARK, RULES + MARK)) as stage:
        path = stage.site.service
        path.write_text(f'{path.read_text()}\n[parties]\nurl = "{crm.url}"\ndeadline = "10 s"\n')
        stage.start_service()
        stage.wait_ready()
        yield Scenery(stage, crm)


def asks(name: str, caller: str, *steps: object, **expected: object) -> Scene:
    """A call on a line whose rules need the CRM, recorded where it says that its caller is not protected."""
    bridged = (Do("bridge", {"agent": "1000"}), *steps)
    facts = {"caller": caller, "dialled": LINE, "rule": "crm line", "steps": bridged, **expected}
    return replace(plain(name), **facts)  # type: ignore[arg-type]


def protected(name: str, caller: str) -> Scene:
    """Nothing is known of the caller, so the strictest rule that may match decides."""
    facts = {
        "outcome": "not-required",
        "rule": "protected",
        "segments": 0,
        "heard": (),
        "purposes": frozenset(),
    }
    return asks(name, caller, Talk(0.5), hang_up(), **facts)


def round_trip(stage: Stage) -> float:
    """Seconds, at the median, for a word with govern: it is answered between two turns of its loop."""
    took = []
    for _ in range(30):
        begun = time.monotonic()
        live.ask(stage.site.control, "GET", "/v1/calls")
        took.append(time.monotonic() - begun)
    return statistics.median(took)


def test_a_crm_that_hangs_delays_no_other_call(scenery: Scenery) -> None:
    """One call waits; another that needs no CRM, and one whose party it knows, are recorded meanwhile."""
    stage, crm = scenery.stage, scenery.crm
    before = round_trip(stage)
    crm.manners[SLOW] = "held"
    slow = begun(stage, asks("slow", SLOW))
    eventually(lambda: SLOW in [each.body["number"] for each in crm.asked])
    others = [
        begun(stage, plain("no crm", Talk(1.0), caller=SLOW, segments=1)),
        begun(stage, asks("known", KNOWN, Until("opened", "on the record"), Talk(1.0))),
    ]
    assert scenery.rule(slow) is None, "it is still being looked up"
    meanwhile = round_trip(stage)
    crm.let_go.set()
    go_on(stage, slow, Until("opened", "on the record"), Talk(0.5), hang_up())
    for each in others:
        go_on(stage, each, hang_up())
    good(*judged(stage, slow, *others))
    opened = [each["uuid"] for each in stage.ledger.all("opened")]
    assert opened[-1] == slow.call
    assert meanwhile < max(10 * before, 0.25), "a loop that waits for the CRM would stand still for seconds"


def test_nonsense_is_no_answer(scenery: Scenery) -> None:
    """All of it at once. Whoever is protected by the CRM is not recorded, and everybody else is."""
    manners = ["garbage", "page", "facts", "huge", "cut", "reset", "redirect:/v1/party", "500"]
    scenes = []
    for n, manner in enumerate(manners):
        caller = f"{STRANGE}{n:02}"
        scenery.crm.manners[caller] = manner
        scenes.append(protected(manner, caller))
    scenes.append(plain("beside it", Talk(1.0), hang_up()))
    good(*judged(scenery.stage, *together(scenery.stage, *scenes)))
    asked = [each.body["number"] for each in scenery.crm.asked]
    assert {f"{STRANGE}{n:02}" for n in range(len(manners))} & set(asked)
    assert {each.line for each in scenery.crm.asked} == {"POST /v1/party HTTP/1.1"}


def test_a_crm_that_is_down_is_an_alarm_until_it_answers(scenery: Scenery) -> None:
    """Who called today is remembered, a stranger treated by the strictest rule; the next answer ends it."""
    stage, crm = scenery.stage, scenery.crm
    remembered = asks("remembered", KNOWN, Until("opened", "on the record"), Talk(0.5), hang_up())
    good(*judged(stage, *together(stage, remembered)))
    crm.manner = "reset"
    for n in range(10):
        begun(stage, replace(protected(f"stranger {n}", f"{STRANGE}{90 + n}"), steps=(hang_up(),)))
    eventually(lambda: "crm" in alarms(stage))
    asked = len(crm.asked)
    for n in range(10):
        begun(stage, replace(protected(f"further {n}", f"{STRANGE}{70 + n}"), steps=(hang_up(),)))
    known, stranger = replace(remembered, name="again"), protected("stranger", f"{STRANGE}89")
    good(*judged(stage, *together(stage, known, stranger)))
    assert len(crm.asked) < asked + 10, "but now and then; whoever is asked about is asked about twice"
    crm.manner = ""

    def answered() -> bool:
        begun(stage, replace(protected("next", KNOWN), steps=(hang_up(),)))
        return "crm" not in alarms(stage)

    eventually(answered)
