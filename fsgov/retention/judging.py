"""Keep, hold or destroy: the verdict on one recording. The same facts at the same instant, the same verdict.

    a hold in force            HOLD, whatever else is so
    destruction has begun      DESTROY: a hold came too late
    dispose                    DESTROY at once: who refused or withdrew is not outvoted by a period
    quarantine that is over    DESTROY: nobody decided to keep it
    erasure granted            DESTROY as soon as no minimum binds any more
    every purpose is over      DESTROY: the last one decides the media
    else                       KEEP; also where no period can be worked out, for then nothing allows more

Between minimum and maximum it may be destroyed on request and is kept otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from fsgov.events import Instant
from fsgov.policy import Policy
from fsgov.retention.disposition import Cause, Disposition, Reason, Verdict
from fsgov.retention.facts import Facts
from fsgov.retention.periods import Period, local_day, period

GONE = ("missing", "destroyed")
NONE: frozenset[str] = frozenset()


def judge(
    facts: Facts, policy: Policy | None, holds: Sequence[str], now: Instant, *, grace: Instant = 0
) -> Disposition:
    """What is to be done with this recording.

    policy: whose periods count (of a document only `timezone` and `purposes` are looked at); None: not known.
    holds: ids of those in force for it. grace: microseconds past its time before it is overdue.
    """
    if facts.state in GONE:
        return Disposition(Verdict.KEEP, (Reason(Cause.GONE),), NONE, None, None, False)
    if facts.state == "destroying":
        return Disposition(Verdict.DESTROY, (Reason(Cause.BEGUN),), NONE, None, None, False)
    periods, unknown = _periods(facts, policy)
    must = may = None
    reasons, over = list[Reason](), set[str]()
    for one in periods:
        if may is None or one.may > may:
            may = one.may
        if one.may > now:
            reasons.append(one.live)
        else:
            reasons.append(one.expired)
            over.add(one.purpose)
        if one.bound:
            if must is None or one.must > must:
                must = one.must
            if one.must > now:
                reasons.append(one.minimum)
    after, decisive = _end(facts, None if unknown else may, must, now, bool(unknown))
    due = after is not None and after <= now
    if holds:
        verdict, decisive = Verdict.HOLD, [*(Reason(Cause.HELD, hold) for hold in holds), *decisive]
    else:
        verdict = Verdict.DESTROY if due else Verdict.KEEP
    return Disposition(
        verdict,
        (*decisive, *reasons, *unknown),
        NONE if facts.dispose else frozenset(facts.purposes) - over,
        must,
        after,
        after is not None and after + grace <= now,
    )


class Judge:
    """`judge` for many recordings at one instant.

    Those of which nothing more is known than what they were captured for share the verdict of their day: a
    million recordings have few days.
    """

    def __init__(self, now: Instant, *, grace: Instant = 0) -> None:
        self._now, self._grace = now, grace
        self._known: dict[tuple[str, tuple[str, ...], date], Disposition] = {}

    def __call__(self, facts: Facts, policy: Policy | None, holds: Sequence[str]) -> Disposition:
        """As `judge` does. Two policies of one digest are one."""
        if policy is None or facts.ended is None or not _plain(facts) or holds:
            return judge(facts, policy, holds, self._now, grace=self._grace)
        key = policy.sha256, facts.purposes, local_day(facts.ended, policy.timezone)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = judge(facts, policy, holds, self._now, grace=self._grace)
        return found


def _plain(facts: Facts) -> bool:
    """Whether nothing but its purposes and the end of its call decides."""
    return facts.state == "stored" and not (facts.dispose or facts.anchors or facts.subject_erasure)


def _periods(facts: Facts, policy: Policy | None) -> tuple[list[Period], list[Reason]]:
    """The period of each purpose; and why there is none, for those without."""
    found, unknown = list[Period](), list[Reason]()
    if policy is None:
        return found, [Reason(Cause.NO_POLICY)]
    for name in facts.purposes:
        purpose = policy.purposes.get(name)
        if purpose is None:
            unknown.append(Reason(Cause.UNKNOWN_PURPOSE, name))
            continue
        one = period(purpose, facts, policy.timezone)
        if one is None:
            unknown.append(Reason(Cause.NO_END, name))
        else:
            found.append(one)
    if not facts.purposes:
        unknown.append(Reason(Cause.NO_PURPOSE))
    return found, unknown


def _end(
    facts: Facts, may: Instant | None, must: Instant | None, now: Instant, unsure: bool
) -> tuple[Instant | None, list[Reason]]:
    """When it has to go, by whatever says so first; and what says something beside its purposes.

    may: when the last purpose is over; None: nobody knows. unsure: there may be a minimum that nobody knows.
    """
    ends, decisive = list[Instant](), list[Reason]()
    if may is not None:
        ends.append(may)
    if facts.dispose:
        decisive.append(Reason(Cause.DISPOSE))
        ends.append(now if facts.ended is None else min(facts.ended, now))
    if facts.state == "quarantined" and facts.review_by is not None:
        over = facts.review_by <= now
        decisive.append(Reason(Cause.UNREVIEWED if over else Cause.IN_REVIEW, until=facts.review_by))
        ends.append(facts.review_by)
    if facts.subject_erasure:
        decisive.append(Reason(Cause.ERASURE))
        if not unsure or not facts.purposes:
            ends.append(now if must is None else max(must, now))
    return min(ends, default=None), decisive
