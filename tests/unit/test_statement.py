"""The sums of a day's statement: what is counted where, what is a difference, and what never is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fsgov import statement
from fsgov.statement import Count, Open, Span

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
NEXT = MIDNIGHT + timedelta(days=1)


def at(hours: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


def count(
    hours: float, sessions: int, *, ungoverned: int = 0, life: str = "fs1.govern.1", core: str = "c1"
) -> Count:
    return Count("fs1", core, life, at(hours), sessions, ungoverned)


def spans(*counts: Count) -> list[Span]:
    return statement.spans(counts, MIDNIGHT, NEXT)


# -- conversations ---------------------------------------------------------------------------------------


def test_conversations_are_the_sum_of_outcomes() -> None:
    rows = [("acme", "fs1", "recorded", 3), ("acme", "fs1", "refused", 2), ("init", "fs2", "merged", 1)]
    found = statement.outcomes(rows, [], NOON)
    assert [(each.tenant, each.host, each.conversations, each.difference) for each in found] == [
        ("acme", "fs1", 5, 0),
        ("init", "fs2", 1, 0),
    ]
    assert found[0].outcomes == {"recorded": 3, "refused": 2}
    assert statement.differences(found, []) == []


def test_a_call_without_an_outcome_is_under_way_for_a_day_and_a_difference_afterwards() -> None:
    young = Open("new", "acme", "fs1", NOON - timedelta(hours=23))
    old = Open("old", "acme", "fs1", NOON - timedelta(hours=24))
    (found,) = statement.outcomes([("acme", "fs1", "recorded", 3)], [young, old], NOON)
    assert (found.conversations, found.under_way, found.overdue) == (5, 1, ("old",))
    (said,) = statement.differences([found], [])
    assert "of 5 conversations 1 have no outcome: old" in said
    (alone,) = statement.outcomes([], [young], NOON)
    assert (alone.conversations, statement.differences([alone], [])) == (1, [])


# -- sessions --------------------------------------------------------------------------------------------


def test_a_day_is_from_the_last_count_before_it_to_its_own_last_one() -> None:
    found = spans(count(-1.5, 90), count(-0.1, 100), count(3, 110), count(23.9, 150), count(24.1, 200))
    assert [(span.since, span.until, span.sessions) for span in found] == [
        (at(-0.1), at(3), 10),
        (at(3), at(23.9), 40),
    ]
    (host,) = statement.sessions((span, span.sessions) for span in found)
    assert (host.since, host.until, host.sessions, host.legs) == (at(-0.1), at(23.9), 50, 50)
    assert (host.away, host.difference) == (0, 0)


def test_what_the_switch_had_had_before_fsgov_came_is_not_compared() -> None:
    assert spans(count(3, 5000)) == []
    (span,) = spans(count(3, 5000), count(4, 5003))
    assert (span.sessions, span.watched) == (3, True)


def test_a_switch_that_was_started_anew_is_counted_from_its_start() -> None:
    _, span = spans(count(1, 5000), count(2, 5001), count(3, 7, core="c2"))
    assert (span.core, span.since, span.sessions, span.watched) == ("c2", None, 7, False)
    (host,) = statement.sessions([(span, 4)])
    assert (host.away, host.difference) == (3, 0)


def test_two_switches_are_two_hosts() -> None:
    other = Count("fs2", "c9", "fs2.govern.1", at(2), 40, 0)
    assert spans(count(1, 5000), other) == []


def test_known_to_be_unseen_is_no_difference() -> None:
    (span,) = spans(count(1, 10, ungoverned=2), count(2, 20, ungoverned=5))
    assert span.ungoverned == 3
    (host,) = statement.sessions([(span, 7)])
    assert (host.ungoverned, host.away, host.difference) == (3, 0, 0)


def test_a_session_of_which_nobody_knows_is_a_difference() -> None:
    (span,) = spans(count(1, 10), count(2, 20))
    (host,) = statement.sessions([(span, 9)])
    assert host.difference == 1
    assert "1 are missing" in statement.differences([], [host])[0]
    (host,) = statement.sessions([(span, 12)])
    assert host.difference == -2
    assert "2 too many" in statement.differences([], [host])[0]


def test_while_nobody_watched_sessions_are_away_and_legs_still_count() -> None:
    """Another govern than before: its own ungoverned ones count from nothing."""
    (span,) = spans(count(1, 10, ungoverned=9), count(2, 30, ungoverned=1, life="fs1.govern.2"))
    assert (span.watched, span.ungoverned) == (False, 1)
    (host,) = statement.sessions([(span, 15)])
    assert (host.away, host.difference) == (4, 0)
    (host,) = statement.sessions([(span, 21)])
    assert (host.away, host.difference) == (0, -2)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_days_fit_together_and_every_session_is_in_one(steps: list[tuple[int, int, bool]]) -> None:
    """Any counts, over any days: the sum of the days is the whole, whatever lies where."""
    counts, sessions, life = [], 0, 1
    for n, (more, _, anew) in enumerate(steps):
        sessions += more
        life += anew
        counts.append(count(5 * n - 20, sessions, life=f"fs1.govern.{life}"))
    days = [MIDNIGHT + timedelta(days=n) for n in range(-2, 9)]
    found = [span for day in days for span in statement.spans(counts, day, day + timedelta(days=1))]
    assert sum(span.sessions for span in found) == counts[-1].sessions - counts[0].sessions
    assert [span.since for span in found[1:]] == [span.until for span in found[:-1]]


def test_what_is_stated_is_equal_where_nothing_came_late() -> None:
    one, again = (statement.outcomes([("acme", "fs1", "recorded", 3)], [], when)[0] for when in (NOON, NEXT))
    assert statement.outcome_facts("2026-11-21", one) == statement.outcome_facts("2026-11-21", again)
    old = Open("old", "acme", "fs1", NOON - timedelta(hours=1))
    said = [
        statement.outcome_facts("2026-11-21", statement.outcomes([], [old], when)[0]) for when in (NOON, NEXT)
    ]
    assert said[0] == said[1]
