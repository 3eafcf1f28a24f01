"""A lane: what must be on disk first is on disk first, and a full disk refuses to open but never to close."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event as Signal

from fsgov.commands import (
    Answer,
    CloseSegment,
    Command,
    Enter,
    LookUpParty,
    OpenSegment,
    Play,
    RecorderCommand,
    Release,
    Remember,
)
from fsgov.events import CommandRefused, Event, SegmentTaken
from fsgov.govern.lanes import Hands, Lanes
from fsgov.spool.scribe import Op

NOW = 1_795_000_000_000_000


class Scribe:
    """A fake of our own scribe: writes down what it was asked, answers what the test says."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.asked: list[int] = []
        self.faults: dict[str, str] = {}
        self.open = Signal()
        self.open.set()

    def ask(self, ops: list[Op]) -> list[str]:
        self.asked.append(len(ops))
        self.seen += [op[:1] + op[-1:] if op[0] == "remember" else op[:2] for op in ops]
        self.open.wait()
        return [self.faults.get(op[0], "") for op in ops]

    def tell(self, ops: list[Op]) -> None:
        self.seen += [op[:2] for op in ops]

    def enter(self, entry: Enter) -> None:
        self.seen.append(entry.type)


@pytest.fixture
def scribe() -> Scribe:
    return Scribe()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def lanes(scribe: Scribe, told: list[Event]) -> Iterator[Lanes]:
    def note(command: Command) -> None:
        scribe.seen.append(type(command).__name__)

    hands = Hands(recorder=note, announcements=note, look_up=note, answer=note)
    return Lanes(scribe, hands, told.append, lambda: NOW)


def opening(number: int = 1) -> RecorderCommand:
    return OpenSegment(call="c", number=number, leg="c", segment="c-01", sidecar="{}")


def closing() -> RecorderCommand:
    return CloseSegment(call="c", number=2, leg="c", segment="c-01")


def settle(lanes: Lanes) -> None:
    with gevent.Timeout(2):
        while lanes.busy:
            gevent.sleep(0)


def test_a_start_is_sent_after_call_file_and_sidecar_are_written(lanes: Lanes, scribe: Scribe) -> None:
    lanes.carry([Remember(call="c", text="1", durable=False), opening()])
    settle(lanes)
    assert scribe.seen == [("remember", False), ("plan", "c-01"), ("settle", "c-01"), "OpenSegment"]


def test_nothing_is_sent_while_the_disk_has_not_answered(lanes: Lanes, scribe: Scribe) -> None:
    scribe.open.clear()
    lanes.carry([Remember(call="c", text="1", durable=True), closing()])
    gevent.sleep(0.01)
    assert scribe.seen == [("remember", True)]
    scribe.open.set()
    settle(lanes)
    assert scribe.seen[-1] == "CloseSegment"


def test_the_last_call_file_of_a_turn_is_written_as_durably_as_any_of_them(
    lanes: Lanes, scribe: Scribe
) -> None:
    lanes.carry([Remember(call="c", text="1", durable=True), Remember(call="c", text="2", durable=False)])
    settle(lanes)
    assert scribe.seen == [("remember", True)]


def test_one_conversation_waits_for_its_disk_and_another_does_not(lanes: Lanes, scribe: Scribe) -> None:
    scribe.open.clear()
    lanes.carry([Remember(call="c", text="1", durable=True), closing()])
    lanes.carry([Play(call="d", number=1, leg="d", file="/p.wav")])
    gevent.sleep(0.01)
    assert "Play" in scribe.seen
    assert "CloseSegment" not in scribe.seen
    scribe.open.set()
    settle(lanes)


def test_a_taken_segment_number_is_not_started(lanes: Lanes, scribe: Scribe, told: list[Event]) -> None:
    scribe.faults["plan"] = "taken"
    lanes.carry([opening(7)])
    settle(lanes)
    assert told == [SegmentTaken(now=NOW, call="c", command=7)]
    assert "OpenSegment" not in scribe.seen


def test_a_full_disk_refuses_to_open_a_segment(lanes: Lanes, scribe: Scribe, told: list[Event]) -> None:
    scribe.faults["plan"] = "the spool cannot be written: No space left on device"
    lanes.carry([Remember(call="c", text="1", durable=False), opening(7)])
    settle(lanes)
    assert told == [CommandRefused(now=NOW, call="c", command=7, reason="spool")]
    assert "OpenSegment" not in scribe.seen


