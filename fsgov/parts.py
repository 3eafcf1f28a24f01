"""ship and keep as processes, and all three parts under one supervisor: what `fsgov run` starts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import structlog

from fsgov import config, daemon, embedded, logs
from fsgov.config import Settings
from fsgov.errors import FsgovError

log = structlog.get_logger()

LOOK_EVERY = 0.1
"""Seconds between two looks at what signals have asked for."""


def run_all(settings: Settings) -> int:
    """Govern, ship and keep as children; the exit code. What is missing for any of them is told at once."""
    logs.set_up("run", settings.log.level)
    for part in daemon.PARTS:
        settings.need(part)
    config.load_policy(settings.policy.file, settings.vaults)
    return daemon.run(settings, settings.path)


def run(settings: Settings, part: str) -> int:
    """`ship` or `keep` in this process, until SIGTERM; 0. Raises what cannot be mended by waiting."""
    logs.set_up(part, settings.log.level)
    settings.need(part)
    with ExitStack() as stack:
        flags = stack.enter_context(daemon.Flags().listening())
        log.info("part.started", host=settings.host)
        if settings.database.dsn.startswith(embedded.SCHEME):
            path = Path(settings.database.dsn.removeprefix(embedded.SCHEME))
            stack.enter_context(embedded.joined(path, create=False))
        try:
            PARTS[part](settings, flags)
        except FsgovError:
            raise
        except Exception:
            log.exception("part.failed")
            raise
    log.info("part.stopped")
    return 0


def ship(settings: Settings, flags: daemon.Flags) -> None:
    """Ship until told to stop. It waits on an event, which no signal may set, and so runs in a thread."""
    from fsgov.shipper import part

    until_told(lambda stop: part.run(settings, stop), flags)


def keep(settings: Settings, flags: daemon.Flags) -> None:
    """Keep the log until told to stop."""
    from fsgov import journal

    journal.keep(settings, lambda: flags.stop)


def until_told(work: Callable[[threading.Event], None], flags: daemon.Flags) -> None:
    """Run `work` in a thread, tell it to stop when a signal came, and raise what it raises."""
    stop = threading.Event()
    with ThreadPoolExecutor(1, "part") as pool:
        done = pool.submit(work, stop)
        while not flags.stop and not done.done():
            try:
                done.exception(LOOK_EVERY)
            except TimeoutError:
                continue
        stop.set()
        done.result()


PARTS: dict[str, Callable[[Settings, daemon.Flags], None]] = {"ship": ship, "keep": keep}
