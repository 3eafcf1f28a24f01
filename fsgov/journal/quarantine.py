"""Quarantine has an end: keep reminds of what waits for a reviewer, and marks what nobody has reviewed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from fsgov import entries
from fsgov.catalog import quarantine
from fsgov.catalog.keep import Keep, enter_lines, entered
from fsgov.errors import Conflict, FsgovError
from fsgov.events import Instant

log = structlog.get_logger()

LOOK_EVERY = 15.0
"""Seconds between two looks."""
BATCH = 200


class Quarantine:
    """A duty of the keep that leads, as lines of an origin of its own. `troubles`: alarm -> why."""

    def __init__(
        self,
        keep: Keep,
        host: str,
        now: Callable[[], Instant],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        self.leading = False
        self._keep = keep
        self._host = host
        self._now = now
        self._clock = clock
        self._origin = f"{host}.keep.{now() // 1000 + 5}"  # others of this keep have those before
        self._next = 0.0

    def turn(self) -> None:
        """Look, if it is time to. Raises what the catalog raises; then the next turn looks again."""
        if self._clock() >= self._next:
            more = self.look()
            self._next = self._clock() + (0.0 if more else LOOK_EVERY)

    def look(self) -> bool:
        """Remind and end, with a line of each in the same transaction; whether there may be more."""
        with self._keep.stating() as cursor:
            reminded = quarantine.remind(cursor, BATCH)
            ended = quarantine.end(cursor, BATCH)
            told: list[tuple[str, str, dict[str, entries.Fact]]] = []
            for near in reminded:
                until = entries.iso(int(near.review_by.timestamp() * 1e6))
                why = {"reason": near.reason, "review_by": until}
                told.append(("review.due", near.segment, {"call": near.call, **why}))
            for over in ended:
                told.append(("review.ended", over.segment, {"call": over.call, "reason": over.reason}))
            if told:
                first = entered(cursor, self._origin) + 1
                lines = [
                    entries.line(
                        origin=self._origin, n=n, host=self._host, type_=type_, subject=segment,
                        time=self._now(), facts=facts)
                    for n, (type_, segment, facts) in enumerate(told, first)
                ]  # fmt: skip
                enter_lines(cursor, self._origin, first, lines)
            still = quarantine.still_open(cursor)
        for type_, segment, _ in told:
            log.warning(type_, segment=segment)
        self.troubles = _troubles(still)
        return len(reminded) == BATCH or len(ended) == BATCH


def _troubles(still: quarantine.Open) -> Mapping[str, FsgovError]:
    hint = "fsgov recordings quarantine list"
    if still.held:
        words = f"{still.held} recordings in quarantine are past their time, and kept by a hold"
        return {"quarantine": Conflict(words, hint=hint)}
    if still.near:
        words = f"{still.near} recordings in quarantine are soon to be destroyed unless somebody reviews them"
        return {"quarantine": Conflict(words, hint=hint)}
    return {}
