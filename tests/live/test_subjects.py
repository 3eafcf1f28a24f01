"""Requests of people: found by any number or CRM id, erased record by record, and never forgotten.

Judged by every row of the database (no number of the person is left in any), and by the names in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.erasing import Erasing
from fsgov.catalog.holds import Holds
from fsgov.catalog.restoring import restoring
from fsgov.catalog.retaining import Retaining
from fsgov.catalog.subjects import Subjects
from fsgov.cli.outlook import outlook
from fsgov.cli.replaying import explained
from fsgov.errors import Conflict, Damaged, FsgovError, NotFound, NotPermitted, Unreachable
from fsgov.events import Instant
from fsgov.subjects import Erasures, Ledger
from fsgov.subjects.ledger import names
from fsgov.subjects.restoring import requests, told
from fsgov.vault import Bucket, Stored, open_bucket, open_vault
from tests.parts.catalog import START, World, call_file, enter, sidecar
from tests.parts.purging import Yard
from tests.parts.schemas import faults

NUMBER, NATIONAL = "+493012345", "03012345"
DAY = 86_400_000_000
POLICY = """version = "2026-11-21"
timezone = "Europe/Berlin"
[purpose.evidence]
basis = "contract"
retain_max = "5 years"
[purpose.contract]
basis = "legal_obligation"
retain_min = "2 years"
retain_max = "5 years"
[[rule]]
name = "all"
consent = "none"
purposes = ["evidence", "contract"]
"""


@dataclass
class Office:
    """The database, the key buckets, and a keep that carries erasures out when it is told to."""

    world: World
    buckets: dict[str, Bucket]
    policy: str
    now: Instant = START + DAY
    down: bool = False
    keeps: list[Erasures] = field(default_factory=list)

    @contextmanager
    def subjects(self, who: str = "bob") -> Iterator[Subjects]:
        with closing(Subjects(self.world.as_person(who))) as found:
            yield found

    def keep(self) -> Erasures:
        """A new process of keep."""
        password = migrate.service_password(self.world.credentials, "keep")
        made = Erasures(
            Erasing(self.world.dsn, password),
            Retaining.of_keep(self.world.dsn, password),
            Ledger(self.buckets),
            "fs1",
            lambda: self.now,
        )
        self.keeps.append(made)
        return made

    def turn(self) -> Erasures:
        keep = self.keep()
        keep.run_once()
        return keep

    def call(self, call: str = "0f6c", *, segments: int = 1, tenant: str = "default", **changes: Any) -> None:
        """A call that is over, with recordings for evidence."""
        names = [f"{call}-{n:02}" for n in range(1, segments + 1)]
        facts = {"outcome": "recorded", "ended": START + 9_000_000, "segments": names}
        enter(self.world.ship, call_file(call, tenant=tenant, **{**facts, **changes}))
        for name in names:
            self.recording(name, tenant=tenant)

    def recording(self, segment: str, **changes: Any) -> None:
        facts = {
            "policy": self.policy,
            "purposes": ["evidence"],
            "parties": [1],
            "basis": {"evidence": "contract"},
        }
        enter(self.world.ship, segment=sidecar(segment, **{**facts, **changes}))

    def erasure(self, *numbers: str, crm: tuple[str, ...] = (), tenant: str = "*") -> str:
        """A request that bob opened and beth approved."""
        with self.subjects("bob") as bob:
            request = bob.open(
                tenant, "erase", numbers or (() if crm else (NUMBER,)), crm, "ticket", None, None
            )
        with self.subjects("beth") as beth:
            beth.approve(request)
        return request

    def destroy(self) -> list[str]:
        """What purge does with the plans there are, without the vault: tombstones, keys, items."""
        due = self.world.sql(
            "admin",
            "SELECT i.segment FROM fsgov.plan_items i JOIN fsgov.plans p ON p.id = i.plan"
            " WHERE i.state = 'planned' AND p.state = 'approved' AND fsgov.held(i.segment) = '{}'",
        )
        names = [segment for (segment,) in due]
        self.world.sql("admin", "DELETE FROM fsgov.segment_keys WHERE segment = ANY (%s)", values=[names])
        self.world.sql(
            "admin", "UPDATE fsgov.segments SET state = 'destroyed' WHERE segment = ANY (%s)", values=[names]
        )
        self.world.sql(
            "admin",
            "UPDATE fsgov.plan_items SET state = 'destroyed' WHERE segment = ANY (%s)",
            values=[names],
        )
        return sorted(names)

    def verdicts(self, request: str) -> dict[str, tuple[str, tuple[str, ...]]]:
        """By recording, or call for its rows: verdict and reasons."""
        with self.subjects() as subjects:
            return {
                each.segment or each.call: (each.verdict, tuple(each.reasons))
                for each in subjects.answers(request)
            }

    def state(self, request: str) -> str:
        with self.subjects() as subjects:
            return subjects.request(request).state

    def names(self) -> list[str]:
        return sorted({version.key for bucket in self.buckets.values() for version in bucket.list()})

    def tables_with(self, text: str, *, without: tuple[str, ...] = ()) -> list[str]:
        """Tables in any row of which this text is."""
        tables = self.world.sql("admin", "SELECT tablename FROM pg_tables WHERE schemaname = 'fsgov'")
        found = []
        for (table,) in tables:
            query = f"SELECT count(*) FROM fsgov.{table} t WHERE position(%s IN t::text) > 0"
            if table not in without and self.world.sql("admin", query, values=[text]) != [(0,)]:
                found.append(table)
        return sorted(found)

    def lines(self, *types: str) -> list[dict[str, Any]]:
        rows = self.world.sql("admin", "SELECT line FROM fsgov.outbox ORDER BY entered_at, n")
        assert [fault for (line,) in rows for fault in faults(bytes(line))] == []
        parsed = [json.loads(bytes(line)) for (line,) in rows]
        return [line for line in parsed if line["type"].split(".", 1)[1].rpartition(".")[0] in types]


class Away:
    """A bucket that does not answer while its office is down."""

    def __init__(self, bucket: Bucket, office: Office) -> None:
        self._bucket, self._office = bucket, office

    def put_bytes(self, key: str, content: bytes, metadata: dict[str, str]) -> Stored:
        if self._office.down:
            raise Unreachable("The vault does not answer")
        return self._bucket.put_bytes(key, content, metadata)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)


@pytest.fixture
def office(world: World, tmp_path: Path) -> Iterator[Office]:
    """bob and beth are of privacy; alice supervises; tina has tenant other alone."""
    world.person("alice", "supervisor")
    world.person("bob", "privacy")
    world.person("beth", "privacy")
    world.person("carol", "auditor")
    world.person("tina", "privacy", tenants=["other"])
    digest = world.sql("ship", "SELECT fsgov.enter_policy('2026-11-21', %s)", values=[POLICY])[0][0]
    buckets = {}
    for name in ("eu", "us"):
        buckets[name] = open_bucket(f"file:{tmp_path}/{name}")
        buckets[name].create()
    made = Office(world, buckets, str(digest))
    yield made
    for keep in made.keeps:
        keep.close()
    for bucket in buckets.values():
        bucket.close()


# -- found -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "crm"),
    [((NUMBER,), ()), ((NATIONAL,), ()), ((), ("4711",)), ((), ("id=4711",)), ((), ("row-9",))],
    ids=["e164", "as the switch gave it", "a fact's value", "a fact", "the CRM's reference"],
)
def test_a_person_is_found_by_any_number_and_by_what_the_crm_calls_them(
    office: Office, numbers: tuple[str, ...], crm: tuple[str, ...]
) -> None:
    party = {"party": 1, "side": "outside", "number": NATIONAL, "e164": NUMBER, "country": "DE"}
    consent = {
        "id": "c-0f6c-1",
        "party": 1,
        "purpose": "evidence",
        "state": "given",
        "method": "crm",
        "at": START,
    }
    office.call(
        parties=[{**party, "facts": {"id": "4711"}}], consents=[{**consent, "evidence": {"row": "row-9"}}]
    )
    other = {**party, "number": "030777", "e164": "+4930777", "facts": {"id": "4712", "name": "471"}}
    office.call("aaaa", parties=[other], consents=[])
    with office.subjects("alice") as alice:
        found = {(each.call, each.party, each.segment) for each in alice.find("*", numbers, crm)}
    assert found == {("0f6c", 1, ""), ("0f6c", 1, "0f6c-01")}


def test_who_has_no_number_is_nobody(office: Office) -> None:
    """Else a request of one would erase everybody who withholds a number."""
    party = {"party": 1, "side": "outside", "number": "anonymous", "e164": None, "country": "", "facts": {}}
    office.call(parties=[party])
    for number in ("anonymous", "Withheld", "+", "000"):
        with pytest.raises(Damaged, match="nobody's number"):
            office.erasure(number)
    with office.subjects("alice") as alice:
        assert alice.find("*", ["anonymous"], []) == []
    # what was opened before anybody looked finds nothing either
    request = office.erasure()
    office.world.sql("admin", "UPDATE fsgov.subject_requests SET numbers = '{anonymous}'")
    office.turn()
    assert office.verdicts(request) == {}
    assert office.tables_with("anonymous") == ["parties", "subject_requests"]


def test_a_recording_is_theirs_where_they_can_be_heard_or_nobody_noted_who_can(office: Office) -> None:
    office.call(segments=1)
    office.recording("0f6c-02", parties=[2])
    office.recording("0f6c-03", parties=[])
    with office.subjects() as bob:
        assert {each.segment for each in bob.find("*", [NUMBER], [])} == {"", "0f6c-01", "0f6c-03"}


def test_a_file_that_nobody_accounted_for_is_found_by_its_name(office: Office) -> None:
    office.recording("adopted-01", adopted="spool")
    office.world.sql(
        "admin",
        "INSERT INTO fsgov.provenance (segment, found_as, found_by)"
        " SELECT 'adopted-01', 'in-493012345-x.wav', id FROM fsgov.people LIMIT 1",
    )
    with office.subjects() as bob:
        assert {(e.party, e.segment) for e in bob.find("*", [NUMBER], [])} == {(0, ""), (0, "adopted-01")}
        assert bob.find("*", ["+4930"], []) == []
    request = office.erasure()
    office.turn()
    office.destroy()
    office.turn()
    assert office.state(request) == "done"
    assert office.tables_with("493012345", without=("subject_requests",)) == []


def test_what_is_of_another_tenant_is_nobodys(office: Office) -> None:
    office.call()
    office.call("bbbb", tenant="other")
    with office.subjects("tina") as tina:
        assert {each.call for each in tina.find("*", [NUMBER], [])} == {"bbbb"}
        assert tina.find("default", [NUMBER], []) == []
        for tenant in ("default", "*"):
            with pytest.raises(NotPermitted):
                tina.open(tenant, "erase", [NUMBER], [], "", None, None)
        theirs = tina.open("other", "erase", [NUMBER], [], "", None, None)
    with office.subjects("bob") as bob:
        bob.approve(theirs)
        mine = bob.open("default", "erase", [NUMBER], [], "", None, None)
    with office.subjects("tina") as tina, pytest.raises(NotFound):
        tina.approve(mine)
    office.turn()
    assert set(office.verdicts(theirs)) == {"bbbb", "bbbb-01"}
    assert office.destroy() == ["bbbb-01"]


# -- two persons -----------------------------------------------------------------------------------------


def test_nobody_approves_the_erasure_they_have_opened(office: Office) -> None:
    office.call()
    with office.subjects("bob") as bob:
        request = bob.open("*", "erase", [NUMBER], [], "", None, None)
        with pytest.raises(NotPermitted, match="opened"):
            bob.approve(request)
    office.turn()
    assert office.names() == []
    assert office.verdicts(request) == {}
    with office.subjects("beth") as beth:
        beth.approve(request)
        with pytest.raises(Conflict):
            beth.approve(request)
    assert {line["data"]["actor"] for line in office.lines("subject.opened", "subject.approved")} == {
        office.world.desk(name).whoami().person for name in ("bob", "beth")
    }


@pytest.mark.parametrize("who", ["alice", "carol"])
def test_requests_are_for_privacy(office: Office, who: str) -> None:
    with office.subjects(who) as person, pytest.raises(NotPermitted):
        person.open("*", "export", [NUMBER], [], "", None, None)


@pytest.mark.parametrize(
    ("numbers", "received", "due"),
    [
        ([], None, None),
        ([""], None, None),
        ([NUMBER], datetime(2126, 1, 1, tzinfo=UTC), None),
        ([NUMBER], datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_request_is_of_somebody_and_due_after_it_came(
    office: Office, numbers: list[str], received: datetime | None, due: datetime | None
) -> None:
    with office.subjects() as bob, pytest.raises(Damaged):
        bob.open("*", "erase", numbers, [], "", received, due)


# -- erased ----------------------------------------------------------------------------------------------


def test_an_erasure_leaves_no_row_that_names_them(office: Office) -> None:
    inside = {"party": 2, "side": "inside", "number": "1000", "e164": None, "country": None, "facts": None}
    outside = {
        "party": 1,
        "side": "outside",
        "number": NATIONAL,
        "e164": NUMBER,
        "country": "DE",
        "facts": {"id": "4711"},
    }
    consent = {
        "id": "c-0f6c-1",
        "party": 1,
        "purpose": "evidence",
        "state": "given",
        "method": "crm",
        "at": START,
    }
    office.call(
        segments=2,
        parties=[outside, inside],
        consents=[{**consent, "evidence": {"row": "crm-of-493012345"}}],
        tags=[{"tag": "call back 03012345", "actor": None, "at": START}],
        inputs={"caller": NUMBER, "parties": [outside]},
        inputs_salt="ab" * 16,
        decision={"rule": "all"},
    )
    desk = office.world.desk("alice")
    desk.release_key(desk.request_access("0f6c-01", "evidence", f"complaint of {NATIONAL}"))
    request = office.erasure()
    office.turn()
    assert office.verdicts(request) == {
        "0f6c-01": ("due", ()),
        "0f6c-02": ("due", ()),
        "0f6c": ("needed", ("0f6c-01", "0f6c-02")),
    }
    people = dict(office.world.sql("admin", "SELECT login::text, id FROM fsgov.people"))
    bob, beth = (people[office.world.logins[name][0]] for name in ("bob", "beth"))
    plans = "SELECT kind, reason, state, items, proposed_by, approved_by FROM fsgov.plans"
    assert office.world.sql("admin", plans) == [("erasure", request, "approved", 2, bob, beth)]
    office.turn()
    assert len(office.world.sql("admin", plans)) == 1, "once"
    assert office.destroy() == ["0f6c-01", "0f6c-02"]
    office.turn()
    assert {verdict for verdict, _ in office.verdicts(request).values()} == {"erased"}
    assert office.state(request) == "done"
    assert office.tables_with("3012345", without=("subject_requests",)) == []
    assert office.tables_with("4711") == []
    whole = desk.call("0f6c")
    assert whole.inputs is None
    assert [party.number for party in whole.parties or ()] == [None, "1000"]
    with pytest.raises(Conflict, match="erased"):
        explained(desk, "0f6c")
    assert office.names() == ["forgotten/0f6c.1", f"promised/{request}/0f6c.1"]
    (said,) = office.lines("party.erased")
    assert (said["subject"], said["data"]) == ("0f6c", {"party": 1, "request": request})
    (done,) = office.lines("erasure.done")
    assert done["data"] == {"erased": 2, "calls": 1}
    office.turn()
    assert len(office.lines("party.erased", "erasure.done")) == 2


def test_a_call_without_a_recording_is_forgotten_at_once(office: Office) -> None:
    office.call(segments=0, outcome="refused")
    request = office.erasure()
    office.turn()
    assert office.state(request) == "done"
    assert office.tables_with("3012345", without=("subject_requests",)) == []


def test_a_call_that_goes_on_waits_until_it_is_over(office: Office) -> None:
    office.call(segments=0, outcome=None)
    request = office.erasure()
    office.turn()
    assert office.verdicts(request) == {"0f6c": ("needed", ("0f6c",))}
    office.call(segments=0, revision=2, outcome="refused")
    office.turn()
    assert office.state(request) == "done"


def test_no_later_revision_brings_them_back_and_no_spool(office: Office) -> None:
    office.call(segments=0, outcome="refused")
    office.erasure()
    office.turn()
    office.call(segments=0, revision=2, outcome="refused")
    assert office.tables_with("3012345", without=("subject_requests",)) == []
    tables = ("legs", "parties", "consents", "tags", "calls")
    office.world.sql("admin", *(f"DELETE FROM fsgov.{table}" for table in tables))
    office.call(segments=0, outcome="refused")
    assert office.tables_with("3012345", without=("subject_requests",)) == []


def test_a_call_that_is_entered_late_opens_the_erasure_again(office: Office) -> None:
    office.call(segments=0, outcome="refused")
    request = office.erasure()
    office.turn()
    assert office.state(request) == "done"
    office.call("late")
    office.turn()
    assert (office.state(request), office.destroy()) == ("approved", ["late-01"])
    office.turn()
    assert office.state(request) == "done"
    assert office.tables_with("3012345", without=("subject_requests",)) == []


def test_long_enough_after_the_end_the_request_itself_forgets(office: Office) -> None:
    office.call(segments=0, outcome="refused")
    request = office.erasure()
    office.now = int(datetime.now(UTC).timestamp() * 1e6)
    office.turn()
    assert office.tables_with("3012345") == ["subject_requests"]
    office.now += 31 * DAY
    office.turn()
    assert office.tables_with("3012345") == []
    with office.subjects() as bob:
        assert bob.request(request).forgotten_at is not None
        assert bob.request(request).reference == "ticket"


def test_purge_carries_the_plan_of_an_erasure_out_under_its_two_persons(
    office: Office, tmp_path: Path
) -> None:
    vault = open_vault("eu", f"file:{tmp_path}/audio", f"file:{tmp_path}/eu")
    for bucket in (vault.audio, vault.keys):
        bucket.create()
    yard = Yard(office.world, vault)
    office.call(segments=0)
    yard.segments.append("")  # the call is there
    (free, kept) = yard.store(2, policy=office.policy, purposes=["evidence"], parties=[1])
    placed = hold(office, "segment", kept)
    request = office.erasure()
    office.turn()
    assert (yard.apply(), yard.states()[free], yard.there(free)) == (1, "destroyed", [])
    office.turn()
    assert office.verdicts(request) == {
        free: ("erased", ()), kept: ("held", (placed,)), "0f6c": ("held", (placed,))
    }  # fmt: skip
    release(office, placed)
    office.turn()
    assert yard.apply() == 1
    office.turn()
    assert office.state(request) == "done"
    bodies = yard.bodies()
    people = {office.world.desk(name).whoami().person for name in ("bob", "beth")}
    assert {(body["cause"], body["proposed_by"] in people, body["approved_by"] in people)
            for body in bodies.values()} == {("erasure", True, True)}  # fmt: skip
    assert office.tables_with("3012345", without=("subject_requests",)) == []


# -- held, statutory, needed -----------------------------------------------------------------------------


@contextmanager
def holds(office: Office, who: str) -> Iterator[Holds]:
    with closing(Holds(office.world.as_person(who))) as found:
        yield found


def hold(office: Office, kind: str, value: str) -> str:
    with holds(office, "bob") as bob:
        return bob.place([{"kind": kind, "value": value}], "case 17/26").hold


def release(office: Office, id_: str) -> None:
    with holds(office, "bob") as bob:
        bob.ask_release(id_, "over")
    with holds(office, "beth") as beth:
        beth.approve_release(id_)


@pytest.mark.parametrize(("kind", "value"), [("segment", "0f6c-01"), ("call", "0f6c"), ("number", NUMBER)])
def test_what_is_held_waits_and_is_erased_when_the_hold_lifts(office: Office, kind: str, value: str) -> None:
    office.call(segments=2)
    placed = hold(office, kind, value)
    request = office.erasure()
    office.turn()
    assert office.verdicts(request)["0f6c-01"] == ("held", (placed,))
    assert office.verdicts(request)["0f6c"] == ("held", (placed,))
    office.destroy()
    office.turn()
    assert office.tables_with(NUMBER, without=("subject_requests", "hold_items")) == ["calls", "parties"]
    assert office.state(request) == "approved"
    with office.subjects("beth") as beth:
        beth.answer(request, refused=False, until=None)
    assert office.turn().due.deferred == 1
    release(office, placed)
    office.turn()
    assert office.destroy() == (["0f6c-01"] if kind == "segment" else ["0f6c-01", "0f6c-02"])
    office.turn()
    assert office.state(request) == "done"
    assert office.tables_with(NUMBER, without=("subject_requests", "hold_items")) == []


def test_a_hold_on_an_unrecorded_call_keeps_its_rows(office: Office) -> None:
    office.call(segments=0, outcome="refused")
    placed = hold(office, "call", "0f6c")
    request = office.erasure()
    office.turn()
    assert office.verdicts(request) == {"0f6c": ("held", (placed,))}
    assert "parties" in office.tables_with(NUMBER)
    assert [name for name in office.names() if name.startswith("forgotten/")] == []


def test_what_a_period_demands_is_kept_until_then(office: Office) -> None:
    office.call(segments=0)
    office.recording("0f6c-01", purposes=["evidence", "contract"])
    request = office.erasure()
    office.turn()
    assert office.verdicts(request)["0f6c-01"] == ("statutory", ("contract",))
    with office.subjects() as bob:
        (record,) = [each for each in bob.answers(request) if each.segment]
    assert record.until == datetime(2028, 11, 21, 23, tzinfo=UTC)
    assert office.world.sql("admin", "SELECT count(*) FROM fsgov.plans") == [(0,)]
    office.now = START + 3 * 366 * DAY
    office.turn()
    assert office.destroy() == ["0f6c-01"]
    office.turn()
    assert office.state(request) == "done"


def test_a_recording_whose_policy_nobody_knows_is_not_destroyed_unseen(office: Office) -> None:
    office.call(segments=0)
    office.recording("0f6c-01", policy="ab" * 32)
    request = office.erasure()
    office.turn()
    assert office.verdicts(request)["0f6c-01"] == ("statutory", ("no_policy",))


def test_an_open_export_of_theirs_comes_first(office: Office) -> None:
    office.call(segments=0, outcome="refused")
    with office.subjects() as bob:
        export = bob.open("default", "export", [NATIONAL], [], "", None, None)
    request = office.erasure()
    office.turn()
    assert office.verdicts(request) == {"0f6c": ("needed", (export,))}
    with office.subjects() as bob:
        bob.exported(export, "Jane Doe", [])
    office.turn()
    assert office.state(request) == "done"


def test_keep_cannot_note_as_erased_what_is_there(office: Office) -> None:
    office.call()
    request = office.erasure()
    office.turn()
    for call, segment in (("0f6c", "0f6c-01"), ("0f6c", "")):
        record = {
            "call": call,
            "party": 1,
            "segment": segment,
            "verdict": "erased",
            "reasons": [],
            "until": None,
        }
        with pytest.raises(psycopg2.Error) as refused:
            office.world.sql(
                "keep", "SELECT fsgov.note_records(%s, %s)", values=[request, json.dumps([record])]
            )
        assert refused.value.pgcode == "FG409"


def test_keep_plans_and_unnames_only_what_two_persons_have_said(office: Office) -> None:
    office.call()
    with office.subjects() as bob:
        request = bob.open("*", "erase", [NUMBER], [], "", None, None)
    for statement in (
        "SELECT fsgov.unname_party(%s, '0f6c', 1)",
        "SELECT fsgov.plan_erasure(%s, '{0f6c-01}')",
        "SELECT fsgov.found_records(%s)",
    ):
        with pytest.raises(psycopg2.Error) as refused:
            office.world.sql("keep", statement, values=[request])
        assert refused.value.pgcode == "FG409"
    approved = office.erasure("+49301234567")
    with pytest.raises(psycopg2.Error) as refused:
        office.world.sql("keep", "SELECT fsgov.plan_erasure(%s, '{0f6c-01}')", values=[approved])
    assert refused.value.pgcode == "FG409"


def test_a_plan_that_was_stopped_is_made_again_only_when_somebody_says_so(office: Office) -> None:
    office.call()
    request = office.erasure()
    office.turn()
    (plan,) = office.world.sql("admin", "SELECT id FROM fsgov.plans")
    office.world.sql("bob", "SELECT fsgov.stop_plan(%s, 'wait')", values=plan)
    keep = office.turn()
    assert set(keep.troubles) == {"subject.stuck"}
    assert office.verdicts(request)["0f6c-01"] == ("due", ("stopped",))
    assert office.world.sql("admin", "SELECT count(*) FROM fsgov.plans") == [(1,)]
    with office.subjects("bob") as bob, pytest.raises(NotPermitted):
        bob.approve(request)
    with office.subjects("beth") as beth:
        beth.approve(request)
    assert office.turn().troubles == {}
    assert office.destroy() == ["0f6c-01"]
    office.turn()
    assert office.state(request) == "done"


# -- what is due -----------------------------------------------------------------------------------------


def test_a_request_that_nobody_answers_is_an_alarm(office: Office) -> None:
    now = datetime.now(UTC)
    office.now = int(now.timestamp() * 1e6)
    with office.subjects() as bob:
        far = bob.open("*", "export", [NUMBER], [], "", None, None)
        assert timedelta(days=27) < bob.request(far).due_at - now < timedelta(days=32)
        assert office.turn().troubles == {}
        soon = bob.open("*", "export", [NUMBER], [], "", None, now + timedelta(days=2))
        long_ago = now - timedelta(days=50)
        late = bob.open("*", "erase", [NUMBER], [], "", long_ago, None)
        assert set(office.turn().troubles) == {"subject.due", "subject.overdue"}
        with pytest.raises(Conflict):
            bob.answer(late, refused=False, until=None)
        with pytest.raises(Damaged):
            bob.answer(late, refused=False, until=now + timedelta(days=100))
        bob.answer(late, refused=False, until=long_ago + timedelta(days=80))
        assert set(office.turn().troubles) == {"subject.due"}
        bob.answer(soon, refused=True, until=None)
        assert office.turn().troubles == {}
        assert [each.id for each in bob.requests()] == [late, far]
        assert [each.id for each in bob.requests(over=True)] == [soon, late, far]


# -- the ledger ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["promise", "forget"])
def test_nothing_is_erased_before_the_ledger_has_it_and_a_stop_loses_nothing(
    office: Office, step: str
) -> None:
    office.call(segments=0, outcome="refused")
    request = office.erasure()
    office.buckets["us"] = Away(office.buckets["us"], office)  # type: ignore[assignment]
    keep = office.keep()
    if step == "promise":
        office.down = True
        for _ in range(4):
            keep.run_once()
            assert keep.troubles == {}
        keep.run_once()
        assert set(keep.troubles) == {"subject.stuck"}
        assert "parties" in office.tables_with(NUMBER), "no vault, no erasure"
    else:
        office.down = True
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Ledger, "promise", lambda *_: None)
            keep.run_once()
        assert office.state(request) == "approved"
    office.down = False
    office.turn()
    assert office.state(request) == "done"
    assert len(office.lines("party.erased")) == 1
    for bucket in office.buckets.values():
        assert {each.key for each in bucket.list("forgotten/")} == {"forgotten/0f6c.1"}


def restore(office: Office) -> dict[str, Any]:
    """What `db restored` does about people, with the ledger there is."""
    with restoring(office.world.dsn) as database:
        named = names(office.buckets.values())
        back = database.apply_forgotten(sorted(named.forgotten))
        lost = database.apply_requests(requests(named, told(database.told_of_requests())))
    return {"back": back, "requests": lost}


def test_a_restore_brings_nobody_back_and_forgets_no_erasure(office: Office) -> None:
    office.call(segments=0, outcome="refused")
    office.call("kept", outcome="recorded")
    placed = hold(office, "call", "kept")
    request = office.erasure()
    office.turn()
    assert office.verdicts(request) == {
        "0f6c": ("erased", ()),
        "kept": ("held", (placed,)),
        "kept-01": ("held", (placed,)),
    }

    before_the_request(office)
    assert office.tables_with(NUMBER) == ["calls", "parties"]
    assert restore(office) == {"back": 1, "requests": 1}
    assert restore(office) == {"back": 0, "requests": 0}
    assert office.world.sql("admin", "SELECT call FROM fsgov.parties WHERE e164 IS NOT NULL") == [("kept",)]
    with office.subjects("beth") as beth:
        assert beth.request(request).state == "open"
        beth.approve(request)
    office.turn()
    assert office.destroy() == ["kept-01"]
    office.turn()
    assert office.state(request) == "done"
    assert office.tables_with(NUMBER) == []


LATER = (
    "subject_records", "subject_requests", "forgotten", "legs", "parties", "consents", "tags", "calls",
    "plans", "plan_items", "holds", "hold_items", "hold_sources", "hold_calls", "hold_segments",
    "segment_keys", "masks", "segments",
)  # fmt: skip


def before_the_request(office: Office) -> None:
    """The database as a dump from before holds and requests has it."""
    for keep in office.keeps:
        keep.close()
    office.keeps.clear()
    office.world.sql(
        "admin",
        "SET session_replication_role = replica",
        *(f"DELETE FROM fsgov.{table}" for table in LATER),
    )
    office.call(segments=0, outcome="refused")
    office.call("kept", outcome="recorded")
    for close in office.world.closing:
        close()
    office.world.closing.clear()


def test_a_request_that_only_the_log_knows_is_lost_and_told(office: Office) -> None:
    with office.subjects() as bob:
        request = bob.open("default", "export", [NUMBER], [], "", None, None)
        refused = bob.open("default", "export", [NUMBER], [], "", None, None)
        bob.answer(refused, refused=True, until=None)
    office.world.sql("admin", "DELETE FROM fsgov.subject_requests")
    assert restore(office) == {"back": 0, "requests": 1}
    with office.subjects() as bob:
        (row,) = bob.requests(over=True)
        assert (row.id, row.kind, row.tenant, row.state) == (request, "export", "default", "lost")
        assert set(office.turn().troubles) == {"subject.lost", "subject.due"} - (
            {"subject.due"} if row.due_at > datetime.now(UTC) + timedelta(days=7) else set()
        )
        bob.answer(request, refused=True, until=None)
    assert office.turn().troubles == {}


# -- before it is done -----------------------------------------------------------------------------------


def test_the_outlook_says_what_an_erasure_would_do(office: Office) -> None:
    office.call(segments=2)
    office.recording("0f6c-03", purposes=["contract"])
    placed = hold(office, "segment", "0f6c-02")
    with office.subjects("alice") as alice:
        found = outlook(office.world.as_person("alice"), alice.find("*", [NUMBER], []))
    assert {each.segment: (each.verdict, each.reasons) for each in found} == {
        "": ("needed", ("0f6c-02", "0f6c-03")),
        "0f6c-01": ("erases it", ()),
        "0f6c-02": ("held", (placed,)),
        "0f6c-03": ("statutory", ("contract",)),
    }


# -- what is given out -----------------------------------------------------------------------------------


def test_a_recording_is_given_out_only_while_somebody_in_it_asks(office: Office) -> None:
    office.call()
    office.recording("0f6c-02", parties=[2])
    bob, alice = office.world.desk("bob"), office.world.desk("alice")
    with pytest.raises(NotPermitted, match="asked"):
        bob.request_access("0f6c-01", "subject_request", "why")
    with office.subjects() as subjects:
        request = subjects.open("*", "export", [NUMBER], [], "", None, None)
    with pytest.raises(NotPermitted):
        alice.request_access("0f6c-01", "subject_request", "why")
    with pytest.raises(NotPermitted, match="asked"):
        bob.request_access("0f6c-02", "subject_request", "why")
    records = [{"segment": "0f6c-01", "given": True, "reasons": []}]
    with office.subjects() as subjects:
        with pytest.raises(Conflict, match="without an access"):
            subjects.exported(request, "Jane Doe", records)
        bob.release_key(bob.request_access("0f6c-01", "subject_request", "why", "Jane Doe"))
        with pytest.raises(FsgovError):
            subjects.exported(request, "", records)
        subjects.exported(request, "Jane Doe", records)
        assert subjects.request(request).state == "done"
    assert bob.accesses(segment="0f6c-01")[0].recipient == "Jane Doe"
    with pytest.raises(NotPermitted, match="asked"):
        bob.request_access("0f6c-01", "subject_request", "why")
