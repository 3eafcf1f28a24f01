"""The exact bytes of one entry of the event log: CloudEvents 1.0 JSON on one line, without personal data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from fsgov.events import Instant

ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode
Fact = str | int | bool | list[str] | list[int] | None


def iso(instant: Instant) -> str:
    """RFC 3339 in UTC with milliseconds, as CloudEvents wants `time`."""
    moment = datetime.fromtimestamp(instant // 1_000_000, UTC).isoformat()[:19]
    return f"{moment}.{instant % 1_000_000 // 1000:03}Z"


def line(
    *, origin: str, n: int, host: str, type_: str, subject: str, time: Instant, facts: Mapping[str, Fact]
) -> bytes:
    """One line without its newline. `type_` is `segment.masked`; the full type adds `fsgov.` and `.v1`."""
    entry = {
        "specversion": "1.0",
        "id": f"{origin}.{n}",
        "source": f"/fsgov/{host}",
        "type": f"fsgov.{type_}.v1",
        "subject": subject,
        "time": iso(time),
        "data": facts,
    }
    return ENCODE(entry).encode()
