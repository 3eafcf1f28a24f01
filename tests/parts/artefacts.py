"""What is made of recordings, attached as a program does it and stored as ship does it."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from pathlib import Path

from fsgov.catalog import migrate
from fsgov.catalog.artefacts import Made
from fsgov.catalog.desk import Desk
from fsgov.catalog.ship import open_ship
from fsgov.envelope import Recipient, seal_bytes
from fsgov.shipper.artefacts import Stowing
from fsgov.vault import Bucket


def attach(dsn: str, segment: str, text: bytes, kind: str = "transcript", purpose: str = "evidence") -> str:
    """By the person of this DSN, sealed to the recording's key; the id."""
    with closing(Desk(dsn)) as desk:
        recipient = Recipient.parse(str(desk.artefacts.recipient(segment)))
        sealed, digest = seal_bytes(text, [recipient], os.urandom), hashlib.sha256(text).hexdigest()
        made = Made(segment, kind, "text/plain", purpose, "whisper 3", len(text), digest, sealed)
        return desk.artefacts.attach(made)


def stow(dsn: str, credentials: Path, **buckets: Bucket) -> int:
    """What waits for these vaults goes into them; how much it was."""
    with closing(open_ship(dsn, migrate.service_password(credentials, "ship"))) as ship:
        return Stowing(ship, buckets).run_once()
