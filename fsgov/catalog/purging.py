"""What purge asks, on a connection of its own: which plans, which recordings, and the three transactions.

Two purgers at once would do no harm, every step is taken under the lock of its row; one at a time is enough
(an advisory lock of the connection).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg2
from psycopg2 import Binary
from psycopg2.extras import Json

from fsgov.catalog.connection import Connection, Cursor, committed, connect
from fsgov.catalog.keep import LOGIN, enter_lines, entered
from fsgov.catalog.rows import selected
from fsgov.certificate import Removed
from fsgov.errors import Unreachable
from fsgov.failpoints import failpoint

Line = Callable[[int], bytes]
"""The line with this number in its origin."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as keep applies it."""

    id: str
    kind: str
    state: str
    items: int
    canary_at: datetime | None


@dataclass(frozen=True, slots=True)
class Item:
    """A recording whose turn has come."""

    segment: str
    call: str
    cause: str
    state: str


@dataclass(frozen=True, slots=True)
class Begun:
    """What tx1 found: `destroying`, `held` (why: ids of holds), `gone`, or what it was before."""

    segment: str
    call: str
    verdict: str
    why: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A recording that is being destroyed, and what is known of how far it came."""

    segment: str
    call: str
    tenant: str
    plan: str | None
    cause: str | None
    proposed_by: str | None
    approved_by: str | None
    begun_at: datetime
    audio_sha256: str | None
    sealed_sha256: str
    sealed_size: int
    key_sha256: str | None
    recipients: list[str]
    versions: list[Mapping[str, str]]
    keys_at: datetime | None
    restored: bool

    @property
    def noted(self) -> list[Removed]:
        return [Removed(**each) for each in self.versions]


@dataclass(frozen=True, slots=True)
class Removal:
    """An artefact that alone is to go, by two persons. places: vault, key and what it is, of each object."""

    artefact: str
    segment: str
    call: str
    asked_by: str
    approved_by: str
    places: list[list[str]]


class Purging:
    """The catalog as purge sees it; not for threads. Raises what the catalog raises."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._dsn = dsn
        self._password = password
        self._connection: Connection | None = None

    def lead(self) -> bool:
        """Be the one who purges, or still be it. False: another one is."""
        fresh = self._connection is None or self._connection.closed
        with self.transaction() as cursor:
            if not fresh:
                return True
            cursor.execute("SELECT fsgov.be_purger()")
            leads = cursor.fetchone() == (True,)
        if not leads:
            self.close()
        return leads

    def work(self) -> list[str]:
        """Plans that may be applied now, the first approved first; those that only wait come last."""
        with self.transaction() as cursor:
            cursor.execute("SELECT plan FROM fsgov.plan_work()")
            return [str(plan) for (plan,) in cursor.fetchall()]

    def latched(self) -> bool:
        """Whether nothing may be begun: an older dump was restored, and what was lost not looked at."""
        with self.transaction() as cursor:
            cursor.execute("SELECT fsgov.latched()")
            return cursor.fetchone() == (True,)

    def begin(self, plan: str) -> Plan:
        """Begin this plan, or go on with it. Raises Conflict (expired, stopped), Damaged (it was changed)."""
        with self.transaction() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            return selected(cursor, Plan, "fsgov.begin_plan(%s)", (plan,))[0]

    def next(self, plan: str, after: str, limit: int) -> list[Item]:
        with self.transaction() as cursor:
            return selected(cursor, Item, "fsgov.plan_next(%s, %s, %s)", (plan, after, limit))

    def places(self, segments: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
        """Vault, key and what it is, of everything that has to be removed: objects, and their key objects."""
        found: dict[str, list[tuple[str, str, str]]] = {segment: [] for segment in segments}
        with self.transaction() as cursor:
            cursor.execute(
                "SELECT u, o.vault, o.object_key, o.what"
                " FROM unnest(%s::text[]) AS u, fsgov.objects_of(u) AS o",
                (list(segments),),
            )
            for segment, vault, key, what in cursor.fetchall():
                found[segment] += [(vault, key, what), (vault, f"keys/{segment}", "key")]
        return {segment: list(dict.fromkeys(places)) for segment, places in found.items()}

    def put_off(
        self, plan: str, segments: Sequence[str], state: str, why: str, again_at: datetime | None
    ) -> None:
        with self.transaction() as cursor:
            cursor.execute(
                "SELECT fsgov.put_off(%s, %s::text[], %s, %s, %s)",
                (plan, list(segments), state, why, again_at),
            )

    def destroying(
        self, plan: str, segments: Sequence[str], origin: str, lines: Callable[[Begun], Line]
    ) -> list[Begun]:
        """tx1."""
        with self.transaction() as cursor:
            found = selected(cursor, Begun, "fsgov.begin_destruction(%s, %s::text[])", (plan, list(segments)))
            _enter(cursor, origin, [lines(each) for each in found if each.verdict == "destroying"])
        failpoint("purge.destroying")
        return found

    def unfinished(self, after: str, limit: int) -> list[Unfinished]:
        with self.transaction() as cursor:
            return selected(cursor, Unfinished, "fsgov.unfinished(%s, %s)", (after, limit))

    def note(self, segment: str, versions: Sequence[Removed]) -> None:
        """These versions are about to be removed."""
        with self.transaction() as cursor:
            _note(cursor, segment, versions)

    def keys_destroyed(self, versions: Mapping[str, Sequence[Removed]]) -> datetime:
        """tx2, of these recordings with what the vaults listed of each; when it was."""
        with self.transaction() as cursor:
            for segment, found in versions.items():
                _note(cursor, segment, found)
            failpoint("purge.listed")
            cursor.execute("SELECT fsgov.destroy_keys(%s::text[])", (list(versions),))
            (at,) = cursor.fetchone() or (None,)
        failpoint("purge.keys")
        assert isinstance(at, datetime)
        return at

    def stuck(self, segment: str, why: str, again_at: datetime | None) -> None:
        """It is being destroyed, and a vault does not let go of it, for now or until then."""
        with self.transaction() as cursor:
            cursor.execute("SELECT fsgov.destruction_waits(%s, %s, %s)", (segment, why, again_at))

    def certified(self, batch: str, bodies: Mapping[str, bytes], origin: str, lines: Sequence[Line]) -> None:
        """tx3."""
        with self.transaction() as cursor:
            first = entered(cursor, origin) + 1
            cursor.execute(
                "SELECT fsgov.certify(%s, %s::text[], %s::bytea[], %s, %s)",
                (batch, list(bodies), [Binary(each) for each in bodies.values()], origin, first),
            )
            _enter(cursor, origin, lines)
        failpoint("purge.certified")

    def counts(self, plan: str) -> dict[str, int]:
        """How many recordings of it are in which state."""
        with self.transaction() as cursor:
            cursor.execute("SELECT fsgov.item_counts(%s)", (plan,))
            (counts,) = cursor.fetchone() or ({},)
        return dict(counts)

    def canary_done(self, plan: str) -> None:
        with self.transaction() as cursor:
            cursor.execute("SELECT fsgov.canary_done(%s)", (plan,))

    def ended(self, plan: str, origin: str, line: Callable[[str, Mapping[str, int]], Line]) -> str:
        """What the plan is now; with a line that tells of it, where that is another state than before."""
        with self.transaction() as cursor:
            cursor.execute("SELECT state, counts, changed FROM fsgov.end_plan(%s)", (plan,))
            state, counts, changed = cursor.fetchone() or ("", {}, False)
            if changed:
                _enter(cursor, origin, [line(state, counts)])
        return str(state)

    def halt(self, plan: str, why: str, origin: str, line: Callable[[str, Mapping[str, int]], Line]) -> None:
        """Keep stops the plan."""
        with self.transaction() as cursor:
            cursor.execute("SELECT fsgov.halt_plan(%s, %s)", (plan, why))
            (counts,) = cursor.fetchone() or (None,)
            if counts is not None:
                _enter(cursor, origin, [line("stopped", counts)])

    def removals(self, limit: int) -> list[Removal]:
        with self.transaction() as cursor:
            return selected(cursor, Removal, "fsgov.detached_due(%s)", (limit,))

    def removed(self, artefact: str, origin: str, line: Line) -> None:
        """No vault lists it any more."""
        with self.transaction() as cursor:
            cursor.execute("SELECT fsgov.artefact_removed(%s)", (artefact,))
            if cursor.fetchone() == (True,):
                _enter(cursor, origin, [line])

    def close(self) -> None:
        """Ends the connection, and with it being the purger."""
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn, LOGIN, self._password, application="fsgov purge")
        try:
            with committed(self._connection) as cursor:
                yield cursor
        except Unreachable:
            self.close()
            raise


def _note(cursor: Cursor, segment: str, versions: Sequence[Removed]) -> None:
    plain = Json([each.plain() for each in versions])
    cursor.execute("SELECT fsgov.note_versions(%s, %s)", (segment, plain))


def _enter(cursor: Cursor, origin: str, lines: Sequence[Line]) -> None:
    if lines:
        first = entered(cursor, origin) + 1
        enter_lines(cursor, origin, first, [line(first + place) for place, line in enumerate(lines)])
