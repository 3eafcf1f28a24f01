"""Live acts on calls, by people on this host: HTTP/1.1 on a unix socket, falcon behind gevent's WSGI server.

    POST /v1/calls/{id}/{start|stop|pause|resume|tag|consent}   body {"tag": "..."} for tag;
                                                 {"said": "given", "party": 1, "purpose": "..."} for consent
        200 acknowledged · 202 sent, not acknowledged in time · 400 · 403 · 404 · 409
    GET POST /v1/stops · DELETE /v1/stops/{id}          the kill switch of this host
    GET  /v1/calls                                      the live conversations, without numbers
    GET  /v1/status                                     what this part sees of switch and spool

Who asks is what the kernel says: SO_PEERCRED gives the uid, the uid's login name is `people.os_user`.
It works with PostgreSQL down: the roster of people is cached on disk.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import falcon
from gevent import pywsgi
from gevent.event import AsyncResult
from gevent.timeout import Timeout

from fsgov.attested import Attested
from fsgov.call.stops import Stop
from fsgov.commands import Answer
from fsgov.errors import Unreachable
from fsgov.events import Act, ActAsked, Event, Instant

Kept = TypeVar("Kept")
ANSWER_WITHIN = 8.0
"""Seconds; the core answers every act much sooner (202 after about two)."""


class Desk:
    """The acts under way: turns a request into an `ActAsked`, and an `Answer` into its response."""

    def __init__(self, emit: Callable[[Event], None], now: Callable[[], Instant]) -> None:
        self._emit = emit
        self._now = now
        self._waiting: dict[str, AsyncResult[Answer]] = {}

    def ask(self, call: str, act: Act, actor: str, tag: str = "", consent: Attested | None = None) -> Answer:
        request = secrets.token_hex(8)
        waiting: AsyncResult[Answer] = AsyncResult()
        self._waiting[request] = waiting
        try:
            event = ActAsked(
                now=self._now(), call=call, act=act, actor=actor, request=request, tag=tag, consent=consent
            )
            self._emit(event)
            with Timeout(ANSWER_WITHIN):
                answer: Answer = waiting.get()
                return answer
        except Timeout:
            return Answer(call=call, request=request, status=202, reason="not acknowledged yet")
        finally:
            del self._waiting[request]

    def answer(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.request)
        if waiting is not None:
            waiting.set(answer)


class PeerHandler(pywsgi.WSGIHandler):  # type: ignore[misc]
    """Tells the application which uid is at the other end of the unix socket."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        raw = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        environ["fsgov.uid"] = struct.unpack("3i", raw)[1]
        return environ

    def log_request(self) -> None:
        """The acts are entries of the log; a second, unsigned list of them is not kept."""


