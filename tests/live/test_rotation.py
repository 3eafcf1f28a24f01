"""Rotation of wrapped keys, on a real database and real buckets; judged by what opens the recordings."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from fsgov import rotation
from fsgov.catalog.rotating import Batch, Rotating, Settled, WrappedKey
from fsgov.envelope import Identity, unwrap_identity, wrap_identity
from fsgov.errors import Conflict, Damaged, NotFound, NotPermitted
from fsgov.vault import Bucket, Vault, open_bucket, open_vault
from tests.live.keyring import CALL, ESCROW, NEW, OLD, TO, Firm, fingerprints, firm_of
from tests.parts.catalog import START, World
from tests.parts.rgw import Rgw


@pytest.fixture
def firm(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Firm:
    monkeypatch.setattr(rotation, "BATCH", 3)
    return firm_of(world, open_vault("eu", f"file:{tmp_path}/audio", f"file:{tmp_path}/keys"))


# -- the way it goes -------------------------------------------------------------------------------------


def test_after_a_rotation_the_new_identities_open_everything_and_the_old_one_nothing(firm: Firm) -> None:
    firm.record(4)
    everything = set(firm.audio)
    id_ = firm.asked()
    assert firm.wrap(id_).keys == 4
    for identity in (NEW, ESCROW):
        assert firm.usual(identity) == everything
    assert firm.opened_by(OLD) == everything, "what the keys were is kept until they are confirmed"
    assert firm.confirm(id_).keys == 4
    for identity in (NEW, ESCROW):
        assert firm.usual(identity) == everything
    assert firm.opened_by(OLD) == set()
    assert firm.state(id_) == "confirmed"
    assert firm.world.sql("admin", "SELECT DISTINCT recipients FROM fsgov.segment_keys") == [
        (fingerprints(TO),)
    ]


def test_each_batch_is_a_line_before_and_after(firm: Firm) -> None:
    firm.record(4)
    id_ = firm.asked()
    firm.wrap(id_)
    firm.confirm(id_)
    told = {}
    for line in firm.lines(id_):
        told.setdefault(str(line["type"]).removeprefix("fsgov.rotation.")[:-3], []).append(line["data"])
    assert {type_: len(found) for type_, found in told.items()} == {
        "asked": 1, "approved": 1, "requested": 4, "wrapped": 2, "confirmed": 2, "ended": 1,
    }  # fmt: skip
    ids = [f"{CALL}-{n:02}" for n in (1, 2, 3)]
    first = next(each for each in told["requested"] if each["step"] == "wrap" and each["keys"] == 3)
    assert first["sha256"] == hashlib.sha256("\n".join(ids).encode()).hexdigest()
    rows = firm.world.sql("admin", "SELECT segments FROM fsgov.rotation_batches ORDER BY n LIMIT 1")
    assert rows == [(ids,)]
    assert [sum(each["keys"] for each in told[type_]) for type_ in ("wrapped", "confirmed")] == [4, 4]
    assert b"left" not in json.dumps(firm.lines(id_)[0]["data"]).encode(), "the reason stays in its row"


def test_recordings_that_come_while_it_goes_on_are_done_by_the_next_run(firm: Firm) -> None:
    firm.record(2)
    id_ = firm.asked()
    firm.wrap(id_)
    firm.record(2, first=11)
    firm.record(1, first=21, to=TO)
    assert firm.confirm(id_).keys == 2
    assert firm.state(id_) == "to be wrapped"
    assert firm.wrap(id_).keys == 2, "the one that was sealed to the new ones is as it was"
    firm.confirm(id_)
    assert firm.state(id_) == "confirmed"
    assert firm.opened_by(OLD) == set()
    assert firm.usual(NEW) == set(firm.audio)


# -- two persons, and no key before its line -------------------------------------------------------------


def test_it_takes_two_logins(firm: Firm) -> None:
    firm.record(2)
    id_ = firm.asked(approve=False)
    with firm.person("alice") as alice, firm.person("bob") as bob, firm.person("sue") as sue:
        with pytest.raises(NotPermitted, match="Nobody approves"):
            alice.approve(id_)
        with pytest.raises(Conflict, match="not approved"):
            alice.ask(id_, "wrap", "", 10)
        with pytest.raises(NotPermitted):
            sue.ask_for("us", fingerprints(TO), "why")
        sue.approve(id_)
        with pytest.raises(NotPermitted, match="by who asked"):
            bob.ask(id_, "wrap", "", 10)
        with pytest.raises(NotPermitted):
            sue.ask(id_, "wrap", "", 10)
        with pytest.raises(Conflict, match="under way"):
            bob.ask_for("eu", fingerprints(TO), "another")
    firm.wrap(id_)
    with firm.person("alice") as alice:
        with pytest.raises(NotPermitted, match="Nobody confirms"):
            alice.ask(id_, "confirm", "", 10)
        with pytest.raises(NotPermitted, match="Nobody confirms"):
            alice.end(id_)
    firm.confirm(id_)
    with firm.person("alice") as alice, pytest.raises(Conflict, match="has ended"):
        alice.ask(id_, "wrap", "", 10)


def test_a_rotation_is_for_privacy_of_every_tenant(firm: Firm) -> None:
    firm.world.person("tess", "privacy", tenants=["default"])
    firm.world.person("olga", "ops")
    with firm.person("tess") as tess, firm.person("olga") as olga:
        for act in (
            lambda: tess.ask_for("eu", fingerprints(TO), "why"),
            lambda: olga.ask_for("eu", ["ab" * 8], "why"),
        ):
            with pytest.raises(NotPermitted):
                act()
        with pytest.raises(NotPermitted):
            tess.counts()
        assert olga.counts() == []
        id_ = firm.asked()
        for person in (tess, olga):
            with pytest.raises(NotPermitted):
                person.undo(id_)


@pytest.mark.parametrize("recipients", [[], ["age1x"], ["AB" * 8], [None]])
def test_recipients_are_fingerprints(firm: Firm, recipients: list[str]) -> None:
    with firm.person("alice") as alice, pytest.raises(Damaged, match="by fingerprint"):
        alice.ask_for("eu", recipients, "why")


def test_no_key_leaves_before_its_batch_is_committed_and_none_twice(firm: Firm) -> None:
    firm.record(2)
    id_ = firm.asked()
    release = "SELECT * FROM fsgov.release_batch(%s, 1)"
    with (
        closing(psycopg2.connect(firm.world.as_person("alice"))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT fsgov.rotation_batch(%s, 'wrap', '', 10)", (id_,))
        with pytest.raises(psycopg2.Error, match="not committed"):
            cursor.execute(release, (id_,))
        connection.rollback()
        with pytest.raises(psycopg2.Error, match="no such batch"):
            cursor.execute(release, (id_,))
    with firm.person("alice") as alice, firm.person("bob") as bob:
        batch = alice.ask(id_, "wrap", "", 10)
        assert batch == Batch(id_, 1, f"{CALL}-02", 2)
        with pytest.raises(NotFound, match="no such batch"):
            bob.release(batch)
        assert len(alice.release(batch)) == 2
        with pytest.raises(Conflict, match="used"):
            alice.release(batch)
        firm.world.sql("admin", "UPDATE fsgov.rotation_batches SET released_at = NULL, xact = '3'")
        with pytest.raises(Conflict, match="not committed"):
            alice.release(batch)


# -- what changes meanwhile ------------------------------------------------------------------------------


def taken(firm: Firm, id_: str, alice: Rotating) -> tuple[Batch, list[Settled]]:
    """A batch that is out, sealed anew and in the bucket."""
    batch = alice.ask(id_, "wrap", "", 10)
    assert batch is not None
    made = []
    for key in alice.release(batch):
        anew = wrap_identity(unwrap_identity(key.wrapped_key, [OLD]), TO, os.urandom)
        made.append(Settled(key.segment, hashlib.sha256(key.wrapped_key).digest(), anew, "v2"))
    return batch, made


def test_a_row_that_changed_meanwhile_is_not_overwritten(firm: Firm) -> None:
    firm.record(2)
    id_ = firm.asked()
    with firm.person("alice") as alice:
        batch, made = taken(firm, id_, alice)
        firm.world.sql(
            "admin", f"UPDATE fsgov.segment_keys SET wrapped_key = 'other' WHERE segment = '{CALL}-01'"
        )
        with alice.settling(batch) as settling:
            assert settling.locked(made) == {f"{CALL}-02"}
            assert settling.wrapped(made) == 1
    rows = firm.world.sql(
        "admin", "SELECT wrapped_key, prior_key IS NULL FROM fsgov.segment_keys ORDER BY segment"
    )
    assert (bytes(rows[0][0]), rows[0][1], rows[1][1]) == (b"other", True, False)
    assert firm.lines(id_)[-1]["data"]["left"] == 1  # type: ignore[index]


def test_a_key_that_is_destroyed_meanwhile_comes_back_nowhere(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Purge destroys the row's key while it is out, and everything in the bucket."""
    firm.record(3)
    gone = f"{CALL}-02"
    id_ = firm.asked()

    released = Rotating.release

    def purged(self: Rotating, batch: Batch) -> list[WrappedKey]:
        found = released(self, batch)
        firm.world.sql("admin", f"DELETE FROM fsgov.segment_keys WHERE segment = '{gone}'")
        for version in list(firm.vault.keys.list(f"keys/{gone}")):
            firm.vault.keys.remove(version.key, version.version_id)
        return found

    monkeypatch.setattr(Rotating, "release", purged)
    assert firm.wrap(id_).keys == 2
    monkeypatch.undo()
    assert gone not in firm.wrapped()
    firm.confirm(id_)
    assert firm.state(id_) == "confirmed"


