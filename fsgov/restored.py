"""The database is an older dump: a new log begins after the last checkpoint of the old one.

What was lost is put back from what lies outside of the database, and nothing is believed without proof:

    the last checkpoint   in the vaults (log/) and in the file sink; its signature is verified
    lines                 of the file sink, up to there: verified as `events verify` does it
    the ledger            in the key buckets: what was erased stays erased (erased/), who was forgotten stays
                          forgotten (forgotten/), and what was promised to people is not lost (promised/)
    holds                 that the lines tell of are on everything until people have placed them again
    rows and keys         from the spools; each ship does that itself when it sees the new log

What else people did at desks since the dump is in no copy but by its lines. What those say in full is done
again, when what it is about is back; and purge begins nothing until two persons have looked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from fsgov.catalog.restoring import Found, Restoring
from fsgov.config import Settings
from fsgov.errors import Damaged, FsgovError, NotFound
from fsgov.journal.part import known_keys
from fsgov.merkle import Checkpoint, PublicKey, signed_by
from fsgov.subjects.ledger import names
from fsgov.subjects.restoring import requests, told
from fsgov.vault import Bucket, Credentials, open_bucket
from fsgov.verify import ENTRIES, read_lines, verify_directory

BATCH = 500
ERASED = "erased/"
"""The ledger in a key bucket: an object for each segment whose destruction has begun."""
FACTS = ("plan", "cause", "proposed_by", "approved_by", "key_sha256")


@dataclass(frozen=True, slots=True)
class Prior:
    """The last that is known of the old log; `note` is empty where only the database's own row says it."""

    log_id: str
    size: int
    root: bytes
    time: str
    note: bytes = b""
    signer: int = 0
    """Place of who signed it among the known keys, in the order of time."""


@dataclass(slots=True)
class Outcome:
    """What was, or would be, done. `log_id` is "" before it is."""

    prior: Prior
    lines_here: int
    """Lines of the old log in the restored database."""
    log_id: str = ""
    already: bool = False
    entered: int = 0
    """Lines put back from the file sink."""
    erased: list[str] = field(default_factory=list)
    keys: int = 0
    """Keys of erased segments that the dump had brought back."""
    forgotten: list[str] = field(default_factory=list)
    """Parties (CALL.PARTY) whose rows were nulled."""
    rows: int = 0
    """Those of them whom the dump had brought back."""
    requests: int = 0
    """Requests of people that the dump does not have."""
    holds: int = 0
    """Holds of which the dump does not know what they are about: on everything until they are released."""
    lost: dict[str, int] = field(default_factory=dict)
    """Acts at desks that the dump does not have, by what became of them (`lost_acts.state`)."""
    copy: Path | None = None
    """The file sink that the lines were taken from."""

    @property
    def behind(self) -> int:
        """Lines that the old log had by its last checkpoint, and that the database has not."""
        return max(self.prior.size - self.lines_here, 0)


def take_up(settings: Settings, database: Restoring, *, only_look: bool) -> Outcome:
    """Open the new log, unless that was done and nothing was written since.

    Raises what the vaults raise: without their word nobody knows where the old log ended.
    """
    keys = known_keys(settings)
    found = database.found()
    anchors = [prior for bucket in _buckets(settings) for prior in _anchored(bucket, keys)]
    sunk = _sunk(settings.log.file, keys)
    prior = _last(found, [*anchors, *sunk])
    outcome = Outcome(prior, found.lines if prior.log_id == found.log_id else 0)
    if found.opened_again and not found.lines and not any(each.log_id == found.log_id for each in anchors):
        outcome.already, outcome.log_id = True, found.log_id
        return outcome
    if prior.size == 0:
        raise NotFound("No checkpoint of the log is known", found.log_id, "was keep ever running here?")
    outcome.erased = sorted(set(_ledger(settings)))
    named = names(_ledgers(settings))
    outcome.forgotten = sorted(named.forgotten)
    outcome.copy = _copy(settings.log.file, prior, keys)
    if only_look:
        return outcome
    database.begin(prior.time, copied=outcome.copy is not None)
    if outcome.copy is not None:
        lines = _numbered(outcome.copy / ENTRIES)
        while batch := list(islice(lines, BATCH)):
            outcome.entered += database.enter_again(batch)
    outcome.keys, came_back = database.apply_ledger(outcome.erased)
    for segment, facts in _told(settings, came_back):
        database.ledger_says(segment, facts)
    outcome.rows = database.apply_forgotten(outcome.forgotten)
    outcome.requests = database.apply_requests(requests(named, told(database.told_of_requests())))
    outcome.holds = database.lost_holds(outcome.copy is None and outcome.behind > 0)
    database.redo()
    outcome.lost = database.lost()
    outcome.log_id = database.open_log(prior.log_id, prior.size, prior.root)
    return outcome


