"""Who talks to whom changes, on a real FreeSWITCH (what it needs: see test_freeswitch.py). About a minute."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.live.governed import ON_B, PLAIN, Governed, governed, result
from tests.live.sweep import Heard

pytestmark = pytest.mark.freeswitch
__all__ = ["governed"]


def test_the_recording_goes_on_when_the_agent_sends_the_caller_on(governed: Governed) -> None:
    number = governed.phones.number(PLAIN)
    call = governed.phones.call("2000", number)
    governed.recording(call)
    call.until(2)
    agent = governed.phones.agent(number)
    target = governed.phones.dial.format("2010").rpartition("/")[2]
    assert governed.phones.socket.api(f"uuid_deflect {agent} sip:{target}").startswith("+OK")
    call.until(10)
    ended = call.hang_up()
    whole = governed.over(call.call)
    assert result(whole) == ("recorded", "")
    assert [leg.name for leg in whole.legs] == ["a", "b", "c"]
    assert len(whole.segments) == 1
    heard = Heard.of(governed.whole(whole)[0])
    assert heard.last == pytest.approx(ended, abs=0.5)
    assert heard.straight > 0.9


def test_the_recording_goes_on_when_the_switch_sends_the_caller_on(governed: Governed) -> None:
    call = governed.phones.call("2000", governed.phones.number(PLAIN))
    governed.recording(call)
    call.until(2)
    assert governed.phones.switch.api(f"uuid_transfer {call.call} 2010").startswith("+OK")
    call.until(8)
    ended = call.hang_up()
    whole = governed.over(call.call)
    assert result(whole) == ("recorded", "")
    heard = Heard.of(governed.whole(whole)[0])
    assert heard.last == pytest.approx(ended, abs=0.5)


def consult(governed: Governed, agent: str, extension: str, caller: str) -> str:
    """The agent calls somebody else on a second leg, and joins that leg's far side with his caller."""
    other = governed.phones.call(extension, caller)
    api = governed.phones.socket.api
    tags = [api(f"uuid_getvar {other.leg} {name}") for name in ("sip_call_id", "sip_to_tag", "sip_from_tag")]
    other.until(1.5)
    target = governed.phones.dial.format(extension).rpartition("/")[2]
    replaces = f"{tags[0]}%3Bto-tag%3D{tags[1]}%3Bfrom-tag%3D{tags[2]}"
    assert api(f"uuid_deflect {agent} sip:{target}?Replaces={replaces}").startswith("+OK")
    return other.call


@pytest.mark.parametrize("rule", [PLAIN, ON_B])
def test_an_attended_transfer_is_covered_on_both_sides_of_it(governed: Governed, rule: str) -> None:
    number = governed.phones.number(rule)
    call = governed.phones.call("2000", number)
    governed.recording(call)
    call.until(2)
    younger = consult(governed, governed.phones.agent(number), "2010", governed.phones.number(PLAIN))
    moved = call.moment()
    call.until(moved + 5)
    ended = call.hang_up()
    whole = governed.over(call.call)
    parts = [Heard.of(audio) for audio in governed.whole(whole)]
    assert result(whole) == ("recorded", "")
    assert len(parts) == (2 if rule == ON_B else 1)
    assert all(later.first - earlier.last < 1 for earlier, later in pairwise(parts))
    assert governed.over(younger).call.merged_into == call.call
    assert parts[-1].last == pytest.approx(ended, abs=0.6)


@pytest.mark.parametrize("rule", [PLAIN, ON_B])
def test_a_recording_that_follows_a_transfer_is_regained(governed: Governed, rule: str) -> None:
    number = governed.phones.number(rule)
    call = governed.phones.call("2050", number)
    governed.recording(call)
    call.until(1)
    for leg in governed.phones.legs(call_uuid=call.call):
        governed.phones.switch.api(f"uuid_setvar {leg['uuid']} recording_follow_transfer true")
    call.until(2)
    consult(governed, governed.phones.agent(number), "2010", governed.phones.number(PLAIN))
    moved = call.moment()
    call.until(moved + 5)
    ended = call.hang_up()
    whole = governed.over(call.call)
    parts = [Heard.of(audio) for audio in governed.whole(whole)]
    assert result(whole) == ("recorded", "")
    assert all(later.first - earlier.last < 1 for earlier, later in pairwise(parts))
    assert parts[-1].last == pytest.approx(ended, abs=0.6)


def test_who_joins_a_conference_joins_the_conversation(governed: Governed) -> None:
    one = governed.phones.call("5000", governed.phones.number(PLAIN))
    governed.recording(one)
    one.until(2)
    two = governed.phones.call("5000", governed.phones.number(PLAIN))
    one.until(6)
    two.hang_up()
    one.until(7)
    ended = one.hang_up()
    whole, other = governed.over(one.call), governed.over(two.call)
    assert result(whole) == ("recorded", "")
    assert (other.call.outcome, other.call.merged_into) == ("merged", one.call)
    assert len(whole.legs) == 2
    assert Heard.of(governed.whole(whole)[0]).last == pytest.approx(ended, abs=0.5)
    governed.whole(other)
