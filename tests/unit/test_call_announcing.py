"""`on_failure = "announce"`: who hears that the call is not recorded, how often, and what is entered."""

from __future__ import annotations

import pytest

from fsgov import events as ev
from fsgov.call.holding import SpoolRoom
from fsgov.commands import OpenSegment, Play
from fsgov.dialplan import GateOpened
from fsgov.watermarks import Mark
from tests.unit.conversation import ALWAYS, NOTICE, SAMPLES, Talk

SORRY = "/p/sorry.wav"
DECLARED = f'[prompt.sorry]\nfile = "{SORRY}"\n'
TOLD = 'on_failure = "announce"\nannounce = "sorry"\n'
ANNOUNCES = ALWAYS + TOLD + 'require = "during"\n' + DECLARED


def announced(talk: Talk) -> list[tuple[object, object, object]]:
    return [(e.facts["leg"], e.facts["party"], e.facts["samples"]) for e in talk.entries("failure.announced")]


def played(talk: Talk) -> list[tuple[str, str]]:
    return [(play.leg, play.file) for play in talk.all(Play)]


def sorry(talk: Talk, leg: str = "a", samples: int | None = SAMPLES) -> None:
    talk.push(ev.PromptStarted, leg=leg, file=SORRY)
    talk.now += 3_000_000
    talk.push(ev.PromptStopped, leg=leg, file=SORRY, status="done", samples=samples)


def refused(rule: str = ANNOUNCES) -> Talk:
    """The first start was refused."""
    talk = Talk(rule)
    talk.inbound()
    talk.refuse()
    return talk


def test_who_is_outside_is_told_once_and_it_is_entered() -> None:
    talk = refused()
    assert played(talk) == [("a", SORRY)]
    assert announced(talk) == []
    sorry(talk)
    assert announced(talk) == [("a", 1, SAMPLES)]
    for _ in range(3):
        talk.wait(5)
        talk.refuse()
    talk.wait(600)
    assert len(played(talk)) == 1
    assert len(announced(talk)) == 1


def test_everybody_is_told_where_nobody_is_outside_and_agents_where_the_rule_asks_them() -> None:
    talk = Talk(ANNOUNCES)
    talk.created("a", profile="sofia/internal", caller="1001", dialled="1002")
    talk.created("b", other="a")
    talk.answered("b")
    talk.answered("a")
    talk.refuse()
    assert sorted(played(talk)) == [("a", SORRY), ("b", SORRY)]
    asked = refused(ANNOUNCES.replace(TOLD, TOLD + "ask_agents = true\n"))
    assert sorted(played(asked)) == [("a", SORRY), ("b", SORRY)]


def test_a_full_disk_is_announced_and_a_best_effort_rule_after_its_last_attempt() -> None:
    talk = Talk(ALWAYS + TOLD + DECLARED)
    talk.board.handle(SpoolRoom(now=talk.now, mark=Mark.REFUSE))
    talk.inbound()
    assert played(talk) == [("a", SORRY)]
    other = refused(ALWAYS + TOLD + DECLARED)
    for _ in range(7):
        assert played(other) == []
        other.wait(((other.call().retry_at or 0) - other.now) / 1e6)
        other.refuse()
    assert played(other) == [("a", SORRY)]


def test_where_nobody_can_hear_yet_the_first_who_speak_are_told() -> None:
    talk = Talk(NOTICE + "gate = true\n" + TOLD + DECLARED)
    talk.created("a", variables={"fsgov_action": "failure"})  # its gate was not answered
    talk.created("b", other="a")
    assert talk.entries("recorder.failed")
    assert played(talk) == []
    talk.answered("b")
    talk.answered("a")
    assert played(talk) == [("a", SORRY)]


def test_a_call_that_came_past_its_gate_is_told() -> None:
    talk = Talk(NOTICE + "gate = true\n" + TOLD + DECLARED)
    talk.inbound()
    assert played(talk) == [("a", SORRY)]
    sorry(talk)
    assert announced(talk) == [("a", 1, SAMPLES)]
    talk.hangs_up("a", "b")
    assert talk.over() == "failed:gate"


def test_at_the_gate_nobody_is_told_before_the_call_is_let_go() -> None:
    talk = Talk(ALWAYS + TOLD + 'gate = true\nrequire = "before_answer"\n' + DECLARED)
    talk.created("a")
    talk.push(GateOpened, leg="a")
    talk.refuse()
    assert played(talk) == []
    talk.created("b", other="a")
    talk.answered("b")
    talk.answered("a")
    assert played(talk) == [("a", SORRY)]


def test_a_call_that_is_recorded_after_all_is_told_nothing() -> None:
    talk = Talk(ALWAYS + TOLD + 'gate = true\nrequire = "before_answer"\n' + DECLARED)
    talk.created("a")
    talk.push(GateOpened, leg="a")
    talk.refuse()
    talk.wait(0.6)
    talk.opens()
    talk.created("b", other="a")
    talk.answered("b")
    talk.answered("a")
    talk.wait(60)
    assert played(talk) == []


def test_a_dialplan_that_has_told_the_caller_itself_is_not_followed_by_fsgov() -> None:
    talk = Talk(NOTICE + "gate = true\n" + TOLD + DECLARED)
    talk.created("a", found=True, answered=True, variables={"fsgov_action": "announced"})
    talk.wait(60)
    assert played(talk) == []
    assert talk.entries("recorder.failed")


@pytest.mark.parametrize("how", ["refused", "unanswered", "missing", "never begun", "cut", "hung up"])
def test_a_prompt_that_fails_is_entered_and_nothing_follows_from_it(how: str) -> None:
    talk = refused()
    number = talk.all(Play)[0].number
    match how:
        case "refused":
            talk.push(ev.CommandRefused, call="a", command=number, reason="-ERR")
        case "unanswered":
            talk.push(ev.CommandUnanswered, call="a", command=number)
        case "missing":
            talk.push(ev.PromptMissing, leg="a", file=SORRY)
        case "cut":
            sorry(talk, samples=800)
        case "hung up":
            talk.hangs_up("a")
    talk.wait(600)
    assert announced(talk) == [("a", 1, 800 if how == "cut" else None)]
    assert len(played(talk)) == (2 if how == "never begun" else 1)
    causes = [entry.facts["cause"] for entry in talk.entries("recorder.failed")]
    assert causes.count("prompt-missing") == (how == "missing")


def test_after_a_restart_nobody_is_told_twice_and_who_was_not_is_told() -> None:
    talk = refused()
    sorry(talk)
    again = talk.restarted()
    again.created("a", found=True, answered=True)
    again.created("b", found=True, answered=True)
    again.resync(a=(), b=())
    again.refuse()
    again.wait(600)
    assert played(again) == []


def test_another_prompt_on_the_leg_is_not_taken_for_it() -> None:
    talk = refused()
    talk.push(ev.PromptStopped, leg="a", file="/p/ask.wav", status="done", samples=SAMPLES)
    talk.push(ev.PromptStopped, leg="b", file=SORRY, status="done", samples=SAMPLES)
    assert announced(talk) == []
    talk.wait(0.6)
    talk.opens()
    assert len(talk.all(OpenSegment)) == 2
