"""`fsgov subject export` and `erase`: what somebody asked for is carried out."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from fsgov.cli.frame import Frame, a_path, pass_frame
from fsgov.cli.subjects import a_request, show_records, subject, subjects_of
from fsgov.errors import Conflict

IDENTITY = click.option(
    "--identity", type=a_path(), help="File with the age identity of a recipient; else FSGOV_IDENTITY."
)


@subject.command(
    example="fsgov subject export r-abcdefghijkl --recipient 'Jane Doe, by courier' \\\n"
    "    --identity ./identity.txt --output ./exports"
)
@click.argument("request")
@click.option("--recipient", required=True, help="Who gets it: the manifest and the row name them.")
@click.option("--output", "target", type=a_path(), required=True, help="Where its directory is made.")
@IDENTITY
@click.option(
    "--with-others", is_flag=True, help="Also recordings in which others from outside can be heard."
)
@pass_frame
def export(
    frame: Frame, request: str, recipient: str, target: Path, identity: Path | None, with_others: bool
) -> None:
    """Write everything there is of the person into a new directory, and end the request.

    Audio with what was made of it, and for each call its times, what was decided and why, what they consented
    to, and the pauses; nothing that names anybody else. Recordings in quarantine, and those in which others
    from outside can be heard, are withheld, and the manifest says so. Each recording, and each transcript or
    score, is an access in the log.
    """
    from fsgov.cli import exporting, packing

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no half of it is left
    identities = exporting.identities_of(identity)
    settings = frame.settings
    with subjects_of(frame) as (subjects, dsn):
        row = subjects.request(a_request(request))
        packing.refuse(row, recipient)
        package = packing.Package(settings, dsn, row, recipient, with_others=with_others)
        with frame.bar("exporting", package.size(subjects), "bytes") as seen:
            made = package.write(subjects, identities, target, seen)
    frame.said(
        f"{made.directory}: {made.given} recordings of {made.calls} calls, {made.withheld} withheld; "
        f"{made.artefacts} artefacts",
        {
            "request": request,
            "directory": made.directory,
            "calls": made.calls,
            "given": made.given,
            "withheld": made.withheld,
            "artefacts": made.artefacts,
        },
    )


@subject.command(example="fsgov subject erase r-abcdefghijkl --dry-run\nfsgov subject erase r-abcdefghijkl")
@click.argument("request")
@click.option("--dry-run", is_flag=True, help="Only show what would be done with each record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
def erase(frame: Frame, request: str, dry_run: bool, yes: bool) -> None:
    """Approve an erasure that another login has opened; keep carries it out, record by record.

    What is held, or must be kept by a period, is erased when that ends. Nothing brings it back, a restore of
    the database neither. Once more where somebody has stopped its plan. For the role privacy.
    """
    from fsgov.cli.outlook import outlook

    with subjects_of(frame) as (subjects, dsn):
        row = subjects.request(a_request(request))
        if row.kind != "erase" or row.state not in ("open", "approved"):
            raise Conflict("This request does not wait for approval", f"{request}: {row.kind}, {row.state}")
        found = outlook(dsn, subjects.find(row.tenant, row.numbers, row.crm))
        counts = {
            verdict: sum(each.verdict == verdict for each in found) for verdict in {e.verdict for e in found}
        }
        if dry_run:
            show_records(frame, found)
            return
        if not yes:
            many = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "nothing"
            click.confirm(f"Erase what {request} asks for ({many})?", abort=True, err=True)
        subjects.approve(request)
    frame.said(f"{request}: approved; keep erases it", {"id": request, "approved": True, "records": counts})
