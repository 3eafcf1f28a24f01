"""govern's counts, checks and alarms, over a real switchboard; around it stand values that a test sets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fsgov.alarms import Alarms
from fsgov.commands import Enter
from fsgov.errors import Unreachable
from fsgov.events import (
    Act,
    ActAsked,
    CommandAccepted,
    CommandRefused,
    CommandUnanswered,
    Heartbeat,
    SegmentTaken,
)
from fsgov.health.govern import OUTCOMES, GovernVitals, Pieces
from fsgov.health.metrics import TABLE
from fsgov.health.spread import Spread
from fsgov.health.tally import REPLIES, Tally
from fsgov.spool.layout import Disk
from tests.parts.schemas import schema
from tests.unit.conversation import ALWAYS, OPT_IN, SECOND, T0, Talk

FREE = Disk(total=1000, free=500)


@dataclass
class Host:
    """Everything govern's vitals look at."""

    talk: Talk
    tally: Tally = field(default_factory=Tally)
    entered: list[tuple[str, str]] = field(default_factory=list)
    disk: Disk = FREE
    disk_fault: str = ""

    def __post_init__(self) -> None:
        self.link = SimpleNamespace(connected=True, trouble="", counts=Counter(connected=1))
        self.pool = SimpleNamespace(ready=10, counts=Counter())
        self.translator = SimpleNamespace(counts=Counter(forged=2))
        self.loop = SimpleNamespace(turned=T0, behind=0, events=Counter({Heartbeat: 3}))
        pieces = Pieces(
            self.talk.board,
            cast(Any, self.loop),
            cast(Any, self.link),
            cast(Any, self.pool),
            cast(Any, self.translator),
            self.tally,
            lambda: self.disk,
            lambda: self.disk_fault,
        )
        alarms = Alarms("govern", lambda t, _, facts: self.entered.append((t, facts["alarm"])), self.now)
        self.vitals = GovernVitals(pieces, alarms, self.now)

    def now(self) -> int:
        return self.talk.now

    def after(self, seconds: float) -> set[str]:
        """The alarms that are up some time later, with a look each second."""
        end = self.talk.now + int(seconds * SECOND)
        while self.talk.now < end:
            self.talk.now = min(self.talk.now + SECOND, end)
            self.vitals.look()
        self.vitals.look()
        return set(self.vitals.alarms.up)

    def tell(self, commands: list[Any]) -> None:
        self.tally.carried(commands, self.talk.now)

    def value(self, name: str, *labels: str) -> Any:
        return self.vitals.readings()[name][labels]


@pytest.fixture
def host() -> Host:
    return Host(Talk(ALWAYS))


def test_all_is_well(host: Host) -> None:
    assert host.after(60) == set()
    assert host.vitals.checks() == {"switch": "", "spool": ""}


def test_a_switch_is_missed_after_ten_seconds_and_not_before(host: Host) -> None:
    host.link.connected, host.link.trouble = False, "connection refused"
    assert host.vitals.checks()["switch"] == "connection refused"
    assert host.after(10) == set()
    assert host.after(2) == {"switch"}
    host.link.connected = True
    assert host.after(0) == set()
    assert host.entered == [("alarm.raised", "switch"), ("alarm.cleared", "switch")]


def test_a_resync_is_not_ready_yet(host: Host) -> None:
    host.link.connected = False
    assert "asking what the switch does" in host.vitals.checks()["switch"]


def test_interruptions_that_end_do_not_add_up(host: Host) -> None:
    for _ in range(3):
        host.link.connected = False
        assert host.after(8) == set()
        host.link.connected = True
        assert host.after(1) == set()


def test_a_spool_that_refuses_is_an_alarm_at_once(host: Host) -> None:
    host.disk_fault = "No space left on device"
    assert host.after(0) == {"spool"}
    assert host.vitals.checks()["spool"] == "No space left on device"
    host.disk_fault = ""
    assert host.after(0) == set()


