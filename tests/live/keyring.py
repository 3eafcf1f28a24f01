"""A vault with recordings, and the persons who rotate its keys; judged by what opens the recordings."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from fsgov import rotation
from fsgov.catalog.rotating import Rotating
from fsgov.envelope import Identity, Recipient, seal, unseal, unwrap_identity, wrap_identity
from fsgov.errors import FsgovError
from fsgov.vault import Vault
from tests.parts.catalog import World, call_file, enter, sidecar
from tests.parts.schemas import faults

CALL = "0f6c"
OLD, NEW, ESCROW = (Identity.generate(lambda n, b=b: bytes([b]) * n) for b in (1, 2, 3))  # type: ignore[misc]
TO = (NEW.recipient, ESCROW.recipient)


def fingerprints(recipients: tuple[Recipient, ...]) -> list[str]:
    return sorted(recipient.fingerprint for recipient in recipients)


@dataclass
class Firm:
    """A vault with recordings sealed to OLD; alice and bob are privacy, sue is a supervisor."""

    world: World
    vault: Vault
    audio: dict[str, bytes] = field(default_factory=dict)

    def record(self, count: int, *, to: tuple[Recipient, ...] = (OLD.recipient,), first: int = 1) -> None:
        for n in range(first, first + count):
            segment = f"{CALL}-{n:02}"
            identity, content, sealed = Identity.generate(os.urandom), os.urandom(70), io.BytesIO()
            made = seal(io.BytesIO(content), sealed, [identity.recipient], os.urandom)
            key = f"default/2026/11/{segment}.age"
            stored = self.vault.audio.put_bytes(key, sealed.getvalue(), {})
            wrapped = wrap_identity(identity, to, os.urandom)
            at = self.vault.keys.put_bytes(f"keys/{segment}", wrapped, {"segment": segment})
            document = sidecar(
                segment,
                checked={"frames": 0, "ms": 0, "size": len(content), "sha256": made.plaintext_sha256},
                sealed={"recipients": [recipient.fingerprint for recipient in to]},
                stored={
                    "vault": "eu", "key": key, "version_id": stored.version_id, "size": made.sealed_size,
                    "sha256": made.sealed_sha256, "key_version_id": at.version_id,
                },
            )  # fmt: skip
            with self.world.ship.entering() as entering:
                entering.segment(json.dumps(document), wrapped)
            self.audio[segment] = content

    @contextmanager
    def person(self, name: str) -> Iterator[Rotating]:
        with closing(Rotating(self.world.as_person(name))) as person:
            yield person

    def asked(self, *, approve: bool = True) -> str:
        with self.person("alice") as alice, self.person("bob") as bob:
            id_ = alice.ask_for("eu", fingerprints(TO), "bob has left")
            if approve:
                bob.approve(id_)
        return id_

    def wrap(self, id_: str, *identities: Identity, who: str = "alice") -> rotation.Outcome:
        with self.person(who) as person:
            return rotation.wrap(person, self.vault, id_, identities or (OLD, NEW), TO, os.urandom)

    def confirm(self, id_: str, identity: Identity = NEW, who: str = "bob") -> rotation.Outcome:
        with self.person(who) as person:
            done = rotation.confirm(person, self.vault, id_, [identity])
            person.end(id_)
        return done

    def state(self, id_: str) -> str:
        with self.person("alice") as person:
            return person.rotation(id_).state

    def wrapped(self) -> dict[str, list[bytes]]:
        """Every wrapped key of each recording, wherever it is: both columns of its row, every version."""
        rows = self.world.sql("admin", "SELECT segment, wrapped_key, prior_key FROM fsgov.segment_keys")
        found = {segment: [bytes(key) for key in keys if key is not None] for segment, *keys in rows}
        for version in self.vault.keys.list("keys/"):
            content = b"".join(self.vault.keys.get(version.key, version.version_id))
            found.setdefault(version.key.removeprefix("keys/"), []).append(content)
        return found

    def opened_by(self, identity: Identity) -> set[str]:
        """Recordings that this identity gives back, from any key that is anywhere."""
        return {
            segment
            for segment, keys in self.wrapped().items()
            if any(self.plain(segment, key, identity) == self.audio[segment] for key in keys)
        }

    def usual(self, identity: Identity) -> set[str]:
        """Recordings that this identity gives back by the usual ways: the row, and what the row names."""
        rows = self.world.sql(
            "admin",
            "SELECT segment, wrapped_key, key_version_id"
            " FROM fsgov.segment_keys JOIN fsgov.segments USING (segment)",
        )
        found = set()
        for segment, in_row, version in rows:
            in_bucket = b"".join(self.vault.keys.get(f"keys/{segment}", version))
            assert bytes(in_row) == in_bucket
            if self.plain(segment, in_bucket, identity) == self.audio[segment]:
                found.add(segment)
        return found

    def plain(self, segment: str, wrapped: bytes, identity: Identity) -> bytes | None:
        audio, key = self.vault.audio, f"default/2026/11/{segment}.age"
        opened = io.BytesIO()
        try:
            inner = unwrap_identity(wrapped, [identity])
            unseal(io.BytesIO(b"".join(audio.get(key, audio.stat(key).version_id))), opened, [inner])
        except FsgovError:
            return None
        return opened.getvalue()

    def lines(self, about: str) -> list[dict[str, object]]:
        rows = self.world.sql("admin", "SELECT line FROM fsgov.outbox ORDER BY entered_at, origin, n")
        ours = [
            bytes(line)
            for (line,) in rows
            if f'"subject":"{about}"'.encode() in bytes(line).replace(b" ", b"")
        ]
        assert [fault for line in ours for fault in faults(line)] == []
        return [json.loads(line) for line in ours]


def firm_of(world: World, vault: Vault) -> Firm:
    vault.audio.create()
    vault.keys.create()
    enter(world.ship, call_file(CALL))
    for name, role in (("alice", "privacy"), ("bob", "privacy"), ("sue", "supervisor")):
        world.person(name, role)
    return Firm(world, vault)
