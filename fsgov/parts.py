"""ship and keep as processes, and all three parts under one supervisor: what `fsgov run` starts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import structlog

from fsgov import config, daemon, embedded, logs, reloading
from fsgov.catalog.connection import impatient
from fsgov.config import Settings
from fsgov.errors import FsgovError
from fsgov.notify import Systemd

log = structlog.get_logger()

LOOK_EVERY = 0.1
"""Seconds between two looks at what signals have asked for."""


def run_all(settings: Settings) -> int:
    """Govern, ship and keep as children; the exit code. What is missing for any of them is told at once."""
    logs.set_up("run", settings.log.level)
    settings.need(*daemon.PARTS)
    config.check_keeping(config.load_policy(settings.policy.file, settings.regions), settings.vaults)
    return daemon.run(settings, settings.path)


def run(settings: Settings, part: str) -> int:
    """`ship` or `keep` in this process, until SIGTERM; 0. Raises what cannot be mended by waiting."""
    logs.set_up(part, settings.log.level)
    settings.need(part)
    impatient()
    with ExitStack() as stack:
        flags = stack.enter_context(daemon.Flags().listening())
        systemd = Systemd()
        log.info("part.started", host=settings.host)
        if settings.database.dsn.startswith(embedded.SCHEME):
            path = Path(settings.database.dsn.removeprefix(embedded.SCHEME))
            stack.enter_context(embedded.joined(path, create=False))
        try:
            until_told(lambda stop: PARTS[part](settings, stop, systemd), flags, settings, part, systemd)
        except FsgovError:
            raise
        except Exception:
            log.exception("part.failed")
            raise
    log.info("part.stopped")
    return 0


def ship(settings: Settings, stop: threading.Event, systemd: Systemd) -> None:
    """Ship until told to stop."""
    from fsgov.shipper import part

    part.run(settings, stop, systemd)


def keep(settings: Settings, stop: threading.Event, systemd: Systemd) -> None:
    """Keep the log until told to stop."""
    from fsgov import journal

    journal.keep(settings, stop.is_set, lambda words: systemd.turned(lambda: words))


def until_told(
    work: Callable[[threading.Event], None],
    flags: daemon.Flags,
    settings: Settings,
    part: str,
    systemd: Systemd,
) -> None:
    """Run `work` in a thread (no signal may set an event), and raise what it raises. Signals are for here."""
    stop = threading.Event()
    with ThreadPoolExecutor(1, "part") as pool:
        done = pool.submit(work, stop)
        while not flags.stop and not done.done():
            if flags.reload:
                flags.reload = False
                look_again(settings, part, systemd)
            try:
                done.exception(LOOK_EVERY)
            except TimeoutError:
                continue
        systemd.stopping()
        stop.set()
        done.result()


def look_again(settings: Settings, part: str, systemd: Systemd) -> None:
    """SIGHUP: whether this part could start with the configuration as it is now. A restart takes it up."""
    systemd.reloading()
    try:
        after = reloading.read_again(settings, part)
    except FsgovError as fault:
        log.error("configuration.refused", reason=fault.message, detail=fault.detail, hint=fault.hint)
        systemd.reloaded(f"configuration refused: {fault.message}")
        return
    waiting = reloading.waiting(settings, after, live=frozenset({"path"}))
    log.info("configuration.accepted", in_force=not waiting, after_restart=waiting)
    systemd.reloaded(f"restart for {', '.join(waiting)}" if waiting else "configuration unchanged")


PARTS: dict[str, Callable[[Settings, threading.Event, Systemd], None]] = {"ship": ship, "keep": keep}
