"""fsctl: pause, shutdown in its kinds, and the reload that drops every client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import gevent

from fsgov.simulator import queries

if TYPE_CHECKING:
    from fsgov.simulator.switch import Switch

USAGE = (
    "-USAGE: [api_expansion [on|off]|recover|send_sighup|hupall|pause [inbound|outbound]|resume"
    " [inbound|outbound]|shutdown [cancel|elegant|asap|now|restart]|sps|sps_peak_reset|sync_clo"
    "ck|sync_clock_when_idle|reclaim_mem|max_sessions|min_dtmf_duration [num]|max_dtmf_duration"
    " [num]|default_dtmf_duration [num]|min_idle_cpu|loglevel [level]|debug_level "
    "[level]|mdns_resolve [enable|disable]]\n"
)


BOTH = ("inbound", "outbound")


def fsctl(switch: Switch, argument: str) -> str:
    """What `fsctl` says at once; the two that block are in `waits`."""
    match argument.split():
        case ["pause", *ways]:
            switch.paused |= set(ways or BOTH)
            return "+OK\n"
        case ["resume", *ways]:
            switch.paused -= set(ways or BOTH)
            return "+OK\n"
        case ["pause_check", *ways]:
            return str(switch.paused >= set(ways or BOTH)).lower()
        case ["ready_check"]:
            return str(not switch.paused and not switch.shutting_down).lower()
        case ["shutdown_check"]:
            return str(bool(switch.shutting_down)).lower()
        case ["max_sessions"]:
            return "+OK max sessions: 2000\n"
        case ["sps"]:
            return "+OK sessions per second: 200\n"
        case ["recover"]:
            return "+OK 0 session(s) recovered in total\n"
        case ["hupall", *cause]:
            switch.hangup_all(cause[0] if cause else "MANAGER_REQUEST")
            return "+OK\n"
        case ["shutdown"]:
            switch.clock.call_later(0.1, lambda: shutdown(switch))
            return "+OK\n"
        case ["shutdown", "cancel"]:
            switch.shutting_down = ""
            return "+OK\n"
        case _:
            return USAGE


def waits(switch: Switch, command: str, argument: str, finish: Callable[..., None]) -> bool:
    """Carry out a shutdown that blocks its connection until it is done or cancelled; False for all else."""
    if command != "fsctl" or argument not in ("shutdown elegant", "shutdown asap", "shutdown now"):
        return False
    kind = argument.split()[1]
    if kind == "now":
        crash(switch)
        return True
    switch.shutting_down = kind
    switch.fire("SHUTDOWN_REQUESTED", [("Event-Info", "ASAP" if kind == "asap" else "elegant")])

    def look() -> None:
        if not switch.shutting_down:
            finish("+OK\n")
        elif switch.channels:
            switch.clock.call_later(0.5, look)
        else:
            finish("+OK\n")
            shutdown(switch)

    switch.clock.call_later(0.5, look)
    return True


def beat(switch: Switch, every: float, count: int) -> None:
    """HEARTBEAT and the tasks set anew; the second task runs at each third beat."""
    switch.fire("HEARTBEAT", queries.heartbeat(switch))
    for number, task in ((1, "heartbeat"), (2, "check_ip")):
        if number == 1 or count % 3 == 1:
            runtime = str(int(switch.clock.epoch() + every))
            marks = [("Task-ID", str(number)), ("Task-Desc", task), ("Task-Group", "core")]
            switch.fire("RE_SCHEDULE", [*marks, ("Task-Runtime", runtime)])
    switch.clock.call_later(every, lambda: beat(switch, every, count + 1))


def shutdown(switch: Switch) -> None:
    """SHUTDOWN, every leg hung up and every file closed; the clients are told 2 s later."""
    from fsgov.simulator.connection import SHUTDOWN

    switch.shutting_down = "now"
    switch.fire("SHUTDOWN", [("Event-Info", "System Shutting Down")])
    switch.hangup_all("SYSTEM_SHUTDOWN")

    def leave() -> None:
        for connection in list(switch.connections):
            connection.goodbye(SHUTDOWN)
        switch.stopped.set()

    switch.clock.call_later(2.0, leave)


def crash(switch: Switch) -> None:
    """The sockets close without a word, files stay as they are."""
    for connection in list(switch.connections):
        connection.close()
    gevent.spawn(switch.close)
    switch.stopped.set()


def reload(switch: Switch) -> None:
    """mod_event_socket is loaded anew: notices and EOF for all; calls and recordings go on."""
    from fsgov.simulator.connection import SHUTDOWN

    for connection in list(switch.connections):
        connection.goodbye(SHUTDOWN)
