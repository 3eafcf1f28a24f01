"""The world of the laws of destruction: calls, recordings that open, two vaults, and what is held of them.

Everything here is the test's own: what was told to people, what was put into the vaults, and what is listed
there now. It reads no row that purge, the holds or the mirror have written about themselves.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fsgov.envelope import Identity, seal_bytes, unseal_bytes, unwrap_identity, wrap_identity
from fsgov.errors import Conflict, Unreachable
from fsgov.vault import Bucket, Stat, Vault

DESK = Identity.generate(os.urandom)
"""Whom every recording is sealed to."""


class Store(Bucket):
    """A bucket that can hold, as one with object lock does, and be down; all else is the directory's own."""

    def __init__(self, inner: Bucket) -> None:
        self.inner = inner
        self.held: set[tuple[str, str]] = set()
        self.down = False
        self.dies = 0.0
        """How probable it is that whoever asks is killed before the next removal."""
        self.chance: Any = None

    def hold(self, key: str, version_id: str, on: bool) -> Stat:
        if self.down:
            raise Unreachable("The vault does not answer")
        (self.held.add if on else self.held.discard)((key, version_id))
        return self.inner.stat(key, version_id)

    def stat(self, key: str, version_id: str | None = None) -> Stat:
        told = self.inner.stat(key, version_id)
        return Stat(told.key, told.version_id, told.size, told.sha256, told.metadata,
                    legal_hold=(key, told.version_id) in self.held)  # fmt: skip

    def remove(self, key: str, version_id: str) -> None:
        self.maybe_die()
        if (key, version_id) in self.held:
            raise Conflict("It is under a legal hold", key)
        self.inner.remove(key, version_id)

    def put_bytes(self, key: str, content: bytes, metadata: Mapping[str, str]) -> Any:
        self.maybe_die()
        return self.inner.put_bytes(key, content, metadata)

    def maybe_die(self) -> None:
        if self.dies and self.chance.random() < self.dies:
            raise KeyboardInterrupt

    def __getattribute__(self, name: str) -> Any:
        own = ("inner", "held", "down", "dies", "chance", "hold", "stat", "remove", "put_bytes", "maybe_die",
               "__class__", "__dict__")  # fmt: skip
        return object.__getattribute__(self, name) if name in own else getattr(self.inner, name)


Store.__abstractmethods__ = frozenset()


@dataclass
class Recording:
    """One segment, as it was made: what must be there, byte for byte, as long as it is there."""

    segment: str
    call: str
    audio: bytes
    sealed: bytes
    wrapped: bytes
    recipient: str
    made: set[str] = field(default_factory=set)
    """Keys of the artefacts that ship has stored."""

    @classmethod
    def make(cls, segment: str, call: str) -> Recording:
        own, audio = Identity.generate(os.urandom), os.urandom(40) + segment.encode()
        sealed = seal_bytes(audio, [own.recipient], os.urandom)
        wrapped = wrap_identity(own, [DESK.recipient], os.urandom)
        return cls(segment, call, audio, sealed, wrapped, str(own.recipient))

    @property
    def key(self) -> str:
        return f"default/2026/11/{self.segment}.age"

    def opens(self, wrapped: bytes, sealed: bytes) -> bool:
        return unseal_bytes(sealed, [unwrap_identity(wrapped, [DESK])]) == self.audio

    def stored(self, vault: Vault) -> dict[str, Any]:
        """Put into that vault; as a sidecar tells it."""
        audio = vault.audio.put_bytes(self.key, self.sealed, {"segment": self.segment})
        wrapped = vault.keys.put_bytes(f"keys/{self.segment}", self.wrapped, {"segment": self.segment})
        return {"vault": vault.name, "key": self.key, "version_id": audio.version_id,
                "size": len(self.sealed), "sha256": hashlib.sha256(self.sealed).hexdigest(),
                "key_version_id": wrapped.version_id}  # fmt: skip

    def whole_in(self, vaults: Mapping[str, Vault]) -> set[str]:
        """The vaults where it is, whole, with its key."""
        return {
            name for name, vault in vaults.items()
            if self.sealed in _content(vault.audio, self.key)
            and self.wrapped in _content(vault.keys, f"keys/{self.segment}")
        }  # fmt: skip

    def traces(self, vaults: Mapping[str, Vault]) -> list[str]:
        """Every version of anything of it, anywhere."""
        return [
            f"{name} {version.key}"
            for name, vault in vaults.items()
            for bucket, prefix in self.places(vault)
            for version in bucket.list(prefix)
        ]

    def places(self, vault: Vault) -> list[tuple[Bucket, str]]:
        """The beginnings of all its keys in that vault."""
        return [(vault.audio, self.key.removesuffix(".age")), (vault.keys, f"keys/{self.segment}")]


