"""`python -m fsgov.simulator`: a simulated switch as a process of its own.

Prints one JSON line when it listens: `{"listening": ["127.0.0.1", 40123], "core_uuid": "…"}`. SIGTERM ends it
as FreeSWITCH ends (calls hung up, files closed), SIGKILL leaves what a crash leaves.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any

import gevent
from gevent.os import tp_read

from fsgov.simulator import system
from fsgov.simulator.clock import Clock
from fsgov.simulator.control import Control
from fsgov.simulator.steps import Steps, schedule
from fsgov.simulator.switch import Switch


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m fsgov.simulator", description="A simulated FreeSWITCH.")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0, help="event socket port, 0: any free one")
    p.add_argument("--password", default="ClueCon")
    p.add_argument("--recordings", default="/var/spool/freeswitch/recordings", help="value of recordings_dir")
    p.add_argument("--root", type=Path, help="directory put before every path the switch reads or writes")
    p.add_argument("--world", type=Path, help="ledger of what really happened, JSON lines (appended)")
    p.add_argument("--control", type=Path, help="unix socket for control lines")
    p.add_argument("--stdin", action="store_true", help="control lines on stdin, answers on stdout")
    p.add_argument("--script", type=Path, help="TOML or JSON file of steps to play")
    p.add_argument("--exit", action="store_true", help="end when the script is over and no call is left")
    p.add_argument("--speed", type=float, default=1.0, help="world seconds in one second")
    p.add_argument("--latency", type=float, default=0.02, help="seconds from firing an event to its delivery")
    p.add_argument("--heartbeat", type=float, default=20.0, help="seconds between HEARTBEAT events, 0: none")
    p.add_argument("--tick", type=float, default=0.1, help="seconds between writes of running recordings")
    p.add_argument("--no-audio", action="store_true", help="write no files")
    p.add_argument("--no-commands", action="store_true", help="leave commands out of the ledger")
    p.add_argument("--watch", default="", help="events whose delivery is noted in the ledger, by commas")
    p.add_argument("--dialplan", type=Path, action="append", default=[], help="XML for calls with a context")
    p.add_argument("--first-session", type=int, default=1, help="number of the first channel")
    return p.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop; exit code 0, or 2 when the script cannot be read."""
    options = arguments(argv)
    script: dict[str, Any] = {}
    if options.script:
        try:
            text = options.script.read_text(encoding="utf-8")
            script = json.loads(text) if options.script.suffix == ".json" else tomllib.loads(text)
        except (OSError, ValueError) as fault:
            sys.stderr.write(f"{options.script}: {fault}\n")
            return 2
    switch = Switch(
        Clock(options.speed),
        recordings=options.recordings,
        password=options.password,
        root=options.root,
        world=options.world,
        audio=not options.no_audio,
        latency=options.latency,
        heartbeat=options.heartbeat,
        tick=options.tick,
        first_session=options.first_session,
    )
    for file in options.dialplan:
        switch.plan.load(file)
    switch.world.commands = not options.no_commands
    switch.world.watch = frozenset(filter(None, options.watch.split(",")))
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, system.shutdown, switch)
    steps = Steps(switch)
    control = Control(steps, switch.stopped.set)
    address = switch.listen(options.host, options.port)
    if options.control:
        control.serve(options.control)
    _say(json.dumps({"listening": address, "core_uuid": switch.identity.core_uuid}))
    if options.stdin:
        gevent.spawn(_lines, control)
    if script:
        last = schedule(steps, script)
        if options.exit:
            switch.clock.call_later(last, lambda: _leave_when_idle(switch))
    switch.stopped.wait()
    gevent.sleep(0.05)
    switch.close()
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _lines(control: Control) -> None:
    buffer = b""
    while data := tp_read(sys.stdin.fileno(), 65536):
        *whole, buffer = (buffer + data).split(b"\n")
        for line in whole:
            _say(control.answer(line.decode()))
    control.quit()


def _leave_when_idle(switch: Switch) -> None:
    if switch.channels:
        switch.clock.call_later(0.2, lambda: _leave_when_idle(switch))
    else:
        switch.stopped.set()


if __name__ == "__main__":
    sys.exit(main())
