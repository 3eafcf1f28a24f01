"""How long a plan of everything that is due takes, and how much memory: a million recordings, all due.

The plan is made by `fsgov purge plan`'s own code in a process of its own, judged one by one, hashed and
committed. The recordings are rows; no vault is asked for a plan.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2

from bench import Figure
from fsgov import embedded
from fsgov.catalog import migrate, people

MANY, FEW = 1_000_000, 5_000
SECONDS, MEBIBYTES = 30.0, 200.0
POLICY = """version = "bench"
timezone = "Europe/Berlin"
default = "never"
[purpose.evidence]
basis = "contract"
retain_min = "6 months"
retain_max = "1 year"
[purpose.training]
basis = "consent"
retain_max = "6 months"
"""
ROWS = """
    INSERT INTO fsgov.calls (call, tenant, host, direction, opened_at, ended_at, revision, segments)
    SELECT c, 'default', 'fs1', 'inbound', at, at + interval '5 minutes', 1, ARRAY[c || '-01']
    FROM (SELECT md5(n::text) AS c, now() - interval '3 years' + n * interval '10 seconds' AS at
          FROM generate_series(1, %(many)s) AS n) AS made;
    INSERT INTO fsgov.segments (segment, call, tenant, leg, n, state, policy_sha256, purposes, opened_at,
        closed_at, vault, object_key, version_id, sealed_size, sealed_sha256, stored_at)
    SELECT call || '-01', call, tenant, 'a', 1, 'stored', %(policy)s, '{evidence,training}', opened_at,
        ended_at,
        'eu', 'default/2024/01/' || call || '-01.age', 'v1', 100000, repeat('ab', 32), ended_at
    FROM fsgov.calls"""
PLAN = """
import json, resource, sys, time
from contextlib import closing
from datetime import timedelta
from fsgov.catalog.plans import Plans
from fsgov.cli.purging import due
began, cpu = time.perf_counter(), time.process_time()
with closing(Plans(sys.argv[1])) as plans:
    row, _ = due(sys.argv[1], plans, None, "", 10**9, timedelta(days=7), False)
print(json.dumps({"items": row.items, "seconds": time.perf_counter() - began,
                  "cpu": time.process_time() - cpu,
                  "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def figures(*, short: bool = False) -> Iterator[Figure]:
    """Seconds and memory of one plan."""
    many = FEW if short else MANY
    with tempfile.TemporaryDirectory(prefix="bench-") as name, embedded.joined(Path(name) / "pg") as server:
        dsn = prepared(server.dsn(), Path(name) / "logins", many)
        done = subprocess.run([sys.executable, "-c", PLAN, dsn], capture_output=True, check=True)
    told = json.loads(done.stdout)
    assert told["items"] == many, told
    yield Figure(
        name=f"a purge plan of {many} due recordings",
        value=round(told["seconds"], 2),
        unit="s",
        goal=f"at most {SECONDS:g} s",
        holds=None if short else told["seconds"] <= SECONDS,
    )
    yield Figure(
        name=f"memory of a purge plan of {many} due recordings",
        value=round(told["mebibytes"], 1),
        unit="MiB",
        goal=f"at most {MEBIBYTES:g} MiB",
        holds=told["mebibytes"] <= MEBIBYTES,
    )


def prepared(admin: str, credentials: Path, many: int) -> str:
    """So many recordings, all due; the DSN of somebody who may plan."""
    migrate.init(admin, credentials)
    added = people.add(admin, "bench_bob", ["privacy"])
    digest = hashlib.sha256(POLICY.encode()).hexdigest()
    with closing(psycopg2.connect(admin)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO fsgov.policies (sha256, version, text) VALUES (%s, 'bench', %s)", (digest, POLICY)
        )
        cursor.execute(ROWS, {"many": many, "policy": digest})
    with closing(psycopg2.connect(admin)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return embedded.resolve(admin, "bench_bob", added.password)
