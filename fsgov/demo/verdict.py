"""Whether a scene came out as it should: by the catalog's rows, and by the audio in the vault.

The oracles are the simulated switch's ledger and the audio itself, each frame of which tells its moment;
nothing that govern believes is taken for true. Rows are read as bob, who may open what is quarantined, too.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fsgov.catalog.desk import Desk
from fsgov.catalog.rows import SegmentRow, WholeCall
from fsgov.demo.playing import Played
from fsgov.demo.scenes import SOON, Between, Scene
from fsgov.demo.site import Site
from fsgov.demo.stage import Stage
from fsgov.envelope import unseal, unwrap_identity
from fsgov.errors import FsgovError, NotFound
from fsgov.simulator import timecode
from fsgov.simulator.timecode import Moment, Zero
from fsgov.vault import open_bucket, verified

SETTLED_WITHIN = 25.0
"""Seconds after the last call within which everything must be sealed, stored and entered."""
FRAMES = 50
"""Of 20 ms in a second."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One call as it came out. `faults` are sentences; none where all is as expected."""

    scene: str
    title: str
    call: str
    outcome: str
    rule: str
    segments: tuple[str, ...]
    sealed: int
    """Bytes in the vault."""
    proof: str
    """Of the pauses: proven, failed, or none where there was none."""
    faults: tuple[str, ...] = ()


def settled(stage: Stage, desk: Desk, played: Sequence[Played], within: float = SETTLED_WITHIN) -> list[str]:
    """Wait until every call is over and its recordings are entered; what is not after `within` seconds."""
    end = time.monotonic() + within
    while found := _unsettled(stage, desk, played):
        if time.monotonic() > end:
            return found
        time.sleep(0.1)
    return []


def _unsettled(stage: Stage, desk: Desk, played: Sequence[Played]) -> list[str]:
    found = []
    for each in played:
        try:
            row = desk.call(each.call).call
        except NotFound:
            found.append(f"{each.scene.name} is not entered")
            continue
        if row.outcome is None:
            found.append(f"{each.scene.name} is not over")
        found += [f"{segment} is not entered" for segment in row.missing]
    found += [f"{path.name} is still in the spool" for path in (stage.site.spool / "audio").iterdir()]
    waiting = desk.log.state().waiting
    return [*found, f"{waiting} lines wait for their place in the log"] if waiting else found


def judge(stage: Stage, desk: Desk, played: Played) -> Verdict:
    """Compare one call with what its scene expects."""
    scene = played.scene
    try:
        whole = desk.call(played.call)
    except NotFound:
        unknown = tuple(filter(None, (played.trouble, "the catalog knows nothing of this call")))
        return Verdict(scene.name, scene.title, played.call, "-", "-", (), 0, "none", unknown)
    row, segments = whole.call, whole.segments
    faults = [played.trouble] if played.trouble else []
    faults += _rows(scene, whole)
    heard: set[int] = set()
    for segment in segments:
        try:
            audio = opened(stage.site, desk, segment)
        except FsgovError as fault:
            faults.append(f"{segment.segment} cannot be opened: {fault}")
            continue
        faults += _as_written(stage, played.call, segment, audio)
        heard |= {index for _, index in timecode.moments(audio)}
    faults += _recorded_at_all(stage, played, segments) + stretches(played, heard)
    proofs = {segment.mask_proof for segment in segments} - {"none"}
    return Verdict(
        scene=scene.name,
        title=scene.title,
        call=played.call,
        outcome=f"{row.outcome}:{row.outcome_cause}" if row.outcome_cause else str(row.outcome),
        rule=row.rule or "-",
        segments=tuple(segment.segment for segment in segments),
        sealed=sum(segment.sealed_size or 0 for segment in segments),
        proof="failed" if "failed" in proofs else "proven" if proofs else "none",
        faults=tuple(faults),
    )


def opened(site: Site, desk: Desk, segment: SegmentRow) -> bytes:
    """The audio of a recording, the way an export gets it. Raises what access, vault and seal refuse."""
    access = desk.request_access(segment.segment, "audit", "the demo compares it with what was said")
    key = desk.release_key(access)
    identity = unwrap_identity(key.wrapped_key, [site.identity()])
    bucket = open_bucket(site.vault[0])
    blocks = verified(bucket.get(key.object_key, key.version_id or ""), key.sealed_sha256, key.sealed_size)
    audio = io.BytesIO()
    unseal(io.BytesIO(b"".join(blocks)), audio, [identity])
    return audio.getvalue()


