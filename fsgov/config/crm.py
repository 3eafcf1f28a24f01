"""Reading [parties]: where the CRM is, how it is asked, and as whom."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from fsgov.config.secret import HOW, SCHEMES, Secret
from fsgov.config.sections import A_DSN, LOOPBACK, has_password, length, path, secret, section
from fsgov.config.settings import Parties
from fsgov.policy.reading import Table

A_URL = "https://HOST/PATH"
OF_THE_URL = ("token", "user", "password", "ca", "insecure")


def read_parties(top: Table, base: Path) -> Parties:
    parties = section(top, "parties")
    read = Parties(
        dsn=read_dsn(parties, base),
        url=read_url(parties),
        token=secret(parties, "token", base),
        user=parties.text("user"),
        password=secret(parties, "password", base),
        ca=path(parties, "ca", base) if parties.has("ca") else None,
        deadline=length(parties, "deadline", "300 ms", "10 ms", "10 s"),
    )
    if parties.has("url") and parties.has("dsn"):
        parties.fault("url", "stands beside dsn", "the CRM is asked one way: by its view, or by HTTP")
    for key in OF_THE_URL:
        if parties.has(key) and not parties.has("url"):
            parties.fault(key, "is for an HTTP service", f'url = "{A_URL}"')
    if read.token and (read.user or read.password):
        parties.fault("token", "stands beside user and password", "one of the two ways to log in")
    if bool(read.user) != bool(read.password):
        missing = "password" if read.user else "user"
        parties.fault(missing, "is missing", "a login is both")
    parties.end()
    return read


def read_dsn(parties: Table, base: Path) -> Secret:
    """A DSN; with a password in it a reference to one."""
    text = parties.source.get("dsn")
    plain = isinstance(text, str) and not has_password(text)
    if plain and not str(text).startswith((*(f"{s}:" for s in SCHEMES), "postgres")) and "=" not in str(text):
        parties.fault("dsn", f"{str(text).partition(':')[0]!r} is no database", f"{A_DSN}, or {HOW}")
    return secret(parties, "dsn", base, harmless=plain)


def read_url(parties: Table) -> str:
    """An https URL without a login or a query; http to this host, or to another that somebody trusts."""
    text, insecure = parties.text("url"), parties.flag("insecure")
    if not text:
        if parties.has("url"):
            parties.fault("url", "is empty", A_URL)
        return ""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parties.fault("url", "is no URL", A_URL)
        return ""
    if parts.scheme not in ("https", "http") or not host:
        parties.fault("url", f"{parts.scheme!r} is no HTTP service", A_URL)
    elif "@" in parts.netloc or parts.query or parts.fragment:
        hint = "this file is not secret: token, or user and password"
        parties.fault("url", "holds a login, a query or a fragment", hint)
    elif parts.scheme == "http" and host not in LOOPBACK and not insecure:
        hint = "https, or insecure = true for a network you trust"
        parties.fault("url", "would send numbers and credentials unencrypted", hint)
    return text
