"""What `recordings verify` looks at: the stored object, the audio inside it, the consents it rests on."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fsgov.errors import Damaged

if TYPE_CHECKING:
    from fsgov.catalog.desk import Desk
    from fsgov.catalog.rows import SegmentRow
    from fsgov.cli import exporting
    from fsgov.config import Settings
    from fsgov.envelope import Identity


def object_of(
    settings: Settings,
    desk: Desk,
    row: SegmentRow,
    identities: Iterable[Identity],
    need: exporting.Need,
    seen: exporting.Seen,
) -> dict[str, str]:
    """Whether the vault has what the row says. Raises Damaged, and what vault and access refuse."""
    from fsgov.cli import exporting
    from fsgov.vault import verified

    key, version, size, digest = exporting.stored_at(row)
    with exporting.audio_bucket(settings, row.vault) as bucket:
        found = bucket.stat(key, version)
        if found.size != size:
            raise Damaged("The stored object has another length", f"{key}: {found.size}, the row says {size}")
        if not identities:
            for _ in verified(exporting.counted(bucket.get(key, version), seen), digest, size):
                pass
            return {"object": "ok", "audio": "not opened"}
        _, released = exporting.release(desk, row.segment, need)
        exporting.opened(bucket, row, released, identities, _Nowhere(), seen)
    return {"object": "ok", "audio": "ok"}


def consents_of(desk: Desk, row: SegmentRow) -> str:
    """Whether the rows that the recording rests on are as they were when it was opened. Raises Damaged."""
    from fsgov.catalog.proving import prove

    if not row.consents:
        return "none needed"
    rows = desk.evidence(row.call)
    if rows is None:
        return "not for this login"
    proof = prove(row, rows)
    if proof.altered or proof.gone:
        told = [f"{consent} was altered" for consent in proof.altered]
        told += [f"{consent} is not there" for consent in proof.gone]
        raise Damaged("A consent is not what the recording rests on", "; ".join(told))
    return f"erased: {', '.join(proof.erased)}" if proof.erased else "ok"


class _Nowhere(io.BytesIO):
    """Takes everything, keeps nothing."""

    def write(self, part: Any) -> int:
        return len(part)
