"""`fsgov recordings prove`: what an evidence bundle proves, on any machine."""

from __future__ import annotations

from pathlib import Path

import click

from fsgov.cli import output
from fsgov.cli.artefacts import recordings
from fsgov.cli.events import public_keys
from fsgov.cli.frame import Frame, a_path, pass_frame

__all__ = ["recordings"]


@recordings.command(example="fsgov recordings prove ./evidence-17 --key ./operator.pub")
@click.argument("directory", type=a_path())
@click.option(
    "--key", "keys", multiple=True, required=True, help="The log's public key: its line, or a file."
)
@pass_frame
def prove(frame: Frame, directory: Path, keys: tuple[str, ...]) -> None:
    """What an evidence bundle proves. Nothing but its files and the key is needed: no network, no database.

    KEY is the operator's, from elsewhere; several where the key of the log was changed. Finds each byte that
    is not what was signed, and each row that is not what the lines of the log tell.
    """
    from fsgov import bundle

    publics = [key for text in keys for key in public_keys(text)]
    with frame.bar("verifying", _size(directory), "bytes") as seen:
        report = bundle.verify(directory, publics, seen)
    if frame.json:
        output.print_json(report)
        return
    output.print_line(
        f"{report.files} files and {report.lines} lines are what line {report.seq} of {report.log_id} says,"
        f" which was signed at {report.time}"
    )
    output.print_rows(report.proven, {"what": lambda row: row.what, "": lambda row: row.says})


def _size(directory: Path) -> int:
    """Bytes of all files."""
    return sum(path.lstat().st_size for path in directory.rglob("*") if not path.is_dir())
