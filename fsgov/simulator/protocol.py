"""The commands of the event socket itself: auth, event, filter, api, bgapi, sendevent, exit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsgov.simulator import api, system

if TYPE_CHECKING:
    from fsgov.simulator.connection import Connection

LEVELS = {"console": 0, "alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
DENIED = "-ERR permission denied"


def handle(c: Connection, block: str, body: bytes) -> None:  # noqa: C901  (one line a command)
    """Carry out one command and answer it."""
    first, *more = block.lstrip("\n").split("\n")
    headers = [(n.strip(), v.lstrip()) for n, sep, v in (line.partition(":") for line in more) if sep]
    verb, _, rest = first.strip().partition(" ")
    rest = rest.strip()
    if not c.authorized:
        _before_auth(c, verb, rest)
        return
    match verb:
        case _ if verb.startswith("exit"):
            c.reply("+OK bye")
            c.goodbye()
        case "api" if rest:
            _api(c, rest)
        case "bgapi" if rest:
            _bgapi(c, rest, dict(headers))
        case "event" | "events":
            _event(c, rest.split())
        case "nixevent":
            ok = c.subscription.nix(rest.split())
            c.reply("+OK events nixed" if ok else "-ERR no keywords supplied")
        case "noevents":
            ok = c.subscription.nothing()
            c.reply("+OK no longer listening for events" if ok else "-ERR not listening for events")
        case "filter" if rest:
            _filter(c, rest)
        case "sendevent":
            _sendevent(c, rest, headers, body)
        case "sendmsg":
            _sendmsg(c, rest, dict(headers), body)
        case "myevents" if rest:
            c.subscription.add(["ALL"])
            c.subscription.only_uuid = rest.split()[0]
            c.reply("+OK Events Enabled")
        case "linger" | "nolinger":
            c.reply("-ERR not controlling a session")
        case "divert_events":
            c.reply("-ERR not controlling a session.")
        case "log" | "nolog":
            _log(c, verb, rest)
        case _:
            c.reply("-ERR command not found")


def _before_auth(c: Connection, verb: str, rest: str) -> None:
    if verb == "auth":
        ok = rest == c.switch.password
        if ok:
            c.authorized = True
            c.reply("+OK accepted")
            return
    elif verb == "userauth":
        name, _, password = rest.rpartition(":")
        user = c.switch.users.get(name)
        if user and user["password"] == password:
            c.authorized = True
            c.allowed = {k: set(user.get(k, "").split()) for k in ("events", "api")}
            c.reply(
                "+OK accepted",
                f"Allowed-Events: {user.get('events', '')}\nAllowed-API: {user.get('api', '')}\n"
                f"Allowed-LOG: {user.get('log', 'false')}\n",
            )
            return
    else:
        c.reply("-ERR command not found")
        return
    c.reply("-ERR invalid")
    c.goodbye()


def _event(c: Connection, words: list[str]) -> None:
    style = c.subscription.format
    if words and words[0] in ("plain", "json", "xml"):
        style, words = words[0], words[1:]
    if c.allowed is not None:
        names = [w.upper() for w in words]
        if any(n not in c.allowed["events"] for n in names):
            c.reply(DENIED)
            return
    if not c.subscription.add(words):
        c.reply("-ERR no keywords supplied")
        return
    c.subscription.format = style
    c.reply(f"+OK event listener enabled {style}")


def _filter(c: Connection, rest: str) -> None:
    words = rest.split(None, 2)
    if words[0] == "delete":
        header = words[1] if len(words) > 1 else ""
        value = words[2] if len(words) > 2 else ""
        c.subscription.delete(header, value)
        c.reply(f"+OK filter deleted. [{header}][{value}]")
        return
    words = words[1:] if words[0] == "add" else rest.split(None, 1)
    if len(words) < 2:
        c.reply("-ERR invalid syntax")
        return
    c.subscription.filters.append((words[0], words[1]))
    c.reply(f"+OK filter added. [{words[0]}]=[{words[1]}]")


def _log(c: Connection, verb: str, rest: str) -> None:
    if c.allowed is not None:
        c.reply(DENIED)
    elif verb == "nolog":
        was, c.log_level = c.log_level, None
        c.reply("-ERR not loging" if was is None else "+OK no longer logging")
    else:
        level = int(rest) if rest.isdigit() else LEVELS.get(rest.lower() or "debug")
        if level is None:
            c.reply("-ERR invalid log level")
            return
        c.log_level = rest
        c.reply(f"+OK log level {rest} [{level}]")


def _permitted(c: Connection, command: str) -> bool:
    return c.allowed is None or command in c.allowed["api"]


def _api(c: Connection, text: str) -> None:
    """Blocks the connection: no event goes out before the answer does."""
    command, _, argument = text.partition(" ")
    if not _permitted(c, command):
        c.reply(DENIED)
        return
    c.busy = True
    if command == "reload" and argument.strip() == "mod_event_socket":
        c.response(f"+OK Job-UUID: {c.switch.new_uuid()}\n")
        c.busy = False
        system.reload(c.switch)
        return

    def finish(body: str | None, cut: str = "") -> None:
        if cut:
            c.break_off(b"Content-Type: api/resp" if cut == "half" else b"")
            return
        if body is None:
            c.mute = True
        else:
            c.response(body)
        c.done()

    api.run(c.switch, command, argument.strip(), finish)


def _bgapi(c: Connection, text: str, headers: dict[str, str]) -> None:
    command, _, argument = text.partition(" ")
    if not _permitted(c, command):
        c.reply(DENIED)
        return
    job = headers.get("Job-UUID") or c.switch.new_uuid()
    c.reply(f"+OK Job-UUID: {job}", f"Job-UUID: {job}\n")

    def finish(body: str | None, cut: str = "") -> None:
        if cut:
            c.break_off(b"")
        elif body is not None:
            marks = [("Job-UUID", job), ("Job-Command", command)]
            if argument.strip():
                marks.append(("Job-Command-Arg", argument.strip()))
            data = body.encode("utf-8", "surrogateescape") or b"-ERR no reply\n"
            c.switch.fire("BACKGROUND_JOB", [*marks, ("Content-Length", str(len(data)))], data)

    c.switch.clock.call_later(0.0, lambda: api.run(c.switch, command, argument.strip(), finish))


def _sendevent(c: Connection, name: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """Anybody may fire anything; what tells it apart is the Command header."""
    from fsgov.simulator.event import Event
    from fsgov.simulator.subscription import NAMES

    switch = c.switch
    own = switch.new_uuid()
    real = name.upper() if name.upper() in NAMES else "CUSTOM"
    subclass = dict(headers).get("Event-Subclass", "")
    switch.bus.sequence += 1
    base = switch.identity.headers(real, "rec::policy ", switch.clock.epoch(), switch.bus.sequence)
    lead = [("Event-Subclass", subclass)] if subclass else []
    rest = [(n, v) for n, v in headers if n != "Event-Subclass"]
    mark = [("Command", f"sendevent {name}".strip())]
    uuid = dict(headers).get("Unique-ID", "")
    c.reply(f"+OK {own}")
    switch.bus.send(Event(real, [*lead, *mark, *rest, ("Event-UUID", own), *base], body, subclass, uuid))


def _sendmsg(c: Connection, uuid: str, headers: dict[str, str], body: bytes) -> None:
    channel = c.switch.channels.get(uuid)
    if channel is None:
        c.reply(f"-ERR invalid session id [{uuid}]")
        return
    c.reply("+OK")
    if headers.get("execute-app-name") == "set":
        text = body.decode("utf-8", "surrogateescape") or headers.get("execute-app-arg", "")
        name, _, value = text.partition("=")
        channel.set(name, value)
