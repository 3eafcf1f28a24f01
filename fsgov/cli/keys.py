"""`fsgov keys`: whom recordings are sealed to, and who signs the log."""

from __future__ import annotations

import os
from pathlib import Path

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


@keys.command("list", example="fsgov keys list")
@pass_frame
def list_(frame: Frame) -> None:
    """Recipients of the vaults and the public key of the log, as the configuration names them."""
    from fsgov.envelope import Recipient

    settings = frame.settings
    found = [
        {"use": f"vault.{vault.name}", "key": text, "fingerprint": Recipient.parse(text).fingerprint}
        for vault in settings.vaults.values()
        for text in vault.recipients
    ]
    found.append(_signer(settings.log.signing_key))
    frame.rows(found, {name: lambda row, name=name: row[name] for name in ("use", "fingerprint", "key")})  # type: ignore[misc]


def _signer(path: Path) -> dict[str, str]:
    """The log's public key, or why it cannot be told here: a desk has no private key, and needs none."""
    from fsgov.journal import SIGNER
    from fsgov.merkle import PublicKey, load_signing_key

    try:
        public = PublicKey.of(SIGNER, load_signing_key(path.read_bytes()))
    except OSError as fault:
        return {"use": "log", "key": f"{path}: {fault.strerror}", "fingerprint": ""}
    except FsgovError as fault:
        return {"use": "log", "key": f"{path}: {fault}", "fingerprint": ""}
    return {"use": "log", "key": str(public), "fingerprint": public.key_id.hex()}
