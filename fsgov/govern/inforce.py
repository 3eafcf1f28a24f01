"""Which policy and which stops are in force on this host: as the database says, or as it said last.

A thread of the pool looks twice a second; nothing of govern waits for it, but the start does, for two seconds
at most: a host that was away should not begin with yesterday's policy where today's can be had.

Until the first `fsgov policy activate` the file `policy.file` is in force; afterwards it is only checked. A
policy that this host cannot carry out (a prompt that is not here, a vault that is not configured, a key that
this version does not know) leaves the former one in force, raises an alarm, and is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gevent
import structlog

from fsgov.call.stops import Stop, Stops, StopsInForce
from fsgov.catalog.inforce import Look, Looking
from fsgov.config import Settings
from fsgov.errors import BadConfiguration, Damaged, FsgovError, Unreachable
from fsgov.events import Event
from fsgov.govern.clock import wall_clock
from fsgov.govern.compiling import compiled, compiled_file
from fsgov.govern.kept import Kept
from fsgov.policy import Policy

log = structlog.get_logger()

LOOK_EVERY = 0.4
LOOK_FIRST = 2.0
TRY_AGAIN = 10.0
"""Seconds between two looks; for the first one, before the start; between two trials of what fails."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What of govern is told. `take` puts a policy in force for new calls; `enter` writes an entry."""

    emit: Callable[[Event], None]
    take: Callable[[Policy], None]
    enter: Callable[[str, Mapping[str, str], str], None]


