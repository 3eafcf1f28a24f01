"""`fsgov status`: what the parts are doing, from where this command runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from fsgov.cli import output
from fsgov.cli.frame import Command, Frame, pass_frame
from fsgov.errors import Damaged, FsgovError, NotFound, NotPermitted


@click.command(cls=Command, example="fsgov status --json")
@pass_frame
def status(frame: Frame) -> None:
    """Daemon, spool, catalog, log and alarms, each as far as it answers; the code is the first fault's.

    Whether ship and keep are ready is known where [health] names their addresses.
    On a desk there is no daemon and no spool: they are told as not being here, which is no fault.
    """
    from fsgov.cli import vital

    settings = frame.settings
    here = bool(settings.switch.password)
    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        "govern": lambda: _govern(settings.control.socket),
        "spool": lambda: _spool(settings.spool.directory),
        "catalog": lambda: _catalog(frame),
    }
    for part, address in (("ship", settings.health.ship), ("keep", settings.health.keep)):
        if address is not None:
            parts[part] = partial(vital.readiness, part, address)
    told: dict[str, Mapping[str, Any]] = {}
    faults: list[FsgovError] = []
    for name, ask in parts.items():
        if name != "catalog" and not here:
            told[name] = {"state": "not on this computer"}
            continue
        try:
            told[name] = ask()
        except FsgovError as fault:
            told[name] = {"state": "no answer", "fault": str(fault), "hint": fault.hint}
            faults.append(fault)
    raised = vital.alarms(told)
    told = {
        name: {key: value for key, value in facts.items() if key != "alarms"} for name, facts in told.items()
    }
    if frame.json:
        output.print_json({**told, "alarms": raised})
    else:
        for place, (name, facts) in enumerate(told.items()):
            click.echo(f"{chr(10) * bool(place)}{name}")
            output.print_facts({f"  {key.replace('_', ' ')}": value for key, value in facts.items()})
        click.echo("\nalarms" if raised else "\nno alarms")
        for each in raised:
            output.print_line(f"  {each.alarm} ({each.part}): {each.reason}. {each.remedy}")
    if faults:
        raise click.exceptions.Exit(faults[0].exit_code)


def _govern(socket: Path) -> Mapping[str, Any]:
    from fsgov.cli import live

    said: Mapping[str, Any] = live.ask(socket, "GET", "/v1/status")[1]
    return said


def _spool(directory: Path) -> Mapping[str, Any]:
    """Counted from the files, by reading only; nothing is made where nothing is."""
    from fsgov import spool

    try:
        if not directory.is_dir():
            raise NotFound("There is no spool yet", str(directory), "govern makes it when it starts")
        disk = spool.disk(directory)
        states = Counter(_state(path) for path in (directory / "segments").glob("*.json"))
        return {
            "segments": dict(sorted(states.items())),
            "audio_files": sum(1 for _ in (directory / "audio").glob("*.wav")),
            "calls": sum(1 for _ in (directory / "calls").glob("*.json")),
            "entry_files": sum(1 for _ in (directory / "entries").glob("*.jsonl")),
            "alarms": _alarms(directory / "ship.alarms.json"),
            "disk_used": f"{disk.used_share:.0%}",
        }
    except PermissionError as fault:
        raise NotPermitted(
            "The spool is not for this user", str(fault.filename), "ask as the service"
        ) from None


def _state(path: Path) -> str:
    try:
        return str(json.loads(path.read_bytes()).get("state", "unreadable"))
    except (FileNotFoundError, ValueError, AttributeError):
        return "unreadable"


def _alarms(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as fault:
        raise Damaged("The alarms of ship cannot be read", f"{path}: {fault}") from None
    return found if isinstance(found, dict) else {}


def _catalog(frame: Frame) -> Mapping[str, Any]:
    with frame.desk() as desk:
        counts = desk.counts()
        state = desk.log.state()
        sinks = {row.sink: row.size for row in desk.log.sinks() if row.log_id == state.log_id}
        keepers = desk.log.keepers()
    return {
        "calls": counts.calls,
        "recordings": counts.recordings,
        "log": state.log_id,
        "lines": state.size,
        "signed": state.signed,
        "signed_at": state.signed_at,
        "waiting": state.waiting,
        "oldest_waiting": state.oldest_waiting,
        "sinks": sinks,
        "keep_heard": {row.host: row.heard_at for row in keepers},
        "alarms": {name: reason for row in keepers for name, reason in row.alarms.items()},
    }
