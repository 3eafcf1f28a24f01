"""Half a gigabyte through the real service into a real S3 server: no process of fsgov grows with its file."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
import wave
from pathlib import Path

import psutil
import pytest

from fsgov.demo import site
from fsgov.demo.site import Site, toml
from fsgov.demo.stage import Stage, sidecars
from fsgov.vault.s3 import S3Bucket
from tests.parts import postgres
from tests.parts.rgw import Rgw

SIZE = 500_000_000
"""Bytes of the file: three times what a process may take."""
LIMIT = 150 << 10
"""KiB of VmHWM, for each process."""


def on_rgw(where: Site, rgw: Rgw) -> None:
    """The vault of this site is a pair of buckets of that server."""
    for name in ("memory-audio", "memory-keys"):
        bucket = S3Bucket(rgw.endpoint, name, rgw.access, rgw.secret, tls=False)
        bucket.create()
        bucket.close()
    site.private(where.host / "access", rgw.access)
    site.private(where.host / "secret", rgw.secret)
    vault = {
        "url": f"s3+http://{rgw.endpoint}/memory-audio",
        "keys": f"s3+http://{rgw.endpoint}/memory-keys",
        "recipients": [str(where.identity().recipient)],
    }
    before, _, rest = where.service.read_text().partition("[vault.demo]")
    after = rest[rest.index("[log]") :]
    login = 'credentials = { access = "file:access", secret = "file:secret" }\n\n'
    where.service.write_text(before + toml(("vault.demo", vault)) + login + after)


def captured(where: Site) -> tuple[str, str]:
    """A recording of nine hours that the switch is done with: its segment and SHA-256."""
    call = str(uuid.uuid4())
    segment, block = f"{call}-01", os.urandom(10_000_000)
    path = where.spool / "audio" / f"{segment}.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, SIZE // 2, "NONE", ""))
        for _ in range(SIZE // len(block)):
            sound.writeframesraw(block)
    now = time.time_ns() // 1000
    told = {
        "format": 1, "segment": segment, "call": call, "tenant": "default", "leg": call, "leg_name": "a",
        "n": 1, "file": path.name, "state": "captured", "rule": "all", "policy": "0" * 64, "vault": "demo",
        "basis": {"evidence": "contract"}, "purposes": ["evidence"], "consents": [],
        "opened": now - SIZE // 16 * 1000, "closed": now, "cause": "success-silence",
        "reported_ms": SIZE // 16, "reported_size": SIZE + 44, "discarded": False,
        "masks": [], "holds": [], "dispose": False, "dispose_reason": "",
    }  # fmt: skip
    (where.spool / "segments" / f"{segment}.json").write_text(json.dumps(told))
    with path.open("rb") as file:
        return segment, hashlib.file_digest(file, "sha256").hexdigest()


def high_water(pid: int) -> dict[str, int]:
    """VmHWM in KiB of every fsgov process below and with `pid`."""
    marks = {}
    for one in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        try:
            words, status = one.cmdline(), Path(f"/proc/{one.pid}/status").read_text()
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
        if any("fsgov" in word for word in words):
            mark = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
            marks[" ".join(words[-4:])] = int(mark.split()[1])
    return marks


@pytest.mark.memory(8)
@pytest.mark.timeout(400)
def test_no_process_grows_with_its_file(rgw_on_disk: Rgw, tmp_path: Path) -> None:
    where = Site(tmp_path / "s")
    postgres.prepare(where.database)
    site.make(where)
    with Stage.open(where) as stage:
        stage.start_switch()
        on_rgw(where, rgw_on_disk)
        segment, digest = captured(where)
        service = stage.start_service()
        stage.wait_ready()
        marks: dict[str, int] = {}
        end = time.monotonic() + 300
        while (where.spool / "audio" / f"{segment}.wav").exists():
            marks |= high_water(service.pid)
            assert service.poll() is None, stage.last_words()
            assert time.monotonic() < end, sidecars(where)
            time.sleep(0.2)
        (told,) = sidecars(where)
    assert told["checked"]["sha256"] == digest
    assert told["stored"]["size"] > SIZE
    assert len(marks) >= 5, "supervisor, govern, scribe, ship, keep"
    assert max(marks.values()) < LIMIT, marks
