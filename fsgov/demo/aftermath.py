"""What must be true when all is over: nothing left lying about, and a log that holds."""

from __future__ import annotations

from pathlib import Path

from fsgov.catalog.desk import Desk
from fsgov.demo.site import Site
from fsgov.errors import FsgovError
from fsgov.vault import open_bucket
from fsgov.verify import Report, verify_directory, verify_export


def faults(site: Site, desk: Desk) -> list[str]:
    """Sentences; none where all is well."""
    return _plaintext(site) + _lines(site, desk) + _objects(site, desk) + _secrets(site)


def _plaintext(site: Site) -> list[str]:
    left = sorted(path.name for path in (site.spool / "audio").iterdir())
    return [f"plaintext is left in the spool: {', '.join(left)}"] if left else []


def _lines(site: Site, desk: Desk) -> list[str]:
    """Every line that the parts wrote on this host is in the log, byte for byte."""
    state = desk.log.state()
    log = {(row.origin, row.n): row.line for row in desk.log.lines(state.log_id, 0, state.size)}
    found = [f"{state.waiting} lines wait for their place in the log"] if state.waiting else []
    for path in sorted((site.spool / "entries").glob("*.jsonl")):
        for n, line in enumerate(path.read_bytes().splitlines(), 1):
            if log.get((path.stem, n)) != line:
                found.append(f"line {n} of {path.stem} is not in the log")
    return found


def _objects(site: Site, desk: Desk) -> list[str]:
    """The vault has the recordings of the catalog and the log's checkpoints, nothing else.

    A segment without audio has a row and no object: `verdict` judges its state.
    """
    rows = {row.object_key for row in desk.segments(limit=10_000) if row.object_key is not None}
    keys = {version.key for version in open_bucket(site.vault[0]).list() if version.latest}
    audio = {key for key in keys if not key.startswith("log/")}
    return [f"{key} is in only one of vault and catalog" for key in sorted(rows ^ audio)]


def _secrets(site: Site) -> list[str]:
    """The switch host has nothing that opens a recording."""
    secret = str(site.identity()).encode()
    near = [path for path in site.host.rglob("*") if path.is_file() and secret in path.read_bytes()]
    return [f"{path.relative_to(site.root)} holds the identity" for path in near]


def log(site: Site, desk: Desk) -> tuple[Report | None, list[str]]:
    """What the log proves, as it is in the database and as it lies in the file sink; and what is wrong."""
    key, state = site.log_key(), desk.log.state()
    notes = [row.note.encode() for row in desk.log.checkpoints(state.log_id)]
    lines = (row.line + b"\n" for row in desk.log.lines(state.log_id, 0, state.size))
    try:
        report = verify_export(lines, notes, key)
        sink = verify_directory(_sink(site, state.log_id), key, notes[-1] if notes else None)
    except FsgovError as fault:
        return None, [f"the log does not hold: {fault}"]
    found = [f"{report.uncovered} lines of the log are not signed"] if report.uncovered else []
    if sink.root != report.root:
        found.append("the file sink and the database disagree about the log")
    return report, found


def _sink(site: Site, log_id: str) -> Path:
    return site.host / "log" / log_id
