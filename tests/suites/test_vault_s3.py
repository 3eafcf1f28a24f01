"""What a real S3 server enforces (Ceph RGW), and what a broken network does to a bucket."""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fsgov import vault
from fsgov.errors import BadConfiguration, Conflict, Damaged, FsgovError, NotFound, NotPermitted, Unreachable
from fsgov.vault import Credentials, Probe
from fsgov.vault.s3 import S3Bucket
from tests.parts.proxy import Fault, Proxy
from tests.parts.rgw import Rgw

ROOT = Path(__file__).parents[2]
MANY = 8 << 20
_numbers = itertools.count(1)


@pytest.fixture
def bucket(rgw: Rgw) -> Iterator[S3Bucket]:
    made = S3Bucket(rgw.endpoint, f"s3-{next(_numbers)}", rgw.access, rgw.secret, tls=False)
    made.create()
    yield made
    made.close()


@pytest.fixture
def wire(rgw: Rgw, proxy: Callable[[int], Proxy]) -> Proxy:
    return proxy(rgw.port)


@pytest.fixture
def far(rgw: Rgw, wire: Proxy, bucket: S3Bucket) -> Iterator[S3Bucket]:
    """The same bucket, through a network that fails on request, with little patience."""
    name = bucket.url.rpartition("/")[2]
    made = S3Bucket(wire.endpoint, name, rgw.access, rgw.secret, tls=False, connect_seconds=1, read_seconds=1)
    yield made
    made.close()


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[Path, str, int]:
    content = os.urandom(MANY)
    (tmp_path / "sealed.age").write_bytes(content)
    return tmp_path / "sealed.age", hashlib.sha256(content).hexdigest(), MANY


def soon(seconds: float) -> int:
    return int((time.time() + seconds) * 1_000_000)


# ── rights ────────────────────────────────────────


@pytest.mark.parametrize("wrong", ["access", "secret"])
def test_wrong_credentials_are_not_permitted_and_not_repeated(
    wrong: str, rgw: Rgw, bucket: S3Bucket, sealed: tuple[Path, str, int]
) -> None:
    secret = "a-secret-that-must-not-show"
    login = Credentials(secret, rgw.secret) if wrong == "access" else Credentials(rgw.access, secret)
    intruder = vault.open_bucket(bucket.url, login)
    assert secret not in repr(login) or wrong == "access"
    stored = bucket.put_bytes("a/b", b"x", {})
    for ask in (
        lambda: intruder.put("a/c", *sealed, {}),
        lambda: intruder.put_bytes("a/c", b"x", {}),
        lambda: intruder.stat("a/b"),
        lambda: list(intruder.get("a/b", stored.version_id)),
        lambda: list(intruder.list()),
        lambda: intruder.remove("a/b", stored.version_id),
        lambda: intruder.lock("a/b", stored.version_id, soon(60), "COMPLIANCE"),
        lambda: intruder.hold("a/b", stored.version_id, True),
        intruder.create,
    ):
        with pytest.raises(NotPermitted) as failure:
            ask()
        told = "".join(traceback.format_exception(failure.value)) + failure.value.hint
        assert secret not in told
        assert rgw.secret not in told
    assert [line.key for line in bucket.list()] == ["a/b"]
    intruder.close()


# ── locks ────────────────────────────────────────


def test_a_compliance_lock_holds_until_its_end(bucket: S3Bucket) -> None:
    stored = bucket.put_bytes("a/b", b"evidence", {})
    until = soon(3) + 1
    shown = bucket.lock("a/b", stored.version_id, until, "COMPLIANCE")
    assert shown.lock_mode == "COMPLIANCE"
    assert shown.retain_until is not None
    assert 0 <= shown.retain_until - until < 1_000_000, "rounded up, never down"
    with pytest.raises(Conflict, match="locked"):
        bucket.remove("a/b", stored.version_id)
    with pytest.raises(NotPermitted):
        bucket.lock("a/b", stored.version_id, soon(1), "COMPLIANCE")
    assert b"".join(bucket.get("a/b", stored.version_id)) == b"evidence"
    while soon(0) <= shown.retain_until:
        time.sleep(0.2)
    bucket.remove("a/b", stored.version_id)
    assert list(bucket.list()) == []


def test_a_governance_lock_is_not_bypassed(bucket: S3Bucket) -> None:
    stored = bucket.put_bytes("a/b", b"x", {})
    assert bucket.lock("a/b", stored.version_id, soon(60), "GOVERNANCE").lock_mode == "GOVERNANCE"
    with pytest.raises(Conflict, match="locked"):
        bucket.remove("a/b", stored.version_id)


def test_a_legal_hold_refuses_removal_until_lifted(bucket: S3Bucket) -> None:
    held, free = bucket.put_bytes("a/b", b"x", {}), bucket.put_bytes("a/b", b"y", {})
    assert bucket.hold("a/b", held.version_id, True).legal_hold
    assert not bucket.stat("a/b", free.version_id).legal_hold, "another version is not held"
    with pytest.raises(Conflict, match="legal hold"):
        bucket.remove("a/b", held.version_id)
    assert not bucket.hold("a/b", held.version_id, False).legal_hold
    bucket.remove("a/b", held.version_id)
    assert [line.version_id for line in bucket.list()] == [free.version_id]


