"""What `recordings verify` looks at: the stored object, the audio inside it, the consents it rests on."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fsgov.errors import Damaged, FsgovError, NotPermitted

if TYPE_CHECKING:
    from fsgov.catalog.artefacts import ArtefactRow
    from fsgov.catalog.desk import Desk
    from fsgov.catalog.rows import SegmentRow
    from fsgov.cli import exporting
    from fsgov.config import Settings
    from fsgov.envelope import Identity

REVIEWS = ("review", "audit", "complaint")
"""Purposes for which anything may be opened."""


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


def children_of(desk: Desk, rows: Iterable[SegmentRow]) -> list[ArtefactRow]:
    """What was made of these recordings and is to be there; nothing for a login that may not see it."""
    try:
        found = desk.artefacts.of([row.segment for row in rows])
    except NotPermitted:
        return []
    return [row for row in found if row.state != "destroyed"]


def children(
    settings: Settings,
    desk: Desk,
    rows: Iterable[SegmentRow],
    identities: Iterable[Identity],
    need: exporting.Need,
    seen: exporting.Seen,
    faults: list[FsgovError],
) -> list[dict[str, str]]:
    """A verdict on each thing that was made of these recordings; what is wrong is in `faults`, too."""
    verdicts = []
    for made in children_of(desk, rows):
        verdict = {"segment": made.segment, "artefact": made.artefact, "audio": "-"}
        try:
            verdict |= child_of(settings, desk, made, identities, need, seen)
        except FsgovError as fault:
            verdict["object"] = str(fault)
            faults.append(fault)
        verdicts.append(verdict)
    return verdicts


def child_of(
    settings: Settings,
    desk: Desk,
    row: ArtefactRow,
    identities: Iterable[Identity],
    need: exporting.Need,
    seen: exporting.Seen,
) -> dict[str, str]:
    """The same of what was made of a recording. It is opened for no purpose that it was not made for."""
    from fsgov.cli import artefacts, exporting
    from fsgov.vault import verified

    if row.state != "stored":
        return {"object": row.state}
    with exporting.audio_bucket(settings, row.vault) as bucket:
        found = bucket.stat(row.object_key, row.version_id)
        if found.size != row.sealed_size:
            raise Damaged(
                "The stored object has another length",
                f"{row.object_key}: {found.size}, the row says {row.sealed_size}",
            )
        if identities and need.purpose in (row.purpose, *REVIEWS):
            artefacts.opened(bucket, desk, row, identities, need)
            return {"object": "ok", "audio": "ok"}
        blocks = exporting.counted(bucket.get(row.object_key, row.version_id or ""), seen)
        for _ in verified(blocks, row.sealed_sha256, row.sealed_size):
            pass
    return {"object": "ok", "audio": f"not opened: made for {row.purpose}" if identities else "not opened"}


def refuse(faults: Sequence[FsgovError], recordings: int, verdicts: int) -> None:
    """Raises the worst of them, where there are any."""
    if not faults:
        return
    worst = next((fault for fault in faults if isinstance(fault, Damaged)), faults[0])
    what = "recordings" if verdicts == recordings else "recordings and artefacts"
    raise type(worst)(f"{len(faults)} of {verdicts} {what} could not be verified", worst.message, worst.hint)


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
