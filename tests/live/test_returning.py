"""What was destroyed and comes back is removed again: that, every version of it, and nothing else."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from minio import Minio

from fsgov.catalog import migrate
from fsgov.catalog.returning import Returning
from fsgov.errors import Conflict, FsgovError
from fsgov.purge.removing import Vaults
from fsgov.purge.returning import Returns, segment_in
from fsgov.vault import Credentials, open_vault
from tests.parts import holds
from tests.parts.catalog import World
from tests.parts.purging import Yard, file_vault, yard

_numbers = itertools.count(1)


@pytest.fixture(params=["file", "moto_s3"])
def place(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Iterator[Yard]:
    if request.param == "file":
        yield yard(world, file_vault(tmp_path))
        return
    server = request.getfixturevalue(request.param)
    n = next(_numbers)
    vault = open_vault(
        "eu",
        server.url(f"returning-{n}-audio"),
        server.url(f"returning-{n}-keys"),
        Credentials(server.access, server.secret),
    )
    vault.audio.create()
    vault.keys.create()
    made = yard(world, vault)
    made.server, made.bucket = server, f"returning-{n}-audio"
    yield made
    vault.audio.close()
    vault.keys.close()


@pytest.fixture
def on_disk(world: World, tmp_path: Path) -> Yard:
    return yard(world, file_vault(tmp_path))


def audio(segment: str) -> str:
    return f"default/2026/11/{segment}.age"


def destroyed(place: Yard, count: int) -> list[str]:
    gone = place.store(count)
    place.plan(gone)
    assert place.apply() == count
    return gone


def back(place: Yard, segment: str) -> None:
    """Audio and key, as a bucket that was restored has them."""
    place.vault.audio.put_bytes(audio(segment), b"again", {"segment": segment})
    place.vault.keys.put_bytes(f"keys/{segment}", b"wrapped", {"segment": segment})


@contextmanager
def returns(place: Yard) -> Iterator[Returns]:
    catalog = Returning(place.world.dsn, migrate.service_password(place.world.credentials, "keep"))
    with closing(catalog):
        yield Returns(catalog, Vaults({"eu": place.vault}, place.now), "fs1", place.now, first=0)


def looked(place: Yard) -> Returns:
    """Once through everything."""
    with returns(place) as found:
        while found.turn():
            pass
        return found


def open_rows(place: Yard) -> list[str]:
    rows = place.world.sql("admin", "SELECT segment FROM fsgov.returned WHERE removed_at IS NULL ORDER BY 1")
    return [segment for (segment,) in rows]


def test_what_comes_back_is_removed_with_every_version(place: Yard) -> None:
    kept, (one, two) = place.store(1), destroyed(place, 2)
    assert looked(place).removed == 0
    back(place, one)
    place.vault.audio.put_bytes(audio(one), b"once more", {})
    neighbour = f"{audio(two)}x"
    place.vault.audio.put_bytes(neighbour, b"another", {})
    if place.server is not None:  # hidden by a marker, and half of an upload that came late
        server = place.server
        other = Minio(server.endpoint, server.access, server.secret, secure=False, region="us-east-1")
        other.remove_object(place.bucket, audio(one))
        upload = other._create_multipart_upload(place.bucket, audio(one), {})
        other._upload_part(place.bucket, audio(one), b"x" * 64, {}, upload, 1)
    certificates = place.bodies()
    found = looked(place)
    assert dict(found.troubles) == {}
    assert found.removed == 3 + (place.server is not None)
    assert place.vault.audio.uploads(audio(one)) == []
    ((left, version),) = [(each.key, each.version_id) for each in place.vault.audio.list(audio(two))]
    assert left == neighbour
    place.vault.audio.remove(left, version)
    place.whole()
    assert place.bodies() == certificates
    assert place.states()[kept[0]] == "stored"
    (line,) = place.lines("purge.returned")
    assert (line["subject"], line["data"]["vault"]) == (one, "eu")
    (line,) = place.lines("purge.removed")
    assert line["data"] == {"call": "0f6c", "vault": "eu", "objects": found.removed}
    assert open_rows(place) == []
    back(place, one)
    assert looked(place).removed == 2, "and again"
    place.whole()


def test_what_is_no_tombstones_is_left(on_disk: Yard) -> None:
    """Live recordings, those being destroyed, strangers, and a destroyed one's name in another place."""
    place = on_disk
    (gone,) = destroyed(place, 1)
    live, begun = place.store(1), place.store(1)
    place.plan(begun)
    with place.purge() as purge:
        purge.turn()
    assert place.states()[begun[0]] == "destroying"
    strange = ["default/2026/11/0f6c-77.age", f"acme/2026/11/{gone}.age", "readme.txt", f"log/{gone}"]
    for key in strange:
        place.vault.audio.put_bytes(key, b"x", {})
    assert looked(place).removed == 0
    assert {each.key for each in place.vault.audio.list()} == {*strange, audio(live[0]), audio(begun[0])}
    for segment, key in (
        (gone, f"acme/2026/11/{gone}.age"),
        (live[0], audio(live[0])),
        (begun[0], audio(begun[0])),
    ):
        with pytest.raises(psycopg2.Error, match="no object of a destroyed recording"):
            place.world.sql("keep", "SELECT fsgov.note_returned(%s, 'eu', %s)", values=[segment, key])
    place.world.sql(
        "admin",
        "INSERT INTO fsgov.returned (segment, vault, tenant) VALUES ('0f6c-02', 'eu', 'default')",
    )
    with pytest.raises(psycopg2.Error, match="no object of a destroyed recording"):
        place.world.sql("keep", "SELECT fsgov.begin_removal('0f6c-02', 'eu', '[]')")


