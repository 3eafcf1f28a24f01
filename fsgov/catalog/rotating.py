"""What `fsgov keys` asks of the catalog: whom keys are sealed to, and the steps of a rotation.

A wrapped key leaves in two transactions: `ask` commits a batch to the log, `release` gives it out, once. What
comes back is written in a third one, `settling`, and only over what was given out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg2 import Binary

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.rows import selected
from fsgov.errors import NotFound

MOST = 10_000
"""Keys that one transaction of an undoing puts back."""


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How many wrapped keys of a vault are sealed to exactly these fingerprints.

    prior: not any more, and kept beside the new ones until the rotation is confirmed.
    """

    vault: str
    recipients: list[str]
    prior: bool
    keys: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class RotationRow:
    """A rotation, and how far it is. ended_as: None, confirmed or undone."""

    id: str
    vault: str
    recipients: list[str]
    reason: str
    asked_by: str
    asked_at: datetime
    approved_by: str | None
    ended_as: str | None
    to_wrap: int
    to_confirm: int

    @property
    def state(self) -> str:
        if self.ended_as:
            return self.ended_as
        if self.approved_by is None:
            return "waits for approval"
        return "to be wrapped" if self.to_wrap else "to be confirmed"


@dataclass(frozen=True, slots=True)
class Batch:
    """Keys that were asked for: batch `n`, the last one is that of segment `last`."""

    rotation: str
    n: int
    last: str
    keys: int


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A wrapped key that was given out, and where its recording is."""

    segment: str
    wrapped_key: bytes
    object_key: str
    version_id: str
    key_version_id: str | None
    accepted_loss: bool
    """A person has accepted that the audio is lost."""
    copies: list[str]
    """Other vaults that have a copy, with its key in `copy_versions`, in the same order."""
    copy_versions: list[str]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a key that was given out: SHA-256 of that one; the new one, and its version."""

    segment: str
    was: bytes
    key: bytes = b""
    version: str = ""
    copies: tuple[tuple[str, str], ...] = ()
    """Vaults of its copies, with the version of the key there."""


class Settling:
    """The transaction that writes what came of a batch; what it locks, purge waits for."""

    def __init__(self, cursor: Cursor, batch: Batch) -> None:
        self._cursor = cursor
        self._batch = batch

    def locked(self, keys: Sequence[Settled]) -> set[str]:
        """Segments whose keys are still what was given out; they stay so until the end of the block."""
        self._cursor.execute(
            "SELECT fsgov.lock_batch(%s, %s, %s, %s::bytea[])",
            (
                self._batch.rotation,
                self._batch.n,
                [key.segment for key in keys],
                [Binary(key.was) for key in keys],
            ),
        )
        return {str(segment) for (segment,) in self._cursor.fetchall()}

    def wrapped(self, keys: Sequence[Settled]) -> int:
        """How many were written: those whose row is still what was given out."""
        self._cursor.execute(
            "SELECT fsgov.wrapped_batch(%s, %s, %s, %s::bytea[], %s::bytea[], %s)",
            (
                self._batch.rotation,
                self._batch.n,
                [key.segment for key in keys],
                [Binary(key.was) for key in keys],
                [Binary(key.key) for key in keys],
                [key.version for key in keys],
            ),
        )
        return _number(self._cursor)

    def copied(self, keys: Sequence[Settled]) -> None:
        """The versions that the keys of copies have now."""
        found = [(key.segment, *copy) for key in keys for copy in key.copies]
        segments, vaults, versions = ([each[place] for each in found] for place in range(3))
        self._cursor.execute(
            "SELECT fsgov.copied_batch(%s, %s, %s::text[], %s::text[], %s::text[])",
            (self._batch.rotation, self._batch.n, segments, vaults, versions),
        )

    def confirmed(self, keys: Sequence[Settled], locked: int) -> int:
        """How many lost what they were before; locked: older versions that a lock keeps."""
        self._cursor.execute(
            "SELECT fsgov.confirm_batch(%s, %s, %s, %s::bytea[], %s)",
            (
                self._batch.rotation,
                self._batch.n,
                [key.segment for key in keys],
                [Binary(key.was) for key in keys],
                locked,
            ),
        )
        return _number(self._cursor)


