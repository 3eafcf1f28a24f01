"""What commands about keys have at hand: identities, and a vault with its recipients and its two buckets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fsgov.errors import BadConfiguration, BadUsage

if TYPE_CHECKING:
    from fsgov.config import Settings
    from fsgov.config.settings import VaultSettings
    from fsgov.envelope import Identity, Recipient
    from fsgov.vault import Bucket, Vault


def identities_of(paths: tuple[Path, ...]) -> tuple[Identity, ...]:
    """Those of every file that is named. Raises BadUsage where none is."""
    from fsgov.cli import exporting

    found = [each for path in paths or (None,) for each in exporting.identities_of(path)]
    if not found:
        hint = "--identity FILE: the one that fsgov keys generate recipient wrote"
        raise BadUsage(
            "No identity to open keys with", "neither --identity nor FSGOV_IDENTITY names a file", hint
        )
    return tuple(found)


def vault_of(settings: Settings, name: str | None) -> VaultSettings:
    """The vault that is meant. Raises BadUsage, BadConfiguration."""
    if name is None:
        if len(settings.vaults) != 1:
            raise BadUsage(
                "Say whose keys", ", ".join(settings.vaults) or "no vault is configured", "--vault NAME"
            )
        (name,) = settings.vaults
    found = settings.vaults.get(name)
    if found is None:
        raise BadConfiguration(
            "The vault is not configured here", f"vault.{name}", "name it, with url, keys, recipients"
        )
    return found


def recipients_of(vault: VaultSettings) -> list[Recipient]:
    """Raises BadConfiguration where it names none."""
    from fsgov.envelope import Recipient

    if not vault.recipients:
        where = f"vault.{vault.name}.recipients"
        raise BadConfiguration("The vault names no recipients", where, "those that shall open its recordings")
    return [Recipient.parse(text) for text in vault.recipients]


@contextmanager
def key_buckets(settings: Settings, besides: str) -> Iterator[dict[str, Bucket]]:
    """The key buckets of every other vault that names one here: copies have their keys there."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(opened(vault)).keys
            for name, vault in settings.vaults.items()
            if name != besides and vault.keys
        }


@contextmanager
def opened(settings: VaultSettings) -> Iterator[Vault]:
    """Both buckets, with this configuration's login. Raises BadConfiguration where one is not named."""
    from fsgov.vault import Credentials, open_vault

    if not settings.keys:
        hint = "the key bucket: keys are sealed there as well"
        raise BadConfiguration("The key bucket is not configured here", f"vault.{settings.name}.keys", hint)
    login = settings.credentials
    credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
    vault = open_vault(settings.name, settings.url, settings.keys, credentials)
    with closing(vault.audio), closing(vault.keys):
        yield vault