@pytest.mark.parametrize(
    ("free", "up"),
    [(100, set()), (99, {"disk"}), (49, {"disk", "shedding.low"}), (0, {"disk", "shedding.all"})],
)
def test_a_tenth_of_the_disk_must_be_free(host: Host, free: int, up: set[str]) -> None:
    host.disk = Disk(total=1000, free=free)
    assert host.after(0) == up


def test_a_disk_that_cannot_be_asked_is_an_alarm_and_no_failure(host: Host) -> None:
    def ask() -> Disk:
        raise Unreachable("the spool's disk cannot be asked")

    object.__setattr__(host.vitals._pieces, "disk", ask)
    assert host.after(0) == {"disk"}
    assert host.value("fsgov_spool_free_bytes") == 0


def test_events_that_wait_for_long_are_an_alarm(host: Host) -> None:
    host.loop.behind = 1_001
    assert host.after(5) == set()
    assert host.after(2) == {"intake"}
    host.loop.behind = 1_000
    assert host.after(0) == set()


def paused(host: Host) -> None:
    host.talk.inbound()
    host.talk.opens()
    host.talk.push(ActAsked, call="a", act=Act.PAUSE, actor="p-1", request="r", tag="")
    host.talk.accept()


def test_a_pause_without_a_limit_is_an_alarm_after_an_hour(host: Host) -> None:
    paused(host)
    assert host.value("fsgov_paused_calls") == 1
    host.talk.now += 3_599 * SECOND
    assert host.after(0) == set()
    assert host.after(2) == {"pause"}
    assert host.value("fsgov_pause_age_seconds") > 3_600
    host.talk.push(ActAsked, call="a", act=Act.RESUME, actor="p-1", request="s", tag="")
    assert host.after(0) == set()
    assert host.value("fsgov_pause_age_seconds") == 0


def test_a_pause_beyond_its_limit_is_an_alarm() -> None:
    """The core ends it itself; where it does not get to that, somebody must."""
    host = Host(Talk(ALWAYS.rstrip() + '\npause = { by = "mask", max = "1 min", at_max = "stop" }\n'))
    paused(host)
    assert host.after(64) == set()
    assert host.after(2) == {"pause"}
    host.talk.wait(0)
    host.talk.accept()
    assert host.after(0) == set()


def failed(cause: str) -> Enter:
    facts: dict[str, str | int | bool | list[str] | None] = {"call": "a", "cause": cause, "attempts": 3}
    return Enter(call="a", type="recorder.failed", subject="a", time=T0, facts=facts)


def test_a_failing_recorder_is_an_alarm_until_a_start_is_taken(host: Host) -> None:
    host.tell([failed("refused")])
    assert host.after(1) == {"recorder"}
    host.talk.inbound()
    reply(host)
    assert host.after(0) == set()


def to_start(host: Host) -> None:
    """Until the core tries again."""
    while (call := host.talk.board.call("a")) is not None and call.flight is None:
        host.talk.wait(0.1)


def test_three_starts_in_a_row_that_fail_are_an_alarm(host: Host) -> None:
    host.talk.inbound()
    for times in (1, 2, 3):
        reply(host, CommandRefused, reason="-ERR")
        assert host.after(0) == ({"recorder"} if times == 3 else set())
        to_start(host)
    reply(host)
    assert host.after(0) == set()


def test_a_start_that_succeeds_between_two_that_fail_is_no_alarm(host: Host) -> None:
    host.talk.inbound()
    call = host.talk.board.call("a")
    assert call is not None
    assert call.flight is not None
    number, now = call.flight.command.number, host.talk.now
    for _ in range(4):
        for _ in range(2):
            host.tally.replied(CommandUnanswered(now=now, call="a", command=number), call)
        host.tally.replied(CommandAccepted(now=now, call="a", command=number, sent=now), call)
    assert host.after(1) == set()


def test_a_failing_recorder_is_forgotten_after_five_minutes(host: Host) -> None:
    host.tell([failed("refused")])
    assert host.after(299) == {"recorder"}
    assert host.after(2) == set()


def test_a_missing_prompt_is_an_alarm_of_its_own(host: Host) -> None:
    host.tell([failed("prompt-missing")])
    assert host.after(599) == {"prompt"}
    assert host.after(2) == set()


