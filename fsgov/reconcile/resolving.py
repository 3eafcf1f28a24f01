"""Carries out what a difference says would be done. One difference at a time; each is a line of the log."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePosixPath

from fsgov.catalog.reconciling import Adopted, Reconciling
from fsgov.checks.event_socket import logged_in
from fsgov.config import Settings
from fsgov.errors import BadConfiguration, Conflict, FsgovError, NotFound
from fsgov.reconcile import vaults
from fsgov.reconcile.adopting import Adopting
from fsgov.reconcile.compare import named_by, segment_within
from fsgov.reconcile.host import recordings_of
from fsgov.reconcile.worlds import Difference, Kind, Worlds

UNKNOWN_TENANT = "default"


class Resolving:
    """The acts of one run, on what this run has found.

    vault: where adopted audio goes whose call says nothing; "" where it must say.
    """

    def __init__(self, settings: Settings, catalog: Reconciling, worlds: Worlds, vault: str = "") -> None:
        self._settings = settings
        self._catalog = catalog
        self._worlds = worlds
        self._vault = vault
        self._adopting = Adopting(settings.spool.directory, self._place_of, catalog.has_row)

    def resolve(self, found: Difference) -> str:
        """What was done, in words. Raises what refuses it; then nothing was done."""
        match found.kind:
            case Kind.ORPHAN_FILE:
                segment = self._adopting.file(found.subject)
                self._catalog.tell(found.kind.value, segment, found.subject)
                return f"ship has it as {segment}"
            case Kind.FORGOTTEN_SEGMENT:
                self._adopting.forgotten(found.subject)
                self._catalog.tell(found.kind.value, found.subject)
                return "ship has it"
            case Kind.SEGMENT_WITHOUT_ROW:
                self._catalog.miss(found.subject)
                return "its row says missing"
            case Kind.CALL_WITHOUT_OUTCOME:
                return self._catalog.settle(found.subject)
            case Kind.FOREIGN_RECORDING:
                return self._stopped(found.subject)
            case Kind.ORPHAN_OBJECT:
                return self._adopted(found.subject)
            case Kind.RESTORED_OBJECT:
                return self._restored(found.subject)
            case Kind.RETURNED_OBJECT:
                return self._returned(found.subject)
            case Kind.ROW_WITHOUT_OBJECT | Kind.TRUNCATED_OBJECT:
                self._catalog.mark(found.subject, found.kind.value)
                return "marked; keep raises the alarm scrub"
        entry = named_by(found.subject.partition("#")[0]) or found.subject
        self._catalog.note(found.kind.value, found.subject, entry)
        return "noted"

    def _place_of(self, call: str) -> tuple[str, str]:
        """Tenant and vault for audio of this call. Raises BadConfiguration where nothing names the vault."""
        tenant, vault = self._catalog.place_of(call) or (UNKNOWN_TENANT, "")
        known = list(self._settings.homes)
        vault = vault or self._vault or (known[0] if len(known) == 1 else "")
        if not vault:
            raise BadConfiguration(
                "Nothing says which vault this belongs into", ", ".join(known), "--vault names it"
            )
        return tenant, vault

    def _adopted(self, subject: str) -> str:
        """A row for an object: its key names the segment, its bytes have the digest it was put with."""
        name, _, place = subject.partition("/")
        key, _, version = place.rpartition("#")
        segment, parts = named_by(key), PurePosixPath(key).parts
        if segment and len(parts) == 5:
            return self._child_adopted(name, key, version)
        if not segment or len(parts) != 4:
            raise Conflict("Its key names no segment of ours", key, "it is left as it is")
        host = self._worlds.host
        if host is not None and any(sidecar.segment == segment for sidecar in host.sidecars):
            raise Conflict("ship of this host still has its sidecar", segment, "fsgov db restored enters it")
        with vaults.opened(self._settings.vaults[name]) as (audio, keys):
            if keys is not None:
                with suppress(NotFound):
                    keys.stat(f"erased/{segment}")
                    hint = "the database has no row of it: remove it by hand"
                    raise Conflict("It was destroyed, and has come back", segment, hint)
            told = audio.stat(key, version)
            if told.metadata.get("segment") not in (None, segment):
                raise Conflict("Its metadata name another segment", key, "it is left as it is")
            wrapped, key_version = vaults.wrapped_key(keys, segment)
            if not told.sha256:
                raise Conflict("Its metadata have no digest", key, "nothing proves what it is")
            sha256, size = vaults.digest_of(audio, key, version)
        stored = next(
            each.modified
            for vault in self._worlds.vaults
            for each in vault.objects
            if (vault.name, each.key, each.version) == (name, key, version)
        )
        self._catalog.adopt(
            Adopted(
                segment=segment, vault=name, key=key, version=version, key_version=key_version, size=size,
                sha256=sha256, wrapped_key=wrapped, stored=datetime.fromtimestamp(stored / 1_000_000, UTC),
            )
        )  # fmt: skip
        return f"{segment} has a row, quarantined"

    def _child_adopted(self, name: str, key: str, version: str) -> str:
        """A row for what was made of a recording that is in the same vault, and not destroyed."""
        artefact, segment = named_by(key), PurePosixPath(key).parts[3]
        with vaults.opened(self._settings.vaults[name]) as (audio, _):
            told = audio.stat(key, version)
            if told.metadata.get("artefact") not in (None, artefact):
                raise Conflict("Its metadata name another artefact", key, "it is left as it is")
            if not told.sha256:
                raise Conflict("Its metadata have no digest", key, "nothing proves what it is")
            sha256, size = vaults.digest_of(audio, key, version)
        self._catalog.adopt_child(artefact, name, key, version, size, sha256)
        return f"{artefact} has a row, as what was made of {segment}"

    def _restored(self, subject: str) -> str:
        """The row names this version from now on, where these are the bytes that it wants."""
        name, _, place = subject.partition("/")
        key, _, version = place.rpartition("#")
        with vaults.opened(self._settings.vaults[name]) as (audio, _):
            sha256, _ = vaults.digest_of(audio, key, version)
        self._catalog.restored(named_by(key), version, sha256)
        return "the row names it; keep looks at it next"

    def _returned(self, subject: str) -> str:
        """Told to keep, which alone destroys."""
        name, _, place = subject.partition("/")
        key = place.rpartition("#")[0]
        segment = key.removeprefix(vaults.KEYS) if key.startswith(vaults.KEYS) else segment_within(key)
        self._catalog.ask_removal(segment, name, key)
        return "keep removes it"

    def _stopped(self, leg: str) -> str:
        """End the recordings of a leg that are not ours, as they run now."""
        at = self._settings.switch
        ours = f"{self._settings.spool.switch_directory}/audio/"
        stopped = 0
        with logged_in(at.host, at.port, at.password.reveal()) as asked:
            for path in recordings_of(asked, leg):
                if path.startswith(ours):
                    continue
                if not path.isprintable() or " " in path:
                    raise Conflict("This recording's name cannot be told to the switch", leg)
                said = asked.api(f"uuid_record {leg} stop {path}")
                if not said.startswith("+OK"):
                    raise Conflict("The switch does not stop it", f"{leg}: {said.strip()[:80]}")
                stopped += 1
        self._catalog.tell(Kind.FOREIGN_RECORDING.value, leg)
        return f"{stopped} recordings stopped"


def resolved(resolving: Resolving, found: Difference) -> tuple[str, FsgovError | None]:
    """What was done, or why nothing was."""
    try:
        return resolving.resolve(found), None
    except FsgovError as fault:
        return str(fault), fault
