"""`fsgov keys`: whom recordings are sealed to, and who signs the log."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from fsgov.cli.frame import Frame, Group, a_path, pass_frame, write_new
from fsgov.errors import FsgovError

PRIVATE = 0o600


@click.group(cls=Group, example="fsgov keys list --json")
def keys() -> None:
    """Whom recordings are sealed to, and who signs the log."""


@keys.group(example="fsgov keys generate recipient --output ./identity.txt")
def generate() -> None:
    """Make a key pair; no file is ever overwritten."""


@generate.command(example="fsgov keys generate recipient --output ~/fsgov-identity.txt")
@click.option(
    "--output", type=a_path(), required=True, help="New file for the identity; never on a switch host."
)
@pass_frame
def recipient(frame: Frame, output: Path) -> None:
    """An age identity, and the recipient that a vault names.

    Who has the identity can open the recordings; keep it on a desk, and a second one in escrow. Only the
    recipient (age1…) goes into vault.NAME.recipients.
    """
    from fsgov.envelope import Identity

    identity = Identity.generate(os.urandom)
    public = identity.recipient
    write_new(output, f"# recipient: {public}\n{identity}\n", PRIVATE)
    facts = {"recipient": str(public), "fingerprint": public.fingerprint, "identity": output.absolute()}
    frame.facts(facts)


@generate.command(example="fsgov keys generate signing --output /etc/fsgov/log.key")
@click.option("--output", type=a_path(), help="New file for the private key; default: log.signing_key.")
@pass_frame
def signing(frame: Frame, output: Path | None) -> None:
    """The key that signs the log's checkpoints, and the public line that verifies them.

    Give the public line to whoever verifies; it is also written beside the key, with the ending .pub.
    """
    from fsgov.journal import SIGNER
    from fsgov.merkle import PublicKey, generate_signing_key, signing_key_pem

    path = output or frame.settings.log.signing_key
    key = generate_signing_key(os.urandom)
    public = PublicKey.of(SIGNER, key)
    write_new(path, signing_key_pem(key).decode("ascii"), PRIVATE)
    beside = path.with_name(path.name + ".pub")
    write_new(beside, f"{public}\n", 0o644)
    frame.facts({"public": str(public), "key": path.absolute(), "public_file": beside.absolute()})


@keys.command("list", example="fsgov keys list --identity ./identity.txt")
@click.option("--identity", type=a_path(), help="Tell which of these keys the identities in this file open.")
@pass_frame
def list_(frame: Frame, identity: Path | None) -> None:
    """Whom recordings are sealed to, with how many keys each opens, and the public key of the log.

    Recipients are those of the configuration, and any other that keys in the database are still sealed to.
    ALONE are keys that nobody else opens: lost with that identity. Counted for the roles privacy, auditor and
    ops, of every tenant; without them, or without the database, what the configuration says is told.
    """
    from fsgov.cli.exporting import identities_of
    from fsgov.envelope import Recipient

    settings = frame.settings
    at_hand = {each.recipient.fingerprint for each in identities_of(identity)} if identity else None
    configured = {
        (vault.name, Recipient.parse(text).fingerprint): text
        for vault in settings.vaults.values()
        for text in vault.recipients
    }
    counted = _counted(frame)
    found: list[dict[str, Any]] = []
    for vault, fingerprint in [
        *configured,
        *(each for each in sorted(counted or {}) if each not in configured),
    ]:
        keys_, alone = (counted or {}).get((vault, fingerprint), (0, 0))
        found.append(
            {
                "use": f"vault.{vault}",
                "fingerprint": fingerprint,
                "key": configured.get((vault, fingerprint), "not in the configuration"),
                "keys": None if counted is None else keys_,
                "alone": None if counted is None else alone,
                "at_hand": None if at_hand is None else fingerprint in at_hand,
            }
        )
    signers = [_earlier(line) for line in settings.log.earlier_keys]
    signers += [_signer(settings.log.prior_key, "log, before")] if settings.log.prior_key else []
    signers.append(_signer(settings.log.signing_key, "log"))
    found += [each | dict.fromkeys(("keys", "alone", "at_hand")) for each in signers]
    columns = ["use", "fingerprint", "keys", "alone", *(["at_hand"] if at_hand is not None else []), "key"]
    frame.rows(found, {name.replace("_", " "): lambda row, name=name: row[name] for name in columns})  # type: ignore[misc]


def _counted(frame: Frame) -> dict[tuple[str, str], tuple[int, int]] | None:
    """Vault and fingerprint -> keys it opens, and keys that it alone opens. None: not for us to know here."""
    from fsgov.catalog.rotating import Rotating

    try:
        with frame.database() as dsn, closing(Rotating(dsn)) as person:
            rows = person.counts()
    except FsgovError as fault:
        click.echo(f"keys are not counted: {fault}", err=True)
        return None
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        for fingerprint in row.recipients or ["unknown"]:
            opened, alone = found.get((row.vault, fingerprint), (0, 0))
            lonely = row.keys if len(row.recipients) == 1 and not row.prior else 0
            found[row.vault, fingerprint] = opened + row.keys, alone + lonely
    return found


def _earlier(line: str) -> dict[str, Any]:
    from fsgov.merkle import PublicKey

    return {"use": "log, once", "key": line, "fingerprint": PublicKey.parse(line).key_id.hex()}


def _signer(path: Path, use: str) -> dict[str, Any]:
    """A public key of the log, or why it cannot be told here: a desk has no private key, and needs none."""
    from fsgov.journal import SIGNER
    from fsgov.merkle import PublicKey, load_signing_key

    try:
        public = PublicKey.of(SIGNER, load_signing_key(path.read_bytes()))
    except OSError as fault:
        return {"use": use, "key": f"{path}: {fault.strerror}", "fingerprint": ""}
    except FsgovError as fault:
        return {"use": use, "key": f"{path}: {fault}", "fingerprint": ""}
    return {"use": use, "key": str(public), "fingerprint": public.key_id.hex()}
