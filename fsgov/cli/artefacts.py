"""`fsgov recordings attach` and `artefacts`: what was made of recordings, sealed to their own keys."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import output
from fsgov.cli.frame import Frame, a_call, a_path, pass_frame, write_new
from fsgov.cli.recordings import recordings, segments_of
from fsgov.errors import BadUsage, Conflict, Damaged, NotFound, NotPermitted

if TYPE_CHECKING:
    from fsgov.catalog.artefacts import ArtefactRow
    from fsgov.catalog.desk import Desk
    from fsgov.cli.exporting import Need
    from fsgov.config import Settings
    from fsgov.envelope import Identity
    from fsgov.vault import Bucket

__all__ = ["export", "give", "name_of", "opened", "recordings"]

LARGEST = 32 * 1024 * 1024 - 1024
"""Bytes of an artefact; with its seal it fits what the database takes."""
KIND, TYPE = re.compile(r"[a-z][a-z_-]{0,31}"), re.compile(r"[a-z]+/[a-z0-9.+-]{1,64}")


@recordings.command(
    example="fsgov recordings attach 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01 ./transcript.txt \\\n"
    "    --kind transcript --purpose evidence --made-by 'whisper 3'"
)
@click.argument("segment")
@click.argument("file", type=a_path())
@click.option("--kind", required=True, help="What it is, in a small word: transcript, score, summary.")
@click.option("--purpose", required=True, help="One of the recording's purposes, and the only one it serves.")
@click.option("--type", "media_type", help="Its media type; else by the name of the file.")
@click.option("--made-by", default="", help="The program or person that made it.")
@pass_frame
def attach(
    frame: Frame, segment: str, file: Path, kind: str, purpose: str, media_type: str | None, made_by: str
) -> None:
    """Attach what was made of a recording: it is held, kept and destroyed with it, and opened as it is.

    It is sealed here, to the recording's own key; nobody needs a private key for that. ship puts it into the
    vault. The same file again is the same artefact, so an interrupted run is repeated.
    """
    from fsgov.catalog.artefacts import Made
    from fsgov.envelope import Recipient, seal_bytes

    content = _content(file)
    guessed = media_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    for word, text, form in (("kind", kind, KIND), ("media type", guessed, TYPE)):
        if not form.fullmatch(text):
            raise BadUsage(f"This is no {word} of an artefact", repr(text[:80]), "transcript; text/plain")
    with frame.desk() as desk:
        recipient = desk.artefacts.recipient(a_call(segment))
        if recipient is None:
            raise Conflict(
                "Nobody knows whom this recording is sealed to",
                segment,
                "there was no audio, or it was adopted from a vault: nothing can be attached",
            )
        sealed = seal_bytes(content, [Recipient.parse(recipient)], os.urandom)
        digest = hashlib.sha256(content).hexdigest()
        made = Made(segment, kind, guessed, purpose, made_by, len(content), digest, sealed)
        artefact = desk.artefacts.attach(made)
    frame.said(
        f"{artefact}: {kind} of {segment}, {len(content)} bytes; ship stores it",
        {"artefact": artefact, "segment": segment, "kind": kind, "purpose": purpose, "size": len(content)},
    )


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except FileNotFoundError:
        raise NotFound("There is no such file", str(file)) from None
    except PermissionError:
        raise NotPermitted("The file is not for this user", str(file)) from None
    except OSError as fault:
        raise BadUsage("The file cannot be read", f"{file}: {fault.strerror}") from None
    if not content or len(content) > LARGEST:
        raise BadUsage("An artefact has between one byte and 32 MiB", f"{file}: {len(content)} bytes or more")
    return content


@recordings.command(example="fsgov recordings artefacts 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab")
@click.argument("id_", metavar="ID")
@pass_frame
def artefacts(frame: Frame, id_: str) -> None:
    """What was made of a recording. `recordings export d-…` writes one to a file."""
    with frame.desk() as desk:
        found = desk.artefacts.of([row.segment for row in segments_of(desk, id_)])
    frame.rows(
        found,
        {
            "attached": lambda row: row.attached_at,
            "artefact": lambda row: row.artefact,
            "segment": lambda row: row.segment,
            "kind": lambda row: row.kind,
            "purpose": lambda row: row.purpose,
            "state": lambda row: row.state,
            "size": lambda row: row.size,
            "made by": lambda row: row.made_by,
        },
        "nothing was made of it",
    )


@recordings.command(
    example="fsgov recordings detach d-abcdefghijkl --reason 'it is of another call'\n"
    "fsgov recordings detach d-abcdefghijkl --approve"
)
@click.argument("artefact")
@click.option("--reason", default="", help="Why it is to go. Asks for it; another login approves.")
@click.option("--approve", is_flag=True, help="Approve what another login has asked for. For privacy.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
def detach(frame: Frame, artefact: str, reason: str, approve: bool, yes: bool) -> None:
    """Destroy an artefact that is wrong, by two logins; its recording stays. Then attach the right one.

    keep removes every version of it from every vault. Never under a hold. For supervisor and privacy.
    """
    if bool(reason) == approve:
        raise BadUsage("Say why, or --approve", artefact, "fsgov recordings detach --help")
    with frame.desk() as desk:
        row = desk.artefacts.one(a_call(artefact))
        if not approve:
            desk.artefacts.ask_detach(artefact, reason)
        else:
            why = output.clean(desk.artefacts.asked_why(artefact))
            if yes or click.confirm(
                f"Destroy this {row.kind} of {row.segment} ({why})?", abort=True, err=True
            ):
                desk.artefacts.approve_detach(artefact)
    then = "approved; keep removes it" if approve else "asked for; another login of privacy approves it"
    frame.said(f"{artefact}: {then}", {"artefact": artefact, "segment": row.segment, "approved": approve})


def export(frame: Frame, artefact: str, need: Need, target: Path, identities: tuple[Identity, ...]) -> None:
    """Write an artefact and a manifest beside it, after an access to its recording."""
    with frame.desk() as desk:
        row = desk.artefacts.one(artefact)
        path = target if target.suffix and not target.is_dir() else target / name_of(row)
        beside = path.with_name(f"{path.name}.json")
        for new in (path, beside):
            if new.exists():
                raise Conflict("The file is there already", str(new), "name another; none is overwritten")
        told = give(frame.settings, desk, row, identities, path, need)
        write_new(beside, json.dumps(output.plain(told), indent=2) + "\n", 0o600)
    frame.said(
        f"{path.absolute()}  {row.size} bytes  SHA-256 {row.sha256}",
        {**told, "file": path.absolute(), "manifest": beside.absolute()},
    )


def name_of(row: ArtefactRow) -> str:
    """The name of its file."""
    return f"{row.artefact}{mimetypes.guess_extension(row.media_type) or '.bin'}"


def give(
    settings: Settings,
    desk: Desk,
    row: ArtefactRow,
    identities: Iterable[Identity],
    path: Path,
    need: Need,
) -> dict[str, Any]:
    """The artefact as a file, under `path` only when all of it is right; what its manifest says of it.

    The access is committed before the key is released, as for a recording.
    """
    from fsgov.cli import exporting

    exporting.reasoned(need)
    with exporting.audio_bucket(settings, row.vault) as bucket:
        if row.state == "stored":  # else the database says why not
            bucket.stat(row.object_key, row.version_id)
        access, content = opened(bucket, desk, row, identities, need)
    with exporting.fresh(path) as file:
        file.write(content)
    return {
        "artefact": row.artefact,
        "segment": row.segment,
        "call": row.segment.rpartition("-")[0],
        "tenant": row.tenant,
        "kind": row.kind,
        "media_type": row.media_type,
        "made_by": row.made_by,
        "made_for": row.purpose,
        "attached_at": row.attached_at,
        "access": access,
        "exported_by": desk.login,
        "exported_at": datetime.now(UTC),
        **need.facts(),
        "recipient": need.recipient or desk.login,
        "file": path.name,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "sealed": {
            "vault": row.vault,
            "key": row.object_key,
            "version_id": row.version_id,
            "size": row.sealed_size,
            "sha256": row.sealed_sha256,
        },
    }


def opened(
    bucket: Bucket,
    desk: Desk,
    row: ArtefactRow,
    identities: Iterable[Identity],
    need: Need,
) -> tuple[str, bytes]:
    """The access, and what the artefact says. Raises Damaged where it is not what was attached."""
    from fsgov.envelope import unseal_bytes, unwrap_identity
    from fsgov.vault import verified

    access = desk.artefacts.request(row.artefact, need.purpose, need.reason, need.recipient, need.case)
    released = desk.release_key(access)
    blocks = verified(bucket.get(row.object_key, row.version_id or ""), row.sealed_sha256, row.sealed_size)
    content = unseal_bytes(b"".join(blocks), [unwrap_identity(released.wrapped_key, identities)])
    if row.sha256 not in (hashlib.sha256(content).hexdigest(), None):  # None: adopted
        raise Damaged("The artefact is not the one that was attached", row.artefact)
    return access, content