def _rows(scene: Scene, whole: WholeCall) -> list[str]:
    """What the catalog says."""
    row, segments = whole.call, whole.segments
    found: list[tuple[str, object, object]] = [
        ("outcome", row.outcome, scene.outcome),
        ("rule", row.rule, scene.rule),
        ("segments", len(segments), scene.segments),
        ("segments not entered", row.missing, []),
    ]
    for segment in segments:
        found += [
            (f"{segment.segment}: state", segment.state, "stored"),
            (f"{segment.segment}: quarantine", segment.quarantine, ""),
            (f"{segment.segment}: findings", segment.findings, []),
            (f"{segment.segment}: purposes", frozenset(segment.purposes), scene.purposes),
            (f"{segment.segment}: pause proof", segment.mask_proof, scene.proof),
            (f"{segment.segment}: waits for destruction", segment.dispose, scene.dispose),
        ]
    return [f"{what} is {is_!r}, expected {wanted!r}" for what, is_, wanted in found if is_ != wanted]


def _as_written(stage: Stage, call: str, segment: SegmentRow, audio: bytes) -> list[str]:
    """Frame by frame what the switch says it wrote, and of this call only."""
    frames = timecode.decode(audio)
    strange = {frame.leg for frame in frames if isinstance(frame, Moment)} - set(
        stage.ledger.legs(call).values()
    )
    faults = [f"{segment.segment} has audio of other calls: legs {sorted(strange)}"] if strange else []
    name = f"{segment.segment}.wav"
    written = [each for each in stage.ledger.all("closed") if each["file"].endswith(name)]
    if len(written) != 1:
        return [*faults, f"the switch closed {name} {len(written)} times"]
    expected = [
        None if masked else index
        for first, last, masked in written[0]["spans"]
        for index in range(first, last + 1)
    ]
    told = [
        frame.index if isinstance(frame, Moment) else None if isinstance(frame, Zero) else -1
        for frame in frames
    ]
    if told != expected:
        faults.append(
            f"{segment.segment} is not what the switch wrote: {len(told)} frames, {len(expected)} written"
        )
    return faults


def _recorded_at_all(stage: Stage, played: Played, segments: Sequence[SegmentRow]) -> list[str]:
    """Every file that the switch opened for this call is one of its recordings."""
    legs = stage.ledger.legs(played.call)
    files = {each["file"].rpartition("/")[2] for each in stage.ledger.all("opened") if each["uuid"] in legs}
    unknown = files - {f"{segment.segment}.wav" for segment in segments}
    return [f"the switch recorded {name}, which is no recording of the call" for name in sorted(unknown)]


def stretches(played: Played, heard: set[int]) -> list[str]:
    """Which moments should be in the audio and are not, or the other way round."""
    faults = []
    expected = (*played.scene.heard, *played.scene.silent, *played.scene.soon)
    never = {mark for stretch in expected for mark in (stretch.first, stretch.last)} - set(played.marks)
    if never:
        return [f"it never came to {mark}" for mark in sorted(never)]
    for stretch in played.scene.heard:
        gone = [index for index in frames_of(played, stretch) if index not in heard]
        if gone:
            faults.append(f"{len(gone) / FRAMES:.2f} s are missing from {stretch.first} to {stretch.last}")
    for stretch in played.scene.silent:
        there = [index for index in frames_of(played, stretch) if index in heard]
        if there:
            faults.append(f"{len(there) / FRAMES:.2f} s were recorded from {stretch.first} to {stretch.last}")
    for stretch in played.scene.soon:
        long = len(frames_of(played, stretch)) / FRAMES
        if long > SOON:
            faults.append(f"it took {long:.2f} s from {stretch.first} to {stretch.last}")
    return faults


def frames_of(played: Played, stretch: Between) -> range:
    """The frames that surely lie between two marks."""
    return range(played.marks[stretch.first].after, played.marks[stretch.last].before)
