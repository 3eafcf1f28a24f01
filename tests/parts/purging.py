"""A catalog with recordings whose objects are really in a vault, and what purges them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from fsgov.catalog import migrate
from fsgov.catalog.plans import Plans
from fsgov.catalog.purging import Purging
from fsgov.purge.applying import Judge, Limits, Purge
from fsgov.purge.removing import Vaults
from fsgov.vault import Vault, open_vault
from tests.parts import holds
from tests.parts.catalog import World, call_file, enter, sidecar
from tests.parts.schemas import faults

WEEK = timedelta(days=7)
LIMITS = Limits(rate=10_000, canary=2, canary_wait=0, complete=3_600_000_000)


@dataclass(slots=True)
class Yard:
    """bob and beth are of privacy, alice is a supervisor; everything is in vault `eu`."""

    world: World
    vault: Vault
    segments: list[str] = field(default_factory=list)
    skew: int = 0
    """Microseconds that the clock of purge is ahead."""
    server: Any = None
    bucket: str = ""
    """Where the vault is a server: that, and its bucket of audio."""

    def now(self) -> int:
        return time.time_ns() // 1000 + self.skew

    def store(self, count: int, **changes: Any) -> list[str]:
        """So many more recordings of one call, stored and entered."""
        ship = self.world.ship
        if not self.segments:
            enter(ship, call_file())
        made = []
        for n in range(len(self.segments) + 1, len(self.segments) + count + 1):
            segment = f"0f6c-{n:02}"
            content = segment.encode() * 10
            key = f"default/2026/11/{segment}.age"
            audio = self.vault.audio.put_bytes(key, content, {"segment": segment})
            wrapped = self.vault.keys.put_bytes(f"keys/{segment}", b"wrapped", {"segment": segment})
            stored = {"vault": "eu", "key": key, "version_id": audio.version_id, "size": len(content),
                      "sha256": hashlib.sha256(content).hexdigest(),
                      "key_version_id": wrapped.version_id}  # fmt: skip
            enter(ship, segment=sidecar(segment, stored=stored, **changes))
            made.append(segment)
        self.segments += made
        return made

    def plan(self, segments: Sequence[str], kind: str = "manual", cause: str = "named") -> str:
        """Proposed by bob, approved by alice."""
        with closing(Plans(self.world.as_person("bob"))) as plans:
            made = plans.propose(kind, segments, [cause], "", WEEK)
        with closing(Plans(self.world.as_person("alice"))) as plans:
            plans.approve(made.plan, made.sha256)
        return made.plan

    @contextmanager
    def purge(
        self,
        limits: Limits = LIMITS,
        judge: Judge | None = None,
        clock: Callable[[], float] = time.monotonic,
        vaults: Vaults | None = None,
    ) -> Iterator[Purge]:
        password = migrate.service_password(self.world.credentials, "keep")
        catalog = Purging(self.world.dsn, password)
        known = vaults or Vaults({"eu": self.vault}, self.now)
        with closing(Purge(catalog, known, limits, "fs1", self.now, judge, clock)) as made:
            yield made

    def apply(self, **how: Any) -> int:
        """Turn until there is nothing to do; how many were destroyed."""
        with self.purge(**how) as purge:
            while purge.turn():
                pass
            return purge.destroyed

    def states(self) -> dict[str, str]:
        return dict(self.world.sql("admin", "SELECT segment, state FROM fsgov.segments ORDER BY 1"))

    def items(self, plan: str) -> dict[str, str]:
        return dict(
            self.world.sql(
                "admin",
                "SELECT segment, state FROM fsgov.plan_items WHERE plan = %s ORDER BY 1",
                values=[plan],
            )
        )

    def plan_state(self, plan: str) -> str:
        return str(
            self.world.sql("admin", "SELECT state FROM fsgov.plans WHERE id = %s", values=[plan])[0][0]
        )

    def bodies(self) -> dict[str, dict[str, Any]]:
        rows = self.world.sql("admin", "SELECT segment, body FROM fsgov.certificates ORDER BY 1")
        return {segment: json.loads(bytes(body)) for segment, body in rows}

    def there(self, segment: str) -> list[str]:
        """What the vault has of it, in both buckets; the ledger apart."""
        audio = [each.key for each in self.vault.audio.list(f"default/2026/11/{segment}.age")]
        keys = [each.key for each in self.vault.keys.list(f"keys/{segment}")]
        return audio + keys

    def ledger(self) -> set[str]:
        return {each.key.removeprefix("erased/") for each in self.vault.keys.list("erased/")}

    def keys(self) -> set[str]:
        return {str(row[0]) for row in self.world.sql("admin", "SELECT segment FROM fsgov.segment_keys")}

    def lines(self, *types: str) -> list[dict[str, Any]]:
        """Lines of these types, each as its schema wants it."""
        rows = self.world.sql(
            "admin",
            "SELECT line FROM (SELECT line, entered_at, origin, n FROM fsgov.outbox"
            " UNION ALL SELECT line, entered_at, origin, n FROM fsgov.event_log) AS l"
            " ORDER BY entered_at, origin, n",
        )
        found = [json.loads(bytes(row[0])) for row in rows]
        wanted = [each for each in found if each["type"].removeprefix("fsgov.").removesuffix(".v1") in types]
        assert [fault for each in wanted for fault in faults(json.dumps(each).encode())] == []
        return wanted

    def hold(self, segment: str) -> None:
        holds.place(self.world, segment=segment)

    def release(self) -> None:
        """Every hold, by two persons."""
        holds.release(self.world)

    def whole(self) -> None:
        """Laws 7 and 8 of what is there, by rows and vault: one tombstone, one certificate, nothing left."""
        for segment, state in self.states().items():
            if state in ("stored", "quarantined"):
                assert len(self.there(segment)) == 2, segment
                assert segment in self.keys()
                assert segment not in self.ledger()
                assert segment not in self.bodies()
            elif state == "destroyed":
                assert self.there(segment) == []
                assert segment not in self.keys()
                assert segment in self.ledger()
                assert self.bodies()[segment]["segment"] == segment
        destroyed = [segment for segment, state in self.states().items() if state == "destroyed"]
        told = [line["subject"] for line in self.lines("segment.destroyed")]
        assert sorted(told) == sorted(self.bodies()) == destroyed


def yard(world: World, vault: Vault) -> Yard:
    world.person("bob", "privacy")
    world.person("beth", "privacy", "auditor")
    world.person("alice", "supervisor")
    return Yard(world, vault)


def file_vault(tmp_path: Path) -> Vault:
    vault = open_vault("eu", f"file:{tmp_path}/audio", f"file:{tmp_path}/keys")
    vault.audio.create()
    vault.keys.create()
    return vault
