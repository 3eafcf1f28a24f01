"""What is left when all is over: the catalog, the log, and the vault opened with the identity.

The vault is opened by pyrage, an implementation of age that shares nothing with fsgov.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage

from fsgov.catalog.desk import Desk
from fsgov.catalog.rows import CallRow, SegmentRow
from fsgov.demo import aftermath
from fsgov.demo.stage import Stage
from fsgov.vault import Bucket, open_vault


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything there is to be judged."""

    world: tuple[dict[str, Any], ...]
    calls: Mapping[str, CallRow]
    rows: Mapping[str, SegmentRow]
    vault: Mapping[str, bytes]
    """By segment: the audio as it opens with the key from the database."""
    objects: Mapping[str, int]
    """Versions by key of the audio bucket, without the log's checkpoints; and of the key bucket."""
    wrapped: Mapping[str, tuple[bytes, bytes]]
    """By segment: the wrapped key in the key bucket and the one that the database releases."""
    lines: tuple[bytes, ...]
    log_size: int
    log_faults: tuple[str, ...]
    left: Mapping[str, list[bytes]]
    """Entry files that are still there, and the lines in them."""
    alarms: str

    def happened(self, what: str, **facts: Any) -> list[dict[str, Any]]:
        return [
            each
            for each in self.world
            if each["what"] == what and all(each.get(key) == value for key, value in facts.items())
        ]

    def entered(self, type_: str) -> Counter[str]:
        """How often the log tells this, by subject."""
        return Counter(line["subject"] for line in self.parsed() if line["type"] == f"fsgov.{type_}.v1")

    def parsed(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in self.lines]


def collect(stage: Stage) -> Evidence:
    """Ask while the database still runs."""
    site = stage.site
    vault = open_vault("demo", *site.vault)
    with stage.desk("bob") as dsn:  # who may open what is quarantined
        desk = Desk(dsn)
        calls = {row.call: row for row in desk.calls(limit=10_000)}
        rows = {row.segment: row for row in desk.segments(limit=10_000)}
        audio, wrapped = {}, {}
        identity = pyrage.x25519.Identity.from_str(str(site.identity()))
        for segment, row in rows.items():
            if row.object_key is None:
                continue
            key = desk.release_key(desk.request_access(segment, "audit", "crash matrix"))
            own = pyrage.x25519.Identity.from_str(pyrage.decrypt(key.wrapped_key, [identity]).decode())
            assert key.version_id is not None
            audio[segment] = pyrage.decrypt(whole(vault.audio, key.object_key, key.version_id), [own])
            wrapped[segment] = (whole(vault.keys, f"keys/{segment}"), key.wrapped_key)
        _, faults = aftermath.log(site, desk)
        state = desk.log.state()
        log = [row.line for row in desk.log.lines(state.log_id, 0, state.size)]
        desk.close()
    objects = Counter(version.key for version in vault.audio.list() if not version.key.startswith("log/"))
    alarms = site.spool / "ship.alarms.json"
    return Evidence(
        world=tuple(_world(site.switch / "world.jsonl")),
        calls=calls,
        rows=rows,
        vault=audio,
        objects=objects + Counter(version.key for version in vault.keys.list()),
        wrapped=wrapped,
        lines=tuple(log),
        log_size=state.size,
        log_faults=tuple(faults),
        left={
            path.stem: path.read_bytes().split(b"\n")
            for path in sorted((site.spool / "entries").glob("*.jsonl"))
        },
        alarms=alarms.read_text() if alarms.exists() else "{}",
    )


def whole(bucket: Bucket, key: str, version: str | None = None) -> bytes:
    return b"".join(bucket.get(key, version or bucket.stat(key).version_id))


def _world(path: Path) -> list[dict[str, Any]]:
    """A switch that was killed may have left half a line."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
