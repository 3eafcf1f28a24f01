"""Call detail records that FreeSWITCH writes by itself: which sessions there were, whoever watched.

    *.cdr.xml      mod_xml_cdr: one file a session. Only its name is read, `[a_]<uuid>.cdr.xml`; it ended when
                   the file was written
    Master.csv*    mod_cdr_csv, also rotated, with the template `example`, FreeSWITCH's default (others end
                   with other fields): end_stamp, in this host's time zone, and uuid

A caller chooses the first fields, and mod_cdr_csv does not escape a quote in them: so fields are counted from
the end of a row, where the switch alone writes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from fsgov.errors import NotFound
from fsgov.reconcile.worlds import Instant, Session

XML = re.compile(r"(?:a_)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.cdr\.xml")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FIELDS, END_STAMP, LEG = 15, -9, -5


def read(directory: Path, since: Instant) -> Iterator[Session]:
    """Sessions that ended at `since` or later. Raises NotFound where the directory is not there."""
    if not directory.is_dir():
        raise NotFound("There is no directory of CDR files", str(directory), "switch.cdr names it")
    for path in sorted(directory.iterdir()):
        if named := XML.fullmatch(path.name):
            ended = path.stat().st_mtime_ns // 1000
            if ended >= since:
                yield Session(named[1], ended, "cdr")
        elif path.name.startswith("Master.csv") and path.stat().st_mtime_ns // 1000 >= since:
            yield from _rows(path, since)


def _rows(path: Path, since: Instant) -> Iterator[Session]:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.reader(line.replace("\0", "") for line in file):
            if len(row) < FIELDS or not UUID.fullmatch(row[LEG].strip()):
                continue
            try:
                ended = int(datetime.fromisoformat(row[END_STAMP].strip()).timestamp()) * 1_000_000
            except ValueError:
                continue
            if ended >= since:
                yield Session(row[LEG].strip(), ended, "cdr")
