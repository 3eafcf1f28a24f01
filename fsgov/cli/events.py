"""`fsgov events`: the log as it grows, as an export, and whether it is what was signed."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsgov.cli import completing, output
from fsgov.cli.frame import Frame, Group, a_path, pass_frame, read_text
from fsgov.errors import BadUsage, NotFound

if TYPE_CHECKING:
    from fsgov.catalog.rows import LineRow
    from fsgov.merkle import PublicKey

POLL = 1.0
"""Seconds between two looks at the log."""
CURSOR = re.compile(r"([0-9A-Za-z._-]{1,64}):([0-9]{1,18})")
TYPE = re.compile(r"(?:fsgov\.)?([a-z]+(?:\.[a-z_]+)+?)(?:\.v1)?")


@click.group(cls=Group, example="fsgov events tail --follow")
def events() -> None:
    """The event log: read it, export it, verify it."""


@events.command(example="fsgov events tail --after log-akfmpjmjmjdb:1204 --follow --json")
@click.option(
    "--after", metavar="LOG_ID:SEQ", help="Begin behind this cursor; without it, the last 20 lines."
)
@click.option("--follow", is_flag=True, help="Go on as the log grows, until interrupted.")
@pass_frame
def tail(frame: Frame, after: str | None, follow: bool) -> None:
    """Lines of the log in its order.

    With --json one object a line: log_id, seq, origin, n and the entry. LOG_ID:SEQ of the last line that was
    dealt with is the cursor to go on from: nothing is missed, nothing comes twice.
    """
    place = _cursor(after) if after is not None else None
    with frame.desk() as desk:
        if place is None:
            state = desk.log.state()
            place = state.log_id, max(0, state.size - 20)
        log_id, first = place
        try:
            while True:
                for line in desk.log.lines(log_id, first):
                    _print(frame, log_id, line)
                    first = line.seq + 1
                if not follow:
                    break
                sys.stdout.flush()
                time.sleep(POLL)
        except KeyboardInterrupt:
            if not follow:
                raise


def _cursor(text: str) -> tuple[str, int]:
    found = CURSOR.fullmatch(text)
    if found is None:
        raise BadUsage(
            "This is no cursor of the log", repr(text[:80]), "LOG_ID:SEQ, as `events tail` prints them"
        )
    return found[1], int(found[2]) + 1


def _print(frame: Frame, log_id: str, line: LineRow) -> None:
    entry = json.loads(line.line)
    if frame.json:
        whole = {"log_id": log_id, "seq": line.seq, "origin": line.origin, "n": line.n, "entry": entry}
        click.echo(json.dumps(whole))
        return
    type_ = entry["type"].removeprefix("fsgov.").removesuffix(".v1")
    facts = " ".join(f"{key}={_short(value)}" for key, value in entry["data"].items())
    output.print_line(f"{log_id}:{line.seq}  {entry['time']}  {type_:<18}  {entry['subject']}  {facts}")


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


@events.command(example="fsgov events export ./log-2026-11")
@click.argument("directory", type=a_path())
@pass_frame
def export(frame: Frame, directory: Path) -> None:
    """Write the whole log and its signed checkpoints: entries.jsonl and checkpoints.txt.

    `fsgov events verify DIRECTORY --key …` needs nothing else.
    """
    from fsgov import verify as verifier

    with frame.desk() as desk:
        state = desk.log.state()
        notes = [row.note.encode() for row in desk.log.checkpoints(state.log_id)]
        try:
            with frame.bar("exporting", state.size, "lines") as seen:
                lines = (row.line for row in _counted(desk.log.lines(state.log_id, 0, state.size), seen))
                count = verifier.write_export(directory, lines, notes)
        except OSError as fault:
            raise BadUsage("The export cannot be written", f"{fault.filename}: {fault.strerror}") from None
    facts = {
        "directory": directory.absolute(),
        "log_id": state.log_id,
        "lines": count,
        "checkpoints": len(notes),
    }
    frame.said(f"{count} lines and {len(notes)} checkpoints of {state.log_id} in {directory}", facts)


@events.command(example="fsgov events verify ./log-2026-11 --key fsgov+244591f5+AVk5OS…")
@click.argument("directory", type=a_path(), required=False)
@click.option("--live", is_flag=True, help="Verify the log in the database instead of an export.")
@click.option(
    "--key",
    "keys",
    required=True,
    multiple=True,
    help="A public key of the log: its line, or a file of such lines. Repeat it where a key was lost.",
)
@click.option("--expect", type=a_path(), help="A checkpoint from elsewhere: finds a log that was cut.")
@pass_frame
def verify(
    frame: Frame, directory: Path | None, live: bool, keys: tuple[str, ...], expect: Path | None
) -> None:
    """Whether the log is what was signed: finds each line that was edited, removed, added or moved.

    A log cut together with its checkpoints is found with --expect, a checkpoint kept elsewhere (sink, vault).
    One key is enough where each handed over to the next. Where one was lost give both, the older first: what
    it had signed is proven by it, and what rests on the next one's word alone is told.
    """
    from fsgov import verify as verifier

    if live == (directory is not None):
        raise BadUsage(
            "Name an export, or --live", "", "fsgov events verify DIRECTORY --key … | --live --key …"
        )
    public = [key for text in keys for key in public_keys(text)]
    wanted = read_text(expect, "checkpoint").encode() if expect is not None else None
    facts: dict[str, Any] = {}
    if directory is not None:
        with frame.bar("verifying", _size(directory / verifier.ENTRIES), "bytes") as seen:
            report = verifier.verify_directory(directory, public, wanted, seen)
    else:
        with frame.desk() as desk:
            state = desk.log.state()
            notes = [row.note.encode() for row in desk.log.checkpoints(state.log_id)]
            with frame.bar("verifying", state.size, "lines") as seen:
                rows = _counted(desk.log.lines(state.log_id, 0, state.size), seen)
                report = verifier.verify_export((row.line + b"\n" for row in rows), notes, public, wanted)
            facts = {"waiting": state.waiting}
    facts |= {
        "intact": True,
        "log_id": report.log_id,
        "lines": report.lines,
        "covered": report.covered,
        "root": report.root,
        "time": report.time,
        "checkpoints": report.checkpoints,
        "expected": report.expected,
        "unjudged": report.unjudged,
        "signers": [
            {
                "key": str(span.key),
                "first": span.first,
                "last": span.last,
                "how": span.how,
                "known": span.known,
            }
            for span in report.signers
        ],
    }
    waiting = facts.get("waiting", 0)
    rest = f", {waiting} entered and waiting for their place" if waiting else ""
    frame.said(f"{report.log_id or 'the log'} is {report}{rest}", facts)


def _counted(rows: Iterator[LineRow], seen: Callable[[int], None]) -> Iterator[LineRow]:
    for row in rows:
        seen(1)
        yield row


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it is not there, which its reader tells."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def public_keys(text: str) -> list[PublicKey]:
    """The key that the text is, or those of the file of that name. Raises BadConfiguration, NotFound."""
    from fsgov.merkle import PublicKey

    path = Path(text)
    if "+" not in text or path.is_file():
        lines = read_text(path, "public key").splitlines()
        return [PublicKey.parse(line) for line in lines if line.strip()] or [PublicKey.parse("")]
    return [PublicKey.parse(text)]


@events.command(example="fsgov events schema segment.masked")
@click.argument("type_", metavar="[TYPE]", required=False, shell_complete=completing.entry_types)
@pass_frame
def schema(frame: Frame, type_: str | None) -> None:
    """The JSON Schema of an entry type; without TYPE, all types with their meaning."""
    known = completing.entry_schemas()
    if type_ is None:
        found = [
            {"type": name, "title": json.loads(known[name].read_text()).get("description", "")}
            for name in sorted(known)
        ]
        frame.rows(found, {"type": lambda row: row["type"], "": lambda row: row["title"]})
        return
    match = TYPE.fullmatch(type_)
    if match is None or match[1] not in known:
        raise NotFound("There is no such entry type", repr(type_[:80]), "fsgov events schema lists them")
    click.echo(known[match[1]].read_text().rstrip())