class Actor(Protocol):
    """A person of the roster."""

    @property
    def id(self) -> str: ...
    def may_act(self, tenant: str) -> bool: ...
    def may_stop(self, tenant: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Acts:
    """POST /v1/calls/{id}/{act}. `tenant_of` is None for a call that is not live."""

    desk: Desk
    person: Callable[[int], Actor | None]
    tenant_of: Callable[[str], str | None]

    def on_post(self, request: falcon.Request, response: falcon.Response, call: str, act: str) -> None:
        actor = self.person(request.env["fsgov.uid"])
        if actor is None:
            raise falcon.HTTPForbidden(description="no person of fsgov has this operating-system user")
        try:
            wanted = Act(act)
        except ValueError:
            raise falcon.HTTPNotFound(description=f"no such act: {act[:20]}") from None
        tenant = self.tenant_of(call)
        if tenant is None:
            raise falcon.HTTPNotFound(description="no such call is live on this host")
        if not actor.may_act(tenant):
            raise falcon.HTTPForbidden(description="this person may not act on calls of that tenant")
        body = request.get_media(default_when_empty={}) if wanted in (Act.TAG, Act.CONSENT) else {}
        body = body if isinstance(body, dict) else {}
        tag = body.get("tag", "") if wanted is Act.TAG else ""
        if wanted is Act.TAG and (
            not isinstance(tag, str) or not 0 < len(tag) <= 64 or not tag.isprintable()
        ):
            raise falcon.HTTPBadRequest(description="a tag is 1 to 64 printable characters")
        consent = _attested(body) if wanted is Act.CONSENT else None
        answer = self.desk.ask(call, wanted, actor.id, tag, consent)
        response.status = answer.status
        response.media = {"call": call, "act": wanted.value, "status": answer.status, "reason": answer.reason}


def _attested(body: Mapping[str, Any]) -> Attested:
    said, party, purpose = body.get("said"), body.get("party", 0), body.get("purpose", "")
    if said not in ("given", "refused", "withdrawn"):
        raise falcon.HTTPBadRequest(description="said is given, refused or withdrawn")
    if type(party) is not int or not 0 <= party <= 9999 or not isinstance(purpose, str) or len(purpose) > 64:
        raise falcon.HTTPBadRequest(description="party is a number of the call's, purpose a name")
    return Attested(state=said, party=party, purpose=purpose)


class Switch(Protocol):
    """The stops of this host alone. `place`, `lift` raise Unreachable where the disk does not keep them."""

    @property
    def here(self) -> tuple[Stop, ...]: ...
    def place(self, stop: Stop, actor: str) -> None: ...
    def lift(self, id_: str, actor: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class LocalStops:
    """GET and POST /v1/stops, DELETE /v1/stops/{id}: the kill switch of this host, without the database."""

    switch: Switch
    person: Callable[[int], Actor | None]

    def _actor(self, request: falcon.Request, tenant: str = "*") -> str:
        actor = self.person(request.env["fsgov.uid"])
        if actor is None or not actor.may_stop(tenant):
            raise falcon.HTTPForbidden(description="this operating-system user may not use the kill switch")
        return actor.id

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        self._actor(request)
        response.media = [asdict(stop) for stop in self.switch.here]

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        body = request.get_media(default_when_empty={})
        kind, what = (body.get("kind"), body.get("what")) if isinstance(body, dict) else (None, None)
        if kind not in ("number", "tenant", "host") or not isinstance(what, str) or not 0 < len(what) <= 64:
            raise falcon.HTTPBadRequest(description="a stop has a kind (number, tenant, host) and a what")
        tenant = what if kind == "tenant" else "*"
        actor = self._actor(request, tenant)
        number, host = (what if kind == "number" else None), (what if kind == "host" else None)
        id_ = "s-" + "".join(secrets.choice("abcdefghijklmnop") for _ in range(12))
        self._kept(lambda: self.switch.place(Stop(id_, kind, tenant, number, host), actor))
        response.status, response.media = 201, {"id": id_}

    def on_delete(self, request: falcon.Request, response: falcon.Response, id_: str) -> None:
        if not self._kept(lambda: self.switch.lift(id_, self._actor(request))):
            raise falcon.HTTPNotFound(description="no stop of this host has that id")
        response.media = {"id": id_}

    @staticmethod
    def _kept(act: Callable[[], Kept]) -> Kept:
        try:
            return act()
        except Unreachable as fault:
            said = "in force, but lost with a restart: the disk does not keep it"
            raise falcon.HTTPServiceUnavailable(description=f"{said} ({fault.detail})") from None


class View:
    """GET of something that this part can tell at once."""

    def __init__(self, tell: Callable[[], Mapping[str, Any] | list[Any]]) -> None:
        self._tell = tell

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        response.media = self._tell()


def application(
    acts: Acts,
    calls: Callable[[], list[Any]],
    status: Callable[[], Mapping[str, Any]],
    stops: LocalStops | None = None,
) -> falcon.App[Any, Any]:
    """The WSGI application: the same one whatever socket serves it."""
    app = falcon.App()
    app.add_route("/v1/calls", View(calls))
    app.add_route("/v1/status", View(status))
    app.add_route("/v1/calls/{call}/{act}", acts)
    if stops is not None:
        app.add_route("/v1/stops", stops)
        app.add_route("/v1/stops/{id_}", stops)
    return app


def listen(path: Path, app: falcon.App[Any, Any]) -> pywsgi.WSGIServer:
    """Serve `app` on a unix socket of mode 0660; the caller stops it."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o660)
    listener.listen(64)
    listener.setblocking(False)
    server = pywsgi.WSGIServer(listener, app, handler_class=PeerHandler, log=None, error_log=None)
    server.start()
    return server