def test_sessions_that_passed_unseen_are_counted_and_an_alarm(host: Host) -> None:
    for since in (10, 15, 15, 15):
        told = host.talk.push(Heartbeat, core="core-1", live=0, since_startup=since)
        host.tell(told)
    assert host.value("fsgov_ungoverned_sessions_total") == 5
    assert host.after(1) == {"ungoverned"}
    assert host.after(600) == set()


# -- counting --------------------------------------------------------------------------------------------


def reply(host: Host, kind: Any = None, **fields: Any) -> None:
    """A reply to the command under way, 40 ms after it was sent, which was 2 ms after it was decided."""
    kind = kind or CommandAccepted
    call = host.talk.board.call("a")
    assert call is not None
    assert call.flight is not None
    if kind is CommandAccepted:
        fields = {"sent": call.flight.sent + 2_000}
    now = call.flight.sent + 42_000
    event = kind(now=now, call="a", command=call.flight.command.number, **fields)
    host.talk.now = now
    host.tally.replied(event, call)
    host.talk.board.handle(event)


def test_replies_are_counted_by_command_and_result(host: Host) -> None:
    host.talk.inbound()
    reply(host)
    assert host.value("fsgov_recorder_commands_total", "open", "accepted") == 1
    assert host.value("fsgov_recorder_commands_total", "mask", "unanswered") == 0
    assert host.tally.replies.total == pytest.approx(0.04)
    assert host.tally.starts.total == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("kind", "fields", "result"),
    [
        (CommandRefused, {"reason": "-ERR no"}, "refused"),
        (CommandRefused, {"reason": "spool"}, "spool"),
        (CommandUnanswered, {}, "unanswered"),
        (SegmentTaken, {}, "taken"),
    ],
)
def test_what_is_no_success_has_its_own_result(
    host: Host, kind: Any, fields: dict[str, str], result: str
) -> None:
    host.talk.inbound()
    reply(host, kind, **fields)
    assert host.tally.commands == {("open", result): 1}
    assert sum(host.tally.replies.counts) == 0


def test_a_reply_to_no_command_under_way_is_another(host: Host) -> None:
    host.tally.replied(CommandUnanswered(now=T0, call="gone", command=7), None)
    assert host.tally.commands == {("other", "unanswered"): 1}


def test_ends_are_counted_by_outcome(host: Host) -> None:
    host.talk.inbound()
    host.talk.opens()
    host.talk.stops("a-01")
    host.talk.hangs_up("a", "b")
    host.tell(host.talk.sent)
    assert host.value("fsgov_calls_total", "recorded") == 1
    assert host.value("fsgov_entries_total", "call.opened") == 1
    assert set(OUTCOMES) == set(schema("call.over")["properties"]["data"]["properties"]["outcome"]["enum"])


def test_live_calls_are_counted_by_stage_and_capture() -> None:
    host = Host(Talk(OPT_IN))
    host.talk.inbound()
    assert host.value("fsgov_calls", "asking") == 1
    assert host.value("fsgov_captures", "off") == 1
    assert host.value("fsgov_captures", "on") == 0


def test_readings_are_the_rows_of_the_table(host: Host) -> None:
    common = {"fsgov_build_info", "fsgov_alarms", "fsgov_ready", "fsgov_loop_age_seconds"}
    assert set(host.vitals.readings()) | common == {row.name for row in TABLE if "govern" in row.parts}


def test_the_age_of_the_loop(host: Host) -> None:
    host.talk.now = T0 + 3 * SECOND
    assert host.vitals.turned() == 3
    assert host.vitals.limit() == 5


def test_a_spread_puts_each_duration_under_its_bound() -> None:
    spread = Spread((0.1, 1.0))
    for seconds in (0.0, 0.1, 0.11, 1.0, 1.01):
        spread.add(seconds)
    assert list(spread.cumulated()) == [("0.1", 2.0), ("1.0", 4.0), ("+Inf", 5.0)]
    assert len(REPLIES) == 4
