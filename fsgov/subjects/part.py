"""Erasures as a thread of keep, from the configuration."""

from __future__ import annotations

from collections.abc import Callable

from fsgov.catalog.erasing import Erasing
from fsgov.catalog.retaining import Retaining
from fsgov.config import Settings
from fsgov.events import Instant
from fsgov.subjects.erasing import Erasures
from fsgov.subjects.ledger import Ledger
from fsgov.vault import Credentials, open_bucket


def erasures_of(settings: Settings, now: Callable[[], Instant]) -> Erasures:
    """What carries erasures out; not begun. The key bucket of every vault has its ledger."""
    dsn, password = settings.database.dsn, settings.database.password("keep")
    ledgers = {}
    for vault in settings.vaults.values():
        login = vault.credentials
        credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
        ledgers[vault.name] = open_bucket(vault.keys, credentials)
    return Erasures(
        Erasing(dsn, password), Retaining.of_keep(dsn, password), Ledger(ledgers), settings.host, now
    )
