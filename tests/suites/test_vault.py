"""The contract of a bucket, held by every kind of it: a directory, moto's S3, and a real Ceph RGW.

What only a server that enforces can show (signatures, digests, locks) is in test_vault_s3.py.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fsgov import vault
from fsgov.errors import BadUsage, Damaged, NotFound
from fsgov.vault import BLOCK, Bucket, Credentials, Probe
from fsgov.vault.pacing import Pace

_numbers = itertools.count(1)


@pytest.fixture(params=["file", "moto_s3", "rgw"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bucket]:
    """A fresh bucket of each kind."""
    if request.param == "file":
        made = vault.open_bucket(f"file:{tmp_path}/bucket")
    else:
        server = request.getfixturevalue(request.param)
        login = Credentials(server.access, server.secret)
        made = vault.open_bucket(server.url(f"suite-{next(_numbers)}"), login)
    made.create()
    yield made
    made.close()


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[Path, str, int]:
    """A file that is no multiple of a block, its digest and size."""
    content = os.urandom(3 * BLOCK + 12345)
    path = tmp_path / "sealed.age"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest(), len(content)


def content_of(bucket: Bucket, key: str, version_id: str) -> bytes:
    return b"".join(bucket.get(key, version_id))


def test_what_was_put_can_be_told_and_got(bucket: Bucket, sealed: tuple[Path, str, int]) -> None:
    path, digest, size = sealed
    before = time.time()
    stored = bucket.put(
        "default/2026/11/c-01.age", path, digest, size, {"segment": "c-01", "format": "age-v1"}
    )
    assert (stored.key, stored.size, stored.sha256) == ("default/2026/11/c-01.age", size, digest)
    assert stored.version_id
    told = bucket.stat(stored.key, stored.version_id)
    assert (told.key, told.version_id, told.size, told.sha256) == (
        stored.key,
        stored.version_id,
        size,
        digest,
    )
    assert told.metadata == {"segment": "c-01", "format": "age-v1", "sha256": digest}
    assert (told.retain_until, told.lock_mode, told.legal_hold) == (None, None, False)
    assert bucket.stat(stored.key) == told
    blocks = vault.verified(bucket.get(stored.key, stored.version_id), digest, size)
    assert b"".join(blocks) == path.read_bytes()
    (line,) = bucket.list()
    assert (line.key, line.version_id, line.size) == (stored.key, stored.version_id, size)
    assert line.latest
    assert not line.marker
    assert abs(line.modified / 1e6 - before) < 60


def test_an_upload_takes_as_long_as_its_pace(bucket: Bucket, sealed: tuple[Path, str, int]) -> None:
    path, digest, size = sealed
    bucket.pace = Pace(size)
    begun = time.monotonic()
    stored = bucket.put("default/2026/11/c-01.age", path, digest, size, {})
    assert time.monotonic() - begun > 0.8
    assert content_of(bucket, stored.key, stored.version_id) == path.read_bytes()


def test_small_and_empty_objects(bucket: Bucket) -> None:
    for content in (b"", b"age-encryption.org/v1\n"):
        stored = bucket.put_bytes("keys/c-01", content, {})
        assert stored.sha256 == bucket.stat("keys/c-01").sha256 == hashlib.sha256(content).hexdigest()
        assert content_of(bucket, "keys/c-01", stored.version_id) == content


def test_a_second_put_keeps_the_first_version(bucket: Bucket) -> None:
    first = bucket.put_bytes("keys/c-01", b"first", {})
    time.sleep(0.01)
    second = bucket.put_bytes("keys/c-01", b"second", {})
    assert first.version_id != second.version_id
    assert content_of(bucket, "keys/c-01", first.version_id) == b"first"
    assert content_of(bucket, "keys/c-01", second.version_id) == b"second"
    assert bucket.stat("keys/c-01").version_id == second.version_id
    assert {line.version_id: line.latest for line in bucket.list("keys/")} == {
        first.version_id: False,
        second.version_id: True,
    }


def test_remove_takes_the_named_version_and_no_other(bucket: Bucket) -> None:
    first = bucket.put_bytes("keys/c-01", b"first", {})
    second = bucket.put_bytes("keys/c-01", b"second", {})
    bucket.remove("keys/c-01", second.version_id)
    assert [line.version_id for line in bucket.list()] == [first.version_id], "no marker took its place"
    assert bucket.stat("keys/c-01").version_id == first.version_id
    bucket.remove("keys/c-01", first.version_id)
    assert list(bucket.list()) == []
    with pytest.raises(NotFound):
        bucket.stat("keys/c-01")
    bucket.remove("keys/c-01", first.version_id)  # again: the same end


def test_a_removal_without_a_version_is_refused(bucket: Bucket) -> None:
    stored = bucket.put_bytes("keys/c-01", b"first", {})
    with pytest.raises(BadUsage):
        bucket.remove("keys/c-01", "")
    assert [line.version_id for line in bucket.list()] == [stored.version_id]


def test_what_is_not_there_is_not_found(bucket: Bucket) -> None:
    stored = bucket.put_bytes("keys/c-01", b"first", {})
    bucket.remove("keys/c-01", stored.version_id)
    for version in (stored.version_id, None):
        with pytest.raises(NotFound):
            bucket.stat("keys/c-01", version)
    with pytest.raises(NotFound):
        list(bucket.get("keys/c-01", stored.version_id))
    assert list(bucket.list("nothing/")) == []


def test_a_bucket_that_was_not_made_is_not_found(bucket: Bucket, sealed: tuple[Path, str, int]) -> None:
    login = (
        None
        if bucket.url.startswith("file:")
        else Credentials(bucket._login.access_key, bucket._login.secret_key)
    )
    absent = vault.open_bucket(f"{bucket.url}-absent", login)
    for ask in (
        lambda: absent.put("a/b", *sealed, {}),
        lambda: absent.put_bytes("a/b", b"", {}),
        lambda: absent.stat("a/b"),
        lambda: list(absent.list()),
        lambda: absent.remove("a/b", "0"),
    ):
        with pytest.raises(NotFound):
            ask()
    absent.close()


def test_listing_is_by_prefix_of_the_key(bucket: Bucket) -> None:
    for key in ("keys/c-01", "keys/c-02", "keys/d-01", "keys2/c-01", "keys/deep/c-03"):
        bucket.put_bytes(key, b"", {})
    assert [line.key for line in bucket.list("keys/c-0")] == ["keys/c-01", "keys/c-02"]
    assert {line.key for line in bucket.list("keys/")} == {
        "keys/c-01",
        "keys/c-02",
        "keys/d-01",
        "keys/deep/c-03",
    }
    assert len(list(bucket.list())) == 5


def test_a_listing_has_no_last_page(bucket: Bucket) -> None:
    """A thousand is where S3 ends a page, and where a hold of another system ended."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: bucket.put_bytes(f"many/{n:04}", b"", {}), range(1005)))
        for _ in range(3):
            bucket.put_bytes("many/0500", b"again", {})
        listed = list(bucket.list("many/"))
    assert len({(line.key, line.version_id) for line in listed}) == len(listed) == 1008
    assert len({line.key for line in listed}) == 1005


