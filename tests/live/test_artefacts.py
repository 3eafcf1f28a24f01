"""What is made of recordings: attached, stored by ship, opened and destroyed as the recording is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.artefacts import Made
from fsgov.envelope import Identity, seal_bytes, unseal_bytes, unwrap_identity, wrap_identity
from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted, Unreachable
from fsgov.shipper.artefacts import ALARM, Stowing
from fsgov.vault import Bucket, open_bucket
from tests.live.test_retaining import a_policy, keep_of
from tests.parts import warm
from tests.parts.catalog import World, call_file, sidecar
from tests.parts.schemas import faults

SEGMENT = "0f6c-01"
TEXT = b"hallo, hier spricht der Anrufer"
DESK_KEY = Identity.generate(os.urandom)


@dataclass
class Place:
    """A recording that is really sealed, its catalog and its vault."""

    world: World
    own: Identity
    bucket: Bucket

    def attach(self, who: str = "ingo", text: bytes = TEXT, **changes: Any) -> str:
        desk = self.world.desk(who)
        recipient = desk.artefacts.recipient(SEGMENT)
        assert recipient == str(self.own.recipient)
        made = {
            "segment": SEGMENT,
            "kind": "transcript",
            "media_type": "text/plain",
            "purpose": "training",
            "made_by": "whisper 3",
            "size": len(text),
            "sha256": hashlib.sha256(text).hexdigest(),
            "sealed": seal_bytes(text, [self.own.recipient], os.urandom),
        }
        return desk.artefacts.attach(Made(**{**made, **changes}))

    def stow(self, buckets: dict[str, Bucket] | None = None) -> int:
        return Stowing(self.world.ship, {"eu": self.bucket} if buckets is None else buckets).run_once()

    def lines(self) -> list[dict[str, Any]]:
        rows = self.world.sql("admin", "SELECT line FROM fsgov.outbox ORDER BY origin, n")
        assert [fault for (line,) in rows for fault in faults(bytes(line))] == []
        found = [json.loads(bytes(line)) for (line,) in rows]
        return [line for line in found if line["type"].startswith(("fsgov.artefact", "fsgov.access"))]

    def state(self, artefact: str) -> tuple[str, bool]:
        """State, and whether its bytes are in the database."""
        ((state, waiting),) = self.world.sql(
            "admin",
            "SELECT state, EXISTS (SELECT FROM fsgov.artefact_bytes b WHERE b.artefact = a.artefact)"
            " FROM fsgov.artefacts a WHERE artefact = %s",
            values=(artefact,),
        )
        return state, waiting


@pytest.fixture
def place(world: World, tmp_path: Path) -> Place:
    own = Identity.generate(os.urandom)
    segment = sidecar(SEGMENT, basis={"evidence": "contract", "training": "consent"})
    segment["sealed"]["recipient"] = str(own.recipient)
    with world.ship.entering() as entering:
        entering.call(json.dumps(call_file()))
        entering.segment(json.dumps(segment), wrap_identity(own, [DESK_KEY.recipient], os.urandom))
    world.person("ingo", "integrator")
    world.person("alice", "supervisor")
    bucket = open_bucket(f"file:{tmp_path}/audio", None)
    bucket.create()
    return Place(world, own, bucket)


def test_nothing_is_attached_for_a_purpose_that_is_over(place: Place) -> None:
    policy = a_policy()
    place.world.sql("ship", "SELECT fsgov.enter_policy(%s, %s)", values=[policy.version, policy.text])
    keep_of(place.world).enter_periods(policy)
    place.world.sql(
        "admin",
        f"UPDATE fsgov.segments SET policy_sha256 = '{policy.sha256}', closed_at = now() - interval '1 year'",
    )
    with pytest.raises(NotPermitted, match="time of this purpose is over"):
        place.attach()
    assert place.attach(purpose="evidence")


def test_it_goes_below_its_recording_sealed_to_its_key(place: Place) -> None:
    artefact = place.attach()
    assert place.state(artefact) == ("waiting", True)
    assert place.stow() == 1
    assert place.stow() == 0
    assert place.state(artefact) == ("stored", False)
    (found,) = place.bucket.list()
    row = place.world.desk("alice").artefacts.one(artefact)
    assert (found.key, found.version_id) == (row.object_key, row.version_id)
    assert found.key == f"default/2026/11/{SEGMENT}/{artefact}.age"
    sealed = b"".join(place.bucket.get(found.key, found.version_id))
    assert hashlib.sha256(sealed).hexdigest() == row.sealed_sha256
    assert unseal_bytes(sealed, [place.own]) == TEXT


def test_the_log_tells_of_it_and_nothing_of_what_is_in_it(place: Place) -> None:
    artefact = place.attach()
    (line,) = place.lines()
    assert (line["type"], line["subject"]) == ("fsgov.artefact.attached.v1", artefact)
    row = place.world.desk("alice").artefacts.one(artefact)
    facts = dict(line["data"])
    assert facts.pop("actor") == place.world.desk("ingo").whoami().person
    assert facts == {
        "call": "0f6c", "segment": SEGMENT, "kind": "transcript", "purpose": "training",
        "size": row.sealed_size, "sha256": row.sealed_sha256,
    }  # fmt: skip
    assert row.sha256 not in json.dumps(line)


def test_the_same_again_is_the_same_artefact(place: Place) -> None:
    first = place.attach()
    assert place.attach() == first
    place.stow()
    assert place.attach() == first
    assert len(place.lines()) == 1
    assert place.attach(kind="summary") != first
    assert place.attach(text=b"another") != first


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"purpose": "analytics"}, NotPermitted, "does not serve"),
        ({"purpose": "review"}, NotPermitted, "does not serve"),
        ({"segment": "0f6c-02"}, NotFound, "no such segment"),
        ({"sealed": TEXT}, Damaged, "comes sealed"),
        ({"kind": "A Transcript"}, Conflict, "kind"),
        ({"media_type": "text"}, Conflict, "media_type"),
        ({"size": 0}, Conflict, "size"),
    ],
)
def test_what_is_not_attached(
    place: Place, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        place.attach(**changes)
    assert place.world.sql("admin", "SELECT FROM fsgov.artefacts") == []
    assert place.lines() == []


@pytest.mark.parametrize("role", ["agent", "auditor", "ops"])
def test_attaching_is_not_for_every_role(place: Place, role: str) -> None:
    place.world.person("eve", role)
    with pytest.raises(NotPermitted):
        place.attach("eve")


def test_other_tenants_do_not_exist(place: Place) -> None:
    place.world.person("eve", "integrator", tenants=["other"])
    with pytest.raises(NotFound):
        place.attach("eve")
    place.world.person("ann", "supervisor", tenants=["other"])
    artefact = place.attach()
    place.stow()
    assert place.world.desk("ann").artefacts.of([SEGMENT]) == []
    with pytest.raises(NotFound):
        place.world.desk("ann").artefacts.request(artefact, "training", "to read")


@pytest.mark.parametrize(
    "change",
    [
        "state = 'quarantined', quarantine = 'withdrawn'",
        "dispose = true",
        "state = 'missing', object_key = NULL, sealed_sha256 = NULL",
    ],
)
def test_nothing_is_attached_to_what_is_set_aside(place: Place, change: str) -> None:
    place.world.sql("admin", f"UPDATE fsgov.segments SET {change}")
    with pytest.raises(Conflict, match="Nothing is attached"):
        place.attach()


def test_a_consent_taken_back_closes_the_purpose_for_attaching_and_reading(place: Place) -> None:
    artefact = place.attach()
    place.stow()
    place.world.sql("admin", "UPDATE fsgov.consents SET state = 'withdrawn'")
    with pytest.raises(NotPermitted, match="taken its consent"):
        place.attach(text=b"another")
    with pytest.raises(NotPermitted, match="taken its consent"):
        place.world.desk("alice").artefacts.request(artefact, "training", "to read")


def test_it_is_opened_as_its_recording_is(place: Place) -> None:
    artefact = place.attach()
    desk = place.world.desk("alice")
    with pytest.raises(Conflict, match="waiting"):
        desk.artefacts.request(artefact, "training", "to read")
    place.stow()
    access = desk.artefacts.request(artefact, "training", "to read")
    key = desk.release_key(access)
    row = desk.artefacts.one(artefact)
    sealed = b"".join(place.bucket.get(row.object_key, row.version_id or ""))
    assert unseal_bytes(sealed, [unwrap_identity(key.wrapped_key, [DESK_KEY])]) == TEXT
    told = [line["type"] for line in place.lines() if line["data"].get("access") == access]
    assert told == [
        "fsgov.access.requested.v1", "fsgov.artefact.requested.v1", "fsgov.access.released.v1",
    ]  # fmt: skip


def test_it_serves_what_it_was_made_for_and_nothing_else(place: Place) -> None:
    artefact = place.attach()
    place.stow()
    desk = place.world.desk("alice")
    with pytest.raises(NotPermitted, match="does not serve"):  # though its recording serves it
        desk.artefacts.request(artefact, "evidence", "to read")
    assert place.world.sql("admin", "SELECT FROM fsgov.accesses") == []
    query = """SELECT id FROM fsgov.open_case('[{"kind": "call", "value": "0f6c"}]', 'ticket', '', '', '*')"""
    ((case,),) = place.world.sql("alice", query)
    desk.artefacts.request(artefact, "complaint", "to read", complaint=case)


def test_it_is_quarantined_with_its_recording(place: Place) -> None:
    artefact = place.attach()
    place.stow()
    place.world.sql("admin", "UPDATE fsgov.segments SET state = 'quarantined', quarantine = 'withdrawn'")
    with pytest.raises(NotPermitted, match="quarantined"):
        place.world.desk("alice").artefacts.request(artefact, "training", "to read")
    place.world.person("petra", "privacy")
    place.world.desk("petra").artefacts.request(artefact, "review", "to see")


def test_a_purpose_whose_time_is_over_is_closed_for_attaching_too(place: Place) -> None:
    place.world.sql(
        "admin",
        "INSERT INTO fsgov.policies (sha256, version, text) VALUES (encode(sha256('x'), 'hex'), '1', 'x')",
        "UPDATE fsgov.segments SET policy_sha256 = encode(sha256('x'), 'hex')",
        "UPDATE fsgov.calls SET ended_at = now() - interval '2 days'",
        "INSERT INTO fsgov.periods (policy, purpose, basis, timezone, retain_min, retain_max, anchor,"
        " anchor_plus) SELECT encode(sha256('x'), 'hex'), p, 'consent', 'UTC', '0', d, 'call_end', '0'"
        " FROM (VALUES ('training', interval '1 hour'), ('evidence', interval '5 years')) AS u(p, d)",
    )
    place.attach(purpose="evidence")
    with pytest.raises(NotPermitted, match="is over"):
        place.attach(purpose="training")


# -- the way to the vault --------------------------------------------------------------------------------


def test_a_vault_that_is_away_loses_none_and_holds_up_no_other(place: Place, tmp_path: Path) -> None:
    artefact = place.attach()
    place.world.sql("admin", "UPDATE fsgov.segments SET vault = 'uk'")
    other = place.attach(text=b"another")
    away = open_bucket(f"file:{tmp_path}/nowhere", None)
    with pytest.raises((Unreachable, NotFound)):
        place.stow({"eu": away, "uk": place.bucket})
    assert place.state(artefact) == ("waiting", True)
    assert place.state(other) == ("stored", False)
    assert place.stow() == 1


def test_an_alarm_is_up_while_a_vault_refuses(place: Place, tmp_path: Path) -> None:
    place.attach()
    stowing = Stowing(place.world.ship, {"eu": open_bucket(f"file:{tmp_path}/nowhere", None)}, every=0.02)
    stowing.start()
    try:
        until(lambda: ALARM in stowing.troubles)
        open_bucket(f"file:{tmp_path}/nowhere", None).create()
        until(lambda: not stowing.troubles)
    finally:
        stowing.close()


def until(found: Any) -> None:
    stop = threading.Event()
    for _ in range(1000):
        if found():
            return
        stop.wait(0.02)
    raise AssertionError("it never came")


@pytest.mark.parametrize("failpoint", ["ship.artefact.before", "ship.artefact.after"])
def test_a_kill_on_the_way_stores_it_once(place: Place, failpoint: str, tmp_path: Path) -> None:
    artefact = place.attach()
    program = (
        "import sys\nfrom fsgov.catalog.ship import open_ship\nfrom fsgov.shipper.artefacts import Stowing\n"
        "from fsgov.vault import open_bucket\n"
        "Stowing(open_ship(*sys.argv[1:3]), {'eu': open_bucket(sys.argv[3], None)}).run_once()\n"
    )
    password = migrate.service_password(place.world.credentials, "ship")
    words = ["-c", program, place.world.dsn, password, f"file:{tmp_path}/audio"]
    environment = {**os.environ, "FSGOV_FAILPOINT": failpoint}
    killed = subprocess.run(warm.python(words, environment), env=environment, check=False)
    assert killed.returncode == -9
    assert place.state(artefact) == ("waiting", True)
    assert place.stow() == 1
    assert len(list(place.bucket.list())) == 1


def test_while_one_is_under_way_its_recording_is_not_touched(place: Place) -> None:
    artefact = place.attach()
    with place.world.ship.entering() as entering:
        found = entering.artefact("eu")
        assert found is not None
        assert found.artefact == artefact
        assert place.stow() == 0  # another ship does not take it
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            place.world.sql("admin", "SET lock_timeout = '50ms'", "UPDATE fsgov.segments SET dispose = true")


def test_nobody_reads_what_waits(place: Place) -> None:
    place.attach()
    place.world.person("petra", "privacy", "auditor", "supervisor", "ops")
    for who in ("petra", "ship", "keep", "govern"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            place.world.sql(who, "SELECT FROM fsgov.artefact_bytes")


# -- its end ---------------------------------------------------------------------------------------------


def objects(place: Place) -> set[tuple[str, str, str]]:
    return set(place.world.sql("admin", "SELECT * FROM fsgov.objects_of(%s)", values=(SEGMENT,)))


def test_purge_removes_it_with_its_recording_however_far_ship_came(place: Place) -> None:
    artefact = place.attach()
    own = f"default/2026/11/{SEGMENT}"
    both = {("eu", f"{own}.age", "audio"), ("eu", f"{own}/{artefact}.age", "artefact")}
    assert objects(place) == both
    place.stow()
    assert objects(place) == both
    place.world.sql("admin", "INSERT INTO fsgov.replicas (vault, of, by_store) VALUES ('uk', 'eu', true)")
    assert objects(place) - both == {("uk", key, "replica") for _, key, _ in both}


def test_what_waits_goes_when_its_recording_does(place: Place) -> None:
    artefact = place.attach()
    place.world.sql("admin", "UPDATE fsgov.segments SET state = 'destroying'")  # as begin_destruction does
    assert place.state(artefact) == ("destroyed", False)
    assert place.stow() == 0
    row = place.world.desk("alice").artefacts.one(artefact)
    assert (row.sha256, row.made_by) == (None, "")
