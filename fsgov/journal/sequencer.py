"""One round of the log's writer: lead, move lines, sign, hand over. The order is in `fsgov.journal`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fsgov import entries
from fsgov.catalog.keep import Edge, Keep
from fsgov.errors import Damaged, FsgovError
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.journal.behind import shorter
from fsgov.journal.signing import SIGNER, Signer
from fsgov.journal.sink import Anchor, Sink
from fsgov.merkle import Checkpoint, Frontier, leaf_hash

__all__ = ["SIGNER", "Round", "Sequencer"]

log = structlog.get_logger()

BATCH = 1000
SIGN_EVERY = 60_000_000
"""Microseconds between two checkpoints of a growing log."""
LEAVES = 50_000


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did. `leading` False: another keep is the sequencer, and nothing was done."""

    leading: bool
    moved: int = 0
    size: int = 0


class Sequencer:
    """Moves lines into the log as long as it leads. Not for threads.

    troubles: name of each sink or anchor that failed last time -> why. A sink that fails holds up nothing.
    tell: takes type and facts of an entry of keep's own.
    """

    def __init__(
        self,
        keep: Keep,
        key: Ed25519PrivateKey | Signer,
        now: Callable[[], Instant],
        sinks: Sequence[Sink] = (),
        anchors: Sequence[Anchor] = (),
        tell: Callable[[str, Mapping[str, entries.Fact]], None] = lambda _, __: None,
    ) -> None:
        self.troubles: dict[str, FsgovError] = {}
        self._keep = keep
        self._signer = key if isinstance(key, Signer) else Signer(key)
        self._tell_of = tell
        self._told_of = False
        self._now = now
        self._sinks = sinks
        self._anchors = anchors
        self._log_id = ""
        self._frontier = Frontier()
        self._signed = 0
        self._signed_at: Instant | None = None
        self.newest: Instant | None = None
        """When the newest checkpoint was signed, by whichever keep; None before the first."""
        self._held: dict[str, int] = {}
        self._compared: set[str] = set()
        self._told: dict[str, int] = {}

    def run_once(self, *, sign: bool = False) -> Round:
        """One batch. `sign`: a checkpoint now if the log grew, not only when one is due.

        Raises Unreachable (PostgreSQL is away: begin again), Damaged (the log is not what was signed),
        Conflict (somebody else wrote: begin again).
        """
        try:
            if not self._keep.leads():
                self._let_go()
                if not self._keep.lead():
                    return Round(leading=False)
            if not self._log_id:
                self._find_edge()
            self._compare()
            moved = self._move()
            self._sign(sign)
        except FsgovError:
            self._log_id = ""  # the edge is found again from the table
            if not self._keep.connected:
                self._let_go()
            raise
        self._hand_over()
        return Round(True, moved, self._frontier.size)

    def _let_go(self) -> None:
        """It leads no more: another keep may have written since, or writes now, also to the same copies."""
        self._log_id = ""
        for anchor in (*self._sinks, *self._anchors):
            anchor.close()

    @property
    def size(self) -> int:
        """Lines of the log, as far as this keep knows."""
        return self._frontier.size

    @property
    def signed(self) -> int:
        """Lines that the newest checkpoint covers."""
        return self._signed

    @property
    def behind(self) -> dict[str, int]:
        """How many lines each sink lacks, or signed ones each anchor; of all of them before it was asked."""
        lines = {sink.name: self._frontier.size - self._held.get(sink.name, 0) for sink in self._sinks}
        notes = {anchor.name: self._signed - self._held.get(anchor.name, 0) for anchor in self._anchors}
        return lines | notes

    # -- the edge: where the log grows on ----------------------------------------------------------------

    def _find_edge(self) -> None:
        """The newest checkpoint's edge, grown by the leaves after it."""
        log_id = self._keep.log_id()
        edge = self._keep.edge(log_id)
        frontier = Frontier(edge.size, edge.hashes)
        if edge.size and frontier.root() != edge.root:
            raise Damaged("The newest checkpoint contradicts itself", f"size {edge.size} of {log_id}")
        while leaves := self._keep.leaves(log_id, frontier.size, LEAVES):
            for leaf in leaves:
                frontier.append(leaf)
        self._log_id, self._frontier, self._signed = log_id, frontier, edge.size
        self._compared, self._told, self._held = set(), {}, {}
        self.newest = self._keep.signed_at(log_id)
        log.info("log.found", log_id=log_id, size=frontier.size, signed=edge.size)
        self._take_up()

    def _take_up(self) -> None:
        """Whether this key may go on with the log. Where it is the first time, the log is told of it."""
        newest = self._keep.checkpoints(self._log_id, self._signed - 1)[-1:] if self._signed else []
        for checkpoint in newest:
            self._signer.take_up(checkpoint.note.encode())
        if self._signer.due and not self._told_of:
            self._told_of = True
            facts = {"key": str(self._signer.public), "prior": str(self._signer.before)}
            self._tell_of("signer.changed", {**facts, "handed_over": self._signer.due == "handed over"})

    def _compare(self) -> None:
        """No copy outside may be ahead of the log: after a restore that is not told, it would fork."""
        for anchor in (*self._sinks, *self._anchors):
            if anchor.name in self._compared:
                continue
            held = 0
            with self._alone(anchor):
                held = anchor.signed(self._log_id)
                if isinstance(anchor, Sink):
                    held = max(held, anchor.size(self._log_id))
                self._compared.add(anchor.name)
                self._held[anchor.name] = held
            if held > self._frontier.size:
                self._compared.discard(anchor.name)
                raise shorter(self._frontier.size, anchor.name, held)

    # -- moving and signing ------------------------------------------------------------------------------

    def _move(self) -> int:
        with self._keep.moving() as move:
            waiting = move.waiting(BATCH)
            failpoint("keep.batch.read")
            if not waiting:
                return 0
            move.into_log(self._log_id, self._frontier.size, waiting)
            failpoint("keep.insert")
        failpoint("keep.commit")
        for line in waiting:
            self._frontier.append(leaf_hash(line.line))
        log.debug("log.grew", log_id=self._log_id, size=self._frontier.size)
        return len(waiting)

    def _sign(self, at_once: bool) -> None:
        size, now = self._frontier.size, self._now()
        if size == self._signed:
            return
        due = self._signed_at is None or now - self._signed_at >= SIGN_EVERY or self._signer.due
        if not (due or at_once):
            return
        edge = Edge(size, self._frontier.root(), self._frontier.hashes)
        note = self._signer.sign(Checkpoint(self._log_id, size, edge.root, entries.iso(now)))
        self._keep.store_checkpoint(self._log_id, edge, note.decode())
        failpoint("keep.checkpoint.row")
        self._signer.due = None
        self._signed, self._signed_at, self.newest = size, now, now
        log.info("log.signed", log_id=self._log_id, size=size)

    # -- handing over ------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        for sink in self._sinks:
            with self._alone(sink):
                self._fill(sink)
        for anchor in self._anchors:
            with self._alone(anchor):
                self._tell(anchor)

    def _fill(self, sink: Sink) -> None:
        while (first := sink.size(self._log_id)) < self._frontier.size:
            lines = self._keep.lines(self._log_id, first, BATCH)
            sink.take(self._log_id, first, [line.line for line in lines])
            failpoint("keep.sink")
            self._held[sink.name] = first + len(lines)
            self._keep.sink_reached(sink.name, self._log_id, first + len(lines))
        if self._told.get(sink.name) != self._signed:
            for checkpoint in self._keep.checkpoints(self._log_id, sink.signed(self._log_id)):
                sink.sign(self._log_id, checkpoint.size, checkpoint.note.encode())
            self._told[sink.name] = self._signed

    def _tell(self, anchor: Anchor) -> None:
        """Only the newest checkpoint: it covers those that were missed."""
        if self._told.get(anchor.name) != self._signed:
            for checkpoint in self._keep.checkpoints(self._log_id, anchor.signed(self._log_id))[-1:]:
                anchor.sign(self._log_id, checkpoint.size, checkpoint.note.encode())
                failpoint("keep.vault")
                self._held[anchor.name] = checkpoint.size
                self._keep.sink_reached(anchor.name, self._log_id, checkpoint.size)
            self._told[anchor.name] = self._signed

    @contextmanager
    def _alone(self, anchor: Anchor) -> Iterator[None]:
        """What fails in this block is this sink's trouble alone, unless it was PostgreSQL that went away."""
        try:
            yield
        except FsgovError as error:
            if not self._keep.connected:
                self._let_go()
                raise
            if anchor.name not in self.troubles:
                log.warning("sink.failing", sink=anchor.name, reason=error.message, detail=error.detail)
            self.troubles[anchor.name] = error
        else:
            if self.troubles.pop(anchor.name, None):
                log.info("sink.again", sink=anchor.name)
