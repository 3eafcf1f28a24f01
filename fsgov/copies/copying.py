"""Copies that people or the configuration ask for, made and removed one after the other: a thread of keep.

The order is the promise. Making: the log says it begins, the key comes, both objects are put, read back and
locked as the original is, and only then a row names them. Removing: nothing holds it, the recording itself
was just proven, every version goes, the listing is empty, and only then the row says gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from fsgov import entries, policy
from fsgov.catalog.copying import Artefact, Copies, CopyDue
from fsgov.certificate import Removed
from fsgov.copies.making import make, there
from fsgov.copies.proving import proven
from fsgov.copies.worker import Worker
from fsgov.errors import BadConfiguration, Conflict, Damaged, FsgovError, NotFound, Unreachable
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.policy import Policy
from fsgov.purge.removing import KEY, Place, Vaults
from fsgov.vault import Bucket, Vault
from fsgov.vault.pacing import Pace

log = structlog.get_logger()

EVERY = 10.0
"""Seconds between two looks at what is to be done."""
AGAIN = timedelta(minutes=5)
"""What did not work is tried again after this."""
RIPE = timedelta(minutes=10)
"""What was stored so long ago should be in its replicas."""
PATIENCE = timedelta(hours=1)
"""Copies that wait longer than this are an alarm."""
BATCH = 20
LACK = 200
LACK_EVERY = timedelta(minutes=5)
"""Between two comparisons of a whole vault with its replica."""
STORED = ("stored", "quarantined")


@dataclass(frozen=True, slots=True)
class Look:
    """How often copies are read back, and how fast: as the scrub does it."""

    every: timedelta
    bytes_per_second: int


DEFAULT = Look(timedelta(days=90), 10_000_000)


class Copying(Worker):
    """Makes and removes copies until it is closed.

    vaults: with keep's login. regions: where each is. replicas: vault -> whose replica it is, and whether the
    store fills it.
    """

    def __init__(
        self,
        catalog: Copies,
        vaults: Mapping[str, Vault],
        regions: Mapping[str, str],
        replicas: Mapping[str, tuple[str, bool]],
        host: str,
        now: Callable[[], Instant],
        look: Look = DEFAULT,
        every: float = EVERY,
    ) -> None:
        super().__init__("copy", every)
        self._catalog = catalog
        self._vaults = vaults
        self._regions = regions
        self._replicas = replicas
        self._host = host
        self._now = now
        self._origin = (
            f"{host}.keep.{now() // 1000 + 11}"  # the alarms have the millisecond before, scrub the next
        )
        self._policies: dict[str, Policy] = {}
        self._asked_for = datetime.min.replace(tzinfo=UTC)
        self._look = look
        self._pace = Pace(look.bytes_per_second, sleep=lambda seconds: _waited(self.stop, seconds))

    def begin(self) -> None:
        for vault, (of, by_store) in self._replicas.items():
            self._catalog.replica(vault, of, by_store)

    def run_once(self) -> bool:
        self._catalog.interrupted()  # nobody else puts any: what is being put was left so
        self._ask_for_replicas()
        found = self._catalog.due(list(self._vaults), BATCH)
        for due in found:
            if self.stop.is_set():
                return False
            self._one(due)
        self._look_again()
        self._follow()
        return len(found) == BATCH

    def _ask_for_replicas(self) -> None:
        """What they lack is asked for: at once while there is more, else now and then."""
        now = self._moment()
        if now - self._asked_for < LACK_EVERY:
            return
        found = [self._catalog.lack(name, of, now - RIPE, LACK) for name, (of, _) in self._replicas.items()]
        if not any(count == LACK for count in found):
            self._asked_for = now

    def _one(self, due: CopyDue) -> None:
        try:
            if due.state == "leaving":
                self._remove(due)
            else:
                self._make(due)
        except FsgovError as fault:
            said = f"{fault.message}: {fault.detail}" if fault.detail else fault.message
            level = log.info if isinstance(fault, Unreachable) else log.warning
            level("copy.failed", segment=due.segment, vault=due.vault, why=fault.message, detail=fault.detail)
            until = self._moment() + AGAIN
            if due.state == "leaving" and isinstance(fault, Conflict) and due.locked_here is not None:
                until = max(until, due.locked_here)
            self._catalog.failed(due.id, said[:300], until)

    # -- making ------------------------------------------------------------------------------------------

    def _make(self, due: CopyDue) -> None:
        if due.segment_state not in STORED or due.dispose:
            self._refuse(due, "it is to be destroyed")
            return
        reasons = self._against(due)
        if reasons:
            self._refuse(due, "; ".join(reasons))
            return
        source, target = self._vault(due.from_vault).audio, self._vaults[due.vault]
        if due.by_store and there(target.audio, due.object_key, due.sealed_sha256, due.sealed_size) is None:
            raise NotFound(
                "The store has not brought it into its replica yet", f"{due.vault} {due.object_key}"
            )
        wrapped = self._catalog.begins(
            due.id, self._origin, lambda n: self._line(n, "segment.copy.begun", due)
        )
        failpoint("keep.copy.begun")
        made = make(due, source, target, wrapped, self._now(), self._seen)
        failpoint("keep.copy.made")
        versions = (made.version, made.key_version, made.artefacts)
        left = self._catalog.proven(due, versions, self._origin, self._copied(due))
        failpoint("keep.copy.proven")
        log.info("copy.made", segment=due.segment, vault=due.vault, instead_of=left)

    def _against(self, due: CopyDue) -> list[str]:
        """What forbids it to lie there, by the policy it was recorded under and the one in force."""
        found = dict[str, None]()
        for digest in due.policies:
            bounds = self._policy(digest).bounds
            for reason in bounds.against(
                due.countries, due.unknown, due.from_vault, due.vault, self._regions
            ):
                found[reason] = None
        return list(found)

    def _policy(self, digest: str) -> Policy:
        if digest not in self._policies:
            text = self._catalog.policy(digest)
            if text is None:
                hint = "its ship enters it; until then nobody knows where it may be"
                raise NotFound("The policy of the recording is not in the catalog", digest, hint)
            self._policies[digest] = policy.parse(text)
        return self._policies[digest]

    def _refuse(self, due: CopyDue, why: str) -> None:
        log.warning("copy.refused", segment=due.segment, vault=due.vault, why=why)
        self._catalog.refused(
            due.id, why, self._origin, lambda n: self._line(n, "segment.copy.refused", due, reason=why)
        )

    # -- what was copied long ago ------------------------------------------------------------------------

    def _look_again(self) -> None:
        """Read some copies back, each in its turn, as slowly as the scrub: a damaged one is made anew."""
        before = self._moment() - self._look.every
        for each in self._catalog.to_prove(list(self._vaults), before, BATCH):
            bucket, wrong, version = self._vaults[each.vault].audio, "", ""
            try:
                for what in each.objects():
                    version = what.version_id
                    wrong = self._damage(bucket, what)
                    if wrong:
                        log.error("copy.damaged", copy=each.id, vault=each.vault, why=wrong)
                        break
            except FsgovError as fault:
                log.warning("copy.unread", vault=each.vault, why=fault.message, detail=fault.detail)
                return
            self._catalog.looked(each.id, wrong, version)

    def _damage(self, bucket: Bucket, what: Artefact) -> str:
        """Why this version is not what was put there; "" where it is."""
        try:
            proven(
                bucket, what.object_key, what.version_id, what.sealed_sha256, what.sealed_size, self._paced
            )
        except NotFound as fault:
            next(bucket.list(what.object_key), None)  # a vault that is not there has lost nothing
            return str(fault)[:300]
        except Damaged as fault:
            return str(fault)[:300]
        return ""

    # -- removing ----------------------------------------------------------------------------------------

    def _remove(self, due: CopyDue) -> None:
        if due.segment_state in STORED:
            home = self._vault(due.from_vault).audio
            proven(home, due.from_key, due.from_version, due.sealed_sha256, due.sealed_size, self._seen)
        if not self._catalog.may_leave(due.id):
            raise Conflict("It is under a hold", due.segment)
        gone = [Place(due.vault, f"keys/{due.segment}", KEY), Place(due.vault, due.object_key, "copy")]
        gone += [
            Place(due.vault, str(key), "artefact") for home, key, *_ in due.artefacts if home != due.vault
        ]
        removed: list[Removed] = []
        Vaults(self._vaults, self._now).remove(gone, [], removed.extend)
        versions = len(removed)
        failpoint("keep.copy.removed")
        self._catalog.gone(
            due.id, self._origin, lambda n: self._line(n, "segment.copy.gone", due, versions=versions)
        )
        log.info("copy.gone", segment=due.segment, vault=due.vault, versions=versions)

    # -- what is told ------------------------------------------------------------------------------------

    def _follow(self) -> None:
        troubles: dict[str, FsgovError] = {}
        for each in self._catalog.open():
            late = each.oldest is not None and each.oldest < self._moment() - PATIENCE
            if each.vault not in self._vaults:
                troubles[f"copy.{each.vault}"] = BadConfiguration(
                    "Copies are wanted in a vault that this keep does not know", f"vault.{each.vault}"
                )
            elif late or each.stuck:
                words = f"{each.making} copies wait to be made, {each.stuck} to be removed"
                troubles[f"copy.{each.vault}"] = Unreachable(words, each.said, "fsgov recordings copies")
        self.troubles = troubles

    def _copied(self, due: CopyDue) -> Callable[[int, str], bytes]:
        return lambda n, left: self._line(
            n, "segment.copied", due, size=due.sealed_size, sha256=due.sealed_sha256, instead_of=left
        )

    def _line(self, n: int, type_: str, due: CopyDue, **facts: entries.Fact) -> bytes:
        about = {"call": due.call, "copy": due.id, "vault": due.vault, **facts}
        return entries.line(
            origin=self._origin,
            n=n,
            host=self._host,
            type_=type_,
            subject=due.segment,
            time=self._now(),
            facts=about,
        )

    def _vault(self, name: str) -> Vault:
        found = self._vaults.get(name)
        if found is None:
            raise BadConfiguration("The vault of the recording is not configured for keep", f"vault.{name}")
        return found

    def _paced(self, size: int) -> None:
        self._pace(size)
        self._seen(size)

    def _seen(self, _: int) -> None:
        if self.stop.is_set():
            raise Unreachable("keep stops")

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._now() / 1e6, UTC)


def _waited(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)