def test_a_full_disk_does_not_keep_a_segment_from_being_closed(lanes: Lanes, scribe: Scribe) -> None:
    scribe.faults["remember"] = "the spool cannot be written: No space left on device"
    lanes.carry([Remember(call="c", text="1", durable=True), closing()])
    gevent.sleep(0.01)
    assert scribe.seen[-1] == "CloseSegment"


def test_a_segment_is_handed_over_as_soon_as_the_disk_takes_it(lanes: Lanes, scribe: Scribe) -> None:
    scribe.faults["replace"] = "full"
    lanes.carry([Release(call="c", segment="c-01", sidecar="{}")])
    gevent.sleep(0.15)
    assert lanes.busy
    scribe.faults.clear()
    settle(lanes)
    assert scribe.seen.count(("replace", "c-01")) >= 3


def test_the_end_of_a_call_is_written_as_soon_as_the_disk_takes_it(lanes: Lanes, scribe: Scribe) -> None:
    scribe.faults["remember"] = "full"
    lanes.carry([Remember(call="c", text="over", durable=True)])
    gevent.sleep(0.15)
    assert lanes.busy
    scribe.faults.clear()
    settle(lanes)
    assert scribe.seen.count(("remember", True)) >= 3


def test_an_older_call_file_never_takes_the_place_of_a_newer_one(lanes: Lanes, scribe: Scribe) -> None:
    scribe.faults["remember"] = "full"
    lanes.carry([Remember(call="c", text="1", durable=True)])
    gevent.sleep(0.01)
    scribe.faults.clear()
    lanes.carry([Remember(call="c", text="2", durable=False)])
    settle(lanes)
    assert scribe.seen == [("remember", True), ("remember", False)]


def test_a_segment_is_handed_over_before_its_call_forgets_that_it_runs(lanes: Lanes, scribe: Scribe) -> None:
    lanes.carry(
        [Remember(call="c", text="1", durable=False), Release(call="c", segment="c-01", sidecar="{}")]
    )
    settle(lanes)
    assert scribe.seen == [("replace", "c-01"), ("remember", False)]


@pytest.mark.parametrize(
    "command",
    [
        LookUpParty(call="c", number=1, party=1, tenant="default", e164="+4930"),
        Answer(call="c", request="r", status=200),
    ],
    ids=lambda c: type(c).__name__,
)
def test_what_needs_no_disk_goes_straight_to_its_hand(lanes: Lanes, scribe: Scribe, command: Command) -> None:
    lanes.carry([command])
    settle(lanes)
    assert scribe.seen == [type(command).__name__]


def entry(name: str, call: str = "c") -> Enter:
    return Enter(call=call, type=name, subject="c", time=NOW, facts={})


def test_entries_are_said_in_the_order_of_the_core(lanes: Lanes, scribe: Scribe) -> None:
    lanes.carry([entry("a.b"), entry("c.d"), entry("e.f")])
    settle(lanes)
    assert scribe.seen == [("enter", "a.b"), ("enter", "c.d"), ("enter", "e.f")]


def test_entries_of_no_call_wait_for_none(lanes: Lanes, scribe: Scribe) -> None:
    lanes.carry([entry("switch.lost", "")])
    assert scribe.seen == ["switch.lost"]


def test_entries_are_written_with_the_call_file_that_knows_of_them(lanes: Lanes, scribe: Scribe) -> None:
    """In one request, which the scribe carries out although govern is killed: no end is told twice."""
    scribe.open.clear()
    lanes.carry([Remember(call="c", text="1", durable=True)])
    gevent.sleep(0.01)
    lanes.carry([Remember(call="c", text="2", durable=True), entry("call.over")])
    gevent.sleep(0.01)
    assert scribe.seen == [("remember", True)]
    scribe.open.set()
    settle(lanes)
    assert scribe.seen == [("remember", True), ("enter", "call.over"), ("remember", True)]
    assert scribe.asked == [1, 2]


def test_carrying_never_waits(lanes: Lanes, scribe: Scribe) -> None:
    scribe.open.clear()
    switches: list[Callable[[], None]] = []
    gevent.spawn(lambda: switches.append(print))
    lanes.carry([Remember(call="c", text="1", durable=True), closing()])
    assert not switches, "the loop gave the hub away"
    scribe.open.set()
    settle(lanes)
