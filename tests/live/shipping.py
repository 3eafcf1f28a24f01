"""A host with a spool, a real PostgreSQL and a vault, for tests of ship; also run as a child process."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg2

from fsgov.catalog import migrate
from fsgov.catalog.ship import open_ship
from fsgov.envelope import Identity, unseal, unwrap_identity
from fsgov.shipper import Destination, Shipper
from fsgov.spool import Spool
from fsgov.vault import Credentials, Vault, open_vault
from tests.parts import warm
from tests.parts.schemas import faults

CALL = "0f6c2d1e-aaaa-4bbb-8ccc-0123456789ab"
OPENED = 1_795_279_045_000_000
"""2026-11-21, in microseconds."""
HOUR = 3_600_000_000


@dataclass
class Site:
    """Everything ship needs, in one JSON file, so that a child can be started on it."""

    root: str
    dsn: str
    secret: str
    """The identity whose recipient the vault names: a test opens with it what was stored."""
    url: str = ""
    keys: str = ""
    access: str = ""
    password: str = ""
    keep_sealed: int = 48 * HOUR

    @property
    def spool_directory(self) -> Path:
        return Path(self.root) / "spool"

    @property
    def identity(self) -> Identity:
        return Identity.parse(self.secret)

    def vault(self) -> Vault:
        credentials = Credentials(self.access, self.password) if self.access else None
        return open_vault("eu", self.url, self.keys, credentials)

    @contextmanager
    def shipper(self, dsn: str = "", vault: Vault | None = None, **options: Any) -> Iterator[Shipper]:
        password = migrate.service_password(Path(self.root) / "logins", "ship")
        spool = Spool(self.spool_directory, "ship")
        destinations = {"eu": Destination(vault or self.vault(), (self.identity.recipient,))}
        destinations = options.pop("destinations", destinations)
        wrap = options.pop("wrap", lambda catalog: catalog)
        with closing(open_ship(dsn or self.dsn, password)) as catalog:
            shipper = Shipper(
                spool, wrap(catalog), destinations, host="fs1", keep_sealed=self.keep_sealed, **options
            )
            try:
                yield shipper
            finally:
                shipper.close()
                spool.close()

    def ship(self, **options: Any) -> None:
        """One process life of ship: everything that can be done now."""
        with self.shipper(**options) as shipper:
            shipper.run_once()

    def ship_in_child(self, failpoint: str) -> int:
        """The same in a process of its own, which a failpoint may kill; its exit code."""
        place = Path(self.root) / "site.json"
        place.write_text(json.dumps(asdict(self)))
        environment = {**os.environ, "FSGOV_FAILPOINT": failpoint}
        words = ["-m", "tests.live.shipping", str(place)]
        command = warm.python(words, environment)
        return subprocess.run(command, env=environment, timeout=280, check=False).returncode

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows as the superuser sees them."""
        with closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(question, values)
            return cursor.fetchall()

    def tell(self, statement: str, *values: object) -> None:
        """Change rows by hand, as the superuser."""
        with closing(psycopg2.connect(self.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values)

    def lines(self) -> list[dict[str, Any]]:
        """Every line of this host in the outbox, by origin and number; each fits its schema."""
        rows = self.ask("SELECT line FROM fsgov.outbox WHERE starts_with(origin, 'fs1.') ORDER BY origin, n")
        assert [fault for row in rows for fault in faults(bytes(row[0]))] == []
        return [json.loads(bytes(row[0])) for row in rows]

    def types(self, subject: str) -> list[str]:
        return [line["type"] for line in self.lines() if line["subject"] == subject]

    def objects(self) -> list[str]:
        with_versions = [version.key for version in self.vault().audio.list()]
        return sorted(with_versions)

    def audio(self, segment: str) -> bytes:
        """What the vault gives back, opened by the way a person would go: row, key bucket, identity."""
        ((key, version, key_version),) = self.ask(
            "SELECT object_key, version_id, key_version_id FROM fsgov.segments WHERE segment = %s", segment
        )
        vault = self.vault()
        wrapped = b"".join(vault.keys.get(f"keys/{segment}", key_version))
        ((in_row,),) = self.ask("SELECT wrapped_key FROM fsgov.segment_keys WHERE segment = %s", segment)
        assert bytes(in_row) == wrapped
        opened = io.BytesIO()
        sealed = io.BytesIO(b"".join(vault.audio.get(key, version)))
        unseal(sealed, opened, [unwrap_identity(wrapped, [self.identity])])
        return opened.getvalue()

    # -- what govern and the switch leave behind -----------------------------------------------------

    def capture(self, n: int = 1, audio: bytes | None = b"", call: str = CALL, **changes: Any) -> str:
        """A segment that the switch is done with; its id. audio None: no file."""
        segment = f"{call}-{n:02}"
        with closing(Spool(self.spool_directory, "govern")) as spool:
            spool.plan(segment, json.dumps(sidecar(segment, call, n) | changes))
            if audio is not None:
                spool.audio(segment).write_bytes(audio)
        return segment

    def remember(self, call: str = CALL, segments: list[str] | None = None, **changes: Any) -> None:
        with closing(Spool(self.spool_directory, "govern")) as spool:
            spool.remember(call, json.dumps(call_file(call, segments or []) | changes), durable=True)


def sidecar(segment: str, call: str, n: int) -> dict[str, Any]:
    return {
        "format": 1,
        "segment": segment,
        "call": call,
        "tenant": "default",
        "leg": call,
        "leg_name": "a",
        "n": n,
        "file": f"{segment}.wav",
        "state": "captured",
        "rule": "german service line",
        "policy": hashlib.sha256(b"policy").hexdigest(),
        "basis": {"evidence": "contract"},
        "purposes": ["evidence"],
        "vault": "eu",
        "consents": [],
        "opened": OPENED,
        "closed": OPENED + 5_000_000,
        "cause": "success-silence",
        "reported_ms": None,
        "reported_size": None,
        "discarded": False,
        "masks": [],
        "holds": [],
        "dispose": False,
        "dispose_reason": "",
    }


def call_file(call: str, segments: list[str]) -> dict[str, Any]:
    return {
        "format": 1,
        "call": call,
        "host": "fs1",
        "core": "core-1",
        "tenant": "default",
        "direction": "inbound",
        "opened": OPENED,
        "answered": OPENED,
        "ended": None,
        "revision": 1,
        "policy": {"version": "1", "sha256": hashlib.sha256(b"policy").hexdigest()},
        "inputs": {},
        "decision": None,
        "outcome": None,
        "outcome_cause": "",
        "merged_into": None,
        "legs": [],
        "parties": [],
        "consents": [],
        "segments": segments,
        "tags": [],
        "counters": {},
        "state": {},
    }


def mask(first: int, last: int | None, by: str = "mask") -> dict[str, Any]:
    told = {"asked": OPENED, "acknowledged": OPENED, "ended": OPENED, "actor": None}
    return {"by": by, "from_ms": first, "to_ms": last, **told}


def head(audio: int) -> bytes:
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)
    riff = struct.pack("<I", 36 + audio if audio else 8)
    return b"RIFF" + riff + b"WAVE" + fmt + b"data" + struct.pack("<I", audio)


def talk(ms: int, silent: tuple[int, int] = (0, 0), closed: bool = True) -> bytes:
    """A WAV file whose every sample tells its number and is never zero, except where it is silent (ms)."""
    count = ms * 8
    audio = bytearray(struct.pack(f"<{count}H", *((n % 65_535) + 1 for n in range(count))))
    first, last = silent[0] * 16, silent[1] * 16
    audio[first:last] = bytes(last - first)
    return head(len(audio) if closed else 0) + bytes(audio)


if __name__ == "__main__":
    here = Site(**json.loads(Path(sys.argv[1]).read_text()))
    here.ship()
