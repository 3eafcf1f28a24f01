"""A decision comes out of its grounds again, to the byte, however often the call was decided."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov import events as ev
from fsgov.call.document import document
from fsgov.catalog.ship import storable
from fsgov.commands import Enter, LookUpParty, Remember
from fsgov.errors import Damaged
from fsgov.events import Direction
from fsgov.policy import Inputs, areas, decide, describe, numbers
from fsgov.policy.grounds import Ground, again, digest, leaves, read, text
from tests.unit.conversation import ALWAYS, NEVER, NOTICE, ON_DEMAND, OPT_OUT, Talk, policy

ASK = 'ask = { prompt = "ask", yes = "1", no = "2", timeout = "5 s", withdraw = "*9" }\n'
FLOOR = '[floor]\nDE = "opt_in"\nGB = "notice"\n'


def when(rule: str, condition: str) -> str:
    return f"{rule}[rule.when]\n{condition}\n"


RULES = (
    FLOOR,
    when(ON_DEMAND.replace("asked", "vip"), 'crm.segment = "vip"'),
    when(NEVER.replace("none", "secret"), 'crm.segment = "secret"'),
    when(OPT_OUT.replace("leave", "outbound"), 'direction = "outbound"'),
    when(NOTICE.replace("ask = ", "#") + ASK, 'direction = "inbound"'),
    ALWAYS + ASK,
)
LATER = (FLOOR, when(NEVER.replace("none", "nobody"), 'direction = "outbound"'), ALWAYS + ASK)
FIRST, SECOND = policy(*RULES), policy(*LATER)
POLICIES = {one.sha256: one for one in (FIRST, SECOND)}
NUMBERS = ("+41442345678", "+4930123456", "+442079460100", "+33142685300", "+12125550123", "anonymous")


def decided_again(file: Mapping[str, Any]) -> bytes:
    """What the grounds in a call file give."""
    usual = [{"policy": file["policy"]["sha256"], "inputs": file["inputs"]}]
    grounds = read(file["grounds"] or usual)
    return spelled(again(grounds, lambda ground: decide(POLICIES[ground.policy], ground.inputs)).to_json())


def spelled(decision: Any) -> bytes:
    return json.dumps(decision, sort_keys=True).encode()


def told_inputs(file: Mapping[str, Any]) -> str:
    """The digest of what a call file holds of the inputs, once it has been through the catalog."""
    stored = json.loads(storable(json.dumps(file)))
    usual = [{"policy": stored["policy"]["sha256"], "inputs": stored["inputs"]}]
    return digest(stored["inputs_salt"], stored["grounds"] or usual)


def last_told(talk: Talk) -> str:
    told = [each for each in talk.all(Enter) if (each.type, each.subject) == ("call.decided", "a")]
    return str(told[-1].facts["inputs"])


def begun(first: str) -> Talk:
    """Somebody outside calls, and the call is decided and answered; of him the CRM says nothing in time."""
    talk = Talk(*RULES)
    talk.created("a", caller=first)
    talk.answered("a")
    talk.wait(0.4)
    return talk


def took(talk: Talk, how: str, leg: str = "", number: str = "") -> Talk:
    """One step. After a restart the other policy is in force."""
    match how:
        case "restart":
            talk.policy = SECOND if talk.policy.sha256 == FIRST.sha256 else FIRST
            twin = talk.restarted()
            twin.sent = [*talk.sent, *twin.sent]
            twin.push(ev.SwitchConnected, core="core-1")
            twin.push(ev.Resynced, core="core-1", recordings=dict.fromkeys("abcdefg", ()))
            return twin
        case "joins":
            talk.created(
                leg, other="a", caller="1001", dialled=number, direction=Direction.OUTBOUND,
                profile="sofia/external",
            )  # fmt: skip
        case "calls":
            talk.created(leg, caller=number, direction=Direction.INBOUND, profile="sofia/external")
        case _:
            for lookup in talk.all(LookUpParty)[-1:]:
                talk.push(
                    ev.PartyFound, call=lookup.call, command=lookup.number, party=lookup.party,
                    facts={"segment": how}, evidence="crm-1",
                )  # fmt: skip
            return talk
    talk.answered(leg)
    talk.push(ev.LegsBridged, leg="a", other=leg)
    talk.wait(0.4)
    return talk


def shown(talk: Talk) -> Mapping[str, Any]:
    """The call file as it would be written now."""
    call = talk.board.call("a")
    assert call is not None
    found: Mapping[str, Any] = json.loads(document(call))
    return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("joins", "calls", "restart", "vip", "secret", "known")), st.sampled_from(NUMBERS)
    ),
    max_size=6,
)


@given(first=st.sampled_from(NUMBERS), steps=STEPS)
def test_every_document_is_decided_again_to_the_byte(first: str, steps: list[tuple[str, str]]) -> None:
    talk = begun(first)
    for leg, (how, number) in zip("bcdefg", steps, strict=False):
        talk = took(talk, how, leg, number)
    documents = [json.loads(command.text) for command in talk.all(Remember)] + [shown(talk)]
    assert any(file["decision"] for file in documents)
    for file in documents:
        if file["decision"] is not None:
            assert decided_again(file) == spelled(file["decision"])
    assert told_inputs(documents[-1]) == last_told(talk)


def salted(salt: str, caller: str = "+4930123456") -> Talk:
    talk = Talk(ALWAYS, salt=lambda: salt)
    talk.created("a", caller=caller)
    talk.answered("a")
    return talk


def test_what_the_log_tells_of_the_inputs_is_nobodys_without_the_salt() -> None:
    one, other = salted("11" * 16), salted("22" * 16)
    assert shown(one)["inputs"] == shown(other)["inputs"]
    assert last_told(one) != last_told(other)
    assert last_told(one) == told_inputs(shown(one))
    assert last_told(one) != told_inputs({**shown(one), "inputs_salt": "22" * 16})
    assert last_told(salted("11" * 16, "+4930123457")) != last_told(one)
    assert not [entry for entry in one.all(Enter) if "11" * 16 in str(entry.facts)]


def test_one_call_has_one_salt_also_after_a_restart() -> None:
    drawn = itertools.count(1)
    talk = Talk(*RULES, salt=lambda: f"{next(drawn):032x}")
    talk.created("a", caller="+442079460100")
    talk = took(talk, "vip")
    talk.answered("a")
    talk = took(talk, "restart")
    talk = took(talk, "joins", "b", "+4930123456")
    assert shown(talk)["inputs_salt"] == f"{1:032x}"
    assert told_inputs(shown(talk)) == last_told(talk)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("zab"), inner),
    )
)
def test_what_the_catalog_cannot_hold_is_not_in_the_digest(value: Any) -> None:
    kept = json.loads(storable(json.dumps(value)))
    assert digest("00", json.loads(json.dumps(value))) == digest("00", kept)


def test_the_stricter_decision_stays_with_what_it_rests_on() -> None:
    """A rule of the policy before the restart binds still, with the floor of somebody who came later."""
    talk = Talk(*RULES)
    talk.created("a", caller="+442079460100")
    talk = took(talk, "vip")
    talk.answered("a")
    talk = took(talk, "restart")
    talk = took(talk, "joins", "b", "+4930123456")
    file = shown(talk)
    grounds = leaves(read(file["grounds"]))
    assert [ground.policy for ground in grounds] == [FIRST.sha256, SECOND.sha256]
    assert [len(ground.inputs.parties) for ground in grounds] == [1, 2]
    assert (file["decision"]["rule"], file["decision"]["consent"]) == ("vip", "opt_in")
    assert decided_again(file) == spelled(file["decision"])


def test_grounds_are_read_as_they_were_written() -> None:
    one = Ground("ab" * 32, Inputs.from_json(shown(begun("+4930123456"))["inputs"]))
    for grounds in ((one,), (one, one), (one, (one, (one,)))):
        assert read(json.loads(text(grounds))) == grounds
    assert leaves((one, (one, (one,)))) == (one, one, one)


def test_a_numbering_plan_that_changes_changes_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    """What numbers told when the call was decided is stored with them; where it is not, it is asked again."""
    rules = policy(
        FLOOR,
        when(NEVER.replace("none", "californian"), 'caller = { country = "US-CA" }'),
        when(ALWAYS.replace("all", "abroad"), 'caller = { country = ["AT", "US"] }'),
        NOTICE,
    )
    calls = {
        number: describe(caller=number, dialled="+4930901820")
        for number in ("+12135550123", "+12125550123", "+4312345678", "+493012345")
    }
    before = {number: decide(rules, inputs).to_json() for number, inputs in calls.items()}
    stored = {number: json.loads(inputs.text()) for number, inputs in calls.items()}
    assert len({decision["rule"] for decision in before.values()}) == 3
    monkeypatch.setattr(numbers, "country", lambda number: "CH")
    monkeypatch.setattr(areas, "state", lambda number: "")
    for number, source in stored.items():
        assert decide(rules, Inputs.from_json(source)).to_json() == before[number]
        older = {key: value for key, value in source.items() if not key.endswith("_places")}
        assert Inputs.from_json(older).caller_places == ("CH", "")


@pytest.mark.parametrize(
    "source", [None, {}, [1], [{}], [{"policy": "ab", "inputs": None}], [[[7]]]], ids=str
)
def test_what_is_no_grounds_is_damaged(source: Any) -> None:
    with pytest.raises(Damaged):
        read(source)


def test_a_decision_without_grounds_is_damaged() -> None:
    with pytest.raises(Damaged):
        again((), lambda ground: decide(FIRST, ground.inputs))
