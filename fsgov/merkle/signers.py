"""Who may have signed a log: the keys that a verifier has, and how each takes over from the one before.

A key hands over by a checkpoint that names its successor and that both have signed; from there on only the
successor counts. A key that was lost cannot do that: then only who was told the next key by the operator can
go on, and what was not signed before the loss rests on the next key's word alone. No key ever comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fsgov.errors import Damaged
from fsgov.merkle.checkpoint import Checkpoint
from fsgov.merkle.note import PublicKey, signed_by

How = Literal["given", "handed over", "alone"]


class Stranger(Damaged):
    """A note that none of the keys signed that a verifier has."""


@dataclass(frozen=True, slots=True)
class Span:
    """One key's part of a log: it was the first to sign the lines `first` to `last` (not included).

    how: given to the verifier; handed over by the key before; or alone: given, but the key before did not
    hand over, so that these lines up to `known` are as they were only by this key's word.
    """

    key: PublicKey
    first: int
    last: int
    how: How
    known: int = 0


def stated(note: bytes) -> Checkpoint:
    """What a checkpoint says, whoever says it."""
    return Checkpoint.parse(signed_by(note, ())[0])


class Signers:
    """The keys of one log, in the order of time. `open` takes its checkpoints in the order of size."""

    def __init__(self, keys: Sequence[PublicKey]) -> None:
        self._order = list(dict.fromkeys(keys))
        self._ends: dict[PublicKey, int] = {}
        self._spans: list[Span] = []
        self._size = 0

    @property
    def spans(self) -> tuple[Span, ...]:
        """Whose lines were whose."""
        return tuple(self._spans)

    @property
    def entitled(self) -> tuple[PublicKey, ...]:
        """The keys that may sign the next checkpoint."""
        now = self._order.index(self._spans[-1].key) if self._spans else 0
        return tuple(key for key in self._order[now:] if key not in self._ends)

    def follow(self, handovers: Iterable[bytes], to: Checkpoint) -> None:
        """The handovers alone, up to a checkpoint of the same log, which nobody has believed yet.

        Those before the first key that is known say nothing. Raises Damaged where one is none, or is not in
        its place.
        """
        size = 0
        for note in handovers:
            try:
                found = self.open(note)
            except Stranger:
                if self._spans:
                    raise
                continue
            if found.successor is None or found.log_id != to.log_id or not size < found.size < to.size:
                raise _untrusted("a handover before it is none, or is not of this log")
            size = found.size

    def open(self, note: bytes) -> Checkpoint:
        """The next checkpoint. Raises Damaged where nobody signed it who may: then nothing has changed."""
        checkpoint, by = self._known(note)
        successor = checkpoint.successor
        if successor is not None and not signed_by(note, [successor])[1]:
            raise _untrusted("it hands over to a key that did not sign it")
        if successor in self._ends:
            raise _untrusted("it hands over to a key that has ended")
        signer, how = self._signer(by, successor)
        self._sign(signer, how, checkpoint.size)
        if successor is not None and successor != signer:
            self._hand_over(signer, successor, checkpoint.size)
        return checkpoint

    def check(self, note: bytes) -> Checkpoint:
        """A checkpoint from elsewhere, of a log that was opened as far. Raises Damaged as `open`."""
        checkpoint, by = self._known(note)
        if all(self._ends.get(key, checkpoint.size) < checkpoint.size for key in by):
            raise _untrusted("a key signed it after its end")
        return checkpoint

    def _known(self, note: bytes) -> tuple[Checkpoint, frozenset[PublicKey]]:
        text, by = signed_by(note, self._order)
        if not by:
            raise Stranger("the signed note cannot be trusted", "no known key signed it")
        return Checkpoint.parse(text), by

    def _signer(self, by: frozenset[PublicKey], successor: PublicKey | None) -> tuple[PublicKey, How]:
        now = self._spans[-1].key if self._spans else None
        if now is not None and now in by:
            return now, self._spans[-1].how
        later = self._order[self._order.index(now) + 1 :] if now is not None else self._order
        found = [key for key in later if key in by and key not in self._ends]
        if not found:
            raise _untrusted("a key signed it after its end")
        others = [key for key in found if key != successor]
        return (others or found)[0], "alone" if now is not None else "given"

    def _sign(self, signer: PublicKey, how: How, size: int) -> None:
        if self._spans and self._spans[-1].key == signer:
            self._spans[-1] = replace(self._spans[-1], last=size)
        else:
            if self._spans:
                self._ends[self._spans[-1].key] = self._size
            self._spans.append(Span(signer, self._size, size, how, size))
        self._size = size

    def _hand_over(self, signer: PublicKey, successor: PublicKey, size: int) -> None:
        self._ends[signer] = size
        if successor not in self._order:
            self._order.insert(self._order.index(signer) + 1, successor)
        self._spans.append(Span(successor, size, size, "handed over", size))


def _untrusted(detail: str) -> Damaged:
    return Damaged("the signed note cannot be trusted", detail)
