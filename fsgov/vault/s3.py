"""`s3://…`: a bucket of any S3 server; nothing here is particular to one of them.

The upload is one PUT of the sealed file with its known SHA-256 in the signature: the server checks what
arrives, memory stays constant, and nothing of a broken upload remains (no multi-part, so nothing to sweep).
Locks follow the upload as calls of their own and are read back: servers exist that drop them silently.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.helpers import BaseURL
from minio.retention import Retention
from minio.signer import sign_v4_s3
from minio.time import to_amz_date

from fsgov.errors import BadConfiguration, BadUsage, Conflict, Damaged, FsgovError, NotFound, NotPermitted
from fsgov.vault.bucket import (
    BLOCK,
    LARGEST,
    Bucket,
    Instant,
    LockMode,
    Stat,
    Stored,
    Version,
    checked_key,
    checked_metadata,
)
from fsgov.vault.refusals import in_our_words, refused

CONNECT_SECONDS = 10.0  # to connect, and for each block to leave
READ_SECONDS = 60.0  # for each block, and for the answer, to come
CONNECTIONS = 8
_META = "x-amz-meta-"
_UNLOCKED = re.compile(rb"NoSuchObjectLockConfiguration|ObjectLockConfigurationNotFoundError")
_RETENTION = (rb"<Mode>([A-Z]+)</Mode>", rb"<RetainUntilDate>([0-9T:.Z-]+)</RetainUntilDate>")


class S3Bucket(Bucket):
    """A bucket of an S3 server, addressed as HOST[:PORT]."""

    def __init__(
        self,
        host: str,
        bucket: str,
        access: str,
        secret: str,
        *,
        tls: bool = True,
        region: str = "us-east-1",
        ca: str | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.url = f"s3{'' if tls else '+http'}://{host}/{bucket}"
        self._bucket, self._region = bucket, region
        self._login = Credentials(access, secret)
        self._address = BaseURL(f"http{'s' if tls else ''}://{host}", region)
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=connect_seconds, read=read_seconds),
            retries=False,
            maxsize=CONNECTIONS,
            block=True,
            blocksize=BLOCK,
            ssl_context=_trust(ca) if tls else None,
        )
        self._client = Minio(host, access, secret, secure=tls, region=region, http_client=self._pool)

    def create(self) -> None:
        with in_our_words(self.url):
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket, self._region, object_lock=True)

    def put(self, key: str, path: Path, sha256: str, size: int, metadata: Mapping[str, str]) -> Stored:
        try:
            source = path.open("rb")
        except OSError as failure:
            raise NotFound("The sealed file cannot be read", f"{path}: {failure.strerror}") from failure
        with source:
            if os.fstat(source.fileno()).st_size != size:
                raise Damaged("The file is not the one that was sealed", f"{path}: its length is not {size}")
            return self._put(key, self.paced(source), sha256, size, metadata)

    def put_bytes(self, key: str, content: bytes, metadata: Mapping[str, str]) -> Stored:
        digest = hashlib.sha256(content).hexdigest()
        return self._put(key, io.BytesIO(content), digest, len(content), metadata)

    def stat(self, key: str, version_id: str | None = None) -> Stat:
        with in_our_words(self.url, key):
            told = self._client.stat_object(self._bucket, checked_key(key), version_id=version_id)
        headers = {name.lower(): value for name, value in (told.metadata or {}).items()}
        metadata = {
            name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)
        }
        return Stat(
            key,
            told.version_id or "null",
            told.size or 0,
            metadata.get("sha256", ""),
            metadata,
            retain_until=_instant(headers.get("x-amz-object-lock-retain-until-date")),
            lock_mode=_mode(headers.get("x-amz-object-lock-mode")),
            legal_hold=headers.get("x-amz-object-lock-legal-hold") == "ON",
        )

    def get(self, key: str, version_id: str) -> Iterator[bytes]:
        with in_our_words(self.url, key):
            answer = self._client.get_object(self._bucket, checked_key(key), version_id=version_id)
            try:
                yield from answer.stream(BLOCK)
            finally:
                answer.close()
                answer.release_conn()

    def list(self, prefix: str = "") -> Iterator[Version]:
        with in_our_words(self.url, prefix):
            for line in self._client.list_objects(self._bucket, prefix, recursive=True, include_version=True):
                yield Version(
                    line.object_name or "",
                    line.version_id or "null",
                    line.size or 0,
                    int(line.last_modified.timestamp() * 1_000_000) if line.last_modified else 0,
                    latest=str(line.is_latest).lower() == "true",
                    marker=line.is_delete_marker,
                )

    def remove(self, key: str, version_id: str) -> None:
        if not version_id:
            raise BadUsage("A removal names its version", key)
        try:
            with in_our_words(self.url, key):
                self._client.remove_object(self._bucket, checked_key(key), version_id=version_id)
        except NotFound as absent:
            if absent.detail.endswith("NoSuchBucket"):
                raise
        except (NotPermitted, Conflict, BadConfiguration) as failure:
            # servers answer a removal that a lock forbids as they answer one without the right to it
            self._refuse_if_kept(key, version_id)
            raise failure

    def uploads(self, key: str) -> Sequence[str]:
        with in_our_words(self.url, key):
            told = self._client._list_multipart_uploads(self._bucket, prefix=checked_key(key))  # noqa: SLF001
            return [each.upload_id for each in told.uploads if each.object_name == key and each.upload_id]

    def abort(self, key: str, upload: str) -> None:
        with suppress(NotFound), in_our_words(self.url, key):
            self._client._abort_multipart_upload(self._bucket, checked_key(key), upload)  # noqa: SLF001

    def lock(self, key: str, version_id: str, until: Instant, mode: LockMode) -> Stat:
        seconds = -(-until // 1_000_000)
        with in_our_words(self.url, key):
            wanted = Retention(mode, datetime.fromtimestamp(seconds, UTC))
            self._client.set_object_retention(self._bucket, checked_key(key), wanted, version_id=version_id)
        shown = self.lock_of(key, version_id)
        if shown.lock_mode != mode or shown.retain_until is None or shown.retain_until < seconds * 1_000_000:
            raise _dropped("lock", f"{key}: asked for {mode}, it shows {shown.lock_mode or 'none'}")
        return shown

    def lock_of(self, key: str, version_id: str) -> Stat:
        try:
            return self.stat(key, version_id)
        except NotPermitted:  # who puts keys may not read them, but may ask for their lock
            told = self._retention(key, version_id)
        mode, until = (re.search(pattern, told) for pattern in _RETENTION)
        return Stat(
            key, version_id, 0, "", {},
            _instant(until[1].decode() if until else None), _mode(mode[1].decode() if mode else None),
        )  # fmt: skip

    def hold(self, key: str, version_id: str, on: bool) -> Stat:
        with in_our_words(self.url, key):
            change = self._client.enable_object_legal_hold if on else self._client.disable_object_legal_hold
            change(self._bucket, checked_key(key), version_id=version_id)
        shown = self.stat(key, version_id)
        if shown.legal_hold != on:
            raise _dropped("hold", key)
        return shown

    def close(self) -> None:
        self._pool.clear()

    def _put(
        self, key: str, source: IO[bytes], sha256: str, size: int, metadata: Mapping[str, str]
    ) -> Stored:
        if size > LARGEST:
            raise BadUsage("S3 takes no more than 5 GiB at once", f"{key}: {size} bytes")
        address = self._address.build(
            method="PUT", region=self._region, bucket_name=self._bucket, object_name=checked_key(key)
        )
        now = datetime.now(UTC)
        headers: dict[str, str | list[str] | tuple[str]] = {
            "Host": address.netloc,
            "Content-Length": str(size),
            "Content-Type": "application/octet-stream",
            "x-amz-content-sha256": sha256,
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
            "x-amz-date": to_amz_date(now),
            **{_META + name: value for name, value in checked_metadata(metadata, sha256).items()},
        }
        sign_v4_s3(
            method="PUT", url=address, region=self._region, headers=headers, credentials=self._login,
            content_sha256=sha256, date=now,
        )  # fmt: skip
        with in_our_words(self.url, key):
            answer = self._pool.request(
                "PUT",
                address.geturl(),
                body=source,
                headers={k: str(v) for k, v in headers.items()},
                redirect=False,
            )
            if answer.status != 200:
                raise refused(answer.status, answer.data, self.url, key)
        return Stored(key, answer.headers.get("x-amz-version-id") or "null", size, sha256)

    def _retention(self, key: str, version_id: str) -> bytes:
        """The lock's own document; minio cannot read the dates that Ceph writes there."""
        address = self._address.build(
            method="GET", region=self._region, bucket_name=self._bucket, object_name=checked_key(key),
            query_params={"retention": "", "versionId": version_id},
        )  # fmt: skip
        digest, now = hashlib.sha256(b"").hexdigest(), datetime.now(UTC)
        headers: dict[str, str | list[str] | tuple[str]] = {
            "Host": address.netloc, "x-amz-content-sha256": digest, "x-amz-date": to_amz_date(now)
        }  # fmt: skip
        sign_v4_s3(
            method="GET", url=address, region=self._region, headers=headers, credentials=self._login,
            content_sha256=digest, date=now,
        )  # fmt: skip
        with in_our_words(self.url, key):
            told = {name: str(value) for name, value in headers.items()}
            answer = self._pool.request("GET", address.geturl(), headers=told, redirect=False)
            if answer.status == 404 and _UNLOCKED.search(answer.data):
                return b""
            if answer.status != 200:
                raise refused(answer.status, answer.data, self.url, key)
        return answer.data

    def _refuse_if_kept(self, key: str, version_id: str) -> None:
        try:
            shown = self.stat(key, version_id)
        except FsgovError:
            return
        if shown.legal_hold or (shown.retain_until or 0) > datetime.now(UTC).timestamp() * 1_000_000:
            why = "under a legal hold" if shown.legal_hold else f"locked ({shown.lock_mode})"
            raise Conflict(f"The stored object is {why} and cannot be removed", shown.key)


def _dropped(what: str, detail: str) -> Conflict:
    return Conflict(
        f"The vault took the {what} and does not show it", detail, "is object lock on for this bucket?"
    )


def _trust(ca: str | None) -> ssl.SSLContext:
    """The system's certificates, and those of a file besides."""
    trusted = ssl.create_default_context()
    if ca is not None:
        try:
            trusted.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as wrong:
            raise ValueError(f"ca={ca} holds no certificates that can be read") from wrong
    return trusted


def _mode(text: str | None) -> LockMode | None:
    return "COMPLIANCE" if text == "COMPLIANCE" else "GOVERNANCE" if text == "GOVERNANCE" else None


def _instant(text: str | None) -> Instant | None:
    """A time of a lock header: RFC 3339 with any number of decimals (Ceph writes nine), always UTC."""
    if not text:
        return None
    whole, _, decimals = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * 1_000_000 + int(decimals[:6].ljust(6, "0") or 0)
