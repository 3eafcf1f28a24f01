"""The api commands that only look: show, status, uuid_dump, uuid_getvar, uuid_buglist, global_getvar."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fsgov.simulator import encoding, show
from fsgov.simulator.event import templates

if TYPE_CHECKING:
    from fsgov.simulator.channel import Channel
    from fsgov.simulator.switch import Switch

NO_CHANNEL = "-ERR No such channel!\n"
VERSION = "1.10.12-release git a88d069 2024-08-02 21:02:27Z 64bit"
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_STRFTIME = re.compile(r"\$\{strftime\(([^)]*)\)\}")


def uptime(switch: Switch) -> str:
    """`0 years, 0 days, 0 hours, 3 minutes, 33 seconds, 923 milliseconds, 511 microseconds`."""
    micros = int(switch.clock.now() * 1e6)
    parts = []
    for size, name in ((86400 * 365, "year"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, micros = divmod(micros, size * 1_000_000)
        parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join([*parts, f"{micros // 1000} milliseconds", f"{micros % 1000} microseconds"])


def heartbeat(switch: Switch) -> list[tuple[str, str]]:
    """The headers of HEARTBEAT; Session-Since-Startup counts every session of this Core-UUID."""
    values = {
        "Up-Time": uptime(switch),
        "Uptime-msec": str(int(switch.clock.now() * 1000)),
        "Session-Count": str(len(switch.channels)),
        "Session-Since-Startup": str(switch.sessions),
    }
    return [(n, values.get(n, v)) for n, v in templates()["heartbeat"]]


def status(switch: Switch) -> str:
    ready = "is not ready" if switch.paused or switch.shutting_down else "is ready"
    count = len(switch.channels)
    return (
        f"UP {uptime(switch)}\nFreeSWITCH (Version {VERSION}) {ready}\n"
        f"{switch.sessions} session(s) since startup\n"
        f"{count} session(s) - peak {count}, last 5min {count} \n"
        f"0 session(s) per Sec out of max 200, peak 2, last 5min 2 \n2000 session(s) max\n"
        "min idle cpu 0.00/87.70\nCurrent Stack Size/Max 240K/240K\n"
    )


def dump(switch: Switch, c: Channel, style: str) -> str:
    """uuid_dump: the channel as an event CHANNEL_DATA."""
    switch.bus.sequence += 1
    head = switch.identity.headers("CHANNEL_DATA", "", switch.clock.epoch(), switch.bus.sequence)
    place = {"File": "mod_commands.c", "Function": "uuid_dump_function", "Line-Number": "6468"}
    head = [(n, place.get(n.removeprefix("Event-Calling-"), v)) for n, v in head]
    make = encoding.as_json if style == "json" else encoding.plain
    return encoding.text(make(head + c.headers("CHANNEL_DATA"), b""))


def buglist(c: Channel) -> str:
    """uuid_buglist: the running recordings; nothing tells whether they are masked or paused."""
    rows = "".join(
        " <media-bug>\n  <function>session_record</function>\n"
        f"  <target>{r.path}</target>\n  <thread-locked>0</thread-locked>\n </media-bug>\n"
        for r in c.recordings.values()
    )
    return f"<media-bugs>\n{rows}</media-bugs>\n"


def global_variables(switch: Switch) -> dict[str, str]:
    base = switch.base_dir
    return {
        "hostname": switch.identity.hostname,
        "local_ip_v4": switch.identity.ipv4,
        "local_mask_v4": "255.255.255.0",
        "local_ip_v6": switch.identity.ipv6,
        "base_dir": base,
        "recordings_dir": switch.recordings_dir,
        "sound_prefix": switch.sound_prefix,
        "sounds_dir": switch.sound_prefix,
        "conf_dir": f"{base}/etc/freeswitch",
        "log_dir": f"{base}/var/log/freeswitch",
        "run_dir": f"{base}/var/run/freeswitch",
        "db_dir": f"{base}/var/lib/freeswitch/db",
        "mod_dir": f"{base}/lib/freeswitch/mod",
        "htdocs_dir": f"{base}/share/freeswitch/htdocs",
        "script_dir": f"{base}/share/freeswitch/scripts",
        "temp_dir": "/tmp",  # noqa: S108  (as captured)
        "grammar_dir": f"{base}/share/freeswitch/grammar",
        "fonts_dir": f"{base}/share/freeswitch/fonts",
        "images_dir": f"{base}/var/lib/freeswitch/images",
        "certs_dir": f"{base}/etc/freeswitch/tls",
        "storage_dir": f"{base}/var/lib/freeswitch/storage",
        "cache_dir": f"{base}/var/cache/freeswitch",
        "data_dir": f"{base}/share/freeswitch",
        "localstate_dir": f"{base}/var/lib/freeswitch",
        "core_uuid": switch.identity.core_uuid,
    }


def _global_getvar(switch: Switch, name: str) -> str:
    known = global_variables(switch)
    return known.get(name, "") if name else "".join(f"{n}={v}\n" for n, v in known.items())


def _expand(switch: Switch, text: str) -> str:
    if text.startswith("uuid:"):
        return ""
    now = time.gmtime(switch.clock.epoch())
    text = _STRFTIME.sub(lambda m: time.strftime(m[1], now), text)
    known = global_variables(switch) | {"Core-UUID": switch.identity.core_uuid}
    return _VARIABLE.sub(lambda m: known.get(m[1], ""), text)


def _getvar(switch: Switch, argument: str) -> str:
    uuid, _, name = argument.partition(" ")
    if not name:
        return "-USAGE: <uuid> <var>\n"
    c = switch.channels.get(uuid)
    if c is None:
        return NO_CHANNEL
    profile = {
        "caller_id_name": "Caller-ID-Name",
        "caller_id_number": "Caller-ID-Number",
        "destination_number": "Destination-Number",
    }
    value = c.variables.get(name) or c.profile.get(profile.get(name, ""), "")
    return value or "_undef_"


def _setvar(switch: Switch, argument: str) -> str:
    uuid, _, rest = argument.partition(" ")
    name, _, value = rest.partition(" ")
    if not name:
        return "-USAGE: <uuid> <var> [value]\n"
    c = switch.channels.get(uuid)
    if c is None:
        return NO_CHANNEL
    c.set(name, value.replace("'", ""))
    return "+OK\n"


def _setvar_multi(switch: Switch, argument: str) -> str:
    uuid, _, rest = argument.partition(" ")
    c = switch.channels.get(uuid)
    if c is None:
        return NO_CHANNEL
    for part in rest.split(";"):
        name, _, value = part.partition("=")
        c.set(name, value)
    return "+OK\n"


def _dump(switch: Switch, argument: str) -> str:
    uuid, _, style = argument.partition(" ")
    if not uuid:
        return "-USAGE: <uuid> [format]\n"
    c = switch.channels.get(uuid)
    return NO_CHANNEL if c is None else dump(switch, c, style)


def _buglist(switch: Switch, argument: str) -> str:
    if not argument:
        return "-USAGE: <uuid>\n"
    c = switch.channels.get(argument)
    return "" if c is None else buglist(c)


def _xml_locate(switch: Switch, argument: str) -> str:
    """Only switch.conf is known, with what fsgov looks for in it."""
    if len(argument.split()) not in (1, 4):
        return "-ERR bad args\n"
    if argument != "configuration configuration name switch.conf":
        return "can't find anything\n"
    return (
        '<configuration name="switch.conf">\n  <settings>\n'
        f'    <param name="event-heartbeat-interval" value="{round(switch.heartbeat)}"></param>\n\n'
        f'    <param name="switchname" value="{switch.identity.switchname}"></param>\n\n'
        "  </settings>\n</configuration>\n"
    )


def _displace(switch: Switch, argument: str) -> str:
    words = argument.split()
    if len(words) < 3:
        return "-USAGE: <uuid> [start|stop] <path> [<limit>] [mux]\n"
    return "+OK Success\n" if words[0] in switch.channels else "-ERR Cannot locate session!\n"


ANSWERS: dict[str, Callable[[Switch, str], str]] = {
    "show": show.show,
    "status": lambda s, _: status(s),
    "version": lambda s, _: (
        f"FreeSWITCH Version 1.10.12-release+git~20240802T210227Z~a88d069d6f~64bit ({VERSION[16:]})\n"
    ),
    "uuid_dump": _dump,
    "uuid_getvar": _getvar,
    "uuid_setvar": _setvar,
    "uuid_setvar_multi": _setvar_multi,
    "uuid_buglist": _buglist,
    "file_exists": lambda s, a: str(bool(a) and s.on_disk(a).exists()).lower(),
    "xml_locate": _xml_locate,
    "uuid_exists": lambda s, a: "true" if a in s.channels else "false",
    "uuid_displace": _displace,
    "global_getvar": _global_getvar,
    "hostname": lambda s, _: s.identity.hostname,
    "switchname": lambda s, _: s.identity.switchname,
    "create_uuid": lambda s, _: s.new_uuid(),
    "strepoch": lambda s, _: str(int(s.clock.epoch())),
    "strftime": lambda s, a: time.strftime(a or "%Y-%m-%d %T", time.gmtime(s.clock.epoch())),
    "uptime": lambda s, _: f"{int(s.clock.now())}\n",
    "eval": _expand,
    "expand": lambda s, _: "INVALID COMMAND!\n-ERR Cannot execute command\n",
    "module_exists": lambda s, a: "false" if "nosuch" in a or a == "mod_callcenter" else "true",
    "load": lambda s, _: "+OK Reloading XML\n-ERR [module load file routine returned an error]\n",
    "regex": lambda s, _: "-ERR",
}


def answer(switch: Switch, command: str, argument: str) -> str | None:
    """What a command says, or None when there is no such command."""
    act = ANSWERS.get(command)
    return None if act is None else act(switch, argument)