class InForce:
    """What is in force here. `begin` before anything else, then `run` as a greenlet."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept = Kept(settings.spool.directory)
        self._looking: Looking | None = None
        self._pieces: Pieces | None = None
        self.activated: str | None = None
        """Digest of the activated policy that is in force here; None: it is the file's."""
        self.stops: tuple[Stop, ...] = ()
        self.here: tuple[Stop, ...] = ()
        """Stops of this host alone, placed through its control socket."""
        self.seen: Look | None = None
        """What the database said last; None while it does not answer."""
        self._failed: tuple[str, str] | None = None
        """Digest and text of an activated policy that this host cannot carry out."""
        self._try_at = 0.0
        self._faults: dict[str, FsgovError] = {}

    # -- the start ---------------------------------------------------------------------------------------

    def begin(self) -> Policy:
        """The policy to start with. Raises BadConfiguration where it is the file's, and that is wrong."""
        look = self._first_look()
        kept: str | None = None
        try:
            kept = self._kept.policy()
            self.stops, self.here = self._kept.stops()
        except Damaged as fault:
            self._trouble("disk", fault)
        if look is not None:
            self.stops = look.stops
        policy = self._beginning(look, kept)
        if policy is None:
            return compiled_file(self._settings.policy.file, self._settings.regions)
        self.activated = policy.sha256
        self._check_file()
        return policy

    def _first_look(self) -> Look | None:
        if not self._settings.database.dsn:
            return None
        result = gevent.get_hub().threadpool.spawn(self._ask, None)
        result.wait(LOOK_FIRST)
        return result.value if result.successful() else None

    def _beginning(self, look: Look | None, kept: str | None) -> Policy | None:
        """The activated policy of the database, else of the disk; None where there never was one."""
        text = look.text if look is not None and look.text is not None else None
        for candidate in filter(None, dict.fromkeys((text, kept))):
            try:
                return compiled(candidate, self._settings.regions)
            except FsgovError as fault:
                if candidate is text and look is not None and look.sha256 is not None:
                    self._failed = (look.sha256, candidate)
                self._trouble("policy", fault)
        return None

    def _check_file(self) -> None:
        """The file is not in force; whoever edits it should know whether it could be."""
        try:
            compiled_file(self._settings.policy.file, self._settings.regions)
        except FsgovError as fault:
            log.warning("policy.file_faulty", reason=fault.message, detail=fault.detail)

    # -- afterwards --------------------------------------------------------------------------------------

    def attach(self, pieces: Pieces, policy: Policy) -> None:
        """Whom to tell, and what was begun with; the stops are told at once, before any call is known."""
        self._pieces = pieces
        self._tell_stops()
        self._keep_stops()
        if self.activated is not None:
            try:
                self._kept.keep_policy(policy.text)
            except Unreachable as fault:
                self._trouble("disk", fault)

    def configured(self, settings: Settings) -> None:
        """The configuration was read again."""
        self._settings = settings
        self._try_at = 0.0

    def run(self) -> None:
        """Loop for ever: a greenlet's work."""
        pool = gevent.get_hub().threadpool
        while True:
            gevent.sleep(LOOK_EVERY)
            known = self._failed[0] if self._failed else self.activated
            look: Look | None = pool.apply(self._ask, (known,))
            self.seen = look
            try:
                if look is not None:
                    self._learn(look)
                elif self._failed is not None:
                    self._try(*self._failed)
            except Exception:  # what is in force stays in force
                log.exception("in_force.failed")

    def _learn(self, look: Look) -> None:
        if look.stops != self.stops:
            self.stops = look.stops
            self._tell_stops()
            self._keep_stops()
        if look.sha256 is not None and look.text is not None:
            self._try_at = 0.0
            self._try(look.sha256, look.text)
        elif self._failed is not None and look.sha256 == self._failed[0]:
            self._try(*self._failed)

    def _try(self, sha256: str, text: str) -> None:
        """Take up an activated policy, or say why it cannot be."""
        if time.monotonic() < self._try_at:
            return
        self._try_at = time.monotonic() + TRY_AGAIN
        if sha256 == self.activated:
            self._failed = None
            self._over("policy")
            return
        pieces = self._pieces
        assert pieces is not None
        try:
            policy = compiled(text, self._settings.regions)
            if policy.sha256 != sha256:
                raise Damaged("The activated policy is not what its digest says", sha256)
            gevent.get_hub().threadpool.apply(self._kept.keep_policy, (text,))
            pieces.take(policy)
        except FsgovError as fault:
            self._failed = (sha256, text)
            self._trouble("policy", fault)
            return
        self._failed = None
        self.activated = sha256
        self._over("policy")

    def _ask(self, known: str | None) -> Look | None:
        """In a thread. None while the database does not answer."""
        database = self._settings.database
        try:
            if self._looking is None:
                self._looking = Looking(database.dsn, database.password("govern") or "")
            return self._looking.look(known)
        except FsgovError as fault:
            log.debug("in_force.unread", reason=fault.message)
            if self._looking is not None:
                with suppress(Exception):
                    self._looking.close()
                self._looking = None
            return None

    # -- stops of this host ------------------------------------------------------------------------------

    def place(self, stop: Stop, actor: str) -> None:
        """In force on this host at once, and after a restart. Raises Unreachable where it cannot be kept."""
        self.here = (*self.here, stop)
        self._tell_stops()
        self._enter("stop.placed", stop, actor)
        self._keep_stops(raising=True)

    def lift(self, id_: str, actor: str) -> bool:
        """False where no stop of this host has that id."""
        found = next((stop for stop in self.here if stop.id == id_), None)
        if found is None:
            return False
        self.here = tuple(stop for stop in self.here if stop is not found)
        self._tell_stops()
        self._enter("stop.lifted", found, actor)
        self._keep_stops(raising=True)
        return True

    def _enter(self, type_: str, stop: Stop, actor: str) -> None:
        if self._pieces is not None:
            self._pieces.enter(type_, {"kind": stop.kind, "actor": actor}, stop.id)

    def _tell_stops(self) -> None:
        pieces = self._pieces
        if pieces is not None:
            stops = Stops.of(self._settings.host, (*self.stops, *self.here))
            pieces.emit(StopsInForce(now=wall_clock(), stops=stops))

    def _keep_stops(self, *, raising: bool = False) -> None:
        try:
            gevent.get_hub().threadpool.apply(self._kept.keep_stops, (self.stops, self.here))
        except Unreachable as fault:
            self._trouble("disk", fault)
            if raising:
                raise
            return
        self._over("disk")

    def status(self, policy: Policy) -> dict[str, Any]:
        """What `fsgov status` shows; no number is named."""
        told = {"version": policy.version, "sha256": policy.sha256, "activated": self.activated is not None}
        return {"policy": told, "stops": len(self.stops) + len(self.here)}

    # -- trouble -----------------------------------------------------------------------------------------

    def troubles(self) -> dict[str, FsgovError]:
        """The alarm `in_force`, while there is a reason for it."""
        fault = next(iter(self._faults.values()), None)
        if fault is None:
            return {}
        message = "What is in force cannot be taken up or kept here"
        return {"in_force": BadConfiguration(message, str(fault), fault.hint)}

    def _trouble(self, what: str, fault: FsgovError) -> None:
        if str(self._faults.get(what)) != str(fault):
            log.error("in_force.refused", of=what, reason=fault.message, detail=fault.detail, hint=fault.hint)
        self._faults[what] = fault

    def _over(self, what: str) -> None:
        self._faults.pop(what, None)
