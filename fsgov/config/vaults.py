"""Reading `[vault.NAME]`: two buckets, whom the audio is sealed to, and the store's login."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from fsgov.config.sections import NAME, absolute, secret
from fsgov.config.settings import Login, VaultSettings
from fsgov.envelope import Recipient
from fsgov.errors import BadConfiguration
from fsgov.policy.reading import Table, nearest
from fsgov.policy.when import check_country

S3 = ("s3", "s3+http")
A_BUCKET = "file:PATH or s3://HOST/BUCKET"


def bucket(vault: Table, key: str, base: Path, needed: str = "") -> str:
    """The URL of a bucket, with an absolute path where it is a `file:`."""
    text = vault.text(key, needed=needed)
    if not text:
        return ""
    scheme, _, place = text.partition(":")
    if scheme == "file":
        place = place.removeprefix("//")
        if not place:
            vault.fault(key, "file: names no directory", A_BUCKET)
        return f"file:{absolute(place, base)}"
    if scheme not in S3:
        hint = nearest(scheme, ["file", *S3])
        vault.fault(key, f"{scheme!r} is no object store that fsgov knows", f"{hint} {A_BUCKET}")
        return text
    parts = urlsplit(text)
    if "@" in parts.netloc:
        vault.fault(key, "holds a login", "this file is not secret: use credentials = { access, secret }")
    elif not parts.hostname or not parts.path.strip("/") or "/" in parts.path.strip("/"):
        vault.fault(key, "names no host and bucket", "s3://HOST[:PORT]/BUCKET")
    return text


def _recipients(vault: Table) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for text in vault.texts("recipients"):
        try:
            Recipient.parse(text)
        except BadConfiguration as fault:
            hint = "fsgov keys generate recipient writes one that starts with age1"
            if text.upper().startswith("AGE-SECRET-KEY-"):
                hint = (
                    "this is the identity: it belongs on the desk, never on this host. Treat it as disclosed"
                )
                vault.fault("recipients", "holds a private key", hint)
            else:
                vault.fault("recipients", f"{text[:12]}… is no age recipient: {fault.message}", hint)
        else:
            found[text] = text
    return tuple(found)


def _login(vault: Table, base: Path) -> Login | None:
    credentials = vault.table("credentials")
    if credentials is None:
        return None
    login = Login(
        access=secret(credentials, "access", base, needed="file:, env: or cred:"),
        secret=secret(credentials, "secret", base, needed="file:, env: or cred:"),
    )
    credentials.end()
    return login


def read_vault(name: str, vault: Table, base: Path) -> VaultSettings:
    """One vault; its faults are noted."""
    if not NAME.fullmatch(name):
        vault.faults.add(vault.path, "is no name of a vault", "small letters, digits, _ and -")
    read = VaultSettings(
        name=name,
        url=bucket(vault, "url", base, needed=A_BUCKET),
        keys=bucket(vault, "keys", base),
        recipients=_recipients(vault),
        credentials=_login(vault, base),
        region=vault.text("region"),
        replica_of=vault.text("replica_of"),
        by_store=_by_store(vault),
    )
    if read.region:
        check_country(read.region, vault.at("region"), vault)
    if vault.faults.touches(vault.at("url")) or vault.faults.touches(vault.at("keys")):
        pass  # too early to say whether they are apart
    elif read.keys and read.url.rstrip("/") == read.keys.rstrip("/"):
        hint = "another bucket: who may read the audio must not read its keys"
        vault.fault("keys", "is the bucket of the audio", hint)
    elif read.url.startswith("file:") and _inside(read.keys, read.url):
        vault.fault("keys", "is inside the bucket of the audio, or around it", "two directories side by side")
    if read.url.startswith(S3) and read.credentials is None:
        vault.fault("credentials", "is missing, the store wants a login", "credentials = { access, secret }")
    vault.end()
    return read


def _by_store(vault: Table) -> bool:
    by = vault.text("replicated_by", "keep")
    if by not in ("keep", "store"):
        vault.fault("replicated_by", f"{by!r} fills no replica", nearest(by, ["keep", "store"]))
    elif vault.has("replicated_by") and not vault.has("replica_of"):
        vault.fault("replicated_by", "has no effect, this is no replica", 'replica_of = "NAME"')
    return by == "store"


def check_replicas(vaults: Mapping[str, VaultSettings], top: Table) -> None:
    """Each is a replica of a vault that is there, and is none itself."""
    for name, vault in vaults.items():
        where, of = f"vault.{name}.replica_of", vault.replica_of
        if of and (of == name or of not in vaults):
            others = [each for each in vaults if each != name]
            top.fault(where, f"there is no other [vault.{of}]", nearest(of, others))
        elif of and vaults[of].replica_of:
            top.fault(where, f"{of} is a replica itself", f'replica_of = "{vaults[of].replica_of}"')


def _inside(one: str, other: str) -> bool:
    if not one.startswith("file:"):
        return False
    paths = Path(one.removeprefix("file:")), Path(other.removeprefix("file:"))
    return paths[0].is_relative_to(paths[1]) or paths[1].is_relative_to(paths[0])


def check_apart(vaults: Mapping[str, VaultSettings], top: Table) -> None:
    """No bucket may serve two ends."""
    seen: dict[str, str] = {}
    for name, vault in vaults.items():
        for key, url in (("url", vault.url), ("keys", vault.keys)):
            first = seen.setdefault(url.rstrip("/"), f"vault.{name}.{key}")
            if url and first.split(".")[1] != name:
                top.fault(f"vault.{name}.{key}", f"is the same bucket as {first}", "every vault has its own")
