"""A certificate with everything that proves it, as people get it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.log import handovers, newest
from fsgov.catalog.rows import selected
from fsgov.certificate import Certificate, Proven
from fsgov.errors import Conflict, NotFound, NotPermitted
from fsgov.merkle import inclusion_proofs, leaf_hash

LEAVES = 20_000


@dataclass(frozen=True, slots=True)
class _Made:
    batch: str
    place: int
    origin: str
    n: int
    batch_n: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Line:
    log_id: str
    seq: int
    line: bytes


def certificate(database: Database, segment: str) -> Certificate:
    """The certificate of this recording, under the newest checkpoint: that is of the key that signs now.

    Raises NotFound where there is none, Conflict where no checkpoint covers it yet, NotPermitted where this
    login does not see the log.
    """
    with database.transaction() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        found = selected(cursor, _Made, "fsgov.certificates WHERE segment = %s", (segment,))
        if not found:
            raise _none(cursor, segment)
        (made,) = found
        bodies = _bodies(cursor, made.batch)
        entry, batch = (_line(cursor, made.origin, n) for n in (made.n, made.batch_n))
        if entry is None or batch is None:
            raise _early(cursor, segment)
        signed = newest(cursor, entry.log_id)
        if signed is None or signed.size <= max(entry.seq, batch.seq):
            raise _early(cursor, segment)
        before = handovers(cursor, entry.log_id, signed.size)
        leaves = _leaves(cursor, entry.log_id, signed.size)
        _, _, proofs = inclusion_proofs(leaves, {entry.seq, batch.seq})
    _, _, paths = inclusion_proofs(map(leaf_hash, bodies), {made.place})
    return Certificate(
        made.body,
        Proven(entry.line, entry.seq, proofs[entry.seq]),
        Proven(batch.line, batch.seq, proofs[batch.seq]),
        made.place,
        len(bodies),
        paths[made.place],
        signed.note.encode(),
        before,
    )


def _none(cursor: Cursor, segment: str) -> NotFound | Conflict:
    cursor.execute("SELECT state FROM fsgov.segments WHERE segment = %s", (segment,))
    row = cursor.fetchone()
    if row is None:
        return NotFound("There is no such segment", segment, "fsgov recordings list")
    if row[0] == "destroying":
        return Conflict("It is being destroyed", segment, "fsgov purge status says what it waits for")
    return Conflict("This recording is not destroyed", f"{segment} is {row[0]}", "fsgov recordings show")


def _early(cursor: Cursor, segment: str) -> Conflict | NotPermitted:
    cursor.execute("SELECT EXISTS (SELECT FROM fsgov.log)")
    if cursor.fetchone() == (False,):
        hint = "the log is for members of every tenant (*)"
        return NotPermitted(
            "A certificate is proven by the log, which this login does not see", segment, hint
        )
    return Conflict("No checkpoint covers its lines yet", segment, "keep signs each minute: try again then")


def _bodies(cursor: Cursor, batch: str) -> list[bytes]:
    cursor.execute("SELECT body FROM fsgov.certificates WHERE batch = %s ORDER BY place", (batch,))
    return [bytes(body) for (body,) in cursor.fetchall()]


def _line(cursor: Cursor, origin: str, n: int) -> _Line | None:
    found = selected(cursor, _Line, "fsgov.event_log WHERE origin = %s AND n = %s", (origin, n))
    return found[0] if found else None


def _leaves(cursor: Cursor, log_id: str, size: int) -> Iterator[bytes]:
    for first in range(0, size, LEAVES):
        cursor.execute(
            "SELECT leaf FROM fsgov.event_log WHERE log_id = %s AND seq >= %s AND seq < %s ORDER BY seq",
            (log_id, first, min(first + LEAVES, size)),
        )
        yield from (bytes(leaf) for (leaf,) in cursor.fetchall())
