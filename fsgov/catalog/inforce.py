"""The policy in force, who put it there, and the kill switch: what people change, what govern looks at.

People act through functions that take the actor from their login; govern asks, and changes nothing.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from fsgov.call.stops import Stop
from fsgov.catalog.connection import Cursor, Database, committed, connect
from fsgov.catalog.govern import LOGIN
from fsgov.catalog.rows import selected
from fsgov.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """One time that a policy was proposed or came into force."""

    n: int
    version: str
    sha256: str
    state: str
    """in force · replaced · proposed (waits for approval) · superseded (never came into force)."""
    two_persons: bool
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    activated_at: datetime | None


@dataclass(frozen=True, slots=True)
class StopRow:
    """One stop, as people see it."""

    id: str
    kind: str
    tenant: str
    number: str | None
    host: str | None
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """What govern saw: the digest of the activated policy, its text where that is new, the stops, keep."""

    sha256: str | None
    text: str | None
    stops: tuple[Stop, ...]
    keep_heard: datetime | None = None
    """The last sign of life of any keep."""


_HISTORY = """(
    SELECT a.*, CASE
        WHEN a.n = max(a.n) FILTER (WHERE a.activated_at IS NOT NULL) OVER () THEN 'in force'
        WHEN a.activated_at IS NOT NULL THEN 'replaced'
        WHEN a.n = max(a.n) OVER () THEN 'proposed'
        ELSE 'superseded' END AS state
    FROM fsgov.activations a) AS found ORDER BY n DESC"""


class Acting:
    """One person's acts on policies and stops, each committed on return."""

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, application="fsgov desk", connections=1)

    def close(self) -> None:
        self._database.close()

    # -- policies ----------------------------------------------------------------------------------------

    def history(self) -> list[ActivationRow]:
        """Every activation and proposal, the newest first."""
        with self._database.transaction() as cursor:
            return selected(cursor, ActivationRow, _HISTORY)

    def stored(self, name: str) -> tuple[str, str]:
        """Digest and text of the stored policy that a version or the beginning of a digest names.

        A version that was activated is one text for ever; one that only decided calls may be several.
        Raises NotFound, Conflict where the name fits several.
        """
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT DISTINCT sha256 FROM fsgov.activations WHERE version = %(name)s", {"name": name}
            )
            found = [str(row[0]) for row in cursor.fetchall()] or _by_beginning(cursor, name)
            if not found:
                raise NotFound("There is no such policy in the catalog", name, "fsgov policy history")
            if len(found) > 1:
                raise Conflict("Several stored policies are meant", "\n".join(found), "more of the digest")
            cursor.execute("SELECT text FROM fsgov.policies WHERE sha256 = %s", found)
            (text,) = cursor.fetchone() or ("",)
            return found[0], str(text)

    def activate(self, version: str, text: str, approval: str, instead_of: str | None) -> tuple[str, bool]:
        """Its digest, and whether it is in force now (else it waits for approval).

        instead_of: digest of what is in force as the person saw it. Raises Conflict, NotPermitted.
        """
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT sha256, activated FROM fsgov.activate_policy(%s, %s, %s, %s)",
                (version, text, approval, instead_of),
            )
            sha256, activated = cursor.fetchone() or ("", False)
            return str(sha256), bool(activated)

    def approve(self, sha256: str, instead_of: str | None) -> None:
        """The newest proposal comes into force. Raises Conflict, NotPermitted (it is this person's own)."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.approve_policy(%s, %s)", (sha256, instead_of))

    # -- stops -------------------------------------------------------------------------------------------

    def place(self, kind: str, what: str, reason: str) -> str:
        """No recording from now on; the id of the stop. Raises NotPermitted."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.place_stop(%s, %s, %s)", (kind, what, reason))
            (stop,) = cursor.fetchone() or ("",)
            return str(stop)

    def lift(self, stop: str) -> None:
        """Raises NotFound where no such stop is in force, NotPermitted."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.lift_stop(%s)", (stop,))

    def stops(self, *, lifted: bool = False) -> list[StopRow]:
        """Those in force, the newest first; with `lifted` those that were, too."""
        query = "fsgov.stops WHERE %s OR lifted_at IS NULL ORDER BY placed_at DESC, id"
        with self._database.transaction() as cursor:
            return selected(cursor, StopRow, query, (lifted,))

    def is_tenant(self, name: str) -> bool:
        """Some call or person is of this tenant, as far as this login sees."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM fsgov.calls WHERE tenant = %(name)s)"
                " OR %(name)s IN (SELECT fsgov.my_tenants())",
                {"name": name},
            )
            return cursor.fetchone() == (True,)

    def is_host(self, name: str) -> bool:
        """Some govern of this host has written lines."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM fsgov.origins WHERE part = 'govern'"
                " AND regexp_replace(origin, '[.]govern[.][0-9]+$', '') = %s)",
                (name,),
            )
            return cursor.fetchone() == (True,)


def _by_beginning(cursor: Cursor, name: str) -> list[str]:
    """Digests of the policies of this version, else of those whose digest begins so (8 digits at least)."""
    cursor.execute("SELECT sha256 FROM fsgov.policies WHERE version = %s", (name,))
    found = [str(row[0]) for row in cursor.fetchall()]
    if not found and len(name) >= 8 and set(name) <= set("0123456789abcdef"):
        cursor.execute("SELECT sha256 FROM fsgov.policies WHERE starts_with(sha256, %s)", (name,))
        found = [str(row[0]) for row in cursor.fetchall()]
    return found


class Looking:
    """One connection of govern, for one thread. After any failure it is closed: make another."""

    def __init__(self, dsn: str, password: str | None) -> None:
        self._connection = connect(dsn, LOGIN, password, application="fsgov govern")

    def look(self, known: str | None) -> Look:
        """What is in force; the text only where it is not `known`. Raises Unreachable, NotPermitted."""
        with committed(self._connection) as cursor:
            cursor.execute("SELECT sha256, text FROM fsgov.policy_in_force(%s)", (known,))
            sha256, text = cursor.fetchone() or (None, None)
            stops = tuple(selected(cursor, Stop, "fsgov.stops_in_force()"))
            cursor.execute("SELECT fsgov.keep_heard()")
            (heard,) = cursor.fetchone() or (None,)
            return Look(sha256, text, stops, heard)

    def close(self) -> None:
        with closing(self._connection):
            pass