def test_a_bucket_without_object_lock_is_told(rgw: Rgw, bucket: S3Bucket) -> None:
    bucket._client.make_bucket("without-lock")
    plain = S3Bucket(rgw.endpoint, "without-lock", rgw.access, rgw.secret, tls=False)
    stored = plain.put_bytes("a/b", b"x", {})
    assert stored.version_id == "null"
    for change in (
        lambda: plain.lock("a/b", "null", soon(60), "GOVERNANCE"),
        lambda: plain.hold("a/b", "null", True),
    ):
        with pytest.raises(BadConfiguration) as failure:
            change()
        assert "object lock" in failure.value.hint
    plain.remove("a/b", "null")
    assert plain.probe() == Probe(versioned=False, digests=True, locks=False, removable=True)
    assert list(plain.list()) == []
    plain.close()


def test_a_lock_that_does_not_show_is_refused(bucket: S3Bucket, far: S3Bucket, wire: Proxy) -> None:
    stored = bucket.put_bytes("a/b", b"x", {})
    wire.down = Fault(replace=(b"x-amz-object-lock-", b"x-xxx-object-lock-"))
    with pytest.raises(Conflict, match="does not show"):
        far.lock("a/b", stored.version_id, soon(2), "GOVERNANCE")
    with pytest.raises(Conflict, match="does not show"):
        far.hold("a/b", stored.version_id, True)
    bucket.hold("a/b", stored.version_id, False)


def test_a_delete_marker_is_listed_and_removable(bucket: S3Bucket) -> None:
    stored = bucket.put_bytes("a/b", b"x", {})
    bucket._client.remove_object(bucket._bucket, "a/b")  # what any S3 tool does
    with pytest.raises(NotFound):
        bucket.stat("a/b")
    assert bucket.stat("a/b", stored.version_id).size == 1
    lines = {line.marker: line for line in bucket.list("a/")}
    assert lines[False].version_id == stored.version_id
    assert not lines[False].latest
    assert lines[True].latest
    for line in lines.values():
        bucket.remove(line.key, line.version_id)
    assert list(bucket.list()) == []


# ── the network ────────────────────────────────────────


