"""What the CRM says of when a period of retention starts: read, noted with the call, told; never believed
where it is no day."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from fsgov import events as ev
from fsgov.commands import LookUpParty, Remember
from fsgov.errors import BadConfiguration
from fsgov.events import Direction
from fsgov.policy import Policy, parse
from fsgov.policy.anchors import moment
from tests.parts.schemas import faults
from tests.unit.conversation import ALWAYS, Talk
from tests.unit.test_schemas import line

TEXT = """version = "1"
timezone = "Pacific/Auckland"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
anchor = "contract_end"
anchor_fallback = "call_end + 1 year"
"""
TOLD = '[anchor.contract_end]\ncrm = "contract_ends"\n'
NOW = 1_795_279_045_000_000


def a_policy(told: str = TOLD, rules: str = ALWAYS) -> Policy:
    return parse(TEXT + told + rules)


def instant(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2030-06-30", instant(2030, 6, 30, 0)),  # noon in Auckland
        ("2030-06-30T12:00Z", instant(2030, 6, 30, 12)),
        ("2030-06-30T12:00:00.7+02:00", instant(2030, 6, 30, 10, 0, 1)),
        ("1970-01-02", instant(1970, 1, 2, 0)),
        ("2030-06-30T12:00", None),
        ("2030-02-30", None),
        ("30.06.2030", None),
        ("1969-12-31T00:00Z", None),
        ("9999-12-31", None),
        ("0001-01-01T00:00+14:00", None),
        ("never", None),
        ("null", None),
        ("20300630", None),
        ("true", None),
        ("２０３０-06-30", None),
    ],
)
def test_a_day_or_an_instant_is_one_and_nothing_else(text: str, expected: int | None) -> None:
    assert moment(text, "Pacific/Auckland", NOW) == expected


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("[anchor.contract_end]\n", "anchor.contract_end.crm: is missing"),
        ('[anchor.contract_end]\ncrm = "x y"\n', "anchor.contract_end.crm: 'x y' is no name"),
        ('[anchor.contract_ends]\ncrm = "x"\n', "did you mean contract_end?"),
        ('[anchor.call_end]\ncrm = "x"\n', "anchor.call_end: is no event that somebody tells"),
        ('[anchor.case_closed]\ncrm = "x"\n', "anchor.case_closed: is told for nothing"),
        (TOLD + "variable = 1\n", "anchor.contract_end.variable: is not known"),
    ],
)
def test_what_cannot_be_told_is_refused(told: str, said: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        a_policy(told)
    assert said in caught.value.detail


def test_the_crm_is_asked_for_it_and_only_for_what_is_named() -> None:
    assert a_policy("").looks_up is False
    policy = a_policy()
    assert (policy.looks_up, policy.kept_facts, policy.names_of_facts) == (True, {"contract_ends"}, set())
    assert parse(policy.text).anchors == {"contract_end": "contract_ends"}


def found(talk: Talk, party: int, **facts: str) -> None:
    number = talk.all(LookUpParty)[-1].number
    talk.push(ev.PartyFound, call="a", command=number, party=party, facts=facts)


def anchors(talk: Talk) -> dict[str, int]:
    """As the call's file has them."""
    stored: dict[str, int] = json.loads(talk.all(Remember)[-1].text)["anchors"]
    return stored


def test_what_the_crm_says_is_kept_with_the_call_and_the_latest_counts() -> None:
    talk = Talk(of=a_policy())
    talk.created("a")
    found(talk, 1, contract_ends="2030-06-30", name="Weber")
    talk.answered("a")
    talk.opens()
    talk.created("c", dialled="+4940555", direction=Direction.OUTBOUND, other="a", profile="sofia/external")
    found(talk, 2, contract_ends="2029-01-31")
    talk.answered("c")
    assert anchors(talk) == {"contract_end": instant(2030, 6, 30)}
    again = talk.restarted()
    again.push(ev.Resynced, core="core-1", recordings={})
    again.hangs_up("a")
    assert anchors(again) == {"contract_end": instant(2030, 6, 30)}
    told = talk.entries("anchor.found")
    assert [dict(each.facts) for each in told] == [
        {"party": 1, "event": "contract_end", "at": "2030-06-30T00:00:00Z"},
        {"party": 2, "event": "contract_end", "at": "2029-01-30T23:00:00Z"},
    ]
    assert [fault for each in told for fault in faults(line(each.type, each.subject, **each.facts))] == []


@pytest.mark.parametrize("text", ["soon", "K-17 +493012345", "2030-13-01", "[]"])
def test_what_is_no_day_leaves_the_fallback_and_is_told_without_its_text(text: str) -> None:
    talk = Talk(of=a_policy())
    talk.created("a")
    found(talk, 1, contract_ends=text)
    talk.answered("a")
    talk.opens()
    assert anchors(talk) == {}
    (told,) = talk.entries("anchor.found")
    assert told.facts == {"party": 1, "event": "contract_end", "at": None}
    assert faults(line(told.type, told.subject, **told.facts)) == []


def test_nothing_is_told_of_whom_the_crm_says_nothing() -> None:
    talk = Talk(of=a_policy())
    talk.created("a")
    found(talk, 1, contract_ends="")
    talk.answered("a")
    talk.opens()
    assert (anchors(talk), talk.entries("anchor.found")) == ({}, [])
