"""What a recording may be opened for: its purposes, a review, an audit, a complaint; and what is refused."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from fsgov.catalog.accesses import Accesses, differences
from fsgov.errors import Damaged, NotFound, NotPermitted
from tests.parts import holds
from tests.parts.catalog import World, call_file, enter, sidecar
from tests.parts.schemas import faults

ONE, OTHER = "0f6c-01", "1a2b-01"
DAY = timedelta(days=1)


@pytest.fixture
def stored(world: World) -> World:
    """Two calls of tenant default; sue supervises, petra reviews, ada audits; tess is of another tenant."""
    enter(world.ship, call_file(), sidecar(ONE))
    enter(world.ship, call_file("1a2b"), sidecar(OTHER))
    world.person("sue", "supervisor")
    world.person("petra", "privacy")
    world.person("ada", "auditor")
    world.person("tess", "supervisor", tenants=["other"])
    return world


def case_of(world: World, who: str, call: str, tenant: str = "default") -> tuple[str, str]:
    """A complaint about this call: the case and its hold."""
    query = "SELECT id, hold FROM fsgov.open_case(%s, 'ticket 17', '', '', %s)"
    return world.sql(who, query, values=[holds.items(call=call), tenant])[0]


def refused(world: World, who: str, purpose: str, segment: str = ONE, complaint: str = "") -> str:
    """What the database answers; kept as a row."""
    with pytest.raises((NotPermitted, NotFound, Damaged)) as told:
        world.desk(who).request_access(segment, purpose, "why", complaint=complaint)
    return told.value.message.lower()


# -- complaint -------------------------------------------------------------------------------------------


def test_a_complaint_names_an_open_case_that_is_about_the_recording(stored: World) -> None:
    case, hold = case_of(stored, "petra", "0f6c")
    desk = stored.desk("sue")
    access = desk.request_access(ONE, "complaint", "what was promised", complaint=case)
    assert desk.release_key(access).segment == ONE
    lines = [json.loads(bytes(row[0])) for row in stored.sql("admin", "SELECT line FROM fsgov.outbox")]
    told = [line for line in lines if line["type"].startswith("fsgov.access.")]
    assert [(line["type"], line["data"].get("case")) for line in told] == [
        ("fsgov.access.requested.v1", case),
        ("fsgov.access.released.v1", None),
    ]
    assert [fault for line in told for fault in faults(json.dumps(line).encode())] == []
    assert stored.sql("admin", "SELECT complaint FROM fsgov.accesses") == [(case,)]

    assert "has a case" in refused(stored, "sue", "complaint")
    assert "no open case" in refused(stored, "sue", "complaint", complaint="k-nobodys")
    assert "no open case" in refused(stored, "sue", "complaint", OTHER, case)
    assert "only a complaint" in refused(stored, "sue", "evidence", complaint=case)
    stored.sql("sue", "SELECT fsgov.ask_release(%s, 'settled')", values=[hold])
    stored.sql("petra", "SELECT fsgov.approve_release(%s)", values=[hold])
    assert "no open case" in refused(stored, "sue", "complaint", complaint=case)


def test_a_hold_is_no_case_and_a_case_of_others_is_none_of_mine(stored: World) -> None:
    hold = holds.place(stored, call="0f6c")
    assert "no open case" in refused(stored, "sue", "complaint", complaint=hold)
    stored.person("dora", "supervisor", tenants=["default"])
    everywhere, _ = case_of(stored, "petra", "0f6c", "*")
    assert "no open case" in refused(stored, "dora", "complaint", complaint=everywhere)
    assert "no such segment" in refused(stored, "tess", "complaint", complaint=everywhere)
    assert stored.desk("sue").request_access(ONE, "complaint", "why", complaint=everywhere)


# -- review ----------------------------------------------------------------------------------------------


def test_a_review_is_of_what_waits_for_one(stored: World) -> None:
    assert "nothing to review" in refused(stored, "petra", "review")
    stored.sql("sue", "SELECT fsgov.set_quarantine(%s, 'a card number', NULL)", values=[ONE])
    assert stored.desk("petra").request_access(ONE, "review", "listen")
    assert "not for this login" in refused(stored, "sue", "review")
    assert "not for this login" in refused(stored, "ada", "audit")


@pytest.mark.parametrize("how", ["proposed", "over"])
def test_what_is_about_to_be_destroyed_can_be_reviewed(stored: World, how: str) -> None:
    if how == "proposed":
        stored.sql("petra", "SELECT fsgov.propose_plan('manual', %s, '{named}', 'why')", values=[[ONE]])
    else:
        stored.sql("ship", "SELECT fsgov.enter_policy('old', 'old')")
        stored.sql(
            "admin",
            "UPDATE fsgov.segments SET policy_sha256 = (SELECT sha256 FROM fsgov.policies)",
            "INSERT INTO fsgov.periods (policy, purpose, basis, timezone, retain_min, retain_max, anchor,"
            " anchor_plus) SELECT DISTINCT policy_sha256, p, 'contract', 'UTC', interval '0',"
            " interval '-20 years', 'call_end', interval '0' FROM fsgov.segments, unnest(purposes) AS p",
        )
        assert "time of this purpose" in refused(stored, "petra", "evidence")
    assert stored.desk("petra").request_access(ONE, "review", "is it the right one?")
    assert "nothing to review" in refused(stored, "sue", "review")


def test_what_a_party_refused_is_not_reviewed(stored: World) -> None:
    stored.sql("admin", "UPDATE fsgov.segments SET dispose = true, dispose_reason = 'withdrawn'")
    assert "nothing to review" in refused(stored, "petra", "review")
    assert "time of this purpose" in refused(stored, "petra", "evidence")


# -- audit -----------------------------------------------------------------------------------------------


def test_an_audit_is_the_auditors_and_nothing_else_is(stored: World) -> None:
    desk = stored.desk("ada")
    assert desk.release_key(desk.request_access(ONE, "audit", "sample of November")).segment == ONE
    for purpose in ("evidence", "complaint", "review", "subject_request"):
        assert "not for this login" in refused(stored, "ada", purpose)
    for who in ("sue", "petra"):
        assert "auditor" in refused(stored, who, "audit")


# -- the key, later --------------------------------------------------------------------------------------


def test_what_may_not_be_opened_any_more_is_not_released(stored: World) -> None:
    """Asked for in time, and the key only long afterwards."""
    case, hold = case_of(stored, "petra", "0f6c")
    desk = stored.desk("sue")
    complaint = desk.request_access(ONE, "complaint", "why", complaint=case)
    training = desk.request_access(ONE, "training", "why")
    evidence = desk.request_access(OTHER, "evidence", "why")
    stored.sql("sue", "SELECT fsgov.ask_release(%s, 'settled')", values=[hold])
    stored.sql("petra", "SELECT fsgov.approve_release(%s)", values=[hold])
    stored.sql(
        "admin",
        """UPDATE fsgov.segments SET basis = '{"training": "consent"}' WHERE segment = '0f6c-01'""",
        "UPDATE fsgov.consents SET state = 'withdrawn'",
    )
    stored.sql("petra", "SELECT fsgov.set_quarantine(%s, 'a card number', NULL)", values=[OTHER])
    for access, why in (
        (complaint, "No open case"),
        (training, "taken its consent"),
        (evidence, "not for this"),
    ):
        with pytest.raises(NotPermitted, match=why):
            desk.release_key(access)
    assert stored.sql("admin", "SELECT count(*) FROM fsgov.accesses WHERE released_at IS NOT NULL") == [(0,)]


def test_who_lost_the_tenant_gets_no_key(stored: World) -> None:
    access = stored.desk("sue").request_access(ONE, "evidence", "why")
    stored.sql("admin", "UPDATE fsgov.memberships m SET tenant = 'other' FROM fsgov.people p"
               " WHERE p.id = m.person AND p.login LIKE 'sue%'")  # fmt: skip
    with pytest.raises(NotFound, match="no such segment"):
        stored.desk("sue").release_key(access)


# -- refusals --------------------------------------------------------------------------------------------


def test_every_refusal_is_kept_and_the_log_tells_it(stored: World) -> None:
    stored.person("rob", "agent")
    refused(stored, "ada", "evidence")
    refused(stored, "rob", "evidence")
    refused(stored, "sue", "analytics")
    refused(stored, "sue", "evidence", "9999-01")
    refused(stored, "tess", "evidence")
    refused(stored, "sue", "complaint")
    with pytest.raises(NotFound):
        stored.desk("sue").request_access("+49 30 12345", "+49 30 12345", "why")
    now = datetime.now(UTC)
    with closing(Accesses(stored.as_person("ada"))) as accesses:
        rows = accesses.refused(now - DAY, now + DAY)
        told = accesses.lines(now - DAY)
    assert told is not None
    logins = {name: login for name, (login, _) in stored.logins.items()}
    assert [(each.login, each.tenant, each.segment, each.purpose, each.code) for each in rows] == [
        (logins["ada"], "default", ONE, "evidence", "FG403"),
        (logins["rob"], "default", ONE, "evidence", "FG403"),
        (logins["sue"], "default", ONE, "analytics", "FG403"),
        (logins["sue"], "*", "9999-01", "evidence", "FG404"),
        (logins["tess"], "other", ONE, "evidence", "FG404"),
        (logins["sue"], "default", ONE, "complaint", "FG422"),
        (logins["sue"], "*", "", "", "FG404"),
    ]
    assert [fault for line in told for fault in faults(json.dumps(line).encode())] == []
    assert {line["subject"] for line in told if line["subject"].startswith("x-")} == {
        rows[3].id, rows[4].id, rows[6].id,
    }  # fmt: skip
    assert list(differences([], rows, told, now - DAY, now + DAY)) == []
    assert len(list(differences([], rows[1:], told, now - DAY, now + DAY))) == 1
    assert len(list(differences([], rows, told[1:], now - DAY, now + DAY))) == 1
    assert stored.sql("admin", "SELECT count(*) FROM fsgov.accesses") == [(0,)]
    with pytest.raises(psycopg2.Error, match="never changed"):
        stored.sql("admin", "DELETE FROM fsgov.refused_accesses")


def test_what_would_be_granted_is_not_noted_as_refused(stored: World) -> None:
    stored.sql("sue", "SELECT fsgov.refused_access(%s, 'evidence', 'why', '')", values=[ONE])
    assert stored.sql("admin", "SELECT count(*) FROM fsgov.refused_accesses") == [(0,)]
    assert stored.sql("admin", "SELECT count(*) FROM fsgov.accesses") == [(0,)]
    assert stored.sql(
        "admin", "SELECT count(*) FROM fsgov.outbox WHERE position('access.'::bytea IN line) > 0"
    ) == [(0,)]


def test_a_reason_of_spaces_is_none(stored: World) -> None:
    with pytest.raises(psycopg2.Error, match="needs a reason"):
        stored.sql("sue", "SELECT fsgov.request_access(%s, 'evidence', '  ')", values=[ONE])
