"""The policy in the file, and what else a part needs of its surroundings: settings, socket, sink."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from fsgov.checks.finding import Finding, ok, warning
from fsgov.config import Settings
from fsgov.errors import BadConfiguration


def parts(settings: Settings, wanted: tuple[str, ...]) -> Iterator[Finding]:
    """Whether the configuration has what these parts cannot do without."""
    settings.need(*wanted)
    yield ok("parts", f"{', '.join(wanted)}: the configuration has what they need")


def policy(settings: Settings) -> Iterator[Finding]:
    """It loads with every prompt, fits this host, and its own tests hold."""
    from fsgov import config
    from fsgov.policy import run_tests

    loaded = config.load_policy(settings.policy.file, settings.regions)
    config.check_keeping(loaded, settings.vaults)
    failures = run_tests(loaded)
    if failures:
        raise BadConfiguration("its own tests fail", "\n".join(map(str, failures)), "fsgov policy check")
    config.check_prompts(loaded)
    words = f"version {loaded.version}, {len(loaded.rules)} rules, {len(loaded.trials)} tests hold"
    yield ok("policy", words, f"{len(loaded.prompts)} prompts can be read")


def control(settings: Settings) -> Iterator[Finding]:
    """The directory of the socket of live acts: there, and nobody else may put a socket in its place."""
    directory = settings.control.socket.parent
    try:
        state = directory.stat()
    except OSError as fault:
        hint = "systemd-tmpfiles makes /run/fsgov for the units; else make the directory"
        detail = f"control.socket: {directory}: {fault.strerror}"
        raise BadConfiguration("the directory of the control socket is not there", detail, hint) from None
    if state.st_mode & stat.S_IWOTH and not state.st_mode & stat.S_ISVTX:
        detail = f"{directory}: mode {stat.S_IMODE(state.st_mode):04o}"
        raise BadConfiguration("everybody may replace the control socket", detail, f"chmod o-w {directory}")
    if not os.access(directory, os.W_OK | os.X_OK):
        yield warning("control", "this login cannot make it", str(directory), "try as govern's user")
        return
    yield ok("control", str(settings.control.socket))


def sink(settings: Settings) -> Iterator[Finding]:
    """The directory of the file sink takes files."""
    directory = settings.log.file
    if directory is None:
        yield warning("log", "only its checkpoints leave the database", hint="set log.file")
        return
    place = directory if directory.exists() else next(path for path in directory.parents if path.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        detail, hint = f"log.file: {place}", "chown it to keep's user"
        raise BadConfiguration("the file sink cannot be written by this login", detail, hint)
    yield ok("log", f"file sink {directory}")
