"""The api commands that act on calls: parsing, replies, faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fsgov.simulator import queries, system, transfer

if TYPE_CHECKING:
    from fsgov.simulator.channel import Channel
    from fsgov.simulator.switch import Switch

Finish = Callable[..., None]
NO_CHANNEL = "-ERR No such channel!\n"
RECORD_USAGE = "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
_WORD = re.compile(r"'((?:[^'\\]|\\.)*)'|(\S+)")


def words(text: str, most: int) -> list[str]:
    """Arguments split at blanks as FreeSWITCH does: single quotes hold together, the last takes the rest."""
    out: list[str] = []
    at = 0
    while at < len(text) and len(out) < most - 1:
        while at < len(text) and text[at] == " ":
            at += 1
        match = _WORD.match(text, at)
        if match is None:
            break
        out.append(match[1] if match[1] is not None else match[2])
        at = match.end()
    rest = text[at:].strip(" ")
    return [*out, rest] if rest else out


def run(switch: Switch, command: str, argument: str, finish: Finish) -> None:
    """Carry out a command, after the faults; `finish(body)`, `finish(None)` (never answered)."""
    received = round(switch.clock.now(), 6)
    hits = {f.kind: f for f in switch.faults.command([command, *argument.split()])}
    for kind in hits:
        switch.world.note("fault", fault=kind, command=f"{command} {argument}")

    def answer(body: str) -> None:
        if switch.world.commands:
            reply = body if len(body) < 200 else "…"
            switch.world.note("command", command=command, argument=argument, reply=reply, received=received)
        finish(body)

    if "cut" in hits or "half" in hits:
        finish(None, "half" if "half" in hits else "cut")
    elif "error" in hits:
        answer(hits["error"].text or "-ERR fault\n")
    elif "ignore" in hits:
        answer(hits["ignore"].text or "+OK Success\n")
    elif system.waits(switch, command, argument, finish):
        return
    else:
        body = execute(switch, command, argument)
        if "silence" in hits:
            finish(None)
        elif "slow" in hits:
            switch.clock.call_later(hits["slow"].seconds, lambda: answer(body))
        else:
            answer(body)


def execute(switch: Switch, command: str, argument: str) -> str:
    """The text a command prints."""
    switch.fire(
        "API", [("API-Command", command), *([("API-Command-Argument", argument)] if argument else [])]
    )
    act = COMMANDS.get(command)
    if act is not None:
        return act(switch, argument)
    if command == "fsctl":
        return system.fsctl(switch, argument)
    answer = queries.answer(switch, command, argument)
    return f"-ERR {command} Command not found!\n" if answer is None else answer


def uuid_record(switch: Switch, argument: str) -> str:
    args = words(argument, 5)
    if len(args) < 3:
        return RECORD_USAGE
    uuid, action, path = args[:3]
    c = switch.channels.get(uuid)
    if c is None or not c.up:
        return "-ERR Cannot locate session!\n"
    if action == "start":
        limit, extra = args[3] if len(args) > 3 else "", args[4] if len(args) > 4 else ""
        return _start(switch, c, path, limit, extra)
    if action == "stop":
        running = (
            list(c.recordings.values())
            if path == "all"
            else [r for k, r in c.recordings.items() if k == path]
        )
        for recording in running:
            recording.stop("success-maxtime")
        return "+OK Success\n" if running else "-ERR Cannot stop record session!\n"
    if action not in ("mask", "unmask", "pause", "resume"):
        return RECORD_USAGE
    one = c.recordings.get(path)
    if one is None:
        return f"-ERR Cannot {action} recording session!\n"
    if action in ("mask", "unmask"):
        one.mask(action == "mask")
    else:
        one.pause(action == "pause")
    return "+OK Success\n"


def _start(switch: Switch, c: Channel, path: str, limit: str, extra: str) -> str:
    if c.direction == "outbound" and not c.media:
        _kill_ringing(switch, c)
        return "-ERR Cannot record session!\n"
    seconds = int(limit) if re.fullmatch(r"\d+", limit) else 0
    if not switch.start_recording(c, path, seconds, recording_vars(extra)):
        if c.variables.get("RECORD_HANGUP_ON_ERROR") == "true":
            switch.clock.call_later(0.02, lambda: switch.end(c, "DESTINATION_OUT_OF_ORDER", "error"))
        return "-ERR Cannot record session!\n"
    return "+OK Success\n"


def recording_vars(text: str) -> dict[str, str]:
    """`{a=b,c='d e',f=g%20h}` as a mapping."""
    found: dict[str, str] = {}
    inner = text.strip().removeprefix("{").removesuffix("}")
    for part in re.findall(r"[^,=]+=(?:'[^']*'|[^,]*)", inner):
        name, _, value = part.partition("=")
        found[name.strip()] = unquote(value.strip("'"), errors="surrogateescape")
    return found


def _kill_ringing(switch: Switch, b: Channel) -> None:
    """Measured: recording an outbound leg that rings tears the call down."""
    call, cause = switch.call_of(b), "INCOMPATIBLE_DESTINATION"
    a, life = call.a, switch.life
    b.answer_state = "early"
    b.set("endpoint_disposition", "EARLY MEDIA")
    b.times["progress_media"] = switch.clock.epoch()
    life.fire(b, "CHANNEL_PROGRESS_MEDIA")

    def fall() -> None:
        if not a.up:
            return
        life.bridge(a, b)
        for c, other in ((a, b), (b, a)):
            for name in ("last_bridge_to", "bridge_uuid"):
                c.set(name, other.uuid)
            c.set("bridge_channel", other.name)
        life.part(a, b)
        a.set("last_bridge_hangup_cause", cause)
        a.set("bridge_hangup_cause", cause)
        for name, value in {
            "sip_hangup_disposition": "send_cancel",
            "sip_invite_failure_status": "487",
            "sip_invite_failure_phrase": "CANCEL",
        }.items():
            b.set(name, value)
        life.hangup(b, cause, {"last_bridge_role": "originatee"})
        life.complete(b, {})
        life.unbridged(a, b)
        life.hangup(a, cause, {})
        life.complete(a, {"sip_hangup_disposition": "send_refuse"})

    switch.clock.call_later(0.02, fall)


def uuid_broadcast(switch: Switch, argument: str) -> str:
    args = words(argument, 3)
    if len(args) < 2:
        return "-USAGE: <uuid> <path> [aleg|bleg|holdb|both]\n"
    c = switch.channels.get(args[0])
    if c is None:
        return "-ERR invalid uuid\n"
    legs = args[2] if len(args) > 2 else "aleg"
    targets = [c] if legs in ("aleg", "holdb") else [x for x in (c.peer, c if legs == "both" else None) if x]
    application, mark, value = args[1].partition("::")
    for target in targets:
        if mark and application != "playback":
            name, _, text = value.partition("=")
            if application == "set":
                switch.life.execute(target, "set", value, quiet=True)
                target.unset("current_application_response")
                target.set(name, text)
        else:
            switch.play(target, value if mark else args[1])
    return "+OK Message sent\n"


def uuid_break(switch: Switch, argument: str) -> str:
    args = words(argument, 2)
    c = switch.channels.get(args[0]) if args else None
    if c is None:
        return NO_CHANNEL if args else "-USAGE: <uuid> [all]\n"
    switch.prompting.stop(c, len(args) > 1)
    return "+OK\n"


def uuid_kill(switch: Switch, argument: str) -> str:
    args = words(argument, 2)
    if not args:
        return "-USAGE: <uuid> [cause]\n"
    c = switch.channels.get(args[0])
    if c is None or not c.up:
        return NO_CHANNEL
    cause = args[1] if len(args) > 1 else "NORMAL_CLEARING"
    switch.end(c, cause, "kill")
    return "+OK\n"


def uuid_transfer(switch: Switch, argument: str) -> str:
    args = words(argument, 5)
    if len(args) < 2:
        return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
    c = switch.channels.get(args[0])
    if c is None:
        return NO_CHANNEL
    which = args[1] if args[1].startswith("-") else ""
    to = args[2] if which else args[1]
    switch.clock.call_later(0.0, lambda: transfer.uuid_transfer(switch, c, which, to))
    return "+OK\n"


def uuid_bridge(switch: Switch, argument: str) -> str:
    args = words(argument, 3)
    if len(args) < 2:
        return "-USAGE: <uuid> <other_uuid>\n"
    a, b = switch.channels.get(args[0]), switch.channels.get(args[1])
    if a is None or b is None:
        return "-ERR Invalid uuid\n"
    switch.clock.call_later(0.0, lambda: transfer.uuid_bridge(switch, a, b))
    return f"+OK {b.uuid}\n"


def uuid_hold(switch: Switch, argument: str) -> str:
    args = words(argument, 3)
    off = bool(args) and args[0] in ("off", "toggle")
    c = switch.channels.get(args[1 if off else 0]) if len(args) > off else None
    if c is None:
        return "-USAGE: [off|toggle] <uuid> [<display>]\n-ERR Operation failed\n"
    switch.hold(c, not c.hold if args[0] == "toggle" else not off)
    return "+OK Success\n"


def _dtmf(said: str) -> Callable[[Switch, str], str]:
    def act(switch: Switch, argument: str) -> str:
        args = words(argument, 2)
        c = switch.channels.get(args[0]) if args else None
        if c is None or len(args) < 2:
            return "-USAGE: <uuid> <dtmf_data>\n"
        if said == "received":
            for digit in args[1].partition("@")[0]:
                switch.dtmf(c, digit, "APP")
        return f"+OK {c.uuid} {said} DTMF {args[1]}.\n"

    return act


COMMANDS: dict[str, Callable[[Switch, str], str]] = {
    "uuid_record": uuid_record,
    "uuid_broadcast": uuid_broadcast,
    "uuid_break": uuid_break,
    "uuid_kill": uuid_kill,
    "uuid_transfer": uuid_transfer,
    "uuid_bridge": uuid_bridge,
    "uuid_hold": uuid_hold,
    "uuid_recv_dtmf": _dtmf("received"),
    "uuid_send_dtmf": _dtmf("sent"),
}
