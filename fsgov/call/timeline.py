"""A segment's two timelines: the wall clock, and the offset in its file.

A hold of the recorded leg and a cut stop the file, a mask does not. Offsets are in ms, instants in µs.
"""

from __future__ import annotations

from dataclasses import replace

from fsgov.call.segment import Hold, Mask, Segment
from fsgov.events import Instant

NEAR: Instant = 1_000_000
"""The switch's clock is believed where it differs from ours by no more than this (µs)."""


def moment(now: Instant, at: Instant | None, since: Instant | None = None) -> Instant:
    """When it happened, on a clock that can be compared with ours; not before `since`, by default `now`."""
    since = now if since is None else since
    return at if at is not None and since - NEAR <= at <= now + NEAR else now


def file_ms(segment: Segment, instant: Instant) -> int:
    """How much of the file is before `instant`."""
    if segment.opened is None or instant <= segment.opened:
        return 0
    still = [(hold.start, hold.end) for hold in segment.holds]
    still += [
        (mask.acknowledged, mask.ended) for mask in segment.masks if mask.by == "cut" and mask.acknowledged
    ]
    length = instant - segment.opened
    reached = segment.opened
    for start, end in sorted(still, key=lambda span: span[0]):
        begin = max(start, reached)
        finish = min(instant if end is None else end, instant)
        if finish > begin:
            length -= finish - begin
            reached = finish
    return max(length, 0) // 1000


def masked(segment: Segment, by: str, asked: Instant, acknowledged: Instant, actor: str | None) -> Segment:
    """The switch said +OK: from here on the file holds zeros, or stands still."""
    at = file_ms(segment, acknowledged)
    mask = Mask(by=by, from_ms=at, asked=asked, acknowledged=acknowledged, actor=actor)
    return replace(segment, masks=(*segment.masks, mask))


def unproven_mask(segment: Segment, by: str, asked: Instant, actor: str | None) -> Segment:
    """A mask that nobody acknowledged: it may have begun at any time since it was asked for."""
    mask = Mask(by=by, from_ms=file_ms(segment, asked), asked=asked, actor=actor)
    return replace(segment, masks=(*segment.masks, mask))


def unmasked(segment: Segment, sent: Instant) -> Segment:
    """The mask ended, at the latest when the unmask was sent."""
    if not segment.masks or segment.masks[-1].ended is not None:
        return segment
    mask = segment.masks[-1]
    to_ms = mask.from_ms if mask.by == "cut" else max(mask.from_ms, file_ms(segment, sent))
    return replace(segment, masks=(*segment.masks[:-1], replace(mask, to_ms=to_ms, ended=sent)))


def held(segment: Segment, instant: Instant) -> Segment:
    if segment.holds and segment.holds[-1].end is None:
        return segment
    return replace(segment, holds=(*segment.holds, Hold(start=instant)))


def unheld(segment: Segment, instant: Instant) -> Segment:
    if not segment.holds or segment.holds[-1].end is not None:
        return segment
    return replace(segment, holds=(*segment.holds[:-1], replace(segment.holds[-1], end=instant)))
