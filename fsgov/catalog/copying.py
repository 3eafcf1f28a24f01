"""What keep asks and says of locks and copies, on connections of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2 import Binary
from psycopg2.extras import Json

from fsgov.catalog.connection import Cursor, Database
from fsgov.catalog.keep import LOGIN, enter_lines, entered
from fsgov.catalog.rows import selected

Line = Callable[[int], bytes]
"""The line that tells of it, made for its number in the origin."""


@dataclass(frozen=True, slots=True)
class Lockable:
    """A stored object whose lock may have to grow. mode, until: the lock that is known, None before any.

    artefact: what was made of the segment, whose object this is; "": the segment's own, with its key.
    """

    segment: str
    call: str
    policy_sha256: str
    purposes: list[str]
    ended_at: datetime
    anchors: Mapping[str, int]
    artefact: str
    vault: str
    object_key: str
    version_id: str
    key_version_id: str
    mode: str | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Artefact:
    """A stored object that was made of a recording, and goes where that goes."""

    object_key: str
    version_id: str
    sealed_size: int
    sealed_sha256: str


@dataclass(frozen=True, slots=True)
class CopyDue:
    """A copy to make, or (state leaving) to remove.

    from_…: where the recording is by its row. mode, until: the lock that it has there. policies: digests of
    those that bind it. countries: of its parties; unknown: somebody's is not known.
    locked_here: until when the copy itself is locked, where it leaves. damaged: a version not to be used.
    """

    id: str
    segment: str
    call: str
    vault: str
    state: str
    moving: bool
    by_store: bool
    object_key: str
    from_vault: str
    from_key: str
    from_version: str
    sealed_size: int
    sealed_sha256: str
    segment_state: str
    dispose: bool
    policies: list[str]
    countries: list[str]
    unknown: bool
    mode: str | None
    until: datetime | None
    locked_here: datetime | None
    damaged: str
    artefacts: list[list[Any]]

    def made_of_it(self, vault: str) -> Iterator[Artefact]:
        """What was made of the recording, and lies in this vault."""
        return (Artefact(*each[1:]) for each in self.artefacts if each[0] == vault)


@dataclass(frozen=True, slots=True)
class CopyToProve:
    """A stored copy to read back, and what the row of its recording says of its bytes."""

    id: str
    vault: str
    object_key: str
    version_id: str
    sealed_size: int
    sealed_sha256: str
    artefacts: list[list[Any]]

    def objects(self) -> Iterator[Artefact]:
        """The recording itself, then what was made of it."""
        yield Artefact(self.object_key, self.version_id, self.sealed_size, self.sealed_sha256)
        yield from (Artefact(*each) for each in self.artefacts)


@dataclass(frozen=True, slots=True)
class Open:
    """What is still to be made or removed in a vault; oldest: since when; stuck: leaving, and refused to."""

    vault: str
    making: int
    stuck: int
    oldest: datetime | None
    said: str


class Copies:
    """The catalog as the locks and copies of keep see it. Raises what the catalog raises."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._database = Database(dsn, LOGIN, password, application="fsgov copies", connections=2)

    # -- locks -------------------------------------------------------------------------------------------

    def policies_that_lock(self) -> list[tuple[str, str]]:
        """Digest and text of every policy that may ask for locks."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT sha256, text FROM fsgov.policies_that_lock()")
            return [(str(sha256), str(text)) for sha256, text in cursor.fetchall()]

    def lockable(self, policies: Sequence[str], after: str, limit: int) -> list[Lockable]:
        """What is stored under these policies, of `limit` segments after that one, in every vault."""
        with self._database.transaction() as cursor:
            return selected(cursor, Lockable, "fsgov.lockable(%s, %s, %s)", (list(policies), after, limit))

    def locked(self, row: Lockable, mode: str, until: datetime, origin: str, line: Line) -> None:
        """The vault shows this lock now; told where that is news."""
        with self._database.transaction() as cursor:
            if _asked(cursor, "note_lock", row.segment, row.vault, mode, until, row.artefact):
                _tell(cursor, origin, line)

    # -- copies ------------------------------------------------------------------------------------------

    def interrupted(self) -> int:
        """This keep has begun to lead: what another one was putting is to be tried again; how many."""
        return int(str(self._ask("copies_interrupted")))

    def replica(self, vault: str, of: str, by_store: bool) -> None:
        """The configuration names this vault as a replica."""
        self._ask("replica_of", vault, of, by_store)

    def lack(self, vault: str, of: str, before: datetime, limit: int) -> int:
        """What was stored before and is not in the replica becomes asked for there; how much."""
        return int(str(self._ask("lack_of_replica", vault, of, before, limit)))

    def due(self, vaults: Sequence[str], limit: int) -> list[CopyDue]:
        with self._database.transaction() as cursor:
            return selected(cursor, CopyDue, "fsgov.copies_due(%s, %s)", (list(vaults), limit))

    def policy(self, sha256: str) -> str | None:
        found = self._ask("policy_text", sha256)
        return None if found is None else str(found)

    def begins(self, copy: str, origin: str, line: Line) -> bytes:
        """The line is committed, then the key comes. Raises Conflict where it is not to be made any more."""
        with self._database.transaction() as cursor:
            first = entered(cursor, origin) + 1
            _asked(cursor, "copy_begins", copy, origin, first, Binary(line(first)))
        wrapped = self._ask("copy_key", copy)
        assert isinstance(wrapped, memoryview)
        return bytes(wrapped)

    def failed(self, copy: str, said: str, again: datetime) -> None:
        """It did not work; not tried before `again`."""
        self._ask("copy_failed", copy, said, again)

    def refused(self, copy: str, said: str, origin: str, line: Line) -> None:
        with self._database.transaction() as cursor:
            if _asked(cursor, "copy_refused", copy, said):
                _tell(cursor, origin, line)

    def proven(
        self,
        due: CopyDue,
        versions: tuple[str, str, Mapping[str, str]],
        origin: str,
        line: Callable[[int, str], bytes],
    ) -> str:
        """The row, or the copy, names these versions; the answer is the vault that a move has left, or "".

        versions: of the audio, of its key, and by key those of what was made of it.
        """
        version, key_version, artefacts = versions
        with self._database.transaction() as cursor:
            left = str(
                _asked(
                    cursor,
                    "copy_proven",
                    due.id,
                    due.sealed_sha256,
                    version,
                    key_version,
                    Json(dict(artefacts)),
                )
            )
            _tell(cursor, origin, lambda n: line(n, left))
        return left

    def may_leave(self, copy: str) -> bool:
        """Whether nothing holds it, as of now."""
        return bool(self._ask("copy_may_leave", copy))

    def to_prove(self, vaults: Sequence[str], before: datetime, limit: int) -> list[CopyToProve]:
        """Copies that were not read back since."""
        with self._database.transaction() as cursor:
            return selected(
                cursor, CopyToProve, "fsgov.copies_to_prove(%s, %s, %s)", (list(vaults), before, limit)
            )

    def looked(self, copy: str, wrong: str, version: str) -> None:
        """It was read back. wrong: why this version is not what was put, and made anew; "" where all is."""
        self._ask("copy_looked", copy, wrong, version)

    def gone(self, copy: str, origin: str, line: Line) -> None:
        with self._database.transaction() as cursor:
            if _asked(cursor, "copy_gone", copy):
                _tell(cursor, origin, line)

    def open(self) -> list[Open]:
        with self._database.transaction() as cursor:
            return selected(cursor, Open, "fsgov.copies_open()")

    def close(self) -> None:
        self._database.close()

    def _ask(self, function: str, *values: object) -> object:
        with self._database.transaction() as cursor:
            return _asked(cursor, function, *values)


def _asked(cursor: Cursor, function: str, *values: object) -> object:
    cursor.execute(f"SELECT fsgov.{function}({', '.join(['%s'] * len(values))})", values)
    (answer,) = cursor.fetchone() or (None,)
    return answer


def _tell(cursor: Cursor, origin: str, line: Line) -> None:
    first = entered(cursor, origin) + 1
    enter_lines(cursor, origin, first, [line(first)])
