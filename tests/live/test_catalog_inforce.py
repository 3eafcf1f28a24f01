"""Policies and stops in the database: who may, two persons are two logins, nothing is changed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.inforce import Acting, Looking
from fsgov.errors import Conflict, Damaged, FsgovError, NotFound, NotPermitted
from tests.parts.catalog import World
from tests.parts.schemas import faults

ONE, TWO, THREE = (f'version = "{n}"\ntimezone = "UTC"\ndefault = "never"\n' for n in "123")
GUARDED = 'version = "guarded"\ntimezone = "UTC"\ndefault = "never"\napproval = "two_persons"\n'
NUMBER = "+493012345678"


@contextmanager
def as_(world: World, name: str) -> Iterator[Acting]:
    with closing(Acting(world.as_person(name))) as acting:
        yield acting


@contextmanager
def eyes(world: World) -> Iterator[Looking]:
    password = migrate.service_password(world.credentials, "govern")
    with closing(Looking(world.dsn, password)) as looking:
        yield looking


@pytest.fixture
def staffed(world: World) -> World:
    """bob and beth are of privacy, alice a supervisor, tina a supervisor of one tenant."""
    for name in ("bob", "beth"):
        world.person(name, "privacy")
    world.person("alice", "supervisor")
    world.person("tina", "supervisor", tenants=["acme"])
    world.person("carol", "agent", "ops", "auditor", "integrator")
    return world


def activate(world: World, who: str, text: str, instead_of: str | None = None) -> tuple[str, bool]:
    version = text.split('"')[1]
    with as_(world, who) as acting:
        return acting.activate(version, text, "none", instead_of)


def lines(world: World) -> list[dict[str, object]]:
    rows = world.sql("admin", "SELECT line FROM fsgov.outbox WHERE line::text <> '' ORDER BY entered_at, n")
    found = [bytes(row[0]) for row in rows]
    assert [fault for line in found for fault in faults(line)] == []
    assert NUMBER.encode() not in b"".join(found)
    entries = [json.loads(line) for line in found]
    return [each for each in entries if each["type"].split(".")[1] in ("policy", "stop")]


# -- policies --------------------------------------------------------------------------------------------


def test_an_activation_is_in_force_for_govern_and_in_the_log(staffed: World) -> None:
    with eyes(staffed) as looking:
        assert looking.look(None) == looking.look("x")
        assert looking.look(None).sha256 is None
        digest, activated = activate(staffed, "bob", ONE)
        assert activated
        assert (looking.look(None).sha256, looking.look(None).text) == (digest, ONE)
        assert (looking.look(digest).sha256, looking.look(digest).text) == (digest, None)
        later, _ = activate(staffed, "beth", TWO, digest)
        assert looking.look(digest).text == TWO
    with as_(staffed, "carol") as acting:
        rows = acting.history()
    assert [(row.version, row.state, row.approved_by) for row in rows] == [
        ("2", "in force", None),
        ("1", "replaced", None),
    ]
    first, second = lines(staffed)
    assert (first["type"], first["subject"]) == ("fsgov.policy.activated.v1", digest)
    assert first["data"] == {"version": "1", "prior": None, "proposed_by": rows[1].proposed_by,
                             "actor": rows[1].proposed_by}  # fmt: skip
    assert (second["subject"], dict(second["data"])["prior"]) == (later, digest)  # type: ignore[call-overload]


def test_an_older_version_comes_back_as_a_new_activation(staffed: World) -> None:
    first, _ = activate(staffed, "bob", ONE)
    second, _ = activate(staffed, "bob", TWO, first)
    assert activate(staffed, "beth", ONE, second) == (first, True)
    with as_(staffed, "bob") as acting:
        assert [row.state for row in acting.history()] == ["in force", "replaced", "replaced"]
        assert acting.stored("2") == (second, TWO)
        assert acting.stored(first[:8]) == (first, ONE)
        for unknown in ("9", "0123456789", first[:7]):
            with pytest.raises(NotFound):
                acting.stored(unknown)


def test_two_persons_are_two_logins(staffed: World) -> None:
    digest, activated = activate(staffed, "bob", GUARDED)
    assert not activated
    with eyes(staffed) as looking:
        assert looking.look(None).sha256 is None
        for who, fault in (("bob", NotPermitted), ("carol", NotPermitted), ("tina", NotPermitted)):
            with as_(staffed, who) as acting, pytest.raises(fault):
                acting.approve(digest, None)
        assert looking.look(None).sha256 is None
        with as_(staffed, "alice") as acting:
            acting.approve(digest, None)
            with pytest.raises(Conflict):
                acting.approve(digest, digest)
        assert looking.look(None).sha256 == digest
    with as_(staffed, "bob") as acting:
        (row,) = acting.history()
    assert row.approved_by
    assert row.approved_by != row.proposed_by
    proposed, activated_line = lines(staffed)
    assert proposed["type"] == "fsgov.policy.proposed.v1"
    assert activated_line["data"] == {
        "version": "guarded", "prior": None, "proposed_by": row.proposed_by, "actor": row.approved_by
    }  # fmt: skip


def test_what_is_in_force_guards_its_own_successor(staffed: World) -> None:
    digest, _ = activate(staffed, "bob", GUARDED)
    with as_(staffed, "beth") as acting:
        acting.approve(digest, None)
    later, activated = activate(staffed, "bob", ONE, digest)
    assert not activated, "a document without the key would take the rule away by itself"
    newer, _ = activate(staffed, "bob", TWO, digest)
    with as_(staffed, "beth") as acting:
        with pytest.raises(Conflict, match="does not wait"):
            acting.approve(later, digest)
        assert [row.state for row in acting.history()] == ["proposed", "superseded", "in force"]
        acting.approve(newer, digest)
        assert activate(staffed, "bob", THREE, newer)[1], "nothing in force asks for two any more"


def test_who_may_not_activate(staffed: World) -> None:
    staffed.person("petra", "privacy", tenants=["acme"])
    for who in ("alice", "carol", "petra"):
        with pytest.raises(NotPermitted):
            activate(staffed, who, ONE)
    assert lines(staffed) == []


def test_an_activation_rests_on_what_its_author_saw(staffed: World) -> None:
    digest, _ = activate(staffed, "bob", ONE)
    with pytest.raises(Conflict, match="meanwhile"):
        activate(staffed, "beth", TWO)
    with pytest.raises(Conflict, match="already"):
        activate(staffed, "beth", ONE, digest)
    with pytest.raises(Conflict, match="Another text"):
        activate(staffed, "beth", ONE + "# changed\n", digest)
    with as_(staffed, "beth") as acting, pytest.raises(FsgovError, match="is no name"):
        acting.activate("+493012345", TWO, "none", digest)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO fsgov.activations (sha256, version, approval, proposed_by, activated_at)"
        " SELECT sha256, version, 'none', (SELECT min(id) FROM fsgov.people), now() FROM fsgov.policies",
        "INSERT INTO fsgov.policies (sha256, version, text) VALUES ('x', 'x', 'x')",
        "UPDATE fsgov.activations SET approved_by = 'p-x', activated_at = now()",
        "DELETE FROM fsgov.activations",
        "INSERT INTO fsgov.stops (id, tenant, kind, host, reason, placed_by)"
        " SELECT 's-x', '*', 'host', 'fs1', '', min(id) FROM fsgov.people",
        "UPDATE fsgov.stops SET lifted_at = now()",
        "SELECT fsgov.enter_from_desk('p-abcdefgh', 'policy.activated', 'x', '{}')",
        "SET ROLE fsgov_owner",
    ],
)
def test_nothing_is_written_by_hand(staffed: World, statement: str) -> None:
    activate(staffed, "bob", GUARDED)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        staffed.sql("bob", statement)


def test_what_was_in_force_is_never_changed_not_even_by_the_owner(staffed: World) -> None:
    activate(staffed, "bob", ONE)
    for statement in (
        "UPDATE fsgov.activations SET activated_at = now()",
        "DELETE FROM fsgov.activations",
        "TRUNCATE fsgov.activations",
        "UPDATE fsgov.policies SET text = 'x'",
    ):
        with pytest.raises(psycopg2.Error, match="never changed"):
            staffed.sql("admin", statement)


def test_services_cannot_tell_of_policies(staffed: World) -> None:
    origin = "fs1.govern.1"
    entry = {"id": f"{origin}.1", "source": "/fsgov/fs1", "type": "fsgov.policy.activated.v1"}
    with pytest.raises(Damaged, match="not one its origin may"), staffed.ship.entering() as entering:
        entering.lines(origin, 1, [json.dumps(entry).encode()])


# -- stops -----------------------------------------------------------------------------------------------


def test_a_stop_is_in_force_until_it_is_lifted(staffed: World) -> None:
    with as_(staffed, "alice") as acting, eyes(staffed) as looking:
        number = acting.place("number", NUMBER, "he asked for it")
        host = acting.place("host", "fs1", "")
        tenant = acting.place("tenant", "acme", "")
        seen = {
            stop.id: (stop.kind, stop.tenant, stop.number, stop.host) for stop in looking.look(None).stops
        }
        assert seen == {
            number: ("number", "*", NUMBER, None),
            host: ("host", "*", None, "fs1"),
            tenant: ("tenant", "acme", None, None),
        }
        acting.lift(number)
        assert {stop.id for stop in looking.look(None).stops} == {host, tenant}
        with pytest.raises(NotFound):
            acting.lift(number)
        assert {row.id for row in acting.stops()} == {host, tenant}
        assert [row.reason for row in acting.stops(lifted=True) if row.id == number] == ["he asked for it"]
    told = lines(staffed)
    assert [(each["type"], each["subject"]) for each in told] == [
        ("fsgov.stop.placed.v1", number),
        ("fsgov.stop.placed.v1", host),
        ("fsgov.stop.placed.v1", tenant),
        ("fsgov.stop.lifted.v1", number),
    ]
    assert set(dict(told[0]["data"])) == {"kind", "actor"}  # type: ignore[call-overload]


def test_whoever_is_of_one_tenant_stops_in_that_tenant(staffed: World) -> None:
    with as_(staffed, "alice") as acting:
        everywhere = acting.place("number", NUMBER, "")
    with as_(staffed, "tina") as acting, eyes(staffed) as looking:
        mine = acting.place("number", NUMBER, "")
        acting.place("tenant", "acme", "")
        for kind, what in (("host", "fs1"), ("tenant", "other")):
            with pytest.raises(NotPermitted):
                acting.place(kind, what, "")
        with pytest.raises(NotFound):
            acting.lift(everywhere)
        assert mine in {row.id for row in acting.stops()}
        assert everywhere not in {row.id for row in acting.stops()}
        scopes = {stop.id: stop.tenant for stop in looking.look(None).stops}
        assert (scopes[mine], scopes[everywhere]) == ("acme", "*")


def test_stops_are_not_for_everybody_and_for_something(staffed: World) -> None:
    with as_(staffed, "carol") as acting, pytest.raises(NotPermitted):
        acting.place("number", NUMBER, "")
    with as_(staffed, "alice") as acting:
        for kind, what in (("number", ""), ("moon", "x"), ("tenant", "*")):
            with pytest.raises(FsgovError):
                acting.place(kind, what, "")
    staffed.person("ann", "agent")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        staffed.sql("ann", "SELECT number FROM fsgov.stops")
