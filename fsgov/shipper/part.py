"""ship as a process: made from the configuration, runs until a signal."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, closing

import structlog

from fsgov import spool
from fsgov.catalog.ship import open_ship
from fsgov.config import Settings
from fsgov.config.settings import VaultSettings
from fsgov.envelope import Recipient
from fsgov.health.listener import serving
from fsgov.health.pages import application
from fsgov.health.ship import ShipVitals
from fsgov.notify import Systemd
from fsgov.shipper.artefacts import ALARM, Stowing
from fsgov.shipper.loop import Shipper
from fsgov.shipper.storing import Destination
from fsgov.vault import Credentials, open_vault
from fsgov.vault.pacing import Pace

NICE = 15
"""FreeSWITCH mixes live media on this host, and govern answers callers: what ship does may wait. With 5,
starts took 280 to 340 ms at the 90th percentile on two busy cores; with 15, 13 to 75 ms."""

log = structlog.get_logger()


def run(settings: Settings, stop: threading.Event, systemd: Systemd) -> None:
    """Ship what is in the configured spool until `stop` is set. PostgreSQL and vaults may be away."""
    settings.need("ship")
    os.nice(NICE)
    with ExitStack() as stack:
        room = stack.enter_context(closing(spool.Spool(settings.spool.directory, "ship")))
        spool.check(settings.spool.directory, "ship")
        password = settings.database.password("ship")
        catalog = stack.enter_context(closing(open_ship(settings.database.dsn, password)))
        pace = Pace(settings.ship.rate) if settings.ship.rate else None
        vaults = {name: opened(vault, pace) for name, vault in settings.homes.items()}
        shipper = Shipper(
            room,
            catalog,
            vaults,
            host=settings.host,
            keep_sealed=settings.spool.keep_sealed,
            uploads=settings.ship.uploads,
        )
        stack.enter_context(closing(shipper))
        vitals = stack.enter_context(closing(ShipVitals(shipper, room, settings.homes)))
        stack.enter_context(serving(application(vitals), settings.health.ship, "ship"))
        stowing = stack.enter_context(
            closing(Stowing(catalog, {name: each.vault.audio for name, each in vaults.items()}))
        )
        stowing.start()
        log.info("ship.started", vaults=sorted(settings.homes))

        def turned() -> None:
            room.alive()
            follow(shipper, stowing)
            systemd.turned(lambda: words(shipper))

        shipper.run(stop, turned)
        log.info("ship.stopped", **shipper.waiting)


def follow(shipper: Shipper, stowing: Stowing) -> None:
    """The alarm of artefacts is up while they trouble; ship's own thread tells it."""
    fault = stowing.troubles.get(ALARM)
    if fault is not None:
        shipper.raised.raise_(ALARM, fault)
    else:
        shipper.raised.clear(ALARM)


def words(shipper: Shipper) -> str:
    """What ship is at, in a line."""
    steps = ", ".join(f"{count} {step}" for step, count in shipper.waiting.items() if count)
    alarms = ", ".join(sorted(shipper.alarms))
    return f"{steps or 'nothing waits'}{f'; alarms: {alarms}' if alarms else ''}"


def opened(vault: VaultSettings, pace: Pace | None = None) -> Destination:
    """A vault of the configuration, with its recipients parsed; nothing is asked of it yet."""
    login = vault.credentials
    credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
    recipients = tuple(Recipient.parse(text) for text in vault.recipients)
    found = open_vault(vault.name, vault.url, vault.keys, credentials)
    found.audio.pace = pace
    return Destination(found, recipients)
