"""`fsgov purge certificate`: the proof that a recording is destroyed, made and verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsgov.cli import output
from fsgov.cli.events import public_keys
from fsgov.cli.frame import Frame, a_call, a_path, pass_frame, read_text, write_new
from fsgov.cli.purging import planning, purge
from fsgov.errors import BadUsage

if TYPE_CHECKING:
    from fsgov.certificate import Verdict

__all__ = ["certificate", "purge"]


@purge.command(
    example="fsgov purge certificate 0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab-01 --output ./certificate.json\n"
    "fsgov purge certificate --verify ./certificate.json --key fsgov+244591f5+AVk5OS…"
)
@click.argument("segment", required=False)
@click.option("--output", "target", type=a_path(), help="A new file for it; else it is printed.")
@click.option("--verify", "file", type=a_path(), help="Verify this certificate; nothing is asked of fsgov.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    help="A public key of the log, to verify with: its line, or a file of them.",
)
@pass_frame
def certificate(
    frame: Frame, segment: str | None, target: Path | None, file: Path | None, keys: tuple[str, ...]
) -> None:
    """The certificate of a destroyed recording, with everything that proves it; or verify one.

    It says by whom and why, which versions were in which vault, and when its key was destroyed; it is a line
    of the log, and leads to a signed checkpoint. --verify needs the file and the public key, no database.
    """
    from fsgov import certificate as certificates

    if (segment is None) == (file is None) or (file is None) != (not keys):
        raise BadUsage("Name a recording, or --verify FILE --key KEY", "", "fsgov purge certificate --help")
    if file is not None:
        found = certificates.Certificate.parse(read_text(file, "certificate"))
        _tell(frame, certificates.verify(found, [key for text in keys for key in public_keys(text)]))
        return
    from fsgov.catalog.certificates import certificate as made

    assert segment is not None
    with planning(frame) as (_, plans):
        text = made(plans.database, a_call(segment)).text()
    if target is None:
        click.echo(text)
        return
    write_new(target, text + "\n", 0o644)
    frame.said(f"{target}: verify it with --verify and the log's public key", {"file": target})


def _tell(frame: Frame, found: Verdict) -> None:
    said = found.said
    if frame.json:
        output.print_json({"holds": True, **output.plain(found)})
        return
    output.print_facts(
        {
            "recording": said.get("segment"),
            "destroyed": said.get("destroyed_at"),
            "complete after": said.get("complete_after"),
            "cause": said.get("cause"),
            "plan": said.get("plan"),
            "proposed by": said.get("proposed_by"),
            "approved by": said.get("approved_by"),
            "audio SHA-256": said.get("audio_sha256"),
            "key destroyed": said.get("key", {}).get("destroyed_at"),
            "versions removed": len(said.get("removed", ())),
            "listed empty": [f"{each['vault']}/{each['bucket']}" for each in said.get("listed", ())],
            "log": f"{found.log_id}, line {found.seq}, signed to {found.signed_size} at {found.signed_at}",
        }
    )
    output.print_line("the certificate holds")
