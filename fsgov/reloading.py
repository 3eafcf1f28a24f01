"""SIGHUP: the configuration read again. What is wrong with it is told, and the old one stays in force."""

from __future__ import annotations

from dataclasses import fields, replace

from fsgov import config
from fsgov.config import Settings

LIVE = frozenset({"path", "policy", "tenants", "vaults"})
"""What govern takes up without a restart; of [switch] its trunks as well."""


def read_again(settings: Settings, part: str) -> Settings:
    """The settings as the file says them now. Raises BadConfiguration with every fault."""
    found = config.load(settings.path)
    found.need(part)
    return found


def waiting(before: Settings, after: Settings, live: frozenset[str] = LIVE) -> list[str]:
    """The tables that differ and are taken up only by the next start, in the order of the file."""
    if "tenants" in live:
        before = replace(before, switch=replace(before.switch, trunks=after.switch.trunks))
    names = (field.name for field in fields(Settings) if field.name not in live)
    return [name for name in names if getattr(before, name) != getattr(after, name)]
