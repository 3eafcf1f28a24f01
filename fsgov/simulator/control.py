"""The control channel: one JSON object a line in, one out — for tests and the demo in another process.

`{"do": "call", "as": "k", "caller": "+4930…", "dialled": "…", "id": 7}` is answered with
`{"ok": true, "id": 7, "call": "<uuid>", "leg": 1}` or `{"ok": false, "id": 7, "error": "…"}`.
The steps are those of `fsgov.simulator.steps`; `{"do": "quit"}` ends the simulator at once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gevent import socket
from gevent.server import StreamServer

from fsgov.errors import FsgovError
from fsgov.simulator.steps import Steps


class Control:
    """Answers control lines."""

    def __init__(self, steps: Steps, leave: Callable[[], None]) -> None:
        self.steps, self.quit = steps, leave

    def answer(self, line: str) -> str:
        """One line in, one line out (without its newline)."""
        reply: dict[str, Any] = {"ok": True}
        try:
            step = json.loads(line)
            if "id" in step:
                reply["id"] = step.pop("id")
            if step.get("do") == "quit":
                self.quit()
            else:
                reply |= self.steps.do(step)
        except (ValueError, KeyError, TypeError, AttributeError, FsgovError) as fault:
            reply |= {"ok": False, "error": f"{type(fault).__name__}: {fault}"}
        return json.dumps(reply, ensure_ascii=False)

    def serve(self, path: Path) -> StreamServer:
        """Listen on a unix socket, mode 0600."""
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(16)
        server = StreamServer(listener, self._client)
        server.start()
        return server

    def _client(self, sock: Any, _address: Any) -> None:
        with sock, sock.makefile("rw", encoding="utf-8") as lines:
            for line in lines:
                lines.write(self.answer(line) + "\n")
                lines.flush()
