"""Keys: nobody on a switch host can open what it stores, and the log's key is there for keep alone."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from fsgov.checks.finding import Finding, ok
from fsgov.config import Settings
from fsgov.errors import BadConfiguration

IDENTITY = re.compile(rb"AGE-SECRET-KEY-1[0-9A-Z]{58}", re.IGNORECASE)
"""Not its beginning alone, which documentation may name."""
LONGEST_KEY_FILE = 65_536


def identities(settings: Settings) -> Iterator[Finding]:
    """Recipients were parsed with the configuration; here no identity may be within reach."""
    found = [path for path in key_files(settings) if holds_identity(path)]
    if found:
        raise BadConfiguration(
            "an identity can be read on this switch host",
            ", ".join(map(str, found)),
            "move it to a desk, treat it as disclosed: whoever breaks in here opens every recording",
        )
    count = sum(len(vault.recipients) for vault in settings.vaults.values())
    yield ok("keys", f"{count} recipients, no identity within reach")


def key_files(settings: Settings) -> Iterator[Path]:
    """Where an identity is usually left: beside what is configured, in a home, in age's own place."""
    named = os.environ.get("FSGOV_IDENTITY")
    if named:
        yield Path(named)
    home = Path("~").expanduser()
    places = {settings.path.parent, settings.log.signing_key.parent, settings.spool.directory}
    places |= {settings.policy.file.parent, home, home / ".config/age", home / ".age", Path("/etc/fsgov")}
    if settings.database.credentials is not None:
        places.add(settings.database.credentials)
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        places.add(Path(credentials))
    for place in sorted(places):
        try:
            yield from sorted(path for path in place.iterdir() if path.is_file())
        except OSError:
            continue


def holds_identity(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return IDENTITY.search(file.read(LONGEST_KEY_FILE)) is not None
    except OSError:
        return False


def signing(settings: Settings) -> Iterator[Finding]:
    """The key that signs the log: one, and nobody else's to read."""
    from fsgov.journal.part import signer_of

    signer = signer_of(settings)
    prior = settings.log.prior_key
    for path in (settings.log.signing_key, *([prior] if prior is not None else [])):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            detail = f"{path}, mode {mode:04o}"
            hint = f"chmod 600 {path}; whoever could read it could have signed another log"
            raise BadConfiguration("The signing key of the log can be read by others", detail, hint)
    yield ok("signing key", str(signer.public))


def can_sign(settings: Settings) -> bool:
    """Does this login reach the log's key, or the password of keep?"""
    logins = settings.database.credentials
    places = [settings.log.signing_key, *([logins / "keep"] if logins else [])]
    places += [settings.log.prior_key] if settings.log.prior_key else []
    return any(os.access(place, os.R_OK) for place in places)
