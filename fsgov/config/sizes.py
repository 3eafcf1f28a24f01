"""Amounts of bytes in the configuration: room on a disk, bytes a second."""

from __future__ import annotations

import re

from fsgov.policy.reading import Table
from fsgov.watermarks import Watermark, Watermarks

UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
SIZE = re.compile(rf"([0-9]{{1,6}}) ?({'|'.join(UNITS)})")
SHARE = re.compile(r"([0-9]{1,2}) ?%")
LEAST = 100_000
A_MARK = '"10%" of the disk, or "20 GB"; "0%" is never'


def size(text: str) -> int | None:
    """`20 MB` in bytes; None when it is no size."""
    found = SIZE.fullmatch(text)
    return int(found[1]) * UNITS[found[2]] if found else None


def watermark(table: Table, key: str, default: str) -> Watermark:
    """Room on the spool's disk: a share of it, or bytes."""
    text = table.text(key, default)
    if share := SHARE.fullmatch(text):
        return Watermark(share=int(share[1]) / 100)
    found = size(text)
    if found is None:
        table.fault(key, f"{text!r} is no room on a disk", A_MARK)
    return Watermark(size=found or 0)


def watermarks(spool: Table) -> Watermarks:
    """The three marks; the graver the less room, where both are shares or both are bytes."""
    keys = ("warn_below", "shed_below", "refuse_below")
    read = [watermark(spool, key, default) for key, default in zip(keys, ("10%", "5%", "2%"), strict=True)]
    for (above, first), (below, second) in zip(
        zip(keys, read, strict=True), zip(keys[1:], read[1:], strict=True), strict=False
    ):
        if second.share > first.share > 0 or second.size > first.size > 0:
            spool.fault(below, f"is above {above}", "first a warning, then fewer recordings, then none")
    return Watermarks(warn=read[0], shed=read[1], refuse=read[2])


def rate(table: Table, key: str) -> int:
    """Bytes a second; 0 where there is no limit."""
    text = table.text(key)
    if not text:
        if table.has(key):
            table.fault(key, "is empty", "leave it out for no limit")
        return 0
    found = size(text.removesuffix("/s"))
    if found is None or not text.endswith("/s"):
        table.fault(key, f"{text!r} is no rate", '"5 MB/s"; leave it out for no limit')
        return 0
    if found < LEAST:
        table.fault(key, f"{text} is out of range", "from 100 kB/s, six calls; leave it out for no limit")
    return found
