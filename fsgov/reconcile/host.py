"""The spool of this host and its switch, as they are now: read only, and no call is touched."""

from __future__ import annotations

import html
import json
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsgov.checks.event_socket import Asked, logged_in
from fsgov.config import Settings
from fsgov.errors import NotPermitted, Unreachable
from fsgov.reconcile import cdr
from fsgov.reconcile.worlds import AudioFile, Host, Instant, Recording, Session, SidecarFile

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECORDING = re.compile(
    r"<media-bug>\s*<function>session_record</function>\s*<target>(.*?)</target>", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Switch:
    """Legs that are up, and the recordings that run on them."""

    live: tuple[Session, ...]
    recordings: tuple[Recording, ...]


def look(settings: Settings, since: Instant, switch: Switch | None) -> Host:
    """Spool and CDRs (from `since` on), beside what the switch said just before: its legs have files by now.

    Raises NotPermitted, NotFound.
    """
    directory = settings.spool.directory
    try:
        return Host(
            name=settings.host,
            switch_audio=f"{settings.spool.switch_directory}/audio",
            calls=dict(_calls(directory / "calls")),
            audio=tuple(_audio(directory / "audio")),
            sidecars=tuple(_sidecars(directory / "segments")),
            live=None if switch is None else switch.live,
            recordings=() if switch is None else switch.recordings,
            cdr=None if settings.switch.cdr is None else tuple(cdr.read(settings.switch.cdr, since)),
        )
    except PermissionError as fault:
        hint = "act as root, or as the user that ship runs as"
        raise NotPermitted("The spool is not for this user", str(fault.filename), hint) from None


def ask(settings: Settings) -> Switch:
    """What the switch says now. Raises Unreachable, NotPermitted."""
    at = settings.switch
    with logged_in(at.host, at.port, at.password.reveal()) as asked:
        live = tuple(_live(asked))
        recordings = [
            Recording(session.leg, path) for session in live for path in recordings_of(asked, session.leg)
        ]
    return Switch(live, tuple(recordings))


def recordings_of(asked: Asked, leg: str) -> list[str]:
    """The paths that recordings of this leg are written to."""
    return [html.unescape(path) for path in _RECORDING.findall(asked.api(f"uuid_buglist {leg}"))]


def _live(asked: Asked) -> Iterator[Session]:
    text = asked.api("show channels as json")
    try:
        for row in json.loads(text, strict=False).get("rows", []):
            if UUID.fullmatch(row["uuid"]):
                created = int(row.get("created_epoch") or 0) * 1_000_000 or wall_clock()
                yield Session(row["uuid"], created)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreachable("The switch does not list its channels", text[:80]) from None


def _audio(directory: Path) -> Iterator[AudioFile]:
    for path in sorted(directory.iterdir()):
        with suppress(FileNotFoundError):  # discarded since
            told = path.lstat()
            if not path.name.startswith("."):
                regular = stat.S_ISREG(told.st_mode)
                yield AudioFile(path.name, told.st_mtime_ns // 1000, told.st_size, regular)


def _sidecars(directory: Path) -> Iterator[SidecarFile]:
    for path, modified, found in _documents(directory):
        sealed = found.get("sealed")
        yield SidecarFile(
            segment=path.stem,
            call=str(found.get("call", "")),
            state=str(found.get("state", "unreadable")),
            modified=modified,
            key=str(sealed.get("key", "")) if isinstance(sealed, dict) else "",
        )


def _calls(directory: Path) -> Iterator[tuple[str, frozenset[str]]]:
    for path, _, found in _documents(directory):
        legs = found.get("legs")
        yield (
            path.stem,
            frozenset(str(leg.get("leg")) for leg in legs) if isinstance(legs, list) else frozenset(),
        )


def _documents(directory: Path) -> Iterator[tuple[Path, Instant, dict[str, Any]]]:
    """Each document of a shelf; one that cannot be read (a power loss) is told as empty."""
    for path in sorted(directory.glob("*.json")):
        try:
            modified, text = path.stat().st_mtime_ns // 1000, path.read_bytes()
        except FileNotFoundError:
            continue
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        yield path, modified, found if isinstance(found, dict) else {}


def wall_clock() -> Instant:
    return time.time_ns() // 1000
