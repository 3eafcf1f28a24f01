"""Sealing one gigabyte, against the `age` tool (Debian's package) on the same file.

Ours also computes the SHA-256 of what it reads and of what it writes, because the vault verifies the one and
the row keeps the other; `age` computes neither. The second peer, `age` with `openssl dgst -sha256` over both
files, does the same work.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import Figure
from fsgov.envelope import Identity, seal


def figures(*, short: bool = False) -> list[Figure]:
    size = (8 if short else 1024) << 20
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        plain, sealed, other = (Path(name) / part for part in ("plain", "sealed", "age"))
        block = os.urandom(1 << 20)
        with plain.open("wb") as file:
            for _ in range(size >> 20):
                file.write(block)
        recipient = Identity.generate(os.urandom).recipient
        pool = ThreadPoolExecutor(1)

        def ours() -> None:
            with plain.open("rb") as source, sealed.open("wb") as target:
                seal(source, target, [recipient], os.urandom, beside=pool)

        age = shutil.which("age")
        openssl = shutil.which("openssl")

        def theirs() -> None:
            run(age, "-r", str(recipient), "-o", str(other), str(plain))

        def theirs_with_digests() -> None:
            reading = subprocess.Popen(
                [str(openssl), "dgst", "-sha256", str(plain)], stdout=subprocess.DEVNULL
            )
            theirs()
            run(openssl, "dgst", "-sha256", str(other))
            reading.wait()

        rounds = 1 if short else 5
        seconds: dict[str, list[float]] = {"ours": [], "age": [], "both": []}
        for _ in range(rounds):
            seconds["ours"].append(timed(ours))
            if age:
                seconds["age"].append(timed(theirs))
            if age and openssl:
                seconds["both"].append(timed(theirs_with_digests))
    value = statistics.median(seconds["ours"])
    told = []
    for key, peer in (("age", "age"), ("both", "age and openssl dgst over both files")):
        theirs_value = statistics.median(seconds[key]) if seconds[key] else None
        told.append(
            Figure(
                name=f"sealing {size >> 20} MiB with both digests, against {peer}",
                value=round(value, 3),
                unit="s",
                peer=peer,
                peer_value=None if theirs_value is None else round(theirs_value, 3),
                goal="not slower",
                holds=None if theirs_value is None else value <= theirs_value,
            )
        )
    return told


def run(program: str | None, *words: str) -> None:
    subprocess.run([str(program), *words], check=True, stdout=subprocess.DEVNULL)


def timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
