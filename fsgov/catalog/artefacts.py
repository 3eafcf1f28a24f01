"""What was made of recordings, as people attach it and ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg2 import Binary

from fsgov.catalog.accesses import kept_when_refused
from fsgov.catalog.connection import Database
from fsgov.catalog.rows import selected
from fsgov.errors import NotFound


@dataclass(frozen=True, slots=True)
class ArtefactRow:
    """One artefact. `sha256` is of the bytes before sealing; None once destroyed.

    asked_by, approved_by: people.id of those by whom it alone goes, or went (removed_at).
    """

    artefact: str
    segment: str
    tenant: str
    state: str
    kind: str
    media_type: str
    purpose: str
    made_by: str
    size: int
    sha256: str | None
    sealed_size: int
    sealed_sha256: str
    vault: str
    object_key: str
    version_id: str | None
    attached_by: str
    attached_at: datetime
    stored_at: datetime | None
    asked_by: str | None
    approved_by: str | None
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Made:
    """An artefact before it is attached: what it is, its digest and size before sealing, its sealed bytes."""

    segment: str
    kind: str
    media_type: str
    purpose: str
    made_by: str
    size: int
    sha256: str
    sealed: bytes


class Artefacts:
    """A desk's artefacts; row security decides which there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recipient(self, segment: str) -> str | None:
        """Whom artefacts of this segment are sealed to; None where nobody knows. Raises NotFound."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT sealed_to FROM fsgov.segments WHERE segment = %s", (segment,))
            row = cursor.fetchone()
        if row is None:
            raise NotFound("There is no such segment", segment, "fsgov recordings list")
        return row[0] and str(row[0])

    def attach(self, made: Made) -> str:
        """The id of the artefact; of the one that is there where the same bytes come again."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT fsgov.attach(%s, %s, %s, %s, %s, %s, %s, %s)",
                (made.segment, made.kind, made.media_type, made.purpose, made.made_by, made.size,
                 made.sha256, Binary(made.sealed)),
            )  # fmt: skip
            (artefact,) = cursor.fetchone() or ("",)
            return str(artefact)

    def of(self, segments: list[str]) -> list[ArtefactRow]:
        """Artefacts of these segments, the oldest first."""
        query = "fsgov.artefacts WHERE segment = ANY (%s) ORDER BY attached_at, artefact"
        with self._database.transaction() as cursor:
            return selected(cursor, ArtefactRow, query, (segments,))

    def one(self, artefact: str) -> ArtefactRow:
        """Raises NotFound."""
        with self._database.transaction() as cursor:
            found = selected(cursor, ArtefactRow, "fsgov.artefacts WHERE artefact = %s", (artefact,))
        if not found:
            raise NotFound("There is no such artefact", artefact, "fsgov recordings artefacts SEGMENT")
        return found[0]

    def request(
        self, artefact: str, purpose: str, reason: str, recipient: str = "", complaint: str = ""
    ) -> str:
        """Asks for it, committed on return: an access to its recording, for Desk.release_key.

        recipient: who is to get the copy; "": nobody but this person. complaint: the case, for that purpose.
        """
        with (
            kept_when_refused(self._database, artefact, purpose, reason, complaint),
            self._database.transaction() as cursor,
        ):
            cursor.execute(
                "SELECT fsgov.request_artefact(%s, %s, %s, %s, %s)",
                (artefact, purpose, reason, recipient, complaint),
            )
            (access,) = cursor.fetchone() or ("",)
            return str(access)

    def ask_detach(self, artefact: str, reason: str) -> None:
        """That it goes and its recording stays; another login approves it."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.ask_detach(%s, %s)", (artefact, reason))

    def asked_why(self, artefact: str) -> str:
        """Why it is to go; for those who may approve it."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT asked_why FROM fsgov.artefacts WHERE artefact = %s", (artefact,))
            (why,) = cursor.fetchone() or ("",)
            return str(why)

    def approve_detach(self, artefact: str) -> None:
        """Raises Conflict (nobody has asked, a hold, a copy on its way), NotPermitted (who has asked)."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT fsgov.approve_detach(%s)", (artefact,))