def _content(bucket: Bucket, key: str) -> list[bytes]:
    return [b"".join(bucket.get(v.key, v.version_id)) for v in bucket.list(key) if v.key == key]


@dataclass
class Call:
    """A conversation, as ship knows it now."""

    call: str
    tenant: str
    number: str
    subject: str
    tag: str
    merged_into: str | None = None
    parted_from: str | None = None
    revision: int = 1
    recordings: list[Recording] = field(default_factory=list)


@dataclass
class Held:
    """One hold, by what was said to its placer."""

    hold: str
    tenant: str
    items: list[dict[str, Any]]
    case: str | None
    released: bool = False
    calls: set[str] = field(default_factory=set)
    """All that it has ever reached: that stays so until it is released."""


class Model:
    """Which recordings are held, by the words of docs/records.md and nothing else."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.holds: list[Held] = []

    def recordings(self) -> Iterator[tuple[Call, Recording]]:
        for call in self.calls.values():
            for recording in call.recordings:
                yield call, recording

    def reach(self) -> None:
        """Whatever is there and fits now stays reached."""
        for hold in self.holds:
            for of in self._sources(hold):
                hold.calls |= of.calls if of is not hold else set()
                for item in of.items:
                    hold.calls |= self._fitting(item)

    def held(self) -> set[str]:
        """Segments that a hold in force is on."""
        found = set()
        for hold in self.holds:
            if hold.released:
                continue
            named = {i["value"] for of in self._sources(hold) for i in of.items if i["kind"] == "segment"}
            for call, recording in self.recordings():
                reached = recording.segment in named or call.call in hold.calls
                if reached and hold.tenant in ("*", call.tenant):
                    found.add(recording.segment)
        return found

    def held_calls(self) -> set[str]:
        """Calls whose rows must stay as they are."""
        found = {r.call for _, r in self.recordings() if r.segment in self.held()}
        for hold in self.holds:
            reached = [] if hold.released else [self.calls[call] for call in hold.calls if call in self.calls]
            found |= {call.call for call in reached if hold.tenant in ("*", call.tenant)}
        return found

    def _sources(self, hold: Held) -> list[Held]:
        found = [hold]
        for each in found:
            cases = {item["value"] for item in each.items if item["kind"] == "case"}
            found += [h for h in self.holds if h.case in cases and h not in found]
        return found

    def _fitting(self, item: Mapping[str, Any]) -> set[str]:
        kind, value, wanted = item["kind"], item.get("value"), item.get("filter", {})
        if kind == "call":
            return self._family(str(value))
        return {
            c.call for c in self.calls.values()
            if (kind == "number" and c.number == value) or (kind == "subject" and c.subject == value)
            or (kind == "query" and all(getattr(c, name) == of for name, of in wanted.items()))
        }  # fmt: skip

    def _family(self, call: str) -> set[str]:
        found = {call}
        while (
            more := {
                other
                for c in self.calls.values()
                for one, other in ((c.call, c.merged_into), (c.parted_from, c.call))
                if one in found and other is not None
            }
            - found
        ):
            found |= more
        return found
