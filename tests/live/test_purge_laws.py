"""Laws 7 and 8, for interleavings of holds, releases, plans, other periods, reviews, copies and kills.

Judged by what the test itself has ordered and was told, against what the vaults list and whether it opens.
The short form is two seeds; the long one (make laws) is two hundred.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fsgov.catalog import migrate
from fsgov.catalog.artefacts import Made
from fsgov.catalog.copying import Copies
from fsgov.catalog.holds import Holds
from fsgov.catalog.mirroring import Mirroring
from fsgov.catalog.placing import Placing
from fsgov.catalog.plans import Plans
from fsgov.catalog.quarantine import Reviewing
from fsgov.catalog.retaining import Retaining
from fsgov.copies import Copying
from fsgov.envelope import Recipient, seal_bytes
from fsgov.errors import Conflict, FsgovError
from fsgov.journal.quarantine import Quarantine
from fsgov.mirror import Mirror
from fsgov.purge.applying import JUDGED
from fsgov.purge.part import judge
from fsgov.purge.planning import fill
from fsgov.purge.removing import Vaults
from fsgov.shipper.artefacts import Stowing
from fsgov.vault import Vault, open_vault
from tests.parts.catalog import World, call_file, enter, sidecar
from tests.parts.purging import WEEK, Yard, yard
from tests.parts.story import Call, Held, Model, Recording, Store

LONG = os.environ.get("FSGOV_LAWS") == "long"
SEEDS = range(200 if LONG else 2)
STEPS = 40 if LONG else 30
NUMBERS, SUBJECTS, TAGS = ("+4930111111", "+4930222222"), ("K-1", "K-2"), ("complaint", "praise")
TENANTS = ("default", "default", "other")
ENDED, DAY = 3, 86_400_000_000
"""Days since every call has ended: due by the shorter of two periods, not by the longer."""
POLICY = """
version = "1"
timezone = "UTC"
[purpose.training]
basis = "contract"
retain_max = "{longest}"
[[rule]]
name = "german service line"
consent = "none"
purposes = ["training"]
vault = "eu"
"""


class Story:
    """One run: what was ordered, what people were told, and what must be so because of it."""

    def __init__(self, world: World, root: Path, seed: int) -> None:
        self.world, self.seed, self.chance = world, seed, random.Random(seed)
        self.model = Model()
        self.vaults = {
            name: Vault(name, *(self.store_of(f"file:{root}/{name}/{part}") for part in ("audio", "keys")))
            for name in ("eu", "us")
        }
        self.place: Yard = yard(world, self.vaults["eu"])
        world.person("olga", "privacy", tenants=["other"])
        world.person("otto", "ops")
        self.plans: dict[str, tuple[str, list[str]]] = {}
        """Approved by two persons, and not stopped: of which kind, and what each names."""
        self.exposed: set[str] = set()
        """Not held while a plan of two persons that names them was applied: they may be gone."""
        self.doomed: set[str] = set()
        """Exposed, and then held too late: as the placer was told, or by a call that changed later."""
        self.homes: dict[str, set[str]] = {}
        """Of what is held: the vaults where it was, whole, when the hold reached it."""
        self.told: list[str] = []
        password = migrate.service_password(world.credentials, "keep")
        self.copies = Copies(world.dsn, password)
        self.mirror = Mirror(Mirroring(world.dsn, password), self.vaults, "fs1", self.place.now)
        self.mirrors = bool(seed % 2)
        self.ship, self.keep = world.ship, world.keep
        self.policy, self.shorter = (
            str(world.sql("ship", "SELECT fsgov.enter_policy('1', %s)",
                          values=[POLICY.replace("{longest}", longest)])[0][0])
            for longest in ("9 years", "1 day")
        )  # fmt: skip
        self.short = False
        """Two persons let the shorter periods count."""
        self.in_review: set[str] = set()
        """A person may have set them aside."""
        self.given_up: set[str] = set()
        """A reviewer may have given them up, or nobody reviewed them in time: due by any period."""
        self.retaining = Retaining.of_keep(world.dsn, migrate.service_password(world.credentials, "keep"))

    def store_of(self, url: str) -> Store:
        name, _, part = url.rpartition("/")
        made = Store(getattr(open_vault("x", f"{name}/audio", f"{name}/keys"), part))
        made.create()
        made.chance = random.Random(f"{self.seed} {url}")  # asked by threads, in no order
        return made

    @property
    def stores(self) -> list[Store]:
        return [store for v in self.vaults.values() for store in (v.audio, v.keys)]  # type: ignore[misc]

    def step(self) -> None:
        acts: list[Callable[[], None]] = [
            self.call, self.change, self.change, self.plan, self.plan, self.plan, self.plan, self.hold,
            self.hold, self.hold, self.grow, self.release, self.release, self.stop, self.turn, self.turn,
            self.turn, self.kill, self.kill, self.open, self.sneak, self.aside, self.end_reviews,
            self.review, self.copy, self.copy, self.attach, self.look, self.look, self.due, self.due,
            self.due, self.periods, self.periods,
        ]  # fmt: skip
        act = self.chance.choice(acts)
        self.told.append(act.__name__)
        act()
        self.judge()

    # -- what ship enters ----------------------------------------------------------------------------------

    def call(self) -> None:
        n = len(self.model.calls) + 1
        pick = self.chance.choice
        made = Call(f"c{n}", pick(TENANTS), pick(NUMBERS), pick(SUBJECTS), pick(TAGS))
        if n > 1 and self.chance.random() < 0.3:
            made.parted_from = pick([*self.model.calls, f"c{n + 1}"])
        self.enter(made)
        for k in range(1, self.chance.choice([0, 1, 1, 2, 2]) + 1):
            recording = Recording.make(f"{made.call}-{k:02}", made.call)
            stored = recording.stored(self.vaults["eu"])
            told = sidecar(recording.segment, tenant=made.tenant, policy=self.policy, stored=stored,
                           purposes=["training"], basis={"training": "contract"})  # fmt: skip
            told["sealed"]["recipient"] = recording.recipient
            with self.ship.entering() as entering:
                entering.segment(json.dumps(told), recording.wrapped)
            made.recordings.append(recording)
        self.reach()

    def change(self) -> None:
        """A later revision: another tag, another number, or it has merged into another."""
        if not self.model.calls:
            return
        call = self.chance.choice(list(self.model.calls.values()))
        call.revision += 1
        call.tag, call.number = self.chance.choice(TAGS), self.chance.choice(NUMBERS)
        if self.chance.random() < 0.4:
            call.merged_into = self.chance.choice([*self.model.calls, f"c{len(self.model.calls) + 1}"])
        self.enter(call)
        self.reach()

    def enter(self, call: Call) -> None:
        self.model.calls[call.call] = call
        party = {"party": 1, "side": "outside", "number": call.number.replace("+49", "0"),
                 "e164": call.number, "country": "DE", "facts": {"id": call.subject}}  # fmt: skip
        enter(self.ship, call_file(
            call.call, tenant=call.tenant, revision=call.revision, parties=[party],
            ended=self.place.now() - ENDED * DAY,
            tags=[{"tag": call.tag, "actor": None, "at": 1}], merged_into=call.merged_into,
            parted_from=call.parted_from, outcome="merged" if call.merged_into else "recorded",
            segments=[r.segment for r in call.recordings],
            policy={"version": "1", "sha256": self.policy}))  # fmt: skip

    # -- holds ---------------------------------------------------------------------------------------------

    def item(self) -> dict[str, Any]:
        pick, n = self.chance.choice, len(self.model.calls)
        known = [r.segment for _, r in self.model.recordings()]
        cases = [h.case for h in self.model.holds if h.case]
        kind = pick(["call", "segment", "number", "subject", "query", *(["case"] if cases else [])])
        if kind == "query":
            wanted = {"number": pick(NUMBERS), "subject": pick(SUBJECTS), "tag": pick(TAGS)}
            asks = self.chance.sample(list(wanted), 2)
            return {"kind": kind, "filter": {name: wanted[name] for name in asks}}
        values = {"call": [f"c{i}" for i in range(1, n + 3)], "segment": [*known, f"c{n + 1}-01"],
                  "number": NUMBERS, "subject": SUBJECTS, "case": cases}  # fmt: skip
        return {"kind": kind, "value": pick(values[kind])}

    def hold(self) -> None:
        items = [self.item() for _ in range(self.chance.randint(1, 2))]
        if any(item["kind"] == "case" for item in items):
            who, tenant = "beth", "*"
        else:
            who, tenant = self.chance.choice([("beth", "*"), ("alice", "*"), ("olga", "other")])
        complaint = self.chance.random() < 0.3
        made = Held("", tenant, items, None)
        with closing(Holds(self.world.as_person(who))) as person:
            try:
                placed = person.place(items, "a matter", complaint=complaint)
            except Conflict:  # too late for all of it
                self.model.holds.append(made)
                self.model.reach()
                late = self.model.held()
                self.model.holds.remove(made)
                assert late & self.exposed, f"{items} {self.told}"
                return
        made.hold, made.case = placed.hold, placed.case
        self.model.holds.append(made)
        self.reach({row.segment for row in placed.late})

    def grow(self) -> None:
        if found := [h for h in self.model.holds if not h.released]:
            hold, item = self.chance.choice(found), self.item()
            if (hold.tenant != "*" and item["kind"] == "case") or item.get("value") == hold.case:
                return
            with closing(Holds(self.world.as_person("beth"))) as person:
                placed = person.add(hold.hold, [item])
            hold.items.append(item)
            self.reach({row.segment for row in placed.late})

    def release(self) -> None:
        """Asked by one, and approved by another, or by nobody, or refused."""
        if not (found := [h for h in self.model.holds if not h.released]):
            return
        hold, how = self.chance.choice(found), self.chance.random()
        with closing(Holds(self.world.as_person("bob"))) as bob, closing(
            Holds(self.world.as_person("beth"))
        ) as beth:  # fmt: skip
            with suppress(FsgovError):
                bob.ask_release(hold.hold, "settled")
            with pytest.raises(FsgovError):
                bob.approve_release(hold.hold)
            if how < 0.2:
                beth.refuse_release(hold.hold)
            elif how < 0.9:
                beth.approve_release(hold.hold)
                hold.released = True
        self.note_homes()

    def reach(self, late: set[str] | None = None) -> None:
        """What the holds reach now. late: what a placer was told that it is too late for."""
        before = self.model.held()
        self.model.reach()
        fresh = self.model.held() - before
        if late is not None:
            assert late <= self.exposed, f"said to be too late, and nobody had begun: {self.told}"
            self.doomed |= late
        else:
            self.doomed |= fresh & self.exposed
        self.note_homes()

    def note_homes(self) -> None:
        held = self.model.held() - self.doomed
        self.homes = {segment: found for segment, found in self.homes.items() if segment in held}
        for _, recording in self.model.recordings():
            if recording.segment in held and recording.segment not in self.homes:
                self.homes[recording.segment] = recording.whole_in(self.vaults)

    # -- plans, and whoever applies them -------------------------------------------------------------------

    def some(self) -> list[str]:
        known = [r.segment for _, r in self.model.recordings()]
        return self.chance.sample(known, min(len(known), self.chance.randint(1, 5)))

    def plan(self) -> None:
        named, kind = self.some(), self.chance.choice(["manual", "erasure", "quarantine"])
        with (
            closing(Plans(self.world.as_person("bob"))) as bob,
            closing(Plans(self.world.as_person("alice"))) as alice,
        ):
            try:
                made = bob.propose(kind, named, ["named"], "", WEEK)
            except FsgovError:
                assert set(named) <= self.exposed, "nothing in it that is not destroyed"
                return
            with pytest.raises(FsgovError):
                bob.approve(made.plan, made.sha256)
            if self.chance.random() < 0.8:
                alice.approve(made.plan, made.sha256)
                self.plans[made.plan] = (kind, named)

    def due(self) -> None:
        """What is due by the periods of now, as `purge plan` and schedules find it."""
        with (
            closing(Plans(self.world.as_person("bob"))) as bob,
            closing(Plans(self.world.as_person("alice"))) as alice,
            closing(Retaining(self.world.as_person("bob"))) as retaining,
        ):
            named: list[str] = []
            with suppress(Conflict), bob.drafting("retention", "*", "", 10_000, WEEK) as draft:

                def take(segments: list[str], causes: list[str]) -> None:
                    named.extend(segments)
                    draft.add(segments, causes)

                with retaining.judged(self.place.now()) as rows:
                    fill(rows, "*", take, 10_000)
                draft.seal({})
            if not named:
                return
            assert not set(named) & (self.model.held() - self.doomed), f"held, and planned: {self.told}"
            assert self.short or set(named) <= self.given_up, f"due by no period: {self.told}"
            row = bob.plan(draft.plan)
            alice.approve(row.id, row.sha256)
            self.plans[row.id] = ("retention", named)

    def periods(self) -> None:
        """The other periods count from now on, or not yet: nobody has approved it."""
        to = self.policy if self.short else self.shorter
        with (
            closing(Retaining(self.world.as_person("bob"))) as bob,
            closing(Retaining(self.world.as_person("beth"))) as beth,
        ):
            move = bob.propose([self.policy], to, "the law has changed")
            with pytest.raises(FsgovError):
                bob.approve(move)
            if self.chance.random() < 0.8:
                beth.approve(move)
                self.short = not self.short

    def stop(self) -> None:
        if self.plans:
            plan = self.chance.choice(list(self.plans))
            with suppress(psycopg2.Error):  # it is over
                self.world.sql("beth", "SELECT fsgov.stop_plan(%s, '')", values=[plan])
                self.plans.pop(plan)

    def expose(self) -> None:
        for kind, named in self.plans.values():
            by_period = kind in JUDGED and not self.short
            self.exposed |= (set(named) & self.given_up if by_period else set(named)) - self.model.held()

    def turn(self) -> None:
        self.expose()
        with self.place.purge(**self.how()) as purge:
            for _ in range(self.chance.randint(1, 5)):
                purge.turn()

    def how(self) -> dict[str, Any]:
        """As keep purges."""
        return {"vaults": Vaults(self.vaults, self.place.now), "judge": judge(self.retaining, self.place.now)}

    def kill(self) -> None:
        """Whoever purges or copies is gone in the middle of it, at any removal and before any object."""
        for store in self.stores:
            store.dies = 0.3
        try:
            with suppress(KeyboardInterrupt):
                self.chance.choice([self.turn, self.copying])()
        finally:
            for store in self.stores:
                store.dies = 0.0

    # -- reviews, copies, artefacts, the mirror --------------------------------------------------------------

    def aside(self) -> None:
        with closing(Reviewing(self.world.as_person("alice"))) as person, suppress(FsgovError):
            for segment in self.some()[:2]:
                self.in_review.add(segment)
                person.set(segment, "names a card", None)

    def review(self) -> None:
        with closing(Reviewing(self.world.as_person("beth"))) as person, suppress(FsgovError):
            for segment in self.some()[:2]:
                keep = self.chance.random() < 0.5
                if not keep:
                    self.given_up.add(segment)
                person.release(segment, keep, "heard")

    def end_reviews(self) -> None:
        self.world.sql("admin", "UPDATE fsgov.segments SET review_by = now() - interval '1 minute'"
                       " WHERE state = 'quarantined' AND NOT dispose")  # fmt: skip
        ended = "SELECT segment FROM fsgov.reviews WHERE act = 'ended'"
        before = set(self.world.sql("admin", ended))
        Quarantine(self.keep, "fs1", self.place.now).look()
        after = {row[0] for row in set(self.world.sql("admin", ended)) - before}
        self.given_up |= self.in_review
        assert not after & self.model.held(), f"ended under a hold: {self.told}"

    def copy(self) -> None:
        with closing(Placing(self.world.as_person("otto"))) as person, suppress(FsgovError):
            for segment in self.some()[:1]:
                act, vault = self.chance.choice(["copy", "move", "drop"]), self.chance.choice(["eu", "us"])
                if act == "drop":
                    person.drop(segment, vault, "x")
                else:
                    person.ask(segment, vault, act == "move", "x")
        self.copying()

    def copying(self) -> None:
        self.world.sql("admin", "UPDATE fsgov.copies SET again_at = NULL")
        regions = {"eu": "DE", "us": "DE"}
        Copying(self.copies, self.vaults, regions, {}, "fs1", self.place.now).run_once()
        self.note_homes()

    def attach(self) -> None:
        desk = self.world.desk("alice")
        for _, recording in self.model.recordings():
            text = os.urandom(12)
            sealed = seal_bytes(text, [Recipient.parse(recording.recipient)], os.urandom)
            made = Made(recording.segment, "transcript", "text/plain", "training", "x", len(text),
                        hashlib.sha256(text).hexdigest(), sealed)  # fmt: skip
            if self.chance.random() < 0.3:
                with suppress(FsgovError):
                    artefact = desk.artefacts.attach(made)
                    recording.made.add(f"{recording.key.removesuffix('.age')}/{artefact}.age")
        Stowing(self.ship, {name: vault.audio for name, vault in self.vaults.items()}).run_once()

    def look(self) -> None:
        """keep mirrors holds, now and then into a vault that does not answer."""
        if self.mirrors:
            for store in self.stores:
                store.down = self.chance.random() < 0.2
            self.mirror.run_once()
            for store in self.stores:
                store.down = False

    # -- law 8 -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Whoever gets a key can open it with that; nobody is refused what nobody may have destroyed."""
        desk = self.world.desk("beth")
        for call, recording in list(self.model.recordings())[-3:]:
            try:
                key = desk.release_key(desk.request_access(recording.segment, "audit", "x")).wrapped_key
            except FsgovError:
                assert recording.segment in self.exposed, f"{call.call} {self.told}"
            else:
                assert recording.opens(key, recording.sealed)
                assert recording.whole_in(self.vaults), f"{recording.segment}: {self.told}"

    def sneak(self) -> None:
        """No key before the access is committed."""
        for segment in self.some()[:1]:
            with pytest.raises(psycopg2.Error):
                self.world.sql("beth", "SELECT fsgov.release_key(fsgov.request_access(%s, 'audit', 'x'))",
                               values=[segment])  # fmt: skip

    def judge(self) -> None:
        held = self.model.held() - self.doomed
        for _, recording in self.model.recordings():
            segment = recording.segment
            if segment in held:
                there = recording.whole_in(self.vaults)
                assert there >= self.homes[segment], f"{segment} was in {self.homes[segment]}: {self.told}"
                assert there, f"{segment} is held: {self.told}"
            elif segment not in self.exposed:
                assert recording.whole_in(self.vaults), f"{segment}: {self.told}"
        rows = self.world.sql("admin", "SELECT call FROM fsgov.parties WHERE e164 IS NOT NULL")
        assert self.model.held_calls() <= {call for (call,) in rows}, self.told

    # -- at the end ------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everything answers, nobody acts any more, and what failed is tried again."""
        for _ in range(3):
            self.world.sql("admin", "UPDATE fsgov.mirrors SET due = now() WHERE why <> ''")
            self.copying()
            while self.mirrors and self.mirror.run_once():
                pass
            self.world.sql("admin", "UPDATE fsgov.plan_items SET again_at = now() WHERE again_at IS NOT NULL",
                           "UPDATE fsgov.erased SET again_at = now() WHERE again_at IS NOT NULL",
                           "SELECT fsgov.forget_calls(now() + interval '1 day', '', 1000)")  # fmt: skip
            self.expose()
            self.place.apply(**self.how())
            self.judge()

    def nothing_is_left_half(self) -> None:
        for _, recording in self.model.recordings():
            there, traces = recording.whole_in(self.vaults), recording.traces(self.vaults)
            assert bool(there) == bool(traces), f"{recording.segment}: {traces} {self.told}"
            ledger = {v.key for vault in self.vaults.values() for v in vault.keys.list("erased/")}
            assert (f"erased/{recording.segment}" in ledger) != bool(there), (
                f"{recording.segment}: {self.told}"
            )
            listed = {v.key for vault in self.vaults.values() for v in vault.audio.list()}
            assert not there or recording.made <= listed, f"{recording.segment}: {self.told}"

    def legal_holds(self) -> dict[str, set[bool]]:
        """What the vaults show of each recording: are its versions held?"""
        found: dict[str, set[bool]] = {}
        for _, recording in self.model.recordings():
            for bucket, prefix in (place for v in self.vaults.values() for place in recording.places(v)):
                for version in bucket.list(prefix):
                    held = bucket.stat(version.key, version.version_id).legal_hold
                    found.setdefault(recording.segment, set()).add(held)
        return found


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_held_or_unapproved_goes_whatever_comes_between(
    world: World, tmp_path: Path, seed: int
) -> None:
    story = Story(world, tmp_path, seed)
    for _ in range(4):
        story.call()
    for _ in range(STEPS):
        story.step()
    story.settle()
    story.nothing_is_left_half()
    if story.mirrors:
        held = story.model.held()
        assert {s: {s in held} for s in story.legal_holds()} == story.legal_holds(), story.told
    while any(not hold.released for hold in story.model.holds):
        story.release()
    story.settle()
    story.nothing_is_left_half()
    due = {segment for kind, named in story.plans.values() for segment in named if kind == "erasure"}
    gone = {r.segment for _, r in story.model.recordings() if not r.whole_in(story.vaults)}
    assert due <= gone <= story.exposed, story.told
    assert {s: {False} for s in story.legal_holds()} == story.legal_holds()