class Rotating:
    """One person's part in rotations, each act committed on return."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, application="fsgov keys", connections=1)

    def close(self) -> None:
        self._database.close()

    def counts(self) -> list[KeyCount]:
        """For privacy, auditors and ops, of every tenant."""
        with self._database.transaction() as cursor:
            return selected(cursor, KeyCount, "fsgov.key_counts()")

    def rotations(self, *, ended: bool = False) -> list[RotationRow]:
        """Those under way, or all of them; the newest first."""
        query = """(
            SELECT r.*, l.to_wrap, l.to_confirm FROM fsgov.rotations r CROSS JOIN LATERAL (
                SELECT 0::bigint AS to_wrap, 0::bigint AS to_confirm WHERE r.ended_at IS NOT NULL
                UNION ALL SELECT p.* FROM fsgov.rotation_left(r.id) p WHERE r.ended_at IS NULL) l
            WHERE %s OR r.ended_at IS NULL) AS found ORDER BY asked_at DESC, id"""
        with self._database.transaction() as cursor:
            return selected(cursor, RotationRow, query, (ended,))

    def rotation(self, id_: str) -> RotationRow:
        """Raises NotFound."""
        found = [row for row in self.rotations(ended=True) if row.id == id_]
        if not found:
            raise NotFound("There is no such rotation", id_, "fsgov keys rotations")
        return found[0]

    def ask_for(self, vault: str, recipients: Sequence[str], reason: str) -> str:
        """A rotation to these fingerprints; its id. Raises Conflict while another one is under way."""
        return str(self._act("SELECT fsgov.ask_rotation(%s, %s, %s)", vault, list(recipients), reason))

    def approve(self, rotation: str) -> None:
        """Raises NotPermitted for who asked for it."""
        self._act("SELECT fsgov.approve_rotation(%s)", rotation)

    def end(self, rotation: str) -> bool:
        """False: keys are left, and it goes on."""
        return bool(self._act("SELECT fsgov.end_rotation(%s)", rotation))

    def undo(self, rotation: str) -> int:
        """What is not confirmed is as before; how many keys that were."""
        back = 0
        while (keys := int(str(self._act("SELECT fsgov.undo_rotation(%s, %s)", rotation, MOST)))) == MOST:
            back += keys
        return back + keys

    # -- keys, in batches --------------------------------------------------------------------------------

    def ask(self, rotation: str, step: str, after: str, limit: int) -> Batch | None:
        """The next keys behind segment `after`, committed to the log; None: there are none."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT * FROM fsgov.rotation_batch(%s, %s, %s, %s)", (rotation, step, after, limit)
            )
            n, last, keys = cursor.fetchone() or (None, "", 0)
        return None if n is None else Batch(rotation, n, last, keys)

    def release(self, batch: Batch) -> list[WrappedKey]:
        """The wrapped keys, once; without those that were destroyed meanwhile."""
        with self._database.transaction() as cursor:
            return selected(cursor, WrappedKey, "fsgov.release_batch(%s, %s)", (batch.rotation, batch.n))

    @contextmanager
    def settling(self, batch: Batch) -> Iterator[Settling]:
        """Committed at the end of the block; whatever leaves it otherwise leaves the keys as they were."""
        with self._database.transaction() as cursor:
            yield Settling(cursor, batch)

    def _act(self, statement: str, *values: object) -> object:
        with self._database.transaction() as cursor:
            cursor.execute(statement, values)
            (answer,) = cursor.fetchone() or (None,)
        return answer


def _number(cursor: Cursor) -> int:
    (number,) = cursor.fetchone() or (0,)
    return int(number)
