"""URLs of vaults: what opens which kind of bucket, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsgov import vault
from fsgov.errors import BadConfiguration
from fsgov.vault import Credentials
from fsgov.vault.files import FileBucket
from fsgov.vault.s3 import S3Bucket, _instant

LOGIN = Credentials("access", "secret")


def test_each_scheme_opens_its_kind(tmp_path: Path) -> None:
    assert isinstance(vault.open_bucket(f"file:{tmp_path}"), FileBucket)
    for url, opened in (
        ("s3://s3.example:9000/audio?region=eu-central-1", "s3://s3.example:9000/audio"),
        ("s3+http://[::1]:9000/audio", "s3+http://[::1]:9000/audio"),
    ):
        bucket = vault.open_bucket(url, LOGIN)
        assert isinstance(bucket, S3Bucket)
        assert bucket.url == opened
        bucket.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:",
        "/var/lib/vault",
        "http://host/bucket",
        "s3://host",
        "s3://host/",
        "s3:///bucket",
        "s3://host/bucket/deeper",
        "s3://host/bucket?tls=no",
        "s3://host/bucket#x",
        "s3://host/bucket?region=%20",
        "s3://host/bucket?ca=/nonexistent",
        "s3://access:topsecret@host/bucket",
    ],
)
def test_what_is_no_vault_url_is_refused(url: str) -> None:
    with pytest.raises(BadConfiguration) as failure:
        vault.open_bucket(url, LOGIN)
    assert failure.value.hint
    assert "topsecret" not in str(failure.value)


def test_s3_needs_credentials() -> None:
    with pytest.raises(BadConfiguration, match="credentials"):
        vault.open_bucket("s3://host/bucket")


def test_audio_and_keys_are_two_buckets(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="must not share"):
        vault.open_vault("eu", f"file:{tmp_path}", f"file:{tmp_path}/")
    opened = vault.open_vault("eu", f"file:{tmp_path}/audio", f"file:{tmp_path}/keys")
    assert (opened.name, opened.audio.url, opened.keys.url) == (
        "eu",
        f"file:{tmp_path}/audio",
        f"file:{tmp_path}/keys",
    )


def test_a_secret_is_not_shown() -> None:
    assert "secret'" not in repr(LOGIN)
    assert "=" in repr(LOGIN)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-21T18:00:00Z", 1795284000_000000),
        ("2026-11-21T18:00:00.000Z", 1795284000_000000),
        ("2026-11-21T18:00:00.123456789Z", 1795284000_123456),
        (None, None),
        ("", None),
    ],
)
def test_a_lock_header_of_any_server_is_read(text: str | None, instant: int | None) -> None:
    assert _instant(text) == instant
