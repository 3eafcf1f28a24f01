"""The lines that purge enters, with the transaction of what each one tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from fsgov import entries
from fsgov.catalog.purging import Begun, Line, Removal, Unfinished
from fsgov.events import Instant
from fsgov.merkle import leaf_hash, root

STATES = ("destroyed", "held", "scheduled", "kept", "gone")


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes lines of one origin of keep."""

    origin: str
    host: str
    now: Callable[[], Instant]

    def destroying(self, plan: str, cause: str, begun: Begun) -> Line:
        return self._line("segment.destroying", begun.segment, call=begun.call, plan=plan, cause=cause)

    def certified(
        self, batch: str, rows: Mapping[str, Unfinished], bodies: Mapping[str, bytes]
    ) -> list[Line]:
        """A line for each recording, and one for all of them together."""
        lines = [
            self._line(
                "segment.destroyed", segment, call=rows[segment].call, plan=rows[segment].plan,
                cause=rows[segment].cause, certificate=sha256(text).hexdigest(), batch=batch,
            )
            for segment, text in bodies.items()
        ]  # fmt: skip
        above = root([leaf_hash(text) for text in bodies.values()]).hex()
        return [*lines, self._line("purge.certified", batch, certificates=len(bodies), root=above)]

    def ended(self, plan: str, state: str, counts: Mapping[str, int]) -> Line:
        return self._line("purge.ended", plan, state=state, **{each: counts.get(each, 0) for each in STATES})

    def removed(self, of: Removal, versions: int) -> Line:
        return self._line(
            "artefact.destroyed", of.artefact, call=of.call, segment=of.segment, asked_by=of.asked_by,
            approved_by=of.approved_by, versions=versions,
        )  # fmt: skip

    def _line(self, type_: str, subject: str, **facts: entries.Fact) -> Line:
        time = self.now()
        return lambda n: entries.line(
            origin=self.origin, n=n, host=self.host, type_=type_, subject=subject, time=time, facts=facts
        )