def test_a_purge_waits_while_a_new_key_is_put_into_the_bucket(firm: Firm) -> None:
    """So its listing, which comes after, sees what was put."""
    firm.record(1)
    id_ = firm.asked()
    destroy = ("SET lock_timeout = '300ms'", f"DELETE FROM fsgov.segment_keys WHERE segment = '{CALL}-01'")
    with firm.person("alice") as alice:
        batch, made = taken(firm, id_, alice)
        with alice.settling(batch) as settling:
            settling.locked(made)
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                firm.world.sql("admin", *destroy)
            settling.wrapped(made)
    firm.world.sql("admin", *destroy)


def test_recordings_under_destruction_are_left_alone(firm: Firm) -> None:
    firm.record(2)
    firm.world.sql("admin", f"UPDATE fsgov.segments SET state = 'destroying' WHERE segment = '{CALL}-01'")
    id_ = firm.asked()
    assert firm.wrap(id_).keys == 1


def test_two_runs_at_once_do_each_key_once(firm: Firm) -> None:
    firm.record(6)
    id_ = firm.asked()
    runs = [threading.Thread(target=firm.wrap, args=(id_,)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    firm.confirm(id_)
    assert firm.usual(NEW) == set(firm.audio)
    assert firm.opened_by(OLD) == set()


# -- what is wrong ---------------------------------------------------------------------------------------


def test_nothing_is_sealed_to_whom_nobody_here_can_open_it_for(firm: Firm) -> None:
    firm.record(1)
    id_ = firm.asked()
    with pytest.raises(NotFound, match="No identity of the new recipients"):
        firm.wrap(id_, OLD)
    assert firm.world.sql("admin", "SELECT count(*) FROM fsgov.rotation_batches") == [(0,)]


def test_a_key_is_opened_again_before_it_is_written(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever sealing does wrong: to other recipients, or another key than was opened."""
    firm.record(2)
    id_ = firm.asked()
    other = Identity.generate(os.urandom)
    for wrong in (
        lambda i, _, r: wrap_identity(i, [OLD.recipient], r),
        lambda _, to, r: wrap_identity(other, to, r),
    ):
        monkeypatch.setattr(rotation, "wrap_identity", wrong)
        done = firm.wrap(id_)
        assert (done.keys, len(done.faults)) == (0, 2)
    monkeypatch.undo()
    assert firm.usual(OLD) == set(firm.audio)


def test_a_key_that_no_identity_opens_holds_up_no_other(firm: Firm) -> None:
    firm.record(2)
    lost = Identity.generate(os.urandom)
    firm.record(1, first=5, to=(lost.recipient,))
    id_ = firm.asked()
    done = firm.wrap(id_)
    assert (done.keys, done.changed, set(done.faults)) == (2, 0, {f"{CALL}-05"})
    firm.confirm(id_)
    assert firm.state(id_) == "to be wrapped"
    assert firm.wrap(id_, lost, NEW).keys == 1
    firm.confirm(id_)
    assert firm.state(id_) == "confirmed"


def garbled(firm: Firm, id_: str, segment: str) -> None:
    """What a program other than ours, or a broken one, may send: a sound key, of another recording."""
    with firm.person("alice") as alice:
        batch = alice.ask(id_, "wrap", "", 10)
        assert batch is not None
        (key,) = [key for key in alice.release(batch) if key.segment == segment]
        wrong = wrap_identity(Identity.generate(os.urandom), TO, os.urandom)
        with alice.settling(batch) as settling:
            settling.wrapped([Settled(segment, hashlib.sha256(key.wrapped_key).digest(), wrong, "v2")])


def test_a_garbled_key_is_never_confirmed_and_can_be_undone(firm: Firm) -> None:
    firm.record(3)
    id_ = firm.asked()
    garbled(firm, id_, f"{CALL}-02")
    firm.wrap(id_)
    done = firm.confirm(id_)
    assert (done.keys, set(done.faults)) == (2, {f"{CALL}-02"})
    assert firm.state(id_) == "to be confirmed"
    with firm.person("bob") as bob:
        assert not bob.end(id_)
        assert bob.undo(id_) == 1
    assert firm.state(id_) == "undone"
    assert firm.usual(OLD) == {f"{CALL}-02"}
    assert firm.usual(NEW) == {f"{CALL}-01", f"{CALL}-03"}


def test_a_key_that_was_sealed_to_fewer_than_it_says_is_not_confirmed(firm: Firm) -> None:
    """The row names the escrow, and its identity opens nothing."""
    firm.record(1)
    id_ = firm.asked()
    with firm.person("alice") as alice, firm.person("bob") as bob:
        batch, (key,) = taken(firm, id_, alice)
        identity = unwrap_identity(key.key, [NEW])
        with alice.settling(batch) as settling:
            settling.wrapped([replace(key, key=wrap_identity(identity, [NEW.recipient], os.urandom))])
        done = rotation.confirm(bob, firm.vault, id_, [NEW, ESCROW])
        assert (done.keys, set(done.faults)) == (0, {f"{CALL}-01"})


def test_a_recording_that_cannot_be_looked_at_keeps_both_keys_until_its_loss_is_accepted(firm: Firm) -> None:
    firm.record(1)
    segment = f"{CALL}-01"
    id_ = firm.asked()
    firm.wrap(id_)
    (version,) = firm.vault.audio.list("default/")
    firm.vault.audio.remove(version.key, version.version_id)
    assert set(firm.confirm(id_).faults) == {segment}
    assert firm.state(id_) == "to be confirmed"
    person = firm.world.person("olga", "ops")
    firm.world.sql(
        "admin", "INSERT INTO fsgov.noted (kind, subject, noted_by) VALUES ('damaged-object', %s, %s)",
        values=[segment, person],
    )  # fmt: skip
    assert firm.confirm(id_).keys == 1


def test_what_is_no_age_file_is_not_written(firm: Firm) -> None:
    firm.record(1)
    id_ = firm.asked()
    with firm.person("alice") as alice:
        batch, (key,) = taken(firm, id_, alice)
        with alice.settling(batch) as settling:
            assert settling.wrapped([Settled(key.segment, key.was, b"nothing", "v2")]) == 0
    assert firm.usual(OLD) == {f"{CALL}-01"}


def test_an_undone_rotation_leaves_everything_as_it_was(firm: Firm) -> None:
    firm.record(4)
    rows = (
        "SELECT k.segment, k.wrapped_key::text, k.recipients, k.prior_key, k.rotation, s.key_version_id"
        " FROM fsgov.segment_keys k JOIN fsgov.segments s USING (segment) ORDER BY segment"
    )
    before = firm.world.sql("admin", rows)
    id_ = firm.asked()
    firm.wrap(id_)
    with firm.person("alice") as alice:
        assert alice.undo(id_) == 4
    assert firm.world.sql("admin", rows) == before
    assert firm.usual(OLD) == set(firm.audio)
    again = firm.asked()
    firm.wrap(again)
    firm.confirm(again)
    assert firm.opened_by(OLD) == set(), "versions of the undone one are swept as well"
    assert firm.usual(NEW) == set(firm.audio)


def test_keys_are_counted_by_whom_they_are_sealed_to(firm: Firm) -> None:
    firm.record(2)
    firm.record(1, first=5, to=TO)
    id_ = firm.asked()
    with firm.person("bob") as bob:
        assert [(row.vault, row.recipients, row.prior, row.keys) for row in bob.counts()] == sorted(
            [
                ("eu", fingerprints((OLD.recipient,)), False, 2),
                ("eu", [each.fingerprint for each in TO], False, 1),
            ]
        )
        firm.wrap(id_)
        assert ("eu", fingerprints((OLD.recipient,)), True, 2) in [
            (row.vault, row.recipients, row.prior, row.keys) for row in bob.counts()
        ]
        firm.confirm(id_)
        assert {fingerprint for row in bob.counts() for fingerprint in row.recipients} == set(
            fingerprints(TO)
        )


def test_copies_in_other_vaults_get_their_keys_when_they_are_confirmed(firm: Firm, tmp_path: Path) -> None:
    firm.record(3)
    elsewhere = open_bucket(f"file:{tmp_path}/elsewhere")
    elsewhere.create()

    def copy(n: int, state: str) -> None:
        segment = f"{CALL}-{n:02}"
        (row,) = firm.world.sql(
            "admin", f"SELECT wrapped_key FROM fsgov.segment_keys WHERE segment = '{segment}'"
        )
        at = elsewhere.put_bytes(f"keys/{segment}", bytes(row[0]), {}).version_id
        firm.world.sql(
            "admin",
            "INSERT INTO fsgov.copies (id, segment, tenant, vault, state, object_key, key_version_id)"
            " VALUES (%s, %s, 'default', 'us', %s, 'x', %s)",
            values=[f"c-{n}", segment, state, at],
        )

    copy(1, "stored")
    copy(2, "copying")
    id_ = firm.asked()
    assert firm.wrap(id_).keys == 2, "not of which a copy is being made"
    with firm.person("bob") as bob:
        done = rotation.confirm(bob, firm.vault, id_, [NEW])
        assert set(done.faults) == {f"{CALL}-01"}, "its other vault is not known here"
        firm.world.sql("admin", "UPDATE fsgov.copies SET state = 'stored' WHERE state = 'copying'")
        firm.wrap(id_)
        assert rotation.confirm(bob, firm.vault, id_, [NEW], others={"us": elsewhere}).keys == 2
        assert bob.end(id_)
    for segment, named in firm.world.sql("admin", "SELECT segment, key_version_id FROM fsgov.copies"):
        (only,) = elsewhere.list(f"keys/{segment}")
        assert only.version_id == named
        content = b"".join(elsewhere.get(only.key, named))
        assert firm.plain(segment, content, NEW) == firm.audio[segment]


# -- on a server that locks ------------------------------------------------------------------------------


def test_a_new_version_is_as_immutable_as_the_one_before(world: World, rgw: Rgw) -> None:
    from fsgov.vault.s3 import S3Bucket

    def bucket(name: str) -> Bucket:
        return S3Bucket(rgw.endpoint, f"rotation-{os.getpid()}-{name}", rgw.access, rgw.secret, tls=False)

    firm = firm_of(world, Vault("eu", bucket("audio"), bucket("keys")))
    firm.record(4)
    until = (START // 1_000_000 + 10**9) * 1_000_000
    locked, held, free, over = (f"keys/{CALL}-{n:02}" for n in (1, 2, 3, 4))
    keys = firm.vault.keys
    ends = int(time.time() + 2) * 1_000_000
    keys.lock(over, keys.stat(over).version_id, ends, "COMPLIANCE")
    keys.lock(locked, keys.stat(locked).version_id, until, "GOVERNANCE")
    keys.hold(held, keys.stat(held).version_id, True)
    while time.time() < ends / 1e6 + 0.1:
        time.sleep(0.1)
    id_ = firm.asked()
    firm.wrap(id_)
    assert keys.stat(over).lock_mode is None, "nothing is locked for the past"
    assert (keys.stat(locked).retain_until, keys.stat(locked).lock_mode) == (until, "GOVERNANCE")
    assert (keys.stat(held).legal_hold, keys.stat(free).legal_hold, keys.stat(free).lock_mode) == (
        True,
        False,
        None,
    )
    done = firm.confirm(id_)
    assert (done.keys, done.locked) == (4, 2)
    assert firm.usual(NEW) == set(firm.audio)
    assert firm.opened_by(OLD) == {f"{CALL}-01", f"{CALL}-02"}, "as long as the lock keeps those versions"
    assert len(list(keys.list(free))) == len(list(keys.list(over))) == 1
    for name in (locked, held):
        for version in list(keys.list(name)):
            keys.hold(name, version.version_id, False)
