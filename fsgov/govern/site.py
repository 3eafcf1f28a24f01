"""What of the configuration the core needs, and what of it a reload takes up."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import PurePosixPath

import gevent

from fsgov import reloading
from fsgov.call.site import Site
from fsgov.config import Settings
from fsgov.events import Instant
from fsgov.govern.compiling import compiled_file
from fsgov.policy import Policy

GRACE: Instant = 200_000
"""µs that a look-up may take beyond its deadline, to the CRM's asker and back: else the core would have given
up before what is remembered from yesterday has its turn."""


def salt() -> str:
    """16 bytes that nobody can guess, hex."""
    return secrets.token_hex(16)


def site_of(settings: Settings) -> Site:
    """The site as the configuration describes it."""
    return Site(
        host=settings.host,
        trunks=settings.switch.trunks,
        tenants=settings.tenants,
        audio=str(audio_of(settings)),
        vault=next(iter(settings.homes)) if len(settings.homes) == 1 else "",
        lookup=settings.parties.deadline + GRACE,
        longest=settings.spool.segment_max,
        salt=salt,
    )


def audio_of(settings: Settings) -> PurePosixPath:
    """The directory that the switch writes in, as the switch sees it."""
    return PurePosixPath(settings.spool.switch_directory) / "audio"


def reloaded(site: Site, settings: Settings) -> Site:
    """The site with what may change while calls are up; everything else waits for a restart."""
    now = site_of(settings)
    return replace(site, trunks=now.trunks, tenants=now.tenants, vault=now.vault)


def read_again(settings: Settings) -> tuple[Settings, Policy]:
    """Configuration and policy as the files say them now. Cooperative; raises BadConfiguration."""
    found = gevent.get_hub().threadpool.apply(reloading.read_again, (settings, "govern"))
    return found, compiled_file(found.policy.file, found.regions)
