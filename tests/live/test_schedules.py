"""Schedules: approved once by two logins, run once at each due time, and never for more than they may."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.expiring import Expiring
from fsgov.catalog.retaining import Retaining
from fsgov.catalog.scheduling import Standing
from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from fsgov.expiry import Expiry
from fsgov.expiry.loop import Terms
from fsgov.policy.spans import Span
from fsgov.purge.scheduling import Scheduling
from tests.parts.catalog import World
from tests.parts.purging import Yard, file_vault, yard
from tests.parts.schedules import DUE, POLICY, backdate, proposed, scheduled, standing, wanted

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo", "UTC")


@pytest.fixture
def place(world: World, tmp_path: Path) -> Yard:
    made = yard(world, file_vault(tmp_path))
    world.sql("ship", "SELECT fsgov.enter_policy(%s, %s)", values=[POLICY.version, POLICY.text])
    return made


@contextmanager
def scheduling(place: Yard) -> Iterator[Scheduling]:
    password = migrate.service_password(place.world.credentials, "keep")
    retaining = Retaining.of_keep(place.world.dsn, password)
    with closing(
        Scheduling(Standing(place.world.dsn, password), retaining, "fs1", place.now, lambda: float("inf"))
    ) as made:
        yield made


def turn(place: Yard) -> Scheduling:
    with scheduling(place) as found:
        found.turn()
        return found


def runs(place: Yard) -> list[tuple[Any, ...]]:
    return place.world.sql(
        "admin", "SELECT came, found, plan FROM fsgov.schedule_runs ORDER BY due_at, ran_at"
    )


def due(place: Yard, count: int, **changes: Any) -> list[str]:
    """Recordings whose one purpose was over long ago."""
    return place.store(count, **{**DUE, **changes})


# -- two persons -------------------------------------------------------------------------------------------


def test_two_persons_are_two_logins(place: Yard) -> None:
    for name in ("tina", "carol"):
        place.world.person(
            name, "privacy" if name == "tina" else "auditor", tenants=["acme"] * (name == "tina") or ["*"]
        )
    row = proposed(place.world)
    assert (row.state, row.approved_by, row.next_at) == ("proposed", None, None)
    for who, refusal in (("bob", NotPermitted), ("carol", NotPermitted), ("tina", NotFound)):
        with standing(place.world, who) as schedules, pytest.raises(refusal):
            schedules.approve(row.id, row.sha256)
    assert turn(place).runs.total() == 0
    with standing(place.world, "alice") as schedules:
        with pytest.raises(Damaged, match="not the schedule"):
            schedules.approve(row.id, "00" * 32)
        schedules.approve(row.id, row.sha256)
        with pytest.raises(Conflict, match="does not wait"):
            schedules.approve(row.id, row.sha256)
        row = schedules.schedule(row.id)
    assert row.state == "approved"
    assert row.next_at is not None
    assert row.next_at > datetime.now(UTC)
    for who in ("alice", "carol", "tina"):
        with standing(place.world, who) as schedules, pytest.raises(NotPermitted):
            schedules.propose(wanted())
    (line,) = place.lines("schedule.proposed")
    assert line["data"]["at"] == "02:30"
    (line,) = place.lines("schedule.approved")
    assert line["data"] == {
        "sha256": row.sha256, "proposed_by": row.proposed_by, "actor": row.approved_by
    }  # fmt: skip


def test_what_is_no_schedule_is_refused(place: Yard) -> None:
    wrong: list[dict[str, Any]] = [
        {"valid": Span(years=1, days=1)}, {"valid": Span()}, {"timezone": "UTC+3"}, {"every": "month"},
        {"causes": ["named"]}, {"causes": []}, {"grace_days": -1}, {"most": 0},
    ]  # fmt: skip
    with standing(place.world, "bob") as schedules:
        for each in wrong:
            with pytest.raises(Damaged):
                schedules.propose(wanted(**each))
        assert schedules.schedules(over=True) == []
        assert schedules.schedule(schedules.propose(wanted(valid=Span(days=365)))).state == "proposed"


def test_one_that_was_changed_is_neither_approved_nor_run(place: Yard) -> None:
    due(place, 3)
    row = proposed(place.world)
    place.world.sql("admin", "UPDATE fsgov.schedules SET most = 1000")
    with standing(place.world, "alice") as schedules, pytest.raises(Damaged, match="not the schedule"):
        schedules.approve(row.id, row.sha256)
    place.world.sql("admin", f"UPDATE fsgov.schedules SET most = {row.most}")
    with standing(place.world, "alice") as schedules:
        schedules.approve(row.id, row.sha256)
    backdate(place.world)
    place.world.sql("admin", "UPDATE fsgov.schedules SET most = 1000")
    found = turn(place)
    assert "not the schedule that was approved" in str(found.troubles["schedule.stuck"]).lower()
    assert (found.runs["failed"], runs(place)) == (1, [])
    assert found.late > 0


# -- a run -------------------------------------------------------------------------------------------------


def test_what_is_due_is_planned_once_and_destroyed_by_the_same_path(place: Yard) -> None:
    kept = place.store(1, policy=POLICY.sha256, purposes=["long"])
    gone, held = due(place, 4), due(place, 1)
    place.hold(held[0])
    schedule = scheduled(place.world)
    found = turn(place)
    assert (found.runs["planned"], dict(found.troubles), found.late) == (1, {}, 0.0)
    ((came, count, plan),) = runs(place)
    assert (came, count) == ("planned", 4)
    place.hold(gone[0])
    assert turn(place).runs.total() == 0, "one run for one due time"
    assert place.apply() == 3
    place.whole()
    assert place.plan_state(plan) == "done"
    assert {place.states()[segment] for segment in (*kept, *held, gone[0])} == {"stored"}
    body = place.bodies()[gone[1]]
    with standing(place.world, "alice") as schedules:
        row = schedules.schedule(schedule)
    assert (body["plan"], body["cause"]) == (plan, "expired")
    assert (body["proposed_by"], body["approved_by"]) == (row.proposed_by, row.approved_by)
    assert (row.came, row.found, row.plan) == ("planned", 4, plan)
    (line,) = place.lines("purge.scheduled")
    assert (line["subject"], line["data"]["plan"], line["data"]["found"]) == (schedule, plan, 4)
    (digest,) = place.world.sql("admin", "SELECT sha256, schedule FROM fsgov.plans")
    assert digest == (line["data"]["sha256"], schedule)


def test_a_run_that_finds_too_much_destroys_nothing_and_says_so(place: Yard) -> None:
    due(place, 6)
    scheduled(place.world, most=5)
    found = turn(place)
    assert runs(place) == [("refused", 6, None)]
    assert "6 recordings, at most 5" in str(found.troubles["schedule.refused"])
    assert place.world.sql("admin", "SELECT * FROM fsgov.plans") == []
    assert place.world.sql("admin", "SELECT * FROM fsgov.plan_items") == []
    (line,) = place.lines("purge.scheduled")
    assert (line["data"]["came"], line["data"]["found"], line["data"]["most"]) == ("refused", 6, 5)
    assert place.apply() == 0
    assert "schedule.refused" in turn(place).troubles, "also of another keep, until a run is not"
    place.world.sql("admin", "UPDATE fsgov.schedule_runs SET due_at = due_at - interval '1 day'")
    place.hold(place.segments[0])
    assert dict(turn(place).troubles) == {}
    assert [came for came, _, _ in runs(place)] == ["refused", "planned"]


def test_the_database_compares_the_size_whatever_keep_says(place: Yard) -> None:
    """A keep that says that few are due, and adds more than the schedule may take."""
    segments = due(place, 3)
    scheduled(place.world, most=2)
    password = migrate.service_password(place.world.credentials, "keep")
    with closing(Standing(place.world.dsn, password)) as catalog:
        (row,) = catalog.open()
        assert row.due_at is not None
        with catalog.running(row.schedule, row.due_at) as run:
            assert run.add(segments, ["expired"] * 3) == 3
            assert run.made(row.due_at, 0, {}) == ("refused", None)
    assert runs(place) == [("refused", 3, None)]


def test_only_what_it_was_approved_for(place: Yard) -> None:
    due(place, 2)
    refused = due(place, 1, dispose=True, dispose_reason="refused")
    schedule = scheduled(place.world, causes=["dispose"])
    turn(place)
    ((_, count, plan),) = runs(place)
    assert (count, list(place.items(plan))) == (1, refused)
    place.world.sql("admin", "DELETE FROM fsgov.schedule_runs", "UPDATE fsgov.plans SET state = 'done'")
    password = migrate.service_password(place.world.credentials, "keep")
    with closing(Standing(place.world.dsn, password)) as catalog:
        (row,) = catalog.open()
        assert (row.schedule, row.due_at is not None) == (schedule, True)
        with (
            pytest.raises(Damaged, match="not approved for this"),
            catalog.running(schedule, row.due_at) as run,
        ):  # type: ignore[arg-type]
            run.add(place.segments[:1], ["expired"])
            run.made(row.due_at, 1, {})  # type: ignore[arg-type]


def test_what_is_not_past_its_time_for_long_enough_waits(place: Yard) -> None:
    due(place, 2)
    scheduled(place.world, grace_days=3650)
    turn(place)
    assert runs(place) == [("nothing", 0, None)]


def test_another_tenant_is_left_alone(place: Yard) -> None:
    due(place, 2)
    place.world.person("tina", "privacy", tenants=["acme"])
    with standing(place.world, "tina") as schedules:
        row = schedules.schedule(schedules.propose(wanted(tenant="acme")))
        with pytest.raises(NotPermitted):
            schedules.propose(wanted(tenant="*"))
    with standing(place.world, "alice") as schedules:
        schedules.approve(row.id, row.sha256)
    backdate(place.world)
    turn(place)
    assert runs(place) == [("nothing", 0, None)]


def test_it_waits_for_nobody_but_another_plan_of_retention(place: Yard) -> None:
    segments = due(place, 3)
    place.plan(segments[:1])
    mine = place.plan(segments[1:2], kind="retention", cause="expired")
    scheduled(place.world)
    turn(place)
    assert runs(place) == [("busy", 0, None)]
    place.world.sql("beth", "SELECT fsgov.stop_plan(%s, '')", values=[mine])
    place.world.sql("admin", "UPDATE fsgov.schedule_runs SET due_at = due_at - interval '1 day'")
    turn(place)
    assert [came for came, _, _ in runs(place)] == ["busy", "planned"]
    plan = runs(place)[1][2]
    assert list(place.items(plan)) == segments[1:], "what is in an approved plan is not taken again"


def test_what_a_run_has_planned_is_not_overdue(place: Yard) -> None:
    due(place, 3)
    password = migrate.service_password(place.world.credentials, "keep")
    terms = Terms(overdue_after=timedelta(0), numbers=timedelta(days=365))
    with closing(
        Expiry(
            Retaining.of_keep(place.world.dsn, password),
            Expiring(place.world.dsn, password),
            terms,
            "fs1",
            place.now,
        )
    ) as expiry:
        expiry.count()
        assert "overdue" in expiry.troubles
        scheduled(place.world)
        turn(place)
        expiry.count()
        assert "overdue" not in expiry.troubles


# -- its end -----------------------------------------------------------------------------------------------


def test_what_is_ended_runs_no_more_and_its_plan_begins_nothing_more(place: Yard) -> None:
    due(place, 4)
    schedule = scheduled(place.world)
    turn(place)
    with place.purge() as purge:
        purge.turn()
        with standing(place.world, "beth") as schedules:
            assert schedules.end(schedule, "too much") == [runs(place)[0][2]]
            with pytest.raises(Conflict, match="ended"):
                schedules.end(schedule, "again")
        while purge.turn():
            pass
    place.whole()
    assert list(place.states().values()).count("destroyed") == 2
    (line,) = place.lines("plan.stopped")
    assert line["data"]["schedule"] == schedule
    assert place.lines("schedule.ended")[0]["data"]["stopped"] == [line["subject"]]
    place.world.sql("admin", "UPDATE fsgov.schedule_runs SET due_at = due_at - interval '2 days'")
    assert turn(place).runs.total() == 0


def test_whoever_ends_it_while_it_runs_has_ended_it(place: Yard) -> None:
    segments = due(place, 2)
    schedule = scheduled(place.world)
    password = migrate.service_password(place.world.credentials, "keep")
    with closing(Standing(place.world.dsn, password)) as catalog:
        (row,) = catalog.open()
        assert row.due_at is not None
        with pytest.raises(Conflict, match="not in force"), catalog.running(schedule, row.due_at) as run:
            run.add(segments, ["expired"] * 2)
            with standing(place.world, "alice") as schedules:
                schedules.end(schedule, "")
            run.made(row.due_at, 2, {})
    assert place.world.sql("admin", "SELECT * FROM fsgov.plans") == []


def test_one_that_expires_reminds_of_it_and_then_runs_no_more(place: Yard) -> None:
    due(place, 2)
    first = scheduled(place.world, run=False)
    assert dict(turn(place).troubles) == {}
    place.world.sql(
        "admin",
        "UPDATE fsgov.schedules SET expires_at = now() + interval '29 days'",
        "UPDATE fsgov.schedules SET sha256 = fsgov.schedule_digest(id)",
    )
    assert "ends" in str(turn(place).troubles["schedule.ending"])
    second = scheduled(place.world, run=False)
    assert dict(turn(place).troubles) == {}, "another one goes on"
    with standing(place.world, "alice") as schedules:
        schedules.end(second, "")
    place.world.sql(
        "admin",
        "UPDATE fsgov.schedules SET expires_at = now() - interval '1 second'",
        "UPDATE fsgov.schedules SET sha256 = fsgov.schedule_digest(id)",
    )
    backdate(place.world)
    found = turn(place)
    assert (found.runs.total(), set(found.troubles)) == (0, {"schedule.ending"})
    password = migrate.service_password(place.world.credentials, "keep")
    due_at = datetime.now(UTC) - timedelta(hours=1)
    with (
        closing(Standing(place.world.dsn, password)) as catalog,
        pytest.raises(Conflict, match="not in force"),
        catalog.running(first, due_at),
    ):
        pass
    with standing(place.world, "alice") as schedules:
        assert schedules.schedule(first).state == "expired"
        schedules.end(first, "none follows")
    assert dict(turn(place).troubles) == {}


# -- when --------------------------------------------------------------------------------------------------


def clock_times(every: str, at: time, zone: str, first: date, days: int) -> list[datetime]:
    """The oracle: one instant for each day of the calendar, as zoneinfo has it."""
    found = []
    for n in range(days):
        day = first + timedelta(days=n)
        if every in ("day", DAYS[day.weekday()]):
            local = datetime.combine(day, at, ZoneInfo(zone))
            there = local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local.replace(
                tzinfo=None
            )
            found.append(local.replace(fold=1 if there else 0).astimezone(UTC))
    return found


def test_each_day_has_one_due_time_whatever_its_clocks_do(finished: World) -> None:
    begin, end = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2027, 1, 1, 12, tzinfo=UTC)
    for zone in ZONES:
        for every, at in (
            ("day", time(2, 30)),
            ("day", time(0, 0)),
            ("sun", time(1, 59)),
            ("fri", time(23, 59)),
        ):
            rows = finished.sql(
                "admin",
                "SELECT d FROM fsgov.due_times(%s, %s, %s, %s, %s) AS d",
                values=[every, at, zone, begin, end],
            )
            expected = [
                each for each in clock_times(every, at, zone, date(2025, 12, 31), 370) if begin < each <= end
            ]
            assert [row for (row,) in rows] == expected, (zone, every, at)


def test_what_was_missed_runs_once(place: Yard) -> None:
    due(place, 1)
    scheduled(place.world, run=False)
    backdate(place.world, days=40)
    assert turn(place).runs.total() == 1
    assert turn(place).runs.total() == 0
    ((late,),) = place.world.sql("admin", "SELECT now() - due_at FROM fsgov.schedule_runs")
    assert late < timedelta(hours=25)


def test_nothing_runs_for_a_time_before_it_was_approved_or_that_is_none(place: Yard) -> None:
    schedule = scheduled(place.world, run=False)
    password = migrate.service_password(place.world.credentials, "keep")
    with closing(Standing(place.world.dsn, password)) as catalog:
        (row,) = catalog.open()
        assert row.due_at is None
    backdate(place.world)
    with closing(Standing(place.world.dsn, password)) as catalog:
        (row,) = catalog.open()
        assert row.due_at is not None
        for wrong in (timedelta(days=1), timedelta(days=-3), timedelta(minutes=-1)):
            with pytest.raises(Conflict, match="not due"), catalog.running(schedule, row.due_at + wrong):
                pass


# -- two keeps, and kills ----------------------------------------------------------------------------------


def test_of_two_keeps_one_runs_it(place: Yard) -> None:
    due(place, 3)
    schedule = scheduled(place.world)
    password = migrate.service_password(place.world.credentials, "keep")
    with (
        closing(Standing(place.world.dsn, password)) as one,
        closing(Standing(place.world.dsn, password)) as other,
    ):
        (row,) = one.open()
        assert row.due_at is not None
        with one.running(schedule, row.due_at) as run:
            with other.running(schedule, row.due_at) as second:
                assert second.came == "elsewhere"
            run.add(place.segments, ["expired"] * 3)
            run.made(row.due_at, 3, {})
        with pytest.raises(Conflict, match="not due"), other.running(schedule, row.due_at):
            pass
    threads = [threading.Thread(target=turn, args=(place,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [came for came, _, _ in runs(place)] == ["planned"]


STEPS = ("purge.run.begun", "purge.run.drafted", "purge.run.made")
KEEP = """
import sys
from pathlib import Path
from fsgov.catalog.retaining import Retaining
from fsgov.catalog.scheduling import Standing
from fsgov.purge.part import now
from fsgov.purge.scheduling import Scheduling
dsn, file = sys.argv[1:]
password = Path(file).read_text().strip()
Scheduling(Standing(dsn, password), Retaining.of_keep(dsn, password), "fs1", now).turn()
"""


@pytest.mark.slow
def test_a_kill_at_every_step_leaves_one_run_or_none(place: Yard) -> None:
    due(place, 3)
    scheduled(place.world)
    for step in STEPS:
        done = subprocess.run(
            [sys.executable, "-c", KEEP, place.world.dsn, str(place.world.credentials / "keep")],
            env={**os.environ, "FSGOV_FAILPOINT": step},
            capture_output=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        made = step == "purge.run.made"
        assert [came for came, _, _ in runs(place)] == ["planned"] * made, step
        assert len(place.lines("purge.scheduled")) == made
        assert len(place.world.sql("admin", "SELECT * FROM fsgov.plans")) == made
    assert turn(place).runs.total() == 0
    assert place.apply() == 3
    place.whole()


def test_nothing_is_written_by_hand(place: Yard) -> None:
    for statement in (
        "UPDATE fsgov.schedules SET most = 1000",
        "DELETE FROM fsgov.schedule_runs",
        "SELECT fsgov.begin_run('sc-x', now())",
        "SELECT fsgov.end_run('pl-x', now(), 0, '{}')",
        "SELECT fsgov.schedule_digest('sc-x')",
    ):
        for who in ("bob", "alice"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                place.world.sql(who, statement)


def test_keep_adds_to_no_plan_of_a_person(place: Yard) -> None:
    segments = due(place, 1)
    ((plan,),) = place.world.sql("bob", "SELECT fsgov.draft_plan('retention', '*', '', 5, '1 day')")
    with pytest.raises(psycopg2.Error, match="none that this login drafts"):
        place.world.sql("keep", "SELECT fsgov.add_to_plan(%s, %s, '{x}')", values=[plan, segments])


def test_rows_are_of_the_tenants_of_the_login(place: Yard) -> None:
    place.world.person("tina", "privacy", tenants=["acme"])
    scheduled(place.world, run=False, tenant="default")
    with standing(place.world, "tina") as schedules:
        assert schedules.schedules(over=True) == []
