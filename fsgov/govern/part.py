"""All of govern: makes its pieces, joins them, takes a reload up, stops without hurting a call."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import gevent
import structlog
from gevent.event import Event as Signal

from fsgov import reloading
from fsgov.announcements import Announcements
from fsgov.catalog.govern import people_of_hosts
from fsgov.commands import Command, Enter
from fsgov.config import Settings
from fsgov.control import Acts, Desk, LocalStops, application, listen
from fsgov.errors import FsgovError, Unreachable
from fsgov.esl.link import Link
from fsgov.esl.pool import Pool
from fsgov.esl.resync import Survey
from fsgov.esl.translate import Translator
from fsgov.events import CallRestored, Event, Reply, Stopping
from fsgov.govern.clock import wall_clock
from fsgov.govern.counting import Counting
from fsgov.govern.dispatch import Dispatch
from fsgov.govern.inforce import InForce, Pieces
from fsgov.govern.lanes import Hands, Lanes
from fsgov.govern.others import Others
from fsgov.govern.roster import Roster
from fsgov.govern.site import audio_of, read_again, reloaded, site_of
from fsgov.govern.watching import Watch, serving
from fsgov.govern.writing import Writing
from fsgov.health.pages import add_pages
from fsgov.notify import Systemd
from fsgov.parties import Parties, asked_by, forget_old
from fsgov.policy import Policy
from fsgov.recorder import Recorder
from fsgov.spool import Spool
from fsgov.switchboard import Switchboard

log = structlog.get_logger()

STOP_WITHIN = 5.0
"""Seconds for the last commands (segments that are closed on stopping) to be answered."""


class Govern:
    """All of govern, made from the settings and a policy."""

    def __init__(self, settings: Settings, in_force: InForce) -> None:
        self._settings = settings
        self.in_force = in_force
        policy = in_force.begin()
        self._systemd = Systemd()
        self._over = Signal()
        self._broken = ""
        now = wall_clock
        self.writing = Writing(settings.spool.directory, settings.host, lambda: self._fail("The scribe"))
        self.spool = Spool(settings.spool.directory, "reader")
        self._keep(policy)
        self.watch = Watch(settings, self.writing, self.spool, now)
        audio = audio_of(settings)
        self.board = Switchboard(policy, site_of(settings))
        self.dispatch = Dispatch(self.board, self._carry, now, self._replied)
        emit = self.dispatch.emit

        switch = settings.switch
        password = switch.password.reveal()
        self.translator = Translator(policy.names_of_variables)
        self.pool = Pool(switch.host, switch.port, password, clock=now)
        survey = Survey(self.pool, self.translator, audio, clock=now)
        self.link = Link(switch.host, switch.port, password, survey, self.translator, self._heard, clock=now)
        self.counting = Counting(self._legs, lambda: self.dispatch.behind, self.link.again)
        remembered, deadline = settings.spool.directory / "parties", settings.parties.deadline / 1e6
        self.parties = Parties(asked_by(settings.parties), deadline, remembered, emit, now)
        self.parties.facts = policy.kept_facts
        self.desk = Desk(emit, now)
        recorder = Recorder(self.pool, audio, survey.inspect, emit, now)
        announcements = Announcements(self.pool, emit, now)
        hands = Hands(recorder.carry_out, announcements.carry_out, self.parties.look_up, self.desk.answer)
        self.lanes = Lanes(self.writing, hands, emit, now)

        database = settings.database
        self.roster = Roster(
            settings.spool.directory / "people.json",
            lambda: people_of_hosts(database.dsn, database.password("govern") or ""),
        )
        acts = Acts(self.desk, self.roster.person, self._tenant_of)
        self.vitals = self.watch.over(self.board, self.dispatch, self.link, self.pool, self.translator)
        self.vitals.look_ups = self.parties.counts
        heard, seen = (lambda: self.spool.heard("ship")), (lambda: in_force.seen)
        self.others = Others(settings.spool.directory, heard, seen, now)
        self.vitals.further = lambda: {
            **in_force.troubles(),
            **self.others.troubles(),
            **wall_clock.troubles(),
            **self.parties.troubles(),
        }
        self.control = application(acts, self._live, self.status, LocalStops(in_force, self.roster.person))
        add_pages(self.control, self.vitals)

    def _carry(self, commands: list[Command]) -> None:
        self.watch.tally.carried(commands, self.dispatch.turned)
        self.lanes.carry(commands)

    def _replied(self, reply: Event) -> None:
        assert isinstance(reply, Reply)
        self.watch.tally.replied(reply, self.board.call(reply.call))

    def _heard(self, event: Event) -> None:
        self.dispatch.emit(event)
        self.counting.heard(event)

    def _legs(self) -> int:
        """Legs that are believed to be up."""
        return len({leg.uuid for call in self.board.calls for leg in call.legs.values() if not leg.gone})

    def _tenant_of(self, id_: str) -> str | None:
        call = self.board.call(id_)
        return None if call is None else call.tenant

    def _live(self) -> list[dict[str, str | None]]:
        return [
            {
                "call": call.id,
                "tenant": call.tenant,
                "stage": call.stage.value,
                "capture": call.actual.value,
                "rule": None if call.decision is None else call.decision.rule,
                "segment": None if call.segment is None else call.segment.id,
            }
            for call in self.board.calls
        ]

    def status(self) -> dict[str, Any]:
        """What `fsgov status` shows of this part."""
        disk = self.spool.disk()
        return {
            "switch": {
                "connected": self.link.connected,
                "core": self.link.core,
                "trouble": self.link.trouble,
            },
            **self.in_force.status(self.board.policy),
            "calls": len(self.board.calls),
            "behind": self.dispatch.behind,
            "ignored": self.board.ignored,
            "counts": {**self.link.counts, **self.translator.counts, **self.pool.counts},
            "spool": {"free": disk.free, "total": disk.total},
            "ready": not any(self.vitals.checks().values()),
            "alarms": dict(self.watch.alarms.up),
        }

    def run(self, stop: Signal, reload: Signal) -> None:
        """Govern until `stop` is set. Raises Unreachable when the scribe or the loop has ended."""
        pages = ExitStack()
        pages.enter_context(serving(self.vitals, self._settings.health.govern))
        stop.rawlink(lambda _: self._over.set())
        self._enter("host.started", {"restarts": restarts(), "policy": self.board.policy.sha256})
        self.in_force.attach(Pieces(self.dispatch.emit, self._take, self._enter), self.board.policy)
        loop = gevent.spawn(self.dispatch.run)
        loop.link_exception(lambda _: self._fail("The loop that feeds the core"))
        for _, text in self.spool.calls():
            self.dispatch.emit(CallRestored(now=wall_clock(), text=text))
        self.pool.start()
        self.link.start()
        server = listen(self._settings.control.socket, self.control)
        loops = (
            lambda: self._reload(reload),
            self._sweep,
            self._look_at_the_clock,
            self._watch,
            self.watch.run,
            self.watch.probe,
            self.others.run,
        )
        background = [gevent.spawn(each) for each in loops]
        if self._settings.database.dsn:
            background += [gevent.spawn(self.roster.keep_reading), gevent.spawn(self.in_force.run)]
        log.info("govern.started", host=self._settings.host)
        try:
            self._over.wait()
            self._systemd.stopping()
            if self._broken:
                raise Unreachable(f"{self._broken} has ended", "", "see the log; govern must start again")
            self._stop()
        finally:
            server.stop(timeout=1)
            pages.close()
            gevent.killall(background)
            self.link.stop()
            self.dispatch.stop()
            loop.join()
            self.pool.stop()
            if not self._broken:
                self._enter("host.stopping", {})
                self.writing.close()
            self.spool.close()
        log.info("govern.stopped")

    def _fail(self, what: str) -> None:
        self._broken = what
        self._over.set()

    def _keep(self, policy: Policy) -> None:
        """The policy in force, in the spool before any call rests on it; ship enters it."""
        fault = self.writing.ask([("policy", policy.text)])[0]
        if fault:
            raise Unreachable("The policy cannot be kept in the spool", fault, "Look at the spool's disk.")

    def _stop(self) -> None:
        """Close what a party may still withdraw or pause; everything else runs on and is adopted later."""
        self.dispatch.emit(Stopping(now=wall_clock()))
        end = time.monotonic() + STOP_WITHIN
        gevent.sleep(0.05)
        while (self.dispatch.behind or self.lanes.busy or self.board.busy) and time.monotonic() < end:
            gevent.sleep(0.05)

    def _reload(self, reload: Signal) -> None:
        """On SIGHUP: configuration and policy again; both or neither. A call keeps the version it has."""
        while True:
            reload.wait()
            reload.clear()
            self._systemd.reloading()
            try:
                settings, policy = read_again(self._settings)
                if self.in_force.activated is None:
                    self._take(policy)
                else:
                    log.info("policy.file_checked", version=policy.version, sha256=policy.sha256)
            except FsgovError as fault:
                log.error("policy.refused", reason=fault.message, detail=fault.detail, hint=fault.hint)
                self._systemd.reloaded(f"refused, as before: {fault.message}")
                continue
            waiting = reloading.waiting(self._settings, settings)
            if waiting:
                log.warning("configuration.after_restart", tables=waiting)
            self.board.site = reloaded(self.board.site, settings)
            self.in_force.configured(settings)
            self._systemd.reloaded(self._words())

    def _take(self, policy: Policy) -> None:
        """New calls are decided by it from now on; a running one keeps its own, and what that looks at."""
        self._keep(policy)
        before = self.board.policy
        read = (policy, *{call.policy.sha256: call.policy for call in self.board.calls}.values())
        self.translator.want(frozenset().union(*(each.names_of_variables for each in read)))
        self.parties.facts = frozenset().union(*(each.kept_facts for each in read))
        self.board.use_policy(policy)
        if policy.sha256 != before.sha256:
            facts = {"policy": policy.sha256, "version": policy.version, "prior": before.sha256}
            self._enter("host.policy", facts)
        log.info("policy.in_force", version=policy.version, sha256=policy.sha256)

    def _watch(self) -> None:
        """Have the loop go round, and tell systemd when it did: from nowhere else is its watchdog fed."""
        pause = 0.05
        while True:
            before = self.dispatch.turned
            self.dispatch.nudge()
            gevent.sleep(pause)
            if self.dispatch.turned != before:
                self._systemd.turned(self._words)
                pause = self._systemd.every

    def _words(self) -> str:
        switch = "connected to the switch" if self.link.connected else "waits for the switch"
        return f"{switch}; {len(self.board.calls)} calls; policy {self.board.policy.version}"

    def _look_at_the_clock(self) -> None:
        while True:
            gevent.sleep(1.0)
            wall_clock.compare(idle=not self.board.calls)

    def _sweep(self) -> None:
        """Party facts are kept a day, also while nobody asks for them."""
        while True:
            gevent.get_hub().threadpool.apply(
                forget_old, (self._settings.spool.directory / "parties", time.time())
            )
            gevent.sleep(3600)

    def _enter(self, type_: str, facts: Mapping[str, Any], subject: str = "") -> None:
        subject = subject or self._settings.host
        self.writing.enter(Enter(call="", type=type_, subject=subject, time=wall_clock(), facts=facts))


def restarts() -> int:
    """How often the supervisor has started this part again."""
    return int(os.environ.get("FSGOV_RESTARTS", "0"))
