"""Which file configures this run, and what it says: all of it, or every fault at once."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from fsgov.config import sections
from fsgov.config.crm import read_parties
from fsgov.config.listening import read_health, read_purge, read_retention, read_scrub
from fsgov.config.settings import Settings
from fsgov.config.vaults import check_apart, check_replicas, read_vault
from fsgov.errors import BadConfiguration
from fsgov.policy.reading import Faults, Table, document

USUAL = Path("/etc/fsgov/fsgov.toml")
HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


def find(path: Path | None = None) -> Path:
    """`--config`, else FSGOV_CONFIG, else /etc/fsgov/fsgov.toml; raises BadConfiguration without one."""
    named = path or (Path(value) if (value := os.environ.get("FSGOV_CONFIG")) else None)
    found = named or USUAL
    try:
        there = found.is_file()
    except PermissionError:  # of a directory above: reading it tells so
        there = True
    if not there:
        by = (
            "--config" if path else "FSGOV_CONFIG" if named else "neither --config nor FSGOV_CONFIG names one"
        )
        hint = "write one from docs/fsgov.toml, or name it with --config"
        raise BadConfiguration("There is no configuration file", f"{found} ({by})", hint)
    return found.absolute()


def load(path: Path | None = None) -> Settings:
    """The settings of the file that `find` names. Secrets are not read yet.

    Raises BadConfiguration with every fault and its key path.
    """
    file = find(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8"
        hint = "act as a login that may read it" if isinstance(fault, PermissionError) else "write it anew"
        raise BadConfiguration("The configuration cannot be read", f"{file}: {why}", hint) from None
    return parse(text, file)


def parse(text: str, file: Path) -> Settings:
    """The settings a text writes; relative paths start beside `file`."""
    base = file.parent
    faults = Faults()
    top = Table(document(text, f"The configuration {file}"), "", faults)
    host = top.text("host") or default_host()
    if not HOST.fullmatch(host):
        top.fault("host", f"{host!r} is no name of a host", "small letters, digits and -, at most 32: fs1")
    spool = sections.read_spool(top, base)
    vaults = {name: read_vault(name, table, base) for name, table in top.named_tables("vault")}
    check_apart(vaults, top)
    check_replicas(vaults, top)
    settings = Settings(
        path=file,
        host=host,
        switch=sections.read_switch(top, base),
        spool=spool,
        ship=sections.read_ship(top),
        database=sections.read_database(top, base, spool),
        admin=sections.read_admin(top, base),
        vaults=vaults,
        log=sections.read_log(top, base),
        control=sections.read_control(top, base),
        policy=sections.read_policy(top, base),
        parties=read_parties(top, base),
        health=read_health(top),
        scrub=read_scrub(top),
        purge=read_purge(top),
        retention=read_retention(top),
        tenants={name: sections.read_tenant(name, table) for name, table in top.named_tables("tenant")},
    )
    top.end()
    faults.raise_any(f"The configuration {file}", "docs/fsgov.toml has every key with its meaning")
    return settings


def default_host() -> str:
    """The first label of this host's name, as far as it can stand in an origin."""
    return re.sub(r"[^a-z0-9-]", "-", socket.gethostname().partition(".")[0].lower())[:32].strip("-")