def test_an_upload_that_is_cut_leaves_no_version(
    bucket: S3Bucket, far: S3Bucket, wire: Proxy, sealed: tuple[Path, str, int]
) -> None:
    wire.up = Fault(cut_after=MANY // 2)
    with pytest.raises(Unreachable):
        far.put("a/b", *sealed, {})
    assert wire.passed_up > MANY // 4, "it was cut on its way"
    assert wire.accepted == 1, "the caller repeats, not the bucket"
    assert list(bucket.list()) == []
    wire.heal()
    stored = far.put("a/b", *sealed, {})
    assert [line.version_id for line in bucket.list()] == [stored.version_id]


def test_an_answer_that_is_lost_is_unreachable_and_stat_tells(
    bucket: S3Bucket, far: S3Bucket, wire: Proxy, sealed: tuple[Path, str, int]
) -> None:
    wire.down = Fault(cut_after=0)
    with pytest.raises(Unreachable):
        far.put("a/b", *sealed, {})
    assert bucket.stat("a/b").sha256 == sealed[1]


def test_bytes_that_change_on_the_way_are_refused(
    bucket: S3Bucket, far: S3Bucket, wire: Proxy, tmp_path: Path
) -> None:
    content = bytes(MANY // 2) + b"here" + bytes(MANY // 2)
    (tmp_path / "f").write_bytes(content)
    wire.up = Fault(replace=(b"here", b"HERE"))
    with pytest.raises(Damaged):
        far.put("a/b", tmp_path / "f", hashlib.sha256(content).hexdigest(), len(content), {})
    assert list(bucket.list()) == []


def test_a_network_that_swallows_runs_into_the_deadline(
    bucket: S3Bucket, far: S3Bucket, wire: Proxy, sealed: tuple[Path, str, int]
) -> None:
    wire.up = Fault(stop_after=100_000)
    begin = time.monotonic()
    with pytest.raises(Unreachable, match="ReadTimeout"):
        far.put("a/b", *sealed, {})
    assert time.monotonic() - begin < 5
    wire.down, wire.up = Fault(stop_after=0), Fault()
    with pytest.raises(Unreachable):
        far.stat("a/b")


def test_a_server_that_reads_nothing_runs_into_the_deadline(rgw: Rgw, sealed: tuple[Path, str, int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        silent = S3Bucket(f"127.0.0.1:{port}", "b", "a", "s", tls=False, connect_seconds=1, read_seconds=1)
        begin = time.monotonic()
        with pytest.raises(Unreachable):
            silent.put("a/b", *sealed, {})
        assert time.monotonic() - begin < 5
        silent.close()


def test_a_download_that_is_cut_is_never_taken_for_the_whole(
    bucket: S3Bucket, far: S3Bucket, wire: Proxy, sealed: tuple[Path, str, int]
) -> None:
    stored = bucket.put("a/b", *sealed, {})
    wire.down = Fault(cut_after=MANY // 2)
    with pytest.raises(Unreachable):
        list(far.get("a/b", stored.version_id))
    wire.heal()
    wire.down = Fault(replace=(sealed[0].read_bytes()[MANY // 2 :][:8], b"\0" * 8))
    with pytest.raises(Damaged):
        list(vault.verified(far.get("a/b", stored.version_id), sealed[1], sealed[2]))


def test_an_outage_is_unreachable_and_passes(rgw: Rgw, bucket: S3Bucket) -> None:
    bucket.put_bytes("a/b", b"x", {})
    rgw.stop_gateway()
    try:
        for ask in (
            lambda: bucket.put_bytes("a/c", b"x", {}),
            lambda: bucket.stat("a/b"),
            lambda: list(bucket.list()),
        ):
            with pytest.raises(Unreachable):
                ask()
    finally:
        rgw.start_gateway()
    assert bucket.stat("a/b").size == 1


@contextmanager
def answering(status: str, body: bytes, kind: str = "text/html") -> Iterator[str]:
    """Something on the way to the server that answers by itself, as proxies and load balancers do."""
    fields = [f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"]
    head = "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""])
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                client.sendall(head.encode() + body)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("502 Bad Gateway", b"<html>", Unreachable),
        ("503 Slow Down", b"<Error><Code>SlowDown</Code></Error>", Unreachable),
        ("403 Forbidden", b"<html>", NotPermitted),
        ("403 Forbidden", b"<Error><Code>QuotaExceeded</Code></Error>", Unreachable),
        ("400 Bad Request", b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>", BadConfiguration),
        ("301 Moved Permanently", b"", BadConfiguration),
        ("409 Conflict", b"<Error><Code>InvalidBucketState</Code></Error>", BadConfiguration),
        ("429 Too Many Requests", b"", Unreachable),
    ],
)
def test_each_refusal_is_sorted_once(status: str, body: bytes, expected: type[FsgovError]) -> None:
    kind = "application/xml" if b"<Code>" in body else "text/html"
    with answering(status, body, kind) as endpoint:
        bucket = S3Bucket(endpoint, "bucket", "a", "s", tls=False)
        for ask in (
            lambda: bucket.put_bytes("a/b", b"x", {}),
            lambda: bucket.lock("a/b", "1", soon(60), "GOVERNANCE"),
            lambda: list(bucket.list()),
        ):
            with pytest.raises(expected):
                ask()
        bucket.close()


def test_tls_trusts_the_named_certificate_and_no_other(rgw: Rgw, bucket: S3Bucket) -> None:
    name = bucket.url.rpartition("/")[2]
    url, login = f"s3://127.0.0.1:{rgw.tls_port}/{name}", Credentials(rgw.access, rgw.secret)
    stranger = vault.open_bucket(url, login)
    with pytest.raises(Unreachable, match="certificate verify failed"):
        stranger.put_bytes("a/b", b"x", {})
    known = vault.open_bucket(f"{url}?ca={rgw.certificate}", login)
    stored = known.put_bytes("a/b", b"over tls", {})
    assert b"".join(known.get("a/b", stored.version_id)) == b"over tls"
    assert known.hold("a/b", stored.version_id, True).legal_hold
    assert not known.hold("a/b", stored.version_id, False).legal_hold
    assert known.probe() == Probe(versioned=True, digests=True, locks=True, removable=True)
    for each in (stranger, known):
        each.close()


# ── memory ────────────────────────────────────────

UPLOAD = """
import hashlib, sys
from pathlib import Path
from fsgov import vault
url, access, secret, name, size = sys.argv[1:]
bucket = vault.open_bucket(url, vault.Credentials(access, secret))
bucket.create()
with open(name, "rb") as file:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
stored = bucket.put("a/long.age", Path(name), digest, int(size), {})
for block in vault.verified(bucket.get("a/long.age", stored.version_id), digest, int(size)):
    pass
bucket.remove("a/long.age", stored.version_id)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def peak_megabytes(rgw: Rgw, place: Path, size: int) -> float:
    """The most memory a process had in use that put and got one object of this size."""
    path = place / "long.age"
    with path.open("wb") as file:
        file.truncate(size)
    done = subprocess.run(
        [sys.executable, "-c", UPLOAD, rgw.url("long"), rgw.access, rgw.secret, str(path), str(size)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    path.unlink()
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


def test_memory_does_not_grow_with_the_object(rgw: Rgw, tmp_path: Path) -> None:
    assert peak_megabytes(rgw, tmp_path, 400 << 20) < 100


@pytest.mark.slow
@pytest.mark.memory(8)
@pytest.mark.timeout(600)
def test_two_gigabytes_pass_in_constant_memory(rgw_on_disk: Rgw, tmp_path: Path) -> None:
    assert peak_megabytes(rgw_on_disk, tmp_path, 2_000_000_000) < 150