def test_a_tombstone_alone_or_a_certificate_alone_is_no_authority(on_disk: Yard) -> None:
    one, two = destroyed(on_disk, 2)
    for statement in (
        f"UPDATE fsgov.segments SET state = 'destroying' WHERE segment = '{one}'",
        f"DELETE FROM fsgov.certificates WHERE segment = '{two}'",
    ):
        on_disk.world.sql("admin", "SET session_replication_role = replica", statement)
    for segment in (one, two):
        back(on_disk, segment)
    assert looked(on_disk).removed == 0
    assert open_rows(on_disk) == []


def test_audio_that_says_it_is_another_recordings_is_left_and_told(on_disk: Yard) -> None:
    (gone,) = destroyed(on_disk, 1)
    on_disk.vault.audio.put_bytes(audio(gone), b"x", {"segment": "0f6c-99"})
    found = looked(on_disk)
    assert (found.removed, open_rows(on_disk)) == (0, [gone])
    assert isinstance(found.troubles["purge.returned"], Conflict)
    assert len(list(on_disk.vault.audio.list())) == 1


def test_under_a_hold_it_stays_until_its_release(on_disk: Yard) -> None:
    (gone,) = destroyed(on_disk, 1)
    (live,) = on_disk.store(1)
    holds.place(on_disk.world, call="0f6c")
    back(on_disk, gone)
    found = looked(on_disk)
    assert (found.removed, dict(found.troubles), open_rows(on_disk)) == (0, {}, [gone])
    assert on_disk.lines("purge.returned") == []
    on_disk.release()
    on_disk.hold(live)  # and a restore has lost what it was about
    on_disk.world.sql("admin", "UPDATE fsgov.holds SET lost = true WHERE released_at IS NULL")
    assert looked(on_disk).removed == 0
    on_disk.release()
    assert looked(on_disk).removed == 2
    on_disk.whole()


def test_the_ledger_is_there_again_before_anything_goes(on_disk: Yard) -> None:
    """A key bucket that was restored from before its destruction knows nothing of it."""
    (gone,) = destroyed(on_disk, 1)
    (ledger,) = on_disk.vault.keys.list("erased/")
    on_disk.vault.keys.remove(ledger.key, ledger.version_id)
    back(on_disk, gone)
    assert looked(on_disk).removed == 2
    assert on_disk.ledger() == {gone}