@pytest.mark.parametrize("bucket", ["file", "rgw"], indirect=True)  # moto looks at no digest
def test_other_bytes_than_the_sealed_ones_are_refused(bucket: Bucket, sealed: tuple[Path, str, int]) -> None:
    path, digest, size = sealed
    with path.open("r+b") as file:
        file.seek(BLOCK)
        file.write(bytes(100))
    with pytest.raises(Damaged):
        bucket.put("a/c-01.age", path, digest, size, {})
    assert list(bucket.list()) == []


def test_the_probe_tells_and_leaves_nothing(bucket: Bucket, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["bucket"]
    assert bucket.probe() == Probe(
        versioned=True, digests=kind != "moto_s3", locks=kind != "file", removable=True
    )
    assert list(bucket.list()) == []


@pytest.mark.parametrize("wrong", ["shorter", "longer"])
def test_a_file_that_is_not_the_sealed_one_is_refused(
    wrong: str, bucket: Bucket, sealed: tuple[Path, str, int]
) -> None:
    path, digest, size = sealed
    with path.open("r+b") as file:
        match wrong:
            case "shorter":
                file.truncate(size - 1)
            case "longer":
                file.seek(0, os.SEEK_END)
                file.write(b"x")
    with pytest.raises(Damaged):
        bucket.put("a/c-01.age", path, digest, size, {})
    assert list(bucket.list()) == []


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.b", "a b", "a\n", "ä", "a" * 513, "a?b"]
)
def test_a_key_that_is_none_is_refused(key: str, bucket: Bucket) -> None:
    with pytest.raises(BadUsage):
        bucket.put_bytes(key, b"", {})
    with pytest.raises(BadUsage):
        bucket.stat(key)


@pytest.mark.parametrize(
    "metadata", [{"A": "b"}, {"a": "b c"}, {"a": ""}, {"a": "ü"}, {"a": "b\r\nx-evil: 1"}, {"a b": "c"}]
)
def test_metadata_that_cannot_travel_are_refused(metadata: dict[str, str], bucket: Bucket) -> None:
    with pytest.raises(BadUsage):
        bucket.put_bytes("a/b", b"", metadata)
    assert list(bucket.list()) == []


def test_a_reader_that_stops_early_frees_its_connection(
    bucket: Bucket, sealed: tuple[Path, str, int]
) -> None:
    stored = bucket.put("a/c-01.age", *sealed, {})
    for _ in range(20):  # more than there are connections
        blocks = bucket.get("a/c-01.age", stored.version_id)
        next(blocks)
        blocks.close()  # type: ignore[attr-defined]
    assert bucket.stat("a/c-01.age").size == sealed[2]


def test_many_threads_at_once(bucket: Bucket, sealed: tuple[Path, str, int]) -> None:
    with ThreadPoolExecutor(12) as threads:
        stored = list(threads.map(lambda n: bucket.put(f"a/{n}", *sealed, {}), range(24)))
    assert len({each.version_id for each in stored}) == 24
    assert sum(line.size for line in bucket.list("a/")) == 24 * sealed[2]
