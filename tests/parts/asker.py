"""Look-ups as govern makes them, in a process of their own that gevent patches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Asker:
    """Talks to that process. Its circuit breaker has a clock of its own, which `age` moves by seconds."""

    def __init__(self, log: Path) -> None:
        self.log = log
        command = [sys.executable, "-m", "tests.parts.asking"]
        pipe = subprocess.PIPE
        with log.open("w") as said:
            self._child = subprocess.Popen(
                command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=said, text=True, bufsize=1
            )

    def do(self, do: str, **facts: Any) -> Any:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"do": do, **facts}) + "\n")
        self._child.stdin.flush()
        return json.loads(self._child.stdout.readline())

    def make(self, url: str, cache: Path, deadline: float = 5.0, **facts: str) -> None:
        """Another asker in place of the one before."""
        self.do("make", url=url, cache=str(cache), deadline=deadline, **facts)

    def ask(self, number: str, tenant: str = "default") -> dict[str, Any]:
        """What was emitted; `kind` is the event."""
        return self.all(number, tenant=tenant)[0]

    def all(self, *numbers: str, tenant: str = "default") -> list[dict[str, Any]]:
        """At once; in the order in which they were emitted."""
        found: list[dict[str, Any]] = self.do("ask", numbers=numbers, tenant=tenant)
        return found

    def close(self) -> None:
        with self._child:
            self._child.kill()
