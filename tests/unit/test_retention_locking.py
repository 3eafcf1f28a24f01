"""Until when a lock lasts: as long as it must be kept, as far as that is certain, and never longer."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgov.policy import Policy, Purpose
from fsgov.policy.document import Anchor
from fsgov.policy.spans import Span
from fsgov.policy.terms import Basis, Lock
from fsgov.retention.locking import AHEAD, Due, due

BERLIN = ZoneInfo("Europe/Berlin")
YEAR = Span(years=1)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()) * 1_000_000


def policy(**purposes: Purpose) -> Policy:
    return Policy(version="1", sha256="", text="", timezone="Europe/Berlin", rules=(), purposes=purposes)


def purpose(
    lock: Lock = Lock.COMPLIANCE, least: Span = YEAR, event: str = "call_end", **more: Span
) -> Purpose:
    fallback = Anchor(event="call_end", plus=YEAR) if event != "call_end" else None
    return Purpose(
        name="p", basis=Basis.CONTRACT, retain_min=least, retain_max=more.get("most", Span(years=9)),
        anchor=Anchor(event=event, plus=more.get("plus", Span())), anchor_fallback=fallback, lock=lock,
    )  # fmt: skip


ENDED = at("2026-11-21 14:00")


@pytest.mark.parametrize(
    ("least", "ended", "until"),
    [
        (Span(years=5), "2026-11-21 14:00", "2031-11-22 00:00"),
        (Span(months=3), "2026-11-30 23:30", "2027-03-01 00:00"),
        (Span(years=1), "2028-02-29 08:00", "2029-03-01 00:00"),
        (Span(months=4), "2026-11-29 00:30", "2027-03-30 00:00"),
    ],
)
def test_it_lasts_for_the_least_time_by_the_calendar_there(least: Span, ended: str, until: str) -> None:
    found = due(policy(p=purpose(least=least)), ["p"], at(ended), {}, at(ended))
    assert found == Due(at(until), Lock.COMPLIANCE)


def test_what_wants_no_lock_gets_none_and_one_that_is_over_none_either() -> None:
    one = policy(p=purpose(Lock.NONE), q=purpose())
    assert due(one, ["p", "unknown"], ENDED, {}, ENDED) is None
    assert due(one, ["q"], ENDED, {}, at("2027-11-21 23:59")) is not None
    assert due(one, ["q"], ENDED, {}, at("2027-11-22 00:00")) is None


def test_of_several_purposes_the_strongest_lock_and_the_latest_end() -> None:
    several = policy(
        p=purpose(Lock.GOVERNANCE, Span(years=3)),
        q=purpose(Lock.COMPLIANCE),
        r=purpose(Lock.NONE, Span(years=9)),
    )
    assert due(several, ["p", "q", "r"], ENDED, {}, ENDED) == Due(at("2029-11-22 00:00"), Lock.COMPLIANCE)


def test_before_its_anchor_has_happened_it_is_counted_from_the_call() -> None:
    one = policy(p=purpose(event="contract_end", least=Span(years=2), plus=Span(months=1)))
    first = due(one, ["p"], ENDED, {}, ENDED)
    assert first == Due(at("2028-12-22 00:00"), Lock.COMPLIANCE, open=True)
    later = due(one, ["p"], ENDED, {}, at("2027-02-01 12:00"))
    assert later is not None
    assert later.until == at("2029-03-02 00:00"), "as if it happened now"
    last = due(one, ["p"], ENDED, {}, at("2028-06-01 12:00"))
    assert last is not None
    assert last.until == at("2029-11-22 00:00"), "and at most from the fallback"
    happened = due(one, ["p"], ENDED, {"contract_end": at("2027-01-15 10:00")}, ENDED)
    assert happened == Due(at("2029-02-16 00:00"), Lock.COMPLIANCE)


def test_what_there_is_is_enough_or_not() -> None:
    now = ENDED
    certain, waiting = (
        Due(now + 10 * AHEAD, Lock.GOVERNANCE),
        Due(now + 10 * AHEAD, Lock.GOVERNANCE, open=True),
    )
    assert certain.lacks(None, Lock.NONE, now)
    assert certain.lacks(now + 9 * AHEAD, Lock.COMPLIANCE, now), "too short"
    assert not certain.lacks(now + 11 * AHEAD, Lock.COMPLIANCE, now), "longer and stronger is enough"
    assert Due(now, Lock.COMPLIANCE).lacks(now + AHEAD, Lock.GOVERNANCE, now), "too weak"
    assert not waiting.lacks(now + 2 * AHEAD, Lock.GOVERNANCE, now), "its end is far, and not certain yet"
    assert waiting.lacks(now + AHEAD - 1, Lock.GOVERNANCE, now)


DAYS = st.integers(0, 3000)


@given(
    least=st.builds(Span, years=st.integers(0, 5), months=st.integers(0, 11), days=st.integers(1, 40)),
    more=st.builds(Span, years=st.integers(0, 2), days=st.integers(0, 40)),
    happens=st.none() | DAYS,
    looked=st.lists(DAYS, min_size=1, max_size=5),
)
def test_it_never_shrinks_nor_outlasts_what_may_be_kept_when_the_anchor_is_told_at_once(
    least: Span, more: Span, happens: int | None, looked: list[int]
) -> None:
    day = 86_400_000_000
    one = policy(p=purpose(event="contract_end", least=least, most=least + more))
    told = {} if happens is None else {"contract_end": ENDED + happens * day}
    locked = 0
    for after in sorted(looked):
        now = ENDED + after * day
        found = due(one, ["p"], ENDED, told if happens is not None and after >= happens else {}, now)
        if found is not None:
            locked = max(locked, found.until)
    start = ENDED + 366 * day if happens is None else ENDED + happens * day
    latest = due(policy(p=purpose(least=least + more)), ["p"], start, {}, start)
    assert latest is not None
    assert locked <= latest.until