def _last(found: Found, known: list[Prior]) -> Prior:
    """The newest of all checkpoints. Its time is the signer's, and grows from log to log."""
    own = Prior(found.log_id, found.signed, found.root, found.signed_at)
    newest = max([own, *known], key=lambda prior: (prior.time, prior.size))
    for prior in known:
        if newest.note and prior.signer > newest.signer:
            hint = "somebody signs with a key that has ended; find out who before anything goes on"
            raise Damaged("A key signed a checkpoint after its end", f"{newest.log_id} {newest.size}", hint)
    return newest


def _buckets(settings: Settings) -> Iterator[Bucket]:
    for vault in settings.vaults.values():
        login = vault.credentials
        credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
        with closing(open_bucket(vault.url, credentials)) as bucket:
            yield bucket


def _anchored(bucket: Bucket, keys: Sequence[PublicKey]) -> Iterator[Prior]:
    """The largest checkpoint of each log that this vault has."""
    largest: dict[str, str] = {}
    for version in bucket.list("log/"):
        log_id, _, name = version.key.removeprefix("log/").partition("/")
        largest[log_id] = max(largest.get(log_id, ""), name)
    for log_id, name in largest.items():
        path = f"log/{log_id}/{name}"
        yield _checked(b"".join(bucket.get(path, bucket.stat(path).version_id)), keys, f"{bucket.url} {path}")


def _sunk(directory: Path | None, keys: Sequence[PublicKey]) -> Iterator[Prior]:
    """The last checkpoint of each log in the file sink."""
    from fsgov.verify import CHECKPOINTS, read_notes

    for path in sorted(directory.glob(f"*/{CHECKPOINTS}")) if directory is not None else []:
        with path.open("rb") as file:
            notes = list(read_notes(file))
        if notes:
            yield _checked(notes[-1], keys, str(path))


def _checked(note: bytes, keys: Sequence[PublicKey], where: str) -> Prior:
    try:
        text, by = signed_by(note, keys)
        if not by:
            raise Damaged("No known key signed it")
        checkpoint = Checkpoint.parse(text)
    except FsgovError as fault:
        hint = "a log of another key (log.earlier_keys names those), or a forged one: look at it first"
        raise Damaged("A checkpoint of the old log does not hold", f"{where}: {fault}", hint) from fault
    signer = max(place for place, key in enumerate(keys) if key in by)
    return Prior(checkpoint.log_id, checkpoint.size, checkpoint.root, checkpoint.time, note, signer)


def _copy(directory: Path | None, prior: Prior, keys: Sequence[PublicKey]) -> Path | None:
    """The file sink of that log, verified up to its last checkpoint; None where there is none."""
    if directory is None or not (directory / prior.log_id / ENTRIES).exists() or not prior.note:
        return None
    verify_directory(directory / prior.log_id, keys, prior.note)
    return directory / prior.log_id


def _numbered(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """Every whole line with its origin and number."""
    with path.open("rb") as file:
        for line in read_lines(file):
            if line.endswith(b"\n"):
                origin, _, n = str(json.loads(line)["id"]).rpartition(".")
                yield origin, int(n), line[:-1]


def _ledgers(settings: Settings) -> Iterator[Bucket]:
    """Every key bucket."""
    for vault in settings.vaults.values():
        login = vault.credentials
        credentials = Credentials(login.access.reveal(), login.secret.reveal()) if login else None
        with closing(open_bucket(vault.keys, credentials)) as bucket:
            yield bucket


def _ledger(settings: Settings) -> Iterator[str]:
    """Segments that were erased, by every key bucket."""
    for bucket in _ledgers(settings):
        yield from (version.key.removeprefix(ERASED) for version in bucket.list(ERASED))


def _told(settings: Settings, segments: list[str]) -> Iterator[tuple[str, dict[str, str | None]]]:
    """By whom and why these were erased, as the ledger has it; nothing of one that it only names."""
    for bucket in _ledgers(settings):
        for segment in segments:
            try:
                text = b"".join(bucket.get(ERASED + segment, bucket.stat(ERASED + segment).version_id))
                facts = json.loads(text or b"{}")
            except (NotFound, ValueError):  # in another vault, or by another hand
                continue
            if isinstance(facts, dict) and facts:
                yield segment, {name: str(facts[name]) for name in FACTS if facts.get(name)}
