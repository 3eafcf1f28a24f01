"""keep carries out what was approved: an erasure, record by record, until nothing of it is left.

    promised    the ledger has every call of it, before anything is erased
    judged      each recording: due, held, statutory; what is due goes into a plan of purge
    unnamed     the rows of a call, once no recording, hold or open export needs them; then the ledger says so
    done        every record is erased or was gone; a call that is entered late opens it again

Each turn looks at all of it anew, so what waits for a hold or a period goes on by itself when that ends, and
a stop between any two steps loses nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from fsgov import entries
from fsgov.catalog.erasing import Due, Erasing, Left, Noted
from fsgov.catalog.retaining import Retaining
from fsgov.errors import Conflict, Damaged, FsgovError, Unreachable
from fsgov.events import Instant
from fsgov.failpoints import failpoint
from fsgov.subjects.judging import STOPPED, granted, noted
from fsgov.subjects.ledger import Ledger

log = structlog.get_logger()

LOOK_EVERY = 60.0
"""Seconds between two turns."""
SOON = timedelta(days=7)
"""Before a request is due that it is told."""
WATCH = timedelta(days=30)
"""After an erasure is done that calls which are entered late are still found; then its numbers go as well."""
PATIENCE = 5
"""Turns in which a vault does not answer before that is an alarm; every other fault is one at once."""
OVER = ("erased", "gone")


class Erasures:
    """Carries erasures out until it is stopped. `troubles` and `due` may be read by any thread.

    leading: whether this keep is the one that does it.
    """

    def __init__(
        self,
        catalog: Erasing,
        retaining: Retaining,
        ledger: Ledger,
        host: str,
        now: Callable[[], Instant],
        every: float = LOOK_EVERY,
    ) -> None:
        self.troubles: Mapping[str, FsgovError] = {}
        """Alarm -> why, for keep to follow."""
        self.due = Due(0, 0, 0, 0)
        self.leading = False
        self._catalog = catalog
        self._retaining = retaining
        self._ledger = ledger
        self._host = host
        self._now = now
        self._every = every
        self._unanswered = 0
        self._origin = f"{host}.keep.{now() // 1000 + 2}"  # alarms and statements have those before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="erasures", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop, between two steps: the next one goes on there."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._catalog.close()
        self._retaining.close()
        self._ledger.close()

    def _run(self) -> None:
        next_ = 0.0
        while not self._stop.wait(0.5):
            if not self.leading or time.monotonic() < next_:
                continue
            next_ = time.monotonic() + self._every
            try:
                self.run_once()
            except FsgovError as fault:  # PostgreSQL: keep's own alarm tells of that
                log.warning("erasures.failed", why=fault.message, detail=fault.detail)
            except Exception:
                log.exception("erasures.broken")
                broken = Damaged("fsgov itself is wrong here", "erasures", "Report it with the log.")
                self.troubles = {**self.troubles, "subject.stuck": broken}

    def run_once(self) -> None:
        """Carry every erasure as far as it goes now. Raises what the catalog raises."""
        stuck: FsgovError | None = None
        for request in self._catalog.requests():
            if self._stop.is_set():
                return
            try:
                self._carry_out(request)
            except FsgovError as fault:
                log.warning("erasure.stuck", request=request, why=fault.message, detail=fault.detail)
                stuck = fault
        self._unanswered = self._unanswered + 1 if isinstance(stuck, Unreachable) else 0
        if 0 < self._unanswered < PATIENCE:
            stuck = None
        now = datetime.fromtimestamp(self._now() / 1e6, UTC)
        self._catalog.forget(now - WATCH)
        self.due = self._catalog.due(now + SOON)
        self.troubles = troubles(self.due, stuck)

    def _carry_out(self, request: str) -> None:
        left = self._catalog.left(request)
        rows = [each for each in left if not each.segment]
        if new := [each for each in rows if not each.promised]:
            self._ledger.promise(request, (name(each) for each in new))
            failpoint("subject.promise")
            self._catalog.promised(request, new)
            failpoint("subject.promised")
        found = self._judged([each for each in left if each.segment])
        self._catalog.note(request, found)
        failpoint("subject.judged")
        self._plan(request, left, found)
        failpoint("subject.planned")
        waiting: dict[tuple[str, int], list[Noted]] = {}
        for each in found:
            if each.verdict not in OVER:
                waiting.setdefault((each.call, each.party), []).append(each)
        for row in rows:
            if self._stop.is_set():
                return
            self._unname(request, row, waiting.get((row.call, row.party), ()))
        if any(each.reasons == (STOPPED,) for each in found):
            hint = f"see why: fsgov purge status; then fsgov subject erase {request}, once more"
            raise Conflict("The plan of an erasure was stopped", request, hint)
        if self._catalog.done(request, self._origin, lambda *counts: self._done(request, *counts)):
            failpoint("subject.done")
            log.info("erasure.done", request=request)

    def _judged(self, recordings: Sequence[Left]) -> list[Noted]:
        """What is to be noted of each recording, by the policies and holds of now."""
        wanted = sorted({each.segment for each in recordings})
        if not wanted:
            return []
        with self._retaining.facts(segments=wanted) as (policies, rows):
            judged = {
                facts.segment: granted(
                    facts, policies.counting_for(facts.policy_sha256), tuple(holds), self._now()
                )
                for facts, holds in rows
            }
        return [noted(each, judged.get(each.segment)) for each in recordings]

    def _plan(self, request: str, left: Sequence[Left], found: Sequence[Noted]) -> None:
        """Hand what is due to purge, under the two persons of the request."""
        free = {each.segment for each in left if each.planned in ("", "kept") and each.state != "destroying"}
        due = sorted({each.segment for each in found if each.verdict == "due" and each.segment in free})
        if due:
            plan = self._catalog.plan(
                request, due, self._origin,
                lambda n, plan, sha256, items: self._line(
                    n, "erasure.planned", request, {"plan": plan, "items": items, "sha256": sha256}
                ),
            )  # fmt: skip
            log.info("erasure.planned", request=request, plan=plan, recordings=len(due))

    def _unname(self, request: str, row: Left, waiting: Sequence[Noted]) -> None:
        """Null the rows of one call, where nothing needs them any more; else note who does."""
        if waiting:
            held = sorted({reason for each in waiting if each.verdict == "held" for reason in each.reasons})
            needs = held or sorted(each.segment for each in waiting)
        else:
            needs = self._catalog.unname(
                request, row, self._origin,
                lambda n: self._line(n, "party.erased", row.call, {"party": row.party, "request": request}),
            )  # fmt: skip
        failpoint("subject.unnamed")
        if not needs:
            self._ledger.forget(name(row))
            failpoint("subject.forgotten")
        verdict = "erased" if not needs else "held" if needs[0].startswith("h-") else "needed"
        self._catalog.note(request, [Noted(row.call, row.party, "", verdict, tuple(needs))])

    def _done(self, request: str, n: int, recordings: int, calls: int) -> bytes:
        return self._line(n, "erasure.done", request, {"erased": recordings, "calls": calls})

    def _line(self, n: int, type_: str, subject: str, facts: Mapping[str, entries.Fact]) -> bytes:
        return entries.line(
            origin=self._origin, n=n, host=self._host, type_=type_, subject=subject, time=self._now(),
            facts=facts,
        )  # fmt: skip


def name(record: Left) -> str:
    """How the ledger calls the rows of a party in a call."""
    return f"{record.call}.{record.party}"


def troubles(due: Due, stuck: FsgovError | None) -> dict[str, FsgovError]:
    """What keep is to raise, by alarm."""
    told = {
        "due": (due.soon, "requests of people are due within a week"),
        "overdue": (due.overdue, "requests of people are overdue"),
        "lost": (due.lost, "requests of people were lost with the database"),
    }
    found: dict[str, FsgovError] = {
        f"subject.{kind}": Damaged(f"{count} {words}", hint="fsgov subject list names them")
        for kind, (count, words) in told.items()
        if count
    }
    if stuck is not None:
        found["subject.stuck"] = stuck
    return found
