"""Reading `[health]`, addresses of metrics, and what keep does: `[scrub]`, `[purge]`, `[retention]`."""

from __future__ import annotations

import re

from fsgov.config.sections import length, section
from fsgov.config.settings import Address, Health, Purge, Retention, Scrub
from fsgov.policy.reading import Table

ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[0-9A-Za-z.-]+)):(?P<port>[0-9]{1,5})")
AN_ADDRESS = "127.0.0.1:9464, or [::1]:9464"


def read_scrub(top: Table) -> Scrub:
    """How often keep reads stored objects again, and how fast."""
    scrub = section(top, "scrub")
    read = Scrub(
        every=length(scrub, "every", "90 d", "1 s", "3650 d"),
        bytes_per_second=scrub.integer("bytes_per_second", 10_000_000, 1_000, 10_000_000_000),
    )
    scrub.end()
    return read


def read_purge(top: Table) -> Purge:
    """How fast approved plans are applied, and how carefully they begin."""
    purge = section(top, "purge")
    read = Purge(
        run=purge.flag("run", True),
        rate=purge.integer("rate", 20, 1, 10_000),
        canary=purge.integer("canary", 10, 1, 1_000),
        canary_wait=length(purge, "canary_wait", "10 min", "0 s", "7 d"),
    )
    purge.end()
    return read


def read_retention(top: Table) -> Retention:
    """When keep finds that something is overdue, and when it forgets whom a call was with."""
    retention = section(top, "retention")
    read = Retention(
        overdue_after=length(retention, "overdue_after", "7 d", "0 s", "365 d"),
        numbers=length(retention, "numbers", "365 d", "1 d", "3650 d"),
    )
    retention.end()
    return read


def read_health(top: Table) -> Health:
    """Each part's address; two parts of one host cannot have the same."""
    health = top.table("health") or Table({}, "health", top.faults)
    found: dict[str, Address] = {}
    for part in ("govern", "ship", "keep"):
        address = _address(health, part)
        if address is None:
            continue
        if address.port and address in found.values():
            health.fault(part, f"{address} is another part's", "give each part a port of its own")
        found[part] = address
    health.end()
    return Health(**found)


def _address(health: Table, key: str) -> Address | None:
    if not health.has(key):
        return None
    text = health.text(key)
    match = ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        health.fault(key, f"{text!r} is no address", AN_ADDRESS)
        return None
    return Address(match["six"] or match["host"], int(match["port"]))
