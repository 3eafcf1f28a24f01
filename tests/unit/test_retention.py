"""What must be kept, held or destroyed: cases that people have checked, and what is so for any facts."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov.policy import Policy, parse
from fsgov.policy.purposes import EVENTS
from fsgov.policy.spans import Span
from fsgov.retention import Cause, Disposition, Facts, Judge, Verdict, compare, judge
from fsgov.retention.periods import end_of, midnight

PAGE = tomllib.loads((Path(__file__).parents[1] / "vectors/retention/cases.toml").read_text())
DAY = 86_400_000_000


def a_policy(name: str) -> Policy:
    """One of the page's, as a whole document."""
    lines = ['version = "1"', f'timezone = "{PAGE["policy"][name]["timezone"]}"', 'default = "never"']
    for purpose, keys in PAGE["policy"][name]["purpose"].items():
        lines += [f"[purpose.{purpose}]", 'basis = "contract"']
        lines += [f'{key} = "{value}"' for key, value in keys.items()]
    return parse("\n".join(lines), name)


POLICIES = {name: a_policy(name) for name in PAGE["policy"]}


def instant(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def facts_of(case: dict[str, Any]) -> Facts:
    return Facts(
        segment="0f6c-01",
        call="0f6c",
        tenant="default",
        purposes=tuple(case["purposes"]),
        policy_sha256="ab",
        state=case.get("state", "stored"),
        dispose=case.get("dispose", False),
        review_by=instant(case.get("review_by")),
        ended=instant(case.get("ended")),
        anchors={event: instant(at) or 0 for event, at in case.get("anchors", {}).items()},
        subject_erasure=case.get("subject_erasure", False),
    )


@pytest.mark.parametrize("case", PAGE["case"], ids=lambda case: str(case["name"]))
def test_what_becomes_of_a_recording(case: dict[str, Any]) -> None:
    now = instant(case["now"]) or 0
    found = judge(facts_of(case), POLICIES.get(case.get("policy", "")), case.get("holds", ()), now)
    assert found.verdict.value == case["verdict"]
    assert found.live == frozenset(case.get("live", ()))
    assert found.keep_until == instant(case.get("keep"))
    assert found.destroy_after == instant(case.get("destroy"))
    assert [reason.cause.value for reason in found.reasons] == case["why"]
    assert found.unjudged == case.get("unjudged", False)
    assert found.overdue == case.get("overdue", case["verdict"] == "destroy" and "destroy" in case)


def test_every_case_has_another_name() -> None:
    names = [case["name"] for case in PAGE["case"]]
    assert len(set(names)) == len(names)


def stored(*purposes: str, **changes: Any) -> Facts:
    return Facts(
        segment="s", call="c", tenant="t", purposes=purposes, policy_sha256="", state="stored", **changes
    )


def test_a_reason_says_what_how_long_and_from_when() -> None:
    facts = stored("evidence", ended=0)
    found = judge(facts, POLICIES["berlin"], ["h-1"], 0)
    assert [str(reason) for reason in found.reasons] == [
        "hold h-1",
        "evidence: until 1976-01-01T23:00Z, from call_end + 1 year",
        "evidence: must be kept until 1976-01-01T23:00Z, from call_end + 1 year",
    ]


def test_the_grace_is_for_what_is_overdue_only() -> None:
    facts = Facts(
        segment="s", call="c", tenant="t", purposes=("day",), policy_sha256="", state="stored", ended=0
    )
    end = judge(facts, POLICIES["berlin"], (), 0).destroy_after or 0
    for now, overdue in ((end, False), (end + 7 * DAY - 1, False), (end + 7 * DAY, True)):
        found = judge(facts, POLICIES["berlin"], (), now, grace=7 * DAY)
        assert (found.verdict, found.overdue) == (Verdict.DESTROY, overdue)


# -- for any facts -------------------------------------------------------------------------------------------

NAMES = [*PAGE["policy"]["berlin"]["purpose"], "unknown"]
INSTANTS = st.integers(0, 100 * 366 * DAY)
FACTS = st.builds(
    Facts,
    segment=st.just("s"),
    call=st.just("c"),
    tenant=st.just("t"),
    purposes=st.lists(st.sampled_from([*PAGE["policy"]["berlin"]["purpose"], "unknown"]), unique=True).map(
        tuple
    ),
    policy_sha256=st.just(""),
    state=st.sampled_from(["stored", "quarantined", "destroying", "destroyed", "missing"]),
    dispose=st.booleans(),
    review_by=st.none() | INSTANTS,
    ended=st.none() | INSTANTS,
    anchors=st.dictionaries(st.sampled_from(["contract_end", "last_activity", "case_closed"]), INSTANTS),
    subject_erasure=st.booleans(),
)
HOLDS = st.lists(st.sampled_from(["h-1", "h-2"]), unique=True)


@given(FACTS, st.none() | st.sampled_from(sorted(POLICIES)), HOLDS, INSTANTS)
def test_keep_hold_and_destroy_are_all_there_is(
    facts: Facts, name: str | None, holds: list[str], now: int
) -> None:
    policy = None if name is None else POLICIES[name]
    found = judge(facts, policy, holds, now)
    assert found == judge(facts, policy, holds, now)
    assert found.reasons
    audio = facts.state in ("stored", "quarantined")
    if audio:
        assert (found.verdict is Verdict.HOLD) == bool(holds)
        free = judge(facts, policy, (), now)
        assert (free.verdict is Verdict.DESTROY) == (
            free.destroy_after is not None and free.destroy_after <= now
        )
        assert (free.live, free.destroy_after, free.overdue) == (
            found.live,
            found.destroy_after,
            found.overdue,
        )
    if found.verdict is Verdict.DESTROY and audio:
        dead = {Cause.DISPOSE, Cause.UNREVIEWED} & {reason.cause for reason in found.reasons}
        assert dead or found.keep_until is None or found.keep_until <= now, "a minimum was not waited for"
        assert dead or facts.subject_erasure or not found.live, "something still lives on it"
    assert found.live <= set(facts.purposes)


LATE = instant("2026-03-31T21:30Z")
PLAIN = Facts(
    segment="s",
    call="c",
    tenant="t",
    purposes=("training", "evidence"),
    policy_sha256="",
    state="stored",
    ended=LATE,
)
ALIKE = [
    PLAIN,
    replace(PLAIN, ended=instant("2026-03-31T22:30Z")),
    replace(PLAIN, ended=None),
    replace(PLAIN, purposes=("training",)),
    replace(PLAIN, state="quarantined", review_by=instant("2026-04-02T00:00Z")),
    replace(PLAIN, state="destroying"),
    replace(PLAIN, dispose=True),
    replace(PLAIN, anchors={event: instant("2030-01-01T00:00Z") or 0 for event in EVENTS}),
    replace(PLAIN, subject_erasure=True),
]


@pytest.mark.parametrize(
    "now", ["2026-05-01T00:00Z", "2026-09-30T22:30Z", "2027-03-31T22:30Z", "2040-01-01T00:00Z"]
)
def test_many_are_judged_as_each_alone(now: str) -> None:
    at = instant(now) or 0
    together = Judge(at, grace=30 * DAY)
    for one, facts, name, holds in product((1, 2), ALIKE, [*POLICIES, None], ([], ["h-1"])):
        policy = None if name is None else POLICIES[name]
        assert together(facts, policy, holds) == judge(facts, policy, holds, at, grace=30 * DAY), one


@given(FACTS, HOLDS, INSTANTS, INSTANTS)
def test_time_only_takes_away(facts: Facts, holds: list[str], one: int, other: int) -> None:
    """What may be destroyed once may be destroyed ever after; a purpose that is over stays over."""
    before, after = (judge(facts, POLICIES["berlin"], holds, at) for at in sorted((one, other)))
    if before.verdict is Verdict.DESTROY:
        assert after.verdict is Verdict.DESTROY
    assert after.live <= before.live
    assert before.keep_until == after.keep_until


@given(FACTS, INSTANTS, st.sampled_from(["training", "orders", "analytics"]))
def test_one_purpose_more_never_shortens(facts: Facts, now: int, more: str) -> None:
    if more in facts.purposes or facts.dispose or facts.subject_erasure or facts.state != "stored":
        return
    fewer = judge(facts, POLICIES["berlin"], (), now)
    wider = Facts(
        **{**{name: getattr(facts, name) for name in Facts.__slots__}, "purposes": (*facts.purposes, more)}
    )
    found = judge(wider, POLICIES["berlin"], (), now)
    if found.destroy_after is not None and fewer.destroy_after is not None:
        assert found.destroy_after >= fewer.destroy_after
    if found.verdict is Verdict.DESTROY and facts.purposes:
        assert fewer.verdict is Verdict.DESTROY


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.integers(0, 10),
    st.integers(0, 24),
    st.integers(0, 400),
    st.sampled_from(["Europe/Berlin", "America/Havana", "Asia/Kolkata", "Pacific/Apia", "UTC"]),
)
def test_a_period_ends_as_its_last_day_does(day: date, years: int, months: int, days: int, zone: str) -> None:
    span = Span(years=years, months=months, days=days)
    end = datetime.fromtimestamp(end_of(day, Span(), span, zone) // 1_000_000, ZoneInfo(zone))
    last = span.after(day)
    assert end.date() == last + timedelta(days=1) or zone == "Pacific/Apia"
    assert midnight(last, zone) < end_of(day, Span(), span, zone)


# -- another policy's periods --------------------------------------------------------------------------------


def test_what_another_policy_would_change_is_counted() -> None:
    shorter = parse(
        'version = "2"\ntimezone = "Europe/Berlin"\ndefault = "never"\n'
        '[purpose.training]\nbasis = "contract"\nretain_max = "3 months"\n'
        '[purpose.orders]\nbasis = "contract"\nretain_min = "6 years"\nretain_max = "7 years"\n',
        "2",
    )
    ended = instant("2026-01-10T12:00:00+01:00")
    now = instant("2026-06-01T12:00:00+02:00") or 0

    def both(size: int, holds: tuple[str, ...], *purposes: str) -> tuple[Facts, Disposition, Disposition]:
        facts = stored(*purposes, ended=ended, size=size)
        return facts, judge(facts, POLICIES["berlin"], holds, now), judge(facts, shorter, holds, now)

    found = compare(
        [
            both(1, (), "training"),
            both(10, ("h-1",), "training"),
            both(100, (), "orders"),
            both(1000, (), "training", "orders"),
            both(10_000, (), "analytics"),
        ]
    )
    assert {key: group.size for key, group in found.verdicts.items()} == {
        (Verdict.KEEP, Verdict.DESTROY): 1,
        (Verdict.HOLD, Verdict.HOLD): 10,
        (Verdict.KEEP, Verdict.KEEP): 11_100,
    }
    assert (found.shorter.size, found.longer.size, found.unjudged.size) == (11, 1100, 10_000)
