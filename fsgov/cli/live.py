"""What the daemon of this host is asked through its unix socket: status, and live acts on calls."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fsgov.errors import BadUsage, Conflict, FsgovError, NotFound, NotPermitted, Unreachable

SECONDS = 12.0
"""The daemon answers an act within eight."""

_KINDS: dict[int, type[FsgovError]] = {400: BadUsage, 403: NotPermitted, 404: NotFound, 409: Conflict}
_MEANINGS = {
    400: "The daemon does not understand this",
    403: "This may not be done by this person",
    404: "There is no such live call on this host",
    409: "The call refuses this now",
}


class _Connection(http.client.HTTPConnection):
    """HTTP/1.1 over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, place: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
    """Status and JSON of one request. Raises Unreachable, NotPermitted, and what a status means."""
    connection = _Connection(path)
    text = None if body is None else json.dumps(body)
    headers = {} if text is None else {"Content-Type": "application/json"}
    try:
        connection.request(method, place, text, headers)
        answer = connection.getresponse()
        content = answer.read()
    except PermissionError:
        raise NotPermitted("The daemon's socket is not for this user", str(path), "join its group") from None
    except (OSError, http.client.HTTPException) as fault:
        why = getattr(fault, "strerror", None) or type(fault).__name__
        hint = "is fsgov running on this host? control.socket must be the daemon's"
        raise Unreachable("govern does not answer", f"{path}: {why}", hint) from None
    finally:
        connection.close()
    try:
        said = json.loads(content)
    except ValueError:
        said = {}
    if answer.status >= 400:
        raise refused(answer.status, said)
    return answer.status, said


def refused(status: int, said: Any) -> FsgovError:
    """What an answer above 399 means: the daemon's own words (`reason`), or falcon's (`description`)."""
    words = said if isinstance(said, dict) else {}
    reason = str(words.get("reason") or words.get("description") or "")
    kind = _KINDS.get(status)
    if kind is None:
        return Unreachable("govern could not do this", reason or f"status {status}", "see its log")
    hint = "people.os_user says who an OS user is: fsgov people add … --os-user" if status == 403 else ""
    return kind(_MEANINGS[status], reason, hint)