def test_a_vault_that_does_not_answer_is_listed_again(on_disk: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    (gone,) = destroyed(on_disk, 1)
    back(on_disk, gone)
    clock = [0.0]
    catalog = Returning(on_disk.world.dsn, migrate.service_password(on_disk.world.credentials, "keep"))
    vaults = Vaults({"eu": on_disk.vault}, on_disk.now)
    with closing(catalog), monkeypatch.context() as patch:
        found = Returns(catalog, vaults, "fs1", on_disk.now, lambda: clock[0])
        assert not found.turn(), "not at once"
        clock[0] += 600

        def away(*_: object) -> Iterator[tuple[str, str, str]]:
            raise FsgovError("no")
            yield

        patch.setattr(Vaults, "everything", away)
        assert not found.turn()
        assert "purge.returned" in found.troubles
        patch.undo()
        clock[0] += 600
        while found.turn():
            pass
    assert (found.removed, dict(found.troubles)) == (2, {})


KEEP = """
import sys
from pathlib import Path
from fsgov.catalog.returning import Returning
from fsgov.purge.part import now
from fsgov.purge.removing import Vaults
from fsgov.purge.returning import Returns
from fsgov.vault import open_vault
dsn, file, root = sys.argv[1:]
vault = open_vault("eu", f"file:{root}/audio", f"file:{root}/keys")
catalog = Returning(dsn, Path(file).read_text().strip())
found = Returns(catalog, Vaults({"eu": vault}, now), "fs1", now, first=0)
while found.turn():
    pass
"""


@pytest.mark.slow
def test_a_kill_at_every_step_is_made_good(on_disk: Yard, tmp_path: Path) -> None:
    (gone,) = destroyed(on_disk, 1)
    back(on_disk, gone)
    for step in ("purge.returned", "purge.version", "purge.removed"):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                KEEP,
                on_disk.world.dsn,
                str(on_disk.world.credentials / "keep"),
                str(tmp_path),
            ],
            env={**os.environ, "FSGOV_FAILPOINT": step},
            capture_output=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert len(on_disk.lines("purge.returned")) == 1, "told before anything goes, and once"
    assert looked(on_disk).removed == 0
    on_disk.whole()
    (line,) = on_disk.lines("purge.removed")
    assert line["data"]["objects"] == 2, "what went before a kill is counted"


def test_what_reconcile_has_found_is_removed_at_once(on_disk: Yard) -> None:
    (gone,) = destroyed(on_disk, 1)
    back(on_disk, gone)
    on_disk.world.person("olga", "ops")
    ask = "SELECT fsgov.ask_removal(%s, 'eu', %s)"
    on_disk.world.sql("olga", ask, values=[gone, f"keys/{gone}"])
    with pytest.raises(psycopg2.Error, match="no object of a destroyed recording"):
        on_disk.world.sql("olga", ask, values=[gone, "default/2026/11/0f6c-02.age"])
    catalog = Returning(on_disk.world.dsn, migrate.service_password(on_disk.world.credentials, "keep"))
    with closing(catalog):
        found = Returns(catalog, Vaults({"eu": on_disk.vault}, on_disk.now), "fs1", on_disk.now)
        assert not found.turn()
    assert found.removed == 2, "the audio as well"
    on_disk.whole()
    assert len(on_disk.lines("difference.resolved")) == 1


def test_a_key_names_one_segment_or_none() -> None:
    assert segment_in("default/2026/11/0f6c-a-01.age") == "0f6c-a-01"
    assert segment_in("default/2026/11/0f6c-a-01/d-abc.age") == "0f6c-a-01"
    assert segment_in("keys/0f6c-a-01") == "0f6c-a-01"
    for other in (
        "0f6c-a-01.age",
        "default/2026/0f6c-a-01.age",
        "a/b/2026/11/0f6c-a-01.age",
        "log/x/1",
        "erased/x",
    ):
        assert segment_in(other) == ""
