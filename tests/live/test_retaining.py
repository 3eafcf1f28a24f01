"""Retention in the database: what is judged there is what the pure core judges; anchors, moves, who may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.periods import read
from fsgov.catalog.retaining import Retaining
from fsgov.cli.fates import in_words, told_of
from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from fsgov.policy import Policy, parse
from fsgov.retention import Disposition, Facts, Verdict, judge
from tests.parts import holds
from tests.parts.catalog import START, World, call_file, enter, sidecar
from tests.parts.purging import file_vault, yard
from tests.parts.schemas import faults

DAY = 86_400_000_000
TEXT = """
version = "{version}"
timezone = "{zone}"
default = "never"
[purpose.training]
basis = "consent"
retain_max = "{training}"
[purpose.evidence]
basis = "contract"
retain_min = "5 years"
retain_max = "5 years"
anchor = "contract_end"
anchor_fallback = "call_end + 1 year"
[purpose.orders]
basis = "legal_obligation"
retain_min = "1 year 1 month"
retain_max = "7 years 3 days"
anchor = "case_closed + 1 month"
anchor_fallback = "call_end + 2 weeks"
"""


def a_policy(version: str = "1", zone: str = "Europe/Berlin", training: str = "6 months") -> Policy:
    return parse(TEXT.format(version=version, zone=zone, training=training))


def keep_of(world: World) -> Retaining:
    retaining = Retaining.of_keep(world.dsn, migrate.service_password(world.credentials, "keep"))
    world.closing.append(retaining.close)
    return retaining


@contextmanager
def of(world: World, name: str) -> Iterator[Retaining]:
    with closing(Retaining(world.as_person(name))) as retaining:
        yield retaining


def stored(
    world: World, policy: Policy, call: str, *purposes: str, ended: int = START, **changes: object
) -> str:
    """One call with one segment that was captured under this policy."""
    world.sql("ship", "SELECT fsgov.enter_policy(%s, %s)", values=[policy.version, policy.text])
    whole = call_file(call, ended=ended, outcome="recorded", **changes)
    enter(world.ship, whole, sidecar(f"{call}-01", policy=policy.sha256, purposes=list(purposes)))
    return f"{call}-01"


def judged(world: World, now: int, name: str = "") -> dict[str, Disposition]:
    with of(world, name) if name else closing(keep_of(world)) as retaining, retaining.judged(now) as rows:
        return {facts.segment: disposition for facts, disposition in rows}


def live(world: World, segment: str) -> set[str]:
    ((found,),) = world.sql("admin", "SELECT fsgov.live_purposes(%s)", values=[segment])
    return set(found)


def lines(world: World, kind: str) -> list[dict[str, object]]:
    rows = world.sql("admin", "SELECT line FROM fsgov.outbox ORDER BY entered_at, n")
    found = [bytes(row[0]) for row in rows]
    assert [fault for line in found for fault in faults(line)] == []
    return [each for line in found if f"fsgov.{kind}" in (each := json.loads(line))["type"]]


# -- the same in the database and in the core ----------------------------------------------------------------


def test_the_database_ends_each_purpose_when_the_core_does(world: World) -> None:
    """Many starts over twenty years, in zones with every oddity; one query, compared with `judge`."""
    random = Random(6)
    policies = [
        a_policy(str(n), zone, span)
        for n, (zone, span) in enumerate(
            (
                ("Europe/Berlin", "6 months"),
                ("America/Havana", "1 month"),
                ("Pacific/Apia", "1 year 1 month 10 days"),
                ("Asia/Kolkata", "400 days"),
                ("America/New_York", "13 months"),
            )
        )
    ]
    keep = keep_of(world)
    for policy in policies:
        world.sql("ship", "SELECT fsgov.enter_policy(%s, %s)", values=[policy.version, policy.text])
        keep.enter_periods(policy)
    expected, rows = {}, []
    for n in range(400):
        policy = policies[n % len(policies)]
        ended = START - random.randrange(20 * 365 * 48) * DAY // 48
        dates = {
            event: ended + random.randrange(-400, 4000) * DAY
            for event in ("contract_end", "case_closed") if random.random() < 0.5
        }  # fmt: skip
        expected[f"{n:04}-01"] = (policy, ended, dates)
        rows.append({"call": f"{n:04}", "policy": policy.sha256, "ended": ended, "dates": dates})
    world.sql(
        "admin",
        "INSERT INTO fsgov.people (id, login) VALUES ('p-tester', 'tester')",
        f"""CREATE TEMPORARY TABLE made AS SELECT * FROM jsonb_to_recordset('{json.dumps(rows)}')
            AS x(call text, policy text, ended bigint, dates jsonb)""",
        """INSERT INTO fsgov.calls (call, tenant, host, direction, opened_at, ended_at, revision)
           SELECT call, 'default', 'fs1', 'inbound', fsgov.instant(ended::text), fsgov.instant(ended::text), 1
           FROM made""",
        """INSERT INTO fsgov.segments (segment, call, tenant, leg, n, state, policy_sha256, purposes, vault,
               object_key, sealed_sha256)
           SELECT call || '-01', call, 'default', 'a', 1, 'stored', policy,
               '{training,orders,evidence}', 'eu', 'k', 'x' FROM made""",
        """INSERT INTO fsgov.anchors (call, event, tenant, at, set_by)
           SELECT call, d.key, 'default', fsgov.instant(d.value), 'p-tester'
           FROM made, jsonb_each_text(dates) d""",
    )
    ends = world.sql(
        "admin",
        """SELECT s.segment, e.purpose, (extract(epoch FROM e.must_until) * 1000000)::bigint,
           (extract(epoch FROM e.may_until) * 1000000)::bigint
           FROM fsgov.segments s, fsgov.purpose_ends(s.segment) e""",
    )
    assert len(ends) == 1200
    told: dict[str, dict[str, tuple[int | None, int]]] = {}
    for segment, purpose, must, may in ends:
        told.setdefault(segment, {})[purpose] = (must, may)
    with keep.facts() as (known, found):
        for facts, _ in found:
            policy, ended, dates = expected[facts.segment]
            assert (facts.ended, facts.anchors) == (ended, dates)
            counting = known.counting_for(facts.policy_sha256)
            assert counting is not None
            for purpose, (must, may) in told[facts.segment].items():
                for source in (policy, counting):
                    alone = judge(one(facts, purpose), source, (), 0)
                    assert (alone.keep_until, alone.destroy_after) == (must, may), (facts, purpose)


def one(facts: Facts, purpose: str) -> Facts:
    return replace(facts, purposes=(purpose,))


# -- what is judged ------------------------------------------------------------------------------------------


def test_a_recording_is_judged_by_the_policy_it_was_captured_under(world: World) -> None:
    segment = stored(world, a_policy(), "aa", "training")
    found = judged(world, START)[segment]
    assert (found.verdict, found.live) == (Verdict.KEEP, {"training"})
    after = datetime.fromtimestamp((found.destroy_after or 0) / 1e6, UTC)
    assert after == datetime(2027, 5, 21, 22, tzinfo=UTC)
    assert judged(world, found.destroy_after or 0)[segment].verdict is Verdict.DESTROY


def test_periods_are_read_from_the_text_until_keep_has_entered_them(world: World) -> None:
    policy = a_policy()
    segment = stored(world, policy, "aa", "training", "orders", "evidence")
    keep = keep_of(world)
    before = judged(world, START)[segment]
    assert [sha256 for sha256, _ in keep.unread()] == [policy.sha256]
    for sha256, text in keep.unread():
        read_again = read(sha256, text)
        assert read_again is not None
        keep.enter_periods(read_again)
        keep.enter_periods(read_again)
    assert keep.unread() == []
    assert judged(world, START)[segment] == before
    assert world.sql("admin", "SELECT count(*) FROM fsgov.periods") == [(3,)]


def test_what_no_version_can_read_is_kept_and_told(world: World) -> None:
    world.sql("ship", "SELECT fsgov.enter_policy('v', 'no policy')")
    ((digest,),) = world.sql("admin", "SELECT sha256 FROM fsgov.policies")
    enter(world.ship, call_file("aa", ended=START, outcome="recorded"), sidecar("aa-01", policy=digest))
    enter(world.ship, call_file("bb", ended=START, outcome="recorded"), sidecar("bb-01", policy="cd" * 32))
    found = judged(world, START + 40_000 * DAY)
    assert {(name, one.verdict, one.unjudged) for name, one in found.items()} == {
        ("aa-01", Verdict.KEEP, True),
        ("bb-01", Verdict.KEEP, True),
    }


def test_only_what_has_audio_is_judged_and_holds_are_seen(world: World) -> None:
    policy = a_policy()
    segments = [stored(world, policy, call, "training") for call in ("aa", "bb", "cc", "dd")]
    missing = {
        k: v for k, v in sidecar("ee-01", policy=policy.sha256).items() if k not in ("stored", "sealed")
    }
    enter(world.ship, call_file("ee"), missing)
    world.person("bob", "privacy")
    holds.place(world, segment="cc-01")
    holds.release(world)
    placed = sorted([holds.place(world, call="bb"), holds.place(world, segment="bb-01")])
    world.sql("admin", "UPDATE fsgov.segments SET dispose = true WHERE segment = 'dd-01'")
    found = judged(world, START + DAY)
    assert sorted(found) == segments
    assert [found[name].verdict.value for name in segments] == ["keep", "hold", "keep", "destroy"]
    assert [reason.of for reason in found["bb-01"].reasons] == [*placed, "training"]
    assert live(world, "dd-01") == set()
    world.person("alice", "auditor")
    for catalog in (keep_of(world), Retaining(world.as_person("alice"))):
        with closing(catalog), catalog.judged(START + DAY, segments=["bb-01", "dd-01", "zz-01"]) as rows:
            assert {facts.segment: one.reasons for facts, one in rows} == {
                name: found[name].reasons for name in ("bb-01", "dd-01")
            }


def test_a_person_judges_what_row_security_lets_them_see(world: World) -> None:
    policy = a_policy()
    stored(world, policy, "aa", "training")
    stored(world, policy, "bb", "training", tenant="acme")
    world.sql("admin", "UPDATE fsgov.segments SET tenant = 'acme' WHERE segment = 'bb-01'")
    world.person("tina", "supervisor", tenants=["acme"])
    world.person("alice", "auditor")
    world.person("carol", "agent", "integrator")
    assert set(judged(world, START, "tina")) == {"bb-01"}
    assert set(judged(world, START, "alice")) == {"aa-01", "bb-01"}
    with pytest.raises(NotPermitted):
        judged(world, START, "carol")


def test_a_purpose_that_was_taken_back_keeps_nothing_beside_another(world: World) -> None:
    policy = a_policy()
    world.sql("ship", "SELECT fsgov.enter_policy(%s, %s)", values=[policy.version, policy.text])
    no = {"party": 1, "purpose": "training", "state": "withdrawn", "method": "key", "at": START}
    both = ["orders", "training"]
    for call, purposes in (("aa", both), ("bb", ["training"]), ("cc", both)):
        consents = [] if call == "cc" else [{"id": f"c-{call}-1", **no}]
        basis = {"training": "consent", "orders": "legal_obligation"}
        enter(
            world.ship,
            call_file(call, ended=START, outcome="recorded", consents=consents),
            sidecar(f"{call}-01", policy=policy.sha256, purposes=purposes, basis=basis),
        )
    for who in ("", "alice"):
        if who:
            world.person(who, "auditor")
        found = judged(world, START, who)
        assert found["aa-01"].live == {"orders"}
        assert found["bb-01"].live == {"training"}
        assert found["cc-01"].live == {"orders", "training"}


# -- access narrows ------------------------------------------------------------------------------------------


def test_a_purpose_that_is_over_opens_nothing_any_more(world: World) -> None:
    policy = a_policy()
    long_ago = int(datetime.now(UTC).timestamp() - 300 * 86_400) * 1_000_000
    segment = stored(world, policy, "aa", "training", "orders", ended=long_ago)
    world.person("alice", "supervisor")
    desk = world.desk("alice")
    assert desk.request_access(segment, "training", "before keep has read the policy")
    keep_of(world).enter_periods(policy)
    assert live(world, segment) == {"orders"}
    with pytest.raises(NotPermitted, match="time of this purpose is over") as refused:
        desk.request_access(segment, "training", "why")
    assert refused.value.hint == "still open for: orders, review, audit, complaint, subject_request"
    assert desk.request_access(segment, "orders", "why")
    query = """SELECT id FROM fsgov.open_case('[{"kind": "call", "value": "aa"}]', 'ticket', '', '', '*')"""
    assert desk.request_access(segment, "complaint", "why", complaint=world.sql("alice", query)[0][0])
    world.sql("admin", "UPDATE fsgov.segments SET dispose = true")
    with pytest.raises(NotPermitted, match="time of this purpose is over"):
        desk.request_access(segment, "orders", "why")


# -- anchors -------------------------------------------------------------------------------------------------


def test_an_anchor_moves_the_period_and_is_in_the_log(world: World) -> None:
    segment = stored(world, a_policy(), "aa", "evidence")
    person = world.person("iris", "integrator")
    by_fallback = judged(world, START)[segment].destroy_after
    first, second = (datetime(year, 6, 30, 12, tzinfo=UTC) for year in (2030, 2031))
    with of(world, "iris") as iris:
        assert iris.set_anchor("aa", "contract_end", first) is None
        assert judged(world, START)[segment].destroy_after == 2_066_853_600_000_000  # 2035-07-01 in Berlin
        assert iris.set_anchor("aa", "contract_end", first) == first
        assert iris.set_anchor("aa", "contract_end", second) == first
        assert iris.set_anchor("aa", "contract_end", None) == second
        assert judged(world, START)[segment].destroy_after == by_fallback
    earlier, later = "2030-06-30T12:00:00Z", "2031-06-30T12:00:00Z"
    assert [(each["subject"], each["data"]) for each in lines(world, "anchor.set")] == [
        ("aa", {"event": "contract_end", "at": at, "prior": prior, "actor": person})
        for at, prior in ((earlier, None), (later, earlier), (None, later))
    ]


def test_an_anchor_reaches_the_calls_that_went_on_in_this_one(world: World) -> None:
    policy = a_policy()
    root, middle, leaf = (stored(world, policy, call, "evidence") for call in ("aa", "bb", "cc"))
    world.sql(
        "admin",
        "UPDATE fsgov.calls SET merged_into = 'aa' WHERE call = 'bb'",
        "UPDATE fsgov.calls SET merged_into = 'bb' WHERE call = 'cc'",
    )
    keep_of(world).enter_periods(policy)
    world.person("bob", "privacy")
    with of(world, "bob") as bob:
        bob.set_anchor("aa", "contract_end", datetime(2040, 1, 1, tzinfo=UTC))
        bob.set_anchor("cc", "contract_end", datetime(2030, 1, 1, tzinfo=UTC))
    ends = {name: one.destroy_after for name, one in judged(world, START).items()}
    assert ends[root] == ends[middle] == ends[leaf] == 2_366_924_400_000_000
    for segment in (root, middle, leaf):
        assert world.sql("admin", "SELECT (extract(epoch FROM may_until) * 1000000)::bigint"
                         " FROM fsgov.purpose_ends(%s)", values=[segment]) == [(ends[segment],)]  # fmt: skip


@pytest.mark.parametrize(
    ("who", "call", "event", "at", "refusal"),
    [
        ("carol", "aa", "contract_end", "2030-01-01", NotPermitted),
        ("tina", "aa", "contract_end", "2030-01-01", NotFound),
        ("bob", "zz", "contract_end", "2030-01-01", NotFound),
        ("bob", "aa", "call_end", "2030-01-01", Damaged),
        ("bob", "aa", "contract_end", "2206-01-01", Damaged),
        ("bob", "aa", "contract_end", "0206-01-01", Damaged),
    ],
)
def test_an_anchor_that_is_refused(
    world: World, who: str, call: str, event: str, at: str, refusal: type[Exception]
) -> None:
    stored(world, a_policy(), "aa", "evidence")
    world.person("carol", "agent", "auditor", "ops")
    world.person("tina", "supervisor", tenants=["acme"])
    world.person("bob", "privacy")
    with of(world, who) as person, pytest.raises(refusal):
        person.set_anchor(call, event, datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert world.sql("admin", "SELECT count(*) FROM fsgov.anchors") == [(0,)]
    assert lines(world, "anchor.set") == []


# -- another policy's periods --------------------------------------------------------------------------------


def test_other_periods_count_when_a_second_login_has_said_so(world: World) -> None:
    old, new = a_policy(), a_policy("2", training="1 month")
    segment = stored(world, old, "aa", "training")
    fresh = stored(world, new, "bb", "training")
    bob, alice = world.person("bob", "privacy"), world.person("alice", "supervisor")
    keep = keep_of(world)
    keep.enter_periods(old)
    keep.enter_periods(new)
    at = START + 60 * DAY
    with of(world, "bob") as proposing, of(world, "alice") as approving:
        n = proposing.propose([old.sha256], new.sha256, "shorter since the audit")
        assert judged(world, at)[segment].verdict is Verdict.KEEP
        with pytest.raises(NotPermitted, match="Nobody approves what they have proposed"):
            proposing.approve(n)
        with pytest.raises(NotPermitted):
            approving.propose([old.sha256], new.sha256, "a supervisor proposes nothing")
        approving.approve(n)
        assert judged(world, at)[segment].verdict is Verdict.DESTROY
        ((end,),) = world.sql("admin", f"SELECT may_until FROM fsgov.purpose_ends('{segment}')")
        assert end == judged_end(world, segment)
        with pytest.raises(Conflict):
            approving.approve(n)
        (row,) = approving.history()
        assert (row.state, row.from_sha256, row.to_sha256) == ("applied", [old.sha256], new.sha256)
        back = proposing.propose([old.sha256], old.sha256, "as captured")
        later = proposing.propose([old.sha256], old.sha256, "as captured, once more")
        with pytest.raises(Conflict):
            approving.approve(back)
        approving.approve(later)
        assert [row.state for row in approving.history()] == ["applied", "superseded", "applied"]
    assert judged(world, at)[segment].verdict is Verdict.KEEP
    assert judged(world, at)[fresh].verdict is Verdict.DESTROY
    proposed, applied = lines(world, "retention.proposed"), lines(world, "retention.applied")
    assert proposed[0]["data"] == {"move": n, "from": [old.sha256], "actor": bob}
    assert applied[0]["data"] == {"move": n, "from": [old.sha256], "proposed_by": bob, "actor": alice}
    assert "audit" not in json.dumps([*proposed, *applied])


def judged_end(world: World, segment: str) -> datetime:
    return datetime.fromtimestamp((judged(world, START)[segment].destroy_after or 0) / 1e6, UTC)


def test_a_move_is_of_the_operator_and_of_policies_that_are_there(world: World) -> None:
    old = a_policy()
    stored(world, old, "aa", "training")
    world.person("bob", "privacy")
    world.person("tina", "privacy", tenants=["default"])
    with of(world, "tina") as tina, pytest.raises(NotPermitted):
        tina.propose([old.sha256], old.sha256, "why")
    with of(world, "bob") as bob:
        for from_, to, reason, refusal in (
            ([old.sha256], "ab" * 32, "why", NotFound),
            (["no digest"], old.sha256, "why", Damaged),
            ([], old.sha256, "why", Damaged),
            ([old.sha256], old.sha256, "", Conflict),
        ):
            with pytest.raises(refusal):
                bob.propose(from_, to, reason)
    assert world.sql("admin", "SELECT count(*) FROM fsgov.retention_moves") == [(0,)]


@pytest.mark.parametrize(
    "how", ["UPDATE fsgov.{} SET tenant = 'x'", "DELETE FROM fsgov.{}", "TRUNCATE fsgov.{} CASCADE"]
)
@pytest.mark.parametrize("table", ["periods", "retention_moves"])
def test_what_counted_is_never_rewritten(world: World, table: str, how: str) -> None:
    policy = a_policy()
    stored(world, policy, "aa", "training")
    keep_of(world).enter_periods(policy)
    world.person("bob", "privacy")
    world.person("beth", "privacy")
    with of(world, "bob") as bob, of(world, "beth") as beth:
        beth.approve(bob.propose([policy.sha256], policy.sha256, "why"))
    with pytest.raises(psycopg2.Error) as refused:
        world.sql("admin", "SET ROLE fsgov_owner", how.format(table))
    assert refused.value.pgcode == "FG403"


def test_a_thousand_rows_come_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsgov.catalog.retaining.AT_A_TIME", 7)
    policy = a_policy()
    for n in range(20):
        stored(world, policy, f"a{n:02}", "training", ended=START - n * 20 * DAY)
    found = judged(world, START)
    assert len(found) == 20
    assert {one.verdict for one in found.values()} == {Verdict.KEEP, Verdict.DESTROY}


# -- one recording -----------------------------------------------------------------------------------------


def test_what_becomes_of_a_recording_is_what_judges_it_and_what_keeps_it_besides(
    world: World, tmp_path: Path
) -> None:
    office = yard(world, file_vault(tmp_path))
    policy = a_policy()
    world.sql("ship", "SELECT fsgov.enter_policy(%s, %s)", values=[policy.version, policy.text])
    held, planned, gone = office.store(3, policy=policy.sha256, purposes=["training", "evidence"])
    enter(world.ship, call_file(revision=2, ended=START, outcome="recorded"))
    hold, plan = holds.place(world, segment=held), office.plan([gone])
    assert office.apply() == 1
    waiting = office.plan([planned])
    iris = world.person("iris", "integrator")
    world.sql("iris", "SELECT fsgov.set_anchor('0f6c', 'contract_end', '2030-06-30T10:00Z')")
    world.sql("admin", "INSERT INTO fsgov.locks (segment, vault, tenant, mode, until)"
              f" VALUES ('{planned}', 'eu', 'default', 'GOVERNANCE', '2035-01-01Z')")  # fmt: skip
    now = START + 300 * DAY
    with of(world, "alice") as alice:
        fates = alice.fates([held, planned, gone], now, grace=DAY)
        with alice.judged(now, grace=DAY) as rows:
            judged = {facts.segment: found for facts, found in rows}
    assert {segment: fates[segment].found for segment in (held, planned)} == judged
    states = {held: "stored", planned: "stored", gone: "destroyed"}
    told = {segment: told_of(fates[segment], state) for segment, state in states.items()}
    assert [each["verdict"] for each in told.values()] == ["hold", "keep", "destroyed"]
    assert told[held]["reasons"][0] == {
        "cause": "held", "of": hold, "until": None, "event": "", "text": f"hold {hold}",
    }  # fmt: skip
    assert told[planned]["live"] == ["evidence"]
    assert told[planned]["destroy_after"] == datetime(2035, 6, 30, 22, tzinfo=UTC)
    assert [(each.event, each.at, each.set_by) for each in told[planned]["anchors"]] == [
        ("contract_end", datetime(2030, 6, 30, 10, tzinfo=UTC), iris)
    ]
    assert [each["mode"] for each in told[planned]["locks"]] == ["GOVERNANCE"]
    assert [(each["plan"], each["state"]) for each in told[planned]["plans"]] == [(waiting, "planned")]
    assert [(each["plan"], each["state"]) for each in told[gone]["plans"]] == [(plan, "destroyed")]
    digest = world.sql("admin", "SELECT sha256 FROM fsgov.certificates")[0][0]
    assert told[gone]["certificate"]["sha256"] == digest
    words = in_words(told[gone])
    assert words["verdict"] == "destroyed"
    assert words["certificate"].startswith(digest)
    with of(world, "iris") as outsider, pytest.raises(NotPermitted):
        outsider.fates([held], now)


def test_the_word_of_the_crm_counts_until_a_person_says_otherwise(world: World) -> None:
    segment = stored(world, a_policy(), "0f6c", "evidence", anchors={"contract_end": START + 400 * DAY})
    world.person("alice", "supervisor")

    def ends(at: int | None, set_by: bool) -> None:
        rows = world.sql("admin", "SELECT at, set_by IS NOT NULL FROM fsgov.anchors")
        assert rows == [(None if at is None else datetime.fromtimestamp(at // 1_000_000, UTC), set_by)]
        start = START + 365 * DAY if at is None else at  # call_end + 1 year
        expected = datetime.fromtimestamp(start // 1_000_000, UTC).year + 5
        found = judged(world, START)[segment].destroy_after
        assert found is not None
        assert datetime.fromtimestamp(found // 1_000_000, UTC).year == expected

    def again(revision: int, **anchors: int) -> None:
        enter(world.ship, call_file(revision=revision, ended=START, outcome="recorded", anchors=anchors))

    ends(START + 400 * DAY, False)
    again(2, contract_end=START + 800 * DAY, of_another_version=1)
    ends(START + 800 * DAY, False)
    with of(world, "alice") as alice:
        assert alice.set_anchor("0f6c", "contract_end", datetime.fromtimestamp(START / 1e6 + 86400, UTC))
        again(3, contract_end=START + 1200 * DAY)
        ends(START // 1_000_000 * 1_000_000 + DAY, True)
        alice.set_anchor("0f6c", "contract_end", None)
    again(4, contract_end=START + 1200 * DAY)
    ends(None, True)
    assert [line["data"]["prior"] for line in lines(world, "anchor.set")] == [
        datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for at in (START + 800 * DAY, START + DAY)
    ]
    with closing(keep_of(world)) as keep:
        keep.enter_periods(a_policy())
    assert live(world, segment) == {"evidence"}
