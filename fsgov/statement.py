"""What a day's statement says: conversations and their outcomes, and whether the sums are right. Pure.

    conversations                     = Σ outcomes + those under way
    sessions counted by the switch    = legs seen + sessions known to be ungoverned

The second is taken between two counts of the switch: govern enters one (`sessions.counted`) each hour, and
when it stops. So a day ends with its last count, and the next one goes on from there. Where govern was
another process at the second count than at the first, nobody watched for a while: sessions without a leg are
`away` then. Anything else that does not add up is a difference, and never explained away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

UNDER_WAY = timedelta(days=1)
"""How long a conversation may have no outcome before that is a difference."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The conversations of one tenant on one host. under_way: those without an outcome, the youngest ones."""

    tenant: str
    host: str
    outcomes: Mapping[str, int]
    under_way: int = 0
    overdue: tuple[str, ...] = ()
    """Calls that should have an outcome by now, and have none."""

    @property
    def conversations(self) -> int:
        return sum(self.outcomes.values()) + self.under_way + len(self.overdue)

    @property
    def difference(self) -> int:
        """Conversations that are missing from the sum of outcomes."""
        return len(self.overdue)


@dataclass(frozen=True, slots=True)
class Open:
    """A conversation without an outcome."""

    call: str
    tenant: str
    host: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """How many sessions one start of the switch (core) had had by then; `life`: the govern that was told."""

    host: str
    core: str
    life: str
    at: datetime
    sessions: int
    ungoverned: int
    """Those that this life has known to be unseen."""


@dataclass(frozen=True, slots=True)
class Span:
    """Between two counts of one core. since None: the start of the switch. watched: by one govern."""

    host: str
    core: str
    since: datetime | None
    until: datetime
    sessions: int
    ungoverned: int
    watched: bool


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of one host. since, until: the first and the last count that they lie between."""

    host: str
    since: datetime | None
    until: datetime
    sessions: int
    legs: int
    ungoverned: int
    away: int = 0
    difference: int = 0
    """Sessions of which nobody knows (or, below zero, legs that the switch has not counted)."""


def outcomes(
    rows: Iterable[tuple[str, str, str, int]], open_: Iterable[Open], now: datetime
) -> list[Outcomes]:
    """One for each tenant and host. rows: tenant, host, outcome, how many."""
    made: dict[tuple[str, str], dict[str, int]] = {}
    for tenant, host, outcome, count in rows:
        made.setdefault((tenant, host), {})[outcome] = count
    young: dict[tuple[str, str], int] = {}
    old: dict[tuple[str, str], list[str]] = {}
    for each in open_:
        place = each.tenant, each.host
        made.setdefault(place, {})
        if now - each.opened_at < UNDER_WAY:
            young[place] = young.get(place, 0) + 1
        else:
            old.setdefault(place, []).append(each.call)
    return [
        Outcomes(*place, dict(sorted(found.items())), young.get(place, 0), tuple(sorted(old.get(place, ()))))
        for place, found in sorted(made.items())
    ]


def spans(counts: Iterable[Count], since: datetime, until: datetime) -> list[Span]:
    """The stretches to compare, by host: what each core's counts in this time lie apart.

    counts: every one of those hosts before `until`. A stretch begins with the last count before `since`.
    A host's very first core begins with its first count: what it had had before was before fsgov.
    """
    by_core: dict[tuple[str, str], list[Count]] = {}
    known: set[str] = set()
    made = []
    for each in sorted(counts, key=lambda count: (count.at, count.sessions)):
        if each.at >= until:
            continue
        before = by_core.setdefault((each.host, each.core), [])
        last = before[-1] if before else None
        first_core = each.host not in known
        known.add(each.host)
        before.append(each)
        if each.at < since:
            continue
        if last is None and first_core:
            continue
        watched = last is not None and each.life == last.life
        apart = each.sessions - (0 if last is None else last.sessions)
        unseen = each.ungoverned - (last.ungoverned if last is not None and watched else 0)
        since_ = None if last is None else last.at
        made.append(Span(each.host, each.core, since_, each.at, apart, unseen, watched))
    return made


@dataclass(slots=True)
class _Sum:
    since: list[datetime | None] = field(default_factory=list)
    until: list[datetime] = field(default_factory=list)
    sessions: int = 0
    legs: int = 0
    ungoverned: int = 0
    away: int = 0
    difference: int = 0


def sessions(found: Iterable[tuple[Span, int]]) -> list[Sessions]:
    """One for each host, of its spans with the legs in each."""
    by_host: dict[str, _Sum] = {}
    for span, legs in found:
        host = by_host.setdefault(span.host, _Sum())
        rest = span.sessions - legs - span.ungoverned
        away = 0 if span.watched else max(rest, 0)
        host.since.append(span.since)
        host.until.append(span.until)
        host.sessions += span.sessions
        host.legs += legs
        host.ungoverned += span.ungoverned
        host.away += away
        host.difference += rest - away
    return [
        Sessions(
            host=name,
            since=min((at for at in each.since if at is not None), default=None),
            until=max(each.until),
            sessions=each.sessions,
            legs=each.legs,
            ungoverned=each.ungoverned,
            away=each.away,
            difference=each.difference,
        )
        for name, each in sorted(by_host.items())
    ]


def differences(conversations: Iterable[Outcomes], of_sessions: Iterable[Sessions]) -> list[str]:
    """Each as a sentence; none where every sum is right."""
    said = [
        f"{each.tenant} on {each.host}: of {each.conversations} conversations {each.difference} have no"
        f" outcome: {', '.join(each.overdue)}"
        for each in conversations
        if each.difference
    ]
    for host in of_sessions:
        if host.difference:
            known = f"{host.legs} legs, {host.ungoverned} ungoverned, {host.away} while govern was away"
            said.append(
                f"{host.host}: the switch counted {host.sessions} sessions, known are {known}:"
                f" {abs(host.difference)} {'are missing' if host.difference > 0 else 'too many'}"
            )
    return said


Facts = Mapping[str, str | int | list[str] | None]


def outcome_facts(day: str, each: Outcomes) -> Facts:
    """What the statement of a day says of a tenant on a host; equal facts are one statement."""
    return {
        "day": day,
        "tenant": each.tenant,
        "conversations": each.conversations,
        "outcomes": [f"{outcome} {count}" for outcome, count in each.outcomes.items()],
        "under_way": each.under_way + len(each.overdue),
    }


def session_facts(day: str, each: Sessions) -> Facts:
    """What the statement of a day says of a host's sessions."""
    return {
        "day": day,
        "sessions": each.sessions,
        "legs": each.legs,
        "ungoverned": each.ungoverned,
        "away": each.away,
        "difference": each.difference,
        "since": None if each.since is None else _iso(each.since),
        "until": _iso(each.until),
    }


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
