"""Conditions on what comes to be known on the way of a call (queue, agent, tag), and on the time it began."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov import events as ev
from fsgov.call import Capture
from fsgov.commands import Remember
from fsgov.dialplan import VariablesTold
from fsgov.errors import BadConfiguration
from fsgov.events import Act
from fsgov.policy import Inputs, Policy, decide, describe, explain, parse, run_tests
from fsgov.policy.failing import failures
from fsgov.policy.windows import DAYS, Window, instant
from tests.unit.conversation import ALWAYS, HEAD, NEVER, Talk, moves, prompt_facts

REST = '[[rule]]\nname = "rest"\nrecord = "never"\n'


def policy(*conditions: str, top: str = "", zone: str = "Europe/Berlin") -> Policy:
    rules = [
        f'[[rule]]\nname = "{number}"\nconsent = "none"\npurposes = ["p"]\nwhen.{condition}\n'
        for number, condition in enumerate(conditions)
    ]
    head = (
        f'version = "1"\ntimezone = "{zone}"\n{top}\n[purpose.p]\nbasis = "contract"\nretain_max = "1 year"\n'
    )
    return parse(head + "".join(rules) + REST)


@pytest.mark.parametrize(
    ("condition", "call", "found"),
    [
        ('queue = "sales@default"', {"queue": "sales@default"}, None),
        ('queue = ["x", "sales"]', {"queue": "sales@default"}, None),
        ('queue = "sales"', {"queue": "sales2@default"}, "queue: another queue"),
        ('queue = "default"', {"queue": "sales@default"}, "queue: another queue"),
        ('queue = "sales"', {}, "queue: no queue"),
        ('agent = "1001"', {"agent": "1001@acme.example"}, None),
        ('agent = "1001@acme.example"', {"agent": "1001@acme.example"}, None),
        ('agent = "1001@acme.example"', {"agent": "1001@other.example"}, "agent: another agent"),
        ('agent = "1001"', {"dialled": "1001"}, None),
        ('agent = "+493012345"', {"caller": "+493012345"}, "agent: another agent"),
        ('tag = ["complaint", "vip"]', {"tags": ["a", "vip"]}, None),
        ('tag = "complaint"', {"tags": ["a"]}, "tag: another tag"),
        ('tag = "complaint"', {}, "tag: no tag"),
    ],
)
def test_a_condition(condition: str, call: dict[str, object], found: str | None) -> None:
    p = policy(condition)
    inputs = describe(**call)  # type: ignore[arg-type]
    trace = explain(p, inputs)
    assert decide(p, inputs) == trace.decision
    assert (trace.decision.rule == "0") is (found is None)
    assert [f"{u.condition}: {u.found}" for u in trace.tried[0].unmet] == ([found] if found else [])


@pytest.mark.parametrize(
    ("condition", "at", "holds"),
    [
        # Berlin is at +1 in winter, +2 in summer: 08:00 there is 07:00 and 06:00 UTC
        ('time = { hours = "08:00-18:00" }', "2026-01-12T07:00", True),
        ('time = { hours = "08:00-18:00" }', "2026-01-12T06:59", False),
        ('time = { hours = "08:00-18:00" }', "2026-07-13T06:00", True),
        ('time = { hours = "08:00-18:00" }', "2026-07-13T05:59", False),
        ('time = { hours = "08:00-18:00" }', "2026-07-13T15:59", True),
        ('time = { hours = "08:00-18:00" }', "2026-07-13T16:00", False),
        # the Sunday on which summer time begins: 02:00 becomes 03:00
        ('time = { days = "sun", hours = "03:00-04:00" }', "2026-03-29T01:00", True),
        ('time = { days = "sun", hours = "02:00-03:00" }', "2026-03-29T01:00", False),
        # and ends: 02:30 is twice
        ('time = { days = "sun", hours = "02:00-03:00" }', "2026-10-25T00:30", True),
        ('time = { days = "sun", hours = "02:00-03:00" }', "2026-10-25T01:30", True),
        # Monday begins at midnight in Berlin, an hour before it does in UTC
        ('time = { days = "mon" }', "2026-01-11T23:00", True),
        ('time = { days = "mon" }', "2026-01-11T22:59", False),
        ('time = { days = ["fri-mon"] }', "2026-01-10T12:00", True),
        ('time = { days = ["fri-mon"] }', "2026-01-13T12:00", False),
        ('time = { days = ["mon", "wed"] }', "2026-01-13T12:00", False),
        # a night belongs to the day it began on
        ('time = { days = "fri", hours = "22:00-06:00" }', "2026-01-16T21:30", True),
        ('time = { days = "fri", hours = "22:00-06:00" }', "2026-01-17T04:59", True),
        ('time = { days = "fri", hours = "22:00-06:00" }', "2026-01-16T04:59", False),
        ('time = { hours = ["08:00-12:00", "13:00-24:00"] }', "2026-01-16T22:59", True),
        ('time = { hours = ["08:00-12:00", "13:00-24:00"] }', "2026-01-16T11:30", False),
        ('time = { holidays = true }', "2026-12-25T12:00", True),
        ('time = { days = "mon-fri", holidays = false }', "2026-12-25T12:00", False),
        ('time = [{ days = "sat" }, { holidays = true }]', "2026-12-25T12:00", True),
        ('time = [{ days = "sat" }, { holidays = true }]', "2026-12-24T12:00", False),
    ],
)  # fmt: skip
def test_time_is_that_of_the_policys_zone(condition: str, at: str, holds: bool) -> None:
    p = policy(condition, top='holidays = ["2026-12-25"]')
    began = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 1_000_000
    assert (decide(p, describe(at=began)).rule == "0") is holds


def test_what_the_clock_said_is_told_and_no_more() -> None:
    p = policy('time = { days = "mon" }', top='holidays = ["2026-12-25"]')
    trace = explain(p, describe(at=instant("2026-12-25 09:30", "Europe/Berlin") or 0))
    assert [u.found for u in trace.tried[0].unmet] == ["fri 09:30, a holiday"]


@given(
    minute=st.integers(0, 7 * 1440 - 1),
    start=st.integers(0, 1439),
    length=st.integers(1, 1440),
    days=st.sets(st.integers(0, 6)),
)
def test_a_window_is_as_long_as_it_says_on_every_day_it_names(
    minute: int, start: int, length: int, days: set[int]
) -> None:
    """Oracle: minutes of a week on a ring, without days, dates or midnight."""
    end = start + length
    window = Window(days=frozenset(days), hours=((start, end if end <= 1440 else end - 1440),))
    if end > 1440 and end - 1440 >= start:
        return  # a whole day and more is no window
    monday = datetime(2026, 1, 5)
    local = monday.fromordinal(monday.toordinal() + minute // 1440).replace(
        hour=minute % 1440 // 60, minute=minute % 60
    )
    on = days or set(range(7))
    expected = any((minute - day * 1440 - start) % (7 * 1440) < length for day in on)
    assert window.holds(local, frozenset()) is expected


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ('time = { days = "monday" }', "rule[1].when.time.days: 'monday' is no day of the week"),
        ('time = { hours = "8-18" }', "rule[1].when.time.hours: '8-18' is no part of a day"),
        ('time = { hours = "08:00-24:30" }', "rule[1].when.time.hours: '08:00-24:30' is no part of a day"),
        ('time = { hours = "08:00-08:00" }', "rule[1].when.time.hours: '08:00-08:00' is no part of a day"),
        ('time = { day = "mon" }', "rule[1].when.time.day: is not known (did you mean days?)"),
        ("time = {}", "rule[1].when.time: is empty"),
        ('time = "08:00"', "rule[1].when.time: must be a table, is a text"),
        ("time = { holidays = true }", "rule[1].when.time: looks at holidays, but there are none"),
        ('queue = ""', "rule[1].when.queue: must be a text that is not empty"),
        ('caller = { country = "US-XX" }', "rule[1].when.caller.country: 'US-XX' is no state"),
        ('caller = { country = "DE-BY" }', "rule[1].when.caller.country: 'DE-BY' is no state"),
    ],
)
def test_a_fault(condition: str, fault: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        policy(condition)
    (line,) = caught.value.detail.splitlines()
    assert line.startswith(fault)


def test_a_policys_own_tests_describe_queue_agent_tags_and_time() -> None:
    p = policy('queue = "sales"', 'agent = "1001"', 'tag = "vip"', 'time = { days = "sat" }')
    calls = ['queue = "sales@x"', 'agent = "1001@y"', 'tag = ["a", "vip"]', 'at = "2026-11-21 23:59"']
    text = p.text + "".join(
        f'[[test]]\nname = "{n}"\ncall = {{ {call} }}\nexpect = {{ rule = "{n}" }}\n'
        for n, call in enumerate(calls)
    )
    assert run_tests(parse(text)) == []
    with pytest.raises(BadConfiguration, match="1 fault"):
        parse(text.replace("2026-11-21 23:59", "2026-11-21T23:59"))


def test_inputs_survive_json_and_old_ones_are_read() -> None:
    inputs = describe(caller="+12125550100", queue="q", agent="1001@x", tags=["b", "a", "b"], at=5)
    assert inputs.tags == ("a", "b")
    assert [party.state for party in inputs.parties] == ["US-NY", ""]
    assert Inputs.from_json(json.loads(inputs.text())) == inputs
    assert json.loads(inputs.text()) == inputs.to_json()
    old = inputs.to_json()
    del old["tags"]
    for party in old["parties"]:  # type: ignore[attr-defined]
        del party["state"], party["user"]
    read = Inputs.from_json(old)
    assert (read.tags, [party.state for party in read.parties]) == ((), ["US-NY", ""])


@pytest.mark.parametrize("condition", ['queue = "q"', 'agent = "1"', 'tag = "t"', 'time = { days = "mon" }'])
def test_a_number_alone_does_not_tell_that_such_a_rule_lets_a_call_go_on(condition: str) -> None:
    hangs = '[[rule]]\nname = "all"\nconsent = "none"\npurposes = ["p"]\non_failure = "hangup"\n'
    p = parse(policy(condition).text.replace(REST, hangs))
    assert [failure.mode for failure in failures(p, ["DE"])] == ["hangup"]


# -- in a conversation ----------------------------------------------------------------------------------


TAGGED = '[[rule]]\nname = "tagged"\nrecord = "never"\nwhen.tag = "private"\n'
QUEUED = '[[rule]]\nname = "queued"\nrecord = "never"\nwhen.queue = "sales"\n'
AGENT = '[[rule]]\nname = "theirs"\nrecord = "never"\nwhen.agent = "1001@acme.example"\n'


def test_a_tag_decides_the_call_again_and_stops_it_where_a_rule_says_so() -> None:
    talk = Talk(TAGGED, ALWAYS)
    talk.inbound()
    talk.opens()
    assert moves(talk.act(Act.TAG, tag="other")) == []
    assert moves(talk.act(Act.TAG, tag="private")) == ["close"]
    assert [e.facts["rule"] for e in talk.entries("call.decided")] == ["all", "tagged"]
    assert talk.call().inputs is not None
    assert talk.call().inputs.tags == ("other", "private")


def test_a_tag_makes_no_decision_laxer_after_the_answer() -> None:
    allowed = ALWAYS.replace('"all"', '"tagged"') + 'when.tag = "ok"\n'
    talk = Talk(allowed, NEVER)
    talk.inbound()
    assert moves(talk.act(Act.TAG, tag="ok")) == []
    assert talk.call().decision is not None
    assert talk.call().decision.rule == "none"


def test_a_queue_is_known_from_when_the_caller_joins_it() -> None:
    talk = Talk(QUEUED, ALWAYS)
    talk.created("a")
    talk.answered("a")
    talk.opens()
    last = talk.push(VariablesTold, leg="a", variables={"cc_queue": "sales@default"})
    assert moves(last) == ["close"]
    assert talk.call().decision is not None
    assert talk.call().decision.rule == "queued"


def test_an_agent_is_who_is_inside_and_is_remembered_over_a_restart() -> None:
    talk = Talk(AGENT, ALWAYS)
    talk.created("a")
    talk.created("b", other="a", user="1001@acme.example")
    again = talk.restarted()
    again.resync(a=(), b=())
    again.answered("b")
    again.answered("a")
    assert again.call().decision is not None
    assert again.call().decision.rule == "theirs"
    assert [party.facts.user for party in again.call().parties] == ["", "1001@acme.example"]
    kept = json.loads(talk.all(Remember)[-1].text)
    for party in kept["state"]["parties"]:
        del party["user"]
    old = talk.restarted()
    old.board = type(old.board)(talk.policy, talk.site)
    old.push(ev.CallRestored, text=json.dumps(kept))
    assert [party.facts.user for party in old.call().parties] == ["", ""]
    assert old.call().actual is Capture.OFF


def test_the_head_of_conversations_is_what_this_file_takes_it_for() -> None:
    assert DAYS[0] == "mon"
    assert parse(HEAD + ALWAYS, prompts=prompt_facts, packs={}).holidays == frozenset()
