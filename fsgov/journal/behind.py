"""Whether the database has less of its log than a copy outside: a dump was restored, and nobody told."""

from __future__ import annotations

from contextlib import closing

from fsgov.catalog.keep import Keep
from fsgov.config import Settings
from fsgov.errors import Damaged
from fsgov.journal.anchor import VaultAnchor
from fsgov.journal.files import FileSink
from fsgov.vault import Credentials, open_bucket


def shorter(lines: int, copy: str, held: int) -> Damaged:
    """What is said of it."""
    return Damaged(
        "The log is shorter than its copy",
        f"{lines} lines, {copy} has {held}",
        "the database was restored: nothing is written before fsgov db restored",
    )


def look(settings: Settings) -> None:
    """For who writes no log but may destroy. Raises Damaged; and what the vaults and the catalog raise."""
    with closing(Keep(settings.database.dsn, settings.database.password("keep"))) as catalog:
        log_id = catalog.log_id()
        held = {}
        if settings.log.file is not None:
            with closing(FileSink(settings.log.file)) as sink:
                held[sink.name] = max(sink.signed(log_id), sink.size(log_id))
        for vault in settings.vaults.values():
            login = vault.credentials
            credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
            with closing(open_bucket(vault.url, credentials)) as bucket:
                anchor = VaultAnchor(vault.name, bucket)
                held[anchor.name] = anchor.signed(log_id)
        lines = catalog.size(log_id)  # last: what grows meanwhile grows here first
    for name, size in held.items():
        if size > lines:
            raise shorter(lines, name, size)
