"""From a URL of the configuration to a bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from fsgov.errors import BadConfiguration
from fsgov.vault.bucket import Bucket, Vault
from fsgov.vault.files import FileBucket
from fsgov.vault.s3 import S3Bucket


@dataclass(frozen=True, slots=True)
class Credentials:
    """An S3 login; a file vault needs none."""

    access: str
    secret: str = field(repr=False)


def open_vault(name: str, url: str, keys: str, credentials: Credentials | None = None) -> Vault:
    """The two buckets of a vault. Raises BadConfiguration where they are the same, or a URL is wrong."""
    if url.rstrip("/") == keys.rstrip("/"):
        raise BadConfiguration(
            "Audio and keys of a vault must not share a bucket",
            f"vault.{name}.keys",
            "name another bucket: who may read the audio must not read its keys",
        )
    return Vault(name, open_bucket(url, credentials), open_bucket(keys, credentials))


def open_bucket(url: str, credentials: Credentials | None = None) -> Bucket:
    """The bucket behind a URL; nothing is asked of it yet. Raises BadConfiguration for a URL that is none."""
    scheme, _, rest = url.partition(":")
    match scheme:
        case "file" if rest:
            return FileBucket(Path(rest.removeprefix("//")).expanduser().absolute())
        case "s3" | "s3+http":
            return _open_s3(url, scheme == "s3", credentials)
    raise _wrong(url, "file:PATH, s3://HOST[:PORT]/BUCKET[?region=R&ca=FILE] or s3+http://HOST[:PORT]/BUCKET")


def _open_s3(url: str, tls: bool, credentials: Credentials | None) -> Bucket:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise BadConfiguration(
            "A vault's URL holds no login",
            "vault.NAME.url",
            "put it into vault.NAME.credentials, as file: or env:",
        )
    bucket = parts.path.strip("/")
    options = parse_qs(parts.query, keep_blank_values=True)
    unknown = set(options) - {"region", "ca"}
    if not parts.hostname or not bucket or "/" in bucket or parts.fragment or unknown:
        raise _wrong(url, "s3://HOST[:PORT]/BUCKET[?region=R&ca=FILE]")
    if credentials is None:
        raise BadConfiguration("An s3 vault needs credentials", url, "set vault.NAME.credentials")
    try:
        return S3Bucket(
            parts.netloc,
            bucket,
            credentials.access,
            credentials.secret,
            tls=tls,
            region=options.get("region", ["us-east-1"])[0],
            ca=options["ca"][0] if "ca" in options else None,
        )
    except ValueError as wrong:
        raise _wrong(url, str(wrong)) from wrong


def _wrong(url: str, hint: str) -> BadConfiguration:
    return BadConfiguration("This is no URL of a vault bucket", url, hint)
