"""The part `keep` of `fsgov run`: everything the sequencer needs, from the configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fsgov.catalog.copying import Copies
from fsgov.catalog.expiring import Expiring
from fsgov.catalog.keep import Keep
from fsgov.catalog.mirroring import Mirroring
from fsgov.catalog.retaining import Retaining
from fsgov.catalog.scrubbing import Scrubbing
from fsgov.config import Settings
from fsgov.copies import Copying, Locking
from fsgov.copies.copying import Look
from fsgov.errors import BadConfiguration, NotPermitted
from fsgov.events import Instant
from fsgov.expiry import Expiry
from fsgov.expiry.loop import Terms
from fsgov.health.keep import KeepVitals
from fsgov.health.listener import serving
from fsgov.health.pages import application
from fsgov.journal.alarms import Alarms
from fsgov.journal.anchor import VaultAnchor
from fsgov.journal.files import FileSink
from fsgov.journal.loop import Works, run
from fsgov.journal.quarantine import Quarantine
from fsgov.journal.sequencer import Sequencer
from fsgov.journal.signing import SIGNER, Signer
from fsgov.journal.stating import Statements
from fsgov.merkle import PublicKey, load_signing_key
from fsgov.mirror import Mirror
from fsgov.purge.part import Purger, purge_of, returns_of, scheduling_of
from fsgov.scrub import Scrubber
from fsgov.scrub.loop import IDLE, Pace
from fsgov.subjects.part import erasures_of
from fsgov.vault import Bucket, Credentials, Vault, open_vault


def keep(
    settings: Settings, stop: Callable[[], bool], turned: Callable[[str], None] = lambda _: None
) -> None:
    """Until `stop()`. Raises BadConfiguration, NotPermitted at once; outages are waited for.

    turned: called each time the loop has gone round, with what it is at, in words.
    """
    settings.need("keep")
    signer = signer_of(settings)
    with ExitStack() as stack:
        catalog = Keep(settings.database.dsn, settings.database.password("keep"))
        sinks = []
        if settings.log.file is not None:
            sinks.append(stack.enter_context(closing(FileSink(settings.log.file))))
        anchors = []
        vaults = {}
        for vault in settings.vaults.values():
            login = vault.credentials
            credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
            found = open_vault(vault.name, vault.url, vault.keys, credentials)
            vaults[vault.name] = found
            stack.enter_context(closing(found.audio))
            stack.enter_context(closing(found.keys))
            if not vault.by_store:
                anchors.append(VaultAnchor(vault.name, found.audio))
        alarms = Alarms(catalog, settings.host, now)
        sequencer = Sequencer(catalog, signer, now, sinks, anchors, alarms.tell)
        scrubber = scrub(settings, {name: vault.audio for name, vault in vaults.items()})
        expiry = expiring(settings)
        erasures = erasures_of(settings, now)
        purging = purge_of(settings, now), scheduling_of(settings, now), returns_of(settings, now)
        purger = Purger(*purging, run=settings.purge.run)
        stack.enter_context(closing(purger))
        vitals = KeepVitals(sequencer, alarms, now, scrubber, expiry, erasures, purger)
        stack.enter_context(serving(application(vitals), settings.health.keep, "keep"))
        stack.enter_context(closing(scrubber))
        scrubber.start()
        purger.start()
        stack.enter_context(closing(expiry))
        expiry.start()
        password = settings.database.password("keep")
        places = stack.enter_context(closing(Copies(settings.database.dsn, password)))
        copies = [stack.enter_context(closing(work)) for work in copies_of(settings, places, vaults)]
        for work in copies:
            work.start()
        stack.enter_context(closing(erasures))
        erasures.start()
        mirror = Mirror(Mirroring(settings.database.dsn, password), vaults, settings.host, now)
        stack.enter_context(closing(mirror))
        mirror.start()
        statements = Statements(catalog, settings.host, now)
        quarantine = Quarantine(catalog, settings.host, now)
        works: list[Works] = [scrubber, purger, expiry, erasures, *copies, mirror, quarantine]
        run(sequencer, catalog, alarms, stop, turned, vitals, works, [statements.turn, quarantine.turn])


def scrub(settings: Settings, buckets: Mapping[str, Bucket]) -> Scrubber:
    """What reads stored objects again, as configured; not begun."""
    catalog = Scrubbing(settings.database.dsn, settings.database.password("keep"))
    every = timedelta(microseconds=settings.scrub.every)
    pace = Pace(every, settings.scrub.bytes_per_second)
    idle = min(IDLE, every.total_seconds())
    return Scrubber(catalog, buckets, pace, settings.host, now, idle)


def expiring(settings: Settings) -> Expiry:
    """What counts recordings by what becomes of them, and forgets old rows; not begun."""
    dsn, password = settings.database.dsn, settings.database.password("keep")
    terms = Terms(
        overdue_after=timedelta(microseconds=settings.retention.overdue_after),
        numbers=timedelta(microseconds=settings.retention.numbers),
    )
    return Expiry(Retaining.of_keep(dsn, password), Expiring(dsn, password), terms, settings.host, now)


def copies_of(settings: Settings, catalog: Copies, vaults: Mapping[str, Vault]) -> list[Copying | Locking]:
    """What makes locks grow, and copies; not begun."""
    configured = settings.vaults.items()
    replicas = {name: (each.replica_of, each.by_store) for name, each in configured if each.replica_of}
    regions = {name: each.region for name, each in configured}
    look = Look(timedelta(microseconds=settings.scrub.every), settings.scrub.bytes_per_second)
    return [
        Locking(catalog, vaults, settings.host, now),
        Copying(catalog, vaults, regions, replicas, settings.host, now, look),
    ]


def signer_of(settings: Settings) -> Signer:
    """Who signs, with the keys that signed before, as configured."""
    prior = settings.log.prior_key
    handing = None if prior is None else signing_key(settings, prior, "log.prior_key")
    return Signer(signing_key(settings), handing, known_keys(settings)[:-1])


def known_keys(settings: Settings) -> list[PublicKey]:
    """Every key that signs or signed the log, in the order of time: what a verifier here has."""
    earlier = [PublicKey.parse(line) for line in settings.log.earlier_keys]
    if settings.log.prior_key is not None:
        earlier.append(PublicKey.of(SIGNER, signing_key(settings, settings.log.prior_key, "log.prior_key")))
    own = PublicKey.of(SIGNER, signing_key(settings))
    return [*dict.fromkeys(key for key in earlier if key != own), own]


def signing_key(
    settings: Settings, path: Path | None = None, named: str = "log.signing_key"
) -> Ed25519PrivateKey:
    """The key that signs checkpoints, or another private key of the log."""
    path = path or settings.log.signing_key
    try:
        return load_signing_key(path.read_bytes())
    except FileNotFoundError:
        hint = "fsgov keys generate signing"
        raise BadConfiguration("The signing key of the log is missing", f"{named}: {path}", hint) from None
    except PermissionError:
        raise NotPermitted("The signing key of the log is not for this user", str(path)) from None


def now() -> Instant:
    return time.time_ns() // 1000
