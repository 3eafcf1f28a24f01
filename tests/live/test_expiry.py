"""What keep does as time passes, on real PostgreSQL: counts, alarms, and rows that name nobody any more."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from fsgov.catalog import migrate
from fsgov.catalog.expiring import Expiring
from fsgov.catalog.retaining import Retaining
from fsgov.errors import Damaged, Unreachable
from fsgov.expiry import Expiry
from fsgov.expiry.loop import EVERY, Terms
from fsgov.policy import Policy
from fsgov.retention import Verdict
from tests.live.test_retaining import DAY, a_policy, keep_of, stored
from tests.parts import holds
from tests.parts.catalog import START, World, call_file, enter
from tests.parts.schemas import faults


class Clock:
    """Microseconds since the epoch, and seconds for the loop."""

    def __init__(self) -> None:
        self.at = START
        self.seconds = 0.0

    def now(self) -> int:
        return self.at


def expiry(world: World, clock: Clock, overdue_after: int = 7) -> Expiry:
    expiring = Expiring(world.dsn, migrate.service_password(world.credentials, "keep"))
    terms = Terms(overdue_after=timedelta(days=overdue_after), numbers=timedelta(days=365))
    made = Expiry(keep_of(world), expiring, terms, "fs1", clock.now, lambda: clock.seconds)
    world.closing.append(made.close)
    return made


def test_all_recordings_are_counted_and_what_is_overdue_is_an_alarm(world: World) -> None:
    policy = a_policy()
    for call, age in (("aa", 0), ("bb", 200), ("cc", 300), ("dd", 300), ("ee", 300)):
        stored(world, policy, call, "training", ended=START - age * DAY)
    stored(world, policy, "ff", "marketing")
    person = world.person("bob", "privacy")
    approver = world.person("beth", "privacy")
    world.sql(
        "admin",
        f"""INSERT INTO fsgov.plans (id, tenant, kind, state, most, sha256, proposed_by, expires_at,
                approved_by, approved_at)
            VALUES ('g-1', '*', 'manual', 'approved', 10, 'x', '{person}', now() + interval '1 day',
                '{approver}', now())""",
        """INSERT INTO fsgov.plan_items (plan, segment, tenant, cause, size, state) VALUES
            ('g-1', 'dd-01', 'default', 'expired', 1, 'planned'),
            ('g-1', 'ee-01', 'default', 'expired', 1, 'gone')""",
    )
    holds.place(world, call="cc")
    clock = Clock()
    found = expiry(world, clock)
    found.turn()
    counted = found.found
    assert counted is not None
    assert {verdict.value: group.recordings for verdict, group in counted.verdicts.items()} == {
        "keep": 2,
        "hold": 1,
        "destroy": 3,
    }
    assert counted.all.recordings == 6
    assert counted.verdicts[Verdict.KEEP].size == 2 * 144_300
    assert (counted.overdue.recordings, counted.unjudged.recordings) == (2, 1)
    assert sorted(found.troubles) == ["overdue", "unjudged"]
    assert "2 recordings are past their time" in str(found.troubles["overdue"])
    world.sql("admin", "UPDATE fsgov.plans SET expires_at = now()")
    clock.seconds = EVERY - 1
    found.turn()
    assert found.found is counted, "an hour is not over"
    clock.seconds = EVERY
    found.turn()
    assert found.found is not None
    assert found.found.overdue.recordings == 3, "a plan that has expired destroys nothing"
    holds.release(world)
    world.sql("admin", "UPDATE fsgov.segments SET state = 'destroyed' WHERE segment > 'aa-01'")
    clock.seconds = 2 * EVERY
    found.turn()
    assert found.troubles == {}


def test_the_periods_of_each_policy_are_entered_and_an_unreadable_one_is_told(world: World) -> None:
    for version in ("1", "2"):
        policy = a_policy(version)
        world.sql("ship", "SELECT fsgov.enter_policy(%s, %s)", values=[version, policy.text])
    world.sql("ship", "SELECT fsgov.enter_policy('3', 'no policy')")
    found = expiry(world, Clock())
    found.enter_periods()
    found.enter_periods()
    assert world.sql("admin", "SELECT count(DISTINCT policy), count(*) FROM fsgov.periods") == [(2, 6)]
    assert len(found._unreadable) == 1


def test_a_zone_that_the_server_does_not_know_is_refused_once_and_holds_up_nothing(world: World) -> None:
    policy = a_policy()
    stored(world, policy, "aa", "training")
    broken = replace(policy, timezone="Mars/Phobos")
    with pytest.raises(Damaged, match="Mars"):
        keep_of(world).enter_periods(broken)

    class Refused(Retaining):
        def enter_periods(self, policy: Policy) -> None:
            super().enter_periods(broken)

    found = expiry(world, Clock())
    found._retaining = Refused.of_keep(world.dsn, migrate.service_password(world.credentials, "keep"))
    found.turn()
    assert found.found is not None
    assert found.found.all.recordings == 1
    assert world.sql("admin", "SELECT count(*) FROM fsgov.periods") == [(0,)]
    world.person("alice", "supervisor")
    assert world.desk("alice").request_access("aa-01", "training", "why")


# -- rows that name people -----------------------------------------------------------------------------------


def over(world: World, call: str, age: int, **changes: object) -> None:
    ended = START - age * DAY
    facts = {"outcome": "refused", "segments": [], **changes}
    enter(world.ship, call_file(call, opened=ended - 60, ended=ended, **facts))


def named(world: World) -> dict[str, bool]:
    rows = world.sql(
        "admin",
        """SELECT c.call, c.inputs IS NOT NULL OR p.number IS NOT NULL OR p.e164 IS NOT NULL
               OR p.facts IS NOT NULL OR n.evidence IS NOT NULL
               OR EXISTS (SELECT FROM fsgov.tags t WHERE t.call = c.call)
           FROM fsgov.calls c JOIN fsgov.parties p USING (call) JOIN fsgov.consents n USING (call)""",
    )
    return dict(rows)


def test_a_call_without_a_recording_names_nobody_after_its_time(world: World) -> None:
    policy = a_policy()
    over(world, "young", 364)
    over(world, "old", 366)
    over(world, "older", 4000)
    over(world, "running", 366, outcome=None)
    over(world, "lost", 366, segments=["lost-01"])
    stored(world, policy, "kept", "training", ended=START - 366 * DAY)
    stored(world, policy, "gone", "training", ended=START - 366 * DAY)
    over(world, "held", 366)
    person = world.person("bob", "privacy")
    world.sql(
        "admin",
        "UPDATE fsgov.segments SET state = 'destroyed' WHERE segment = 'gone-01'",
        f"""INSERT INTO fsgov.stops (id, tenant, kind, number, reason, placed_by, lifted_by, lifted_at) VALUES
            ('s-1', '*', 'number', '+49301', '', '{person}', '{person}', now() - interval '2 years'),
            ('s-2', '*', 'number', '+49302', '', '{person}', '{person}', now()),
            ('s-3', '*', 'number', '+49303', '', '{person}', NULL, NULL)""",
    )
    holds.place(world, call="held")
    found = expiry(world, Clock())
    found.forget()
    assert {call for call, is_named in named(world).items() if not is_named} == {"old", "older", "gone"}
    assert found.forgotten == 3
    left = world.sql("admin", "SELECT outcome, rule, decision IS NULL FROM fsgov.calls WHERE call = 'old'")
    assert left == [("refused", "german service line", False)]
    stops = world.sql("admin", "SELECT id FROM fsgov.stops WHERE number IS NOT NULL ORDER BY 1")
    assert [stop for (stop,) in stops] == ["s-2", "s-3"]
    ((text,),) = world.sql("admin", "SELECT line FROM fsgov.outbox WHERE origin LIKE 'fs1.keep.%'")
    line = bytes(text)
    assert not faults(line)
    assert json.loads(line)["data"] == {"calls": 3, "before": "2025-11-21T16:37:25Z"}
    found.forget()
    assert found.forgotten == 3


def test_many_calls_are_forgotten_in_pieces_and_held_ones_do_not_stop_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsgov.expiry.loop.BATCH", 3)
    for n in range(10):
        over(world, f"a{n}", 400)
    for n in range(4):
        holds.place(world, call=f"a{n}")
    found = expiry(world, Clock())
    found.forget()
    assert {call for call, is_named in named(world).items() if is_named} == {"a0", "a1", "a2", "a3"}


def test_a_call_without_parties_is_kept_as_well(world: World) -> None:
    for call in ("aa", "bb"):
        over(world, call, 400, parties=[], consents=[])
    kept = {"parties": [], "consents": [], "opened": START - 401 * DAY}
    stored(world, a_policy(), "cc", "training", ended=START - 400 * DAY, **kept)
    holds.place(world, call="bb")
    expiry(world, Clock()).forget()
    rows = world.sql("admin", "SELECT call FROM fsgov.calls WHERE inputs IS NOT NULL ORDER BY 1")
    assert [call for (call,) in rows] == ["bb", "cc"]


def test_without_postgresql_the_next_round_begins_anew(world: World) -> None:
    clock = Clock()
    found = expiry(world, clock)
    away = Expiry(
        type(keep_of(world)).of_keep("postgresql://x@127.0.0.1:1/x", "x"),
        Expiring("postgresql://x@127.0.0.1:1/x", "x"),
        Terms(overdue_after=timedelta(0), numbers=timedelta(days=1)), "fs1", clock.now, lambda: clock.seconds,
    )  # fmt: skip
    with pytest.raises(Unreachable):
        away.turn()
    with pytest.raises(Unreachable):
        away.turn()
    found.leading = True
    found.start()
    found.close()
