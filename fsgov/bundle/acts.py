"""Whether what people did to a recording is what the lines of its bundle tell: each act has its line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from fsgov.bundle.layout import ROWS, damaged
from fsgov.bundle.told import Bundle, Proven


def proven(bundle: Bundle) -> Iterator[Proven]:
    """What they prove of accesses, rotations, artefacts and holds. Raises Damaged where they differ."""
    yield from _accesses(bundle)
    yield from _rotations(bundle)
    yield from _artefacts(bundle)
    yield from _holds(bundle)


def _accesses(bundle: Bundle) -> Iterator[Proven]:
    """Each access has its line, and each line its row. Nothing where the maker might not read accesses."""
    if bundle.rows.get("accesses") is None:
        return
    rows = {str(row["id"]): row for row in bundle.table("accesses")}
    names = {str(row["segment"]) for row in bundle.table("segments")}
    lines = [line for line in bundle.told("access.requested") if line.subject in names]
    told = {str(line.facts["access"]): line for line in lines}
    for access in sorted(set(rows) ^ set(told)):
        raise damaged(ROWS, f"access {access} has no {'line' if access in rows else 'row'}")
    for access, row in rows.items():
        line = told[access]
        if (line.subject, line.facts["purpose"]) != (row["segment"], row["purpose"]):
            raise damaged(ROWS, f"access {access} is not the one that the log tells")
    yield Proven("accesses", f"{len(rows)}, each with its line; and no line without its row")


def _rotations(bundle: Bundle) -> Iterator[Proven]:
    """Each time its wrapped key was given out to be sealed anew, or to be looked at after, has a line."""
    rows = bundle.table("rotation_batches")
    for row in rows:
        digest = hashlib.sha256("\n".join(row["segments"]).encode()).hexdigest()
        lines = bundle.told("rotation.requested", str(row["rotation"]))
        if (row["step"], digest) not in [(line.facts["step"], line.facts["sha256"]) for line in lines]:
            raise damaged(ROWS, f"batch {row['n']} of rotation {row['rotation']} has no line")
    if rows:
        yield Proven("rotations", f"its key was given out {len(rows)} times, as the log tells")


def _artefacts(bundle: Bundle) -> Iterator[Proven]:
    """What was made of it is what was attached."""
    rows = {str(row["artefact"]): row for row in bundle.table("artefacts")}
    names = {str(row["segment"]) for row in bundle.table("segments")}
    lines = [line for line in bundle.told("artefact.attached") if line.facts["segment"] in names]
    told = {line.subject: line.facts for line in lines}
    adopted = {line.subject for line in bundle.told("difference.resolved")}  # a restore had lost their lines
    for artefact in sorted((set(rows) - set(told) - adopted) | (set(told) - set(rows))):
        raise damaged(ROWS, f"artefact {artefact} has no {'line' if artefact in rows else 'row'}")
    for artefact, row in rows.items():
        facts, stated = told.get(artefact), (row["sealed_sha256"], row["segment"])
        if facts is not None and (facts["sha256"], facts["segment"]) != stated:
            raise damaged(ROWS, f"artefact {artefact} is not the one that the log tells")
        file = f"artefacts/{artefact}.age"
        if file in bundle.digests and bundle.digests[file] != row["sealed_sha256"]:
            raise damaged(file, "it is not what was attached")
    if rows:
        yield Proven("artefacts", f"{len(rows)}, each as it was attached")


def _holds(bundle: Bundle) -> Iterator[Proven]:
    """Each hold was placed, and is released where and only where the log tells it."""
    placed = {line.subject for line in bundle.told("hold.placed")}
    released = {line.subject for line in bundle.told("hold.released")}
    rows = bundle.table("holds")
    for row in rows:
        if row["id"] not in placed or (row["released_at"] is not None) != (row["id"] in released):
            raise damaged(ROWS, f"hold {row['id']} is not what the log tells")
    if bundle.rows.get("holds") is not None and placed - {row["id"] for row in rows}:
        raise damaged(ROWS, "a hold that the log tells has no row")
    if rows:
        over = sum(row["released_at"] is not None for row in rows)
        yield Proven("holds", f"{len(rows)}, {over} of them released, as the log tells")
