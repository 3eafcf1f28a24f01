"""Listings in, differences out. Pure: no clock, no file, no socket.

What changed within `grace` is on its way and no difference. What could not be listed is compared with
nothing: a vault that did not answer has no orphans, and none of its rows lacks an object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from fsgov.reconcile.worlds import (
    Difference,
    Host,
    Instant,
    Kind,
    Row,
    StoredObject,
    VaultListing,
    Worlds,
)

SEGMENT = re.compile(r"[0-9A-Za-z-]{1,64}-[0-9]{2,4}")
ARTEFACT = re.compile(r"d-[a-z]{8,32}")
OURS = ("probe/", "log/", "erased/")
"""What else fsgov keeps in an audio bucket."""
WAITING = ("planned", "open")
"""States of a sidecar that govern has not handed over."""
LOST = ("corrupted", "truncated", "missing", "unlocked")
"""Verdicts on an object that is not what was stored."""


def compare(worlds: Worlds, now: Instant, grace: Instant) -> list[Difference]:
    """Every difference that is older than `grace` (microseconds) and not noted, by kind."""
    before = now - grace
    found: list[Difference] = []
    if worlds.host is not None:
        found += in_spool(worlds, worlds.host, before)
        found += on_switch(worlds, worlds.host, before)
    found += of_calls(worlds, before)
    for vault in worlds.vaults:
        found += in_vault(worlds, vault, before)
    found += of_rows(worlds)
    order = {kind: place for place, kind in enumerate(Kind)}
    return sorted(
        (each for each in found if (each.kind.value, each.subject) not in worlds.catalog.noted),
        key=lambda each: (order[each.kind], each.since or 0, each.subject),
    )


# -- the host --------------------------------------------------------------------------------------------


def in_spool(worlds: Worlds, host: Host, before: Instant) -> Iterator[Difference]:
    """Audio that no sidecar names, and sidecars that nobody will hand over."""
    known = {f"{sidecar.segment}.wav" for sidecar in host.sidecars}
    running = {name for name in (_ours(host, each.path) for each in host.recordings) if name}
    for file in host.audio:
        if file.name not in known | running and file.modified < before:
            detail = f"{file.size} bytes" if file.regular else "no ordinary file"
            yield Difference(Kind.ORPHAN_FILE, file.name, "spool", file.modified, detail)
    for sidecar in host.sidecars:
        if sidecar.state in WAITING and sidecar.call not in host.calls and sidecar.modified < before:
            if f"{sidecar.segment}.wav" in running:
                continue
            detail = f"{sidecar.state}, and its call file is gone"
            yield Difference(Kind.FORGOTTEN_SEGMENT, sidecar.segment, "spool", sidecar.modified, detail)


def on_switch(worlds: Worlds, host: Host, before: Instant) -> Iterator[Difference]:
    """Recordings that are not ours, and sessions that fsgov never saw, or the CDRs never."""
    foreign: dict[str, set[str]] = {}
    for recording in host.recordings:
        if _ours(host, recording.path) is None:  # told without its name, which may hold a caller's number
            foreign.setdefault(recording.leg, set()).add(str(PurePosixPath(recording.path).parent))
    for leg, directories in foreign.items():
        yield Difference(Kind.FOREIGN_RECORDING, leg, "switch", None, ", ".join(sorted(directories)))
    known = set(worlds.catalog.legs).union(*host.calls.values())
    for session in (*(host.live or ()), *(host.cdr or ())):
        if session.leg not in known and session.at < before:
            known.add(session.leg)
            yield Difference(Kind.UNGOVERNED_SESSION, session.leg, session.source, session.at)
    if host.cdr is not None:
        recorded = {session.leg for session in host.cdr}
        for session in worlds.catalog.ended:
            if session.leg not in recorded and session.at < before:
                yield Difference(Kind.SESSION_WITHOUT_CDR, session.leg, "cdr", session.at)


def of_calls(worlds: Worlds, before: Instant) -> Iterator[Difference]:
    """Calls and segments that their host knows no more, and that the catalog waits for."""
    host = worlds.host
    alive = {session.leg for session in host.live or ()} if host else set()
    sidecars = {sidecar.segment for sidecar in host.sidecars} if host else set()
    found = {segment_of(each.key) for vault in worlds.vaults for each in vault.objects}
    if host is not None:
        found |= {file.name.removesuffix(".wav") for file in host.audio}
    coming = found - {row.segment for row in worlds.catalog.rows}
    if host is not None:
        coming |= {sidecar.segment for sidecar in host.sidecars if sidecar.state != "entered"}
    unsettled = {segment.rpartition("-")[0] for segment in coming}
    for call in worlds.catalog.open_calls:
        if call.opened >= before or call.call in unsettled:
            continue  # its outcome rests on audio that has no row yet
        here = host is not None and host.live is not None and call.host == host.name
        if call.host in worlds.gone or (
            here and host is not None and call.call not in host.calls and not alive & call.legs
        ):
            yield Difference(Kind.CALL_WITHOUT_OUTCOME, call.call, "catalog", call.opened, f"of {call.host}")
    for lost in worlds.catalog.unarrived:
        if lost.opened >= before or lost.segment in found or not worlds.whole:
            continue  # what is found is adopted, and then it has its row
        here = host is not None and lost.host == host.name
        if lost.host in worlds.gone or (
            here and host is not None and lost.segment not in sidecars and lost.call not in host.calls
        ):
            yield Difference(Kind.SEGMENT_WITHOUT_ROW, lost.segment, "catalog", lost.opened)


def _ours(host: Host, path: str) -> str | None:
    """The name of the file, where the switch writes it into our audio directory; None for a foreign one."""
    target = PurePosixPath(path)
    ours = str(target.parent) == host.switch_audio and SEGMENT.fullmatch(target.stem)
    return target.name if ours else None


# -- vaults ----------------------------------------------------------------------------------------------


def in_vault(worlds: Worlds, vault: VaultListing, before: Instant) -> Iterator[Difference]:
    """Objects without rows, rows without objects, objects of another length, and keys without either."""
    rows = {row.segment: row for row in worlds.catalog.rows if row.vault == vault.name and row.key}
    named = {(row.key, row.version) for row in rows.values()}
    sidecars = worlds.host.sidecars if worlds.host else ()
    on_the_way = {sidecar.key for sidecar in sidecars if sidecar.state != "entered"}
    there = {(each.key, each.version): each for each in vault.objects}
    copies = {each.key: each.version for each in worlds.catalog.copies if each.vault == vault.name}
    destroyed = {row.segment for row in worlds.catalog.rows if row.destroyed}
    yield from _returned(vault, destroyed, before)
    for place, each in there.items():
        if segment_within(each.key) in destroyed or copies.get(each.key) in ("", each.version):
            continue
        if place in named or each.modified >= before or each.key.startswith(OURS) or each.key in on_the_way:
            continue
        row = rows.get(named_by(each.key))
        kind = Kind.SECOND_COPY if each.key in copies else Kind.ORPHAN_OBJECT
        if row is not None and row.key == each.key:
            lost = (row.key, row.version) not in there or row.verdict in ("truncated", "corrupted")
            kind = Kind.RESTORED_OBJECT if lost and each.size == row.size else Kind.SECOND_COPY
        detail = f"{each.size} bytes"
        yield Difference(kind, f"{vault.name}/{each.key}#{each.version}", "vault", each.modified, detail)
    back = {(each.key, each.size) for each in vault.objects}
    for row in rows.values():
        if row.stored < before:
            yield from _compared(vault, row, there, (row.key, row.size) in back)
    if vault.keys is not None:
        segments = {segment_of(each.key) for each in vault.objects}
        copied = destroyed | {each.segment for each in worlds.catalog.copies if each.vault == vault.name}
        for segment, since in vault.keys.items():
            known = segment in segments or segment in rows or segment in copied
            if not known and since < before:
                yield Difference(Kind.KEY_WITHOUT_OBJECT, segment, f"vault {vault.name}", since)


def _returned(vault: VaultListing, destroyed: set[str], before: Instant) -> Iterator[Difference]:
    """What there is of recordings that were destroyed, audio or key."""
    for each in vault.objects:
        if segment_within(each.key) in destroyed and each.modified < before:
            name = f"{vault.name}/{each.key}#{each.version}"
            yield Difference(Kind.RETURNED_OBJECT, name, "vault", each.modified, f"{each.size} bytes")
    for segment, since in (vault.keys or {}).items():
        if segment in destroyed and since < before:
            yield Difference(Kind.RETURNED_OBJECT, f"{vault.name}/keys/{segment}#", "vault", since)


def _compared(
    vault: VaultListing, row: Row, there: dict[tuple[str, str], StoredObject], back: bool
) -> Iterator[Difference]:
    where = f"vault {vault.name}"
    found = there.get((row.key or "", row.version or ""))
    if found is None and row.verdict != "missing" and not back:
        yield Difference(Kind.ROW_WITHOUT_OBJECT, row.segment, where, row.stored, row.key or "")
    elif found is not None and found.size != row.size and row.verdict not in LOST:
        detail = f"{found.size} bytes, the row says {row.size}"
        yield Difference(Kind.TRUNCATED_OBJECT, row.segment, where, row.stored, detail)
    if vault.keys is not None and not row.parent and row.segment not in vault.keys:
        yield Difference(Kind.OBJECT_WITHOUT_KEY, row.segment, where, row.stored, f"keys/{row.segment}")


def of_rows(worlds: Worlds) -> Iterator[Difference]:
    """What rows themselves say: audio that was cut, objects that the last look found wrong."""
    for row in worlds.catalog.rows:
        if row.truncated:
            yield Difference(Kind.TRUNCATED_MEDIA, row.segment, "catalog", row.stored)
        if row.verdict in LOST:
            yield Difference(Kind.DAMAGED_OBJECT, row.segment, f"vault {row.vault}", row.stored, row.verdict)


def segment_within(key: str) -> str:
    """The segment of audio, or of what was made of it: `<segment>.age`, `<segment>/<artefact>.age`."""
    return segment_of(key) or segment_of(f"{PurePosixPath(key).parent.name}.age")


def segment_of(key: str) -> str:
    """The segment that an object's key names; "" where it names none."""
    name = PurePosixPath(key)
    return name.stem if name.suffix == ".age" and SEGMENT.fullmatch(name.stem) else ""


def named_by(key: str) -> str:
    """The segment, or what was made of one, that an object's key names; "" where it names none."""
    name = PurePosixPath(key)
    made = ARTEFACT.fullmatch(name.stem) and SEGMENT.fullmatch(name.parent.name)
    return name.stem if name.suffix == ".age" and made else segment_of(key)
