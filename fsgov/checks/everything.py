"""Which looks belong to which part, in the order in which they are told."""

from __future__ import annotations

import os
from collections.abc import Iterator

from fsgov.checks import crm, database, keys, locks, policy, spool, switch, vaults
from fsgov.checks.finding import Finding, gathered, ok, warning
from fsgov.config import Settings
from fsgov.policy import Lock

GOVERN, SHIP, KEEP = "govern", "ship", "keep"


def on_host(settings: Settings, part: str) -> Iterator[Finding]:
    """Every finding; part: only what govern, ship or keep needs, "" all that is to run on this host."""
    wanted = (part,) if part else tuple(parts_here(settings))
    yield from gathered("parts", policy.parts(settings, wanted))
    if GOVERN in wanted:
        yield from gathered("policy", policy.policy(settings))
    if GOVERN in wanted or SHIP in wanted:
        yield from gathered("keys", keys.identities(settings))
    if KEEP in wanted:
        yield from gathered("signing key", keys.signing(settings))
        yield from gathered("log", policy.sink(settings))
    if GOVERN in wanted or SHIP in wanted:
        yield from gathered("spool", spool.spool(settings, part))
    if GOVERN in wanted:
        yield from gathered("control", policy.control(settings))
        yield from gathered("crm", crm.crm(settings))
    if settings.database.dsn:
        yield from gathered("database", database.database(settings, wanted))
    if SHIP in wanted or KEEP in wanted:
        wants = locks.wanted(settings, wanted)
        for name in settings.vaults if KEEP in wanted else settings.homes:
            lock = wants.get(name, Lock.NONE)
            yield from gathered(f"vault.{name}", vaults.vault(settings, name, part, lock))
    if GOVERN in wanted:
        yield from gathered("switch", switch.switch(settings))
        yield separated(settings, wanted)


def parts_here(settings: Settings) -> Iterator[str]:
    """Which run here: govern and ship on every switch host, keep where its login or key is."""
    yield from (GOVERN, SHIP)
    login = settings.database.credentials
    places = [settings.log.signing_key, *([login / KEEP] if login else [])]
    if login is None or any(os.access(place, os.F_OK) for place in places):
        yield KEEP


def separated(settings: Settings, wanted: tuple[str, ...]) -> Finding:
    """A switch host that is broken into shall not rewrite the log: keep belongs elsewhere."""
    if settings.database.dsn.startswith(database.EMBEDDED):
        hint = "for trials, not for service: a PostgreSQL of its own"
        return warning("keep", "embedded: switch, archive and log are in one hand on this host", hint=hint)
    if KEEP in wanted or keys.can_sign(settings):
        hint = "run keep on another host, under its own credentials"
        return warning("keep", "keep's login or the log's key is within reach of the switch host", hint=hint)
    return ok("keep", "neither its login nor the log's key is within reach of this host")
