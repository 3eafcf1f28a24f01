"""Looking a party up: the CRM within its deadline, else what it said in the last 24 hours, else a reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import gevent
import structlog

from fsgov.commands import LookUpParty
from fsgov.config.settings import Parties as Configured
from fsgov.errors import FsgovError, Unreachable
from fsgov.events import Event, Instant, PartyFound, PartyUnknown
from fsgov.health.tally import LookUps
from fsgov.parties.answer import DEADLINE, HELD, NoAnswer, Row, Source
from fsgov.parties.breaker import Breaker
from fsgov.parties.memory import Memory
from fsgov.parties.service import Service, basic, bearer
from fsgov.parties.view import View

log = structlog.get_logger()


def asked_by(configured: Configured) -> Source | None:
    """The CRM that [parties] names; None: it names none. Raises BadConfiguration (a secret, the CA)."""
    deadline = configured.deadline / 1e6
    if configured.dsn:
        return View(configured.dsn.reveal(), deadline)
    if not configured.url:
        return None
    authorization = ""
    if configured.token:
        authorization = bearer(configured.token.reveal())
    elif configured.user:
        authorization = basic(configured.user, configured.password.reveal())
    return Service(configured.url, deadline, authorization, configured.ca)


class Parties:
    """Answers `LookUpParty` with `PartyFound` or `PartyUnknown`.

    deadline: seconds for the CRM, whatever it spends them on. facts: those that policies in force name.
    """

    def __init__(
        self,
        crm: Source | None,
        deadline: float,
        directory: Path,
        emit: Callable[[Event], None],
        now: Callable[[], Instant],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._crm = crm
        self._deadline = deadline
        self._emit = emit
        self._now = now
        self._breaker = Breaker(clock)
        self._failing = ""
        self.memory = Memory(directory)
        self.facts: frozenset[str] = frozenset()
        self.counts = LookUps()

    def troubles(self) -> Mapping[str, FsgovError]:
        """By name of the alarm."""
        if not self._breaker.open:
            return {}
        return {"crm": Unreachable("The CRM does not answer: it is asked but now and then", self._failing)}

    def look_up(self, command: LookUpParty) -> None:
        """Ask, and emit the answer; meant to run in a greenlet of its own."""
        tenant, e164 = command.tenant, command.e164
        if self._crm is None:
            self._unknown(command, "no CRM", unasked=True)
        elif not e164:
            self._unknown(command, "no number", unasked=False)
        else:
            try:
                row = self._ask(self._crm, tenant, e164)
            except NoAnswer as fault:
                self._remember(command, fault)
                return
            if row is None:
                self._unknown(command, "no row", unasked=False)
                self.memory.forget(tenant, e164)
            else:
                self._found(command, row, "")
                self.memory.keep(tenant, e164, row, self.facts)

    def close(self) -> None:
        """Hang up every connection that nobody uses."""
        if self._crm is not None:
            self._crm.close()

    def _ask(self, crm: Source, tenant: str, e164: str) -> Row | None:
        if not self._breaker.lets_ask():
            self.counts.results[HELD] += 1
            raise NoAnswer(HELD)
        begun = time.monotonic()
        limit = gevent.Timeout(self._deadline)
        try:
            with limit:
                row = crm.ask(tenant, e164)
        except (NoAnswer, gevent.Timeout) as fault:
            if isinstance(fault, gevent.Timeout) and fault is not limit:
                raise
            failure = fault if isinstance(fault, NoAnswer) else NoAnswer(DEADLINE)
            self._failing = f"{failure.reason} {failure.detail}".rstrip()
            self._breaker.failed()
            self.counts.results[failure.reason] += 1
            log.warning("party.lookup.failed", reason=failure.reason, detail=failure.detail)
            raise failure from None
        finally:
            self.counts.seconds.add(time.monotonic() - begun)
        self._breaker.answered()
        self.counts.results["unknown" if row is None else "found"] += 1
        return row

    def _remember(self, command: LookUpParty, fault: NoAnswer) -> None:
        row = self.memory.recall(command.tenant, command.e164, self.facts)
        if row is None:
            self._unknown(command, fault.reason, unasked=True)
        else:
            self.counts.remembered += 1
            self._found(command, row, fault.reason)

    def _found(self, command: LookUpParty, row: Row, remembered: str) -> None:
        self._emit(
            PartyFound(
                now=self._now(),
                call=command.call,
                command=command.number,
                party=command.party,
                facts=row.named(self.facts),
                consents=row.consents,
                evidence=row.evidence,
                remembered=remembered,
            )
        )

    def _unknown(self, command: LookUpParty, reason: str, *, unasked: bool) -> None:
        self._emit(
            PartyUnknown(
                now=self._now(),
                call=command.call,
                command=command.number,
                party=command.party,
                reason=reason,
                unasked=unasked,
            )
        )
